//! Writes of this node's own keys: what is another node's is never touched.

use super::fault::Fault;
use super::keys::{Key, owner};
use super::message::{Compare, Kv, Op};
use super::{Cluster, Kept};
use words::{Error, Kind, Result};

/// What a transaction of etcd's may do: 128 by default, and one more is compared here.
pub const OPS: usize = 120;

/// How often a transaction is tried whose keys somebody changes meanwhile.
const TRIES: usize = 8;

/// A key of this node's as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub key: String,
    /// What it has, with the owner; none: it is gone.
    pub value: Option<Vec<u8>>,
    /// It ends with the node's lease.
    pub leased: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is as wanted.
    Done,
    /// Nothing was written: this key is another node's.
    Taken {
        /// Which.
        key: String,
        /// Whose.
        node: String,
    },
    /// Nothing was written: there is no such network any more.
    Gone,
}

impl Cluster {
    /// Brings keys of a network to what is wanted, all or none, in one transaction. Asked again it comes to the same. At most [`OPS`].
    pub fn write(&self, network: &str, wanted: &[Wanted]) -> Result<Outcome> {
        if wanted.len() > OPS {
            let why = format!("{} changes at once; etcd takes {OPS} in a transaction", wanted.len());
            return Err(Error::invalid(why));
        }
        let lease = self.has_joined()?;
        let name = self.shared.keys.of(&Key::Name(network));
        let mut todo: Vec<(&Wanted, Compare)> = {
            let mirror = self.mirror();
            wanted.iter().map(|one| (one, guess(self.node().as_str(), one, mirror.get(&one.key)))).collect()
        };
        let mut was_lost = false;
        for _ in 0..TRIES {
            if todo.is_empty() {
                return Ok(Outcome::Done);
            }
            let puts = todo.iter().any(|(one, _)| one.value.is_some());
            let must = todo.iter().map(|(_, must)| must.clone()).chain(puts.then(|| Compare::There(name.clone())));
            let must: Vec<_> = must.collect();
            let ops: Vec<_> = todo.iter().map(|(one, _)| op(one, lease)).collect();
            let reads = todo.iter().map(|(one, _)| Op::Get(one.key.clone())).chain([Op::Get(name.clone())]);
            let reads: Vec<_> = reads.collect();
            let done = self.shared.etcd.transaction(&must, &ops, &reads).map_err(|fault| self.failed(fault, lease))?;
            if done.succeeded {
                return Ok(Outcome::Done);
            }
            was_lost |= done.was_lost;
            let mut found = done.found()?;
            if found.len() != todo.len() + 1 {
                return Err(Fault::Other("a transaction was answered with something else".into()).into());
            }
            if found.pop().flatten().is_none() && puts {
                return Ok(Outcome::Gone);
            }
            let mut next = Vec::new();
            for ((one, _), there) in todo.into_iter().zip(found) {
                match seen(self.node().as_str(), one, there, lease) {
                    Seen::Differs(must) => next.push((one, must)),
                    Seen::AsWanted => {}
                    // It may have been written, and have ended with this node's lease.
                    Seen::Taken(node) if was_lost => {
                        let why =
                            format!("a member of etcd did not answer, and {} is {node}'s now: try again", one.key);
                        return Err(Error::new(Kind::Unavailable, why));
                    }
                    Seen::Taken(node) => return Ok(Outcome::Taken { key: one.key.clone(), node }),
                }
            }
            todo = next;
        }
        Err(Error::new(Kind::Unavailable, format!("etcd's keys changed {TRIES} times meanwhile: try again")))
    }
}

/// How a key stands to what is wanted.
enum Seen {
    Differs(Compare),
    AsWanted,
    Taken(String),
}

fn seen(node: &str, one: &Wanted, there: Option<Kv>, lease: i64) -> Seen {
    let Some(kv) = there else {
        return if one.value.is_some() { Seen::Differs(Compare::Absent(one.key.clone())) } else { Seen::AsWanted };
    };
    match owner(&kv.value) {
        Some((whose, _)) if whose == node => {
            let is_kept = !one.leased || kv.lease == lease;
            if one.value.as_ref() == Some(&kv.value) && is_kept {
                Seen::AsWanted
            } else {
                Seen::Differs(Compare::Modified(one.key.clone(), kv.modified))
            }
        }
        _ if one.value.is_none() => Seen::AsWanted,
        Some((whose, _)) => Seen::Taken(whose.to_owned()),
        None => Seen::Taken("(nobody)".to_owned()),
    }
}

/// What probably holds.
fn guess(node: &str, one: &Wanted, there: Option<&Kept>) -> Compare {
    match there {
        Some(kept) if owner(&kept.value).is_some_and(|(whose, _)| whose == node) => {
            Compare::Modified(one.key.clone(), kept.modified)
        }
        _ => Compare::Absent(one.key.clone()),
    }
}

fn op(one: &Wanted, lease: i64) -> Op {
    match &one.value {
        Some(value) => Op::Put(one.key.clone(), value.clone(), if one.leased { lease } else { 0 }),
        None => Op::Delete(one.key.clone()),
    }
}
