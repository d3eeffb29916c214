//! `nftables`: the words of sets and packet rules as the gate and the kernel layer have them, with values that can be used.

use std::net::SocketAddr;

use super::{Answer, CallState, convert, nftables};
use ask::{Refusal, nftables as wit};
use grant::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use kernel::{
    NftChain, NftElement, NftField, NftMap, NftProperty, NftRate, NftRejection, NftSetKind, NftStatement, NftVerdict,
};

// The kind of a map in what is wanted is the gate's to say.

/// Statements of one rule.
const STATEMENTS: usize = 8;
/// Bytes that a TCP segment may be limited to: what every host takes (RFC 9293), and the most that there is.
const SEGMENTS: std::ops::RangeInclusive<u16> = 536..=65_495;
/// Packets that may come at once.
const BURST: u32 = 65_535;
/// Characters of a log's prefix, and lines a second.
const PREFIX: usize = 32;
const LINES: u32 = 10;
const TCP: u8 = 6;
/// ICMP and ICMPv6.
const ICMP: [u8; 2] = [1, 58];

pub(super) fn kind(kind: &wit::SetKind) -> NftSetKind {
    match kind {
        wit::SetKind::Ipv4 => NftSetKind::Ipv4,
        wit::SetKind::Ipv6 => NftSetKind::Ipv6,
        wit::SetKind::Ports => NftSetKind::Ports,
        wit::SetKind::Ipv4HostPorts => NftSetKind::HostPorts4,
        wit::SetKind::Ipv6HostPorts => NftSetKind::HostPorts6,
        wit::SetKind::Ipv4Marks => NftSetKind::Marks4,
        wit::SetKind::Ipv6Marks => NftSetKind::Marks6,
    }
}

pub(super) fn element(element: &wit::Element) -> Answer<NftElement> {
    match element {
        wit::Element::Network(net) => Ok(NftElement::Network(convert::network(*net)?.trunc())),
        wit::Element::Ports(range) if range.first <= range.last => Ok(NftElement::Ports(range.first, range.last)),
        wit::Element::Ports(range) => {
            Err(Refusal::invalid(format!("{}-{} is no range of ports", range.first, range.last)))
        }
        wit::Element::HostPort(wit::HostPortTarget { protocol, port, address, target_port }) => {
            if !nftables::WITH_PORTS.contains(protocol) || *port == 0 || *target_port == 0 {
                return Err(Refusal::invalid(format!(
                    "port {port} of protocol {protocol} to port {target_port}: ports are 1 to 65535, of TCP, UDP or SCTP"
                )));
            }
            let to = SocketAddr::new(convert::address(*address), *target_port);
            Ok(NftElement::HostPort { protocol: *protocol, port: *port, to })
        }
        wit::Element::Mark(wit::NetworkMark { network, mark }) => {
            Ok(NftElement::Mark(convert::network(*network)?.trunc(), *mark))
        }
    }
}

pub(super) fn shown(element: NftElement) -> wit::Element {
    match element {
        NftElement::Network(net) => wit::Element::Network(convert::network_to_wit(net)),
        NftElement::Ports(first, last) => wit::Element::Ports(wit::PortRange { first, last }),
        NftElement::HostPort { protocol, port, to } => wit::Element::HostPort(wit::HostPortTarget {
            protocol,
            port,
            address: convert::address_to_wit(to.ip()),
            target_port: to.port(),
        }),
        NftElement::Mark(net, mark) => {
            wit::Element::Mark(wit::NetworkMark { network: convert::network_to_wit(net), mark })
        }
    }
}

pub(super) fn wanted(call: &CallState, rule: &wit::PacketRule) -> Answer<WantedNftRule> {
    let wit::PacketRule { chain, conditions, statements, action } = rule;
    rule_in(call, nftables::chain(chain), conditions, statements, action)
}

/// A rule of a chain of the network's own, as one of its base chain.
pub(super) fn wanted_behind(call: &CallState, base: NftChain, rule: &wit::ChainRule) -> Answer<WantedNftRule> {
    rule_in(call, base, &rule.conditions, &rule.statements, &rule.action)
}

fn rule_in(
    call: &CallState,
    chain: NftChain,
    conditions: &[wit::PacketCondition],
    statements: &[wit::Statement],
    does: &wit::Action,
) -> Answer<WantedNftRule> {
    nftables::check_count(conditions.len())?;
    let conditions = conditions.iter().map(|given| condition(call, given)).collect::<Answer<Vec<_>>>()?;
    rule_of(chain, conditions, statements, does)
}

/// A rule with these conditions.
pub(super) fn rule_of(
    chain: NftChain,
    conditions: Vec<WantedCondition>,
    statements: &[wit::Statement],
    does: &wit::Action,
) -> Answer<WantedNftRule> {
    if statements.len() > STATEMENTS {
        return Err(Refusal::invalid(format!("a rule has at most {STATEMENTS} statements")));
    }
    nftables::check_ports(&conditions)?;
    let statements = statements.iter().map(statement).collect::<Answer<Vec<_>>>()?;
    if statements.iter().filter(|statement| **statement == NftStatement::Counter).count() > 1 {
        return Err(Refusal::invalid("a rule has one counter"));
    }
    let verdict = action(does)?;
    let writes_tcp = statements.iter().any(|statement| matches!(statement, NftStatement::ClampSegments(_)))
        || verdict == NftVerdict::Reject(NftRejection::TcpReset);
    if writes_tcp && !has_protocol(&conditions, &[TCP]) {
        return Err(Refusal::invalid(
            "a segment's size and a reset are for packets of TCP: the rule needs that protocol",
        ));
    }
    Ok(WantedNftRule { chain, conditions, statements, verdict })
}

fn has_protocol(conditions: &[WantedCondition], any: &[u8]) -> bool {
    conditions.iter().any(|WantedCondition { property, negated }| {
        matches!(property, WantedProperty::Other(NftProperty::Protocol(number)) if any.contains(number)) && !negated
    })
}

fn condition(call: &CallState, given: &wit::PacketCondition) -> Answer<WantedCondition> {
    Ok(WantedCondition { property: property(call, &given.property)?, negated: given.negated })
}

pub(super) fn property(call: &CallState, property: &wit::PacketProperty) -> Answer<WantedProperty> {
    use WantedProperty::Other;
    Ok(match property {
        wit::PacketProperty::Plain(property) => nftables::property(call, property)?,
        wit::PacketProperty::Member(member) => WantedProperty::Member(field(&member.field), member.set.clone()),
        wit::PacketProperty::Mark(mark) => {
            check_mark(mark)?;
            Other(NftProperty::Mark { value: mark.value, mask: mark.mask })
        }
        wit::PacketProperty::TcpFlags(flags) => {
            let (set, mask) = (flag_bits(&flags.set), flag_bits(&flags.mask));
            if mask == 0 || set & !mask != 0 {
                return Err(Refusal::invalid("of flags of TCP, those that are set are among those that count"));
            }
            Other(NftProperty::TcpFlags { set, mask })
        }
        wit::PacketProperty::IcmpType(number) => Other(NftProperty::IcmpType(*number)),
    })
}

fn field(field: &wit::PacketField) -> NftField {
    match field {
        wit::PacketField::Source => NftField::Source,
        wit::PacketField::Destination => NftField::Destination,
        wit::PacketField::SourcePort => NftField::SourcePort,
        wit::PacketField::DestinationPort => NftField::DestinationPort,
    }
}

/// As in a TCP header.
fn flag_bits(flags: &wit::TcpFlags) -> u8 {
    let wit::TcpFlags { fin, syn, rst, psh, ack, urg } = *flags;
    let bits = [fin, syn, rst, psh, ack, urg].into_iter().enumerate();
    bits.filter(|(_, is_set)| *is_set).map(|(bit, _)| 1 << bit).sum()
}

fn check_mark(mark: &wit::MarkBits) -> Answer<()> {
    if mark.mask != 0 && mark.value & !mark.mask == 0 {
        return Ok(());
    }
    Err(Refusal::invalid(format!("{:#x} has bits outside of the mask {:#x}, or the mask none", mark.value, mark.mask)))
}

fn statement(statement: &wit::Statement) -> Answer<NftStatement> {
    Ok(match statement {
        wit::Statement::Counter => NftStatement::Counter,
        wit::Statement::Limit(rate) => {
            let of_bytes = matches!(rate.unit, wit::RateUnit::Bytes);
            let wit::Rate { amount, burst, over, .. } = *rate;
            if amount == 0 || (!of_bytes && !(1..=BURST).contains(&burst)) {
                return Err(Refusal::invalid(format!(
                    "a rate of {amount} with a burst of {burst}: 1 or more a second, and 1 to {BURST} packets at once"
                )));
            }
            NftStatement::Limit(NftRate { amount, of_bytes, burst, over })
        }
        wit::Statement::SetMark(mark) => {
            check_mark(mark)?;
            NftStatement::SetMark { value: mark.value, mask: mark.mask }
        }
        wit::Statement::SetMarkBy(lookup) => NftStatement::SetMarkBy {
            field: field(&lookup.field),
            map: NftMap { name: lookup.set.clone(), kind: NftSetKind::Marks4 },
            mask: lookup.mask,
        },
        wit::Statement::ClampSegmentSize(wit::SegmentSize::Route) => NftStatement::ClampSegments(None),
        wit::Statement::ClampSegmentSize(wit::SegmentSize::Exact(size)) if SEGMENTS.contains(size) => {
            NftStatement::ClampSegments(Some(*size))
        }
        wit::Statement::ClampSegmentSize(wit::SegmentSize::Exact(size)) => {
            let (least, most) = (SEGMENTS.start(), SEGMENTS.end());
            return Err(Refusal::invalid(format!("segments of {size} bytes: {least} to {most}")));
        }
        wit::Statement::Untrack => NftStatement::Untrack,
    })
}

fn action(action: &wit::Action) -> Answer<NftVerdict> {
    Ok(match action {
        wit::Action::Proceed => NftVerdict::Proceed,
        wit::Action::Plain(verdict) => nftables::verdict(verdict),
        wit::Action::Reject(rejection) => NftVerdict::Reject(match rejection {
            wit::Rejection::PortUnreachable => NftRejection::PortUnreachable,
            wit::Rejection::HostUnreachable => NftRejection::HostUnreachable,
            wit::Rejection::Prohibited => NftRejection::Prohibited,
            wit::Rejection::TcpReset => NftRejection::TcpReset,
        }),
        wit::Action::Log(log) => {
            let printable = |b: u8| b.is_ascii_graphic() || b == b' ';
            if !(1..=PREFIX).contains(&log.prefix.len()) || !log.prefix.bytes().all(printable) {
                return Err(Refusal::invalid(format!("a log's prefix is 1 to {PREFIX} printable characters of ASCII")));
            }
            if !(1..=LINES).contains(&log.rate) {
                return Err(Refusal::invalid(format!("{} lines a second: 1 to {LINES}", log.rate)));
            }
            NftVerdict::Log { prefix: log.prefix.clone(), rate: log.rate }
        }
        wit::Action::Jump(to) => NftVerdict::Jump(to.clone()),
        wit::Action::Goto(to) => NftVerdict::Goto(to.clone()),
        wit::Action::Return => NftVerdict::Return,
        wit::Action::DestinationNatBy(map) => {
            NftVerdict::DestinationNatBy(NftMap { name: map.clone(), kind: NftSetKind::HostPorts4 })
        }
    })
}

/// What a condition needs before it in the rule.
pub(super) fn needs(property: &WantedProperty) -> Option<(&'static [u8], &'static str)> {
    match property {
        WantedProperty::Other(NftProperty::TcpFlags { .. }) => {
            Some((&[TCP], "a condition on TCP flags needs a protocol of TCP before it"))
        }
        WantedProperty::Other(NftProperty::IcmpType(_)) => {
            Some((&ICMP, "a condition on ICMP types needs a protocol of ICMP or ICMPv6 before it"))
        }
        WantedProperty::Other(NftProperty::SourcePort(..) | NftProperty::DestinationPort(..))
        | WantedProperty::Member(NftField::SourcePort | NftField::DestinationPort, _) => {
            Some((&nftables::WITH_PORTS, "a condition on ports needs a protocol of TCP, UDP or SCTP before it"))
        }
        _ => None,
    }
}
