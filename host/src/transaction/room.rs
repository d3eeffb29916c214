//! How many kernel objects a network has already, whatever their kinds. One call's limits are no limit on what many calls leave, and a grant's
//! numbers are each for one kind.

use super::Transaction;
use kernel::{Change, Error};
use words::limit::{CHANGES, OBJECTS};

impl Transaction {
    /// Whether these changes may be made on top of what there is.
    pub(super) fn check_object_room(&mut self, changes: &[Change]) -> Result<(), Error> {
        if self.applied.len() + changes.len() > CHANGES {
            return Err(full(format!("one call makes at most {CHANGES} changes to the kernel")));
        }
        let made: usize = changes.iter().map(objects).sum();
        if made == 0 {
            return Ok(());
        }
        let held = match self.held_objects {
            Some(held) => held,
            None => {
                let count = self.store.object_count(&self.owner.network);
                count.map_err(|e| Error { message: e.to_string(), errno: None })?
            }
        };
        self.held_objects = Some(held);
        match held + self.made.len() + made <= OBJECTS {
            true => Ok(()),
            false => Err(full(format!("a network has at most {OBJECTS} kernel objects; this one has {held} already"))),
        }
    }
}

/// The refusal of too many of something.
pub(super) fn full(message: String) -> Error {
    Error { message, errno: Some(rustix::io::Errno::NOBUFS.raw_os_error()) }
}

/// How many objects a change makes.
fn objects(change: &Change) -> usize {
    match change {
        Change::AddNftRules { rules, .. } => rules.len(),
        Change::AddNftSet { .. } | Change::AddNftChain { .. } => 1,
        Change::AddNftElements { elements, .. } => elements.len(),
        Change::AddLink(spec) => spec.links(),
        Change::AddPath(_) | Change::AddProxy(_) | Change::TakeDevice(_) => 1,
        Change::AddRule(_) | Change::AddNamespace(_) | Change::TakePort(_) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::firewall::Firewall;
    use crate::reaper::Reaper;
    use crate::transaction::Owner;
    use kernel::{Config, Fake, Kernel, Namespace, Rule};
    use store::{Batch, Durability, Object, Store, Thing, Write};
    use words::{Id, Kind};

    /// A transaction of the network `n`, for which `writes` have been committed before.
    fn transaction(folder: &std::path::Path, writes: Vec<Write>) -> Transaction {
        let store = Arc::new(Store::open(folder).unwrap());
        store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() }).unwrap();
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

    fn rule() -> Rule {
        let source = "10.0.0.0/8".parse().ok();
        Rule {
            namespace: Namespace::Host,
            priority: 1,
            source,
            destination: None,
            input: None,
            mark: None,
            table: 7,
            ipv6: false,
        }
    }

    #[test]
    fn a_full_network_gets_no_more_objects() {
        let folder = tempfile::tempdir().unwrap();
        let object = Object { id: 0, network: id("n"), endpoint: None, thing: Thing::Rule(rule()) };
        let writes = (0..OBJECTS - 1).map(|_| Write::AddObject(object.clone())).collect();
        let mut call = transaction(folder.path(), writes);
        let add = Change::AddRule(rule());
        call.check_object_room(std::slice::from_ref(&add)).unwrap();
        let error = call.check_object_room(&[add.clone(), add]).unwrap_err();
        assert!(error.message.contains("at most 100000 kernel objects; this one has 99999 already"), "{error}");
        assert_eq!(words::Error::from(error).kind, Kind::Unavailable);
        // What is no object of its own, and what goes, is not held up.
        call.check_object_room(&vec![Change::RemoveRule(rule()); CHANGES]).unwrap();
        let error = call.check_object_room(&vec![Change::RemoveRule(rule()); CHANGES + 1]).unwrap_err();
        assert!(error.message.contains("one call makes at most 10000 changes"), "{error}");
    }
}
