//! Sets, and packet rules with more in them: checked, and told as text.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::nftables::More;
use super::{all_or_nothing, check_length};
use crate::fake::state::{self, HOST, MadeSet};
use crate::fake::sys::Namespace;
use crate::nftables::{self, Hook, Rule, RuleId, Verdict};
use crate::packets::{
    Action, Condition, Counter, Element, Field, MarkBits, PacketRule, Property, RateUnit, Rejection, SetKind, Statement,
};
use crate::{Error, Protocol, Result};

/// What the sets of a network hold at most, and the rules of one that log.
const ELEMENTS: usize = 8_192;
const LOGGING_RULES: usize = 8;

pub(crate) fn add_set(namespace: Option<&Namespace>, name: &str, kind: SetKind) -> Result<()> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(word) || name.starts_with('_') {
        return Err(Error::invalid_argument("a set's name is 1 to 32 letters, digits, '-' or '_'"));
    }
    state::with(|state| {
        let key = (state.owner.network.clone(), name.to_owned());
        if state.sets.contains_key(&key) {
            return Err(Error::already_exists(format!("the network has a set {name}")));
        }
        let namespace = namespace.map_or(HOST, |namespace| namespace.0);
        let set = MadeSet { owner: state.owner.clone(), namespace, kind, elements: Vec::new() };
        state.sets.insert(key, set);
        Ok(())
    })
}

pub(crate) fn remove_set(name: &str) -> Result<()> {
    state::with(|state| {
        let network = state.owner.network.clone();
        let looks = |rule: &state::PacketRule| rule.owner.network == network && rule.sets.iter().any(|set| set == name);
        if state.packet_rules.values().any(looks) {
            return Err(Error::forbidden(format!("a rule looks into the set {name}")));
        }
        state.sets.remove(&(network, name.to_owned()));
        Ok(())
    })
}

pub(crate) fn list_sets() -> Result<Vec<String>> {
    Ok(state::with(|state| {
        let own = state.sets.keys().filter(|(network, _)| *network == state.owner.network);
        own.map(|(_, name)| name.clone()).collect()
    }))
}

/// Works on a set of the network's.
fn with_set<T>(name: &str, work: impl FnOnce(&mut MadeSet) -> Result<T>) -> Result<T> {
    state::with(|state| match state.sets.get_mut(&(state.owner.network.clone(), name.to_owned())) {
        Some(set) => work(set),
        None => Err(Error::not_found(format!("the network has no set {name:?}"))),
    })
}

fn kind(element: &Element) -> SetKind {
    match element {
        Element::Network(network) if network.addr().is_ipv4() => SetKind::Ipv4,
        Element::Network(_) => SetKind::Ipv6,
        Element::Ports(_) => SetKind::Ports,
        Element::HostPort { to, .. } if to.is_ipv4() => SetKind::Ipv4HostPorts,
        Element::HostPort { .. } => SetKind::Ipv6HostPorts,
        Element::Mark { network, .. } if network.addr().is_ipv4() => SetKind::Ipv4Marks,
        Element::Mark { .. } => SetKind::Ipv6Marks,
    }
}

/// An element of a map sends packets to the network's addresses only, and those of a port that its owner has taken.
fn check_value(element: &Element) -> Result<()> {
    let Element::HostPort { protocol, port, to } = element else { return Ok(()) };
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    state::with(|state| {
        if !state.is_in_pools(to.ip().into()) {
            return Err(Error::forbidden(format!("{} lies in none of the network's pools", to.ip())));
        }
        let owner = Some(state.owner.clone());
        let is_own = state.ports.iter().any(|(held, has)| {
            let is_it = held.protocol == *protocol && (held.first..=held.last).contains(port);
            is_it && held.address == any && *has == owner
        });
        match is_own {
            true => Ok(()),
            false => Err(Error::forbidden(format!("host port {port}/{protocol} is not taken: see ports.take"))),
        }
    })
}

fn same_place(one: &Element, other: &Element) -> bool {
    match (one, other) {
        (Element::Network(one), Element::Network(other)) => {
            one.contains(&other.trunc()) || other.contains(&one.trunc())
        }
        (Element::Ports(one), Element::Ports(other)) => one.first <= other.last && other.first <= one.last,
        (
            Element::HostPort { protocol, port, .. },
            Element::HostPort { protocol: its_protocol, port: its_port, .. },
        ) => protocol == its_protocol && port == its_port,
        (Element::Mark { network: one, .. }, Element::Mark { network: other, .. }) => {
            one.contains(&other.trunc()) || other.contains(&one.trunc())
        }
        _ => false,
    }
}

fn whole(element: &Element) -> Element {
    match element {
        Element::Network(network) => Element::Network(network.trunc()),
        Element::Mark { network, mark } => Element::Mark { network: network.trunc(), mark: *mark },
        Element::Ports(_) | Element::HostPort { .. } => *element,
    }
}

fn can_be(element: &Element) -> bool {
    match element {
        Element::Ports(range) => range.first <= range.last,
        Element::HostPort { protocol, port, to } => {
            [Protocol::TCP, Protocol::UDP, Protocol::SCTP].contains(protocol) && *port > 0 && to.port() > 0
        }
        Element::Network(_) | Element::Mark { .. } => true,
    }
}

pub(crate) fn add_elements(set: &str, elements: &[Element]) -> Result<()> {
    all_or_nothing(elements, || {
        let held: usize = state::with(|state| {
            let own = state.sets.iter().filter(|((network, _), _)| *network == state.owner.network);
            own.map(|(_, set)| set.elements.len()).sum()
        });
        let owner = state::with(|state| state.owner.clone());
        with_set(set, |made| {
            if held + elements.len() > ELEMENTS {
                return Err(Error::unavailable(format!("the sets of a network have at most {ELEMENTS} elements")));
            }
            for element in elements {
                if kind(element) != made.kind || !can_be(element) {
                    return Err(Error::invalid_argument(format!("{element:?} can't be in the set {set}")));
                }
                if made.elements.iter().any(|(_, other)| same_place(other, element)) {
                    return Err(Error::already_exists(format!("{element:?} overlaps with what is in the set {set}")));
                }
                made.elements.push((owner.clone(), whole(element)));
            }
            Ok(())
        })?;
        elements.iter().try_for_each(check_value)
    })
}

pub(crate) fn remove_elements(set: &str, elements: &[Element]) -> Result<()> {
    check_length(elements, 1_000)?;
    let elements: Vec<Element> = elements.iter().map(whole).collect();
    // There may be none.
    with_set(set, |made| {
        made.elements.retain(|(_, element)| !elements.contains(element));
        Ok(())
    })
    .ok();
    Ok(())
}

pub(crate) fn list_elements(set: &str) -> Result<Vec<Element>> {
    with_set(set, |made| {
        let mut all: Vec<Element> = made.elements.iter().map(|(_, element)| *element).collect();
        all.sort_by_key(place);
        Ok(all)
    })
}

/// Where an element is in a set: the kernel lists them in this order.
fn place(element: &Element) -> (u8, IpAddr, u16) {
    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    match element {
        Element::Network(network) | Element::Mark { network, .. } => (0, network.network(), 0),
        Element::Ports(range) => (0, ANY, range.first),
        Element::HostPort { protocol, port, .. } => (protocol.0, ANY, *port),
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[PacketRule]) -> Result<Vec<RuleId>> {
    all_or_nothing(rules, || {
        let at = namespace.map_or(HOST, |namespace| namespace.0);
        rules.iter().map(|rule| add_one(at, rule, None)).collect()
    })
}

/// A rule for frames, as far as it is one for packets; `ether`: what more it asks, in words.
pub(super) fn add_frame(at: u32, rule: &PacketRule, ether: &str) -> Result<RuleId> {
    check_length(&rule.statements, 8)?;
    let protocol = check_conditions(rule, at)?;
    check_statements(rule, protocol)?;
    let (before, action) = more(rule)?;
    let before = format!(" bridge{ether}{before}");
    super::nftables::add_more(at, &plain(rule), More { before, action, ..More::default() })
}

/// A rule of a base chain, or of an own one behind it.
pub(super) fn add_one(at: u32, rule: &PacketRule, own: Option<&str>) -> Result<RuleId> {
    check_length(&rule.conditions, 16)?;
    check_length(&rule.statements, 8)?;
    let protocol = check_conditions(rule, at)?;
    check_statements(rule, protocol)?;
    check_maps(rule, at)?;
    let to = super::chains::led_to(rule, at, own)?;
    let ((before, action), own) = (more(rule)?, own.map(str::to_owned));
    let is_tied = matches!(rule.action, Action::DestinationNatBy(_));
    super::nftables::add_more(at, &plain(rule), More { before, action, sets: sets(rule), own, to, is_tied })
}

pub(crate) fn counters(ids: &[RuleId]) -> Result<Vec<Option<Counter>>> {
    check_length(ids, 1_000)?;
    Ok(state::with(|state| {
        let of = |id: &RuleId| {
            let rule = state.packet_rules.get(&id.0).filter(|rule| rule.owner.network == state.owner.network)?;
            // No packet ever passes.
            rule.text.contains(" counter").then(Counter::default)
        };
        ids.iter().map(of).collect()
    }))
}

/// As far as a rule of `nftables` can say it.
fn plain<'a>(rule: &PacketRule<'a>) -> Rule<'a> {
    let of_condition = |Condition { property, negated }: &Condition<'a>| match property {
        Property::Plain(property) => Some(nftables::Condition { property: *property, negated: *negated }),
        _ => None,
    };
    let verdict = match rule.action {
        Action::Plain(verdict) => verdict,
        Action::Reject(_) => Verdict::Drop,
        Action::Proceed | Action::Log { .. } | Action::Jump(_) | Action::Goto(_) | Action::Return => Verdict::Accept,
        Action::DestinationNatBy(_) => Verdict::Accept,
    };
    Rule { chain: rule.chain, conditions: rule.conditions.iter().filter_map(of_condition).collect(), verdict }
}

fn sets(rule: &PacketRule) -> Vec<String> {
    let of_condition = |condition: &Condition| match condition.property {
        Property::Member { set, .. } => Some(set.to_owned()),
        _ => None,
    };
    let in_conditions = rule.conditions.iter().filter_map(of_condition);
    in_conditions.chain(maps(rule).map(|(map, _)| map.to_owned())).collect()
}

/// The maps that a rule looks up, and whether each is of the host's ports and not of marks.
fn maps<'a>(rule: &PacketRule<'a>) -> impl Iterator<Item = (&'a str, bool)> {
    let of_statement = |statement: &Statement<'a>| match *statement {
        Statement::SetMarkBy { map, .. } => Some((map, false)),
        _ => None,
    };
    let by = match rule.action {
        Action::DestinationNatBy(map) => Some((map, true)),
        _ => None,
    };
    rule.statements.iter().filter_map(of_statement).chain(by).collect::<Vec<_>>().into_iter()
}

fn check_maps(rule: &PacketRule, at: u32) -> Result<()> {
    maps(rule).try_for_each(|(map, of_ports)| {
        check_set(map, at, |kind| match kind {
            SetKind::Ipv4HostPorts | SetKind::Ipv6HostPorts => of_ports,
            SetKind::Ipv4Marks | SetKind::Ipv6Marks => !of_ports,
            SetKind::Ipv4 | SetKind::Ipv6 | SetKind::Ports => false,
        })
    })
}

/// A rule may look into a set that fits.
fn check_set(set: &str, at: u32, fits: impl FnOnce(SetKind) -> bool) -> Result<()> {
    let owner = state::with(|state| state.owner.clone());
    with_set(set, |made| {
        if made.namespace != at || !fits(made.kind) {
            return Err(Error::invalid_argument(format!("a set of another namespace or kind: {set}")));
        }
        match made.owner.endpoint.is_none() || made.owner == owner {
            true => Ok(()),
            false => Err(Error::forbidden(format!("the set {set} is another endpoint's"))),
        }
    })
}

/// Answers the protocol that the rule is for.
fn check_conditions(rule: &PacketRule, at: u32) -> Result<Option<Protocol>> {
    let mut protocol = None;
    for Condition { property, negated } in &rule.conditions {
        let needs = |any: &[Protocol]| match protocol {
            Some(is) if any.contains(&is) => Ok(()),
            _ => Err(Error::invalid_argument("a condition without the protocol that it needs before it")),
        };
        match property {
            Property::Plain(nftables::Property::Protocol(number)) => protocol = (!negated).then_some(*number),
            Property::Member { field, set } => {
                let of_ports = matches!(field, Field::SourcePort | Field::DestinationPort);
                if of_ports {
                    needs(&[Protocol::TCP, Protocol::UDP, Protocol::SCTP])?;
                }
                check_set(set, at, |kind| match kind {
                    SetKind::Ports => of_ports,
                    SetKind::Ipv4 | SetKind::Ipv6 => !of_ports,
                    _ => false,
                })?;
            }
            Property::TcpFlags { .. } => needs(&[Protocol::TCP])?,
            Property::IcmpType(_) => needs(&[Protocol(1), Protocol(58)])?,
            Property::Mark(mark) => check_mark(*mark)?,
            Property::Plain(_) => {}
        }
    }
    Ok(protocol)
}

fn check_mark(MarkBits { value, mask }: MarkBits) -> Result<()> {
    match mask != 0 && value & !mask == 0 {
        true => Ok(()),
        false => Err(Error::invalid_argument(format!("{value:#x} has bits outside of the mask {mask:#x}"))),
    }
}

fn check_statements(rule: &PacketRule, protocol: Option<Protocol>) -> Result<()> {
    let invalid = |why: &str| Err(Error::invalid_argument(why));
    let is_nat = rule.chain.chain_type == nftables::ChainType::Nat;
    for statement in &rule.statements {
        match statement {
            Statement::Counter | Statement::Limit(_) => {}
            _ if is_nat => return invalid("a statement that can't stand in a nat chain"),
            Statement::SetMark(mark) => check_mark(*mark)?,
            Statement::SetMarkBy { field: Field::SourcePort | Field::DestinationPort, .. } => {
                return invalid("a mark by a port");
            }
            Statement::SetMarkBy { .. } => {}
            Statement::ClampSegmentSize(_) if protocol != Some(Protocol::TCP) => {
                return invalid("a segment without tcp");
            }
            Statement::ClampSegmentSize(_) => {}
            Statement::Untrack if rule.chain.priority >= -200 => return invalid("a packet that is in a connection"),
            Statement::Untrack => {}
        }
    }
    match rule.action {
        Action::Reject(_) if is_nat || matches!(rule.chain.hook, Hook::Prerouting | Hook::Postrouting) => {
            invalid("nothing is rejected there")
        }
        Action::DestinationNatBy(_) if !is_nat || !matches!(rule.chain.hook, Hook::Prerouting | Hook::Output) => {
            invalid("nothing is sent elsewhere there")
        }
        Action::Reject(Rejection::TcpReset) if protocol != Some(Protocol::TCP) => invalid("a reset without tcp"),
        Action::Log { prefix, rate } => {
            let printable = |b: u8| b.is_ascii_graphic() || b == b' ';
            if !(1..=32).contains(&prefix.len()) || !prefix.bytes().all(printable) || !(1..=10).contains(&rate) {
                return invalid("a log's prefix is 1 to 32 printable characters, and its rate 1 to 10 lines a second");
            }
            let logging = state::with(|state| {
                let own = state.packet_rules.values().filter(|rule| rule.owner.network == state.owner.network);
                own.filter(|rule| rule.text.contains(" log ")).count()
            });
            match logging < LOGGING_RULES {
                true => Ok(()),
                false => Err(Error::unavailable(format!("a network has at most {LOGGING_RULES} rules that log"))),
            }
        }
        _ => Ok(()),
    }
}

/// What is more than a rule of `nftables` has, in words: before the verdict, and in place of it.
fn more(rule: &PacketRule) -> Result<(String, Option<String>)> {
    let mut text = String::new();
    for Condition { property, negated } in &rule.conditions {
        let not = if *negated { "!= " } else { "" };
        match property {
            Property::Plain(_) => Ok(()),
            Property::Member { field, set } => write!(text, " {} {not}@{set}", part(*field)),
            Property::Mark(MarkBits { value, mask }) => write!(text, " mark {not}{value:#x}/{mask:#x}"),
            Property::TcpFlags { set, mask } => write!(text, " tcp flags {not}{set:?} / {mask:?}"),
            Property::IcmpType(number) => write!(text, " icmp type {not}{number}"),
        }?;
    }
    for statement in &rule.statements {
        match statement {
            Statement::Counter => write!(text, " counter"),
            Statement::Limit(rate) => {
                let (over, unit) = (if rate.over { "over " } else { "" }, rate.unit);
                let unit = if unit == RateUnit::Bytes { "bytes" } else { "packets" };
                write!(text, " limit rate {over}{} {unit}/second", rate.amount)
            }
            Statement::SetMark(MarkBits { value, mask }) => write!(text, " mark set {value:#x}/{mask:#x}"),
            Statement::SetMarkBy { field, map, mask } => {
                write!(text, " mark set {} map @{map} where mark & !{mask:#x} == 0", part(*field))
            }
            Statement::ClampSegmentSize(None) => write!(text, " maxseg size set rt mtu"),
            Statement::ClampSegmentSize(Some(size)) => write!(text, " maxseg size set {size}"),
            Statement::Untrack => write!(text, " notrack"),
        }?;
    }
    let action = match rule.action {
        Action::Plain(_) => None,
        Action::Proceed => Some(String::new()),
        Action::Reject(rejection) => Some(format!(" reject {rejection:?}")),
        Action::Log { prefix, .. } => Some(format!(" log {prefix:?}")),
        Action::Jump(to) => Some(format!(" jump {to}")),
        Action::Goto(to) => Some(format!(" goto {to}")),
        Action::Return => Some(" return".to_owned()),
        Action::DestinationNatBy(map) => Some(format!(" dnat to l4proto . dport map @{map}")),
    };
    Ok((text, action))
}

fn part(field: Field) -> &'static str {
    match field {
        Field::Source => "saddr",
        Field::Destination => "daddr",
        Field::SourcePort => "sport",
        Field::DestinationPort => "dport",
    }
}
