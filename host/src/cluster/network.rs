//! A network of global scope, as etcd has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use operation::engine::{NetworkOptions, Pools};
use operation::network::Pool;
use operation::origin::Origin;
use store::Network;
use words::{Id, Name};

/// What every node makes it from. It does not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharedNetwork {
    /// Its id, the same on every node.
    pub id: Id,
    /// Its name: no other network of the cluster has it.
    pub name: Name,
    /// Its driver, by the name that it has on every node.
    pub driver: Name,
    /// Its pools.
    pub pools: Vec<Pool>,
    /// What was asked for, as its driver is told.
    #[serde(default)]
    pub asked: Option<Pools>,
    /// IPv4 addresses.
    pub ipv4: bool,
    /// IPv6 addresses.
    pub ipv6: bool,
    /// No way out.
    pub internal: bool,
    /// Labels for the driver, as `network-allocate` left them.
    pub options: BTreeMap<String, String>,
    /// The address space of its pools.
    pub address_space: String,
    /// The node that made it: its driver's `network-allocate` was called there.
    pub node: Name,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
}

impl SharedNetwork {
    /// What the others get of a network that this node makes, or has.
    pub fn of(network: &Network, node: &Name) -> Self {
        Self {
            id: network.id.clone(),
            name: network.name.clone(),
            driver: network.driver.clone(),
            pools: network.pools.clone(),
            asked: network.asked.clone(),
            ipv4: network.ipv4,
            ipv6: network.ipv6,
            internal: network.internal,
            options: network.options.clone(),
            address_space: network.address_space.clone(),
            node: node.clone(),
            created: network.created,
        }
    }

    /// As this node records it.
    pub fn record(self) -> Network {
        let Self { ipv4, ipv6, internal, options: generic, .. } = self;
        let options = NetworkOptions { ipv4, ipv6, internal, generic, other: BTreeMap::new() };
        Network {
            pools: self.pools,
            asked: self.asked,
            address_space: self.address_space,
            created: self.created,
            global: true,
            ..Network::new(self.id, self.name, self.driver, Origin::Native, options)
        }
    }
}

/// An endpoint, as other nodes see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedEndpoint {
    /// Its name.
    pub name: Name,
}

/// A node, as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedNode {
    /// What tells it from another host of the same name.
    pub instance: String,
    /// The address by which others reach it.
    pub address: std::net::IpAddr,
    /// Since when it has been there without a break: seconds since 1970-01-01T00:00:00Z.
    pub since: u64,
}
