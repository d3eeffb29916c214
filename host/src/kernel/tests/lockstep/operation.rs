//! Random operations. They speak of namespaces by number and of links by index, so that both kernels can be given the same.

use super::side::{OF_NAMESPACE, SETTINGS, Side, TABLES};
use super::*;

/// A namespace's number and an index there.
pub type At = (usize, u32);

/// What is done next.
#[derive(Debug)]
pub enum Operation {
    Apply(Vec<Step>),
    Attempt(Vec<Step>),
    /// What was applied under this number is taken back.
    Undo(usize),
    Condemn(Vec<At>),
    Reap(usize),
    /// A new sandbox.
    Begin,
    /// The end of one.
    Kill(usize),
}

/// A change. The one of the fake is meant for it alone where it has a namespace in it.
#[derive(Debug)]
pub enum Step {
    /// The first end's namespace, the other's, and the link as if both were on the host.
    AddLink(usize, usize, LinkSpec),
    SetLink(At, LinkChanges),
    MoveLink(At, usize),
    RemoveLink(At),
    Address(At, IpNet, bool),
    /// As if on the host.
    Route(At, Route, bool),
    Rule(usize, Rule, bool),
    Neighbour(At, std::net::IpAddr, MacAddress, bool),
    Forwarding(At, MacAddress, Option<std::net::IpAddr>, bool),
    AddNftRules(usize, String, Vec<NftRule>),
    /// By their numbers in the order in which they were made.
    RemoveNftRules(usize, String, Vec<usize>),
    RemoveNftTable(usize, String),
    Sysctl(usize, Sysctl, i32),
    Namespace(String, bool),
    TakePort(PortWish),
    ReleasePort(HostPort),
}

impl Operation {
    /// Something to meet: a bridge with addresses, and on it a pair with its other end in the sandbox.
    pub fn stage() -> Self {
        let address = |text: &str| text.parse().unwrap();
        let addresses = vec![address("10.0.0.1/24"), address("fd00::1/64")];
        let bridge = LinkSpec { end: LinkEnd { addresses, ..end(&Namespace::Host, "b") }, kind: LinkKind::Bridge };
        let mac = |last| Some(MacAddress([2, 0, 0, 0, 0, last]));
        let first = LinkEnd { master: Some(2), mac: mac(3), ..end(&Namespace::Host, "a") };
        let addresses = vec![address("10.0.0.2/24"), address("fd00::2/64")];
        let inner = LinkEnd { addresses, mac: mac(4), ..end(&Namespace::Host, "c") };
        Self::Apply(vec![Step::AddLink(0, 0, bridge), Step::AddLink(0, 1, veth(first, inner))])
    }

    pub fn random(random: &mut Random, side: &Side) -> Self {
        let space = random.below(side.spaces.len());
        match random.below(40) {
            0..=2 if side.applied() > 0 => Self::Undo(random.below(side.applied())),
            3..=4 => Self::Condemn((0..=random.below(2)).map(|_| link(random, side)).collect()),
            5 => Self::Reap(space),
            6 if side.spaces.len() < 4 => Self::Begin,
            7 if space > 0 && random.one_in(2) => Self::Kill(space),
            8..=9 => Self::Attempt((0..3).map(|_| Step::removal(random, side)).collect()),
            10..=25 => Self::Apply(vec![Step::random(random, side)]),
            _ => Self::Apply((0..=random.below(4)).map(|_| Step::random(random, side)).collect()),
        }
    }
}

/// Mostly one that is there.
fn link(random: &mut Random, side: &Side) -> At {
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

/// Mostly a bridge, by its index.
fn bridge(random: &mut Random, side: &Side, space: usize) -> u32 {
    let there = side.kernel().links(&side.spaces[space]).unwrap_or_default();
    let bridges: Vec<u32> = there.iter().filter(|link| link.kind == "bridge").map(|link| link.index).collect();
    if bridges.is_empty() || random.one_in(8) { random.below(6) as u32 + 1 } else { random.pick(&bridges) }
}

fn new_end(random: &mut Random, side: &Side, space: usize) -> LinkEnd {
    LinkEnd {
        namespace: Namespace::Host,
        name: random.new_name(),
        mac: (!random.one_in(6)).then(|| random.mac()),
        mtu: random.one_in(4).then(|| random.pick(&[1400, 1280, 1279, 68, 67, 9000, 70_000])),
        master: random.one_in(3).then(|| bridge(random, side, space)),
        addresses: (0..random.below(3)).map(|_| random.address()).collect(),
        up: !random.one_in(4),
    }
}

fn kind(random: &mut Random, side: &Side, other: usize) -> LinkKind {
    let parent = |random: &mut Random| {
        let there = side.kernel().links(&Namespace::Host).unwrap();
        if random.one_in(8) { 77 } else { random.pick(&there).index }
    };
    match random.below(9) {
        0..=2 => LinkKind::Bridge,
        3..=5 => LinkKind::Veth(Box::new(new_end(random, side, other))),
        6 => {
            let ipv6 = random.one_in(3);
            let address = |random: &mut Random| if ipv6 { random.ipv6() } else { random.ipv4() };
            LinkKind::Vxlan(Vxlan {
                vni: random.pick(&[7, 8]),
                port: 4789,
                parent: random.one_in(3).then(|| parent(random)),
                local: random.maybe(address),
                remote: random.one_in(3).then(|| address(random)),
                learning: random.one_in(2),
                proxy: random.one_in(2),
            })
        }
        _ => {
            use MacvlanMode::*;
            LinkKind::Macvlan {
                parent: parent(random),
                mode: random.pick(&[Private, Vepa, Bridge, Bridge, Bridge, Passthru]),
            }
        }
    }
}

fn route(random: &mut Random) -> Route {
    let destination = random.destination();
    let ipv6 = destination.addr().is_ipv6();
    let address = |random: &mut Random| if ipv6 { random.ipv6() } else { random.ipv4() };
    let gateway = random.maybe(|random| if !ipv6 && random.one_in(5) { random.ipv6() } else { address(random) });
    Route {
        link: LinkKey { namespace: Namespace::Host, index: 0 },
        destination,
        gateway,
        source: random.one_in(4).then(|| address(random)),
        table: random.one_in(3).then(|| random.pick(&[100, 1000, 254])),
        metric: random.one_in(3).then(|| random.pick(&[0, 7, 256, 1024])),
    }
}

fn rule(random: &mut Random) -> Rule {
    let ipv6 = random.one_in(2);
    let net = |random: &mut Random| {
        if ipv6 { random.text(&["fd00::/64", "::/0"]) } else { random.text(&["10.0.0.0/16", "0.0.0.0/0"]) }
    };
    Rule {
        namespace: Namespace::Host,
        ipv6,
        priority: random.pick(&[100, 101, 102]),
        source: random.maybe(net),
        destination: random.maybe(net),
        input: random.maybe(Random::name),
        mark: random.maybe(|random| random.pick(&[(0x10, 0xff), (1, 1), (0, 0xff)])),
        table: random.pick(&[100, 1000]),
    }
}

fn nft_rule(random: &mut Random) -> NftRule {
    let hooks = [NftHook::Prerouting, NftHook::Input, NftHook::Forward, NftHook::Output, NftHook::Postrouting];
    let (rule, _) = random.pick(&nftables::examples());
    // Mostly one that is valid where it stands.
    if random.one_in(5) {
        let chain =
            NftChain { nat: random.one_in(2), hook: random.pick(&hooks), priority: random.pick(&[0, -300, 100]) };
        return NftRule { chain, ..rule };
    }
    rule
}

impl Step {
    fn random(random: &mut Random, side: &Side) -> Self {
        let (space, other) = (spaces(random, side), spaces(random, side));
        let at = link(random, side);
        let add = !random.one_in(4);
        match random.below(32) {
            0..=5 => {
                let spec = LinkSpec { end: new_end(random, side, space), kind: kind(random, side, other) };
                Self::AddLink(space, other, spec)
            }
            6..=10 => Self::SetLink(at, changes(random, side, at.0)),
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
                // A remote is for tunnels; of a bridge itself it would make an entry of another kind.
                let key = side.key(at);
                let is_bridge = side.kernel().link(&key).ok().flatten().is_some_and(|link| link.kind == "bridge");
                let remote = if is_bridge { None } else { random.maybe(Random::ipv4) };
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
                    false => Sysctl::Link { family, link: random.name(), name: setting },
                };
                Self::Sysctl(space, sysctl, random.pick(&[0, 1, 1, 2]))
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
                        own: Vec::new(),
                    })
                } else {
                    Self::ReleasePort(HostPort { protocol, port, address: any })
                }
            }
            _ => Self::removal(random, side),
        }
    }

    fn removal(random: &mut Random, side: &Side) -> Self {
        let (space, at) = (spaces(random, side), link(random, side));
        match random.below(8) {
            0..=1 => Self::RemoveLink(at),
            2 => Self::Address(at, random.address(), false),
            3 => Self::Route(at, route(random), false),
            4 => Self::Rule(space, rule(random), false),
            5 if !side.handles.is_empty() => {
                let numbers = (0..=random.below(3)).map(|_| random.below(side.handles.len())).collect();
                Self::RemoveNftRules(space, random.pick(&TABLES).into(), numbers)
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
            Self::Address(at, net, true) => Change::AddAddress(side.key(*at), *net),
            Self::Address(at, net, false) => Change::RemoveAddress(side.key(*at), *net),
            Self::Route(at, route, add) => {
                let route = Route { link: side.key(*at), ..route.clone() };
                if *add { Change::AddRoute(route) } else { Change::RemoveRoute(route) }
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
            Self::RemoveNftTable(at, table) => Change::RemoveNftTable { namespace: space(*at), table: table.clone() },
            Self::Sysctl(at, sysctl, value) => {
                Change::SetSysctl { namespace: space(*at), sysctl: sysctl.clone(), value: *value }
            }
            Self::Namespace(name, true) => Change::AddNamespace(name.clone()),
            Self::Namespace(name, false) => Change::RemoveNamespace(name.clone()),
            Self::TakePort(wish) => Change::TakePort(wish.clone()),
            Self::ReleasePort(port) => Change::ReleasePort(*port),
        }
    }
}

/// Mostly the host.
fn spaces(random: &mut Random, side: &Side) -> usize {
    if random.one_in(3) { random.below(side.spaces.len()) } else { 0 }
}

fn changes(random: &mut Random, side: &Side, space: usize) -> LinkChanges {
    let rare = |random: &mut Random| random.one_in(4);
    LinkChanges {
        name: rare(random).then(|| random.new_name()),
        mac: rare(random).then(|| random.mac()),
        mtu: rare(random).then(|| random.pick(&[1500, 1400, 1279, 67, 9000])),
        up: random.maybe(|random| random.one_in(2)),
        master: rare(random).then(|| if random.one_in(3) { 0 } else { bridge(random, side, space) }),
        hairpin: rare(random).then(|| random.one_in(2)),
        isolated: rare(random).then(|| random.one_in(2)),
        learning: rare(random).then(|| random.one_in(2)),
    }
}
