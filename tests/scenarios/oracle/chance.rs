//! Random grants and random host calls: sensible often enough to come through, and outside of what is granted often enough to be wrong.

use std::net::IpAddr;

use ask::capabilities::{InterfaceInfo, InterfaceNameInfo, JoinInfo, NetworkInfo, RouteType};
use ask::links::{
    IpvlanFlag, IpvlanMode, IpvlanOptions, Link, LinkChanges, LinkEnd, LinkKind, LinkName, LinkSpec, MacvlanMode,
    MacvlanOptions, NewMaster, VlanOptions, VxlanOptions,
};
use ask::namespaces::Namespace;
use ask::neighbours::{ForwardingEntry, Neighbour, Proxy};
use ask::nftables::{
    Chain, ChainType, Condition, Hook, PacketCondition, PacketProperty, PortRange, Property, Rule, Target, Verdict,
};
use ask::sysctls::{LinkSysctl, NamespaceSysctl};
use ask::types::{IpAddress, IpNetwork, IpamData, MacAddress};
use ask::{Ask, OWN, addresses, routes, rules};
use fastrand::Rng;
use grant::{Grant, Limit, MarkBits, NamespaceKind, Permission, Range, Sysctl};
use ipnet::IpNet;
use pontoon::capability::convert;

use super::seen::{SETTINGS, SWITCHES};

/// Names that links get: both drivers', those of the host, and one that an engine may want.
const NAMES: [&str; 9] = ["x0", "x1", "x2", "x3", "y0", "y1", "y2", "eth0", "docker0"];
const PERMISSIONS: [(Permission, u8); 15] = [
    (Permission::Links, 97),
    (Permission::LinkSettings, 80),
    (Permission::Namespaces, 80),
    (Permission::Routing, 90),
    (Permission::PacketFilter, 92),
    (Permission::Shaping, 70),
    (Permission::Forwarding, 80),
    (Permission::HostPorts, 70),
    (Permission::NamespaceSettings, 60),
    (Permission::ChangedParents, 25),
    (Permission::ParentRoutes, 40),
    (Permission::PacketLog, 50),
    (Permission::UntrackedPackets, 50),
    (Permission::Store, 50),
    (Permission::Tables, 50),
];
const HOOKS: [(grant::Hook, Hook, &[i32]); 5] = [
    (grant::Hook::Prerouting, Hook::Prerouting, &[-100, 0, -300]),
    (grant::Hook::Input, Hook::Input, &[0, 100]),
    (grant::Hook::Forward, Hook::Forward, &[0, 10]),
    (grant::Hook::Output, Hook::Output, &[-100, 0, -300]),
    (grant::Hook::Postrouting, Hook::Postrouting, &[100, 0]),
];

/// Where addresses are taken from: a driver's own ranges, and everybody else's.
#[derive(Clone, Debug)]
pub struct Ranges {
    pub pools: Vec<IpNet>,
    /// Of these it may be allowed to choose.
    pub choice: IpNet,
    pub others: Vec<IpNet>,
}

/// A port that was taken: protocol, address, number.
pub type Taken = (u8, IpAddress, u16);

/// What a call has got so far.
#[derive(Clone, Debug, Default)]
pub struct Hands {
    pub links: Vec<u32>,
    /// Those of the host's others.
    pub parents: Vec<u32>,
    pub namespaces: Vec<u32>,
    pub rules: Vec<u64>,
    /// Links that something goes by, and ports that were taken.
    pub named: Vec<Link>,
    pub ports: Vec<Taken>,
}

fn percent(random: &mut Rng, of: u8) -> bool {
    random.u8(..100) < of
}

fn one<T: Clone>(random: &mut Rng, of: &[T]) -> T {
    of[random.usize(..of.len())].clone()
}

/// What an operator may have written.
pub fn grant(random: &mut Rng, ranges: &Ranges) -> Grant {
    let mut grant = Grant::default();
    grant.permissions.extend(PERMISSIONS.iter().filter(|(_, often)| percent(random, *often)).map(|(p, _)| *p));
    let kinds = [(NamespaceKind::Host, 94), (NamespaceKind::Container, 60)];
    grant.namespaces.extend(kinds.iter().filter(|(_, often)| percent(random, *often)).map(|(kind, _)| *kind));
    let named = |random: &mut Rng| Range::Net(net(random, ranges, true).trunc());
    grant.addresses.extend(percent(random, 90).then_some(Range::Network));
    grant.addresses.extend(percent(random, 30).then(|| named(random)));
    grant.pools.extend(percent(random, 60).then_some(Range::Net(ranges.choice)));
    grant.routes.extend(percent(random, 85).then_some(Range::Network));
    grant.routes.extend(percent(random, 20).then_some(Range::Default));
    grant.routes.extend(percent(random, 30).then(|| named(random)));
    let parents = ["eth0", "eth1", "*"].iter().filter(|_| percent(random, 30));
    grant.parents.extend(parents.map(|name| (*name).to_owned()));
    let link = SETTINGS.iter().map(|(word, ..)| format!("link.{word}"));
    let whole = |kind: &'static str| SWITCHES.iter().map(move |(word, _)| format!("{kind}.{word}"));
    let words = link.chain(whole("host")).chain(whole("container")).chain(whole("own"));
    let words: Vec<_> = words.filter(|_| percent(random, 50)).collect();
    grant.sysctls.extend(words.into_iter().map(|word| Sysctl::try_from(word).unwrap()));
    for (hook, _, priorities) in HOOKS {
        let at = priorities.iter().copied().filter(|_| percent(random, 90)).collect();
        grant.hooks.insert(hook, at);
    }
    if percent(random, 50) {
        grant.mark_bits = MarkBits(0xff00);
    }
    if percent(random, 30) {
        grant.limits.extend([(Limit::Links, random.u64(1..8)), (Limit::Rules, random.u64(1..6))]);
    }
    grant.check().unwrap();
    grant
}

/// An address with a prefix of any length: often in the driver's own ranges, and often as long as they are. `whole`: never of length 0.
fn net(random: &mut Rng, ranges: &Ranges, whole: bool) -> IpNet {
    let base = match random.u8(..10) {
        0..=6 if !ranges.pools.is_empty() => one(random, &ranges.pools),
        0..=7 => ranges.choice,
        _ => one(random, &ranges.others),
    };
    let (address, most) = match base {
        IpNet::V4(v4) => {
            let host = u32::from(random.u8(1..=254)) & v4.hostmask().to_bits();
            (IpAddr::from(std::net::Ipv4Addr::from(v4.network().to_bits() | host)), 32)
        }
        IpNet::V6(v6) => {
            let host = u128::from(random.u8(1..=254)) & v6.hostmask().to_bits();
            (IpAddr::from(std::net::Ipv6Addr::from(v6.network().to_bits() | host)), 128)
        }
    };
    let length = match random.u8(..10) {
        0..=5 => base.prefix_len().max(u8::from(whole)),
        6 | 7 => most,
        _ => random.u8(u8::from(whole)..=most),
    };
    IpNet::new(address, length).unwrap()
}

/// Asks for the calls of one driver.
pub struct Asking<'a> {
    pub random: &'a mut Rng,
    pub ranges: &'a Ranges,
    pub hands: &'a Hands,
}

impl Asking<'_> {
    pub(super) fn percent(&mut self, of: u8) -> bool {
        percent(self.random, of)
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        one(self.random, of)
    }

    pub(super) fn net(&mut self) -> IpNetwork {
        convert::network_to_wit(net(self.random, self.ranges, false))
    }

    pub(super) fn address(&mut self) -> IpAddress {
        self.net().address
    }

    /// One that the call has; seldom one that it has not.
    pub(super) fn link(&mut self) -> Link {
        if self.hands.links.is_empty() || self.percent(4) {
            return self.parent();
        }
        Link(if self.percent(99) { one(self.random, &self.hands.links) } else { self.random.u32(..9) })
    }

    /// Of the host's, rather.
    pub(super) fn parent(&mut self) -> Link {
        let of = if self.percent(60) { &self.hands.parents } else { &self.hands.links };
        Link(if of.is_empty() { 1 } else { one(self.random, of) })
    }

    fn namespace(&mut self) -> Namespace {
        let known = !self.hands.namespaces.is_empty() && !self.percent(1);
        Namespace(if known { one(self.random, &self.hands.namespaces) } else { self.random.u32(..9) })
    }

    pub(super) fn place(&mut self) -> Option<Namespace> {
        (!self.hands.namespaces.is_empty() && self.percent(30)).then(|| self.namespace())
    }

    pub(super) fn name(&mut self) -> String {
        self.one(&NAMES).to_owned()
    }

    fn mac(&mut self) -> MacAddress {
        (2, 0, 0, 0, 9, self.random.u8(..4))
    }

    pub(super) fn maybe<T>(&mut self, often: u8, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.percent(often).then(|| value(self))
    }

    pub(super) fn port(&mut self) -> u16 {
        self.one(&[53, 80, 8080])
    }

    /// A number of some things.
    pub(super) fn some<T>(&mut self, most: usize, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.random.usize(..=most);
        (0..count).map(|_| value(self)).collect()
    }

    /// A host call.
    pub fn ask(&mut self) -> Ask {
        if self.hands.links.is_empty() && self.percent(95) {
            return match self.random.u8(..10) {
                0..=4 => self.add_link(),
                5 => self.find(),
                6 => self.take_port(),
                7 => self.choose_pool(),
                8 => Ask::NamespacesAdd { name: self.one(&["m", "n"]).to_owned() },
                _ => self.get_namespace(),
            };
        }
        if !self.hands.named.is_empty() && self.percent(15) {
            return self.take_away();
        }
        if !self.hands.ports.is_empty() && self.percent(25) {
            return if self.percent(70) { self.publish() } else { self.release() };
        }
        if self.percent(16) {
            return self.newer();
        }
        match self.random.u8(..100) {
            0..=13 => self.add_link(),
            14..=21 => self.find(),
            22..=29 => self.change_link(),
            30..=32 => Ask::LinksLinkRemove { this: self.link() },
            33..=39 => Ask::AddressesAdd { addresses: vec![self.link_address()] },
            40 => Ask::AddressesRemove { addresses: vec![self.link_address()] },
            41..=45 => Ask::RoutesAdd { routes: vec![self.route()] },
            46 | 47 => Ask::RoutesAddPaths { namespace: self.place(), paths: vec![self.path()] },
            48 => Ask::NeighboursAddProxies { proxies: vec![self.proxy()] },
            49 => Ask::RoutesRemove { routes: vec![self.route()] },
            50..=55 => Ask::RulesAdd { namespace: self.place(), rules: vec![self.policy_rule()] },
            56 => Ask::RulesRemove { namespace: self.place(), rules: vec![self.policy_rule()] },
            57 | 58 => Ask::NeighboursAdd { neighbours: vec![self.neighbour()] },
            59 => Ask::NeighboursRemove { neighbours: vec![self.neighbour()] },
            60 => Ask::NeighboursAddForwarding { entries: vec![self.forwarding()] },
            61 => Ask::NeighboursRemoveForwarding { entries: vec![self.forwarding()] },
            62..=71 => Ask::NftablesAdd { namespace: self.place(), rules: vec![self.packet_rule()] },
            72 => Ask::NftablesRemove { ids: self.hands.rules.iter().copied().chain([1]).collect() },
            73..=75 => self.set_link_setting(),
            76 | 77 => self.set_namespace_setting(),
            78..=80 => Ask::ForwardingAllow { link: self.link(), ipv4: true, ipv6: self.percent(50) },
            81 => Ask::ForwardingDisallow { link: self.link() },
            82..=84 => self.take_port(),
            85 | 86 => self.release(),
            87 => Ask::NamespacesAdd { name: self.one(&["m", "n"]).to_owned() },
            88 if !self.hands.namespaces.is_empty() => Ask::NamespacesNamespaceRemove { this: self.namespace() },
            89..=91 => self.choose_pool(),
            92..=94 => self.set_names(),
            95 => Ask::CapabilitiesInterfaceInfoSetIpAddress { this: InterfaceInfo(OWN), address: self.net() },
            96 => self.static_route(),
            _ => self.get_namespace(),
        }
    }

    /// From whatever goes by it.
    fn take_away(&mut self) -> Ask {
        let this = one(self.random, &self.hands.named);
        match self.random.u8(..3) {
            0 => Ask::LinksLinkRemove { this },
            1 => Ask::LinksLinkSet { this, changes: LinkChanges { name: Some(self.name()), ..unchanged() } },
            _ => Ask::CapabilitiesInterfaceNameInfoSetNames {
                this: InterfaceNameInfo(OWN),
                source: this,
                prefix: "eth".into(),
                name: None,
            },
        }
    }

    /// A port of the call's own.
    fn publish(&mut self) -> Ask {
        let (protocol, address, port) = one(self.random, &self.hands.ports);
        let chain = Chain { chain_type: ChainType::Nat, hook: Hook::Prerouting, priority: -100 };
        let to = match address {
            IpAddress::Ipv4((0, 0, 0, 0)) => Property::DestinationLocal,
            address => Property::Destination(IpNetwork { address, prefix_length: 32 }),
        };
        let properties =
            [Property::Protocol(protocol), Property::DestinationPort(PortRange { first: port, last: port }), to];
        let conditions = properties.into_iter().map(|property| Condition { property, negated: false }).collect();
        let verdict = Verdict::DestinationNat(Target { address: self.address(), port: None });
        Ask::NftablesAdd { namespace: None, rules: vec![Rule { chain, conditions, verdict }] }
    }

    fn release(&mut self) -> Ask {
        let (protocol, address, port) = match self.hands.ports.is_empty() {
            true => (self.one(&[6, 17]), any(), self.port()),
            false => one(self.random, &self.hands.ports),
        };
        Ask::PortsRelease { protocol, addresses: vec![address], port }
    }

    fn find(&mut self) -> Ask {
        Ask::LinksGet { namespace: self.place(), name: self.name() }
    }

    fn get_namespace(&mut self) -> Ask {
        match self.random.u8(..3) {
            0 => Ask::NamespacesHost {},
            1 => Ask::NamespacesGet { name: self.one(&["m", "n"]).to_owned() },
            _ => Ask::CapabilitiesJoinInfoSandbox { this: JoinInfo(OWN) },
        }
    }

    pub(super) fn end(&mut self) -> LinkEnd {
        LinkEnd {
            namespace: self.place(),
            name: match self.percent(90) {
                true => LinkName::Exact(self.name()),
                false => LinkName::Prefix("x".into()),
            },
            mac_address: self.maybe(20, Self::mac),
            mtu: self.maybe(10, |a| a.one(&[1280, 1400, 9000])),
            master: if self.hands.links.is_empty() { None } else { self.maybe(15, Self::link) },
            addresses: if self.percent(50) { Vec::new() } else { self.some(2, Self::net) },
            up: self.percent(80),
        }
    }

    fn add_link(&mut self) -> Ask {
        let on_others = !self.hands.links.is_empty() || !self.hands.parents.is_empty();
        let kind = match self.random.u8(..if on_others { 13 } else { 7 }) {
            0..=2 => LinkKind::Bridge,
            3..=5 => LinkKind::Veth(self.end()),
            6 => LinkKind::Dummy,
            7 | 12 => LinkKind::Vxlan(self.vxlan()),
            8 | 9 => LinkKind::Macvlan(MacvlanOptions { parent: self.parent(), mode: self.macvlan_mode() }),
            10 => {
                let mode = self.one(&[IpvlanMode::L2, IpvlanMode::L3, IpvlanMode::L3s]);
                LinkKind::Ipvlan(IpvlanOptions { parent: self.parent(), mode, flag: IpvlanFlag::Bridge })
            }
            _ => LinkKind::Vlan(VlanOptions { parent: self.parent(), id: self.one(&[7, 8]) }),
        };
        Ask::LinksAdd { links: vec![LinkSpec { end: self.end(), kind }] }
    }

    pub(super) fn macvlan_mode(&mut self) -> MacvlanMode {
        self.one(&[MacvlanMode::Bridge, MacvlanMode::Private, MacvlanMode::Passthru, MacvlanMode::Passthru])
    }

    fn vxlan(&mut self) -> VxlanOptions {
        VxlanOptions {
            vni: self.random.u32(1..4),
            port: self.one(&[4789, 53]),
            parent: self.maybe(70, Self::parent),
            local: None,
            remote: self.maybe(30, Self::address),
            learning: self.percent(50),
            proxy: false,
        }
    }

    fn change_link(&mut self) -> Ask {
        let master = self.maybe(25, |a| match a.percent(60) {
            true => NewMaster::Bridge(a.link()),
            false => NewMaster::Nothing,
        });
        let changes = LinkChanges {
            name: self.maybe(40, Self::name),
            mac_address: self.maybe(25, Self::mac),
            mtu: self.maybe(10, |a| a.one(&[1280, 1400])),
            up: self.maybe(30, |a| a.percent(60)),
            master,
            hairpin: self.maybe(5, |_| true),
            isolated: None,
            learning: None,
        };
        Ask::LinksLinkSet { this: self.link(), changes }
    }

    fn link_address(&mut self) -> addresses::LinkAddress {
        addresses::LinkAddress { link: self.link(), address: self.net() }
    }

    fn route(&mut self) -> routes::Route {
        let default = self.percent(10);
        let destination = if default { convert::network_to_wit("0.0.0.0/0".parse().unwrap()) } else { self.net() };
        routes::Route {
            link: self.link(),
            destination,
            gateway: self.maybe(15, Self::address),
            source: None,
            table: self.maybe(50, |a| a.one(&[0, 100, 100, 253, 254, 255, 1000, 1000])),
            metric: self.maybe(20, |_| 5),
        }
    }

    /// Own links and parents.
    pub(super) fn link_or_parent(&mut self) -> Link {
        if self.hands.parents.is_empty() || self.percent(50) { self.link() } else { self.parent() }
    }

    fn path(&mut self) -> routes::Path {
        let routes::Route { destination, table, metric, .. } = self.route();
        let way = match self.random.u8(..4) {
            0 => routes::Way::Blackhole,
            1 => routes::Way::Unreachable,
            _ => routes::Way::NextHops(vec![routes::NextHop {
                link: self.link_or_parent(),
                gateway: Some(self.address()),
                on_link: true,
                weight: 1,
            }]),
        };
        routes::Path { destination, way, source: None, table, metric, mtu: None }
    }

    fn proxy(&mut self) -> Proxy {
        Proxy { link: self.link_or_parent(), address: self.address() }
    }

    fn policy_rule(&mut self) -> rules::Rule {
        rules::Rule {
            priority: self.one(&[50, 60, 100, 32_000, 40_000]),
            source: self.maybe(40, Self::net),
            destination: self.maybe(30, Self::net),
            input_link: self.maybe(60, Self::link),
            mark: self.maybe(10, |_| (1, 1)),
            table: self.one(&[0, 100, 100, 253, 254, 255, 1000, 1000]),
        }
    }

    fn neighbour(&mut self) -> Neighbour {
        Neighbour { link: self.link(), address: self.address(), mac_address: self.mac() }
    }

    fn forwarding(&mut self) -> ForwardingEntry {
        ForwardingEntry { link: self.link(), mac_address: self.mac(), remote: self.maybe(50, Self::address) }
    }

    pub(super) fn condition(&mut self) -> Condition {
        let property = match self.random.u8(..10) {
            0..=2 => Property::InputLink(self.link()),
            3..=5 => Property::OutputLink(self.link()),
            6 => Property::Source(self.net()),
            7 => Property::Destination(self.net()),
            8 => Property::DestinationLocal,
            _ => Property::DestinationTranslated,
        };
        Condition { property, negated: self.percent(12) }
    }

    /// Any, or one that publishes a port.
    pub(super) fn packet_rule(&mut self) -> Rule {
        let (_, hook, priorities) = self.one(&HOOKS);
        let nat = self.percent(50) && hook != Hook::Forward;
        let chain_type = if nat { ChainType::Nat } else { ChainType::Filter };
        let chain = Chain { chain_type, hook, priority: self.one(priorities) };
        let target = Target { address: self.address(), port: self.maybe(50, Self::port) };
        if self.percent(30) {
            let chain = Chain { chain_type: ChainType::Nat, hook: Hook::Prerouting, priority: -100 };
            return Rule { chain, conditions: self.published(), verdict: Verdict::DestinationNat(target) };
        }
        let verdict = match (chain_type, self.random.u8(..4)) {
            (ChainType::Filter, 0) => Verdict::Accept,
            (ChainType::Filter, _) => Verdict::Drop,
            (_, 0) if hook == Hook::Postrouting => Verdict::Masquerade,
            (_, _) if matches!(hook, Hook::Postrouting | Hook::Input) => Verdict::SourceNat(target),
            _ => Verdict::DestinationNat(target),
        };
        let first = self.condition();
        let conditions = [vec![first], self.some(1, Self::condition)].concat();
        Rule { chain, conditions, verdict }
    }

    pub(super) fn published(&mut self) -> Vec<Condition> {
        let port = self.port();
        let last = if self.percent(90) { port } else { port + 1 };
        let mut properties = vec![
            Property::Protocol(self.one(&[6, 17])),
            Property::DestinationPort(PortRange { first: port, last }),
            Property::DestinationLocal,
        ];
        if self.percent(15) {
            properties.remove(self.random.usize(..3));
        }
        properties.into_iter().map(|property| Condition { property, negated: false }).collect()
    }

    fn set_link_setting(&mut self) -> Ask {
        let name = self.one(&[
            LinkSysctl::Ipv4ProxyArp,
            LinkSysctl::Ipv4RpFilter,
            LinkSysctl::Ipv4Forwarding,
            LinkSysctl::Ipv6AcceptRa,
            LinkSysctl::Ipv6Disable,
        ]);
        Ask::SysctlsSetLink { link: self.link(), name, value: self.random.i32(0..2) }
    }

    fn set_namespace_setting(&mut self) -> Ask {
        let name = self.one(&[
            NamespaceSysctl::Ipv4Forwarding,
            NamespaceSysctl::Ipv6Forwarding,
            NamespaceSysctl::Ipv4NeighbourThreshold3,
        ]);
        Ask::SysctlsSetNamespace { namespace: self.namespace(), name, value: self.random.i32(0..2) }
    }

    fn take_port(&mut self) -> Ask {
        let (first, address) = (self.port(), self.address());
        let addresses = vec![if self.percent(70) { any() } else { address }];
        Ask::PortsTake { protocol: self.one(&[6, 17]), addresses, first, last: first }
    }

    fn choose_pool(&mut self) -> Ask {
        let pool = Some(self.net());
        let chosen = IpamData { address_space: String::new(), pool, gateway: None, aux_addresses: Vec::new() };
        Ask::CapabilitiesNetworkInfoUpdateIpamConfig { this: NetworkInfo(OWN), ipv4: vec![chosen] }
    }

    fn set_names(&mut self) -> Ask {
        let (source, prefix) = (self.link(), "eth".to_owned());
        Ask::CapabilitiesInterfaceNameInfoSetNames { this: InterfaceNameInfo(OWN), source, prefix, name: None }
    }

    fn static_route(&mut self) -> Ask {
        let (destination, route_type) = (self.net(), RouteType::Connected);
        Ask::CapabilitiesJoinInfoAddStaticRoute { this: JoinInfo(OWN), destination, route_type, next_hop: None }
    }
}

/// The links that a packet rule speaks of.
pub fn links_of(rule: &Rule) -> impl Iterator<Item = Link> {
    rule.conditions.iter().filter_map(|condition| link_of(&condition.property))
}

/// The link that a condition of a packet rule with more in it speaks of.
pub fn link_in(condition: &PacketCondition) -> Option<Link> {
    match &condition.property {
        PacketProperty::Plain(property) => link_of(property),
        _ => None,
    }
}

fn link_of(property: &Property) -> Option<Link> {
    match property {
        Property::InputLink(link) | Property::OutputLink(link) => Some(*link),
        _ => None,
    }
}

fn unchanged() -> LinkChanges {
    LinkChanges {
        name: None,
        mac_address: None,
        mtu: None,
        up: None,
        master: None,
        hairpin: None,
        isolated: None,
        learning: None,
    }
}

fn any() -> IpAddress {
    IpAddress::Ipv4((0, 0, 0, 0))
}
