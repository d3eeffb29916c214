//! nftables: rules for what bridges pass, in tables of family bridge.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::tests::nftables::{add, handles, is, not, remove, rule};
use crate::tests::*;

const FORWARD: NftChain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
const TABLE: &str = "t-frames";
const SENDER: MacAddress = MacAddress([2, 0, 0, 0, 7, 1]);

fn counts(conditions: &[NftCondition]) -> NftRule {
    NftRule { statements: vec![NftStatement::Counter], ..rule(FORWARD, conditions, NftVerdict::Proceed) }
}

fn examples(port: u32) -> Vec<NftRule> {
    use NftProperty::*;
    let from = || is(InputLink(port));
    vec![
        counts(&[from(), is(EtherSource(SENDER))]),
        counts(&[from(), not(EtherSource(SENDER))]),
        counts(&[from(), is(EtherType(0x0806))]),
        counts(&[from(), is(Source("10.9.0.1/32".parse().unwrap())), is(Protocol(17)), is(DestinationPort(9, 10))]),
        counts(&[from(), is(EtherDestination(MacAddress([0xff; 6]))), is(EtherType(0x0800))]),
        counts(&[from(), is(Destination("fd00::/64".parse().unwrap()))]),
        counts(&[not(InputLink(port))]),
    ]
}

#[test]
fn rules_for_frames_come_and_go_beside_those_for_packets() {
    in_both(|world| {
        let before = world.dump();
        // A table of the same family that is another's.
        let packets = handles(&world.one(add("t", vec![rule(FORWARD, &[], NftVerdict::Accept)])));
        let with_packets = world.dump();
        there_and_back(world, add(TABLE, examples(7)));
        let made = handles(&world.one(add(TABLE, examples(7))));
        let mut tables = world.kernel.nft_tables(&Namespace::Host).unwrap();
        tables.sort();
        assert_eq!(tables, ["t", TABLE]);
        assert_eq!(world.kernel.nft_rules(&Namespace::Host, TABLE).unwrap().len(), made.len());
        let all = world.kernel.all_nft_rules(&Namespace::Host).unwrap();
        assert_eq!(all.iter().filter(|rule| rule.table == TABLE).count(), made.len());
        assert_eq!(all.len(), made.len() + 1);
        assert_eq!(world.kernel.nft_counters(&Namespace::Host, TABLE).unwrap().len(), made.len());
        let rules = examples(8);
        let anew = NftTable { name: TABLE, chains: &[], sets: &[], rules: &rules };
        let made = world.kernel.replace_nft_tables(&Namespace::Host, &[anew]).unwrap().concat();
        world.one(remove(TABLE, made));
        world.same(&with_packets, "something of the frames is left");
        world.one(add(TABLE, examples(7)));
        world.one(Change::RemoveNftTable { namespace: Namespace::Host, table: TABLE.into() });
        world.same(&with_packets, "the table is left");
        world.one(remove("t", packets));
        world.same(&before, "something is left");
    });
}

/// What comes by a port is known by its sender, its kind and what is in it.
#[test]
fn frames_are_counted_where_they_pass_a_bridge() {
    in_real(|world| {
        sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up
            ip link add a0 type veth peer name a1 address 02:00:00:00:07:01
            ip link add b0 type veth peer name b1
            for port in a0 b0; do ip link set $port master br0 up; done
            for end in a1 b1; do ip link set $end addrgenmode none up; done
            ip address add 10.9.0.1/24 dev a1");
        let port = world.kernel.link_by_name(&Namespace::Host, &name("a0")).unwrap().unwrap().index;
        let made = handles(&world.one(add(TABLE, examples(port))));
        let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
        socket.set_broadcast(true).unwrap();
        let begin = Instant::now();
        let packets = loop {
            socket.send_to(&[0; 8], "10.9.0.255:9").unwrap();
            let counts = world.kernel.nft_counters(&Namespace::Host, TABLE).unwrap();
            let packets: Vec<u64> = made.iter().map(|rule| counts[rule].packets).collect();
            if packets[0] > 0 || begin.elapsed() > Duration::from_secs(10) {
                break packets;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let sent = packets[0];
        assert!(sent > 0, "{packets:?}");
        assert_eq!(packets, [sent, 0, 0, sent, sent, 0, 0]);
        let listed = sh("nft list table bridge t-frames");
        for says in [
            "type filter hook forward priority 0",
            "iif \"a0\" ether saddr 02:00:00:00:07:01 counter",
            "iif \"a0\" ether saddr != 02:00:00:00:07:01 counter",
            "ip saddr 10.9.0.1",
            "ether daddr ff:ff:ff:ff:ff:ff",
        ] {
            assert!(listed.contains(says), "{says}: {listed}");
        }
    });
}
