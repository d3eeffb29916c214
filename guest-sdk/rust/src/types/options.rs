//! What the user asked of a network or an endpoint.

use crate::{MacAddress, PortBinding, TextMap, TransportPort};

/// What the user asked of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkOptions {
    /// The user's own labels: `-o KEY=VALUE`, Docker's `com.docker.network.generic`.
    pub generic: TextMap,
    /// The network has IPv4 addresses.
    pub ipv4: bool,
    /// The network has IPv6 addresses.
    pub ipv6: bool,
    /// The network has no way out.
    pub internal: bool,
    /// What else the front end was given, as JSON text by key. Ignore keys that you don't know: every Docker
    /// version brings new ones.
    pub other: TextMap,
}

/// What the user asked of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    /// The MAC that the user asked for. It stands in `InterfaceInfo` too.
    pub mac_address: Option<MacAddress>,
    /// The ports that the container serves.
    pub exposed_ports: Vec<TransportPort>,
    /// The ports that are to be published on the host.
    pub port_bindings: Vec<PortBinding>,
    /// The user's own labels: Docker's `--driver-opt KEY=VALUE`.
    pub generic: TextMap,
    /// What else the front end was given, as JSON text by key.
    pub other: TextMap,
}
