//! What the two threads and the controller tell each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::mirror::Mirror;

/// It, and a bell.
pub struct Shelf {
    state: Mutex<State>,
    bell: Condvar,
}

/// What is known.
#[derive(Default)]
pub struct State {
    /// What etcd has.
    pub mirror: Mirror,
    /// The watch goes on.
    pub followed: bool,
    /// This node's lease.
    pub lease: Option<i64>,
    /// One that it had before it was started again, and may still have.
    pub earlier: Option<i64>,
    /// What is wrong with the lease.
    pub lease_fault: Option<Fault>,
    /// What is wrong with the watch.
    pub watch_fault: Option<Fault>,
    /// How often something began to be wrong.
    pub faults: u64,
    /// The revision at which the watch began that goes on.
    pub begun: i64,
    /// The revision up to which there was nothing more to hear: etcd has other keys, too, and tells of none of them.
    pub heard: i64,
    /// What the controller has to look at; none: nothing.
    pub news: Option<News>,
    stopped: bool,
}

/// What the controller has to look at.
#[derive(Debug, Default)]
pub struct News {
    /// Some networks came or went.
    pub networks: bool,
    /// All keys of all networks: this node has another lease, or all was read anew.
    pub all: bool,
    /// Etcd is not what it was: it was restored from an older copy.
    pub restored: bool,
    /// Keys of networks, by id.
    pub keys: BTreeMap<String, Which>,
}

/// Some of a network's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them, here and there.
    All,
    /// These.
    These(BTreeSet<String>),
}

impl State {
    /// The news, to be added to.
    pub fn news_mut(&mut self) -> &mut News {
        self.news.get_or_insert_default()
    }

    /// More keys of a network.
    pub fn mark(&mut self, network: &str, which: Which) {
        let news = self.news_mut();
        match (news.keys.get_mut(network), which) {
            (Some(Which::All), _) => {}
            (Some(Which::These(keys)), Which::These(more)) => keys.extend(more),
            (_, which) => drop(news.keys.insert(network.to_owned(), which)),
        }
    }
}

impl Shelf {
    /// Nothing is known yet.
    pub fn new(earlier: Option<i64>) -> Self {
        Self { state: Mutex::new(State { earlier, ..State::default() }), bell: Condvar::new() }
    }

    /// It, alone.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It, when there is a lease, or something is wrong with it, or this time has passed.
    pub fn await_lease(&self, most: Duration) -> MutexGuard<'_, State> {
        let open = |state: &mut State| state.lease.is_none() && state.lease_fault.is_none() && !state.stopped;
        let waited = self.bell.wait_timeout_while(self.lock(), most, open);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends a sleep.
    pub fn wake(&self) {
        self.bell.notify_all();
    }

    /// Ends the threads.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.wake();
    }

    /// Whether the threads go on.
    pub fn goes_on(&self) -> bool {
        !self.lock().stopped
    }

    /// Sleeps, unless it is woken.
    pub fn sleep(&self, time: Duration) {
        let state = self.lock();
        if !state.stopped {
            drop(self.bell.wait_timeout(state, time));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_collected_until_all_are_meant() {
        let mut state = State::default();
        let these = |keys: &[&str]| Which::These(keys.iter().map(|key| (*key).to_owned()).collect());
        state.mark("n", these(&["a"]));
        state.mark("n", these(&["b", "a"]));
        state.mark("m", these(&["c"]));
        assert_eq!(state.news_mut().keys["n"], these(&["a", "b"]));
        state.mark("n", Which::All);
        state.mark("n", these(&["d"]));
        let news = state.news.take().unwrap();
        assert_eq!((&news.keys["n"], &news.keys["m"]), (&Which::All, &these(&["c"])));
    }
}
