//! Random packet rules, and sets that they look into.

use crate::tests::lockstep::*;

/// The sets that a table may have, each with its kind and what it may have in it.
const SETS: [(&str, NftSetKind, &[&str]); 6] = [
    ("s", NftSetKind::Ipv4, &["10.0.0.0/24", "10.0.1.0/24", "10.0.9.9/32", "0.0.0.0/8", "255.255.255.255/32"]),
    ("six", NftSetKind::Ipv6, &["fd00::/64", "fd00:0:0:1::/64", "::/16", "fd00:9::9/128", "ff00::/8"]),
    ("p", NftSetKind::Ports, &["0-79", "80-80", "81-90", "443-443", "8000-65535"]),
    ("m", NftSetKind::HostPorts4, &["6 80 10.0.0.2:80", "6 80 10.0.0.3:80", "17 80 10.0.0.2:53", "6 8080 10.0.0.2:80"]),
    ("m6", NftSetKind::HostPorts6, &["6 80 [fd00::2]:80", "6 80 [fd00::3]:8080", "132 80 [fd00::2]:80"]),
    ("marks", NftSetKind::Marks4, &["10.0.0.0/24 1", "10.0.1.0/24 256", "10.0.9.9/32 0", "255.255.255.255/32 7"]),
];
pub const NAMES: [&str; 6] = [SETS[0].0, SETS[1].0, SETS[2].0, SETS[3].0, SETS[4].0, SETS[5].0];

pub fn kind_of(set: &str) -> NftSetKind {
    SETS.iter().find(|(name, ..)| *name == set).map(|(_, kind, _)| *kind).unwrap()
}

/// Elements of a set; seldom of another kind's.
pub fn elements(random: &mut Random, set: &str) -> Vec<NftElement> {
    let of = |name: &str| SETS.iter().find(|(other, ..)| *other == name).unwrap().2;
    let texts = of(if random.one_in(20) { random.pick(&NAMES) } else { set });
    let element = |text: &str| match text.split([' ', '-']).collect::<Vec<_>>()[..] {
        [protocol, port, to] => {
            let (protocol, port, to) = (protocol.parse().unwrap(), port.parse().unwrap(), to.parse().unwrap());
            NftElement::HostPort { protocol, port, to }
        }
        [net, mark] if net.contains('/') => NftElement::Mark(net.parse().unwrap(), mark.parse().unwrap()),
        [first, last] => NftElement::Ports(first.parse().unwrap(), last.parse().unwrap()),
        _ => NftElement::Network(text.parse().unwrap()),
    };
    (0..=random.below(2)).map(|_| element(random.pick(texts))).collect()
}

/// A rule of parts that need not fit each other, nor where it stands.
pub fn composed(random: &mut Random) -> NftRule {
    use NftHook::*;
    let chain = random.pick(&[
        (Prerouting, -300, false),
        (Prerouting, -100, true),
        (Input, 0, false),
        (Forward, 0, false),
        (Output, 0, false),
        (Output, -100, true),
        (Postrouting, 100, true),
        (Postrouting, 0, false),
    ]);
    let chain = NftChain { nat: chain.2, hook: chain.0, priority: chain.1 };
    let protocol = random.pick(&[6, 17]);
    let mut conditions = vec![NftCondition { property: NftProperty::Protocol(protocol), negated: false }];
    conditions
        .extend((0..random.below(3)).map(|_| NftCondition { property: property(random), negated: random.one_in(3) }));
    let statements = (0..random.below(3)).map(|_| statement(random)).collect();
    NftRule { chain, own: None, conditions, statements, verdict: verdict(random), comment: "n2/e3".into() }
}

/// A rule for what passes bridges.
pub fn of_frames(random: &mut Random) -> NftRule {
    let property = |random: &mut Random| match random.below(7) {
        0 => NftProperty::EtherSource(random.mac()),
        1 => NftProperty::EtherDestination(random.mac()),
        2 => NftProperty::EtherType(random.pick(&[0x0800, 0x0806])),
        3 => NftProperty::Source(random.address().trunc()),
        4 => NftProperty::Protocol(17),
        5 => NftProperty::Mark { value: 1, mask: 3 },
        _ => NftProperty::InputLink(random.below(9) as u32),
    };
    let conditions =
        (0..random.below(4)).map(|_| NftCondition { property: property(random), negated: random.one_in(4) }).collect();
    let statements = [NftStatement::Counter, NftStatement::SetMark { value: 1, mask: 1 }];
    let statements = statements.into_iter().take(random.below(3)).collect();
    let hook = random.pick(&[NftHook::Prerouting, NftHook::Forward, NftHook::Output, NftHook::Postrouting]);
    let verdict = random.pick(&[NftVerdict::Accept, NftVerdict::Drop, NftVerdict::Proceed]);
    let chain = NftChain { nat: false, hook, priority: random.pick(&[-300, 0]) };
    NftRule { chain, own: None, conditions, statements, verdict, comment: "n2/e3".into() }
}

fn property(random: &mut Random) -> NftProperty {
    use NftProperty::*;
    match random.below(8) {
        0..=2 => {
            let set = random.pick(&NAMES[..3]);
            let kind = kind_of(set);
            let of_ports = [NftField::SourcePort, NftField::DestinationPort];
            let of_hosts = [NftField::Source, NftField::Destination];
            let field = random.pick(if kind == NftSetKind::Ports { &of_ports } else { &of_hosts });
            Member(NftMember { field, set: set.into(), kind })
        }
        3 => Mark { value: 0x100, mask: 0x300 },
        4 => TcpFlags { set: 2, mask: 0x12 },
        5 => IcmpType(8),
        6 => DestinationPort(80, random.pick(&[80, 90])),
        _ => Source(random.address().trunc()),
    }
}

fn statement(random: &mut Random) -> NftStatement {
    use NftStatement::*;
    match random.below(6) {
        5 => {
            let map = NftMap { name: "marks".into(), kind: NftSetKind::Marks4 };
            SetMarkBy { field: NftField::Source, map, mask: random.pick(&[1, u32::MAX]) }
        }
        0 => Counter,
        1 => Limit(NftRate { amount: 10, of_bytes: random.one_in(2), burst: 7, over: random.one_in(2) }),
        2 => SetMark { value: 1, mask: random.pick(&[1, 0xff]) },
        3 => ClampSegments(random.maybe(|_| 1_200)),
        _ => Untrack,
    }
}

fn verdict(random: &mut Random) -> NftVerdict {
    use NftVerdict::*;
    match random.below(10) {
        9 => {
            let name = random.pick(&["m", "m6"]);
            DestinationNatBy(NftMap { name: name.into(), kind: kind_of(name) })
        }
        0 => Accept,
        1 => Drop,
        2 => Proceed,
        3 => Masquerade,
        4 => SourceNat(random.ipv4(), None),
        5 => DestinationNat(random.ipv6(), Some(80)),
        6 => Reject(random.pick(&[NftRejection::PortUnreachable, NftRejection::TcpReset])),
        7 => Log { prefix: "seen ".into(), rate: 3 },
        _ => DestinationNat(random.ipv4(), None),
    }
}
