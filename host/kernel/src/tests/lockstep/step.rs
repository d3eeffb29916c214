//! Random changes, and the same change for either kernel.

use crate::tests::lockstep::side::{BEHIND, CHAINS, OF_FRAMES, OF_NAMESPACE, SETTINGS, Side, TABLES};
use crate::tests::lockstep::value::{changes, kind, new_end, nft_rule, options, packet, path, route, rule, tunnel};
use crate::tests::lockstep::*;

/// A namespace's number and an index there.
pub type At = (usize, u32);

/// A change. The one of the fake is meant for it alone where it has a namespace in it.
#[derive(Debug)]
pub enum Step {
    /// The first end's namespace, the other's, and the link as if both were on the host.
    AddLink(usize, usize, LinkSpec),
    SetLink(At, LinkChanges),
    MoveLink(At, usize),
    RemoveLink(At),
    OwnName(At, bool),
    Address(At, IpNet, bool),
    /// As if on the host.
    Route(At, Route, bool),
    /// As if on the host.
    Path(usize, RoutePath, bool),
    Proxy(At, std::net::IpAddr, bool),
    Rule(usize, Rule, bool),
    Neighbour(At, std::net::IpAddr, MacAddress, bool),
    Forwarding(At, MacAddress, Option<std::net::IpAddr>, bool),
    AddNftRules(usize, String, Vec<NftRule>),
    /// By their numbers in the order in which they were made.
    RemoveNftRules(usize, String, Vec<usize>),
    RemoveNftTable(usize, String),
    NftChain(usize, String, String, bool),
    /// Namespace, table, and the set's name.
    NftSet(usize, String, String, bool),
    NftElements(usize, String, String, Vec<NftElement>, bool),
    Sysctl(usize, Sysctl, i32),
    Rate(At, Option<Rate>),
    Redirect(At, Option<u32>),
    /// Peers, and those that go.
    Peers(At, Vec<Peer>, Vec<PublicKey>),
    Options(At, LinkOptions),
    TakeDevice(At),
    /// The number of a device that was taken, and the sandbox where it goes.
    MoveDevice(usize, usize),
    GiveBack(usize),
    Namespace(String, bool),
    TakePort(PortWish),
    ReleasePort(HostPort),
}

/// Mostly one that is there.
pub fn link(random: &mut Random, side: &Side) -> At {
    let space = if random.one_in(3) { random.below(side.spaces.len()) } else { 0 };
    let there = side.kernel().links(&side.spaces[space]).unwrap_or_default();
    let own: Vec<u32> = there.iter().filter(|link| link.mark != Mark::Foreign).map(|link| link.index).collect();
    match random.below(12) {
        0 => (space, 1),
        1 => (space, random.below(9) as u32 + 1),
        _ if own.is_empty() => (space, 77),
        _ => (space, random.pick(&own)),
    }
}

/// Mostly the host.
fn spaces(random: &mut Random, side: &Side) -> usize {
    if random.one_in(3) { random.below(side.spaces.len()) } else { 0 }
}

impl Step {
    pub fn random(random: &mut Random, side: &Side) -> Self {
        let (space, other) = (spaces(random, side), spaces(random, side));
        let at = link(random, side);
        let add = !random.one_in(4);
        match random.below(62) {
            56..=57 => {
                let there = side.kernel().links(&Namespace::Host).unwrap();
                let card = there.iter().find(|link| link.mark == Mark::Foreign && link.index != 1);
                Self::TakeDevice(card.map_or(at, |card| (0, card.index)))
            }
            58 if !side.devices.is_empty() => Self::MoveDevice(random.below(side.devices.len()), space.max(1)),
            59 if !side.devices.is_empty() => Self::GiveBack(random.below(side.devices.len())),
            60..=61 => {
                let rules = (0..random.below(3)).map(|_| packet::of_frames(random)).collect();
                Self::AddNftRules(space, OF_FRAMES.into(), rules)
            }
            50..=51 => {
                let (table, chain) = (random.pick(&TABLES).into(), random.pick(&CHAINS).into());
                Self::NftChain(space, table, chain, add)
            }
            52..=55 => Self::Options(at, options(random)),
            39..=41 => {
                let rate = |random: &mut Random| Rate { bytes: random.pick(&[125_000, 5_000_000_000]), burst: 32_000 };
                Self::Rate(at, add.then(|| rate(random)))
            }
            42..=43 => {
                let there = side.kernel().links(&side.spaces[at.0]).unwrap_or_default();
                let ifb = there.iter().find(|link| link.kind == "ifb" && link.mark == Mark::Owned);
                let to = ifb.map_or(77, |link| link.index);
                Self::Redirect(at, add.then(|| if random.one_in(6) { at.1 } else { to }))
            }
            36 | 44 => Self::NftSet(space, random.pick(&TABLES).into(), random.pick(&packet::NAMES).into(), add),
            37..=38 | 45 => {
                let set = random.pick(&packet::NAMES);
                let elements = packet::elements(random, set);
                Self::NftElements(space, random.pick(&TABLES).into(), set.into(), elements, add)
            }
            46 if tunnel::are_there() => {
                let end = new_end(random, side, space);
                let spec = tunnel::spec(random, end);
                Self::AddLink(0, 0, spec)
            }
            47..=49 if tunnel::are_there() => {
                let at = tunnel::tunnel(random, side, at);
                let peers = (0..random.below(3)).map(|_| tunnel::peer(random)).collect();
                let gone = (0..random.below(2)).map(|_| tunnel::key(random)).collect();
                Self::Peers(at, peers, gone)
            }
            32..=33 => Self::Path(at.0, path(random, at.1), add),
            34..=35 => Self::Proxy(at, if random.one_in(2) { random.ipv4() } else { random.ipv6() }, add),
            0..=5 => {
                let spec = LinkSpec { end: new_end(random, side, space), kind: kind(random, side, other) };
                Self::AddLink(space, other, spec)
            }
            6..=10 => Self::SetLink(at, changes(random, side, at.0)),
            11 if random.one_in(2) => Self::OwnName(at, add),
            11 => Self::MoveLink(at, other),
            12..=15 => Self::Address(at, random.address(), add),
            16..=19 => {
                let route = route(random);
                // An IPv6 route through a loopback is one to nowhere, and not the layer's.
                let at = if at.1 == 1 && route.destination.addr().is_ipv6() { (at.0, 2) } else { at };
                Self::Route(at, route, add)
            }
            20..=21 => Self::Rule(space, rule(random), add),
            22 => Self::Neighbour(at, if random.one_in(2) { random.ipv4() } else { random.ipv6() }, random.mac(), add),
            23 => {
                // A remote is for tunnels; of a bridge itself, which may come in the same batch, it would make an entry of another kind.
                let key = side.key(at);
                let may_be_bridge = side.kernel().link(&key).ok().flatten().is_none_or(|link| link.kind == "bridge");
                let remote = if may_be_bridge { None } else { random.maybe(Random::ipv4) };
                let mac = MacAddress([2, 0, 0, 0, 9, random.below(3) as u8]);
                Self::Forwarding(at, mac, remote, add)
            }
            24..=25 => Self::AddNftRules(
                space,
                random.pick(&TABLES).into(),
                (0..random.below(4)).map(|_| nft_rule(random)).collect(),
            ),
            26..=27 => {
                let (family, setting) = random.pick(&SETTINGS);
                let sysctl = match random.one_in(4) {
                    true => Sysctl::Namespace(random.pick(&OF_NAMESPACE)),
                    false => Sysctl::Link { family, index: at.1, name: setting },
                };
                // What the kernel counts in ticks it gives back as it was only where that fits.
                let unit = if setting == PROXY_DELAY { 40 } else { 1 };
                Self::Sysctl(if random.one_in(4) { space } else { at.0 }, sysctl, unit * random.pick(&[0, 1, 1, 2]))
            }
            28 if random.one_in(3) => Self::Namespace(random.pick(&["n1", "n2"]).into(), add),
            29 => {
                let any: std::net::IpAddr = random.text(&["0.0.0.0", "::", "10.0.0.1", "127.0.0.1", "fd00::1"]);
                let (protocol, port) = (random.pick(&[6, 17]), random.pick(&[8080, 8081]));
                if add {
                    Self::TakePort(PortWish {
                        protocol,
                        addresses: vec![any],
                        first: port,
                        last: 8082,
                        all: random.one_in(3),
                        own: Vec::new(),
                    })
                } else {
                    let more = if random.one_in(3) { 8082 - port } else { 0 };
                    Self::ReleasePort(HostPort { protocol, port, more, address: any })
                }
            }
            _ => Self::removal(random, side),
        }
    }

    pub fn removal(random: &mut Random, side: &Side) -> Self {
        let (space, at) = (spaces(random, side), link(random, side));
        match random.below(8) {
            0..=1 => Self::RemoveLink(at),
            2 => Self::Address(at, random.address(), false),
            3 => Self::Route(at, route(random), false),
            4 => Self::Rule(space, rule(random), false),
            5 if !side.handles.is_empty() => {
                let numbers = (0..=random.below(3)).map(|_| random.below(side.handles.len())).collect();
                let table = if random.one_in(4) { OF_FRAMES } else { random.pick(&TABLES) };
                Self::RemoveNftRules(space, table.into(), numbers)
            }
            6 => Self::Neighbour(at, random.ipv4(), random.mac(), false),
            _ => Self::RemoveNftTable(space, random.pick(&TABLES).into()),
        }
    }

    /// The change, in a side's own words.
    pub fn change(&self, side: &Side) -> Change {
        let space = |number: usize| side.spaces[number].clone();
        match self {
            Self::AddLink(first, second, spec) => {
                let mut spec = spec.clone();
                spec.end.namespace = space(*first);
                if let LinkKind::Veth(peer) = &mut spec.kind {
                    peer.namespace = space(*second);
                }
                Change::AddLink(spec)
            }
            Self::SetLink(at, changes) => Change::SetLink(side.key(*at), changes.clone()),
            Self::MoveLink(at, to) => Change::MoveLink(side.key(*at), space(*to)),
            Self::RemoveLink(at) => Change::RemoveLink(side.key(*at)),
            Self::OwnName(at, true) => Change::AddOwnName(side.key(*at)),
            Self::OwnName(at, false) => Change::RemoveOwnName(side.key(*at)),
            Self::Address(at, net, true) => Change::AddAddress(side.key(*at), *net),
            Self::Address(at, net, false) => Change::RemoveAddress(side.key(*at), *net),
            Self::Route(at, route, add) => {
                let route = Route { link: side.key(*at), ..route.clone() };
                if *add { Change::AddRoute(route) } else { Change::RemoveRoute(route) }
            }
            Self::Path(at, path, add) => {
                let path = RoutePath { namespace: space(*at), ..path.clone() };
                if *add { Change::AddPath(path) } else { Change::RemovePath(path) }
            }
            Self::Proxy(at, address, add) => {
                let proxy = Proxy { link: side.key(*at), address: *address };
                if *add { Change::AddProxy(proxy) } else { Change::RemoveProxy(proxy) }
            }
            Self::Rule(at, rule, add) => {
                let rule = Rule { namespace: space(*at), ..rule.clone() };
                if *add { Change::AddRule(rule) } else { Change::RemoveRule(rule) }
            }
            Self::Neighbour(at, address, mac, add) => {
                let neighbour = Neighbour { link: side.key(*at), address: *address, mac: *mac };
                if *add { Change::AddNeighbour(neighbour) } else { Change::RemoveNeighbour(neighbour) }
            }
            Self::Forwarding(at, mac, remote, add) => {
                let entry = Forwarding { link: side.key(*at), mac: *mac, remote: *remote };
                if *add { Change::AddForwarding(entry) } else { Change::RemoveForwarding(entry) }
            }
            Self::AddNftRules(at, table, rules) => {
                Change::AddNftRules { namespace: space(*at), table: table.clone(), rules: rules.clone() }
            }
            Self::RemoveNftRules(at, table, numbers) => {
                let rules = numbers.iter().map(|number| side.handles[*number].1.clone()).collect();
                Change::RemoveNftRules { namespace: space(*at), table: table.clone(), rules }
            }
            Self::NftChain(at, table, name, add) => {
                let chain = NftOwnChain { base: BEHIND, name: name.clone() };
                let (namespace, table) = (space(*at), table.clone());
                match add {
                    true => Change::AddNftChain { namespace, table, chain },
                    false => Change::RemoveNftChain { namespace, table, chain },
                }
            }
            Self::NftSet(at, table, set, add) => {
                let kind = packet::kind_of(set);
                let (namespace, table, set) = (space(*at), table.clone(), set.clone());
                match add {
                    true => Change::AddNftSet { namespace, table, set, kind },
                    false => Change::RemoveNftSet { namespace, table, set, kind },
                }
            }
            Self::NftElements(at, table, set, elements, add) => {
                let (namespace, table, set, elements) = (space(*at), table.clone(), set.clone(), elements.clone());
                match add {
                    true => Change::AddNftElements { namespace, table, set, elements },
                    false => Change::RemoveNftElements { namespace, table, set, elements },
                }
            }
            Self::Peers(at, peers, gone) => {
                Change::SetPeers(SetPeers { link: side.key(*at), peers: peers.clone(), gone: gone.clone() })
            }
            Self::RemoveNftTable(at, table) => Change::RemoveNftTable { namespace: space(*at), table: table.clone() },
            Self::Sysctl(at, sysctl, value) => {
                Change::SetSysctl { namespace: space(*at), sysctl: sysctl.clone(), value: *value }
            }
            Self::Rate(at, rate) => Change::SetRate { link: side.key(*at), rate: *rate },
            Self::Redirect(at, to) => Change::Redirect { link: side.key(*at), to: *to },
            Self::Options(at, options) => Change::SetOptions { link: side.key(*at), options: options.clone() },
            Self::TakeDevice(at) => Change::TakeDevice(side.key(*at)),
            Self::MoveDevice(number, at) => {
                let Namespace::At(inside) = space(*at) else { panic!("a device goes into a sandbox") };
                Change::MoveDevice(Box::new(Device { inside: Some(inside), ..side.devices[*number].clone() }))
            }
            Self::GiveBack(number) => Change::GiveBack(Box::new(side.devices[*number].clone())),
            Self::Namespace(name, true) => Change::AddNamespace(name.clone()),
            Self::Namespace(name, false) => Change::RemoveNamespace(name.clone()),
            Self::TakePort(wish) => Change::TakePort(wish.clone()),
            Self::ReleasePort(port) => Change::ReleasePort(*port),
        }
    }
}
