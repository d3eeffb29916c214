//! The options that a call goes by, and the ways to misbehave.

use std::hint::black_box;

use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, Result, TextMap, clock, configuration, log, namespaces, random};

/// Options, the nearest first.
pub(crate) struct Settings(Vec<TextMap>);

fn key(owner: &str) -> Key<Vec<(String, String)>> {
    Key::new(format!("options/{owner}"))
}

/// Remembers the options of a network (its id) or of an endpoint (both ids and a slash between them).
pub(crate) fn remember(owner: &str, options: &TextMap) -> Result<()> {
    key(owner).set(&options.0)
}

/// Forgets them.
pub(crate) fn forget(owner: &str) -> Result<()> {
    key(owner).remove()
}

impl Settings {
    /// The driver's configuration.
    pub(crate) fn of_driver() -> Self {
        Self(vec![configuration::all()])
    }

    /// A network's, then the driver's.
    pub(crate) fn of_network(network: &str) -> Result<Self> {
        Ok(Self::of_driver().and(TextMap(key(network).get()?.unwrap_or_default())))
    }

    /// An endpoint's, then its network's, then the driver's.
    pub(crate) fn of_endpoint(network: &str, endpoint: &str) -> Result<Self> {
        let own = key(&format!("{network}/{endpoint}")).get()?.unwrap_or_default();
        Ok(Self::of_network(network)?.and(TextMap(own)))
    }

    /// With nearer ones before.
    pub(crate) fn and(mut self, nearer: TextMap) -> Self {
        self.0.insert(0, nearer);
        self
    }

    /// The nearest value.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|options| options.get(key))
    }

    /// Whether this word is one of the value's.
    pub(crate) fn names(&self, key: &str, word: &str) -> bool {
        self.get(key).is_some_and(|value| value.split_whitespace().any(|own| own == word))
    }

    /// At the end of a call: fails, traps, spins or takes all memory if the options say so.
    pub(crate) fn misbehave(&self, call: &str) -> Result<()> {
        if self.names("probe.trap", call) {
            panic!("probe.trap={call}");
        }
        if self.names("probe.spin", call) {
            loop {
                black_box(call);
            }
        }
        if self.names("probe.allocate", call) {
            allocate();
        }
        if self.names("probe.fail", call) { Err(Error::internal(format!("probe.fail={call}"))) } else { Ok(()) }
    }
}

/// What passes a limit, and so ends the call.
pub(crate) fn exceed(limit: &str) -> Result<()> {
    match limit {
        "host-calls" => loop {
            clock::now();
        },
        "deadline" => (0..9000).for_each(|_| drop(random::bytes(4096))),
        "handles" => drop((0..2000).map(|_| namespaces::host()).collect::<Vec<_>>()),
        "random" => drop(random::bytes(4097)),
        "host-call-bytes" => log::debug("x".repeat(2 << 20)),
        _ => return Err(Error::invalid_argument(format!("probe.exceed names {limit}, which is no limit"))),
    }
    Err(Error::internal(format!("{limit} was not limited")))
}

/// A megabyte at a time, written to, until there is no more: then the allocator panics.
fn allocate() {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![1_u8; 1 << 20]);
        black_box(&taken);
    }
}
