//! The driver on the SDK's host in memory.

mod endpoint;
mod network;
mod ports;

use pontoon_sdk::{ErrorKind, Result, fake};

use super::Bridge;

/// An id as Docker's are.
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The name of that network's bridge.
const BRIDGE: &str = "br-0123456789ab";

type Network = fake::Network<Bridge>;

/// A network with both families on a new host.
fn network() -> Network {
    fake::reset();
    Network::new(ID).pool("10.5.0.0/24").pool("fd05::/64")
}

fn other_network(id: &str, pool: &str) -> Network {
    Network::new(id).pool(pool)
}

/// The kind and the message of an error.
fn refused<T: std::fmt::Debug>(result: Result<T>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.message)
}
