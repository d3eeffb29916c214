//! nftables: encoding against nft's own, translation of real packets, removal.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::tests::*;

const FORWARD: NftChain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
const DSTNAT: NftChain = NftChain { nat: true, hook: NftHook::Prerouting, priority: -100 };
const RAW: NftChain = NftChain { nat: false, hook: NftHook::Prerouting, priority: -300 };
const SRCNAT: NftChain = NftChain { nat: true, hook: NftHook::Postrouting, priority: 100 };

pub fn is(property: NftProperty) -> NftCondition {
    NftCondition { property, negated: false }
}

pub fn not(property: NftProperty) -> NftCondition {
    NftCondition { property, negated: true }
}

pub fn rule(chain: NftChain, conditions: &[NftCondition], verdict: NftVerdict) -> NftRule {
    let (conditions, comment) = (conditions.to_vec(), "n1/e2".into());
    NftRule { chain, conditions, statements: Vec::new(), verdict, own: None, comment }
}

pub fn add(table: &str, rules: Vec<NftRule>) -> Change {
    Change::AddNftRules { namespace: Namespace::Host, table: table.into(), rules }
}

pub fn remove(table: &str, rules: Vec<NftHandle>) -> Change {
    Change::RemoveNftRules { namespace: Namespace::Host, table: table.into(), rules }
}

pub fn handles(applied: &Applied) -> Vec<NftHandle> {
    match &applied.outcome {
        Outcome::Rules(handles) => handles.clone(),
        other => panic!("{other:?}"),
    }
}

/// Rules, each with what nft calls it.
pub fn examples() -> Vec<(NftRule, &'static str)> {
    use NftProperty::*;
    let forward = |conditions: &[NftCondition]| rule(FORWARD, conditions, NftVerdict::Accept);
    let tcp = || is(Protocol(6));
    vec![
        (forward(&[is(InputLink(1)), not(OutputLink(77))]), r#"iif "lo" oif != 77 accept"#),
        (
            forward(&[is(Source("10.5.0.0/16".parse().unwrap())), not(Destination("10.5.1.0/25".parse().unwrap()))]),
            "ip saddr 10.5.0.0/16 ip daddr != 10.5.1.0/25 accept",
        ),
        (
            forward(&[is(Source("fd00:5::/64".parse().unwrap())), not(Destination("fd00:5::7/128".parse().unwrap()))]),
            "ip6 saddr fd00:5::/64 ip6 daddr != fd00:5::7 accept",
        ),
        (
            forward(&[is(Source("10.5.0.9/32".parse().unwrap())), is(Destination("0.0.0.0/1".parse().unwrap()))]),
            "ip saddr 10.5.0.9 ip daddr 0.0.0.0/1 accept",
        ),
        (
            forward(&[is(InputGroup(0x5009_1a01)), not(InputLinks(vec![1, 76])), is(OutputLinks(vec![77, 1]))]),
            r#"iifgroup 1342773761 iif != { "lo", 76 } oif { "lo", 77 } accept"#,
        ),
        (forward(&[is(DestinationLocal)]), "fib daddr type local accept"),
        (forward(&[not(DestinationLocal)]), "fib daddr type != local accept"),
        (forward(&[not(Protocol(17))]), "meta l4proto != udp accept"),
        (
            forward(&[tcp(), is(DestinationPort(80, 80)), is(SourcePort(1024, 65535))]),
            "meta l4proto tcp th dport 80 th sport 1024-65535 accept",
        ),
        (
            forward(&[tcp(), not(DestinationPort(80, 90)), not(SourcePort(7, 7))]),
            "meta l4proto tcp th dport != 80-90 th sport != 7 accept",
        ),
        (forward(&[is(Connection(2 | 4))]), "ct state established,related accept"),
        (forward(&[is(Connection(8))]), "ct state new accept"),
        (forward(&[is(DestinationTranslated)]), "ct status dnat accept"),
        (rule(FORWARD, &[is(InputLink(77))], NftVerdict::Drop), "iif 77 drop"),
        (
            rule(SRCNAT, &[is(Source("10.5.0.0/16".parse().unwrap()))], NftVerdict::Masquerade),
            "ip saddr 10.5.0.0/16 masquerade",
        ),
        (rule(SRCNAT, &[], NftVerdict::SourceNat("192.0.2.1".parse().unwrap(), None)), "snat ip to 192.0.2.1"),
        (rule(SRCNAT, &[], NftVerdict::SourceNat("fd00::1".parse().unwrap(), None)), "snat ip6 to fd00::1"),
        (
            rule(
                DSTNAT,
                &[tcp(), is(DestinationPort(8080, 8080))],
                NftVerdict::DestinationNat("10.5.0.2".parse().unwrap(), Some(80)),
            ),
            "meta l4proto tcp th dport 8080 dnat ip to 10.5.0.2:80",
        ),
        (
            forward(&[is(Protocol(17)), is(DestinationPort(8080, 8080)), is(DestinationLocal)]),
            "meta l4proto udp th dport 8080 fib daddr type local accept",
        ),
        (forward(&[tcp(), is(DestinationPort(79, 81))]), "meta l4proto tcp th dport 79-81 accept"),
        (
            rule(DSTNAT, &[tcp()], NftVerdict::DestinationNat("fd00:5::2".parse().unwrap(), Some(80))),
            "meta l4proto tcp dnat ip6 to [fd00:5::2]:80",
        ),
        (
            rule(FORWARD, &[is(InputLink(1))], NftVerdict::Reject(NftRejection::Prohibited)),
            r#"iif "lo" reject with icmpx admin-prohibited"#,
        ),
        (rule(FORWARD, &[tcp()], NftVerdict::Reject(NftRejection::TcpReset)), "meta l4proto tcp reject with tcp reset"),
        (
            rule(FORWARD, &[], NftVerdict::Log { prefix: "pontoon d: x ".into(), rate: 3 }),
            r#"limit rate 3/second log prefix "pontoon d: x ""#,
        ),
        (
            forward(&[is(Mark { value: 0x100, mask: 0xff00 }), not(Mark { value: 1, mask: 1 })]),
            "meta mark & 0x0000ff00 == 0x00000100 meta mark & 0x00000001 != 0x00000001 accept",
        ),
        (forward(&[tcp(), is(TcpFlags { set: 2, mask: 6 })]), "tcp flags syn / syn,rst accept"),
        (forward(&[is(Protocol(1)), not(IcmpType(8))]), "meta l4proto icmp @th,0,8 != 8 accept"),
        (
            does(rule(FORWARD, &[is(InputLink(77))], NftVerdict::Proceed), &[NftStatement::Counter]),
            "iif 77 counter packets 0 bytes 0",
        ),
        (
            does(
                rule(FORWARD, &[], NftVerdict::Drop),
                &[NftStatement::Limit(NftRate { amount: 10, of_bytes: false, burst: 7, over: true })],
            ),
            "limit rate over 10/second burst 7 packets drop",
        ),
        (
            does(
                rule(FORWARD, &[], NftVerdict::Accept),
                &[NftStatement::Limit(NftRate { amount: 10_240, of_bytes: true, burst: 0, over: false })],
            ),
            "limit rate 10 kbytes/second accept",
        ),
        (
            does(rule(FORWARD, &[], NftVerdict::Proceed), &[NftStatement::SetMark { value: 0x100, mask: 0xff00 }]),
            "meta mark set meta mark & 0xffff01ff | 0x00000100",
        ),
        (
            does(rule(FORWARD, &[tcp()], NftVerdict::Proceed), &[NftStatement::ClampSegments(None)]),
            "meta l4proto tcp tcp option maxseg size set rt mtu",
        ),
        (
            does(rule(FORWARD, &[tcp()], NftVerdict::Proceed), &[NftStatement::ClampSegments(Some(1200))]),
            "meta l4proto tcp tcp option maxseg size set 1200",
        ),
        (does(rule(RAW, &[is(InputLink(77))], NftVerdict::Proceed), &[NftStatement::Untrack]), "iif 77 notrack"),
    ]
}

fn does(rule: NftRule, statements: &[NftStatement]) -> NftRule {
    NftRule { statements: statements.to_vec(), ..rule }
}

#[test]
fn chains_that_drop_what_is_forwarded() {
    in_real(|world| {
        let dropping = || world.kernel.dropping_chains(&Namespace::Host, &Packet::Forwarded).unwrap();
        assert_eq!(dropping(), []);
        sh("nft add table inet a; nft add table ip6 b; nft add table bridge c
            nft 'add chain inet a x { type filter hook forward priority 5; policy drop; }'
            nft 'add chain inet a open { type filter hook forward priority 6; }'
            nft 'add chain inet a in { type filter hook input priority 0; policy drop; }'
            nft add chain inet a no-base
            nft 'add chain ip6 b FORWARD { type filter hook forward priority 0; policy drop; }'
            nft 'add chain bridge c y { type filter hook forward priority 0; policy drop; }'");
        let by_policy = |chain: &str| DroppingChain { chain: chain.into(), rule_in: None };
        assert_eq!(dropping(), [by_policy("inet a x"), by_policy("ip6 b FORWARD")]);
    });
}

/// Rules of a chain at the hook forward, and the chain whose rule drops what a container begins; none: no rule does for certain.
const RULES: &[(&str, Option<&str>)] = &[
    ("drop", Some("f")),
    ("reject with icmpx admin-prohibited", Some("f")),
    ("counter log prefix \"no\" reject", Some("f")),
    ("ct state established,related accept; ct status dnat accept; reject with icmpx admin-prohibited", Some("f")),
    ("ct state invalid drop; ct status dnat drop", None),
    ("ct state new accept; drop", None),
    ("ct state new drop", Some("f")),
    ("ct state != new accept; drop", Some("f")),
    ("accept; drop", None),
    ("return; drop", None),
    ("iifname \"lan0\" accept; drop", Some("f")),
    ("iifname != \"lan0\" drop", Some("f")),
    ("iifname \"br-*\" accept; drop", None),
    ("iif lo accept; iif != lo reject", Some("f")),
    ("meta nfproto ipv6 drop", Some("f")),
    ("meta nfproto ipv4 accept; drop", Some("f")),
    ("meta nfproto ipv4 accept; meta nfproto ipv6 accept; drop", None),
    ("tcp dport 25 drop; ip daddr 10.0.0.0/8 reject", None),
    ("limit rate 5/second drop", None),
    ("meta mark set 7 drop", Some("f")),
    ("jump zones; accept", Some("public")),
    ("jump open; drop", Some("f")),
    ("goto open; drop", None),
    ("tcp dport 25 jump zones", None),
    ("ct state { established, related } accept; ct state invalid drop; reject", Some("f")),
    ("ct state vmap { established : accept, new : drop }", Some("f")),
    ("ct state vmap { established : drop, new : accept }; drop", None),
    ("iifname { \"lan0\", \"lan1\" } accept; drop", Some("f")),
    ("iifname vmap { \"lan0\" : accept }; iifname != { \"lan0\" } jump zones", Some("public")),
];

#[test]
fn chains_whose_rules_drop_what_is_forwarded() {
    in_real(|world| {
        for (rules, by) in RULES {
            let rules = rules.replace("; ", "\n");
            sh(&format!(
                "nft -f - <<'END'
add table inet a
delete table inet a
table inet a {{
chain public {{
reject
}}
chain zones {{
iifname \"eth0\" goto open
goto public
}}
chain open {{
tcp dport 25 reject
}}
chain f {{
type filter hook forward priority 10
{rules}
}}
}}
END"
            ));
            let found = world.kernel.dropping_chains(&Namespace::Host, &Packet::Forwarded).unwrap();
            let expected = by.map(|chain| DroppingChain { chain: "inet a f".into(), rule_in: Some(chain.into()) });
            assert_eq!(found, Vec::from_iter(expected), "{rules}");
        }
    });
}

/// Rules of a chain at the hook input that accepts or drops by its policy, and whether UDP to port 4789, by IPv4 from the link `cable`, gets by for
/// certain or perhaps.
const INCOMING: &[(&str, &str, bool)] = &[
    ("accept", "", true),
    ("drop", "", false),
    ("drop", "udp dport 4789 accept", true),
    ("drop", "udp dport 4790 accept; tcp dport 4789 accept; ip6 nexthdr udp udp dport 4789 accept", false),
    ("drop", "iifname cable udp dport { 53, 4789 } accept", true),
    ("drop", "udp dport { 53, 4000-4788 } accept", false),
    ("drop", "udp dport { 53, 4000-4789 } accept", true),
    ("drop", "udp dport 4000-5000 accept", true),
    ("drop", "udp dport != 4000-5000 accept; udp dport > 4789 accept; udp dport < 4789 accept", false),
    ("drop", "meta l4proto { tcp, icmp } accept; ip protocol tcp accept", false),
    ("drop", "meta l4proto . th dport { udp . 4789 } accept", true),
    ("drop", "iifname lo accept; ct state { established, related } accept; ct status dnat accept", false),
    ("drop", "ct state vmap { established : accept, related : accept, invalid : drop }", false),
    ("drop", "ip saddr 192.0.2.0/24 accept", true),
    ("drop", "ip saddr 192.0.2.0/24 jump some", false),
    ("drop", "ip saddr 192.0.2.0/24 jump open", true),
    ("drop", "iifname vmap { cable : jump open, lan0 : drop }", true),
    ("drop", "iifname vmap { cable : jump some, lan0 : accept }", false),
    ("drop", "ip saddr vmap { 192.0.2.0/24 : accept }", true),
    ("drop", "udp dport vmap { 53 : accept, 4789 : jump some }", false),
    ("drop", "fib daddr type local jump open", true),
    ("drop", "fib daddr type != local jump open", false),
    ("accept", "udp dport 4789 drop", false),
    ("accept", "ip saddr 192.0.2.0/24 drop", true),
    ("accept", "ip saddr 192.0.2.0/24 accept; drop", true),
    ("accept", "jump some; drop", false),
    ("accept", "iif cable jump some; reject", false),
    ("accept", "goto some; drop", true),
    ("accept", "ct state new limit rate 5/second accept; drop", true),
    ("accept", "fib daddr type local return; drop", true),
];

/// Arguments of iptables, in the same way.
const BY_IPTABLES: &[(&str, bool)] = &[
    ("-i cable -p udp --dport 4789 -j ACCEPT", true),
    ("-p udp --dport 4780:4790 -j ACCEPT", true),
    ("-p udp --sport 67 --dport 68 -j ACCEPT", false),
    ("-p udp --sport 67 --dport 4789 -j ACCEPT", true),
    ("-p udp ! --dport 4789 -j ACCEPT", false),
    ("-p udp -m multiport --dports 53,4780:4790 -j ACCEPT", true),
    ("-p udp -m multiport --dports 53,4780:4788,4790 -j ACCEPT", false),
    ("-p tcp --dport 4789 -j ACCEPT", false),
    ("-p icmp -j ACCEPT", false),
    ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", false),
    ("-m conntrack --ctstate NEW -j ACCEPT", true),
    ("-m state --state RELATED,ESTABLISHED -j ACCEPT", false),
    ("-m addrtype --dst-type LOCAL -j ACCEPT", true),
    ("-m addrtype ! --dst-type LOCAL -j ACCEPT", false),
    ("-m addrtype --dst-type MULTICAST -j ACCEPT", false),
    ("-i lo -j ACCEPT", false),
    ("-s 192.0.2.0/24 -j ACCEPT", true),
    ("-m comment --comment all -j ACCEPT", true),
];

#[test]
fn chains_that_drop_what_comes_in() {
    in_real(|world| {
        sh("ip link add cable type veth peer name other");
        let name = LinkName::new("cable").unwrap();
        let index = world.kernel.link_by_name(&Namespace::Host, &name).unwrap().unwrap().index;
        let packet = Packet::Udp { link: "cable".into(), index, ipv6: false, port: 4789 };
        let gets_by = || world.kernel.dropping_chains(&Namespace::Host, &packet).unwrap().is_empty();
        for (policy, rules, expected) in INCOMING {
            let rules = rules.replace("; ", "\n");
            sh(&format!(
                "nft -f - <<'END'
add table inet a
delete table inet a
table inet a {{
chain some {{
tcp dport 22 accept
ct state established accept
}}
chain open {{
udp dport 4789 accept
}}
chain in {{
type filter hook input priority 0; policy {policy}
{rules}
}}
}}
END"
            ));
            assert_eq!(gets_by(), *expected, "{rules}, else {policy}");
        }
        sh("nft delete table inet a; iptables-nft -P INPUT DROP");
        for (rule, expected) in BY_IPTABLES {
            sh(&format!("iptables-nft -F INPUT; iptables-nft -A INPUT {rule}"));
            assert_eq!(gets_by(), *expected, "{rule}");
        }
        let by_policy = DroppingChain { chain: "ip filter INPUT".into(), rule_in: None };
        sh("iptables-nft -F INPUT");
        assert_eq!(world.kernel.dropping_chains(&Namespace::Host, &packet).unwrap(), [by_policy]);
    });
}

#[test]
fn rules_are_encoded_as_nft_does_it() {
    in_real(|world| {
        for (rule, text) in examples() {
            let (chain, base) = match rule.chain {
                FORWARD => ("filter-forward-0", "type filter hook forward priority 0"),
                DSTNAT => ("nat-prerouting-dstnat", "type nat hook prerouting priority dstnat"),
                RAW => ("filter-prerouting-raw", "type filter hook prerouting priority raw"),
                _ => ("nat-postrouting-srcnat", "type nat hook postrouting priority srcnat"),
            };
            let applied = world.one(add("b", vec![rule]));
            let port =
                handles(&applied)[0].port.map(|port| (if port.protocol == 6 { "tcp" } else { "udp" }, port.port));
            let mut script = format!("add table inet a; add chain inet a {chain} {{ {base}; policy accept; }};");
            let mut place = chain.to_owned();
            if let Some((protocol, port)) = port {
                place = format!("{chain}/{protocol}-{port}");
                script += &format!(
                    "add map inet a {chain}/ports {{ type inet_proto . inet_service : verdict; }};
                     add rule inet a {chain} meta l4proto . th dport vmap @{chain}/ports comment \"rules for one port\";
                     add chain inet a {place}; add element inet a {chain}/ports {{ {protocol} . {port} : jump {place} }};"
                );
            }
            sh(&format!("nft '{script} add rule inet a {place} {text} comment \"n1/e2\"'"));
            // With --debug, every expression.
            let list = |table: &str| {
                let all = sh(&format!("nft --debug=netlink list table inet {table}"));
                let lines = all.lines().map(|line| line.replace(&format!("inet {table} "), "inet "));
                let mut lines: Vec<_> = lines.collect();
                // A set has no order.
                lines.chunk_by_mut(|a, b| a.contains("element") && b.contains("element")).for_each(<[_]>::sort);
                lines
            };
            let (nft, ours) = (list("a"), list("b"));
            for (nft, ours) in nft.iter().zip(&ours) {
                assert_eq!(strip_handles(nft), strip_handles(ours));
            }
            assert_eq!(nft.len(), ours.len());
            sh("nft delete table inet a");
            world.one(Change::RemoveNftTable { namespace: Namespace::Host, table: "b".into() });
        }
    });
}

/// `inet filter-forward-0 7 4`: a handle and a position follow the chain's name. Behind the comment may be ports, which nft doesn't write.
fn strip_handles(line: &str) -> String {
    if let Some((comment, _)) = line.split_once("d\\x05") {
        return format!("{comment} }}");
    }
    match line.strip_prefix("inet ") {
        Some(rest) => rest.split(' ').next().unwrap().to_owned(),
        None => line.replace("table inet a", "table inet b"),
    }
}

#[test]
fn rules_are_listed_and_removed_with_chains_and_table() {
    in_both(|world| {
        let before = world.dump();
        let rules = |i: u8| {
            let network = format!("10.{i}.0.0/16").parse().unwrap();
            vec![
                rule(FORWARD, &[is(NftProperty::Source(network))], NftVerdict::Accept),
                rule(SRCNAT, &[is(NftProperty::Source(network))], NftVerdict::Masquerade),
            ]
        };
        let first = world.one(add("pontoon-n1", rules(1)));
        let second = world.one(add("pontoon-n1", rules(2)));
        if world.is_real() {
            sh("nft add table ip pontoon-n1");
        }
        assert_eq!(world.kernel.nft_tables(&Namespace::Host).unwrap(), ["pontoon-n1"]);
        if world.is_real() {
            sh("nft delete table ip pontoon-n1");
        }
        let listed = world.kernel.nft_rules(&Namespace::Host, "pontoon-n1").unwrap();
        assert_eq!(listed.len(), 4);
        assert!(listed.iter().all(|(_, comment)| comment == "n1/e2"));
        assert!(handles(&first).iter().all(|h| listed.iter().any(|(l, _)| l == h)));
        // One of them is gone already, and one is given twice.
        let gone = handles(&first)[..1].to_vec();
        world.one(remove("pontoon-n1", gone));
        let twice = [handles(&first), handles(&first)].concat();
        world.one(remove("pontoon-n1", twice));
        let left = world.kernel.nft_rules(&Namespace::Host, "pontoon-n1").unwrap();
        assert_eq!(left.iter().map(|(h, _)| h.clone()).collect::<Vec<_>>(), handles(&second));
        // The last ones take the chains and the table along.
        assert_eq!(world.kernel.undo(std::slice::from_ref(&second)), []);
        world.same(&before, "something is left");
        world.one(remove("pontoon-n1", handles(&second)));
        assert_eq!(world.kernel.nft_rules(&Namespace::Host, "pontoon-n1"), Ok(Vec::new()));
        world.one(add("x", rules(3)));
        for _ in 0..2 {
            world.one(Change::RemoveNftTable { namespace: Namespace::Host, table: "x".into() });
        }
        world.same(&before, "something is left");
    });
}

/// Whoever flushed everything must not have the tables come back one after the other.
#[test]
fn rules_that_are_counted_go_with_what_they_leave_empty() {
    in_both(|world| {
        let before = world.dump();
        let forward = |comment: &str| NftRule { comment: comment.into(), ..rule(FORWARD, &[], NftVerdict::Accept) };
        let translated = || rule(SRCNAT, &[], NftVerdict::Masquerade);
        let stays = handles(&world.one(add("t", vec![forward("stays")])));
        let chains = |world: &World| world.dump().matches("postrouting").count();
        let mut last = None;
        // The first is asked about, and the others are counted.
        for _ in 0..3 {
            let made = handles(&world.one(add("t", vec![forward("goes"), translated(), translated()])));
            let (one, rest) = made.split_at(2);
            world.one(remove("t", one.to_vec()));
            assert!(chains(world) > 0, "a rule is left in the chain");
            world.one(remove("t", rest.to_vec()));
            assert_eq!(chains(world), 0);
            assert_eq!(world.kernel.nft_rules(&Namespace::Host, "t").unwrap().len(), 1);
            last = Some(rest.to_vec());
        }
        // What is gone is no error, and what is counted wrongly is asked about.
        world.one(remove("t", last.unwrap()));
        let again = handles(&world.one(add("t", vec![translated()])));
        let others = handles(&world.other(INSTANCE).apply(&[add("t", vec![translated()])]).unwrap().remove(0));
        world.one(remove("t", again));
        assert!(chains(world) > 0, "somebody else has a rule there");
        world.one(remove("t", others));
        world.one(remove("t", stays));
        assert_eq!(world.kernel.nft_tables(&Namespace::Host), Ok(Vec::new()));
        world.same(&before, "after the last");
    });
}

#[test]
fn tables_are_made_anew_in_one_step() {
    in_both(|world| {
        let generation = || world.kernel.iptables(IptablesFamily::Ipv4).unwrap().generation;
        let rules = |count| vec![rule(FORWARD, &[], NftVerdict::Accept); count];
        world.one(add("a", rules(3)));
        let (few, most, many) = (rules(2), rules(999), rules(1500));
        let steps = |tables: &[(&str, &[NftRule])]| {
            let before = generation();
            let named: Vec<_> =
                tables.iter().map(|(name, rules)| NftTable { name, chains: &[], sets: &[], rules }).collect();
            let made = world.kernel.replace_nft_tables(&Namespace::Host, &named).unwrap();
            for ((table, rules), made) in tables.iter().zip(&made) {
                let there = world.kernel.nft_rules(&Namespace::Host, table).unwrap();
                assert_eq!(there.into_iter().map(|(handle, _)| handle).collect::<Vec<_>>(), *made);
                assert_eq!(made.len(), rules.len());
            }
            generation() - before
        };
        assert_eq!(steps(&[("a", &few), ("b", &few)]), 1);
        // Two do not fit together with this one, and the last one fits into no step.
        assert_eq!(steps(&[("a", &most), ("b", &few), ("c", &few)]), 2);
        assert_eq!(steps(&[("a", &few), ("b", &many), ("c", &few)]), 4);
        for table in ["a", "b", "c"] {
            world.one(Change::RemoveNftTable { namespace: Namespace::Host, table: table.into() });
        }
    });
}

#[test]
fn a_bad_rule_leaves_nothing() {
    in_both(|world| {
        let before = world.dump();
        let good = rule(FORWARD, &[], NftVerdict::Accept);
        let bad = rule(FORWARD, &[], NftVerdict::Masquerade);
        let error = world.fails(&[add("t", vec![good.clone()]), add("t", vec![good.clone(), bad])]);
        assert!(error.message.contains("rule 2 of 2"), "{error}");
        assert!(error.errno.is_some());
        world.same(&before, "something is left");
        let long = NftRule { comment: "x".repeat(129), ..good };
        assert!(world.fails(&[add("t", vec![long])]).message.contains("128"));
    });
}

#[test]
fn many_rules_at_once() {
    in_both(|world| {
        let before = world.dump();
        let rules: Vec<NftRule> = examples().into_iter().map(|(rule, _)| rule).cycle().take(1000).collect();
        let applied = world.one(add("t", rules));
        assert_eq!(handles(&applied).len(), 1000);
        assert_eq!(world.kernel.undo(&[applied]), []);
        world.same(&before, "something is left");
    });
}

/// host (this namespace) 10.9.0.1 -- 10.9.0.2 inside; outside 192.0.2.2 -- 192.0.2.1 host.
#[test]
fn packets_are_translated() {
    in_real(|world| {
        let (inside, outside) = (Sandbox::new(world), Sandbox::new(world));
        let address = |a: &str| vec![a.parse().unwrap()];
        let pair = |ours: &str, at: &Sandbox, near: &str, far: &str| {
            let first = LinkEnd { addresses: address(near), ..end(&Namespace::Host, ours) };
            world.link(veth(first, LinkEnd { addresses: address(far), ..end(&at.namespace(), "eth0") })).1.unwrap()
        };
        let into = pair("in", &inside, "10.9.0.1/24", "10.9.0.2/24");
        pair("out", &outside, "192.0.2.1/24", "192.0.2.2/24");
        let out = world.kernel.link_by_name(&Namespace::Host, &name("out")).unwrap().unwrap().index;
        let route = Route {
            link: into.key,
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some("10.9.0.1".parse().unwrap()),
            source: None,
            table: None,
            metric: None,
        };
        let network = "10.9.0.0/24".parse().unwrap();
        let published = [
            is(NftProperty::DestinationLocal),
            is(NftProperty::Protocol(6)),
            is(NftProperty::DestinationPort(8080, 8080)),
        ];
        let to = NftVerdict::DestinationNat("10.9.0.2".parse().unwrap(), Some(80));
        let leaving = [is(NftProperty::Source(network)), is(NftProperty::OutputLink(out))];
        world.all(&[
            Change::AddRoute(route),
            Change::SetSysctl { namespace: Namespace::Host, sysctl: Sysctl::Namespace("ipv4/ip_forward"), value: 1 },
            add("t", vec![rule(DSTNAT, &published, to), rule(SRCNAT, &leaving, NftVerdict::Masquerade)]),
        ]);
        // From outside through the host's address to the one inside, which sees the real source.
        let server = inside.within(|| TcpListener::bind("10.9.0.2:80").unwrap());
        let mut client = outside
            .within(|| TcpStream::connect_timeout(&"192.0.2.1:8080".parse().unwrap(), Duration::from_secs(5)).unwrap());
        let (mut accepted, from) = server.accept().unwrap();
        assert_eq!(from.ip().to_string(), "192.0.2.2");
        accepted.write_all(b"hello").unwrap();
        drop(accepted);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        // From inside out, under the host's address.
        let server = outside.within(|| TcpListener::bind("192.0.2.2:80").unwrap());
        let _client = inside
            .within(|| TcpStream::connect_timeout(&"192.0.2.2:80".parse().unwrap(), Duration::from_secs(5)).unwrap());
        assert_eq!(server.accept().unwrap().1.ip().to_string(), "192.0.2.1");
    });
}

#[test]
fn many_at_the_same_time() {
    in_both(|world| {
        let before = world.dump();
        let work = |i: u8| {
            for _ in 0..15 {
                let network = format!("10.{i}.0.0/16").parse().unwrap();
                let from = [is(NftProperty::Source(network))];
                let rules = [rule(FORWARD, &from, NftVerdict::Accept), rule(SRCNAT, &from, NftVerdict::Masquerade)];
                let applied = world.one(add("t", rules.to_vec()));
                let there = world.kernel.nft_rules(&Namespace::Host, "t").unwrap();
                assert!(handles(&applied).iter().all(|h| there.iter().any(|(t, _)| t == h)));
                assert_eq!(world.kernel.undo(&[applied]), []);
            }
        };
        thread::scope(|scope| (0..6).for_each(|i| drop(scope.spawn(move || work(i)))));
        world.same(&before, "some rule is left");
    });
}
