//! Requests on their way to the engine: a number of them at a time, each to its end, and none without somebody who knows of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Engine;
use super::limits::{MAX_CALLS, SMALL_BODY};
use operation::engine::{Reply, Request};
use words::{Error, Kind, Name, Result};

/// The way to the engine.
#[derive(Clone)]
pub struct Calls<E> {
    driver: Name,
    engine: E,
    deadline: Duration,
    turns: Arc<Semaphore>,
}

/// The right to have one request decoded and done.
pub struct Turn {
    permit: OwnedSemaphorePermit,
    until: Instant,
}

impl<E: Engine> Calls<E> {
    /// The way for one driver.
    pub fn new(driver: Name, engine: E, deadline: Duration) -> Self {
        Self { driver, engine, deadline, turns: Arc::new(Semaphore::new(MAX_CALLS as usize)) }
    }

    /// Waits for a turn, within the deadline. A large body takes several turns: decoded it is many times as large.
    pub async fn turn(&self, body: &[u8]) -> Result<Turn> {
        let until = Instant::now() + self.deadline;
        let share = u32::try_from(1 + body.len() / SMALL_BODY).unwrap_or(MAX_CALLS).min(MAX_CALLS);
        match timeout_at(until, self.turns.clone().acquire_many_owned(share)).await {
            Ok(Ok(permit)) => Ok(Turn { permit, until }),
            _ => Err(self.late("there are too many requests before it")),
        }
    }

    /// Has a request done, and answers within the deadline. One that is done later, or after its client went, is taken back: dockerd
    /// takes it for failed, and never removes what it does not know of.
    pub async fn call(&self, turn: Turn, request: Request) -> Result<Reply> {
        let (tell, mut told) = oneshot::channel();
        tokio::spawn(self.clone().run(request, turn.permit, tell));
        let panicked = |_| Error::internal("the request panicked, which is a bug");
        if let Ok(told) = timeout_at(turn.until, &mut told).await {
            return told.map_err(panicked)?;
        }
        // What is told from now on finds nobody.
        told.close();
        told.try_recv().unwrap_or_else(|_| Err(self.late("the driver has not finished")))
    }

    async fn run(self, request: Request, _turn: OwnedSemaphorePermit, tell: oneshot::Sender<Result<Reply>>) {
        let result = self.engine.call(&self.driver, request.clone()).await;
        let Err(Ok(reply)) = tell.send(result) else { return };
        let Some(undo) = request.undo(&reply) else { return };
        tracing::warn!(driver = %self.driver, ?undo, "a request was done when nobody waited for it any more: it is taken back");
        if let Err(error) = self.engine.call(&self.driver, undo).await {
            tracing::warn!(driver = %self.driver, "it can't be taken back: {error}");
        }
    }

    fn late(&self, why: &str) -> Error {
        Error::new(Kind::Unavailable, format!("no answer within {} seconds: {why}", self.deadline.as_secs_f32()))
    }
}
