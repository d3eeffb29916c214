//! Rules for frames at bridges: checked, and told as text.

use super::{all_or_nothing, check_length, packets};
use crate::fake::state::HOST;
use crate::fake::sys::Namespace;
use crate::frames::{Condition, FrameRule, Property};
use crate::nftables::{self, Chain, RuleId};
use crate::packets::{Action, PacketRule, Property as OfPacket, Statement};
use crate::{Error, Result};

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[FrameRule]) -> Result<Vec<RuleId>> {
    let at = namespace.map_or(HOST, |namespace| namespace.0);
    all_or_nothing(rules, || rules.iter().map(|rule| add_one(at, rule)).collect())
}

fn add_one<'a>(at: u32, rule: &FrameRule<'a>) -> Result<RuleId> {
    check_length(&rule.conditions, 16)?;
    check(rule)?;
    let packet = |Condition { property, negated }: &Condition<'a>| match property {
        Property::Packet(property) => Some(crate::packets::Condition { property: *property, negated: *negated }),
        _ => None,
    };
    let of_packet = PacketRule {
        chain: Chain::filter(rule.hook, rule.priority),
        conditions: rule.conditions.iter().filter_map(packet).collect(),
        statements: rule.statements.clone(),
        action: rule.action,
    };
    let ether = rule.conditions.iter().map(|Condition { property, negated }| {
        let not = if *negated { "!= " } else { "" };
        match property {
            Property::Packet(_) => String::new(),
            Property::EtherSource(mac) => format!(" ether saddr {not}{mac}"),
            Property::EtherDestination(mac) => format!(" ether daddr {not}{mac}"),
            Property::EtherType(number) => format!(" ether type {not}{number:#06x}"),
        }
    });
    packets::add_frame(at, &of_packet, &ether.collect::<String>())
}

fn check(rule: &FrameRule) -> Result<()> {
    let invalid = |why: &str| Err(Error::invalid_argument(why));
    let is_own = |given: &Condition| {
        let link = matches!(
            given.property,
            Property::Packet(OfPacket::Plain(nftables::Property::InputLink(_) | nftables::Property::OutputLink(_)))
        );
        link && !given.negated
    };
    let unknown = |given: &Condition| match given.property {
        Property::Packet(OfPacket::Member { .. }) => true,
        Property::Packet(OfPacket::Plain(property)) => matches!(
            property,
            nftables::Property::DestinationLocal
                | nftables::Property::Connection(_)
                | nftables::Property::DestinationTranslated
        ),
        _ => false,
    };
    let plain =
        |statement: &Statement| matches!(statement, Statement::Counter | Statement::Limit(_) | Statement::SetMark(_));
    let happens = match rule.action {
        Action::Plain(verdict) => matches!(verdict, nftables::Verdict::Accept | nftables::Verdict::Drop),
        Action::Proceed | Action::Log { .. } => true,
        _ => false,
    };
    match () {
        () if !rule.conditions.iter().any(is_own) => {
            invalid("a rule for frames that names no link of the driver's own")
        }
        () if rule.conditions.iter().any(unknown) => invalid("a condition that a bridge has not"),
        () if !rule.statements.iter().all(plain) => invalid("a statement that a bridge has not"),
        () if !happens => invalid("an action that a bridge has not"),
        () => Ok(()),
    }
}
