//! Sets, and what rules do beside their verdicts: what each check refuses, each alone.

use kernel::{
    NftChain, NftElement, NftField, NftHook, NftProperty, NftRate, NftRejection, NftSetKind, NftStatement, NftVerdict,
};

use super::calls::no;
use super::look::{Table, container, made, own, place};
use super::*;
use crate::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use crate::gate::sets::{ELEMENTS, SeenSet};

const WORDS: &str = "permissions = ['packet-filter'$]\nnamespaces = ['host']\naddresses = ['network']\nmark-bits = '0x0000ff00'\n\
    hooks = { prerouting = [-300, -200, 0], input = [0], forward = [0, -300], output = [-300, 0], postrouting = [0] }\n\
    limits = { sets = 2, set-elements = 5, rules = 9 }";

fn with(more: &str) -> Gate {
    gate(&WORDS.replace('$', more))
}

fn set(name: &str, elements: &[&str]) -> SeenSet {
    SeenSet {
        name: name.into(),
        namespace: kernel::Namespace::Host,
        kind: NftSetKind::Ipv4,
        endpoint: None,
        elements: elements.iter().map(|text| element(text)).collect(),
        is_used: false,
        is_removed: false,
    }
}

fn element(text: &str) -> NftElement {
    NftElement::Network(net(text))
}

/// A rule of the network's own link at the hook forward.
fn rule(statements: Vec<NftStatement>, verdict: NftVerdict) -> WantedNftRule {
    at(NftHook::Forward, 0, statements, verdict)
}

fn at(hook: NftHook, priority: i32, statements: Vec<NftStatement>, verdict: NftVerdict) -> WantedNftRule {
    let conditions = vec![WantedCondition { property: WantedProperty::InputLink(own(1, "br0")), negated: false }];
    WantedNftRule { chain: NftChain { nat: false, hook, priority }, conditions, statements, verdict }
}

fn looking(field: NftField, set: &str) -> WantedNftRule {
    let mut rule = rule(Vec::new(), NftVerdict::Drop);
    let property = WantedProperty::Member(field, set.into());
    rule.conditions.push(WantedCondition { property, negated: true });
    rule
}

#[test]
fn a_set_is_the_networks_under_its_name() {
    let (gate, mut view) = (with(""), Table::default());
    let view = &mut view;
    let add = |view: &mut Table, name: &str| gate.add_set(view, None, "t", name.into(), NftSetKind::Ipv4);
    let made_set = add(view, "blocked").unwrap();
    assert_eq!((made_set.table.as_str(), made_set.name.as_str(), made_set.kind), ("t", "blocked", NftSetKind::Ipv4));
    for name in ["", "_a", "a b", "a/b", "a\u{0}", "\u{e9}", &"a".repeat(33)] {
        no(add(view, name), "a set's name is 1 to 32 letters");
    }
    assert!(add(view, &"a".repeat(32)).is_ok());
    view.sets = vec![set("blocked", &[])];
    no(add(view, "blocked"), "the network has a set blocked already");
    view.sets[0].is_removed = true;
    no(add(view, "blocked"), "until this call is done");
    no(gate.add_set(view, Some(&container()), "t", "a".into(), NftSetKind::Ports), "the container's namespace");
    assert_eq!(gate.add_set(view, Some(&place()), "t", "a".into(), NftSetKind::Ports).unwrap().namespace, made());
    view.holds = 2;
    no(add(view, "b"), "limits: sets");
    let bare = super::gate("namespaces = ['host']");
    view.holds = 0;
    no(bare.add_set(view, Some(&place()), "t", "b".into(), NftSetKind::Ipv4), "lacks packet-filter");
    no(bare.remove_set(view, "b".into()), "lacks packet-filter");
    no(bare.remove_elements("b".into(), Vec::new()), "lacks packet-filter");
}

#[test]
fn a_set_stays_while_a_rule_looks_into_it() {
    let (gate, mut view) = (with(""), Table::default());
    view.sets = vec![set("a", &[]), SeenSet { is_used: true, ..set("b", &[]) }];
    assert_eq!(gate.remove_set(&view, "a".into()).unwrap().take().0, "a");
    assert!(gate.remove_set(&view, "none".into()).is_ok());
    no(gate.remove_set(&view, "b".into()), "a rule looks into the set b: remove it first");
}

#[test]
fn elements_are_of_their_sets_kind_apart_and_so_many() {
    let (gate, mut view) = (with(""), Table::default());
    view.sets = vec![set("a", &["10.0.0.0/24", "10.0.2.0/24"]), SeenSet { is_removed: true, ..set("gone", &[]) }];
    let view = &mut view;
    let add =
        |view: &mut Table, name: &str, new: &[NftElement]| gate.add_elements(view, "t", name.into(), new.to_vec());
    let granted = add(view, "a", &[element("10.0.1.0/24"), element("10.0.3.7/32")]).unwrap();
    assert_eq!((granted.elements.len(), granted.set.as_str()), (2, "a"));
    no(add(view, "b", &[]), "the network has no set \"b\"");
    no(add(view, "gone", &[]), "the network has no set \"gone\"");
    for other in ["10.0.0.0/24", "10.0.0.7/32", "10.0.0.0/16", "0.0.0.0/0", "10.0.2.128/25"] {
        no(add(view, "a", &[element(other)]), "overlaps with");
    }
    no(add(view, "a", &[element("10.9.0.0/24"), element("10.9.0.255/32")]), "overlaps with");
    no(add(view, "a", &[element("fd00::/64")]), "can't be in the set a");
    no(add(view, "a", &[NftElement::Ports(1, 2)]), "can't be in the set a");
    view.holds = 5;
    no(add(view, "a", &[element("10.9.0.0/24")]), "limits: set-elements");
    view.holds = 0;
    let full = (0..ELEMENTS as u32 - 2).map(|n| element(&format!("{}/32", std::net::Ipv4Addr::from(n << 8))));
    view.sets.push(SeenSet { elements: full.collect(), ..set("full", &[]) });
    no(add(view, "a", &[element("10.9.0.0/24")]), "at most 8192 elements; they have 8192 already");
    view.sets[2].elements.pop();
    assert!(add(view, "a", &[element("10.9.0.0/24")]).is_ok());
}

#[test]
fn a_rule_looks_into_sets_that_are_there_as_long_as_it() {
    let (gate, mut view) = (with(""), Table::default());
    let id = |text: &str| Some(words::Id::new(text).unwrap());
    view.sets = vec![
        set("a", &[]),
        SeenSet { endpoint: id("e1"), ..set("own", &[]) },
        SeenSet { namespace: made(), ..set("away", &[]) },
        SeenSet { kind: NftSetKind::Ports, ..set("ports", &[]) },
        SeenSet { is_removed: true, ..set("gone", &[]) },
    ];
    let view = &mut view;
    let add = |gate: &Gate, view: &mut Table, field, name: &str| {
        gate.add_packet_rules(view, None, "t", vec![looking(field, name)]).map(Granted::take)
    };
    let granted = add(&gate, view, NftField::Source, "a").unwrap();
    let NftProperty::Member(member) = &granted.rules[0].0.conditions[1].property else { panic!() };
    assert_eq!(
        (member.set.as_str(), member.kind, granted.rules[0].0.conditions[1].negated),
        ("a", NftSetKind::Ipv4, true)
    );
    assert!(add(&gate, view, NftField::DestinationPort, "ports").is_ok());
    no(add(&gate, view, NftField::Source, "none"), "the network has no set \"none\"");
    no(add(&gate, view, NftField::Source, "gone"), "the network has no set \"gone\"");
    no(add(&gate, view, NftField::Source, "away"), "the set away is in another namespace than the rule");
    no(add(&gate, view, NftField::SourcePort, "a"), "is not what the set a has");
    no(add(&gate, view, NftField::Destination, "ports"), "is not what the set ports has");
    no(add(&gate, view, NftField::Source, "own"), "the set own is another endpoint's");
    let mut of_endpoint = with("");
    of_endpoint.about.endpoint = id("e1");
    assert!(add(&of_endpoint, view, NftField::Source, "own").is_ok());
    assert!(add(&of_endpoint, view, NftField::Source, "a").is_ok());
    of_endpoint.about.endpoint = id("e2");
    no(add(&of_endpoint, view, NftField::Source, "own"), "the set own is another endpoint's");
    // That a set has an address says nothing of whose packets they are.
    let mut untied = looking(NftField::Source, "a");
    untied.conditions.remove(0);
    untied.conditions[0].negated = false;
    no(gate.add_packet_rules(view, None, "t", vec![untied]), "nothing ties the rule to the network");
}

#[test]
fn a_statement_stands_where_the_kernel_can_do_it_and_the_grant_names_it() {
    use NftHook::{Forward, Input, Output, Postrouting, Prerouting};
    let (gate, mut view) = (with(", 'untracked-packets'"), Table::default());
    let view = &mut view;
    let add = |gate: &Gate, view: &mut Table, hook, priority, statement| {
        let rule = at(hook, priority, vec![statement], NftVerdict::Proceed);
        gate.add_packet_rules(view, None, "t", vec![rule]).map(Granted::take)
    };
    let mark = |mask| NftStatement::SetMark { value: 0, mask };
    assert!(add(&gate, view, Forward, 0, NftStatement::Counter).is_ok());
    assert!(add(&gate, view, Forward, 0, mark(0x0f00)).is_ok());
    no(add(&gate, view, Forward, 0, mark(0x1_0000)), "lacks mark-bits: 0x00010000");
    no(add(&gate, view, Forward, 0, mark(0x0f01)), "lacks mark-bits: 0x00000f01");
    no(
        add(&super::gate(&WORDS.replace('$', "").replace("mark-bits = '0x0000ff00'\n", "")), view, Forward, 0, mark(1)),
        "mark-bits",
    );
    let route = || NftStatement::ClampSegments(None);
    for hook in [Forward, Output, Postrouting] {
        assert!(add(&gate, view, hook, 0, route()).is_ok());
    }
    no(add(&gate, view, Prerouting, 0, route()), "ClampSegments(None) can't stand in a filter chain at Prerouting 0");
    no(add(&gate, view, Input, 0, route()), "can't stand");
    assert!(add(&gate, view, Input, 0, NftStatement::ClampSegments(Some(1200))).is_ok());
    let untrack = || NftStatement::Untrack;
    assert!(add(&gate, view, Prerouting, -300, untrack()).is_ok());
    assert!(add(&gate, view, Output, -300, untrack()).is_ok());
    no(add(&gate, view, Prerouting, -200, untrack()), "can't stand");
    no(add(&gate, view, Forward, -300, untrack()), "can't stand");
    no(add(&with(""), view, Prerouting, -300, untrack()), "lacks permissions: untracked-packets");
    let in_nat = |statement| {
        let mut rule = at(Postrouting, 0, vec![statement], NftVerdict::Masquerade);
        rule.chain.nat = true;
        vec![rule]
    };
    let rate = NftRate { amount: 1, of_bytes: false, burst: 1, over: true };
    for statement in [NftStatement::Counter, NftStatement::Limit(rate)] {
        assert!(gate.add_packet_rules(view, None, "t", in_nat(statement)).is_ok());
    }
    for statement in [mark(0x100), route(), NftStatement::ClampSegments(Some(1200)), untrack()] {
        no(gate.add_packet_rules(view, None, "t", in_nat(statement)), "can't stand in a nat chain");
    }
}

#[test]
fn who_sends_is_told_where_a_way_back_is_known() {
    let (gate, mut view) = (with(""), Table::default());
    let mut add = |nat, hook| {
        let mut rule = at(hook, 0, Vec::new(), NftVerdict::Reject(NftRejection::Prohibited));
        rule.chain.nat = nat;
        gate.add_packet_rules(&mut view, None, "t", vec![rule]).map(drop)
    };
    for hook in [NftHook::Input, NftHook::Forward, NftHook::Output] {
        assert!(add(false, hook).is_ok());
    }
    no(add(false, NftHook::Prerouting), "can't happen in a chain of filter at Prerouting");
    no(add(false, NftHook::Postrouting), "can't happen");
    no(add(true, NftHook::Output), "can't happen in a chain of nat");
}

#[test]
fn a_log_says_whose_it_is_and_few_rules_write_it() {
    let (gate, mut view) = (with(", 'packet-log'"), Table::default());
    let view = &mut view;
    let log = || rule(Vec::new(), NftVerdict::Log { prefix: "dropped".into(), rate: 1 });
    let granted = gate.add_packet_rules(view, None, "t", vec![log()]).unwrap().take();
    let NftVerdict::Log { prefix, rate: 1 } = &granted.rules[0].0.verdict else { panic!() };
    assert_eq!(prefix, "pontoon d: dropped ");
    no(with("").add_packet_rules(view, None, "t", vec![log()]), "lacks permissions: packet-log");
    assert!(gate.add_packet_rules(view, None, "t", (0..8).map(|_| log()).collect()).is_ok());
    no(gate.add_packet_rules(view, None, "t", (0..9).map(|_| log()).collect()), "at most 8 rules that write a log");
    view.logging = 8;
    no(gate.add_packet_rules(view, None, "t", vec![log()]), "at most 8 rules that write a log");
    assert!(gate.add_packet_rules(view, None, "t", vec![rule(Vec::new(), NftVerdict::Drop)]).is_ok());
}

#[test]
fn packet_rules_keep_to_what_rules_keep_to() {
    let (gate, mut view) = (with(""), Table::default());
    let view = &mut view;
    let accept = || rule(Vec::new(), NftVerdict::Accept);
    let mut untied = accept();
    untied.conditions.clear();
    no(gate.add_packet_rules(view, None, "t", vec![untied]), "nothing ties the rule to the network");
    let elsewhere = at(NftHook::Forward, 7, Vec::new(), NftVerdict::Accept);
    no(gate.add_packet_rules(view, None, "t", vec![elsewhere]), "lacks hooks: forward 7");
    no(gate.add_packet_rules(view, Some(&container()), "t", vec![accept()]), "the container's namespace");
    view.holds = 9;
    no(gate.add_packet_rules(view, None, "t", vec![accept()]), "limits: rules");
    no(super::gate("namespaces = ['host']").add_packet_rules(view, None, "t", Vec::new()), "lacks packet-filter");
}
