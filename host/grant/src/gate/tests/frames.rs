//! Rules for frames: what each check refuses, alone.

use kernel::{NftChain, NftField, NftHook, NftProperty, NftRejection, NftStatement, NftVerdict};
use words::MacAddress;

use super::calls::no;
use super::look::{Table, container, own, parent};
use super::*;
use crate::gate::nftables::{NftRules, WantedCondition, WantedNftRule, WantedProperty};

const WORDS: &str = "permissions = ['packet-filter', 'packet-log', 'untracked-packets']\nnamespaces = ['host']\naddresses = ['network']\n\
    parents = ['eth0']\nmark-bits = '0x0000ff00'\nhooks = { prerouting = [-300], forward = [0] }\nlimits = { rules = 9 }";

fn rule(property: WantedProperty) -> WantedNftRule {
    let chain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
    let conditions = vec![WantedCondition { property, negated: false }];
    WantedNftRule { chain, conditions, statements: Vec::new(), verdict: NftVerdict::Drop }
}

fn of_port() -> WantedNftRule {
    rule(WantedProperty::InputLink(own(2, "ve0")))
}

fn and(mut rule: WantedNftRule, property: NftProperty) -> WantedNftRule {
    rule.conditions.push(WantedCondition { property: WantedProperty::Other(property), negated: false });
    rule
}

fn add(gate: &Gate, view: &mut Table, rule: WantedNftRule) -> Result<NftRules> {
    gate.add_frame_rules(view, None, "t-frames", vec![rule]).map(Granted::take)
}

#[test]
fn a_rule_for_frames_is_for_an_own_port() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    let view = &mut view;
    assert_eq!(add(&gate, view, of_port()).unwrap().table, "t-frames");
    assert!(add(&gate, view, rule(WantedProperty::OutputLink(own(2, "ve0")))).is_ok());
    let tie = "for frames, one of its links that they come from or go to";
    // Of the network's addresses, but of whichever port.
    no(add(&gate, view, rule(WantedProperty::Other(NftProperty::Source(net("10.5.0.0/24"))))), tie);
    no(add(&gate, view, rule(WantedProperty::Other(NftProperty::EtherSource(MacAddress([2, 0, 0, 0, 0, 1]))))), tie);
    let mut negated = of_port();
    negated.conditions[0].negated = true;
    no(add(&gate, view, negated), tie);
    no(add(&gate, view, rule(WantedProperty::InputLink(parent(9, "eth0")))), tie);
    let mut none = of_port();
    none.conditions.clear();
    no(add(&gate, view, none), tie);
    no(add(&gate, view, rule(WantedProperty::InputLink(own(7, "gone")))), "gone is gone");
    no(add(&gate, view, rule(WantedProperty::InputLink(own(21, "in0")))), "in0 is in another namespace than the rule");
    let mut elsewhere = of_port();
    elsewhere.chain.hook = NftHook::Input;
    no(add(&gate, view, elsewhere), "lacks hooks: input 0");
    no(gate.add_frame_rules(view, Some(&container()), "t", vec![of_port()]), "the container's namespace");
    no(super::gate("namespaces = ['host']").add_frame_rules(view, None, "t", Vec::new()), "lacks packet-filter");
    view.holds = 9;
    no(add(&gate, view, of_port()), "limits: rules");
}

#[test]
fn a_rule_for_frames_has_what_a_bridge_knows() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    let view = &mut view;
    for property in [
        NftProperty::EtherSource(MacAddress([2, 0, 0, 0, 0, 1])),
        NftProperty::EtherDestination(MacAddress([2, 0, 0, 0, 0, 1])),
        NftProperty::EtherType(0x0806),
        NftProperty::Destination(net("10.5.0.0/24")),
        NftProperty::Protocol(6),
    ] {
        assert!(add(&gate, view, and(of_port(), property)).is_ok());
    }
    for property in [NftProperty::DestinationLocal, NftProperty::Connection(8), NftProperty::DestinationTranslated] {
        no(add(&gate, view, and(of_port(), property)), "is nothing that a bridge knows of a frame");
    }
    let mut member = of_port();
    let property = WantedProperty::Member(NftField::Source, "s".into());
    member.conditions.push(WantedCondition { property, negated: false });
    no(add(&gate, view, member), "is nothing that a bridge knows of a frame");
    for statement in [NftStatement::Counter, NftStatement::SetMark { value: 0, mask: 0x100 }] {
        assert!(add(&gate, view, WantedNftRule { statements: vec![statement], ..of_port() }).is_ok());
    }
    let beyond = NftStatement::SetMark { value: 0, mask: 1 };
    no(add(&gate, view, WantedNftRule { statements: vec![beyond], ..of_port() }), "lacks mark-bits: 0x00000001");
    for statement in [NftStatement::ClampSegments(None), NftStatement::ClampSegments(Some(1200)), NftStatement::Untrack]
    {
        no(add(&gate, view, WantedNftRule { statements: vec![statement], ..of_port() }), "can't be done to a frame");
    }
    let log = || NftVerdict::Log { prefix: "seen".into(), rate: 1 };
    for verdict in [NftVerdict::Accept, NftVerdict::Drop, NftVerdict::Proceed, log()] {
        assert!(add(&gate, view, WantedNftRule { verdict, ..of_port() }).is_ok());
    }
    let NftVerdict::Log { prefix, .. } =
        &add(&gate, view, WantedNftRule { verdict: log(), ..of_port() }).unwrap().rules[0].0.verdict
    else {
        panic!()
    };
    assert_eq!(prefix, "pontoon d: seen ");
    let unlogged = super::gate(&WORDS.replace(", 'packet-log'", ""));
    no(add(&unlogged, view, WantedNftRule { verdict: log(), ..of_port() }), "lacks permissions: packet-log");
    let to = "10.5.0.2".parse().unwrap();
    for verdict in [
        NftVerdict::Masquerade,
        NftVerdict::SourceNat(to, None),
        NftVerdict::DestinationNat(to, None),
        NftVerdict::Reject(NftRejection::Prohibited),
        NftVerdict::Jump("c".into()),
        NftVerdict::Goto("c".into()),
        NftVerdict::Return,
    ] {
        no(add(&gate, view, WantedNftRule { verdict, ..of_port() }), "can't happen to a frame");
    }
}
