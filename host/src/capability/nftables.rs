//! `nftables`: rules in a table of the network's own.

use super::handle::NamespaceHandle;
use super::{Answer, CallState, check_length, convert, handle};
use ask::{Refusal, nftables as wit};
use grant::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use kernel::{NftChain, NftHook, NftProperty, NftVerdict};
use store::Thing;

/// Conditions of one rule.
const CONDITIONS: usize = 16;

/// The protocols that have ports: TCP, UDP, SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

impl wit::Host for CallState {
    fn add(&mut self, namespace: Option<NamespaceHandle>, rules: Vec<wit::Rule>) -> Answer<Vec<u64>> {
        check_length(&rules)?;
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let place = handle::namespace(self, namespace)?;
        let rules = rules.iter().map(|rule| wanted(self, rule)).collect::<Answer<Vec<_>>>()?;
        let table = self.network()?.nft_table.clone();
        let (gate, transaction) = self.parts()?;
        let rules = gate.add_nft_rules(transaction, place.as_ref(), &table, rules)?;
        let ids = transaction.add_nft_rules(rules)?;
        Ok(ids.into_iter().map(i64::cast_unsigned).collect())
    }

    fn remove(&mut self, ids: Vec<u64>) -> Answer<()> {
        check_length(&ids)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_nft_rules(gate.remove_nft_rules(ids)?)?)
    }

    fn list(&mut self) -> Answer<Vec<u64>> {
        let objects = self.transaction()?.owners_objects()?;
        let rules = objects.into_iter().filter(|o| matches!(o.thing, Thing::NftRule { .. }));
        Ok(rules.map(|o| o.id.cast_unsigned()).collect())
    }
}

fn wanted(call: &CallState, rule: &wit::Rule) -> Answer<WantedNftRule> {
    if rule.conditions.len() > CONDITIONS {
        return Err(Refusal::invalid(format!("a rule has at most {CONDITIONS} conditions")));
    }
    let conditions = rule.conditions.iter().map(|given| condition(call, given)).collect::<Answer<Vec<_>>>()?;
    check_ports(&conditions)?;
    Ok(WantedNftRule { chain: chain(&rule.chain), conditions, verdict: verdict(&rule.verdict) })
}

fn chain(chain: &wit::Chain) -> NftChain {
    let hook = match chain.hook {
        wit::Hook::Prerouting => NftHook::Prerouting,
        wit::Hook::Input => NftHook::Input,
        wit::Hook::Forward => NftHook::Forward,
        wit::Hook::Output => NftHook::Output,
        wit::Hook::Postrouting => NftHook::Postrouting,
    };
    NftChain { nat: matches!(chain.chain_type, wit::ChainType::Nat), hook, priority: chain.priority }
}

fn condition(call: &CallState, condition: &wit::Condition) -> Answer<WantedCondition> {
    use WantedProperty::Other;
    let property = match &condition.property {
        wit::Property::InputLink(link) => WantedProperty::InputLink(call.handles.link(*link)?.clone()),
        wit::Property::OutputLink(link) => WantedProperty::OutputLink(call.handles.link(*link)?.clone()),
        wit::Property::Source(net) => Other(NftProperty::Source(convert::network(*net)?.trunc())),
        wit::Property::Destination(net) => Other(NftProperty::Destination(convert::network(*net)?.trunc())),
        wit::Property::DestinationLocal => Other(NftProperty::DestinationLocal),
        wit::Property::Protocol(number) => Other(NftProperty::Protocol(*number)),
        wit::Property::SourcePort(range) => Other(NftProperty::SourcePort(range.first, range.last)),
        wit::Property::DestinationPort(range) => Other(NftProperty::DestinationPort(range.first, range.last)),
        wit::Property::Connection(states) => Other(NftProperty::Connection(state_bits(*states)?)),
        wit::Property::DestinationTranslated => Other(NftProperty::DestinationTranslated),
    };
    Ok(WantedCondition { property, negated: condition.negated })
}

/// The bits of nft's `ct state`: NF_CT_STATE_INVALID_BIT 1, and 2, 4, 8 for established, related, new
/// (linux/netfilter/nf_conntrack_common.h).
fn state_bits(states: wit::ConnectionStates) -> Answer<u32> {
    let wit::ConnectionStates { new, established, related, invalid } = states;
    let bits = [(invalid, 1), (established, 2), (related, 4), (new, 8)];
    let bits = bits.iter().filter(|(named, _)| *named).map(|(_, bit)| bit).sum();
    if bits == 0 { Err(Refusal::invalid("a condition on a connection names no state")) } else { Ok(bits) }
}

fn check_ports(conditions: &[WantedCondition]) -> Answer<()> {
    let mut has_ports = false;
    for WantedCondition { property, negated } in conditions {
        let WantedProperty::Other(property) = property else { continue };
        match property {
            NftProperty::Protocol(number) => has_ports = WITH_PORTS.contains(number) && !negated,
            NftProperty::SourcePort(first, last) | NftProperty::DestinationPort(first, last) => {
                if !has_ports {
                    return Err(Refusal::invalid(
                        "a condition on ports needs a protocol of TCP, UDP or SCTP before it",
                    ));
                }
                if first > last {
                    return Err(Refusal::invalid(format!("{first}-{last} is no range of ports")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn verdict(verdict: &wit::Verdict) -> NftVerdict {
    match verdict {
        wit::Verdict::Accept => NftVerdict::Accept,
        wit::Verdict::Drop => NftVerdict::Drop,
        wit::Verdict::Masquerade => NftVerdict::Masquerade,
        wit::Verdict::SourceNat(to) => NftVerdict::SourceNat(convert::address(to.address), to.port),
        wit::Verdict::DestinationNat(to) => NftVerdict::DestinationNat(convert::address(to.address), to.port),
    }
}
