//! Address pools and addresses, as they are asked for and given: libnetwork's `ipamapi`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{MacAddress, TextMap};

/// What the part says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpamRegistration {
    /// The address space of networks on one host: 1 to 64 letters, digits, `-`, `_` or `.`.
    pub local_address_space: String,
    /// The address space of networks of a whole cluster.
    pub global_address_space: String,
    /// Whether an endpoint's address can't be chosen without its MAC.
    pub requires_mac_address: bool,
}

impl IpamRegistration {
    /// Of a driver that can do without MACs. Its address spaces get its name, and `Local` or `Global`.
    pub fn new(name: &str) -> Self {
        let space = |of: &str| format!("{name}{of}");
        let (local_address_space, global_address_space) = (space("Local"), space("Global"));
        Self { local_address_space, global_address_space, requires_mac_address: false }
    }
}

/// A pool that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolRequest {
    /// The address space that it is to be from.
    pub address_space: String,
    /// This pool, and no other; none: one of the driver's choice.
    pub pool: Option<IpNet>,
    /// Endpoints get addresses of this part of it.
    pub sub_pool: Option<IpNet>,
    /// An IPv6 pool.
    pub ipv6: bool,
    /// What can't be chosen now.
    pub exclude: Vec<IpNet>,
    /// The user's options.
    pub options: TextMap,
}

/// A pool that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocatedPool {
    /// Its network, without host bits.
    pub pool: IpNet,
    /// Addresses in it that nobody gets, by name.
    pub reserved: Vec<(String, IpAddr)>,
}

/// What an address is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// An endpoint.
    #[default]
    Endpoint,
    /// The pool's gateway.
    Gateway,
    /// A reserved address that the user named. Under Docker these are asked for as an endpoint's.
    Reserved,
}

/// An address that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRequest {
    /// This one, and no other; none: one of the driver's choice.
    pub address: Option<IpAddr>,
    /// What it is for.
    pub purpose: Purpose,
    /// The MAC of the endpoint, where it is known by then.
    pub mac_address: Option<MacAddress>,
    /// The endpoint's name (`com.docker.network.endpoint.name`), where it is known, and what else dockerd gives.
    pub options: TextMap,
}

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// Addresses that are in use or reserved.
    pub in_use: u64,
    /// Addresses that can still be chosen for endpoints.
    pub available: u64,
}
