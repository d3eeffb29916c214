//! The cluster store: what hosts share is in etcd. Networks of global scope, the addresses of their endpoints, the entries of their tables,
//! and which nodes there are. Nothing of one host alone is there.
//!
//! It knows no driver and no store of this host: `controller/global` has both, and decides. Its threads are its own, because they wait.
//!
//! - [`Cluster`]: this node in it; `write` and [`networks`](Cluster::networks): what the controller asks for
//! - [`Access`]: what is read before the daemon is confined
//! - `lease`: the thread that keeps the node's lease; `follow`: the one that follows all changes; [`Mirror`]: what is there, as it knows
//! - `state`: what the two threads and the controller tell each other
//! - [`Keys`]: how keys are named; `network`: what is in their values
//! - `etcd`, `message`, `fault`: one request, what is said, what can be wrong

mod access;
mod etcd;
mod fault;
mod follow;
mod keys;
mod lease;
mod message;
mod mirror;
mod network;
mod networks;
mod state;
mod write;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

pub use access::Access;
use etcd::Etcd;
pub use fault::Fault;
use keys::network_of;
pub use keys::{Key, Keys, owned, owner};
pub use mirror::{Kept, Mirror};
pub use network::{SharedEndpoint, SharedNetwork, SharedNode};
pub use networks::{Created, Removal};
use state::State;
pub use state::{News, Which};
pub use write::{OPS, Outcome, Wanted};

use words::{Error, Kind, Name, Result};

/// How long a daemon that has just begun is waited for.
const JOINING: Duration = Duration::from_secs(3);

/// This host as a node.
pub struct Cluster {
    shared: Arc<Shared>,
}

/// What its threads have, too.
struct Shared {
    access: Arc<Access>,
    etcd: Etcd,
    keys: Keys,
    /// What tells this host from another of the same name.
    instance: String,
    state: state::Shelf,
    /// Something is there for the controller.
    news: Notify,
}

/// How it stands with etcd.
#[derive(Clone, Debug)]
pub struct Health {
    /// The member that is asked.
    pub endpoint: String,
    /// What is wrong; none: nothing.
    pub fault: Option<Fault>,
    /// This node has joined.
    pub joined: bool,
    /// All that is there was read, and is followed.
    pub followed: bool,
    /// How often something began to be wrong, since the daemon started.
    pub faults: u64,
    /// The revision up to which all changes are known.
    pub revision: i64,
    /// How far the clock of the member that answered last is before this host's, in seconds; none: it did not say.
    pub clock: Option<i64>,
}

impl Cluster {
    /// Starts its threads. `instance`: what tells this host from others; `lease`: what it had before it was started again.
    pub fn start(access: Arc<Access>, instance: String, lease: Option<i64>) -> Result<Self> {
        let (etcd, keys) = (Etcd::new(access.clone()), Keys::new(&access.settings.prefix));
        let state = state::Shelf::new(lease);
        let shared = Arc::new(Shared { access, etcd, keys, instance, state, news: Notify::new() });
        for (name, work) in [("etcd-lease", lease::keep as fn(&Shared)), ("etcd-watch", follow::follow)] {
            let shared = shared.clone();
            let started = std::thread::Builder::new().name(name.into()).spawn(move || work(&shared));
            started.map_err(|e| Error::internal(format!("can't start a thread: {e}")))?;
        }
        Ok(Self { shared })
    }

    /// This node's name.
    pub fn node(&self) -> &Name {
        &self.shared.access.settings.node
    }

    /// The address by which the other nodes reach this one.
    pub fn address(&self) -> std::net::IpAddr {
        self.shared.access.settings.address
    }

    /// How keys are named.
    pub fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// What is there, as far as it is known here. Nothing may wait while it is held.
    pub fn mirror(&self) -> Seen<'_> {
        Seen(self.shared.state.lock())
    }

    /// The lease that this node has.
    pub fn lease(&self) -> Option<i64> {
        self.shared.state.lock().lease
    }

    /// Waits for something to do.
    pub async fn news(&self) -> News {
        loop {
            let news = self.shared.state.lock().news.take();
            if let Some(news) = news {
                return news;
            }
            self.shared.news.notified().await;
        }
    }

    /// Some of a network's keys are to be brought together with what this host has.
    pub fn mark(&self, network: &str, which: Which) {
        self.shared.state.lock().mark(network, which);
        self.shared.news.notify_one();
    }

    /// Whether networks have to be looked at again.
    pub fn mark_networks(&self) {
        self.shared.state.lock().news_mut().networks = true;
        self.shared.news.notify_one();
    }

    /// How it stands.
    pub fn health(&self) -> Health {
        let state = self.shared.state.lock();
        Health {
            endpoint: self.shared.etcd.endpoint().to_owned(),
            fault: state.lease_fault.clone().or_else(|| state.watch_fault.clone()),
            joined: state.lease.is_some(),
            followed: state.followed,
            faults: state.faults,
            revision: state.mirror.revision,
            clock: self.shared.etcd.clock(),
        }
    }

    /// Revisions of etcd, as it is now, that are not known here; none: it does not answer, or did not a moment ago. Waits for its answer.
    pub fn lag(&self) -> Option<u64> {
        if self.health().fault.is_some() {
            return None;
        }
        let now = self.shared.etcd.revision(self.shared.keys.all()).ok()?;
        let state = self.shared.state.lock();
        Some(u64::try_from(now - state.mirror.revision.max(state.heard)).unwrap_or(0))
    }

    /// The lease, or why there is none. A daemon that has just begun is given a moment.
    fn has_joined(&self) -> Result<i64> {
        let state = self.shared.state.await_lease(JOINING);
        state.lease.ok_or_else(|| match &state.lease_fault {
            Some(fault) => fault.clone().into(),
            None => Error::new(Kind::Unavailable, "this node has not joined its cluster yet: try again in a moment"),
        })
    }

    /// A request that failed for want of its lease: a new one is taken at once, unless there is one already.
    fn failed(&self, fault: Fault, lease: i64) -> Error {
        let mut state = self.shared.state.lock();
        if fault == Fault::NoLease && state.lease == Some(lease) {
            state.lease = None;
            drop(state);
            self.shared.state.wake();
        }
        fault.into()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shared.state.stop();
    }
}

/// What is there, while nobody changes it.
pub struct Seen<'a>(MutexGuard<'a, State>);

impl Seen<'_> {
    /// Whether it was read at all.
    pub fn is_known(&self) -> bool {
        self.0.mirror.revision > 0
    }
}

impl std::ops::Deref for Seen<'_> {
    type Target = Mirror;

    fn deref(&self) -> &Mirror {
        &self.0.mirror
    }
}
