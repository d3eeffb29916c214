//! Connections that were tracked under other rules: a client that sends from one port for ever, as syslog and games do, would never reach who
//! serves the port now. They are deleted once the rules have changed.
//!
//! The kernel looks at all places of its table for it, so a thread does it, once for as many calls as come meanwhile, and takes a small part of a
//! processor at most.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Keeper;
use kernel::{HostPort, NftElement, NftVerdict, Stale, StalePort};
use store::Thing;

/// How long the thread waits for more: an operation that takes a port from an endpoint mostly removes this, too.
const PAUSE: Duration = Duration::from_millis(10);

/// It rests so many times as long as the kernel took the last time, some 5 ms for a table of 262,144 places,
const REST: u32 = 20;

/// but no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What the thread is to have forgotten, and whether it is to end.
#[derive(Default)]
pub(super) struct Waiting {
    all: Mutex<(Stale, bool)>,
    told: Condvar,
}

impl Waiting {
    pub fn add(&self, stale: Stale) {
        if stale == Stale::default() {
            return;
        }
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.0.addresses.extend(stale.addresses);
        all.0.ports.extend(stale.ports);
        self.told.notify_one();
    }

    fn end(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.told.notify_one();
    }

    /// What has come when there was time for more, and the thread had its rest. None: it is over.
    fn next(&self, rested: Instant) -> Option<Stale> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |(stale, ends): &mut (Stale, bool)| !*ends && *stale == Stale::default();
        let all = self.told.wait_while(all, idle).unwrap_or_else(PoisonError::into_inner);
        let pause = rested.saturating_duration_since(Instant::now()).max(PAUSE);
        let waited = self.told.wait_timeout_while(all, pause, |(_, ends)| !*ends);
        let mut all = waited.unwrap_or_else(PoisonError::into_inner).0;
        (!all.1).then(|| std::mem::take(&mut all.0))
    }
}

/// The thread, which ends with this.
pub(super) struct Connections {
    keeper: Arc<Keeper>,
    thread: Option<JoinHandle<()>>,
}

impl Connections {
    pub fn start(keeper: Arc<Keeper>) -> Self {
        let of_thread = keeper.clone();
        let started = std::thread::Builder::new().name("connections".into()).spawn(move || work(&of_thread));
        if let Err(error) = &started {
            tracing::warn!("connections of earlier ports won't be forgotten: {error}");
        }
        Self { keeper, thread: started.ok() }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.keeper.stale.end();
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn work(keeper: &Keeper) {
    let mut rested = Instant::now();
    while let Some(stale) = keeper.stale.next(rested) {
        let begin = Instant::now();
        match keeper.kernel.forget_connections(&stale) {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "connections that were tracked under other rules are forgotten"),
            Err(error) => tracing::warn!("connections under other rules go on: {error}"),
        }
        rested = Instant::now() + (begin.elapsed() * REST).min(LONGEST_REST);
    }
}

/// The port of the host whose packets a rule, or what is in a map, sends elsewhere: one that its owner holds. What comes in by the driver's own
/// link is no matter of the host's.
pub fn translated(thing: &Thing) -> Option<StalePort> {
    if let Thing::NftElement { element: NftElement::HostPort { protocol, port, to }, .. } = thing {
        return Some(StalePort { protocol: *protocol, ports: (*port, *port), host: None, target: to.ip() });
    }
    let Thing::NftRule { rule: Some(rule), port: Some(HostPort { protocol, port, more, address }), .. } = thing else {
        return None;
    };
    let NftVerdict::DestinationNat(target, _) = rule.verdict else { return None };
    let host = (!address.is_unspecified()).then_some(*address);
    Some(StalePort { protocol: *protocol, ports: (*port, port.saturating_add(*more)), host, target })
}
