//! Maps that lead to a value: each element is held to what a rule with that value is.

use kernel::{
    HostPort, NftChain, NftElement, NftField, NftHook, NftMap, NftProperty, NftSetKind, NftStatement, NftVerdict,
};

use super::calls::no;
use super::look::{Table, made, own};
use super::*;
use crate::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use crate::gate::sets::SeenSet;

const WORDS: &str = "permissions = ['packet-filter']\nnamespaces = ['host']\naddresses = ['network', 'fd00:5::/64']\nmark-bits = '0x0000ff00'\n\
    hooks = { prerouting = [-100], input = [0], forward = [0], output = [-100] }\n\
    limits = { sets = 2, set-elements = 5, rules = 9 }";

fn map(name: &str, kind: NftSetKind) -> SeenSet {
    SeenSet {
        name: name.into(),
        namespace: kernel::Namespace::Host,
        kind,
        endpoint: None,
        elements: Vec::new(),
        is_used: false,
        is_removed: false,
    }
}

fn lead(protocol: u8, port: u16, to: &str) -> NftElement {
    NftElement::HostPort { protocol, port, to: to.parse().unwrap() }
}

fn held(protocol: u8, first: u16, more: u16, address: &str) -> HostPort {
    HostPort { protocol, port: first, more, address: address.parse().unwrap() }
}

/// A map that a rule names; what is in it the gate looks up.
fn named(name: &str) -> NftMap {
    NftMap { name: name.into(), kind: NftSetKind::Ports }
}

fn at(nat: bool, hook: NftHook, statements: Vec<NftStatement>, verdict: NftVerdict) -> WantedNftRule {
    let chain = NftChain { nat, hook, priority: if nat { -100 } else { 0 } };
    WantedNftRule { chain, conditions: Vec::new(), statements, verdict }
}

fn of_link(mut rule: WantedNftRule) -> WantedNftRule {
    rule.conditions.push(WantedCondition { property: WantedProperty::InputLink(own(1, "br0")), negated: false });
    rule
}

fn translating(name: &str) -> WantedNftRule {
    at(true, NftHook::Prerouting, Vec::new(), NftVerdict::DestinationNatBy(named(name)))
}

fn marking(field: NftField, name: &str, mask: u32) -> WantedNftRule {
    let statement = NftStatement::SetMarkBy { field, map: named(name), mask };
    of_link(at(false, NftHook::Forward, vec![statement], NftVerdict::Proceed))
}

#[test]
fn a_port_in_a_map_is_taken_and_leads_into_the_network() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    view.sets = vec![map("m", NftSetKind::HostPorts4), map("m6", NftSetKind::HostPorts6)];
    view.ports =
        vec![held(6, 80, 0, "0.0.0.0"), held(17, 90, 9, "0.0.0.0"), held(6, 443, 0, "192.0.2.1"), held(6, 80, 0, "::")];
    let view = &mut view;
    let add = |view: &mut Table, name: &str, element| gate.add_elements(view, "t", name.into(), vec![element]);
    let granted = add(view, "m", lead(6, 80, "10.5.0.2:8080")).unwrap().take();
    assert_eq!(granted.elements, [lead(6, 80, "10.5.0.2:8080")]);
    assert!(add(view, "m", lead(17, 95, "10.5.0.2:8080")).is_ok(), "of a range");
    assert!(add(view, "m6", lead(6, 80, "[fd00:5::2]:8080")).is_ok());
    no(add(view, "m", lead(6, 80, "192.0.2.1:8080")), "192.0.2.1 lies in none of the network's pools");
    no(add(view, "m", lead(6, 80, "127.0.0.1:22")), "127.0.0.1 lies in none of the network's pools");
    no(add(view, "m6", lead(6, 80, "[2001:db8::1]:22")), "2001:db8::1 lies in none of the network's pools");
    no(add(view, "m", lead(6, 81, "10.5.0.2:80")), "host port 81/tcp of 0.0.0.0 is not taken by this endpoint");
    no(add(view, "m", lead(17, 80, "10.5.0.2:80")), "host port 80/udp of 0.0.0.0 is not taken");
    no(add(view, "m", lead(17, 100, "10.5.0.2:80")), "host port 100/udp of 0.0.0.0 is not taken");
    no(add(view, "m", lead(6, 443, "10.5.0.2:80")), "host port 443/tcp of 0.0.0.0 is not taken");
    no(add(view, "m6", lead(17, 95, "[fd00:5::2]:80")), "host port 95/udp of :: is not taken");
    no(add(view, "m6", lead(6, 80, "10.5.0.2:80")), "can't be in the set m6");
    let twice = vec![lead(6, 80, "10.5.0.2:80"), lead(6, 80, "10.5.0.3:80")];
    no(gate.add_elements(view, "t", "m".into(), twice), "overlaps with");
    view.holds = 5;
    no(add(view, "m", lead(6, 80, "10.5.0.2:80")), "limits: set-elements");
}

#[test]
fn a_mark_in_a_map_has_granted_bits_only() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    view.sets = vec![map("m", NftSetKind::Marks4)];
    let mut add = |mark| {
        let elements = vec![NftElement::Mark(net("198.51.100.0/24"), mark)];
        gate.add_elements(&mut view, "t", "m".into(), elements).map(drop)
    };
    // Whose packets they are, the rule says.
    assert!(add(0x0100).is_ok() && add(0xff00).is_ok() && add(0).is_ok());
    no(add(0x1_0000), "lacks mark-bits: 0x00010000");
    no(add(0x0101), "lacks mark-bits: 0x00000101");
}

#[test]
fn a_rule_looks_up_a_map_that_is_its_own_and_leads_there() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    let id = |text: &str| Some(words::Id::new(text).unwrap());
    view.sets = vec![
        map("m", NftSetKind::HostPorts4),
        map("m6", NftSetKind::HostPorts6),
        map("marks", NftSetKind::Marks6),
        map("ports", NftSetKind::Ports),
        SeenSet { namespace: made(), ..map("away", NftSetKind::HostPorts4) },
        SeenSet { endpoint: id("e1"), ..map("own", NftSetKind::HostPorts4) },
        SeenSet { is_removed: true, ..map("gone", NftSetKind::HostPorts4) },
    ];
    let view = &mut view;
    let add =
        |gate: &Gate, view: &mut Table, rule| gate.add_packet_rules(view, None, "t", vec![rule]).map(Granted::take);
    for (name, kind) in [("m", NftSetKind::HostPorts4), ("m6", NftSetKind::HostPorts6)] {
        let granted = add(&gate, view, translating(name)).unwrap();
        let NftVerdict::DestinationNatBy(map) = &granted.rules[0].0.verdict else { panic!() };
        assert_eq!((map.name.as_str(), map.kind, granted.rules[0].1), (name, kind, None));
    }
    let granted = add(&gate, view, marking(NftField::Source, "marks", 0xff00)).unwrap();
    let NftStatement::SetMarkBy { map, .. } = &granted.rules[0].0.statements[0] else { panic!() };
    assert_eq!(map.kind, NftSetKind::Marks6);
    no(add(&gate, view, translating("none")), "the network has no set \"none\"");
    no(add(&gate, view, translating("gone")), "the network has no set \"gone\"");
    no(add(&gate, view, translating("ports")), "ports does not lead there: it is of Ports");
    no(add(&gate, view, translating("marks")), "marks does not lead there: it is of Marks6");
    no(add(&gate, view, translating("away")), "the set away is in another namespace than the rule");
    no(add(&gate, view, translating("own")), "the set own is another endpoint's");
    no(add(&gate, view, marking(NftField::Source, "m", 0)), "m does not lead there: it is of HostPorts4");
    no(add(&gate, view, marking(NftField::SourcePort, "marks", 0)), "is not what the map marks has: addresses");
    no(add(&gate, view, marking(NftField::DestinationPort, "marks", 0)), "is not what the map marks has: addresses");
    let mut of_endpoint = super::gate(WORDS);
    of_endpoint.about.endpoint = id("e1");
    assert!(add(&of_endpoint, view, translating("own")).is_ok());
    // Nor is it asked whether something is in a map.
    let mut looking = of_link(at(false, NftHook::Forward, Vec::new(), NftVerdict::Drop));
    let property = WantedProperty::Member(NftField::Source, "marks".into());
    looking.conditions.push(WantedCondition { property, negated: false });
    no(add(&gate, view, looking), "Source is not what the set marks has: Marks6");
}

#[test]
fn what_a_map_does_is_done_where_a_rule_may() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    view.sets = vec![map("m", NftSetKind::HostPorts4), map("marks", NftSetKind::Marks4)];
    let view = &mut view;
    let add = |gate: &Gate, view: &mut Table, rule| gate.add_packet_rules(view, None, "t", vec![rule]).map(drop);
    let by = |nat, hook| at(nat, hook, Vec::new(), NftVerdict::DestinationNatBy(named("m")));
    assert!(
        add(&gate, view, by(true, NftHook::Prerouting)).is_ok() && add(&gate, view, by(true, NftHook::Output)).is_ok()
    );
    no(add(&gate, view, of_link(by(false, NftHook::Forward))), "can't happen in a chain of filter at Forward");
    let all = super::gate(&WORDS.replace("input = [0]", "input = [0, -100]"));
    no(add(&all, view, by(true, NftHook::Input)), "can't happen in a chain of nat at Input");
    no(add(&gate, view, marking(NftField::Source, "marks", 0x1_0000)), "lacks mark-bits: 0x00010000");
    assert!(add(&gate, view, marking(NftField::Source, "marks", 0)).is_ok());
    let mut untied = marking(NftField::Source, "marks", 0xff00);
    untied.conditions.clear();
    no(add(&gate, view, untied), "nothing ties the rule to the network");
    let mut in_nat = marking(NftField::Source, "marks", 0xff00);
    in_nat.chain = by(true, NftHook::Output).chain;
    no(add(&gate, view, in_nat), "can't stand in a nat chain");
    let mut plain = translating("m");
    let property = WantedProperty::Other(NftProperty::DestinationLocal);
    plain.conditions.push(WantedCondition { property, negated: true });
    assert!(add(&gate, view, plain).is_ok(), "each element says whose packets it takes");
}
