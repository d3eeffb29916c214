//! What the store holds of drivers, networks, endpoints, kernel objects, table entries and leases.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{Ipv4Net, Ipv6Net};
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::query::Result;
use grant::Grant;
use kernel::{
    Change, Device, HostPort, LinkChanges, LinkKey, LinkSpec, Namespace, NamespacePath, NftElement, NftHandle,
    NftOwnChain, NftRule, NftSetKind, Proxy, Route, RoutePath, Rule,
};
use operation::driver::{AddressManagement, Scope, Source};
use operation::endpoint::PortBinding;
use operation::engine::{NetworkOptions, Pools};
use operation::network::Pool;
use operation::origin::Origin;
use words::{Id, Name, now};
use words::{LinkName, MacAddress};

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
    /// The parts of the interface that it exports, e.g. `driver`.
    pub parts: Vec<String>,
    /// What its part `ipam` answered when it was loaded; pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<AddressManagement>,
    /// What `configuration` answers.
    pub configuration: BTreeMap<String, String>,
    /// The schema of its state, a number of its author's; 0: its versions say none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub schema: u32,
    /// What it may do.
    #[serde(default)]
    pub grant: Grant,
    /// Which version of the driver this is.
    #[serde(default)]
    pub version: Version,
    /// The versions that served before it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's")]
fn is_zero(schema: &u32) -> bool {
    *schema == 0
}

/// One version of a driver: a component with its configuration and grant, and how it came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Counts from 1. 0: the record is older than this field.
    pub number: u64,
    /// The version that a rollback of this one brings back.
    pub before: Option<u64>,
    /// When it came: seconds since 1970-01-01T00:00:00Z.
    pub came: u64,
    /// Where it came from.
    pub source: Source,
    /// The operator has given another grant since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub granted_since: bool,
}

/// A version that served before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// It, as it was at its end; without those before it.
    pub driver: Driver,
    /// When its service ended: seconds since 1970-01-01T00:00:00Z.
    pub ended: u64,
    /// How, in a few words.
    pub how: String,
}

impl Driver {
    /// The digests of the components that are kept for it: its own, and those that a rollback may need.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        let earlier = self.earlier.iter().map(|earlier| earlier.driver.digest.as_str());
        earlier.chain([self.digest.as_str()])
    }
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
    /// Its pools, IPv4 and IPv6: those that were asked for, or that its driver chose where none were.
    pub pools: Vec<Pool>,
    /// Who gave them, where that is a driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam: Option<Ipam>,
    /// What was asked for, as `create-network` is told it, also when the network is made again. None: the record is older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Pools>,
    /// What the user asked for.
    pub ipv4: bool,
    /// What the user asked for.
    pub ipv6: bool,
    /// What the user asked for.
    pub internal: bool,
    /// Labels for the driver, as `network-allocate` left them.
    pub options: BTreeMap<String, String>,
    /// What else its front end was given for the driver: JSON text by key.
    pub other: BTreeMap<String, String>,
    /// The address space of its pools, as its driver is told.
    pub address_space: String,
    /// For which engine it was made.
    pub origin: Origin,
    /// It is of global scope: what its hosts share of it is in the cluster's store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub global: bool,
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
    /// For which engine it was made.
    pub origin: Origin,
    /// The namespace that it is attached to; none: its engine keeps the sandbox, and moves links into it itself.
    pub sandbox: Option<NamespacePath>,
    /// Where its sandbox is, since it joined that: of an engine's, where the engine says that it is.
    pub joined: Option<PathBuf>,
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
    /// It can be its sandbox's IPv4 gateway endpoint without a gateway: `force-gateway-ipv4`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_no_gateway: bool,
    /// The same for IPv6.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_no_gateway_ipv6: bool,
    /// It is its sandbox's IPv4 gateway endpoint.
    pub is_gateway: bool,
    /// It is its sandbox's IPv6 gateway endpoint.
    pub is_gateway_ipv6: bool,
    /// Which endpoints its driver was told are its sandbox's gateways, when it was made one: IPv4, IPv6.
    #[serde(default)]
    pub told_gateways: [Option<Id>; 2],
    /// Of its sandbox's endpoints, the one with the highest is the gateway.
    #[serde(default)]
    pub gateway_priority: i32,
    /// Published ports: by it, while it is a gateway, or by the one that is.
    pub ports: Vec<PortBinding>,
    /// Labels for the driver.
    pub options: BTreeMap<String, String>,
    /// A digest of its engine's request, by which a repeated one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The attach came to its end. One that did not is detached at the next start.
    pub attached: bool,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
}

/// Where an operator's network has its pools from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipam {
    /// The driver that gave them.
    pub driver: Name,
    /// The ids that they were taken under, in the order of the network's pools.
    pub pools: Vec<Id>,
}

/// An address pool that a container engine took, or that a driver gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakenPool {
    /// Its id.
    pub id: Id,
    /// Which engine took it.
    pub origin: Origin,
    /// The driver that gave it; none: Pontoon itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Name>,
    /// The pool.
    pub pool: Pool,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
}

/// A kernel object that a driver's call made: what is swept when its owner goes, and what a driver may reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// [`Store::new_object_id`](super::Store::new_object_id) gives it; it is the rule's id for a driver.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the kernel layer's words")]
pub enum Thing {
    /// A link. Both ends of a pair are objects of their own that name each other. `parent`: the ifindex on the host of the link that it
    /// lies on, with which the kernel deletes it. (Older objects lack it.)
    Link {
        namespace: Namespace,
        index: u32,
        name: String,
        peer: Option<LinkKey>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<Box<Again>>,
    },
    /// A device of the host's that a container has.
    Device(Box<Device>),
    /// A namespace that the driver made, by its name in the network and its path.
    Namespace { name: String, path: NamespacePath },
    /// An nftables rule, and the port of the host whose packets it sends elsewhere. (Older objects lack the rule itself.)
    NftRule {
        namespace: Namespace,
        table: String,
        handle: NftHandle,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<NftRule>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<HostPort>,
    },
    /// A chain that packet rules lead to.
    NftChain { namespace: Namespace, table: String, chain: NftOwnChain },
    /// A set that packet rules look into.
    NftSet { namespace: Namespace, table: String, name: String, kind: NftSetKind },
    /// What is in one.
    NftElement { namespace: Namespace, table: String, set: String, element: NftElement },
    /// A route, where it does not go with a link.
    Route(Route),
    /// A route by several next hops, by a parent, or to nowhere.
    Path(RoutePath),
    /// An address that the host answers for on a link.
    Proxy(Proxy),
    /// A policy rule.
    Rule(Rule),
    /// Leave for a link to forward. Those of 0.1.0 have no index (0), and go by the name.
    Forward {
        name: String,
        #[serde(default)]
        index: u32,
        ipv4: bool,
        ipv6: bool,
    },
    /// A port of the host.
    Port(HostPort),
}

/// How a link of the host is to be, for when somebody else has removed it or changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Again {
    /// What makes it; none: an end of a pair, which is gone with the other.
    pub spec: Option<LinkSpec>,
    /// What was set of it.
    pub set: LinkChanges,
    /// Its addresses and settings.
    pub on: Vec<Change>,
}

/// What is on a link and no object of its own: see `parts`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The object that the link is.
    pub link: i64,
    /// What it is.
    pub kind: &'static str,
    /// What those of its kind on the link are told apart by.
    pub key: String,
}

/// The state of a range of keys: how many there are and the greatest of their versions. Versions come from one counter
/// that only grows while the daemon runs, so whatever is inserted, updated or deleted in the range changes the pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListVersion {
    /// How many keys.
    pub count: u64,
    /// The greatest version; 0 if there are none.
    pub newest: i64,
}

/// An entry of a network's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// The table.
    pub table: String,
    /// The key.
    pub key: String,
    /// Who owns it; [`OWN`](super::OWN): the network's driver on this host; [`ELSEWHERE`](super::ELSEWHERE) and a name: another node.
    pub owner: String,
    /// The endpoint with which it goes.
    pub endpoint: Option<Id>,
    /// The value.
    pub value: Vec<u8>,
}

/// A change of a watched entry that the driver was not told of yet. Neither value: never. No previous: created. No
/// value: deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The table.
    pub table: String,
    /// The key.
    pub key: String,
    /// What the driver was told last.
    pub previous: Option<Vec<u8>>,
    /// What it is now.
    pub value: Option<Vec<u8>>,
}

/// An address that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: IpAddr,
    /// Whose it is: an endpoint's id, or of a taken pool the request's own.
    pub owner: String,
    /// It is a gateway's, and goes with its pool.
    pub gateway: bool,
    /// Since when, in seconds since 1970-01-01T00:00:00Z.
    pub taken: u64,
}

impl Network {
    /// A network of which nothing is made yet: up, and without pools.
    pub fn new(id: Id, name: Name, driver: Name, origin: Origin, options: NetworkOptions) -> Self {
        let NetworkOptions { ipv4, ipv6, internal, generic: options, other } = options;
        Self {
            id,
            serial: 0,
            name,
            driver,
            pools: Vec::new(),
            ipam: None,
            asked: None,
            ipv4,
            ipv6,
            internal,
            options,
            other,
            address_space: String::new(),
            origin,
            global: false,
            allocated: false,
            down: None,
            created: now(),
        }
    }
}

impl Endpoint {
    /// Whether it could be its sandbox's gateway endpoint: IPv4, IPv6.
    pub fn can_be_gateway(&self) -> (bool, bool) {
        (self.gateway.is_some() || self.needs_no_gateway, self.gateway_ipv6.is_some() || self.needs_no_gateway_ipv6)
    }

    /// An endpoint of which nothing is chosen yet, in no sandbox.
    pub fn new(network: Id, id: Id, name: Name, origin: Origin) -> Self {
        Self {
            id,
            network,
            name,
            origin,
            sandbox: None,
            joined: None,
            interface: None,
            mac: None,
            address: None,
            address_ipv6: None,
            gateway: None,
            gateway_ipv6: None,
            needs_no_gateway: false,
            needs_no_gateway_ipv6: false,
            is_gateway: false,
            is_gateway_ipv6: false,
            told_gateways: Default::default(),
            gateway_priority: 0,
            request: None,
            ports: Vec::new(),
            options: BTreeMap::new(),
            attached: true,
            created: now(),
        }
    }
}

impl Thing {
    /// Which link it is.
    pub fn link(&self) -> Option<LinkKey> {
        match self {
            Self::Link { namespace, index, .. } => Some(LinkKey { namespace: namespace.clone(), index: *index }),
            _ => None,
        }
    }

    /// Its kind, in the word that its JSON begins with.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Link { .. } => "Link",
            Self::Device(_) => "Device",
            Self::Namespace { .. } => "Namespace",
            Self::NftRule { .. } => "NftRule",
            Self::NftChain { .. } => "NftChain",
            Self::NftSet { .. } => "NftSet",
            Self::NftElement { .. } => "NftElement",
            Self::Route(_) => "Route",
            Self::Path(_) => "Path",
            Self::Proxy(_) => "Proxy",
            Self::Rule(_) => "Rule",
            Self::Forward { .. } => "Forward",
            Self::Port(_) => "Port",
        }
    }
}

impl Part {
    /// An address.
    pub const ADDRESS: &str = "address";
    /// A route.
    pub const ROUTE: &str = "route";
    /// A neighbour.
    pub const NEIGHBOUR: &str = "neighbour";
    /// A forwarding entry.
    pub const FORWARDING: &str = "forwarding";
    /// A port of the host, that of a vxlan.
    pub const PORT: &str = "port";
    /// The other end of a WireGuard link's tunnel.
    pub const PEER: &str = "peer";
}

impl ListVersion {
    /// Counts a key in.
    pub(super) fn add(&mut self, version: i64) {
        self.count += 1;
        self.newest = self.newest.max(version);
    }

    /// Reads a row of count and greatest version.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self { count: row.get::<_, i64>(0)?.cast_unsigned(), newest: row.get(1)? })
    }
}
