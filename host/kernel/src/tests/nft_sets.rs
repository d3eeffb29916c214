//! nftables: sets, what rules make of them, and what rules count.

use crate::tests::nftables::{add, handles, is, not, remove, rule};
use crate::tests::*;

const OUT: NftChain = NftChain { nat: false, hook: NftHook::Output, priority: 0 };

pub fn set(name: &str, kind: NftSetKind) -> Change {
    Change::AddNftSet { namespace: Namespace::Host, table: "t".into(), set: name.into(), kind }
}

pub fn no_set(name: &str, kind: NftSetKind) -> Change {
    Change::RemoveNftSet { namespace: Namespace::Host, table: "t".into(), set: name.into(), kind }
}

fn networks(texts: &[&str]) -> Vec<NftElement> {
    texts.iter().map(|text| NftElement::Network(text.parse().unwrap())).collect()
}

pub fn put(name: &str, elements: &[NftElement]) -> Change {
    let (namespace, table, set) = (Namespace::Host, "t".into(), name.into());
    Change::AddNftElements { namespace, table, set, elements: elements.to_vec() }
}

pub fn take(name: &str, elements: &[NftElement]) -> Change {
    let (namespace, table, set) = (Namespace::Host, "t".into(), name.into());
    Change::RemoveNftElements { namespace, table, set, elements: elements.to_vec() }
}

fn member(field: NftField, name: &str, kind: NftSetKind) -> NftProperty {
    NftProperty::Member(NftMember { field, set: name.into(), kind })
}

pub fn holds(world: &World, name: &str, elements: &[NftElement]) -> bool {
    // The kind is not looked at.
    let set = NftSet { name: name.into(), kind: NftSetKind::Ports, elements: elements.to_vec() };
    world.kernel.has_nft_set(&Namespace::Host, "t", &set).unwrap()
}

#[test]
fn sets_come_and_go_and_come_back_with_undo() {
    in_both(|world| {
        let before = world.dump();
        for kind in [NftSetKind::Ipv4, NftSetKind::Ipv6, NftSetKind::Ports] {
            there_and_back(world, set("s", kind));
        }
        world.one(set("s", NftSetKind::Ipv4));
        assert_eq!(world.fails(&[set("s", NftSetKind::Ipv4)]).errno, Some(17), "there is one");
        assert_eq!(world.kernel.nft_sets(&Namespace::Host, "t").unwrap(), ["s"]);
        let all = networks(&["10.0.0.0/24", "10.0.1.0/24", "10.0.3.7/32", "255.255.255.255/32", "0.0.0.0/8"]);
        there_and_back(world, put("s", &all));
        world.one(put("s", &all));
        assert!(holds(world, "s", &all) && !holds(world, "s", &all[1..]) && !holds(world, "other", &[]));
        assert_eq!(world.fails(&[put("s", &all[..1])]).errno, Some(17), "it is in there");
        assert_eq!(world.fails(&[put("none", &all)]).errno, Some(2), "there is no such set");
        there_and_back(world, take("s", &all[1..3]));
        world.one(take("s", &all[1..3]));
        // What is gone is no error, alone or beside what is there.
        world.one(take("s", &all[1..3]));
        world.one(take("s", &all[..3]));
        world.one(take("none", &all));
        assert!(holds(world, "s", &all[3..]));
        there_and_back(world, take("s", &all[3..]));
        world.one(take("s", &all[3..]));
        // With another handle.
        let applied = world.one(no_set("s", NftSetKind::Ipv4));
        assert_eq!(world.kernel.nft_sets(&Namespace::Host, "t").unwrap(), [""; 0]);
        assert!(world.kernel.undo(&[applied]).is_empty());
        assert_eq!(world.kernel.nft_sets(&Namespace::Host, "t").unwrap(), ["s"]);
        world.one(no_set("s", NftSetKind::Ipv4));
        world.one(no_set("s", NftSetKind::Ipv4));
        world.same(&before, "something is left");
    });
}

#[test]
fn a_set_and_its_rules_keep_their_table_for_each_other() {
    in_both(|world| {
        let before = world.dump();
        let looks = || rule(OUT, &[is(member(NftField::Destination, "s", NftSetKind::Ipv4))], NftVerdict::Drop);
        assert_eq!(world.fails(&[add("t", vec![looks()])]).errno, Some(2), "there is no such set");
        world.one(set("s", NftSetKind::Ipv4));
        let with_set = world.dump();
        let made = handles(&world.one(add("t", vec![looks()])));
        assert_eq!(world.fails(&[no_set("s", NftSetKind::Ipv4)]).errno, Some(16), "a rule looks into it");
        world.one(remove("t", made));
        world.same(&with_set, "the set went with the last rule, or something is left");
        let made = handles(&world.one(add("t", vec![rule(OUT, &[], NftVerdict::Accept)])));
        world.one(no_set("s", NftSetKind::Ipv4));
        assert_eq!(world.kernel.nft_rules(&Namespace::Host, "t").unwrap().len(), 1, "the rule went with the last set");
        world.one(remove("t", made));
        world.same(&before, "something is left");
    });
}

#[test]
fn a_table_is_made_anew_with_its_sets() {
    in_both(|world| {
        let before = world.dump();
        let elements: Vec<NftElement> = (0..3_000).map(|port| NftElement::Ports(port * 3 + 1, port * 3 + 2)).collect();
        let sets = [
            NftSet { name: "many".into(), kind: NftSetKind::Ports, elements: elements.clone() },
            NftSet { name: "six".into(), kind: NftSetKind::Ipv6, elements: networks(&["fd00::/64", "::1/128"]) },
        ];
        let conditions =
            [is(NftProperty::Protocol(6)), not(member(NftField::DestinationPort, "many", NftSetKind::Ports))];
        let rules = vec![rule(OUT, &conditions, NftVerdict::Accept); 2];
        for rules in [&rules[..], &[]] {
            let anew = NftTable { name: "t", chains: &[], sets: &sets, rules };
            let made = world.kernel.replace_nft_tables(&Namespace::Host, &[anew]).unwrap();
            assert_eq!(made[0].len(), rules.len());
            assert!(holds(world, "many", &elements) && holds(world, "six", &sets[1].elements));
        }
        world.one(no_set("many", NftSetKind::Ports));
        world.one(no_set("six", NftSetKind::Ipv6));
        world.same(&before, "something is left");
    });
}

/// What is in a set, and how nft says it.
#[test]
fn nft_reads_sets() {
    in_real(|world| {
        world.one(set("four", NftSetKind::Ipv4));
        world.one(put("four", &networks(&["10.0.0.0/24", "10.0.1.0/24", "192.0.2.7/32"])));
        world.one(set("ports", NftSetKind::Ports));
        world.one(put(
            "ports",
            &[NftElement::Ports(80, 80), NftElement::Ports(8000, 8999), NftElement::Ports(65_535, 65_535)],
        ));
        world.one(set("six", NftSetKind::Ipv6));
        world.one(put("six", &networks(&["fd00::/64", "::/128"])));
        let tcp = is(NftProperty::Protocol(6));
        let rules = [
            rule(OUT, &[not(member(NftField::Source, "four", NftSetKind::Ipv4))], NftVerdict::Drop),
            rule(OUT, &[is(member(NftField::Destination, "six", NftSetKind::Ipv6))], NftVerdict::Drop),
            rule(OUT, &[tcp, is(member(NftField::DestinationPort, "ports", NftSetKind::Ports))], NftVerdict::Drop),
        ];
        world.one(add("t", rules.to_vec()));
        let listed = sh("nft list table inet t");
        for says in [
            "elements = { 10.0.0.0/24, 10.0.1.0/24,",
            "192.0.2.7 }",
            "elements = { 80, 8000-8999,",
            "65535 }",
            "fd00::/64 }",
            "ip saddr != @four drop",
            "ip6 daddr @six drop",
            "@ports drop",
        ] {
            assert!(listed.contains(says), "{says}: {listed}");
        }
    });
}

/// A real packet is looked for in a set that changes, and counted.
#[test]
fn packets_are_counted_by_what_is_in_a_set() {
    in_real(|world| {
        sh("ip link set lo up");
        world.one(set("s", NftSetKind::Ipv4));
        let into = is(member(NftField::Destination, "s", NftSetKind::Ipv4));
        let counting = NftRule { statements: vec![NftStatement::Counter], ..rule(OUT, &[into], NftVerdict::Proceed) };
        let plain = rule(OUT, &[], NftVerdict::Proceed);
        let made = handles(&world.one(add("t", vec![counting, plain])));
        let count = || world.kernel.nft_counters(&Namespace::Host, "t").unwrap();
        let send = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[0; 8], "127.0.0.2:9").unwrap();
        send();
        assert_eq!(count().get(&made[0]), Some(&NftCount { packets: 0, bytes: 0 }));
        assert_eq!(count().get(&made[1]), None, "it has no counter");
        world.one(put("s", &networks(&["127.0.0.2/32"])));
        send();
        assert_eq!(count().get(&made[0]), Some(&NftCount { packets: 1, bytes: 36 }));
        world.one(take("s", &networks(&["127.0.0.2/32"])));
        send();
        assert_eq!(count().get(&made[0]), Some(&NftCount { packets: 1, bytes: 36 }));
    });
}

/// What is marked in one chain is known in the next; what is beyond a rate is told apart; who is rejected is told so.
#[test]
fn packets_are_marked_limited_and_rejected() {
    in_real(|world| {
        sh("ip link set lo up");
        let into = |address: &str| is(NftProperty::Destination(address.parse().unwrap()));
        let does = |chain, conditions: &[NftCondition], statements: &[NftStatement], verdict| NftRule {
            statements: statements.to_vec(),
            ..rule(chain, conditions, verdict)
        };
        let later = NftChain { priority: 10, ..OUT };
        let mark = |value| is(NftProperty::Mark { value, mask: 0xff00 });
        let over = NftStatement::Limit(NftRate { amount: 1, of_bytes: false, burst: 2, over: true });
        let tcp = [is(NftProperty::Protocol(6)), into("127.0.0.3/32")];
        let rules = [
            does(
                OUT,
                &[into("127.0.0.2/32")],
                &[NftStatement::SetMark { value: 0x500, mask: 0xff00 }],
                NftVerdict::Proceed,
            ),
            does(later, &[mark(0x500)], &[NftStatement::Counter], NftVerdict::Proceed),
            does(later, &[mark(0x600)], &[NftStatement::Counter], NftVerdict::Proceed),
            does(later, &[into("127.0.0.2/32")], &[over, NftStatement::Counter], NftVerdict::Drop),
            does(OUT, &tcp, &[NftStatement::Counter], NftVerdict::Reject(NftRejection::TcpReset)),
        ];
        let made = handles(&world.one(add("t", rules.to_vec())));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            drop(socket.send_to(&[0; 8], "127.0.0.2:9"));
        }
        let listener = std::net::TcpListener::bind("127.0.0.3:0").unwrap();
        let refused = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let counts = world.kernel.nft_counters(&Namespace::Host, "t").unwrap();
        let packets: Vec<Option<u64>> = made.iter().map(|rule| counts.get(rule).map(|count| count.packets)).collect();
        assert_eq!(packets[..3], [None, Some(10), Some(0)]);
        assert!(packets[3].is_some_and(|dropped| (6..10).contains(&dropped)), "{packets:?}");
        assert_eq!(packets[4], Some(1));
    });
}
