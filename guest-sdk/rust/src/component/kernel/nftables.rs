//! Packet filter and address translation.

use crate::Result;
use crate::component::Namespace;
use crate::component::convert::{all, same_cases};
use crate::component::wit::nftables as wit;
use crate::nftables::{
    Chain, ChainType, Condition, ConnectionStates, Hook, PortRange, Property, Rule, RuleId, Target, Verdict,
};

same_cases!(ChainType, wit::ChainType, Filter, Nat);
same_cases!(Hook, wit::Hook, Prerouting, Input, Forward, Output, Postrouting);

impl From<Chain> for wit::Chain {
    fn from(chain: Chain) -> Self {
        Self { chain_type: chain.chain_type.into(), hook: chain.hook.into(), priority: chain.priority }
    }
}

impl From<ConnectionStates> for wit::ConnectionStates {
    fn from(states: ConnectionStates) -> Self {
        let mut flags = Self::empty();
        flags.set(Self::NEW, states.new);
        flags.set(Self::ESTABLISHED, states.established);
        flags.set(Self::RELATED, states.related);
        flags.set(Self::INVALID, states.invalid);
        flags
    }
}

impl From<PortRange> for wit::PortRange {
    fn from(range: PortRange) -> Self {
        Self { first: range.first, last: range.last }
    }
}

impl<'a> From<Property<'a>> for wit::Property<'a> {
    fn from(property: Property<'a>) -> Self {
        match property {
            Property::InputLink(link) => Self::InputLink(&link.0),
            Property::OutputLink(link) => Self::OutputLink(&link.0),
            Property::Source(network) => Self::Source(network.into()),
            Property::Destination(network) => Self::Destination(network.into()),
            Property::DestinationLocal => Self::DestinationLocal,
            Property::Protocol(protocol) => Self::Protocol(protocol.0),
            Property::SourcePort(range) => Self::SourcePort(range.into()),
            Property::DestinationPort(range) => Self::DestinationPort(range.into()),
            Property::Connection(states) => Self::Connection(states.into()),
            Property::DestinationTranslated => Self::DestinationTranslated,
        }
    }
}

impl<'a> From<&Condition<'a>> for wit::Condition<'a> {
    fn from(condition: &Condition<'a>) -> Self {
        Self { property: condition.property.into(), negated: condition.negated }
    }
}

impl From<Target> for wit::Target {
    fn from(target: Target) -> Self {
        Self { address: target.address.into(), port: target.port }
    }
}

impl From<Verdict> for wit::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Drop => Self::Drop,
            Verdict::Masquerade => Self::Masquerade,
            Verdict::SourceNat(target) => Self::SourceNat(target.into()),
            Verdict::DestinationNat(target) => Self::DestinationNat(target.into()),
        }
    }
}

impl<'a> From<&Rule<'a>> for wit::Rule<'a> {
    fn from(rule: &Rule<'a>) -> Self {
        Self { chain: rule.chain.into(), conditions: all(&rule.conditions), verdict: rule.verdict.into() }
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<Vec<RuleId>> {
    Ok(wit::add(namespace, &all::<_, wit::Rule>(rules))?.into_iter().map(RuleId).collect())
}

pub(crate) fn remove(ids: &[RuleId]) -> Result<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    Ok(wit::remove(&ids)?)
}

pub(crate) fn list() -> Result<Vec<RuleId>> {
    Ok(wit::list()?.into_iter().map(RuleId).collect())
}
