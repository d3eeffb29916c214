//! `nftables`: rules and sets in a table of the network's own.

use super::handle::NamespaceHandle;
use super::{Answer, CallState, check_length, convert, frames, handle, packets};
use ask::{Refusal, nftables as wit};
use grant::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use kernel::{NftChain, NftCount, NftHook, NftProperty, NftVerdict};
use store::Thing;

/// Conditions of one rule.
const CONDITIONS: usize = 16;

/// The protocols that have ports: TCP, UDP, SCTP.
pub(super) const WITH_PORTS: [u8; 3] = [6, 17, 132];

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

    fn add_set(&mut self, namespace: Option<NamespaceHandle>, name: String, kind: wit::SetKind) -> Answer<()> {
        let place = handle::namespace(self, namespace)?;
        let table = self.network()?.nft_table.clone();
        let (gate, transaction) = self.parts()?;
        let set = gate.add_set(transaction, place.as_ref(), &table, name, packets::kind(&kind))?;
        Ok(transaction.add_set(set)?)
    }

    fn remove_set(&mut self, name: String) -> Answer<()> {
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_set(gate.remove_set(transaction, name)?)?)
    }

    fn list_sets(&mut self) -> Answer<Vec<String>> {
        Ok(self.transaction()?.set_names()?)
    }

    fn add_elements(&mut self, set: String, elements: Vec<wit::Element>) -> Answer<()> {
        check_length(&elements)?;
        let elements = elements.iter().map(packets::element).collect::<Answer<Vec<_>>>()?;
        let table = self.network()?.nft_table.clone();
        let (gate, transaction) = self.parts()?;
        let elements = gate.add_elements(transaction, &table, set, elements)?;
        Ok(transaction.add_elements(elements)?)
    }

    fn remove_elements(&mut self, set: String, elements: Vec<wit::Element>) -> Answer<()> {
        check_length(&elements)?;
        let elements = elements.iter().map(packets::element).collect::<Answer<Vec<_>>>()?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_elements(gate.remove_elements(set, elements)?)?)
    }

    fn list_elements(&mut self, set: String) -> Answer<Vec<wit::Element>> {
        let elements = self.transaction()?.elements(&set)?;
        Ok(elements.into_iter().map(packets::shown).collect())
    }

    fn add_packet_rules(
        &mut self,
        namespace: Option<NamespaceHandle>,
        rules: Vec<wit::PacketRule>,
    ) -> Answer<Vec<u64>> {
        check_length(&rules)?;
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let place = handle::namespace(self, namespace)?;
        let rules = rules.iter().map(|rule| packets::wanted(self, rule)).collect::<Answer<Vec<_>>>()?;
        let table = self.network()?.nft_table.clone();
        let (gate, transaction) = self.parts()?;
        let rules = gate.add_packet_rules(transaction, place.as_ref(), &table, rules)?;
        let ids = transaction.add_nft_rules(rules)?;
        Ok(ids.into_iter().map(i64::cast_unsigned).collect())
    }

    fn add_chain(&mut self, namespace: Option<NamespaceHandle>, name: String, base: wit::Chain) -> Answer<()> {
        let place = handle::namespace(self, namespace)?;
        let table = self.network()?.nft_table.clone();
        let (gate, transaction) = self.parts()?;
        let chain = gate.add_chain(transaction, place.as_ref(), &table, name, chain(&base))?;
        Ok(transaction.add_chain(chain)?)
    }

    fn remove_chain(&mut self, name: String) -> Answer<()> {
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_chain(gate.remove_chain(transaction, name)?)?)
    }

    fn list_chains(&mut self) -> Answer<Vec<String>> {
        Ok(self.transaction()?.chain_names()?)
    }

    fn add_chain_rules(&mut self, chain: String, rules: Vec<wit::ChainRule>) -> Answer<Vec<u64>> {
        check_length(&rules)?;
        let (gate, transaction) = self.parts()?;
        let own = gate.chain(transaction, &chain)?;
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let rules =
            rules.iter().map(|rule| packets::wanted_behind(self, own.base, rule)).collect::<Answer<Vec<_>>>()?;
        let table = self.network()?.nft_table.clone();
        let (gate, transaction) = self.parts()?;
        let rules = gate.add_chain_rules(transaction, &table, own, rules)?;
        let ids = transaction.add_nft_rules(rules)?;
        Ok(ids.into_iter().map(i64::cast_unsigned).collect())
    }

    fn add_frame_rules(&mut self, namespace: Option<NamespaceHandle>, rules: Vec<wit::FrameRule>) -> Answer<Vec<u64>> {
        check_length(&rules)?;
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let place = handle::namespace(self, namespace)?;
        let rules = rules.iter().map(|rule| frames::wanted(self, rule)).collect::<Answer<Vec<_>>>()?;
        let table = format!("{}{}", self.network()?.nft_table, kernel::FRAMES);
        let (gate, transaction) = self.parts()?;
        let rules = gate.add_frame_rules(transaction, place.as_ref(), &table, rules)?;
        let ids = transaction.add_nft_rules(rules)?;
        Ok(ids.into_iter().map(i64::cast_unsigned).collect())
    }

    fn read_counters(&mut self, ids: Vec<u64>) -> Answer<Vec<Option<wit::Counter>>> {
        check_length(&ids)?;
        let ids: Vec<i64> = ids.into_iter().map(u64::cast_signed).collect();
        let counted = self.transaction()?.counters(&ids)?.into_iter();
        let shown = |NftCount { packets, bytes }| wit::Counter { packets, bytes };
        Ok(counted.map(|count| count.map(shown)).collect())
    }

    fn list(&mut self) -> Answer<Vec<u64>> {
        let objects = self.transaction()?.owners_objects()?;
        let rules = objects.into_iter().filter(|o| matches!(o.thing, Thing::NftRule { .. }));
        Ok(rules.map(|o| o.id.cast_unsigned()).collect())
    }
}

fn wanted(call: &CallState, rule: &wit::Rule) -> Answer<WantedNftRule> {
    check_count(rule.conditions.len())?;
    let conditions = rule.conditions.iter().map(|given| condition(call, given)).collect::<Answer<Vec<_>>>()?;
    check_ports(&conditions)?;
    let (statements, verdict) = (Vec::new(), verdict(&rule.verdict));
    Ok(WantedNftRule { chain: chain(&rule.chain), conditions, statements, verdict })
}

pub(super) fn check_count(conditions: usize) -> Answer<()> {
    if conditions > CONDITIONS {
        return Err(Refusal::invalid(format!("a rule has at most {CONDITIONS} conditions")));
    }
    Ok(())
}

pub(super) fn chain(chain: &wit::Chain) -> NftChain {
    let nat = matches!(chain.chain_type, wit::ChainType::Nat);
    NftChain { nat, hook: hook(&chain.hook), priority: chain.priority }
}

pub(super) fn hook(hook: &wit::Hook) -> NftHook {
    match hook {
        wit::Hook::Prerouting => NftHook::Prerouting,
        wit::Hook::Input => NftHook::Input,
        wit::Hook::Forward => NftHook::Forward,
        wit::Hook::Output => NftHook::Output,
        wit::Hook::Postrouting => NftHook::Postrouting,
    }
}

fn condition(call: &CallState, condition: &wit::Condition) -> Answer<WantedCondition> {
    Ok(WantedCondition { property: property(call, &condition.property)?, negated: condition.negated })
}

pub(super) fn property(call: &CallState, property: &wit::Property) -> Answer<WantedProperty> {
    use WantedProperty::Other;
    Ok(match property {
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
    })
}

/// The bits of nft's `ct state`: NF_CT_STATE_INVALID_BIT 1, and 2, 4, 8 for established, related, new
/// (linux/netfilter/nf_conntrack_common.h).
fn state_bits(states: wit::ConnectionStates) -> Answer<u32> {
    let wit::ConnectionStates { new, established, related, invalid } = states;
    let bits = [(invalid, 1), (established, 2), (related, 4), (new, 8)];
    let bits = bits.iter().filter(|(named, _)| *named).map(|(_, bit)| bit).sum();
    if bits == 0 { Err(Refusal::invalid("a condition on a connection names no state")) } else { Ok(bits) }
}

/// What is in a header of a protocol's needs that protocol before it.
pub(super) fn check_ports(conditions: &[WantedCondition]) -> Answer<()> {
    let mut protocol = None;
    for WantedCondition { property, negated } in conditions {
        if let Some((any, why)) = packets::needs(property)
            && !protocol.is_some_and(|number| any.contains(&number))
        {
            return Err(Refusal::invalid(why));
        }
        match property {
            WantedProperty::Other(NftProperty::Protocol(number)) => protocol = Some(*number).filter(|_| !negated),
            WantedProperty::Other(NftProperty::SourcePort(first, last) | NftProperty::DestinationPort(first, last))
                if first > last =>
            {
                return Err(Refusal::invalid(format!("{first}-{last} is no range of ports")));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn verdict(verdict: &wit::Verdict) -> NftVerdict {
    match verdict {
        wit::Verdict::Accept => NftVerdict::Accept,
        wit::Verdict::Drop => NftVerdict::Drop,
        wit::Verdict::Masquerade => NftVerdict::Masquerade,
        wit::Verdict::SourceNat(to) => NftVerdict::SourceNat(convert::address(to.address), to.port),
        wit::Verdict::DestinationNat(to) => NftVerdict::DestinationNat(convert::address(to.address), to.port),
    }
}
