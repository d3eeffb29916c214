//! How much a driver and a network have already. One call's limits are no limit on what many calls leave.

use super::Transaction;
use crate::engine::limit::{CHANGES, ENTRY_BYTES, OBJECTS, STORE_BYTES};
use crate::kernel::{self, Change};
use crate::operation::{Error, Kind};

/// What was there when the call first asked: looked up once.
#[derive(Default)]
pub(super) struct Held {
    objects: Option<usize>,
    entry_bytes: Option<u64>,
    state_bytes: Option<u64>,
}

impl Transaction {
    /// Whether so many more bytes fit into the driver's store.
    pub fn check_state_room(&mut self, bytes: usize) -> Result<(), Error> {
        let held = match self.held.state_bytes {
            Some(held) => held,
            None => self.store.state_size(&self.owner.driver)?.1,
        };
        self.held.state_bytes = Some(held);
        fits("the driver's store", held, written(&self.state), bytes, STORE_BYTES)
    }

    /// Whether so many more bytes fit into the network's tables.
    pub fn check_entry_room(&mut self, bytes: usize) -> Result<(), Error> {
        let held = match self.held.entry_bytes {
            Some(held) => held,
            None => self.store.entry_bytes(&self.owner.network)?,
        };
        self.held.entry_bytes = Some(held);
        fits("the network's tables", held, written(&self.entries), bytes, ENTRY_BYTES)
    }

    /// Whether these changes may be made on top of what there is.
    pub(super) fn check_object_room(&mut self, changes: &[Change]) -> Result<(), kernel::Error> {
        let full = |message: String| kernel::Error { message, errno: Some(rustix::io::Errno::NOBUFS.raw_os_error()) };
        if self.applied.len() + changes.len() > CHANGES {
            return Err(full(format!("one call makes at most {CHANGES} changes to the kernel")));
        }
        let made: usize = changes.iter().map(objects).sum();
        if made == 0 {
            return Ok(());
        }
        let held = match self.held.objects {
            Some(held) => held,
            None => {
                let count = self.store.object_count(&self.owner.network);
                count.map_err(|e| kernel::Error { message: e.to_string(), errno: None })?
            }
        };
        self.held.objects = Some(held);
        match held + self.made.len() + made <= OBJECTS {
            true => Ok(()),
            false => Err(full(format!("a network has at most {OBJECTS} kernel objects; this one has {held} already"))),
        }
    }
}

/// How many objects a change makes.
fn objects(change: &Change) -> usize {
    match change {
        Change::AddNftRules { rules, .. } => rules.len(),
        Change::AddLink(_)
        | Change::AddRoute(_)
        | Change::AddRule(_)
        | Change::AddNamespace(_)
        | Change::TakePort(_) => 1,
        _ => 0,
    }
}

/// Bytes that a call has set.
fn written<K>(values: &std::collections::BTreeMap<K, Option<Vec<u8>>>) -> u64 {
    values.values().flatten().map(|value| value.len() as u64).sum()
}

fn fits(what: &str, held: u64, written: u64, more: usize, most: u64) -> Result<(), Error> {
    match held + written + more as u64 <= most {
        true => Ok(()),
        false => {
            let full = format!("{what} can hold {most} bytes, and {} are there already", held + written);
            Err(Error::new(Kind::Unavailable, full))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::limit::WRITTEN_BYTES;
    use crate::firewall::Firewall;
    use crate::grant::{Gate, Grant, HostCall, Object as Asked, Permit};
    use crate::kernel::{Config, Fake, Kernel, LinkKey, Namespace, Route};
    use crate::operation::Id;
    use crate::reaper::Reaper;
    use crate::store::{self, Batch, Durability, Object, Store, Thing, Write};
    use crate::transaction::Owner;

    /// A transaction of the network `n`, for which `writes` have been committed before.
    fn transaction(folder: &std::path::Path, writes: Vec<Write>) -> Transaction {
        let store = Arc::new(Store::open(folder).unwrap());
        store.commit(Batch { checks: Vec::new(), writes, durability: Durability::Process }).unwrap();
        let config = Config { host: Fake::new().into(), instance: 1, run_folder: folder.to_owned() };
        let kernel = Arc::new(Kernel::new(config).unwrap());
        let reaper = Arc::new(Reaper::start(kernel.clone()).unwrap());
        let firewall = Arc::new(Firewall::start(kernel.clone(), store.clone()));
        let owner = Owner { driver: "d".parse().unwrap(), network: id("n"), endpoint: None };
        Transaction::new(kernel, reaper, firewall, store, owner)
    }

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn permit() -> Permit {
        Gate::new(Arc::new(Grant::standard()), Some(Vec::new())).permit(HostCall::StoreSet, Asked::Own).unwrap()
    }

    fn route() -> Route {
        let link = LinkKey { namespace: Namespace::Host, index: 1 };
        let destination = "10.0.0.0/8".parse().unwrap();
        Route { link, destination, gateway: None, source: None, table: None, metric: None }
    }

    #[test]
    fn a_full_store_takes_no_more_and_gives_back() {
        let folder = tempfile::tempdir().unwrap();
        let full = vec![0; STORE_BYTES as usize - WRITTEN_BYTES - 1];
        let value = |driver: &str, value| Write::SetState {
            driver: driver.parse().unwrap(),
            key: "k".into(),
            network: id("n"),
            value,
        };
        // Another driver's is another's.
        let mut call = transaction(folder.path(), vec![value("d", full.clone()), value("e", full)]);
        call.check_state_room(WRITTEN_BYTES).unwrap();
        call.set_state(permit(), "l".into(), Some(vec![0; WRITTEN_BYTES]));
        let error = call.check_state_room(1).unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.message.contains("the driver's store can hold 33554432 bytes"), "{error}");
        call.set_state(permit(), "l".into(), None);
        call.check_state_room(1).unwrap();
    }

    #[test]
    fn full_tables_take_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |owner: &str, key: &str, bytes: u64| Write::PutEntry {
            network: id("n"),
            table: "t".into(),
            key: key.into(),
            owner: owner.into(),
            endpoint: None,
            value: vec![0; bytes as usize],
        };
        // What other owners put there is not the driver's.
        let writes = vec![entry(store::OWN, "k", ENTRY_BYTES - 3), entry("other", "l", ENTRY_BYTES)];
        let mut call = transaction(folder.path(), writes);
        call.check_entry_room(2).unwrap();
        assert!(call.check_entry_room(3).unwrap_err().message.contains("the network's tables can hold"));
    }

    #[test]
    fn a_full_network_gets_no_more_objects() {
        let folder = tempfile::tempdir().unwrap();
        let object = Object { id: 0, network: id("n"), endpoint: None, thing: Thing::Route(route()) };
        let writes = (0..OBJECTS - 1).map(|_| Write::AddObject(object.clone())).collect();
        let mut call = transaction(folder.path(), writes);
        let add = Change::AddRoute(route());
        call.check_object_room(std::slice::from_ref(&add)).unwrap();
        let error = call.check_object_room(&[add.clone(), add]).unwrap_err();
        assert!(error.message.contains("at most 32000 kernel objects; this one has 31999 already"), "{error}");
        assert_eq!(Error::from(error).kind, Kind::Unavailable);
        // What is no object of its own, and what goes, is not held up.
        call.check_object_room(&vec![Change::RemoveRoute(route()); CHANGES]).unwrap();
        let error = call.check_object_room(&vec![Change::RemoveRoute(route()); CHANGES + 1]).unwrap_err();
        assert!(error.message.contains("one call makes at most 10000 changes"), "{error}");
    }
}
