//! nftables: own chains, and what leads to them.

use crate::tests::nftables::{add, handles, is, remove, rule};
use crate::tests::*;

const OUT: NftChain = NftChain { nat: false, hook: NftHook::Output, priority: 0 };

fn chain(name: &str) -> NftOwnChain {
    NftOwnChain { base: OUT, name: name.into() }
}

fn made(name: &str) -> Change {
    Change::AddNftChain { namespace: Namespace::Host, table: "t".into(), chain: chain(name) }
}

fn gone(name: &str) -> Change {
    Change::RemoveNftChain { namespace: Namespace::Host, table: "t".into(), chain: chain(name) }
}

fn within(name: &str, rule: NftRule) -> NftRule {
    NftRule { own: Some(name.into()), ..rule }
}

fn to(address: &str, verdict: NftVerdict) -> NftRule {
    rule(OUT, &[is(NftProperty::Destination(address.parse().unwrap()))], verdict)
}

fn jump(name: &str) -> NftVerdict {
    NftVerdict::Jump(name.into())
}

#[test]
fn chains_come_and_go_and_come_back_with_undo() {
    in_both(|world| {
        let before = world.dump();
        there_and_back(world, made("a"));
        world.one(made("a"));
        assert_eq!(world.fails(&[made("a")]).errno, Some(17), "there is one");
        let all = || world.kernel.nft_own_chains(&Namespace::Host).unwrap();
        assert_eq!(all(), [("t".to_owned(), chain("a"))]);
        let applied = world.one(gone("a"));
        assert!(all().is_empty());
        assert!(world.kernel.undo(&[applied]).is_empty());
        assert_eq!(all(), [("t".to_owned(), chain("a"))]);
        // A layer that has made none of it finds the same.
        let other = world.other(2);
        other.apply(&[gone("a")]).unwrap();
        world.one(gone("a"));
        world.one(gone("none"));
        world.same(&before, "something is left");
    });
}

#[test]
fn a_chain_stays_with_its_rules_and_with_those_that_lead_there() {
    in_both(|world| {
        let before = world.dump();
        let leads = || vec![rule(OUT, &[], jump("a"))];
        assert_eq!(world.fails(&[add("t", leads())]).errno, Some(2), "there is no such chain");
        assert_eq!(world.fails(&[add("t", vec![within("a", leads().remove(0))])]).errno, Some(2), "there is none");
        world.one(made("a"));
        let empty = world.dump();
        let inside = handles(&world.one(add("t", vec![within("a", rule(OUT, &[], NftVerdict::Return))])));
        assert_eq!(inside[0].own.as_deref(), Some("a"));
        assert_eq!(world.fails(&[gone("a")]).errno, Some(16), "a rule is in it");
        let led = handles(&world.one(add("t", leads())));
        world.one(remove("t", inside));
        assert_eq!(world.fails(&[gone("a")]).errno, Some(16), "a rule leads there");
        world.one(remove("t", led));
        world.same(&empty, "the chain went with the last rule, or something is left");
        // Chain and rules by another layer, which has made none of them.
        world.one(add("t", vec![within("a", rule(OUT, &[], NftVerdict::Drop)), leads().remove(0)]));
        let other = world.other(2);
        let all = other.nft_rules(&Namespace::Host, "t").unwrap();
        assert_eq!(all.len(), 2);
        other.apply(&[remove("t", all.into_iter().map(|(handle, _)| handle).collect()), gone("a")]).unwrap();
        world.same(&before, "something is left");
        // The chain is empty, and another layer does not know of it when its last way goes.
        world.one(made("a"));
        let empty = world.dump();
        let led = handles(&world.one(add("t", leads())));
        let other = world.other(2);
        other.apply(&[remove("t", led)]).unwrap();
        world.same(&empty, "the chain went with the last rule, or something is left");
        other.apply(&[gone("a")]).unwrap();
        world.same(&before, "something is left");
    });
}

#[test]
fn the_kernel_takes_no_circle_and_no_way_that_is_too_long() {
    in_both(|world| {
        let names: Vec<String> = (0..17).map(|number| format!("c{number}")).collect();
        names.iter().for_each(|name| drop(world.one(made(name))));
        let ways = names.windows(2).map(|two| within(&two[0], rule(OUT, &[], jump(&two[1]))));
        world.one(add("t", ways.collect()));
        assert_eq!(world.fails(&[add("t", vec![rule(OUT, &[], jump("c0"))])]).errno, Some(31), "16 behind each other");
        world.one(add("t", vec![rule(OUT, &[], jump("c7"))]));
        assert!(world.fails(&[add("t", vec![within("c16", rule(OUT, &[], jump("c7")))])]).errno.is_some());
    });
}

#[test]
fn a_table_is_made_anew_with_its_chains() {
    in_both(|world| {
        let before = world.dump();
        let chains = [chain("a"), chain("b")];
        let rules = [within("b", rule(OUT, &[], jump("a"))), rule(OUT, &[], NftVerdict::Goto("b".into()))];
        for rules in [&rules[..], &[]] {
            let anew = NftTable { name: "t", chains: &chains, sets: &[], rules };
            let made = world.kernel.replace_nft_tables(&Namespace::Host, &[anew]).unwrap();
            assert_eq!(made[0].len(), rules.len());
            assert_eq!(world.kernel.nft_own_chains(&Namespace::Host).unwrap().len(), 2);
        }
        world.all(&[gone("a"), gone("b")]);
        world.same(&before, "something is left");
    });
}

#[test]
fn nft_reads_chains() {
    in_real(|world| {
        world.all(&[made("a"), made("b")]);
        let inside = within("b", rule(OUT, &[], jump("a")));
        world.one(add("t", vec![inside, to("192.0.2.0/24", NftVerdict::Goto("b".into()))]));
        world.one(add("t", vec![within("a", to("192.0.2.7/32", NftVerdict::Return))]));
        let listed = sh("nft list table inet t");
        for says in [
            "chain filter-output-0/own/a {",
            "ip daddr 192.0.2.7 return",
            "jump filter-output-0/own/a",
            "ip daddr 192.0.2.0/24 goto filter-output-0/own/b",
        ] {
            assert!(listed.contains(says), "{says}: {listed}");
        }
    });
}

/// Real packets go where rules lead, come back behind a jump and a return, and do not behind a goto. A rule for one port is as any other.
#[test]
fn packets_go_by_chains() {
    in_real(|world| {
        sh("ip link set lo up");
        world.all(&[made("a"), made("b")]);
        let counts = |rule: NftRule| NftRule { statements: vec![NftStatement::Counter], ..rule };
        let port = |number, verdict| {
            let conditions = [is(NftProperty::Protocol(17)), is(NftProperty::DestinationPort(number, number))];
            rule(OUT, &conditions, verdict)
        };
        let rules = [
            within("a", counts(to("127.0.0.2/32", NftVerdict::Return))),
            within("a", counts(to("127.0.0.3/32", NftVerdict::Drop))),
            within("b", counts(rule(OUT, &[], jump("a")))),
            counts(port(4001, jump("b"))),
            counts(port(4002, NftVerdict::Goto("b".into()))),
            counts(rule(OUT, &[is(NftProperty::Protocol(17))], NftVerdict::Proceed)),
        ];
        let made = handles(&world.one(add("t", rules.to_vec())));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let send = |to: &str| drop(socket.send_to(&[0; 8], to));
        send("127.0.0.2:4001");
        send("127.0.0.3:4001");
        send("127.0.0.2:4002");
        send("127.0.0.2:4003");
        let counts = world.kernel.nft_counters(&Namespace::Host, "t").unwrap();
        let packets: Vec<u64> = made.iter().map(|rule| counts[rule].packets).collect();
        // The last one sees what came back and what was led nowhere; the kernel drops what it drops with an error to the sender.
        assert_eq!(packets, [2, 1, 3, 2, 1, 2]);
    });
}
