//! Connections: accepted up to a number and from those who may, each with its time limits, and let finish at the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::limits::{Limits, MAX_HEAD};
use super::patience::Patient;
use crate::frontend::http::peer::{self, Caller};
use crate::frontend::http::socket::path_of;

/// How long to wait after an accept that failed: mostly for lack of file descriptors, which others must give back first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is ready; then accepts no more and lets requests in flight finish.
pub async fn serve(listener: UnixListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_within(listener, router, shutdown, Limits::default()).await;
}

/// [`serve`] with limits of one's own.
pub async fn serve_within(listener: UnixListener, router: Router, shutdown: impl Future<Output = ()>, limits: Limits) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let path = path_of(&listener);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (stream, slot) = accept(&listener, &slots) => {
                let (router, caller) = match peer::check(&stream, path.as_deref()) {
                    Ok(caller) => (router.clone(), Some(caller)),
                    Err(error) => {
                        tracing::warn!("a client is refused: {error}");
                        (peer::refusing(&error), None)
                    }
                };
                connections.spawn(connection(stream, slot, router, caller, stopping.clone(), limits));
            }
        }
    }
    drop(listener);
    drop(stop);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.grace, all).await.is_err() {
        tracing::warn!(seconds = limits.grace.as_secs(), "requests in flight did not finish in time");
    }
}

/// The next connection, once there is a free place for it.
async fn accept(listener: &UnixListener, slots: &Arc<Semaphore>) -> (UnixStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed; if it were, there would be nothing to accept for.
        let Ok(slot) = slots.clone().acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: UnixStream,
    _slot: OwnedSemaphorePermit,
    router: Router,
    caller: Option<Caller>,
    mut stopping: watch::Receiver<()>,
    limits: Limits,
) {
    let stream = Patient::new(stream, limits.head, limits.stall);
    let head = stream.head();
    let router = TowerToHyperService::new(router);
    // Called with a request whose head is complete.
    let service = service_fn(move |mut request: hyper::Request<_>| {
        head.is_complete(true);
        caller.map(|caller| request.extensions_mut().insert(caller));
        let (head, answer) = (head.clone(), router.call(request));
        async move {
            let answer = answer.await;
            head.is_complete(false);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // From the end of one request to the end of the next one's head, of which `Patient` sees to the latter.
        .header_read_timeout(limits.idle.max(limits.head))
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // The sender never sends: it is dropped.
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
