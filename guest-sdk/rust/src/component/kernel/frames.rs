//! Rules for frames at bridges.

use crate::Result;
use crate::component::Namespace;
use crate::component::convert::{all, mac_to_wit};
use crate::component::wit::nftables as wit;
use crate::frames::{Condition, FrameRule, Property};
use crate::nftables::RuleId;
use crate::packets;

impl<'a> From<&Condition<'a>> for wit::FrameCondition<'a> {
    fn from(condition: &Condition<'a>) -> Self {
        let negated = condition.negated;
        let property = match condition.property {
            Property::Packet(property) => {
                let packet = wit::PacketCondition::from(&packets::Condition { property, negated });
                wit::FrameProperty::Packet(packet.property)
            }
            Property::EtherSource(mac) => wit::FrameProperty::EtherSource(mac_to_wit(mac)),
            Property::EtherDestination(mac) => wit::FrameProperty::EtherDestination(mac_to_wit(mac)),
            Property::EtherType(number) => wit::FrameProperty::EtherType(number),
        };
        Self { property, negated }
    }
}

impl<'a> From<&FrameRule<'a>> for wit::FrameRule<'a> {
    fn from(rule: &FrameRule<'a>) -> Self {
        Self {
            hook: rule.hook.into(),
            priority: rule.priority,
            conditions: all(&rule.conditions),
            statements: all(&rule.statements),
            action: rule.action.into(),
        }
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[FrameRule]) -> Result<Vec<RuleId>> {
    Ok(wit::add_frame_rules(namespace, &all::<_, wit::FrameRule>(rules))?.into_iter().map(RuleId).collect())
}
