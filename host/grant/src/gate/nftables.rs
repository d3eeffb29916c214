//! `nftables`: what a packet rule may do to whose packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use kernel::{
    HostPort, Namespace, NftChain, NftCondition, NftField, NftHook, NftProperty, NftRule, NftStatement, NftVerdict,
};
use words::{Error, Kind, Result};

use super::chains::{Around, led_to};
use super::maps::looks;
use super::sets::SeenSet;
use super::view::all_owned;
use super::{Gate, Granted, Link, Object, Place, Tie, View};
use crate::{Hook, HostCall, Limit};

/// `lo` has this ifindex in every namespace (LOOPBACK_IFINDEX, include/net/flow.h).
const LOOPBACK_LINK: u32 = 1;

/// NF_CT_STATE_INVALID_BIT of linux/netfilter/nf_conntrack_common.h.
const INVALID: u32 = 1;

/// A rule that a driver wants.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the WIT's, documented there")]
pub struct WantedNftRule {
    pub chain: NftChain,
    pub conditions: Vec<WantedCondition>,
    /// Of maps in these two, the names count: what is in them the gate looks up.
    pub statements: Vec<NftStatement>,
    pub verdict: NftVerdict,
}

/// One of its conditions.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the WIT's, documented there")]
pub struct WantedCondition {
    pub property: WantedProperty,
    pub negated: bool,
}

/// A property of a packet: links by what their handles stand for.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the cases are the WIT's, documented there")]
pub enum WantedProperty {
    InputLink(Link),
    OutputLink(Link),
    /// A part of the packet, and the name of a set.
    Member(NftField, String),
    Other(NftProperty),
}

/// Rules for one table.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct NftRules {
    pub namespace: Namespace,
    pub table: String,
    /// Each with the port of the host whose packets it sends elsewhere, or drops where they are invalid: it holds as long as that is held.
    pub rules: Vec<(NftRule, Option<HostPort>)>,
}

/// Rules that go, by the ids of their objects.
#[derive(Clone, Debug)]
pub struct GoneNftRules(pub Vec<u64>);

impl Gate {
    /// `nftables.add`: rules in the network's own table.
    pub fn add_nft_rules(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        table: &str,
        rules: Vec<WantedNftRule>,
    ) -> Result<Granted<NftRules>> {
        self.rules_of(HostCall::NftablesAdd, view, place, table, rules)
    }

    /// `nftables.add-packet-rules`: the same for rules with more in them.
    pub fn add_packet_rules(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        table: &str,
        mut rules: Vec<WantedNftRule>,
    ) -> Result<Granted<NftRules>> {
        let call = HostCall::NftablesAddPacketRules;
        self.check_logs(call, view, rules.iter_mut().map(|rule| &mut rule.verdict).collect())?;
        self.rules_of(call, view, place, table, rules)
    }

    pub(super) fn rules_of(
        &self,
        call: HostCall,
        view: &mut impl View,
        place: Option<&Place>,
        table: &str,
        rules: Vec<WantedNftRule>,
    ) -> Result<Granted<NftRules>> {
        let namespace = self.namespace(call, place)?.take();
        let chains = if rules.iter().any(|rule| led_to(rule).is_some()) { view.chains()? } else { Vec::new() };
        self.rules_in(call, view, namespace, table, Around { chains, own: None }, rules)
    }

    /// Rules in base chains, or in an own one.
    pub(super) fn rules_in(
        &self,
        call: HostCall,
        view: &mut impl View,
        namespace: Namespace,
        table: &str,
        around: Around,
        rules: Vec<WantedNftRule>,
    ) -> Result<Granted<NftRules>> {
        self.check_holding(view, call, Limit::Rules, rules.len())?;
        rules.iter().try_for_each(|rule| self.check_way(call, &namespace, &around, rule))?;
        if !around.chains.is_empty() {
            self.check_ways(call, view, &namespace, &around, &rules)?;
        }
        let conditions = rules.iter().flat_map(|rule| &rule.conditions);
        let links = conditions.filter_map(|condition| match &condition.property {
            WantedProperty::InputLink(link) | WantedProperty::OutputLink(link) => Some(link),
            WantedProperty::Other(_) | WantedProperty::Member(..) => None,
        });
        // A parent interface can stand in a condition, too.
        all_owned(view, links.filter(|link| link.is_own))?;
        let sets = if rules.iter().any(looks) { view.sets()? } else { Vec::new() };
        let own = around.own.as_ref().map(|chain| chain.name.as_str());
        let one = |rule| self.nft_rule(call, view, (&namespace, own), &sets, rule);
        let rules = rules.into_iter().map(one).collect::<Result<_>>()?;
        self.grant(call, NftRules { namespace, table: table.to_owned(), rules })
    }

    /// `nftables.remove`
    pub fn remove_nft_rules(&self, ids: Vec<u64>) -> Result<Granted<GoneNftRules>> {
        self.grant(HostCall::NftablesRemove, GoneNftRules(ids))
    }

    /// What a call leaves, once it has returned: a rule that sends a port's packets elsewhere, and not the port, would cut off whoever takes it.
    pub fn check_left(&self, view: &impl View) -> Result<()> {
        for port in view.translated_ports()? {
            if !view.has_port([port, HostPort { address: any(port.address), ..port }])? {
                let why = format!(
                    "host port {port} is released, but a packet rule still sends elsewhere what comes there: remove it in the same call"
                );
                return Err(self.refused(HostCall::PortsRelease, Kind::Forbidden, &why));
            }
        }
        Ok(())
    }

    fn nft_rule(
        &self,
        call: HostCall,
        view: &impl View,
        (namespace, own): (&Namespace, Option<&str>),
        sets: &[SeenSet],
        rule: WantedNftRule,
    ) -> Result<(NftRule, Option<HostPort>)> {
        let WantedNftRule { chain, conditions, statements, verdict } = rule;
        self.permit(call, Object::Chain(hook(chain.hook), chain.priority))?;
        let mut parents = Vec::new();
        let conditions = conditions.into_iter().map(|given| match given.property {
            WantedProperty::Member(field, set) => {
                let property = self.member(sets, namespace, field, set)?;
                Ok(NftCondition { property, negated: given.negated })
            }
            _ => condition(view, namespace, given, &mut parents),
        });
        let mut conditions = conditions.collect::<Result<Vec<_>>>()?;
        let statements = statements.into_iter().map(|statement| self.mapped(sets, namespace, statement));
        let statements = statements.collect::<Result<Vec<_>>>()?;
        let verdict = self.mapped_verdict(sets, namespace, verdict)?;
        check_verdict(chain, &verdict)?;
        self.check_statements(call, chain, &statements)?;
        let mut port = None;
        if let NftVerdict::DestinationNat(to, _) = verdict {
            self.permit(call, Object::Target(to))?;
            port = self.redirected(view, &conditions, &parents, to)?;
            // Whoever sends to a loopback address from another host means harm. That happens before the kernel's own check of it.
            if chain.hook == NftHook::Prerouting && port.is_some_and(|port| port.address.is_loopback()) {
                let property = NftProperty::InputLink(LOOPBACK_LINK);
                conditions.push(NftCondition { property, negated: false });
            }
        }
        if let NftVerdict::SourceNat(to, _) = verdict
            && !is_as_masquerade(view, chain, to)?
        {
            let refused = self.permit(call, Object::Target(to));
            refused.map_err(|e| Error { message: format!("{}; nor does the host send from it", e.message), ..e })?;
        }
        let mut ties = ties(&conditions, &parents, &verdict);
        if verdict == NftVerdict::Drop && chain.hook == NftHook::Prerouting && is_for_invalid(&conditions) {
            port = held(view, &conditions)?;
            ties.extend(port.map(|_| Tie::Port));
        }
        // What is wrong is the rule. To an own chain packets come by rules that are tied.
        if own.is_none() {
            let tied = self.permit(call, Object::Rule(&ties));
            tied.map_err(|e| Error::invalid(e.message))?;
        }
        let owner = self.about.endpoint.as_ref().or(self.about.network.as_ref()).map_or("", |id| id.as_str());
        let comment = format!("{} {owner}", self.about.driver).chars().take(100).collect();
        let own = own.map(str::to_owned);
        Ok((NftRule { chain, conditions, statements, verdict, own, comment }, port))
    }

    /// Whose packets a rule sends elsewhere: those that come in by the driver's own link, those to addresses of the network's pools, or those to
    /// a port of the host that the call's owner has taken, which is answered. Any others are somebody else's.
    fn redirected(
        &self,
        view: &impl View,
        conditions: &[NftCondition],
        parents: &[u32],
        to: IpAddr,
    ) -> Result<Option<HostPort>> {
        let in_pools = |net: IpNet| self.would_permit(HostCall::NftablesAdd, Object::Rule(&[Tie::Range(net)]));
        let own = plain(conditions).any(|property| match property {
            NftProperty::InputLink(link) => !parents.contains(link),
            NftProperty::Destination(net) => in_pools(*net),
            _ => false,
        });
        if own {
            return Ok(None);
        }
        let Some(held) = port_of(conditions, to) else {
            return Err(Error::forbidden(
                "packets that are not the network's can be sent to it only by a port: with a protocol, destination ports, and an address of the host",
            ));
        };
        match view.has_port([held.address, any(to)].map(|address| HostPort { address, ..held }))? {
            true => Ok(Some(held)),
            false => {
                let which = if held.more == 0 { "" } else { " as a whole" };
                Err(Error::forbidden(format!(
                    "host port {held:#} is not taken{which} by this endpoint: see `ports.take`"
                )))
            }
        }
    }
}

fn plain(conditions: &[NftCondition]) -> impl Iterator<Item = &NftProperty> {
    conditions.iter().filter(|condition| !condition.negated).map(|condition| &condition.property)
}

/// The port of the host that conditions name. Of all addresses, those of the family of one are meant.
fn port_of(conditions: &[NftCondition], to: IpAddr) -> Option<HostPort> {
    let (mut protocol, mut port, mut address) = (None, None, None);
    for property in plain(conditions) {
        match property {
            NftProperty::Protocol(number) => protocol = Some(*number),
            NftProperty::DestinationPort(first, last) => port = Some((*first, last.saturating_sub(*first))),
            NftProperty::DestinationLocal => address = Some(any(to)),
            NftProperty::Destination(net) if net.prefix_len() == net.max_prefix_len() => address = Some(net.addr()),
            _ => {}
        }
    }
    let (Some(protocol), Some((port, more)), Some(address)) = (protocol, port, address) else { return None };
    Some(HostPort { protocol, port, more, address })
}

/// Whether conditions mean only what conntrack calls invalid.
fn is_for_invalid(conditions: &[NftCondition]) -> bool {
    plain(conditions).any(|property| *property == NftProperty::Connection(INVALID))
}

/// The port that the call's owner has taken, if it is this port's packets that conditions mean. A source or a destination says of which family.
fn held(view: &impl View, conditions: &[NftCondition]) -> Result<Option<HostPort>> {
    let family = plain(conditions).find_map(|property| match property {
        NftProperty::Source(net) | NftProperty::Destination(net) => Some(net.addr()),
        _ => None,
    });
    let Some(port) = family.and_then(|family| port_of(conditions, family)) else { return Ok(None) };
    let is_held = view.has_port([port, HostPort { address: any(port.address), ..port }])?;
    Ok(is_held.then_some(port))
}

/// Whether a source is one that `masquerade` could give as well: what leaves the host gets an address of the host's. What is sent to the host
/// itself (the hook input) must not: services trust whoever comes from there. Nor is it a loopback address, or one of another network.
fn is_as_masquerade(view: &impl View, chain: NftChain, source: IpAddr) -> Result<bool> {
    let leaves = chain.hook == NftHook::Postrouting && !source.is_loopback();
    Ok(leaves && view.check_pool(source.into()).is_ok() && view.is_hosts_address(source)?)
}

pub(super) fn hook(hook: NftHook) -> Hook {
    match hook {
        NftHook::Prerouting => Hook::Prerouting,
        NftHook::Input => Hook::Input,
        NftHook::Forward => Hook::Forward,
        NftHook::Output => Hook::Output,
        NftHook::Postrouting => Hook::Postrouting,
    }
}

/// The host's every address, of the family of one.
fn any(address: IpAddr) -> IpAddr {
    if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// A condition. A link in it that is a parent interface is noted: it ties no rule to the network.
fn condition(
    view: &impl View,
    namespace: &Namespace,
    condition: WantedCondition,
    parents: &mut Vec<u32>,
) -> Result<NftCondition> {
    let mut index = |link: Link| -> Result<u32> {
        // There, the index is another link's.
        if link.key.namespace != *namespace {
            return Err(Error::invalid(format!("{} is in another namespace than the rule", link.name)));
        }
        if !link.is_own {
            link.is_there(view)?;
            parents.push(link.key.index);
        }
        Ok(link.key.index)
    };
    let property = match condition.property {
        WantedProperty::InputLink(link) => NftProperty::InputLink(index(link)?),
        WantedProperty::OutputLink(link) => NftProperty::OutputLink(index(link)?),
        WantedProperty::Other(property) => property,
        // The gate looks for it itself.
        WantedProperty::Member(_, set) => return Err(super::sets::no_set(&set)),
    };
    Ok(NftCondition { property, negated: condition.negated })
}

/// Where the kernel can translate (nft_masq, nft_nat: source at input and postrouting, destination at prerouting and output).
fn check_verdict(chain: NftChain, verdict: &NftVerdict) -> Result<()> {
    let fits = match verdict {
        NftVerdict::Accept | NftVerdict::Proceed | NftVerdict::Log { .. } => true,
        NftVerdict::Jump(_) | NftVerdict::Goto(_) | NftVerdict::Return => true,
        // Not before routing, where the way back is not known.
        NftVerdict::Reject(_) => {
            !chain.nat && matches!(chain.hook, NftHook::Input | NftHook::Forward | NftHook::Output)
        }
        NftVerdict::Drop => !chain.nat,
        NftVerdict::Masquerade => chain.nat && chain.hook == NftHook::Postrouting,
        NftVerdict::SourceNat(..) => chain.nat && matches!(chain.hook, NftHook::Postrouting | NftHook::Input),
        NftVerdict::DestinationNat(..) | NftVerdict::DestinationNatBy(_) => {
            chain.nat && matches!(chain.hook, NftHook::Prerouting | NftHook::Output)
        }
    };
    if !fits {
        return Err(Error::invalid(format!(
            "{verdict:?} can't happen in a chain of {} at {:?}",
            if chain.nat { "nat" } else { "filter" },
            chain.hook
        )));
    }
    if chain.nat && chain.hook == NftHook::Forward {
        return Err(Error::invalid("a nat chain can't be at the forward hook"));
    }
    Ok(())
}

/// What ties the rule to the network: a negated condition does not, and a parent interface does not.
fn ties(conditions: &[NftCondition], parents: &[u32], verdict: &NftVerdict) -> Vec<Tie> {
    let of_condition = |c: &NftCondition| match c {
        NftCondition { negated: true, .. } => None,
        NftCondition { property: NftProperty::InputLink(link) | NftProperty::OutputLink(link), .. } => {
            (!parents.contains(link)).then_some(Tie::Link)
        }
        NftCondition { property: NftProperty::Source(net) | NftProperty::Destination(net), .. } => {
            Some(Tie::Range(*net))
        }
        _ => None,
    };
    let of_verdict = match verdict {
        NftVerdict::DestinationNat(to, _) => Some(Tie::Range((*to).into())),
        // Each element is for a port that its owner has taken.
        NftVerdict::DestinationNatBy(_) => Some(Tie::Port),
        _ => None,
    };
    conditions.iter().filter_map(of_condition).chain(of_verdict).collect()
}
