//! Each error that the WIT documents, and others of the same kinds: one table, which the tests go through on the SDK's host in memory, on
//! the host's kernel in memory and on the real one.

use std::net::{IpAddr, Ipv4Addr};

use pontoon_sdk::ErrorKind::{AlreadyExists, Forbidden, InvalidArgument, NotFound, Unavailable};
use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::chains::ChainRule;
use pontoon_sdk::frames::{self, FrameRule};
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{
    self, BridgeOptions, BridgeVlan, Link, LinkChanges, LinkEnd, LinkKind, LinkName, LinkSpec, MacvlanMode, Master,
    Offloads, Peer, PortOptions, Properties, PublicKey, VxlanOptions,
};
use pontoon_sdk::namespaces::{self, Namespace};
use pontoon_sdk::neighbours::{ForwardingEntry, Neighbour};
use pontoon_sdk::nftables::Property::{
    Connection, Destination, DestinationLocal, DestinationPort, InputLink, OutputLink, Protocol, Source,
};
use pontoon_sdk::nftables::{Chain, ChainType, ConnectionStates, Hook, PortRange, Rule, Target, Verdict};
use pontoon_sdk::packets::{Action, Field, MarkBits, PacketRule, Rejection, SetKind, Statement, TcpFlags};
use pontoon_sdk::routes::Route;
use pontoon_sdk::sysctls::LinkSysctl;
use pontoon_sdk::{
    Error, ErrorKind, InterfaceInfo, IpamData, JoinInfo, MacAddress, NetworkInfo, ObjectType, Protocol as Ip, Result,
    StaticRoute, addresses, chains, forwarding, neighbours, nftables, packets, ports, routes, rules, shaping, store,
    sysctls, tables,
};

use super::Stage;
use super::kernel::last_address;
use crate::check::ensure;
use crate::network::Network;

const TABLE: &str = "probe-table";

/// A call that is refused: its interface and function, the kind of its error, what is wrong, and how it is made.
pub(crate) type Case<Call> = (&'static str, ErrorKind, &'static str, Call);

type Mistake = fn(&Given) -> Result<()>;
type OnNetwork = fn(&NetworkInfo) -> Result<()>;
type OnEndpoint = fn(&InterfaceInfo) -> Result<()>;
type OnJoin = fn(&OfJoin) -> Result<()>;

/// What there is to make mistakes with.
pub(crate) struct Given<'a> {
    stage: &'a Stage<'a>,
    bridge: Link,
    /// One that was removed.
    gone: Link,
    inside: Namespace,
    /// A bridge in that namespace.
    inner: Link,
    /// One end of a pair.
    plain: Link,
    /// On the host, with a name that iptables would misread.
    odd: Link,
    pool: IpNet,
}

impl Given<'_> {
    fn name(&self, prefix: &str) -> String {
        self.stage.link_name(prefix)
    }

    fn end(&self) -> LinkEnd<'_> {
        LinkEnd::named(self.name("pbz"))
    }

    /// The first of three ports that no other stage has.
    fn port(&self) -> u16 {
        if self.stage.is_endpoints() { 4284 } else { 4280 }
    }

    fn own(&self) -> IpAddr {
        last_address(self.pool)
    }
}

/// What a join gets.
pub(crate) struct OfJoin<'a> {
    info: &'a JoinInfo<'a>,
    bridge: Link,
    endpoint: &'a str,
}

fn net(text: &str) -> Result<IpNet> {
    Ok(text.parse()?)
}

fn add(link: LinkSpec) -> Result<()> {
    links::add_one(link).map(drop)
}

fn named(name: impl Into<String>) -> Result<()> {
    add(LinkSpec::bridge(LinkEnd::named(name)))
}

fn kind(given: &Given, kind: LinkKind) -> Result<()> {
    add(LinkSpec { end: given.end(), kind })
}

fn vxlan(given: &Given, vni: u32) -> Result<()> {
    let (local, remote) = (None, None);
    let parent = Some(&given.plain);
    kind(given, LinkKind::Vxlan(VxlanOptions { vni, port: 4789, parent, local, remote, learning: false, proxy: false }))
}

fn set(link: &Link, changes: &LinkChanges) -> Result<()> {
    link.set(changes)
}

fn mastered<'a>(bridge: &'a Link) -> LinkChanges<'a> {
    LinkChanges { master: Some(Master::Bridge(bridge)), ..LinkChanges::default() }
}

fn limited(link: &Link, bytes_per_second: u64, burst: u32) -> Result<()> {
    shaping::set_rate(link, Some(shaping::Rate { bytes_per_second, burst }))
}

fn tap(name: &str, parent: &Link) -> Result<()> {
    links::add_macvtap(&LinkEnd::named(name), parent, MacvlanMode::Bridge).map(drop)
}

fn aged(seconds: u32) -> BridgeOptions {
    BridgeOptions { ageing: Some(seconds), ..BridgeOptions::default() }
}

fn address(link: &Link, address: IpNet) -> Result<()> {
    addresses::add(&[LinkAddress { link, address }])
}

fn policy(given: &Given, priority: u32, table: u32, source: Option<&str>, destination: Option<&str>) -> Result<()> {
    let [source, destination] = [source, destination].map(|text| text.map(net).transpose());
    let (source, destination) = (source?, destination?);
    let (input_link, mark) = (None, None);
    let pool = if source.is_none() && destination.is_none() { Some(given.pool) } else { source };
    rules::add(None, &[rules::Rule { priority, source: pool, destination, input_link, mark, table }])
}

/// The family that the pool is not of.
fn other_family(pool: IpNet) -> rules::Family {
    if pool.addr().is_ipv4() { rules::Family::Ipv6 } else { rules::Family::Ipv4 }
}

/// A policy rule whose family is said: of the pool, or of nothing but a link.
fn of_family(given: &Given, of_pool: bool, input_link: Option<&Link>) -> Result<()> {
    let (source, destination, mark) = (of_pool.then_some(given.pool), None, None);
    let rule = rules::Rule { priority: 4250, source, destination, input_link, mark, table: 4250 };
    rules::add_of_family(other_family(given.pool), None, &[rule])
}

fn rule(rule: Rule) -> Result<()> {
    nftables::add(None, &[rule]).map(drop)
}

fn make_set(given: &Given, prefix: &str, kind: SetKind) -> Result<()> {
    packets::add_set(None, &given.name(prefix), kind)
}

fn packet_rule(rule: PacketRule) -> Result<()> {
    packets::add(None, &[rule]).map(drop)
}

/// A map of the host's ports, of the pool's family.
fn map_of(g: &Given) -> SetKind {
    if g.pool.addr().is_ipv4() { SetKind::Ipv4HostPorts } else { SetKind::Ipv6HostPorts }
}

fn frame_rule(rule: FrameRule) -> Result<()> {
    frames::add(None, &[rule]).map(drop)
}

fn of_bridge<'a>(given: &'a Given) -> PacketRule<'a> {
    PacketRule::new(Chain::FORWARD, Action::Proceed).when(InputLink(&given.bridge))
}

fn of_source(given: &Given, chain: Chain, verdict: Verdict) -> Result<()> {
    rule(Rule::new(chain, verdict).when(Source(given.pool)))
}

fn to(address: IpAddr) -> Target {
    Target { address, port: None }
}

fn peer() -> Peer {
    Peer { key: PublicKey([7; 32]), endpoint: None, allowed: Vec::new(), keepalive: None }
}

const FOREIGN: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

/// Of links and namespaces.
pub(crate) const LINKS: &[Case<Mistake>] = &[
    ("namespaces.namespace.remove", Forbidden, "the host's", |_| namespaces::host().remove()),
    ("namespaces.add", AlreadyExists, "a name that is there", |g| namespaces::add(&g.name("err-")).map(drop)),
    ("namespaces.add", InvalidArgument, "no name", |_| namespaces::add("").map(drop)),
    ("namespaces.add", InvalidArgument, "a dot", |_| namespaces::add("a.b").map(drop)),
    ("namespaces.get", NotFound, "no such name", |_| namespaces::get("nobody").map(drop)),
    ("links.link.info", NotFound, "a link that is gone", |g| g.gone.info().map(drop)),
    ("links.link.set", NotFound, "a link that is gone", |g| set(&g.gone, &LinkChanges::default())),
    ("links.link.set", InvalidArgument, "a bridge in another namespace", |g| set(&g.plain, &mastered(&g.inner))),
    ("links.link.set", NotFound, "a bridge that is gone", |g| set(&g.plain, &mastered(&g.gone))),
    ("links.link.set", InvalidArgument, "an MTU of 67", |g| {
        set(&g.plain, &LinkChanges { mtu: Some(67), ..LinkChanges::default() })
    }),
    ("links.link.set", InvalidArgument, "a name with a space", |g| {
        set(&g.plain, &LinkChanges { name: Some("a b".into()), ..LinkChanges::default() })
    }),
    ("links.link.set", AlreadyExists, "the name of another link", |g| {
        set(&g.plain, &LinkChanges { name: Some(g.bridge.info()?.name), ..LinkChanges::default() })
    }),
    ("links.add", AlreadyExists, "the name of another link", |g| named(g.bridge.info()?.name)),
    ("links.add", AlreadyExists, "a pair of one name", |g| add(LinkSpec::veth(g.end(), g.end()))),
    ("links.add", InvalidArgument, "no name", |_| named("")),
    ("links.add", InvalidArgument, "a name of 16 bytes", |_| named("sixteen-bytes-or")),
    ("links.add", InvalidArgument, "a name with a slash", |_| named("a/b")),
    ("links.add", InvalidArgument, "a name with a per cent sign", |_| named("a%d")),
    ("links.add", InvalidArgument, "two dots for a name", |_| named("..")),
    ("links.add", InvalidArgument, "no prefix", |g| {
        add(LinkSpec::bridge(LinkEnd { name: LinkName::Prefix(String::new()), ..g.end() }))
    }),
    ("links.add", InvalidArgument, "an MTU of 65,536", |g| {
        add(LinkSpec::bridge(LinkEnd { mtu: Some(65_536), ..g.end() }))
    }),
    ("links.add", Forbidden, "an address of nobody's", |g| {
        add(LinkSpec::bridge(LinkEnd { addresses: vec![net("198.51.100.1/24")?], ..g.end() }))
    }),
    ("links.add", Forbidden, "a network that is wider than the pool", |g| {
        add(LinkSpec::bridge(LinkEnd { addresses: vec![IpNet::new(g.own(), 8)?], ..g.end() }))
    }),
    ("links.add", InvalidArgument, "a bridge in another namespace", |g| {
        add(LinkSpec { end: LinkEnd { master: Some(&g.inner), ..g.end() }, kind: LinkKind::Dummy })
    }),
    ("links.add", NotFound, "a bridge that is gone", |g| {
        add(LinkSpec { end: LinkEnd { master: Some(&g.gone), ..g.end() }, kind: LinkKind::Dummy })
    }),
    ("links.add", InvalidArgument, "a VXLAN identifier of 0", |g| vxlan(g, 0)),
    ("links.add", InvalidArgument, "a VXLAN identifier of 25 bits", |g| vxlan(g, 1 << 24)),
    ("links.add", InvalidArgument, "a VLAN id of 4095", |g| kind(g, LinkKind::Vlan { parent: &g.plain, id: 4095 })),
    ("links.add", InvalidArgument, "a parent in another namespace", |g| {
        kind(g, LinkKind::Vlan { parent: &g.inner, id: 2 })
    }),
    ("links.add", NotFound, "a parent that is gone", |g| kind(g, LinkKind::Vlan { parent: &g.gone, id: 2 })),
    ("links.add", InvalidArgument, "257 links", |g| {
        links::add(&vec![LinkSpec::bridge(LinkEnd::numbered(g.name("pbz"))); 257]).map(drop)
    }),
    ("links.add-macvtap", AlreadyExists, "the name of another link", |g| tap(&g.bridge.info()?.name, &g.plain)),
    ("links.add-macvtap", InvalidArgument, "a parent in another namespace", |g| tap(&g.name("pbz"), &g.inner)),
    ("links.add-macvtap", NotFound, "a parent that is gone", |g| tap(&g.name("pbz"), &g.gone)),
    ("links.add-macvtap", Forbidden, "an address of nobody's", |g| {
        let end = LinkEnd { addresses: vec![net("198.51.100.1/24")?], ..g.end() };
        links::add_macvtap(&end, &g.plain, MacvlanMode::Bridge).map(drop)
    }),
    ("links.set-bridge", NotFound, "a link that is gone", |g| g.gone.set_bridge(&BridgeOptions::default())),
    ("links.set-bridge", InvalidArgument, "a link that is no bridge", |g| g.plain.set_bridge(&aged(1))),
    ("links.set-bridge", InvalidArgument, "an ageing time of 32 bits", |g| g.bridge.set_bridge(&aged(u32::MAX))),
    ("links.get-bridge", NotFound, "a link that is gone", |g| g.gone.bridge_options().map(drop)),
    ("links.get-bridge", InvalidArgument, "a link that is no bridge", |g| g.plain.bridge_options().map(drop)),
    ("links.set-port", NotFound, "a link that is gone", |g| g.gone.set_port(&PortOptions::default())),
    ("links.set-port", InvalidArgument, "a link that is no port", |g| {
        g.plain.set_port(&PortOptions { unicast_flood: Some(false), ..PortOptions::default() })
    }),
    ("links.set-port", InvalidArgument, "VLAN 4095", |g| {
        g.plain.set_port(&PortOptions { vlans: Some(vec![BridgeVlan::tagged(4095)]), ..PortOptions::default() })
    }),
    ("links.get-port", NotFound, "a link that is gone", |g| g.gone.port_options().map(drop)),
    ("links.get-port", InvalidArgument, "a link that is no port", |g| g.plain.port_options().map(drop)),
    ("links.set-properties", NotFound, "a link that is gone", |g| g.gone.set_properties(&Properties::default())),
    ("links.set-properties", InvalidArgument, "a queue of 16,385 packets", |g| {
        g.plain.set_properties(&Properties { queue_length: Some(16_385), ..Properties::default() })
    }),
    ("links.get-properties", NotFound, "a link that is gone", |g| g.gone.properties().map(drop)),
    ("links.set-offloads", NotFound, "a link that is gone", |g| g.gone.set_offloads(&Offloads::default())),
    ("links.get-offloads", NotFound, "a link that is gone", |g| g.gone.offloads().map(drop)),
    ("links.take-device", InvalidArgument, "a link of its own", |g| g.plain.take_device()),
    ("links.add-wireguard", InvalidArgument, "port 0", |g| links::add_wireguard(&g.end(), 0).map(drop)),
    ("links.read-public-key", NotFound, "a link that is gone", |g| g.gone.public_key().map(drop)),
    ("links.read-public-key", InvalidArgument, "a link of another kind", |g| g.plain.public_key().map(drop)),
    ("links.set-peers", NotFound, "a link that is gone", |g| g.gone.set_peers(&[])),
    ("links.set-peers", InvalidArgument, "a link of another kind", |g| g.plain.set_peers(&[])),
    ("links.set-peers", InvalidArgument, "a peer twice", |g| g.plain.set_peers(&[peer(), peer()])),
    ("links.set-peers", InvalidArgument, "an endpoint on this host", |g| {
        g.plain.set_peers(&[Peer { endpoint: Some(([127, 0, 0, 1], 7).into()), ..peer() }])
    }),
    ("links.remove-peers", InvalidArgument, "a link of another kind", |g| g.plain.remove_peers(&[peer().key])),
    ("links.list-peers", NotFound, "a link that is gone", |g| g.gone.peers().map(drop)),
    ("links.list-peers", InvalidArgument, "a link of another kind", |g| g.plain.peers().map(drop)),
    ("links.get", NotFound, "no such name", |_| links::get(None, "nobody").map(drop)),
    ("links.get", NotFound, "a link of another namespace", |g| {
        links::get(Some(&g.inside), &g.bridge.info()?.name).map(drop)
    }),
    ("links.get", InvalidArgument, "a name with a slash", |_| links::get(None, "a/b").map(drop)),
];

/// Of what is on links.
pub(crate) const ENTRIES: &[Case<Mistake>] = &[
    ("addresses.add", Forbidden, "an address of nobody's", |g| address(&g.plain, net("198.51.100.1/24")?)),
    ("addresses.add", Forbidden, "an IPv6 address of nobody's", |g| address(&g.plain, net("2001:db8::1/64")?)),
    ("addresses.add", Forbidden, "a network that is wider than the pool", |g| {
        address(&g.plain, IpNet::new(g.own(), 8)?)
    }),
    ("addresses.add", NotFound, "a link that is gone", |g| address(&g.gone, IpNet::from(g.own()))),
    ("addresses.add", AlreadyExists, "an address that is there", |g| {
        addresses::add(&[LinkAddress { link: &g.plain, address: IpNet::from(g.own()) }; 2])
    }),
    ("addresses.add", InvalidArgument, "1,001 addresses", |g| {
        addresses::add(&vec![LinkAddress { link: &g.plain, address: g.own().into() }; 1001])
    }),
    ("routes.add", Forbidden, "a destination of nobody's", |g| {
        routes::add(&[Route::new(&g.bridge, net("198.51.100.0/24")?)])
    }),
    ("routes.add", Forbidden, "a default route", |g| routes::add(&[Route::new(&g.bridge, net("0.0.0.0/0")?)])),
    ("routes.add", Forbidden, "an IPv6 default route", |g| routes::add(&[Route::new(&g.bridge, net("::/0")?)])),
    ("routes.add", Forbidden, "more than the pool", |g| routes::add(&[Route::new(&g.bridge, IpNet::new(g.own(), 8)?)])),
    ("routes.add", Forbidden, "the kernel's table 255", |g| {
        routes::add(&[Route { table: Some(255), ..Route::new(&g.bridge, g.own().into()) }])
    }),
    ("routes.add", NotFound, "a link that is gone", |g| routes::add(&[Route::new(&g.gone, g.own().into())])),
    ("routes.add", AlreadyExists, "a route that is there", |g| {
        routes::add(&[Route { table: Some(4250), ..Route::new(&g.bridge, g.own().into()) }; 2])
    }),
    ("addresses.list", NotFound, "a link that is gone", |g| addresses::list(&g.gone).map(drop)),
    ("routes.add", InvalidArgument, "an IPv4 gateway for an IPv6 destination", |g| {
        routes::add(&[Route { gateway: Some(FOREIGN), ..Route::new(&g.bridge, net("fd00::/64")?) }])
    }),
    ("routes.add-paths", AlreadyExists, "a path that is there", |g| {
        let path = || routes::Path { table: Some(4251), ..routes::Path::new(g.pool, routes::Way::Blackhole) };
        routes::add_paths(None, &[path(), path()])
    }),
    ("routes.add-paths", Forbidden, "a destination of nobody's", |_| {
        routes::add_paths(None, &[routes::Path::new(FOREIGN.into(), routes::Way::Blackhole)])
    }),
    ("routes.add-paths", InvalidArgument, "no next hop", |g| {
        routes::add_paths(None, &[routes::Path::new(g.pool, routes::Way::NextHops(Vec::new()))])
    }),
    ("routes.add-paths", NotFound, "a link that is gone", |g| {
        let hop = routes::NextHop { link: &g.gone, gateway: None, on_link: false, weight: 1 };
        routes::add_paths(None, &[routes::Path::new(g.pool, routes::Way::NextHops(vec![hop]))])
    }),
    ("routes.list", NotFound, "a link that is gone", |g| routes::list(&g.gone).map(drop)),
    ("rules.add", InvalidArgument, "nothing that ties it to the network", |_| {
        let (source, destination, input_link, mark) = (None, None, None, None);
        rules::add(None, &[rules::Rule { priority: 4250, source, destination, input_link, mark, table: 4250 }])
    }),
    ("rules.add", InvalidArgument, "the priority 0", |g| policy(g, 0, 4250, None, None)),
    ("rules.add", InvalidArgument, "the priority 32,766", |g| policy(g, 32_766, 4250, None, None)),
    ("rules.add", InvalidArgument, "the table 0", |g| policy(g, 4250, 0, None, None)),
    ("rules.add", InvalidArgument, "two families", |g| policy(g, 4250, 4250, Some("10.0.0.0/8"), Some("fd00::/8"))),
    ("rules.add", Forbidden, "a source of nobody's", |g| policy(g, 4250, 4250, Some("198.51.100.0/24"), None)),
    ("rules.add", Forbidden, "the kernel's table 255", |g| policy(g, 4250, 255, None, None)),
    ("rules.add", NotFound, "a link that is gone", |g| {
        let (source, destination, mark) = (Some(g.pool), None, None);
        let input_link = Some(&g.gone);
        rules::add(None, &[rules::Rule { priority: 4250, source, destination, input_link, mark, table: 4250 }])
    }),
    ("rules.remove", InvalidArgument, "nothing that ties it to the network", |_| {
        let (source, destination, input_link, mark) = (None, None, None, None);
        rules::remove(None, &[rules::Rule { priority: 4250, source, destination, input_link, mark, table: 4250 }])
    }),
    ("rules.add-of-family", InvalidArgument, "a source of the other family", |g| of_family(g, true, None)),
    ("rules.add-of-family", InvalidArgument, "nothing that ties it to the network", |g| of_family(g, false, None)),
    ("rules.add-of-family", NotFound, "a link that is gone", |g| of_family(g, false, Some(&g.gone))),
    ("rules.remove-of-family", InvalidArgument, "a source of the other family", |g| {
        let (source, destination, input_link, mark) = (Some(g.pool), None, None, None);
        let rule = rules::Rule { priority: 4250, source, destination, input_link, mark, table: 4250 };
        rules::remove_of_family(other_family(g.pool), None, &[rule])
    }),
    ("routes.list-whole", NotFound, "a link that is gone", |g| routes::list_whole(&g.gone).map(drop)),
    ("neighbours.add", Forbidden, "an address of nobody's", |g| {
        neighbours::add(&[Neighbour { link: &g.bridge, address: FOREIGN, mac_address: MAC }])
    }),
    ("neighbours.add", NotFound, "a link that is gone", |g| {
        neighbours::add(&[Neighbour { link: &g.gone, address: g.own(), mac_address: MAC }])
    }),
    ("neighbours.add-proxies", AlreadyExists, "what the host answers for", |g| {
        let proxy = neighbours::Proxy { link: &g.bridge, address: g.own() };
        neighbours::add_proxies(&[proxy, proxy])
    }),
    ("neighbours.add-proxies", Forbidden, "an address of nobody's", |g| {
        neighbours::add_proxies(&[neighbours::Proxy { link: &g.bridge, address: FOREIGN }])
    }),
    ("neighbours.add-proxies", NotFound, "a link that is gone", |g| {
        neighbours::add_proxies(&[neighbours::Proxy { link: &g.gone, address: g.own() }])
    }),
    ("neighbours.add-forwarding", InvalidArgument, "a host to send to on what is no vxlan", |g| {
        neighbours::add_forwarding(&[ForwardingEntry { link: &g.plain, mac_address: MAC, remote: Some(FOREIGN) }])
    }),
    ("neighbours.add-forwarding", NotFound, "a link that is gone", |g| {
        neighbours::add_forwarding(&[ForwardingEntry { link: &g.gone, mac_address: MAC, remote: None }])
    }),
    ("neighbours.list", NotFound, "a link that is gone", |g| neighbours::list(&g.gone).map(drop)),
    ("neighbours.list-forwarding", NotFound, "a link that is gone", |g| neighbours::list_forwarding(&g.gone).map(drop)),
    ("shaping.set-rate", NotFound, "a link that is gone", |g| shaping::set_rate(&g.gone, None)),
    ("shaping.set-rate", InvalidArgument, "no rate", |g| limited(&g.plain, 0, 32_000)),
    ("shaping.set-rate", InvalidArgument, "a rate of 64 bits", |g| limited(&g.plain, u64::MAX, 32_000)),
    ("shaping.set-rate", InvalidArgument, "a burst that no packet has room in", |g| limited(&g.plain, 125_000, 1_000)),
    ("shaping.get-rate", NotFound, "a link that is gone", |g| shaping::get_rate(&g.gone).map(drop)),
    ("shaping.add-ifb", AlreadyExists, "the name of another link", |g| {
        shaping::add_ifb(None, &g.bridge.info()?.name).map(drop)
    }),
    ("shaping.add-ifb", InvalidArgument, "no name", |_| shaping::add_ifb(None, "").map(drop)),
    ("shaping.redirect", NotFound, "a link that is gone", |g| shaping::redirect(&g.gone, None)),
    ("shaping.redirect", NotFound, "through a link that is gone", |g| shaping::redirect(&g.plain, Some(&g.gone))),
    ("shaping.redirect", InvalidArgument, "through a bridge", |g| shaping::redirect(&g.plain, Some(&g.bridge))),
    ("shaping.redirect", InvalidArgument, "in another namespace", |g| shaping::redirect(&g.plain, Some(&g.inner))),
    ("sysctls.get-link", NotFound, "a link that is gone", |g| {
        sysctls::get_link(&g.gone, LinkSysctl::Ipv4ProxyArp).map(drop)
    }),
    ("sysctls.set-link", NotFound, "a link that is gone", |g| sysctls::set_link(&g.gone, LinkSysctl::Ipv4ProxyArp, 1)),
    ("sysctls.get-neighbour", NotFound, "a link that is gone", |g| {
        sysctls::get_neighbour(&g.gone, sysctls::NeighbourSysctl::Ipv4ProxyDelay).map(drop)
    }),
    ("sysctls.set-neighbour", NotFound, "a link that is gone", |g| {
        sysctls::set_neighbour(&g.gone, sysctls::NeighbourSysctl::Ipv4ProxyDelay, 0)
    }),
    ("forwarding.allow", NotFound, "a link that is gone", |g| forwarding::allow(&g.gone, true, false)),
    ("forwarding.allow", InvalidArgument, "a link in another namespace", |g| forwarding::allow(&g.inner, true, false)),
    ("forwarding.allow", InvalidArgument, "a name that iptables misreads", |g| forwarding::allow(&g.odd, true, true)),
];

/// Of packet rules.
pub(crate) const PACKETS: &[Case<Mistake>] = &[
    ("nftables.add", InvalidArgument, "no tie to the network", |_| {
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).when(Protocol(Ip::TCP)))
    }),
    ("nftables.add", InvalidArgument, "a tie that is negated", |g| {
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).unless(InputLink(&g.bridge)))
    }),
    ("nftables.add", InvalidArgument, "more than the pool for a tie", |g| {
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).when(Source(IpNet::new(g.own(), 8)?.trunc())))
    }),
    ("nftables.add", InvalidArgument, "translation in a filter chain", |g| {
        of_source(g, Chain::FORWARD, Verdict::Masquerade)
    }),
    ("nftables.add", InvalidArgument, "masquerade before routing", |g| {
        of_source(g, Chain::NAT_PREROUTING, Verdict::Masquerade)
    }),
    ("nftables.add", InvalidArgument, "a new destination after routing", |g| {
        of_source(g, Chain::NAT_POSTROUTING, Verdict::DestinationNat(to(g.own())))
    }),
    ("nftables.add", InvalidArgument, "a new source before routing", |g| {
        of_source(g, Chain::NAT_PREROUTING, Verdict::SourceNat(to(g.own())))
    }),
    ("nftables.add", InvalidArgument, "drop in a nat chain", |g| of_source(g, Chain::NAT_POSTROUTING, Verdict::Drop)),
    ("nftables.add", InvalidArgument, "nat at the hook forward", |g| {
        let chain = Chain { chain_type: ChainType::Nat, hook: Hook::Forward, priority: 0 };
        of_source(g, chain, Verdict::Accept)
    }),
    ("nftables.add", InvalidArgument, "a port without a protocol", |g| {
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).when(InputLink(&g.bridge)).when(DestinationPort(1.into())))
    }),
    ("nftables.add", InvalidArgument, "a port of a protocol that has none", |g| {
        let icmp = Rule::new(Chain::FORWARD, Verdict::Drop).when(InputLink(&g.bridge)).when(Protocol(Ip::ICMP));
        rule(icmp.when(DestinationPort(1.into())))
    }),
    ("nftables.add", InvalidArgument, "a range of ports that ends before it begins", |g| {
        let tcp = Rule::new(Chain::FORWARD, Verdict::Drop).when(InputLink(&g.bridge)).when(Protocol(Ip::TCP));
        rule(tcp.when(DestinationPort(PortRange { first: 9, last: 8 })))
    }),
    ("nftables.add", InvalidArgument, "a connection of no state", |g| {
        let none = ConnectionStates { new: false, established: false, related: false, invalid: false };
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).when(InputLink(&g.bridge)).when(Connection(none)))
    }),
    ("nftables.add", InvalidArgument, "17 conditions", |g| {
        rule((0..17).fold(Rule::new(Chain::FORWARD, Verdict::Drop), |rule, _| rule.when(InputLink(&g.bridge))))
    }),
    ("nftables.add", InvalidArgument, "a link in another namespace", |g| {
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).when(OutputLink(&g.inner)))
    }),
    ("nftables.add", NotFound, "a link that is gone", |g| {
        rule(Rule::new(Chain::FORWARD, Verdict::Drop).when(OutputLink(&g.gone)))
    }),
    ("nftables.add", Forbidden, "a loopback address for a new source", |g| {
        of_source(g, Chain::NAT_POSTROUTING, Verdict::SourceNat(to(Ipv4Addr::LOCALHOST.into())))
    }),
    ("nftables.add", Forbidden, "a new source of nobody's for what comes to the host", |g| {
        of_source(g, Chain::nat(Hook::Input, 100), Verdict::SourceNat(to(FOREIGN)))
    }),
    ("nftables.add", Forbidden, "a new destination of nobody's", |g| {
        rule(Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(to(FOREIGN))).when(InputLink(&g.bridge)))
    }),
    ("nftables.add", Forbidden, "packets to a port that is not taken", |g| {
        let all = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(to(g.own()))).when(DestinationLocal);
        rule(all.when(Protocol(Ip::TCP)).when(DestinationPort(4299.into())))
    }),
    ("nftables.remove", InvalidArgument, "1,001 ids", |_| nftables::remove(&vec![nftables::RuleId(0); 1001])),
    ("nftables.add-set", AlreadyExists, "a name twice", |g| {
        make_set(g, "pbs", SetKind::Ipv4)?;
        make_set(g, "pbs", SetKind::Ipv4)
    }),
    ("nftables.add-set", InvalidArgument, "a name with a slash", |_| packets::add_set(None, "a/b", SetKind::Ipv4)),
    ("nftables.add-set", InvalidArgument, "a name of the kernel's", |_| packets::add_set(None, "_a", SetKind::Ipv4)),
    ("nftables.remove-set", Forbidden, "a set that a rule looks into", |g| {
        let name = g.name("pbu");
        packets::add_set(None, &name, SetKind::Ipv4)?;
        packet_rule(of_bridge(g).when(packets::Property::Member { field: Field::Source, set: &name }))?;
        packets::remove_set(&name)
    }),
    ("nftables.add-elements", NotFound, "no such set", |_| packets::add_elements("none", &[])),
    ("nftables.add-elements", AlreadyExists, "elements that overlap", |g| {
        let name = g.name("pbo");
        packets::add_set(None, &name, SetKind::Ipv4)?;
        packets::add_elements(&name, &[net("192.0.2.0/24")?.into(), net("192.0.2.7/32")?.into()])
    }),
    ("nftables.add-elements", InvalidArgument, "an element of another kind", |g| {
        let name = g.name("pbk");
        packets::add_set(None, &name, SetKind::Ports)?;
        packets::add_elements(&name, &[net("192.0.2.0/24")?.into()])
    }),
    ("nftables.add-elements", InvalidArgument, "a protocol without ports in a map", |g| {
        let name = g.name("pbi");
        packets::add_set(None, &name, map_of(g))?;
        let to = (g.own(), 80).into();
        packets::add_elements(&name, &[packets::Element::HostPort { protocol: Ip::ICMP, port: 1, to }])
    }),
    ("nftables.add-elements", Forbidden, "a port that is not taken", |g| {
        let name = g.name("pbm");
        packets::add_set(None, &name, map_of(g))?;
        let to = (g.own(), 80).into();
        packets::add_elements(&name, &[packets::Element::HostPort { protocol: Ip::TCP, port: 4299, to }])
    }),
    ("nftables.add-elements", AlreadyExists, "a port twice in a map", |g| {
        let name = g.name("pbw");
        packets::add_set(None, &name, map_of(g))?;
        let to = |port| packets::Element::HostPort { protocol: Ip::TCP, port: 4299, to: (g.own(), port).into() };
        packets::add_elements(&name, &[to(80), to(81)])
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a set where a map is looked up", |g| {
        let name = g.name("pbq");
        packets::add_set(None, &name, SetKind::Ports)?;
        packet_rule(PacketRule::new(Chain::NAT_PREROUTING, Action::DestinationNatBy(&name)))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a map where a set is looked into", |g| {
        let name = g.name("pby");
        packets::add_set(None, &name, SetKind::Ipv4Marks)?;
        packet_rule(of_bridge(g).when(packets::Property::Member { field: Field::Source, set: &name }))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a mark by a port", |g| {
        let name = g.name("pbv");
        packets::add_set(None, &name, SetKind::Ipv4Marks)?;
        packet_rule(of_bridge(g).and(Statement::SetMarkBy { field: Field::SourcePort, map: &name, mask: 0 }))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a map in a filter chain", |g| {
        let name = g.name("pbt");
        packets::add_set(None, &name, map_of(g))?;
        packet_rule(PacketRule::new(Chain::FORWARD, Action::DestinationNatBy(&name)).when(InputLink(&g.bridge)))
    }),
    ("nftables.list-elements", NotFound, "no such set", |_| packets::list_elements("none").map(drop)),
    ("nftables.add-frame-rules", InvalidArgument, "no link of its own", |g| {
        frame_rule(FrameRule::new(Hook::Forward, 0, Verdict::Drop).when(Source(g.pool)))
    }),
    ("nftables.add-frame-rules", InvalidArgument, "a translation at a bridge", |g| {
        frame_rule(FrameRule::new(Hook::Forward, 0, Verdict::Masquerade).when(InputLink(&g.bridge)))
    }),
    ("nftables.add-frame-rules", InvalidArgument, "a connection at a bridge", |g| {
        let rule = FrameRule::new(Hook::Forward, 0, Verdict::Drop).when(InputLink(&g.bridge));
        frame_rule(rule.when(DestinationLocal))
    }),
    ("nftables.add-frame-rules", InvalidArgument, "segments at a bridge", |g| {
        let rule = FrameRule::new(Hook::Forward, 0, Verdict::Drop).when(InputLink(&g.bridge)).when(Protocol(Ip::TCP));
        frame_rule(rule.and(Statement::ClampSegmentSize(None)))
    }),
    ("nftables.add-frame-rules", NotFound, "a link that is gone", |g| {
        frame_rule(FrameRule::new(Hook::Forward, 0, Verdict::Drop).when(InputLink(&g.gone)))
    }),
    ("nftables.add-chain", AlreadyExists, "a name twice", |g| {
        chains::add(None, &g.name("pbc"), Chain::FORWARD)?;
        chains::add(None, &g.name("pbc"), Chain::FORWARD)
    }),
    ("nftables.add-chain", InvalidArgument, "a name with a slash", |_| chains::add(None, "a/b", Chain::FORWARD)),
    ("nftables.add-chain", InvalidArgument, "translation of what is forwarded", |g| {
        chains::add(None, &g.name("pbf"), Chain::nat(Hook::Forward, 0))
    }),
    ("nftables.remove-chain", Forbidden, "a chain with a rule in it", |g| {
        let name = g.name("pbr");
        chains::add(None, &name, Chain::FORWARD)?;
        chains::add_rules(&name, &[ChainRule::new(Action::Proceed)])?;
        chains::remove(&name)
    }),
    ("nftables.add-chain-rules", NotFound, "no such chain", |_| chains::add_rules("none", &[]).map(drop)),
    ("nftables.add-chain-rules", InvalidArgument, "a way to a chain that was made later", |g| {
        let (first, second) = (g.name("pb1"), g.name("pb2"));
        chains::add(None, &first, Chain::FORWARD)?;
        chains::add(None, &second, Chain::FORWARD)?;
        chains::add_rules(&first, &[ChainRule::new(Action::Jump(&second))]).map(drop)
    }),
    ("nftables.add-chain-rules", Forbidden, "a new destination of nobody's", |g| {
        let name = g.name("pbn");
        chains::add(None, &name, Chain::NAT_PREROUTING)?;
        chains::add_rules(&name, &[ChainRule::new(Verdict::DestinationNat(to(FOREIGN)))]).map(drop)
    }),
    ("nftables.add-packet-rules", Forbidden, "a new destination of nobody's", |g| {
        let nat = PacketRule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(to(FOREIGN)));
        packet_rule(nat.when(InputLink(&g.bridge)).and(Statement::Counter))
    }),
    ("nftables.add-packet-rules", NotFound, "no such set", |g| {
        packet_rule(of_bridge(g).when(packets::Property::Member { field: Field::Source, set: "none" }))
    }),
    ("nftables.add-packet-rules", NotFound, "a link that is gone", |g| {
        packet_rule(PacketRule::new(Chain::FORWARD, Action::Proceed).when(OutputLink(&g.gone)))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "no tie to the network", |_| {
        packet_rule(PacketRule::new(Chain::FORWARD, Action::Proceed).and(Statement::Counter))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "flags of no protocol", |g| {
        let (set, mask) = (TcpFlags::default(), TcpFlags { syn: true, ..TcpFlags::default() });
        packet_rule(of_bridge(g).when(packets::Property::TcpFlags { set, mask }))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a message of no protocol", |g| {
        packet_rule(of_bridge(g).when(packets::Property::IcmpType(8)))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "bits beside the mask", |g| {
        packet_rule(of_bridge(g).when(packets::Property::Mark(MarkBits { value: 3, mask: 1 })))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a rejection after routing", |g| {
        let reject = PacketRule::new(Chain::filter(Hook::Postrouting, 100), Action::Reject(Rejection::Prohibited));
        packet_rule(reject.when(OutputLink(&g.bridge)))
    }),
    ("nftables.add-packet-rules", InvalidArgument, "a log with a newline", |g| {
        let log = PacketRule::new(Chain::FORWARD, Action::Log { prefix: "a\nb", rate: 1 });
        packet_rule(log.when(InputLink(&g.bridge)))
    }),
    ("nftables.read-counters", InvalidArgument, "1,001 ids", |_| {
        packets::counters(&vec![nftables::RuleId(0); 1001]).map(drop)
    }),
    ("nftables.add", Forbidden, "packets to an address of nobody's", |g| {
        let nat = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(to(g.own())));
        rule(nat.when(Destination(FOREIGN.into())))
    }),
];

/// Of ports of the host, the store and tables.
pub(crate) const STATE: &[Case<Mistake>] = &[
    ("ports.take", AlreadyExists, "a port that is taken", |g| {
        ports::take(Ip::TCP, &[ANY], g.port()..=g.port())?;
        ports::take(Ip::TCP, &[ANY], g.port()..=g.port()).map(drop)
    }),
    ("ports.take", Unavailable, "a range that is used up", |g| {
        ports::take_range(Ip::UDP, &[ANY], g.port()..=g.port() + 1)?;
        ports::take(Ip::UDP, &[ANY], g.port()..=g.port() + 1).map(drop)
    }),
    ("ports.take", InvalidArgument, "a protocol without ports", |_| ports::take(Ip::ICMP, &[ANY], 1..=1).map(drop)),
    ("ports.take", InvalidArgument, "no address", |_| ports::take(Ip::TCP, &[], 4292..=4292).map(drop)),
    ("ports.take-range", AlreadyExists, "a port that is taken", |g| {
        ports::take(Ip::SCTP, &[ANY], g.port() + 1..=g.port() + 1)?;
        ports::take_range(Ip::SCTP, &[ANY], g.port()..=g.port() + 2)
    }),
    ("ports.take-range", InvalidArgument, "port 0", |_| ports::take_range(Ip::TCP, &[ANY], 0..=1)),
    ("ports.release", InvalidArgument, "no address", |_| ports::release(Ip::TCP, &[], 4292)),
    ("ports.release-range", InvalidArgument, "port 0", |_| ports::release_range(Ip::TCP, &[ANY], 0..=1)),
    ("store.set", InvalidArgument, "no key", |_| store::set_bytes("", b"")),
    ("store.get", InvalidArgument, "a key that is not ASCII", |_| store::get_bytes("é").map(drop)),
    ("store.list", InvalidArgument, "a prefix with a tab", |_| store::list_bytes("\t").map(drop)),
    ("store.remove", InvalidArgument, "a key of 257 bytes", |_| store::remove(&"k".repeat(257))),
    ("store.set", InvalidArgument, "a value of 64 KiB and a byte", |_| store::set_bytes("k", &[0; 65_537])),
    ("tables.put", InvalidArgument, "a table's name with a space", |_| tables::put("a b", "k", b"")),
    ("tables.get", InvalidArgument, "a table's name with a slash", |_| tables::get("a/b", "k").map(drop)),
    ("tables.list", InvalidArgument, "no table's name", |_| tables::list("").map(drop)),
    ("tables.put", InvalidArgument, "a value of 64 KiB and a byte", |_| tables::put(TABLE, "k", &[0; 65_537])),
    ("tables.remove", InvalidArgument, "no key", |_| tables::remove(TABLE, "")),
    ("tables.remove", NotFound, "an entry that is not there", |_| tables::remove(TABLE, "nobody")),
];

fn pools(info: &NetworkInfo, pool: Option<&str>, gateway: Option<&str>) -> Result<()> {
    let [pool, gateway] = [pool, gateway].map(|text| text.map(net).transpose());
    info.update_ipam_config(&[IpamData { pool: pool?, gateway: gateway?, ..IpamData::default() }])
}

/// Of a network that has pools.
pub(crate) const NETWORK: &[Case<OnNetwork>] = &[
    ("capabilities.network-info.table-event-register", InvalidArgument, "a name with a slash", |n| {
        n.table_event_register("a/b", ObjectType::Network)
    }),
    ("capabilities.network-info.table-event-register", InvalidArgument, "a name with a space", |n| {
        n.table_event_register("a b", ObjectType::Network)
    }),
    ("capabilities.network-info.update-ipam-config", Forbidden, "a network with pools", |n| {
        pools(n, Some("192.0.2.0/24"), None)
    }),
    ("capabilities.network-info.update-ipam-config", InvalidArgument, "an IPv6 pool", |n| {
        pools(n, Some("fd99::/64"), None)
    }),
    ("capabilities.network-info.update-ipam-config", InvalidArgument, "no pool", |n| pools(n, None, None)),
    ("capabilities.network-info.update-ipam-config", InvalidArgument, "a gateway outside of the pool", |n| {
        pools(n, Some("192.0.2.0/24"), Some("198.51.100.1/24"))
    }),
    ("capabilities.network-info.update-ipam-config", InvalidArgument, "an IPv6 gateway", |n| {
        pools(n, Some("192.0.2.0/24"), Some("fd99::1/64"))
    }),
];

/// Of an endpoint that has a MAC and addresses.
pub(crate) const ENDPOINT: &[Case<OnEndpoint>] = &[
    ("capabilities.interface-info.set-mac-address", InvalidArgument, "a multicast address", |e| {
        e.set_mac_address(MacAddress([1, 0, 0, 0, 0, 1]))
    }),
    ("capabilities.interface-info.set-mac-address", InvalidArgument, "zero", |e| e.set_mac_address(MacAddress([0; 6]))),
    ("capabilities.interface-info.set-mac-address", Forbidden, "a second one", |e| {
        let first = MacAddress::random();
        if e.mac_address().is_none() {
            e.set_mac_address(first)?;
        }
        e.set_mac_address(MacAddress::random())
    }),
    ("capabilities.interface-info.set-ip-address", Forbidden, "an address outside of the pools", |e| {
        e.set_ip_address(net("198.51.100.1/24")?)
    }),
    ("capabilities.interface-info.set-ip-address", Forbidden, "an IPv6 address outside of the pools", |e| {
        e.set_ip_address(net("2001:db8::1/64")?)
    }),
];

/// Of a join.
pub(crate) const JOIN: &[Case<OnJoin>] = &[
    ("capabilities.interface-name-info.set-names", Forbidden, "a link that is the network's", |j| {
        j.info.interface_name().set_names(&j.bridge, "eth", None)
    }),
    ("capabilities.interface-name-info.set-names", InvalidArgument, "no prefix", |j| {
        j.info.interface_name().set_names(&j.bridge, "", None)
    }),
    ("capabilities.interface-name-info.set-names", InvalidArgument, "a name with a colon", |j| {
        j.info.interface_name().set_names(&j.bridge, "eth", Some("eth:0"))
    }),
    ("capabilities.join-info.add-static-route", Forbidden, "a destination of nobody's", |j| {
        j.info.add_static_route(net("198.51.100.0/24")?, StaticRoute::Connected)
    }),
    ("capabilities.join-info.add-static-route", Forbidden, "a default route", |j| {
        j.info.add_static_route(net("0.0.0.0/0")?, StaticRoute::Connected)
    }),
    ("capabilities.join-info.add-static-route", Forbidden, "an IPv6 default route", |j| {
        j.info.add_static_route(net("::/0")?, StaticRoute::NextHop("fe80::1".parse()?))
    }),
    ("capabilities.join-info.add-table-entry", AlreadyExists, "a key that has an entry", |j| {
        j.info.add_table_entry(TABLE, j.endpoint, b"first")?;
        j.info.add_table_entry(TABLE, j.endpoint, b"second")
    }),
    ("capabilities.join-info.add-table-entry", InvalidArgument, "a table's name with a slash", |j| {
        j.info.add_table_entry("a/b", j.endpoint, b"")
    }),
    ("capabilities.join-info.add-table-entry", InvalidArgument, "no key", |j| j.info.add_table_entry(TABLE, "", b"")),
];

/// Goes through a table; answers what is not so.
fn wrong<Call>(cases: &[Case<Call>], make: impl Fn(&Call) -> Result<()>) -> Vec<String> {
    let outcome = |(call, kind, what, act): &Case<Call>| match make(act) {
        Err(error) if error.kind == *kind => None,
        Err(error) => Some(format!("{call} of {what}: {:?} ({}) instead of {kind:?}", error.kind, error.message)),
        Ok(()) => Some(format!("{call} of {what}: went well instead of {kind:?}")),
    };
    cases.iter().filter_map(outcome).collect()
}

fn nothing(wrong: &[String]) -> Result<()> {
    ensure(wrong.is_empty(), &wrong.join("; "))
}

/// The errors of a network's or an endpoint's call.
pub(super) fn errors(stage: &Stage) -> Result<()> {
    let pool = stage.network.pools().next().ok_or_else(|| Error::invalid_argument("the errors need a pool"))?;
    let inside = namespaces::add(&stage.link_name("err-"))?;
    let [gone, odd, plain, peer] = ["pbg", "pb+", "pbi", "pbj"].map(|prefix| LinkEnd::named(stage.link_name(prefix)));
    let gone = links::add_one(LinkSpec::bridge(gone))?.link;
    gone.remove()?;
    let given = Given {
        bridge: stage.bridge()?,
        gone,
        inner: links::add_one(LinkSpec::bridge(LinkEnd { namespace: Some(&inside), ..LinkEnd::named("inner") }))?.link,
        plain: links::add_one(LinkSpec::veth(plain, peer))?.link,
        odd: links::add_one(LinkSpec::bridge(odd))?.link,
        inside,
        pool,
        stage,
    };
    let all = [LINKS, ENTRIES, PACKETS, STATE].into_iter().flat_map(|cases| wrong(cases, |act| act(&given)));
    nothing(&all.collect::<Vec<_>>())
}

/// The errors of a network's information.
pub(super) fn of_network(info: &NetworkInfo) -> Result<()> {
    nothing(&wrong(NETWORK, |act| act(info)))
}

/// The errors of an endpoint's information.
pub(super) fn of_endpoint(info: &InterfaceInfo) -> Result<()> {
    nothing(&wrong(ENDPOINT, |act| act(info)))
}

/// The errors of a join.
pub(super) fn of_join(endpoint: &str, network: &Network, info: &JoinInfo) -> Result<()> {
    let bridge = network.bridge.as_deref().ok_or_else(|| Error::invalid_argument("the errors need a bridge"))?;
    let given = OfJoin { info, bridge: links::get(None, bridge)?, endpoint };
    nothing(&wrong(JOIN, |act| act(&given)))
}
