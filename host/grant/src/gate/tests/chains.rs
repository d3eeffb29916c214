//! Chains of a network's own: what each check refuses, each alone.

use kernel::{Namespace, NftChain, NftHook, NftProperty, NftVerdict};

use super::calls::no;
use super::look::{Table, container, made, own, place};
use super::*;
use crate::gate::chains::{SeenChain, Ways};
use crate::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};

const BASE: NftChain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
const OTHER: NftChain = NftChain { priority: 1, ..BASE };
const WORDS: &str = "permissions = ['packet-filter']\nnamespaces = ['host']\naddresses = ['network']\n\
    hooks = { forward = [0, 1], prerouting = [0] }\nlimits = { rules = 9 }";

fn chain(id: i64, name: &str) -> SeenChain {
    SeenChain {
        id,
        name: name.into(),
        namespace: Namespace::Host,
        base: BASE,
        endpoint: None,
        ways: Ways::default(),
        is_used: false,
        is_removed: false,
    }
}

/// So many rules, each of which leads there.
fn ways(to: &str, times: u64) -> Ways {
    Ways { rules: times, to: [(to.to_owned(), times)].into() }
}

fn bare(verdict: NftVerdict) -> WantedNftRule {
    WantedNftRule { chain: BASE, conditions: Vec::new(), statements: Vec::new(), verdict }
}

fn tied(chain: NftChain, verdict: NftVerdict) -> WantedNftRule {
    let conditions = vec![WantedCondition { property: WantedProperty::InputLink(own(1, "br0")), negated: false }];
    WantedNftRule { chain, conditions, ..bare(verdict) }
}

fn jump(to: &str) -> NftVerdict {
    NftVerdict::Jump(to.into())
}

fn id(text: &str) -> Option<words::Id> {
    words::Id::new(text).ok()
}

fn lead(gate: &Gate, view: &mut Table, rule: WantedNftRule) -> words::Result<()> {
    gate.add_packet_rules(view, None, "t", vec![rule]).map(drop)
}

fn put(gate: &Gate, view: &mut Table, name: &str, verdict: NftVerdict) -> words::Result<kernel::NftRule> {
    let own = gate.chain(view, name)?;
    let granted = gate.add_chain_rules(view, "t", own, vec![bare(verdict)])?;
    Ok(granted.take().rules.remove(0).0)
}

#[test]
fn a_chain_is_behind_a_base_chain_that_is_granted() {
    let (gate, mut view) = (super::gate(WORDS), Table::default());
    let view = &mut view;
    let add = |view: &mut Table, name: &str, base| gate.add_chain(view, None, "t", name.into(), base);
    let granted = add(view, "policy", BASE).unwrap();
    assert_eq!((granted.table.as_str(), granted.chain.name.as_str(), granted.chain.base), ("t", "policy", BASE));
    for name in ["", "a b", "a/b", "a\u{0}", "\u{e9}", &"a".repeat(33)] {
        no(add(view, name, BASE), "a chain's name is 1 to 32 letters");
    }
    assert!(add(view, &"a".repeat(32), BASE).is_ok());
    no(add(view, "a", NftChain { priority: 7, ..BASE }), "lacks hooks: forward 7");
    no(add(view, "a", NftChain { nat: true, ..BASE }), "a nat chain can't be at the forward hook");
    no(gate.add_chain(view, Some(&container()), "t", "a".into(), BASE), "the container's namespace");
    assert_eq!(gate.add_chain(view, Some(&place()), "t", "a".into(), BASE).unwrap().namespace, made());
    view.chains = vec![chain(1, "policy")];
    no(add(view, "policy", OTHER), "the network has a chain policy already");
    view.chains[0].is_removed = true;
    no(add(view, "policy", BASE), "until this call is done");
    view.holds = 9;
    no(add(view, "b", BASE), "limits: rules");
    let without = super::gate("namespaces = ['host']");
    view.holds = 0;
    no(without.add_chain(view, Some(&place()), "t", "b".into(), BASE), "lacks packet-filter");
    no(without.remove_chain(view, "b".into()), "lacks packet-filter");
}

#[test]
fn a_chain_stays_while_a_rule_is_about_it() {
    let (gate, mut view) = (super::gate(WORDS), Table::default());
    view.chains = vec![chain(1, "a"), SeenChain { is_used: true, ..chain(2, "b") }];
    assert_eq!(gate.remove_chain(&view, "a".into()).unwrap().take().0, "a");
    assert!(gate.remove_chain(&view, "none".into()).is_ok());
    no(gate.remove_chain(&view, "b".into()), "a rule stands in the chain b, or leads there: remove it first");
}

#[test]
fn a_rule_leads_to_chains_behind_its_own_base_chain() {
    let (gate, mut view) = (super::gate(WORDS), Table::default());
    let view = &mut view;
    view.chains = vec![
        chain(1, "a"),
        SeenChain { base: OTHER, ..chain(2, "other") },
        SeenChain { namespace: made(), ..chain(3, "away") },
        SeenChain { is_removed: true, ..chain(4, "gone") },
        SeenChain { endpoint: id("e9"), ..chain(5, "theirs") },
    ];
    for verdict in [jump("a"), NftVerdict::Goto("a".into())] {
        assert!(lead(&gate, view, tied(BASE, verdict)).is_ok());
    }
    assert!(lead(&gate, view, tied(OTHER, jump("other"))).is_ok());
    no(lead(&gate, view, bare(jump("a"))), "nothing ties the rule to the network");
    no(lead(&gate, view, tied(BASE, jump("other"))), "the chain other is behind another base chain than the rule");
    no(lead(&gate, view, tied(BASE, jump("away"))), "the chain away is behind another base chain than the rule");
    no(lead(&gate, view, tied(BASE, jump("gone"))), "the network has no chain \"gone\"");
    no(lead(&gate, view, tied(BASE, jump("none"))), "the network has no chain \"none\"");
    no(lead(&gate, view, tied(BASE, jump("theirs"))), "the chain theirs is another endpoint's");
    no(lead(&gate, view, tied(BASE, NftVerdict::Return)), "a base chain returns nowhere");
}

#[test]
fn a_rule_of_a_chain_is_as_one_of_the_base_chain_but_for_its_tie() {
    let (gate, mut view) = (super::gate(WORDS), Table::default());
    let view = &mut view;
    let nat = NftChain { nat: true, hook: NftHook::Prerouting, priority: 0 };
    view.chains = vec![
        chain(1, "a"),
        SeenChain { base: nat, ..chain(2, "nat") },
        SeenChain { endpoint: id("e9"), ..chain(3, "theirs") },
        SeenChain { is_removed: true, ..chain(4, "gone") },
        SeenChain { base: NftChain { priority: 7, ..BASE }, ..chain(5, "early") },
    ];
    let made = put(&gate, view, "a", NftVerdict::Drop).unwrap();
    assert_eq!((made.chain, made.own.as_deref()), (BASE, Some("a")));
    assert!(put(&gate, view, "a", NftVerdict::Return).is_ok());
    no(put(&gate, view, "a", NftVerdict::Masquerade), "can't happen in a chain of filter");
    no(put(&gate, view, "nat", NftVerdict::Drop), "can't happen in a chain of nat");
    let to = NftVerdict::DestinationNat("10.5.0.9".parse().unwrap(), None);
    no(put(&gate, view, "nat", to), "packets that are not the network's can be sent to it only by a port");
    no(put(&gate, view, "theirs", NftVerdict::Drop), "the chain theirs is another endpoint's");
    no(put(&gate, view, "gone", NftVerdict::Drop), "the network has no chain \"gone\"");
    no(put(&gate, view, "early", NftVerdict::Drop), "lacks hooks: forward 7");
    no(put(&gate, view, "a", NftVerdict::Log { prefix: "x".into(), rate: 1 }), "packet-log");
    view.holds = 9;
    no(put(&gate, view, "a", NftVerdict::Drop), "limits: rules");
    view.holds = 0;
    let elsewhere = super::gate(&WORDS.replace("'host'", "'container'"));
    no(put(&elsewhere, view, "a", NftVerdict::Drop), "namespaces");
}

#[test]
fn no_way_leads_in_a_circle_or_is_too_long() {
    let (gate, mut view) = (super::gate(WORDS), Table::default());
    let view = &mut view;
    view.chains = (1..=9).map(|number| chain(number, &format!("c{number}"))).collect();
    no(put(&gate, view, "c1", jump("c1")), "made before it: c1 was not");
    no(put(&gate, view, "c1", NftVerdict::Goto("c2".into())), "made before it: c2 was not");
    assert!(put(&gate, view, "c2", jump("c1")).is_ok());
    for number in 2..=8usize {
        view.chains[number - 1].ways = ways(&format!("c{}", number - 1), 1);
    }
    assert!(lead(&gate, view, tied(BASE, jump("c8"))).is_ok());
    // From the chain itself, with the base chain's rules, and where a way is made longer at its end.
    no(put(&gate, view, "c9", jump("c8")), "at most 8 chains may be behind each other");
    view.chains[8].ways = ways("c4", 1);
    view.base = ways("c9", 1);
    no(put(&gate, view, "c9", jump("c8")), "at most 8 chains may be behind each other");
    assert!(put(&gate, view, "c9", jump("c7")).is_ok());
    view.chains.insert(0, chain(0, "c0"));
    view.base = ways("c8", 1);
    no(put(&gate, view, "c1", jump("c0")), "at most 8 chains may be behind each other");
}

#[test]
fn ways_do_not_multiply_without_end() {
    let (gate, mut view) = (super::gate(WORDS), Table::default());
    let view = &mut view;
    view.chains = vec![chain(1, "a"), chain(2, "b")];
    view.chains[0].ways.rules = 255;
    view.chains[1].ways = ways("a", 200);
    // 200 and 200 * 255 behind them.
    assert!(lead(&gate, view, tied(BASE, jump("b"))).is_ok());
    view.base = ways("b", 1);
    no(lead(&gate, view, tied(BASE, jump("b"))), "a packet may meet at most 65536 rules; it would be 102402");
    // A rule that leads nowhere makes each way to it longer.
    view.chains[1].ways = ways("a", 256);
    assert!(put(&gate, view, "a", NftVerdict::Drop).is_err());
    view.chains[1].ways = ways("a", 255);
    assert!(put(&gate, view, "a", NftVerdict::Drop).is_ok());
    // Of another base chain, and of rules alone, there may be more.
    view.base = Ways { rules: 100_000, ..Ways::default() };
    let plain = WantedCondition { property: WantedProperty::Other(NftProperty::DestinationLocal), negated: false };
    let mut rule = tied(BASE, NftVerdict::Accept);
    rule.conditions.push(plain);
    assert!(lead(&gate, view, rule).is_ok());
}
