//! Events that a driver did not take are told again, ever more rarely.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Controller;
use words::Id;

/// From the first failure on; it doubles with each.
const PAUSE: Duration = Duration::from_secs(1);
/// At most.
const LONGEST: Duration = Duration::from_secs(60);

/// The networks whose driver did not take all of its events.
#[derive(Default)]
pub(super) struct Untold {
    networks: Mutex<BTreeMap<Id, Again>>,
    more: Notify,
}

/// When a network's driver is told again.
#[derive(Clone, Copy)]
struct Again {
    at: Instant,
    pause: Duration,
}

impl Untold {
    /// What came of telling a network's driver.
    pub(super) fn note(&self, network: &Id, took_all: bool) {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if took_all {
            networks.remove(network);
            return;
        }
        let pause = networks.get(network).map_or(PAUSE, |before| (before.pause * 2).min(LONGEST));
        networks.insert(network.clone(), Again { at: Instant::now() + pause, pause });
        self.more.notify_one();
    }

    /// The first network whose time has come; if there is none, when there will be.
    fn due(&self) -> Result<Id, Option<Instant>> {
        let networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        match networks.iter().min_by_key(|(_, again)| again.at) {
            Some((network, again)) if again.at <= Instant::now() => Ok(network.clone()),
            Some((_, again)) => Err(Some(again.at)),
            None => Err(None),
        }
    }
}

impl Controller {
    /// Tells drivers again what they did not take, for ever.
    pub async fn tell_again(&self) {
        let untold = &self.inner.untold;
        loop {
            match untold.due() {
                Ok(network) => self.tell_network_again(network).await,
                Err(Some(at)) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = untold.more.notified() => {}
                },
                Err(None) => untold.more.notified().await,
            }
        }
    }

    async fn tell_network_again(&self, network: Id) {
        let id = network.clone();
        let told = match self.plain(move |inner| inner.driver_of(&id)).await {
            Ok(driver) => {
                let id = network.clone();
                self.on_network(network.clone(), driver, move |inner| Ok(inner.tell(&id))).await
            }
            Err(error) => Err(error),
        };
        match told {
            Ok(0) => {}
            Ok(events) => tracing::info!(%network, events, "its driver took what it was told again"),
            // The network is gone, or this ends.
            Err(_) => self.inner.untold.note(&network, true),
        }
    }
}
