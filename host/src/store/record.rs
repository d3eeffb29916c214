//! What the store holds of drivers, networks, endpoints and kernel objects.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::kernel::{LinkName, MacAddress, Namespace, NamespacePath, NftHandle, Route, Rule};
use crate::operation::driver::Scope;
use crate::operation::endpoint::PortBinding;
use crate::operation::network::Pool;
use crate::operation::{Id, Name};

/// A loaded driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// The name that networks say.
    pub name: Name,
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// Bytes of the component.
    pub size: u64,
    /// What the driver answered when it was loaded; pinned.
    pub network_type: String,
    /// Pinned.
    pub data_scope: Scope,
    /// Pinned.
    pub connectivity_scope: Scope,
    /// What `configuration` answers.
    pub configuration: BTreeMap<String, String>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: Id,
    /// A short number of its own, never used again: names its nftables table. The store gives it.
    #[serde(skip)]
    pub serial: i64,
    /// Its name.
    pub name: Name,
    /// Its driver.
    pub driver: Name,
    /// Its pools, IPv4 and IPv6.
    pub pools: Vec<Pool>,
    /// What the user asked for.
    pub ipv4: bool,
    /// What the user asked for.
    pub ipv6: bool,
    /// What the user asked for.
    pub internal: bool,
    /// Labels for the driver, as `network-allocate` left them.
    pub options: BTreeMap<String, String>,
    /// `network-allocate` was called for it.
    pub allocated: bool,
    /// Why it is not up; none: it is.
    pub down: Option<String>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: Id,
    /// Its network.
    pub network: Id,
    /// Its name.
    pub name: Name,
    /// The namespace that it is attached to.
    pub sandbox: NamespacePath,
    /// Its interface's ifindex and name in the sandbox, once it has one.
    pub interface: Option<(u32, LinkName)>,
    /// Its MAC.
    pub mac: Option<MacAddress>,
    /// Its IPv4 address.
    pub address: Option<Ipv4Net>,
    /// Its IPv6 address.
    pub address_ipv6: Option<Ipv6Net>,
    /// The gateway that the driver named.
    pub gateway: Option<Ipv4Addr>,
    /// The gateway that the driver named.
    pub gateway_ipv6: Option<Ipv6Addr>,
    /// It is its sandbox's IPv4 gateway endpoint.
    pub is_gateway: bool,
    /// It is its sandbox's IPv6 gateway endpoint.
    pub is_gateway_ipv6: bool,
    /// Published ports.
    pub ports: Vec<PortBinding>,
    /// Labels for the driver.
    pub options: BTreeMap<String, String>,
    /// The attach came to its end. One that did not is detached at the next start.
    pub attached: bool,
}

/// A kernel object that a driver's call made: what is swept when its owner goes, and what a driver may reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The store gives it; it is the rule's id for a driver.
    #[serde(skip)]
    pub id: i64,
    /// Whose it is.
    pub network: Id,
    /// The endpoint, where it is one's.
    pub endpoint: Option<Id>,
    /// What it is.
    pub thing: Thing,
}

/// The kinds of objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Thing {
    /// A link. `peer` is its other end where that is another object.
    Link { namespace: Namespace, index: u32, name: String },
    /// A namespace that the driver made, by its name in the network and its path.
    Namespace { name: String, path: NamespacePath },
    /// An nftables rule.
    NftRule { namespace: Namespace, table: String, handle: NftHandle },
    /// A route, where it does not go with a link.
    Route(Route),
    /// A policy rule.
    Rule(Rule),
    /// Leave for a link to forward.
    Forward { name: String, ipv4: bool, ipv6: bool },
}
