//! Random values: ends and kinds of links, what to change of one, routes, rules. `packet`: packet rules and sets; `tunnel`: WireGuard.

pub mod packet;
pub mod tunnel;

use crate::tests::lockstep::side::{BEHIND, CHAINS, Side};
use crate::tests::lockstep::*;

/// Mostly a bridge, by its index.
fn bridge(random: &mut Random, side: &Side, space: usize) -> u32 {
    let there = side.kernel().links(&side.spaces[space]).unwrap_or_default();
    let bridges: Vec<u32> = there.iter().filter(|link| link.kind == "bridge").map(|link| link.index).collect();
    if bridges.is_empty() || random.one_in(8) { random.below(6) as u32 + 1 } else { random.pick(&bridges) }
}

pub fn new_end(random: &mut Random, side: &Side, space: usize) -> LinkEnd {
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

pub fn kind(random: &mut Random, side: &Side, other: usize) -> LinkKind {
    let parent = |random: &mut Random| {
        let there = side.kernel().links(&Namespace::Host).unwrap();
        if random.one_in(8) { 77 } else { random.pick(&there).index }
    };
    match random.below(11) {
        0..=2 => LinkKind::Bridge,
        10 => LinkKind::Macvtap {
            parent: parent(random),
            mode: random.pick(&[MacvlanMode::Private, MacvlanMode::Bridge]),
        },
        9 => LinkKind::Ifb,
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

pub fn route(random: &mut Random) -> Route {
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

/// One hop, or none. Nothing but these paths leads to where those without lead, so that no gateway is behind one.
pub fn path(random: &mut Random, link: u32) -> RoutePath {
    let ipv6 = random.one_in(2);
    let address = |random: &mut Random| if ipv6 { random.ipv6() } else { random.ipv4() };
    let (nowhere, somewhere) = if ipv6 { ("fd77::/64", "fd78::/64") } else { ("10.77.0.0/16", "10.78.0.0/16") };
    let way = match random.below(6) {
        0 => Way::Blackhole,
        1 => Way::Unreachable,
        2 => Way::Prohibit,
        // An IPv6 route through a loopback is one to nowhere.
        _ => {
            let link = if link == 1 && ipv6 { 2 } else { link };
            Way::Hops(vec![Hop { link, gateway: Some(address(random)), on_link: random.one_in(2), weight: 1 }])
        }
    };
    let mtu = matches!(way, Way::Hops(_)).then(|| random.pick(&[1280, 1400]));
    RoutePath {
        namespace: Namespace::Host,
        destination: if mtu.is_some() { somewhere } else { nowhere }.parse().unwrap(),
        way,
        source: None,
        table: random.one_in(3).then(|| random.pick(&[100, 1000])),
        metric: random.one_in(3).then(|| random.pick(&[7, 256])),
        mtu,
    }
}

pub fn rule(random: &mut Random) -> Rule {
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

pub fn nft_rule(random: &mut Random) -> NftRule {
    let hooks = [NftHook::Prerouting, NftHook::Input, NftHook::Forward, NftHook::Output, NftHook::Postrouting];
    let (rule, _) = random.pick(&nftables::examples());
    if random.one_in(3) {
        return packet::composed(random);
    }
    if random.one_in(5) {
        let verdict = random.pick(&[NftVerdict::Drop, NftVerdict::Return, NftVerdict::Jump(CHAINS[0].into())]);
        let leads = matches!(verdict, NftVerdict::Jump(_));
        let own = if leads { CHAINS[1] } else { random.pick(&CHAINS) };
        let into = NftVerdict::Goto(own.into());
        let (own, verdict) = if random.one_in(2) { (None, into) } else { (Some(own.into()), verdict) };
        return NftRule { chain: BEHIND, conditions: Vec::new(), statements: Vec::new(), own, verdict, ..rule };
    }
    // Mostly one that is valid where it stands.
    if random.one_in(5) {
        let chain =
            NftChain { nat: random.one_in(2), hook: random.pick(&hooks), priority: random.pick(&[0, -300, 100]) };
        return NftRule { chain, ..rule };
    }
    rule
}

pub fn changes(random: &mut Random, side: &Side, space: usize) -> LinkChanges {
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

/// Some of one sort, or of several, which no link has. VLAN filtering is for kernels that have it.
pub fn options(random: &mut Random) -> LinkOptions {
    use LinkOption::*;
    let sorts: [&[LinkOption]; 5] = [
        &[MulticastSnooping, MulticastQuerier, Ageing],
        &[UnicastFlood, MulticastFlood, BroadcastFlood],
        &[QueueLength, Promiscuous, AllMulticast],
        &[Ageing, UnicastFlood, Promiscuous],
        &[TransmitChecksums, TcpSegmentation, GenericSegmentation, ReceiveGrouping],
    ];
    let sort = random.pick(&sorts);
    let value = |random: &mut Random, option: LinkOption| match option {
        Ageing => random.pick(&[0, 6_000, 30_000]),
        QueueLength => random.pick(&[1, 500, 1000]),
        _ => random.below(2) as u32,
    };
    let some: Vec<LinkOption> = sort.iter().filter(|_| !random.one_in(3)).copied().collect();
    LinkOptions { set: some.into_iter().map(|option| (option, value(random, option))).collect(), vlans: None }
}
