//! Connections that were tracked under other rules: a client that sends from one port for ever, as syslog and games do, would never reach who
//! serves the port now. They are deleted once the rules have changed.
//!
//! The kernel has to be asked for all that it tracks, so a thread does it, once for as many calls as come meanwhile.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Keeper;
use kernel::{NftProperty, NftRule, NftVerdict, Stale, StalePort};

/// The thread, which ends with this.
pub(super) struct Connections {
    to: Mutex<Option<Sender<Stale>>>,
    thread: Option<JoinHandle<()>>,
}

impl Connections {
    pub fn start(keeper: Arc<Keeper>) -> Self {
        let (to, from) = channel();
        let started = std::thread::Builder::new().name("connections".into()).spawn(move || work(&keeper, &from));
        if let Err(error) = &started {
            tracing::warn!("connections of earlier ports won't be forgotten: {error}");
        }
        Self { to: Mutex::new(Some(to)), thread: started.ok() }
    }

    pub fn forget(&self, stale: Stale) {
        if stale != Stale::default()
            && let Some(to) = &*self.to.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let _ = to.send(stale);
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        drop(self.to.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn work(keeper: &Keeper, from: &Receiver<Stale>) {
    while let Ok(mut all) = from.recv() {
        for Stale { addresses, ports } in from.try_iter() {
            all.addresses.extend(addresses);
            all.ports.extend(ports);
        }
        match keeper.kernel.forget_connections(&all) {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "connections that were tracked under other rules are forgotten"),
            Err(error) => tracing::warn!("connections under other rules go on: {error}"),
        }
    }
}

/// The ports whose packets a rule sends elsewhere, if it does.
pub fn translated(rule: &NftRule) -> Option<StalePort> {
    let NftVerdict::DestinationNat(target, _) = rule.verdict else { return None };
    let (mut protocol, mut ports, mut host) = (None, None, None);
    for condition in rule.conditions.iter().filter(|condition| !condition.negated) {
        match condition.property {
            NftProperty::Protocol(number) => protocol = Some(number),
            NftProperty::DestinationPort(first, last) => ports = Some((first, last)),
            NftProperty::Destination(network) => host = Some(network),
            _ => {}
        }
    }
    Some(StalePort { protocol: protocol?, ports: ports?, host, target })
}
