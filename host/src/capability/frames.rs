//! `nftables`: the words of rules for frames as the gate and the kernel layer have them.

use super::{Answer, CallState, convert, nftables, packets};
use ask::nftables as wit;
use grant::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use kernel::{NftChain, NftProperty};

pub(super) fn wanted(call: &CallState, rule: &wit::FrameRule) -> Answer<WantedNftRule> {
    let wit::FrameRule { hook, priority, conditions, statements, action } = rule;
    nftables::check_count(conditions.len())?;
    let conditions = conditions.iter().map(|given| condition(call, given)).collect::<Answer<Vec<_>>>()?;
    let chain = NftChain { nat: false, hook: nftables::hook(hook), priority: *priority };
    packets::rule_of(chain, conditions, statements, action)
}

fn condition(call: &CallState, given: &wit::FrameCondition) -> Answer<WantedCondition> {
    use WantedProperty::Other;
    let property = match &given.property {
        wit::FrameProperty::Packet(property) => packets::property(call, property)?,
        wit::FrameProperty::EtherSource(mac) => Other(NftProperty::EtherSource(convert::mac(*mac))),
        wit::FrameProperty::EtherDestination(mac) => Other(NftProperty::EtherDestination(convert::mac(*mac))),
        wit::FrameProperty::EtherType(number) => Other(NftProperty::EtherType(*number)),
    };
    Ok(WantedCondition { property, negated: given.negated })
}
