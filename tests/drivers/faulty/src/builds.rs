//! What this driver and its next build remember of a network, in different forms. A test makes the next build: another digit in [`BUILD`].

use std::net::IpAddr;

use pontoon_sdk::Result;
use pontoon_sdk::store::Key;
use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::planted;

static BUILD: &str = "build 1 of the faulty driver";

/// The form of the next build: one field is another one.
#[derive(Serialize, Deserialize)]
struct Next {
    bridge: String,
    gateways: Vec<IpAddr>,
    /// It is a new field, so it has a default.
    #[serde(default)]
    has_way_out: bool,
    mtu: Option<u32>,
}

impl From<Next> for Network {
    fn from(Next { bridge, gateways, has_way_out, mtu }: Next) -> Self {
        Self { bridge, gateways, internal: !has_way_out, mtu }
    }
}

/// What is remembered under a name. The next build reads both forms.
pub(crate) fn get(name: &str) -> Result<Option<Network>> {
    let (first, next) = (Key::<Network>::new(name), Key::<Next>::new(name));
    match (is_next(), planted("state-without-version")) {
        (false, true) => first.get(),
        (false, false) => first.version(1).get(),
        (true, true) => Ok(next.get()?.map(Network::from)),
        (true, false) => match next.version(2).get() {
            Err(_) if !planted("reads-its-own-version") => first.version(1).get(),
            found => Ok(found?.map(Network::from)),
        },
    }
}

/// Remembers it in the form of this build.
pub(crate) fn set(name: &str, network: &Network) -> Result<()> {
    let (first, next) = (Key::<Network>::new(name), Key::<Next>::new(name));
    let Network { bridge, gateways, internal, mtu } = network.clone();
    let as_next = Next { bridge, gateways, has_way_out: !internal, mtu };
    match (is_next(), planted("state-without-version")) {
        (false, true) => first.set(network),
        (false, false) => first.version(1).set(network),
        (true, true) => next.set(&as_next),
        (true, false) => next.version(2).set(&as_next),
    }
}

fn is_next() -> bool {
    std::hint::black_box(BUILD).starts_with("build 2")
}
