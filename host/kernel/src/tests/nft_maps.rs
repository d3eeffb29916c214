//! nftables: maps that lead to a value, and what rules make of it.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::tests::nft_sets::{holds, no_set, put, set, take};
use crate::tests::nftables::{add, handles, is, remove, rule};
use crate::tests::*;

const DSTNAT: NftChain = NftChain { nat: true, hook: NftHook::Output, priority: -100 };
const OUT: NftChain = NftChain { nat: false, hook: NftHook::Output, priority: 0 };
const KINDS: [NftSetKind; 4] = [NftSetKind::HostPorts4, NftSetKind::HostPorts6, NftSetKind::Marks4, NftSetKind::Marks6];

fn to(protocol: u8, port: u16, to: &str) -> NftElement {
    NftElement::HostPort { protocol, port, to: to.parse().unwrap() }
}

fn mark(net: &str, mark: u32) -> NftElement {
    NftElement::Mark(net.parse().unwrap(), mark)
}

fn map(name: &str, kind: NftSetKind) -> NftMap {
    NftMap { name: name.into(), kind }
}

/// Some elements of each kind, and another value for the first one's key.
fn examples(kind: NftSetKind) -> (Vec<NftElement>, NftElement) {
    match kind {
        NftSetKind::HostPorts4 => {
            let all = vec![to(6, 80, "10.0.0.2:8080"), to(17, 80, "10.0.0.2:80"), to(6, 81, "10.0.0.3:80")];
            (all, to(6, 80, "10.0.0.3:8080"))
        }
        NftSetKind::HostPorts6 => {
            (vec![to(6, 80, "[fd00::2]:8080"), to(132, 443, "[fd00::3]:443")], to(6, 80, "[fd00::2]:8081"))
        }
        NftSetKind::Marks6 => (vec![mark("fd00::/64", 1), mark("fd00:0:0:1::/64", 2)], mark("fd00::/64", 3)),
        _ => {
            let all = vec![mark("10.0.0.0/24", 0x100), mark("10.0.1.0/24", 0x200), mark("255.255.255.255/32", 7)];
            (all, mark("10.0.0.0/24", 0x300))
        }
    }
}

fn looking_up(kind: NftSetKind) -> NftRule {
    let map = map("m", kind);
    if kind.is_of_host_ports() {
        return rule(DSTNAT, &[], NftVerdict::DestinationNatBy(map));
    }
    let statements = vec![NftStatement::SetMarkBy { field: NftField::Source, map, mask: 0xff00 }];
    NftRule { statements, ..rule(OUT, &[], NftVerdict::Proceed) }
}

#[test]
fn maps_come_and_go_and_come_back_with_undo() {
    in_both(|world| {
        let before = world.dump();
        for kind in KINDS {
            let (all, other) = examples(kind);
            there_and_back(world, set("m", kind));
            world.one(set("m", kind));
            assert_eq!(world.fails(&[set("m", NftSetKind::Ipv4)]).errno, Some(17), "a set of that name");
            there_and_back(world, put("m", &all));
            world.one(put("m", &all));
            assert!(holds(world, "m", &all) && !holds(world, "m", &all[1..]));
            assert!(!holds(world, "m", &[&[other], &all[1..]].concat()), "what it leads to counts");
            assert_eq!(world.fails(&[put("m", &[other])]).errno, Some(17), "its key is in there");
            there_and_back(world, take("m", &all[..1]));
            world.one(take("m", &all[..1]));
            world.one(take("m", &all[..1]));
            // One that is there beside one that is gone.
            world.one(take("m", &all[..2]));
            world.one(put("m", &[other]));
            assert!(holds(world, "m", &[&[other], &all[2..]].concat()));
            world.one(take("m", &[&[other], &all[2..]].concat()));
            // With another handle.
            let applied = world.one(no_set("m", kind));
            assert!(world.kernel.undo(&[applied]).is_empty());
            assert_eq!(world.kernel.nft_sets(&Namespace::Host, "t").unwrap(), ["m"]);
            world.one(no_set("m", kind));
        }
        world.same(&before, "something is left");
    });
}

#[test]
fn a_map_is_kept_by_the_rules_that_look_it_up() {
    in_both(|world| {
        let before = world.dump();
        for kind in KINDS {
            let looks = || looking_up(kind);
            assert_eq!(world.fails(&[add("t", vec![looks()])]).errno, Some(2), "there is no such map");
            world.one(set("m", kind));
            let made = handles(&world.one(add("t", vec![looks()])));
            assert_eq!(world.fails(&[no_set("m", kind)]).errno, Some(16), "a rule looks it up");
            world.one(remove("t", made));
            world.one(no_set("m", kind));
        }
        world.same(&before, "something is left");
        let misplaced = NftRule { chain: OUT, ..looking_up(NftSetKind::HostPorts4) };
        world.one(set("m", NftSetKind::HostPorts4));
        assert_eq!(world.fails(&[add("t", vec![misplaced])]).errno, Some(95), "nothing is translated there");
    });
}

#[test]
fn a_table_is_made_anew_with_its_maps() {
    in_both(|world| {
        let before = world.dump();
        let many: Vec<NftElement> = (1..1_200).map(|port| to(6, port, "10.0.0.2:80")).collect();
        let sets = [
            NftSet { name: "many".into(), kind: NftSetKind::HostPorts4, elements: many.clone() },
            NftSet { name: "m".into(), kind: NftSetKind::Marks6, elements: examples(NftSetKind::Marks6).0 },
        ];
        let by = NftVerdict::DestinationNatBy(map("many", NftSetKind::HostPorts4));
        let rules = [rule(DSTNAT, &[], by), looking_up(NftSetKind::Marks6)];
        for rules in [&rules[..], &[]] {
            let anew = NftTable { name: "t", chains: &[], sets: &sets, rules };
            world.kernel.replace_nft_tables(&Namespace::Host, &[anew]).unwrap();
            assert!(holds(world, "many", &many) && holds(world, "m", &sets[1].elements));
        }
        world.one(no_set("many", NftSetKind::HostPorts4));
        world.one(no_set("m", NftSetKind::Marks6));
        world.same(&before, "something is left");
    });
}

/// What is in a map and what a rule does, as nft says it.
#[test]
fn nft_reads_maps() {
    in_real(|world| {
        for (name, kind) in ["four", "six", "marks", "marks6"].into_iter().zip(KINDS) {
            world.one(set(name, kind));
            world.one(put(name, &examples(kind).0));
            let renamed = |map: NftMap| NftMap { name: name.into(), ..map };
            let mut rule = looking_up(kind);
            if let NftVerdict::DestinationNatBy(map) = rule.verdict {
                rule.verdict = NftVerdict::DestinationNatBy(renamed(map));
            }
            for statement in &mut rule.statements {
                if let NftStatement::SetMarkBy { map, .. } = statement {
                    *map = renamed(map.clone());
                }
            }
            world.one(add("t", vec![rule]));
        }
        let listed = sh("nft list table inet t");
        for says in [
            "type inet_proto . inet_service : ipv4_addr . inet_service",
            "tcp . 80 : 10.0.0.2 . 8080",
            "type inet_proto . inet_service : ipv6_addr . inet_service",
            "sctp . 443 : fd00::3 . 443",
            "type ipv4_addr : mark",
            "10.0.0.0/24 : 0x00000100, 10.0.1.0/24 : 0x00000200",
            "fd00::/64 : 0x00000001",
            "fib daddr type local dnat ip to meta l4proto . th dport map @four",
            "dnat ip6 to meta l4proto . th dport map @six",
            "meta mark & 0xffff00ff == 0x00000000 meta mark set ip saddr map @marks",
            "meta mark set ip6 saddr map @marks6",
        ] {
            assert!(listed.contains(says), "{says}: {listed}");
        }
    });
}

/// One rule sends what comes to ports elsewhere, and a port more or less is an element.
#[test]
fn connections_go_where_a_map_says() {
    in_real(|world| {
        sh("ip link set lo up");
        let [first, second] = ["127.0.0.2:0", "127.0.0.3:0"].map(|at| TcpListener::bind(at).unwrap());
        let [first_at, second_at] = [&first, &second].map(|listener| listener.local_addr().unwrap());
        let six = TcpListener::bind("[::1]:0").unwrap();
        let reaches = |at: &str, listener: &TcpListener| {
            listener.set_nonblocking(true).unwrap();
            let client = TcpStream::connect_timeout(&at.parse().unwrap(), Duration::from_secs(2));
            client.is_ok() && listener.accept().is_ok()
        };
        let kind = NftSetKind::HostPorts4;
        world.one(set("m", kind));
        world.one(set("m6", NftSetKind::HostPorts6));
        let rules =
            [looking_up(kind), rule(DSTNAT, &[], NftVerdict::DestinationNatBy(map("m6", NftSetKind::HostPorts6)))];
        world.one(add("t", rules.to_vec()));
        assert!(!reaches("127.0.0.1:80", &first), "there is nothing in the map");
        let lead = |port, to: SocketAddr| NftElement::HostPort { protocol: 6, port, to };
        world.one(put("m", &[lead(80, first_at), lead(81, second_at)]));
        world.one(put("m6", &[lead(80, six.local_addr().unwrap())]));
        assert!(reaches("127.0.0.1:80", &first) && reaches("127.0.0.1:81", &second) && reaches("[::1]:80", &six));
        assert!(!reaches("127.0.0.1:82", &first));
        world.one(take("m", &[lead(80, first_at)]));
        world.one(put("m", &[lead(80, second_at)]));
        assert!(reaches("127.0.0.1:80", &second));
    });
}

/// A packet is marked by where it goes, unless it has bits that would be lost.
#[test]
fn packets_are_marked_by_a_map() {
    in_real(|world| {
        sh("ip link set lo up");
        let kind = NftSetKind::Marks4;
        world.one(set("m", kind));
        world.one(put("m", &[mark("127.0.0.2/32", 0x100), mark("127.0.0.4/31", 0x200)]));
        let statement = NftStatement::SetMarkBy { field: NftField::Destination, map: map("m", kind), mask: 0xff00 };
        let marks = NftRule { statements: vec![statement], ..rule(OUT, &[], NftVerdict::Proceed) };
        let later = NftChain { priority: 10, ..OUT };
        let counts = |value| {
            let statements = vec![NftStatement::Counter];
            let has = is(NftProperty::Mark { value, mask: u32::MAX });
            NftRule { statements, ..rule(later, &[has], NftVerdict::Proceed) }
        };
        let made = handles(&world.one(add("t", vec![marks, counts(0x100), counts(0x200), counts(7), counts(0)])));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for at in ["127.0.0.2:9", "127.0.0.5:9", "127.0.0.5:9", "127.0.0.6:9"] {
            // An earlier one was refused, which a socket is told here.
            drop(socket.send_to(&[0; 8], at));
        }
        let counted = world.kernel.nft_counters(&Namespace::Host, "t").unwrap();
        let packets: Vec<u64> = made[1..].iter().map(|rule| counted[rule].packets).collect();
        assert_eq!(packets[..3], [1, 2, 0]);
        let first = NftChain { priority: -10, ..OUT };
        let other = NftRule {
            statements: vec![NftStatement::SetMark { value: 7, mask: 0xff }],
            ..rule(first, &[is(NftProperty::Destination("127.0.0.2/32".parse().unwrap()))], NftVerdict::Proceed)
        };
        world.one(add("t", vec![other]));
        drop(UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[0; 8], "127.0.0.2:9"));
        let counted = world.kernel.nft_counters(&Namespace::Host, "t").unwrap();
        let packets: Vec<u64> = made[1..].iter().map(|rule| counted[rule].packets).collect();
        assert_eq!(packets[..3], [1, 2, 1], "its own bits stay");
    });
}
