//! The one gate. It takes what a host call is about, with its objects resolved, and answers them as [`Granted`]: an effect takes nothing else.
//!
//! - this file: one host call on one object by the words of the grant
//! - [`view`]: what the gate looks up, and what handles stand for
//! - `links`, `names`, `entries` (addresses, routes, neighbours), `paths` (and proxies), `wireguard`, `devices`, `rules`, `nftables`, `sets`, `settings`, `shaping`, `options`, `state`, `call`: all that is checked of each host call

pub mod call;
pub mod chains;
pub mod devices;
mod entries;
pub mod frames;
pub mod links;
mod maps;
mod names;
pub mod nftables;
pub mod options;
pub mod paths;
pub mod rules;
pub mod sets;
pub mod settings;
pub mod shaping;
pub mod state;
#[cfg(test)]
mod tests;
pub mod view;
pub mod wireguard;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{ANY, Grant, Hook, HostCall, Item, Limit, MarkBits, NamespaceKind, Permission, Policy, Range, Sysctl};
use view::{Link, Place, View};
use words::{Error, Id, Kind, Name, Result};

/// 169.254.0.0/16 and fe80::/10: nobody's, and a gateway may have one (RFC 3927, RFC 4291).
const LINK_LOCAL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16);
const LINK_LOCAL_IPV6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);

/// An object that the gate allowed for one host call. Every effect takes one; only the gate makes one.
///
/// ```compile_fail
/// let granted = pontoon_grant::Granted(vec![kernel::Change::AddNamespace("n".into())]);
/// ```
///
/// Whoever has one can look at it and take it out, but not put another in:
///
/// ```compile_fail
/// fn other(mut granted: pontoon_grant::Granted<Vec<kernel::Change>>) {
///     granted.clear();
/// }
/// ```
///
/// ```
/// fn take(granted: pontoon_grant::Granted<Vec<kernel::Change>>) -> Vec<kernel::Change> {
///     granted.take()
/// }
/// ```
#[derive(Debug)]
pub struct Granted<T>(T);

impl<T> Granted<T> {
    /// For the effect.
    pub fn take(self) -> T {
        self.0
    }
}

impl<T> Deref for Granted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// RT_TABLE_UNSPEC, _DEFAULT and _LOCAL (linux/rtnetlink.h): a route in the last takes packets from the host itself.
const KERNELS_TABLES: [u32; 3] = [0, 253, 255];

/// What a host call is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object<'a> {
    /// Something that the call's handles or keys reach anyway: they were checked when they were made.
    Own,
    /// A namespace that something is in, or gets into.
    Namespace(NamespaceKind),
    /// An address for a link, with all that the kernel routes to the link for it.
    Address(IpNet),
    /// An address that packets are sent to: translated, or a neighbour's.
    Target(IpAddr),
    /// The address of the endpoint at hand, with all that the container routes to its interface for it.
    Endpoint(IpNet),
    /// Where packets are routed to.
    Destination(IpNet),
    /// A machine beyond a parent that packets are handed to.
    NextHop(IpAddr),
    /// Where the container at hand sends packets to over its own interface.
    StaticRoute(IpNet),
    /// A packet rule, with the links and addresses that tie it to the network.
    Rule(&'a [Tie]),
    /// A chain that a packet rule is in.
    Chain(Hook, i32),
    /// Bits of a packet's mark that a rule sets.
    MarkBits(MarkBits),
    /// An interface of the host's that a link is made on; none: whichever the host's routes choose.
    Parent(Option<&'a str>),
    /// A permission that is needed beside the host call's own, and why.
    Also(Permission, &'a str),
    /// A pool that the driver chooses for its network.
    Pool(IpNet),
    /// A routing table.
    RoutingTable(u32),
    /// A kernel setting.
    Sysctl(Sysctl),
    /// A table of the network.
    Table(&'a str),
    /// So many of something.
    Amount(Limit, u64),
    /// So many of something that all drivers share, where so many would be left.
    Share(Limit, u64, u64),
}

/// What ties a packet rule to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// One of the driver's links.
    Link,
    /// An address range.
    Range(IpNet),
    /// A port of the host that the owner has taken.
    Port,
}

/// Which call it is that the gate decides for.
#[derive(Clone, Debug)]
pub struct About {
    /// The driver.
    pub driver: Name,
    /// The exported function.
    pub function: String,
    /// The network at hand.
    pub network: Option<Id>,
    /// The endpoint at hand.
    pub endpoint: Option<Id>,
}

/// Decides for one call of a driver.
#[derive(Clone, Debug)]
pub struct Gate {
    about: About,
    policy: Arc<Policy>,
    grant: Arc<Grant>,
    /// The pools of the network at hand; none: the call is for no network, and gets nothing but what every call gets.
    pools: Option<Vec<IpNet>>,
    /// The driver chose pools in this call.
    chose_pools: bool,
    /// The call is for address management, and gets the store and nothing else.
    only_store: bool,
}

/// What stands in the way: a thing that the grant could name, if it could, and the words for it.
struct Missing(Option<Item>, String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self(Some(item), why) => write!(f, "{why}; the driver's grant lacks {item}"),
            Self(None, why) => f.write_str(why),
        }
    }
}

impl Gate {
    /// The gate for a call under this policy, for the network with these pools.
    pub fn new(about: About, policy: Arc<Policy>, pools: Option<Vec<IpNet>>) -> Self {
        Self { about, grant: policy.grant(), policy, pools, chose_pools: false, only_store: false }
    }

    /// The gate for a call of the part `ipam`.
    pub fn for_addresses(self) -> Self {
        Self { only_store: true, ..self }
    }

    /// How much of something the call's driver may have.
    pub fn limit(&self, limit: Limit) -> u64 {
        self.grant.limit(limit)
    }

    /// Bytes of memory that the call may have.
    pub fn memory(&self) -> usize {
        usize::try_from(self.limit(Limit::MemoryMib)).unwrap_or(usize::MAX).saturating_mul(1 << 20)
    }

    /// Whether a line of this length may be logged: then how many were not, before it.
    pub fn logs(&self, bytes: usize) -> Option<u64> {
        self.policy.logs(bytes, &self.grant)
    }

    /// Whether the driver may make this host call at all. Either way it is in the driver's audit. Asked once for every host call; what it
    /// is about has its own checks.
    pub fn admit(&self, call: HostCall) -> Result<()> {
        self.permit(call, Object::Own)
    }

    /// The only way to a granted object: past the permission for the host call, whatever else was checked before.
    fn grant<T>(&self, call: HostCall, object: T) -> Result<Granted<T>> {
        match self.kept_out(call, Object::Own) {
            None => Ok(Granted(object)),
            Some(why) => Err(self.refused(call, Kind::Forbidden, &why)),
        }
    }

    /// Allows a host call on an object, or says which permission is missing. Either way it is in the driver's audit.
    fn permit(&self, call: HostCall, object: Object<'_>) -> Result<()> {
        let kind = match object {
            Object::Amount(..) | Object::Share(..) => Kind::Unavailable,
            _ => Kind::Forbidden,
        };
        match self.kept_out(call, object) {
            None => {
                self.policy.audit.allowed(call);
                Ok(())
            }
            Some(why) => Err(self.refused(call, kind, &why)),
        }
    }

    fn refused(&self, call: HostCall, kind: Kind, why: &str) -> Error {
        let why = format!("{}: {why}", call.name());
        self.policy.audit.refused(&self.about, call, &why);
        Error::new(kind, why)
    }

    /// Whether a host call on an object would be allowed. It leaves no record.
    fn would_permit(&self, call: HostCall, object: Object<'_>) -> bool {
        self.kept_out(call, object).is_none()
    }

    fn kept_out(&self, call: HostCall, object: Object<'_>) -> Option<String> {
        if let Some(permission) = Permission::of(call) {
            if self.pools.is_none() {
                return Some("this call is for no network and gets no kernel, store or tables".into());
            }
            if self.only_store && permission != Permission::Store {
                return Some("a call for address management gets no kernel and no tables".into());
            }
            let item = Item::Permission(permission);
            if !self.has(&item) {
                return Some(format!("the driver's grant lacks {permission} (permissions)"));
            }
        }
        let Missing(item, why) = self.missing(object)?;
        match item {
            Some(item) if self.policy.notes(&item) => None,
            Some(item) => Some(format!("{why}; the driver's grant lacks {item}")),
            None => Some(why),
        }
    }

    /// Whether the grant has it, or it is only to be found out that it is needed.
    fn has(&self, item: &Item) -> bool {
        self.grant.covers(item) || self.policy.notes(item)
    }

    fn missing(&self, object: Object<'_>) -> Option<Missing> {
        let named = |item: Item, why: String| if self.has(&item) { None } else { Some(Missing(Some(item), why)) };
        match object {
            Object::Own => None,
            Object::Namespace(kind) => named(Item::Namespace(kind), format!("it is in the {kind}'s namespace")),
            Object::Address(net) => self.outside(net.trunc(), net.to_string()),
            Object::Target(address) if is_link_local(address.into()) => None,
            Object::Target(address) => self.outside(address.into(), address.to_string()),
            Object::Endpoint(net) if self.pools_have(net.trunc()) => None,
            Object::Endpoint(net) => self.outside(net.trunc(), net.to_string()),
            Object::StaticRoute(net) if is_link_local(net) || self.pools_have(net) => None,
            Object::Destination(net) | Object::StaticRoute(net) => self.off_route(net),
            Object::NextHop(gateway) if self.allows(self.grant.routes.iter().copied(), gateway.into()) => None,
            Object::NextHop(gateway) => {
                let item = Item::Route(Range::Net(gateway.into()));
                Some(Missing(Some(item), format!("{gateway} is a gateway beyond a parent")))
            }
            Object::Rule(ties) => self.untied(ties),
            Object::Chain(hook, priority) => {
                named(Item::Hook(hook, priority), format!("it is at the hook {hook} with priority {priority}"))
            }
            Object::MarkBits(bits) => named(Item::MarkBits(bits), format!("it sets the bits {bits} of packets' marks")),
            Object::Parent(Some(name)) => named(Item::Parent(name.into()), format!("{name} is not the driver's")),
            Object::Parent(None) => {
                named(Item::Parent(ANY.into()), "without a parent it sends by every interface of the host".into())
            }
            Object::Also(permission, why) => named(Item::Permission(permission), why.into()),
            Object::Pool(net) => named(Item::Pool(Range::Net(net)), format!("{net} is not the driver's to choose")),
            Object::RoutingTable(table) if KERNELS_TABLES.contains(&table) => {
                Some(Missing(None, format!("the routing table {table} is the kernel's own: 254 is the main one")))
            }
            Object::RoutingTable(_) => None,
            Object::Sysctl(sysctl) => named(Item::Sysctl(sysctl), format!("it is the setting {sysctl}")),
            Object::Table(name) => named(Item::Table(name.into()), format!("it is the table {name}")),
            Object::Amount(limit, value) if self.grant.limit(limit) >= value => None,
            Object::Amount(limit, _) => {
                let most = self.grant.limit(limit);
                Some(Missing(None, format!("the driver's grant allows {most} (limits: {limit}), and this is more")))
            }
            Object::Share(_, holds, left) if holds <= left => None,
            Object::Share(limit, holds, left) => {
                let what = match limit {
                    Limit::Ports => "host ports that the daemon can hold (LimitNOFILE)",
                    _ => "bytes on the state disk, without those that are kept for removals",
                };
                let why = format!(
                    "{limit}: it would have {holds} and leave {left} of the {what}; each driver leaves as many as it has"
                );
                Some(Missing(None, why))
            }
        }
    }

    /// A network that was made without pools has none to be outside of: its driver chooses addresses.
    fn pools_have(&self, net: IpNet) -> bool {
        self.pools.iter().flatten().any(|pool| pool.contains(&net))
    }

    fn allows(&self, ranges: impl IntoIterator<Item = Range>, net: IpNet) -> bool {
        let pools = self.pools.as_deref().unwrap_or_default();
        ranges.into_iter().any(|range| range.contains(net, pools))
    }

    fn outside(&self, net: IpNet, shown: String) -> Option<Missing> {
        if self.allows(self.grant.addresses.iter().copied(), net) {
            return None;
        }
        Some(match self.pools_have(net) {
            true => Missing(Some(Item::Address(Range::Network)), format!("{shown} is an address of the network")),
            false => {
                let inside = self.pools.iter().flatten().any(|pool| net.contains(pool));
                let why =
                    if inside { "is wider than the network's pools" } else { "lies in none of the network's pools" };
                Missing(Some(Item::Address(Range::Net(net))), format!("{shown} {why}"))
            }
        })
    }

    fn off_route(&self, net: IpNet) -> Option<Missing> {
        if self.allows(self.grant.routes.iter().copied(), net) {
            return None;
        }
        let missing = |range, why| Some(Missing(Some(Item::Route(range)), why));
        match net.prefix_len() {
            0 => missing(Range::Default, "a default route is a permission of its own".into()),
            _ if self.pools_have(net) => missing(Range::Network, format!("{net} is a range of the network")),
            _ => missing(Range::Net(net), format!("{net} lies in none of the network's pools")),
        }
    }

    fn untied(&self, ties: &[Tie]) -> Option<Missing> {
        let ties_down = |tie: &Tie| match tie {
            Tie::Link | Tie::Port => true,
            Tie::Range(net) => self.allows(self.grant.addresses.iter().copied(), *net),
        };
        if ties.iter().any(ties_down) {
            return None;
        }
        let of_network = ties.iter().any(|tie| matches!(tie, Tie::Range(net) if self.pools_have(*net)));
        Some(Missing(
            of_network.then_some(Item::Address(Range::Network)),
            "nothing ties the rule to the network: one of its links, or addresses of its pools".into(),
        ))
    }
}

fn is_link_local(net: IpNet) -> bool {
    match net {
        IpNet::V4(v4) => LINK_LOCAL.contains(&v4),
        IpNet::V6(v6) => LINK_LOCAL_IPV6.contains(&v6),
    }
}
