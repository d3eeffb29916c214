//! What a driver says of itself, and the pools that a network gets.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Where networks of a driver, or what they connect, live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// On one host.
    #[default]
    Local,
    /// On all hosts of a cluster.
    Global,
}

/// libnetwork's Capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capability {
    /// Where the driver's networks are known. Networks of global scope get `network_allocate` before `create_network`.
    pub data_scope: Scope,
    /// How far a network connects.
    pub connectivity_scope: Scope,
}

/// What a driver says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The network type, e.g. `bridge`: 1 to 64 letters, digits, `-`, `_` or `.`.
    pub network_type: String,
    /// Whether the driver is part of the engine. A component is not.
    pub is_built_in: bool,
    /// Where the driver's networks live.
    pub capability: Capability,
}

impl Registration {
    /// A driver of this network type, its networks on one host.
    pub fn new(network_type: impl Into<String>) -> Self {
        Self { network_type: network_type.into(), is_built_in: false, capability: Capability::default() }
    }

    /// A driver of this network type, its networks known and connected on all hosts of a cluster.
    pub fn global(network_type: impl Into<String>) -> Self {
        let capability = Capability { data_scope: Scope::Global, connectivity_scope: Scope::Global };
        Self { capability, ..Self::new(network_type) }
    }
}

/// libnetwork's IPAMData: one address pool of a network, and what is reserved in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamData {
    /// The name of the address space that the pool is from, e.g. `LocalDefault`.
    pub address_space: String,
    /// The pool's network. None with the `null` address management: the driver chooses addresses itself.
    pub pool: Option<IpNet>,
    /// The gateway's address with the pool's prefix length.
    pub gateway: Option<IpNet>,
    /// Reserved addresses by name.
    pub aux_addresses: Vec<(String, IpNet)>,
}

impl IpamData {
    /// The reserved address of this name.
    pub fn aux_address(&self, name: &str) -> Option<IpNet> {
        self.aux_addresses.iter().find(|(key, _)| key == name).map(|(_, address)| *address)
    }
}

/// The families for which no gateway address is to be reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkipGateway {
    /// None for IPv4.
    pub ipv4: bool,
    /// None for IPv6.
    pub ipv6: bool,
}
