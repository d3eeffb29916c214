//! nftables: rules for one port each, in chains of their own.

use std::collections::HashSet;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::tests::nftables::{add, handles, is, not, remove, rule};
use crate::tests::*;

const TCP: u8 = 6;
const IN: NftChain = NftChain { nat: false, hook: NftHook::Input, priority: 0 };
const OUT: NftChain = NftChain { nat: true, hook: NftHook::Output, priority: -100 };
const FORWARD: NftChain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };

fn to(first: u16, last: u16) -> Vec<NftCondition> {
    vec![is(NftProperty::Protocol(TCP)), is(NftProperty::DestinationPort(first, last))]
}

fn drop_at(first: u16, last: u16) -> NftRule {
    rule(IN, &to(first, last), NftVerdict::Drop)
}

fn accept_at(first: u16, last: u16) -> NftRule {
    rule(IN, &to(first, last), NftVerdict::Accept)
}

/// The ports in whose chains rules are.
fn ports(handles: &[NftHandle]) -> Vec<Option<u16>> {
    handles.iter().map(|handle| handle.port.map(|port| port.port)).collect()
}

/// What came of each rule, added alone.
fn places(world: &World, rules: Vec<NftRule>) -> (Vec<NftHandle>, Vec<Option<u16>>) {
    let made: Vec<NftHandle> = rules.into_iter().flat_map(|rule| handles(&world.one(add("t", vec![rule])))).collect();
    let places = ports(&made);
    (made, places)
}

#[test]
fn a_port_has_a_chain_of_its_own_while_it_has_rules() {
    in_both(|world| {
        let before = world.dump();
        world.one(add("t", vec![rule(FORWARD, &[], NftVerdict::Accept)]));
        let without_ports = world.dump();
        let made = handles(&world.one(add("t", vec![drop_at(80, 80), accept_at(81, 81), accept_at(80, 80)])));
        assert_eq!(ports(&made), [Some(80), Some(81), Some(80)]);
        let with_ports = world.dump();
        let (more, their_places) = places(world, vec![drop_at(80, 80), drop_at(90, 90)]);
        assert_eq!(their_places, [Some(80), Some(90)]);
        let listed = world.kernel.nft_rules(&Namespace::Host, "t").unwrap();
        let listed: HashSet<NftHandle> = listed.into_iter().map(|(handle, _)| handle).collect();
        assert_eq!(listed.len(), 6, "the rule that leads to the chains is not counted");
        assert!(made.iter().chain(&more).all(|handle| listed.contains(handle)));
        world.one(remove("t", more));
        world.same(&with_ports, "something of two rules is left");
        world.one(remove("t", made));
        world.same(&without_ports, "something of the ports is left");
        let rest = world.kernel.nft_rules(&Namespace::Host, "t").unwrap();
        world.one(remove("t", rest.into_iter().map(|(handle, _)| handle).collect()));
        world.same(&before, "something is left");
    });
}

#[test]
fn a_rule_stays_behind_those_that_it_could_overtake() {
    in_both(|world| {
        let before = world.dump();
        let (made, their_places) = places(
            world,
            vec![
                accept_at(1, 100),
                drop_at(80, 80),
                drop_at(200, 300),
                // Not in that range; in it; of another protocol.
                accept_at(80, 80),
                accept_at(250, 250),
                rule(
                    IN,
                    &[is(NftProperty::Protocol(17)), is(NftProperty::DestinationPort(250, 250))],
                    NftVerdict::Accept,
                ),
                // Anything goes through this one.
                rule(IN, &[not(NftProperty::DestinationPort(80, 80))], NftVerdict::Accept),
                accept_at(70, 70),
                rule(FORWARD, &to(70, 70), NftVerdict::Accept),
            ],
        );
        let expected = [None, Some(80), None, Some(80), None, Some(250), None, None, Some(70)];
        assert_eq!(their_places, expected);
        // All at once, and a table made anew, come to the same.
        let rules = [accept_at(1, 100), drop_at(80, 80), drop_at(200, 300), accept_at(80, 80), accept_at(250, 250)];
        let anew = world
            .kernel
            .replace_nft_tables(&Namespace::Host, &[NftTable { name: "u", chains: &[], sets: &[], rules: &rules }])
            .unwrap();
        assert_eq!(ports(&anew[0]), expected[..5]);
        assert_eq!(ports(&handles(&world.one(add("u", rules.to_vec())))), [None; 5]);
        world.one(Change::RemoveNftTable { namespace: Namespace::Host, table: "u".into() });
        // Without what stood in the way.
        world.one(remove("t", vec![made[4].clone(), made[6].clone(), made[7].clone(), made[2].clone()]));
        assert_eq!(places(world, vec![accept_at(250, 250)]).1, [Some(250)]);
        let rest = world.kernel.nft_rules(&Namespace::Host, "t").unwrap();
        world.one(remove("t", rest.into_iter().map(|(handle, _)| handle).collect()));
        world.same(&before, "something is left");
    });
}

#[test]
fn packets_meet_the_first_rule_of_their_port() {
    in_real(|world| {
        sh("ip link set lo up");
        let listeners: Vec<TcpListener> =
            (4000..4004).map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap()).collect();
        let is_open =
            |port: u16| TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(300)).is_ok();
        let before = world.dump();
        let first = world.one(add("t", vec![accept_at(4000, 4000), drop_at(4001, 4001)]));
        world.one(add(
            "t",
            vec![drop_at(4000, 4002), accept_at(4002, 4002), drop_at(4003, 4003), accept_at(4003, 4003)],
        ));
        assert_eq!([4000, 4001, 4002, 4003].map(is_open), [true, false, false, false]);
        world.one(remove("t", handles(&first)));
        assert_eq!([4000, 4001, 4002].map(is_open), [false, false, false]);
        let rest = world.kernel.nft_rules(&Namespace::Host, "t").unwrap();
        world.one(remove("t", rest.into_iter().map(|(handle, _)| handle).collect()));
        assert_eq!([4000, 4001, 4002, 4003].map(is_open), [true; 4]);
        world.same(&before, "something is left");
        // Translation.
        let sent = NftVerdict::DestinationNat("127.0.0.1".parse().unwrap(), Some(4000));
        world.one(add("t", vec![rule(OUT, &to(5000, 5000), sent)]));
        assert_eq!([5000, 5001].map(is_open), [true, false]);
        drop(listeners);
    });
}

/// Somebody else takes away what leads to the chains: the rules count as gone, and new ones of whoever looks hold.
#[test]
fn chains_that_nothing_leads_to_any_more() {
    in_real(|world| {
        let made = world.one(add("t", vec![drop_at(80, 80)]));
        sh("nft flush chain inet t filter-input-0");
        assert_eq!(world.kernel.nft_rules(&Namespace::Host, "t"), Ok(Vec::new()));
        let again = world.other(INSTANCE).apply(&[add("t", vec![drop_at(80, 80)])]).unwrap().remove(0);
        assert_eq!(ports(&handles(&again)), [Some(80)]);
        assert!(sh("nft list chain inet t filter-input-0").contains("vmap"));
        world.one(remove("t", [handles(&made), handles(&again)].concat()));
        assert_eq!(world.kernel.nft_tables(&Namespace::Host), Ok(Vec::new()));
        let made = world.one(add("t", vec![drop_at(80, 80), accept_at(80, 80)]));
        sh("nft flush map inet t filter-input-0/ports");
        world.one(remove("t", handles(&made)));
        assert_eq!(world.kernel.nft_tables(&Namespace::Host), Ok(Vec::new()));
    });
}

#[test]
fn thousands_of_ports() {
    in_both(|world| {
        let before = world.dump();
        let mut made: Vec<NftHandle> = Vec::new();
        for first in [10_000, 11_000, 12_000] {
            let rules: Vec<NftRule> = (first..first + 1_000).map(|port| drop_at(port, port)).collect();
            made.extend(handles(&world.one(add("t", rules))));
        }
        assert!(made.iter().all(|handle| handle.port.is_some()));
        assert_eq!(world.kernel.nft_rules(&Namespace::Host, "t").unwrap().len(), 3_000);
        let last = made.split_off(2_990);
        world.one(remove("t", made));
        assert_eq!(world.kernel.nft_rules(&Namespace::Host, "t").unwrap().len(), 10);
        world.one(remove("t", last));
        world.same(&before, "something is left");
    });
}

#[test]
fn many_add_and_remove_at_the_same_time() {
    in_both(|world| {
        let before = world.dump();
        let work = |i: u16| {
            for _ in 0..10 {
                let applied = world.one(add("t", vec![drop_at(80 + i, 80 + i), accept_at(7, 7)]));
                let there = world.kernel.nft_rules(&Namespace::Host, "t").unwrap();
                assert!(handles(&applied).iter().all(|handle| there.iter().any(|(found, _)| found == handle)));
                assert_eq!(world.kernel.undo(&[applied]), []);
            }
        };
        thread::scope(|scope| (0..4).for_each(|i| drop(scope.spawn(move || work(i)))));
        world.same(&before, "something is left");
    });
}
