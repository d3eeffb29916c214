//! The one gate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{ANY, Grant, Hook, HostCall, Item, Limit, NamespaceKind, Policy, Range, Sysctl};
use words::{Error, Id, Kind, Name, Result};

/// 169.254.0.0/16 and fe80::/10: nobody's, and a gateway may have one (RFC 3927, RFC 4291).
const LINK_LOCAL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16);
const LINK_LOCAL_IPV6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);

/// Proof that the gate allowed one host call on one object. Every effect takes one; only the gate makes one.
///
/// ```compile_fail
/// let permit = pontoon_grant::Permit(pontoon_grant::HostCall::LinksAdd);
/// ```
#[derive(Debug)]
pub struct Permit(HostCall);

impl Permit {
    /// What was allowed.
    pub fn call(&self) -> HostCall {
        self.0
    }
}

/// What a host call is about.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
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
    /// Where the container at hand sends packets to over its own interface.
    StaticRoute(IpNet),
    /// A packet rule, with the links and addresses that tie it to the network.
    Rule(&'a [Tie]),
    /// A chain that a packet rule is in.
    Chain(Hook, i32),
    /// An interface of the host's that a link is made on; none: whichever the host's routes choose.
    Parent(Option<&'a str>),
    /// A kernel setting.
    Sysctl(Sysctl),
    /// A table of the network.
    Table(&'a str),
    /// So many of something.
    Amount(Limit, u64),
}

/// What ties a packet rule to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// One of the driver's links.
    Link,
    /// An address range.
    Range(IpNet),
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
}

/// What stands in the way: a thing that the grant could name, if it could, and the words for it.
struct Missing(Option<Item>, String);

impl Gate {
    /// The gate for a call under this policy, for the network with these pools.
    pub fn new(about: About, policy: Arc<Policy>, pools: Option<Vec<IpNet>>) -> Self {
        Self { about, grant: policy.grant(), policy, pools }
    }

    /// The pools of the network at hand changed.
    pub fn set_pools(&mut self, pools: Vec<IpNet>) {
        self.pools = Some(pools);
    }

    /// How much of something the call's driver may have.
    pub fn limit(&self, limit: Limit) -> u64 {
        self.grant.limit(limit)
    }

    /// Whether a line of this length may be logged: then how many were not, before it.
    pub fn logs(&self, bytes: usize) -> Option<u64> {
        self.policy.logs(bytes, &self.grant)
    }

    /// Allows a host call on an object, or says which permission is missing. Either way it is in the driver's audit.
    pub fn permit(&self, call: HostCall, object: Object<'_>) -> Result<Permit> {
        let kind = if matches!(object, Object::Amount(..)) { Kind::Unavailable } else { Kind::Forbidden };
        match self.kept_out(call, object) {
            None => {
                self.policy.audit.allowed(call);
                Ok(Permit(call))
            }
            Some(why) => {
                let why = format!("{}: {why}", call.name());
                self.policy.audit.refused(&self.about, call, &why);
                Err(Error::new(kind, why))
            }
        }
    }

    /// Whether a host call on an object would be allowed. It leaves no record.
    pub fn would_permit(&self, call: HostCall, object: Object<'_>) -> bool {
        self.kept_out(call, object).is_none()
    }

    fn kept_out(&self, call: HostCall, object: Object<'_>) -> Option<String> {
        if let Some(permission) = call.permission() {
            if self.pools.is_none() {
                return Some("this call is for no network and gets no kernel, store or tables".into());
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
            Object::Rule(ties) => self.untied(ties),
            Object::Chain(hook, priority) => {
                named(Item::Hook(hook, priority), format!("it is at the hook {hook} with priority {priority}"))
            }
            Object::Parent(Some(name)) => named(Item::Parent(name.into()), format!("{name} is not the driver's")),
            Object::Parent(None) => {
                named(Item::Parent(ANY.into()), "without a parent it sends by every interface of the host".into())
            }
            Object::Sysctl(sysctl) => named(Item::Sysctl(sysctl), format!("it is the setting {sysctl}")),
            Object::Table(name) => named(Item::Table(name.into()), format!("it is the table {name}")),
            Object::Amount(limit, value) if self.grant.limit(limit) >= value => None,
            Object::Amount(limit, _) => {
                let most = self.grant.limit(limit);
                Some(Missing(None, format!("the driver's grant allows {most} (limits: {limit}), and this is more")))
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
            Tie::Link => true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Needed, Permission};

    fn about() -> About {
        About { driver: Name::new("d").unwrap(), function: "join".into(), network: None, endpoint: None }
    }

    fn gate_of(policy: Policy, pools: Option<&str>) -> Gate {
        Gate::new(about(), Arc::new(policy), pools.map(|pool| vec![pool.parse().unwrap()]))
    }

    fn gate(text: &str) -> Gate {
        let grant = super::super::file::read("g", text.as_bytes()).unwrap();
        gate_of(Policy::new(grant, None), Some("10.5.0.0/24"))
    }

    fn permissions() -> String {
        let calls = HostCall::ALL.into_iter().filter_map(HostCall::permission);
        let words: std::collections::BTreeSet<_> = calls.map(|permission| format!("'{permission}'")).collect();
        format!("permissions = [{}]\n", words.into_iter().collect::<Vec<_>>().join(","))
    }

    #[test]
    fn an_empty_grant_allows_only_what_every_driver_has() {
        let gate = gate("");
        for call in HostCall::ALL {
            assert_eq!(gate.permit(call, Object::Own).is_ok(), call.permission().is_none(), "{}", call.name());
        }
        let audit = gate.policy.audit.tell();
        assert_eq!(audit.calls.len(), HostCall::ALL.len(), "every decision is in the audit");
        assert!(audit.calls.iter().all(|call| call.allowed + call.refused == 1));
        let refused = HostCall::ALL.into_iter().filter(|call| call.permission().is_some()).count();
        assert_eq!(audit.refused.len(), refused);
        assert!(audit.refused[0].why.contains("the driver's grant lacks"), "{:?}", audit.refused[0]);
    }

    #[test]
    fn a_call_for_no_network_gets_nothing_of_a_grant() {
        let grant = super::super::file::read("g", permissions().as_bytes()).unwrap();
        let gate = gate_of(Policy::new(grant, None), None);
        for call in HostCall::ALL {
            assert_eq!(gate.permit(call, Object::Own).is_ok(), call.permission().is_none(), "{}", call.name());
        }
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// Every object, the words that allow it, and words beside it that don't.
    fn objects() -> Vec<(Object<'static>, &'static str, &'static str)> {
        const INSIDE: &[Tie] = &[Tie::Range(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 5, 0, 3), 32)))];
        let sysctl = |text: &str| Object::Sysctl(Sysctl::try_from(text.to_owned()).unwrap());
        vec![
            (Object::Namespace(NamespaceKind::Host), "namespaces = ['host']", "namespaces = ['container']"),
            (Object::Namespace(NamespaceKind::Container), "namespaces = ['container']", "namespaces = ['host']"),
            (Object::Address(net("10.5.0.7/24")), "addresses = ['network']", "addresses = ['10.6.0.0/16']"),
            (
                Object::Address(net("10.6.0.7/16")),
                "addresses = ['10.6.0.0/16']",
                "addresses = ['network', '10.6.0.0/17']",
            ),
            (Object::Address(net("10.5.0.1/8")), "addresses = ['10.0.0.0/8']", "addresses = ['network']"),
            (Object::Address(net("fd00:78::1/16")), "addresses = ['fd00::/16']", "addresses = ['fd00:78::/32']"),
            (Object::Target("10.5.0.7".parse().unwrap()), "addresses = ['network']", "routes = ['network']"),
            (Object::Target("192.0.2.1".parse().unwrap()), "addresses = ['192.0.2.1/32']", "addresses = ['network']"),
            (
                Object::Endpoint(net("10.6.0.7/8")),
                "addresses = ['10.0.0.0/8']",
                "addresses = ['network', '10.6.0.7/32']",
            ),
            (Object::Endpoint(net("10.5.0.7/23")), "addresses = ['10.5.0.0/23']", "addresses = ['network']"),
            (Object::Destination(net("10.5.0.0/25")), "routes = ['network']", "routes = ['default']"),
            (Object::Destination(net("10.0.0.0/8")), "routes = ['10.0.0.0/8']", "routes = ['network', 'default']"),
            (Object::Destination(net("0.0.0.0/0")), "routes = ['default']", "routes = ['network', '0.0.0.0/1']"),
            (Object::Destination(net("::/0")), "routes = ['default']", "routes = ['::/1']"),
            (Object::StaticRoute(net("10.6.0.0/24")), "routes = ['10.6.0.0/24']", "routes = ['network']"),
            (Object::StaticRoute(net("::/0")), "routes = ['default']", "routes = ['network']"),
            (Object::Rule(INSIDE), "addresses = ['network']", "addresses = ['10.6.0.0/16']"),
            (Object::Chain(Hook::Forward, 0), "hooks = { forward = [0] }", "hooks = { forward = [1], input = [0] }"),
            (Object::Parent(Some("eth0")), "parents = ['eth0']", "parents = ['eth']"),
            (Object::Parent(None), "parents = ['*']", "parents = ['eth0']"),
            (
                sysctl("host.ipv4-forwarding"),
                "sysctls = ['host.ipv4-forwarding']",
                "sysctls = ['link.ipv4-forwarding']",
            ),
            (sysctl("link.ipv4-rp-filter"), "sysctls = ['link.ipv4-rp-filter']", "sysctls = ['link.ipv4-arp-ignore']"),
            (Object::Table("peers"), "tables = ['peers']", "tables = ['peer']"),
            (Object::Amount(Limit::Links, 5), "limits = { links = 5 }", "limits = { links = 4 }"),
        ]
    }

    #[test]
    fn an_object_is_allowed_where_the_grant_names_it() {
        let call = HostCall::NftablesAdd;
        for (object, named, beside) in objects() {
            assert!(gate(&(permissions() + named)).permit(call, object).is_ok(), "{object:?} with {named}");
            let refusal = gate(&(permissions() + beside)).permit(call, object).unwrap_err();
            assert!(refusal.message.starts_with("nftables.add: "), "{refusal}");
            assert!(gate(named).permit(call, object).unwrap_err().message.contains("lacks packet-filter"));
        }
    }

    #[test]
    fn recording_finds_the_smallest_grant() {
        for (object, named, _) in objects() {
            if matches!(object, Object::Amount(..)) {
                continue;
            }
            let needed = Needed::default();
            let gate = gate_of(Policy::new(Grant::default(), Some(needed.clone())), Some("10.5.0.0/24"));
            gate.permit(HostCall::StoreSet, object).unwrap();
            let needed = needed.lock().unwrap().clone();
            let expected = format!("permissions = ['store']\n{named}");
            let expected = super::super::file::read("g", expected.as_bytes()).unwrap();
            let is_as_small = needed.lacks(&expected).is_empty() || matches!(object, Object::Address(_));
            assert!(is_as_small && expected.lacks(&needed).is_empty(), "{object:?}: {needed:?}");
        }
    }

    #[test]
    fn what_the_call_has_anyway_needs_no_word() {
        let gate = gate("");
        let call = HostCall::CapabilitiesJoinInfoAddStaticRoute;
        assert!(gate.permit(call, Object::Endpoint(net("10.5.0.7/24"))).is_ok());
        assert!(gate.permit(call, Object::StaticRoute(net("10.5.0.0/25"))).is_ok());
        assert!(gate.permit(call, Object::StaticRoute(net("169.254.1.1/32"))).is_ok());
        assert!(gate.permit(call, Object::Namespace(NamespaceKind::Own)).is_ok());
        assert!(gate.permit(call, Object::Rule(&[Tie::Link])).is_ok());
        assert!(gate.permit(call, Object::Rule(&[])).is_err());
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        let gate = gate("permissions = ['links']");
        let said = gate.permit(HostCall::LinksAdd, Object::Address(net("10.5.0.1/24"))).unwrap_err();
        assert_eq!(said.kind, Kind::Forbidden);
        assert_eq!(
            said.message,
            "links.add: 10.5.0.1/24 is an address of the network; the driver's grant lacks addresses: network"
        );
        assert_eq!(HostCall::PortsTake.permission(), Some(Permission::HostPorts));
        let said = gate.permit(HostCall::PortsTake, Object::Own).unwrap_err();
        assert_eq!(said.message, "ports.take: the driver's grant lacks host-ports (permissions)");
        let said = gate.permit(HostCall::LinksAdd, Object::Amount(Limit::Links, 5_000)).unwrap_err();
        assert_eq!(said.kind, Kind::Unavailable);
    }
}
