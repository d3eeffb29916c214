//! Ports of the host in a transaction. What a call releases stays taken until the commit, so that nobody else gets it if the call fails.

use std::collections::BTreeMap;

use super::Transaction;
use grant::Granted;
use kernel::{Change, HostPort, Outcome, PortWish};
use store::{self, Thing};
use words::Error;

/// The owner's ports and which objects they are, with those that this call has released. They are looked up once: there may be a
/// thousand, and a host call for each.
pub(super) type Ports = BTreeMap<HostPort, i64>;

impl Transaction {
    /// Takes a port of the host for the owner, or a range. What this call has released it gets back without letting go of it.
    pub fn take_port(&mut self, wish: Granted<PortWish>) -> Result<u16, Error> {
        let mut ports = self.owners_ports()?;
        let taken = self.take_beside(wish.take(), &mut ports);
        self.ports = Some(ports);
        taken
    }

    fn take_beside(&mut self, wish: PortWish, ports: &mut Ports) -> Result<u16, Error> {
        let released = ports.iter().filter(|(_, id)| self.dropped.contains(id));
        let wish = PortWish { own: released.map(|(port, _)| *port).collect(), ..wish };
        let outcomes = self.apply(&[Change::TakePort(wish.clone())])?;
        let Some(Outcome::Port(first)) = outcomes.first() else {
            return Err(Error::internal("the kernel layer did not answer with a port"));
        };
        for port in wish.ports(*first) {
            match ports.get(&port) {
                Some(id) => self.keep(*id, port),
                None => drop(ports.insert(port, self.made(Thing::Port(port)))),
            }
        }
        Ok(*first)
    }

    /// Releases ports after the commit, those that are the owner's.
    pub fn release_ports(&mut self, released: Granted<Vec<HostPort>>) -> Result<(), store::Error> {
        let ports = self.owners_ports()?;
        for (port, id) in released.iter().filter_map(|port| ports.get_key_value(port)) {
            if self.dropped.insert(*id) {
                self.removals.insert(Change::ReleasePort(*port));
            }
        }
        self.ports = Some(ports);
        Ok(())
    }

    /// Whether this call releases any.
    pub(super) fn has_released_ports(&self) -> bool {
        self.ports.iter().flat_map(BTreeMap::values).any(|id| self.dropped.contains(id))
    }

    fn owners_ports(&mut self) -> Result<Ports, store::Error> {
        if let Some(ports) = self.ports.take() {
            return Ok(ports);
        }
        let objects = self.store.objects(&self.owner.network, Some(self.owner.endpoint.as_ref()))?;
        let ports = objects.into_iter().filter_map(|object| match object.thing {
            Thing::Port(port) => Some((port, object.id)),
            _ => None,
        });
        Ok(ports.collect())
    }

    /// Does not remove it after all.
    fn keep(&mut self, id: i64, port: HostPort) {
        self.dropped.remove(&id);
        self.removals.remove(&Change::ReleasePort(port));
    }
}
