//! Sets, and packet rules with more in them.

use std::net::SocketAddr;

use crate::component::Namespace;
use crate::component::convert::{all, same_cases};
use crate::component::wit::nftables as wit;
use crate::nftables::{PortRange, RuleId};
use crate::packets::{
    Action, Condition, Counter, Element, Field, MarkBits, PacketRule, Property, Rate, RateUnit, Rejection, SetKind,
    Statement, TcpFlags,
};
use crate::{Protocol, Result};

same_cases!(SetKind, wit::SetKind, Ipv4, Ipv6, Ports, Ipv4HostPorts, Ipv6HostPorts, Ipv4Marks, Ipv6Marks);
same_cases!(Field, wit::PacketField, Source, Destination, SourcePort, DestinationPort);
same_cases!(RateUnit, wit::RateUnit, Packets, Bytes);
same_cases!(Rejection, wit::Rejection, PortUnreachable, HostUnreachable, Prohibited, TcpReset);

impl From<&Element> for wit::Element {
    fn from(element: &Element) -> Self {
        match *element {
            Element::Network(network) => Self::Network(network.into()),
            Element::Ports(range) => Self::Ports(range.into()),
            Element::HostPort { protocol, port, to } => Self::HostPort(wit::HostPortTarget {
                protocol: protocol.0,
                port,
                address: to.ip().into(),
                target_port: to.port(),
            }),
            Element::Mark { network, mark } => Self::Mark(wit::NetworkMark { network: network.into(), mark }),
        }
    }
}

impl From<MarkBits> for wit::MarkBits {
    fn from(mark: MarkBits) -> Self {
        Self { value: mark.value, mask: mark.mask }
    }
}

impl From<TcpFlags> for wit::TcpFlags {
    fn from(flags: TcpFlags) -> Self {
        let mut all = Self::empty();
        all.set(Self::FIN, flags.fin);
        all.set(Self::SYN, flags.syn);
        all.set(Self::RST, flags.rst);
        all.set(Self::PSH, flags.psh);
        all.set(Self::ACK, flags.ack);
        all.set(Self::URG, flags.urg);
        all
    }
}

impl<'a> From<&Condition<'a>> for wit::PacketCondition<'a> {
    fn from(condition: &Condition<'a>) -> Self {
        let property = match condition.property {
            Property::Plain(property) => wit::PacketProperty::Plain(property.into()),
            Property::Member { field, set } => {
                wit::PacketProperty::Member(wit::Member { field: field.into(), set: set.to_owned() })
            }
            Property::Mark(mark) => wit::PacketProperty::Mark(mark.into()),
            Property::TcpFlags { set, mask } => {
                wit::PacketProperty::TcpFlags(wit::TcpFlagsMatch { set: set.into(), mask: mask.into() })
            }
            Property::IcmpType(number) => wit::PacketProperty::IcmpType(number),
        };
        Self { property, negated: condition.negated }
    }
}

impl From<&Statement<'_>> for wit::Statement {
    fn from(statement: &Statement) -> Self {
        match *statement {
            Statement::Counter => Self::Counter,
            Statement::Limit(Rate { amount, unit, burst, over }) => {
                Self::Limit(wit::Rate { amount, unit: unit.into(), burst, over })
            }
            Statement::SetMark(mark) => Self::SetMark(mark.into()),
            Statement::SetMarkBy { field, map, mask } => {
                Self::SetMarkBy(wit::MarkLookup { field: field.into(), set: map.to_owned(), mask })
            }
            Statement::ClampSegmentSize(None) => Self::ClampSegmentSize(wit::SegmentSize::Route),
            Statement::ClampSegmentSize(Some(size)) => Self::ClampSegmentSize(wit::SegmentSize::Exact(size)),
            Statement::Untrack => Self::Untrack,
        }
    }
}

impl From<Action<'_>> for wit::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Proceed => Self::Proceed,
            Action::Plain(verdict) => Self::Plain(verdict.into()),
            Action::Reject(rejection) => Self::Reject(rejection.into()),
            Action::Log { prefix, rate } => Self::Log(wit::PacketLog { prefix: prefix.to_owned(), rate }),
            Action::Jump(to) => Self::Jump(to.to_owned()),
            Action::Goto(to) => Self::Goto(to.to_owned()),
            Action::Return => Self::Return,
            Action::DestinationNatBy(map) => Self::DestinationNatBy(map.to_owned()),
        }
    }
}

impl<'a> From<&PacketRule<'a>> for wit::PacketRule<'a> {
    fn from(rule: &PacketRule<'a>) -> Self {
        Self {
            chain: rule.chain.into(),
            conditions: all(&rule.conditions),
            statements: all(&rule.statements),
            action: rule.action.into(),
        }
    }
}

pub(crate) fn add_set(namespace: Option<&Namespace>, name: &str, kind: SetKind) -> Result<()> {
    Ok(wit::add_set(namespace, name, kind.into())?)
}

pub(crate) fn remove_set(name: &str) -> Result<()> {
    Ok(wit::remove_set(name)?)
}

pub(crate) fn list_sets() -> Result<Vec<String>> {
    Ok(wit::list_sets()?)
}

pub(crate) fn add_elements(set: &str, elements: &[Element]) -> Result<()> {
    Ok(wit::add_elements(set, &all::<_, wit::Element>(elements))?)
}

pub(crate) fn remove_elements(set: &str, elements: &[Element]) -> Result<()> {
    Ok(wit::remove_elements(set, &all::<_, wit::Element>(elements))?)
}

pub(crate) fn list_elements(set: &str) -> Result<Vec<Element>> {
    let told = |element| match element {
        wit::Element::Network(network) => Element::Network(network.into()),
        wit::Element::Ports(wit::PortRange { first, last }) => Element::Ports(PortRange { first, last }),
        wit::Element::HostPort(wit::HostPortTarget { protocol, port, address, target_port }) => {
            let to = SocketAddr::new(address.into(), target_port);
            Element::HostPort { protocol: Protocol(protocol), port, to }
        }
        wit::Element::Mark(wit::NetworkMark { network, mark }) => Element::Mark { network: network.into(), mark },
    };
    Ok(wit::list_elements(set)?.into_iter().map(told).collect())
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[PacketRule]) -> Result<Vec<RuleId>> {
    Ok(wit::add_packet_rules(namespace, &all::<_, wit::PacketRule>(rules))?.into_iter().map(RuleId).collect())
}

pub(crate) fn counters(ids: &[RuleId]) -> Result<Vec<Option<Counter>>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let told = |counter: wit::Counter| Counter { packets: counter.packets, bytes: counter.bytes };
    Ok(wit::read_counters(&ids)?.into_iter().map(|counter| counter.map(told)).collect())
}
