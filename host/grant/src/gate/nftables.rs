//! `nftables`: what a packet rule may do to whose packets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use kernel::{HostPort, LinkKey, Namespace, NftChain, NftCondition, NftHook, NftProperty, NftRule, NftVerdict};
use words::{Error, LinkName, Result};

use super::view::all_owned;
use super::{Gate, Granted, Link, Object, Place, Tie, View};
use crate::{Hook, HostCall, Limit};

/// A rule that a driver wants.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the WIT's, documented there")]
pub struct WantedNftRule {
    pub chain: NftChain,
    pub conditions: Vec<WantedCondition>,
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
    Other(NftProperty),
}

/// Rules for one table.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct NftRules {
    pub namespace: Namespace,
    pub table: String,
    pub rules: Vec<NftRule>,
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
        let call = HostCall::NftablesAdd;
        let namespace = self.namespace(call, place)?.take();
        self.check_holding(view, call, Limit::Rules, rules.len())?;
        let conditions = rules.iter().flat_map(|rule| &rule.conditions);
        let links = conditions.filter_map(|condition| match &condition.property {
            WantedProperty::InputLink(link) | WantedProperty::OutputLink(link) => Some(link),
            WantedProperty::Other(_) => None,
        });
        // A parent interface can stand in a condition, too.
        let names = Names { namespace: &namespace, own: all_owned(view, links.filter(|link| link.is_own))? };
        let rules = rules.into_iter().map(|rule| self.nft_rule(view, &names, rule)).collect::<Result<_>>()?;
        self.grant(call, NftRules { namespace, table: table.to_owned(), rules })
    }

    /// `nftables.remove`
    pub fn remove_nft_rules(&self, ids: Vec<u64>) -> Result<Granted<GoneNftRules>> {
        self.grant(HostCall::NftablesRemove, GoneNftRules(ids))
    }

    fn nft_rule(&self, view: &impl View, names: &Names<'_>, rule: WantedNftRule) -> Result<NftRule> {
        let call = HostCall::NftablesAdd;
        let WantedNftRule { chain, conditions, verdict } = rule;
        self.permit(call, Object::Chain(hook(chain.hook), chain.priority))?;
        let mut parents = Vec::new();
        let conditions = conditions.into_iter().map(|given| condition(view, names, given, &mut parents));
        let conditions = conditions.collect::<Result<Vec<_>>>()?;
        check_verdict(chain, &verdict)?;
        if let NftVerdict::DestinationNat(to, _) = verdict {
            self.permit(call, Object::Target(to))?;
            self.check_redirected(view, &conditions, &parents, to)?;
        }
        if let NftVerdict::SourceNat(to, _) = verdict {
            self.permit(call, Object::Target(to))?;
        }
        // What is wrong is the rule.
        let tied = self.permit(call, Object::Rule(&ties(&conditions, &parents, &verdict)));
        tied.map_err(|e| Error::invalid(e.message))?;
        let owner = self.about.endpoint.as_ref().or(self.about.network.as_ref()).map_or("", |id| id.as_str());
        let comment = format!("{} {owner}", self.about.driver).chars().take(120).collect();
        Ok(NftRule { chain, conditions, verdict, comment })
    }

    /// Whose packets a rule sends elsewhere: those that come in by the driver's own link, those to addresses of the network's pools, or those to
    /// a port of the host that the call's owner has taken. Any others are somebody else's.
    fn check_redirected(
        &self,
        view: &impl View,
        conditions: &[NftCondition],
        parents: &[LinkName],
        to: IpAddr,
    ) -> Result<()> {
        let plain = || conditions.iter().filter(|condition| !condition.negated).map(|condition| &condition.property);
        let in_pools = |net: IpNet| self.would_permit(HostCall::NftablesAdd, Object::Rule(&[Tie::Range(net)]));
        let own = plain().any(|property| match property {
            NftProperty::InputLink(link) => !parents.contains(link),
            NftProperty::Destination(net) => in_pools(*net),
            _ => false,
        });
        if own {
            return Ok(());
        }
        let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let (mut protocol, mut port, mut address) = (None, None, None);
        for property in plain() {
            match property {
                NftProperty::Protocol(number) => protocol = Some(*number),
                NftProperty::DestinationPort(first, last) if first == last => port = Some(*first),
                NftProperty::DestinationLocal => address = Some(any),
                NftProperty::Destination(net) if net.prefix_len() == net.max_prefix_len() => address = Some(net.addr()),
                _ => {}
            }
        }
        let (Some(protocol), Some(port), Some(address)) = (protocol, port, address) else {
            return Err(Error::forbidden(
                "packets that are not the network's can be sent to it only by a port: with a protocol, one destination port, and an address of the host",
            ));
        };
        match view.has_port([address, any].map(|address| HostPort { protocol, port, address }))? {
            true => Ok(()),
            false => Err(Error::forbidden(format!(
                "port {port} of {address} is not taken by this endpoint: see `ports.take`"
            ))),
        }
    }
}

fn hook(hook: NftHook) -> Hook {
    match hook {
        NftHook::Prerouting => Hook::Prerouting,
        NftHook::Input => Hook::Input,
        NftHook::Forward => Hook::Forward,
        NftHook::Output => Hook::Output,
        NftHook::Postrouting => Hook::Postrouting,
    }
}

/// The links that rules name: by name, so it has to be the one that they have now, in the rules' namespace.
struct Names<'a> {
    namespace: &'a Namespace,
    own: BTreeMap<LinkKey, LinkName>,
}

/// A condition. A link in it that is a parent interface is noted: it ties no rule to the network.
fn condition(
    view: &impl View,
    names: &Names<'_>,
    condition: WantedCondition,
    parents: &mut Vec<LinkName>,
) -> Result<NftCondition> {
    let mut name = |link: Link| -> Result<LinkName> {
        // There, the name is another link's.
        if link.key.namespace != *names.namespace {
            return Err(Error::invalid(format!("{} is in another namespace than the rule", link.name)));
        }
        if let Some(name) = names.own.get(&link.key) {
            return Ok(name.clone());
        }
        link.is_there(view)?;
        parents.push(link.name.clone());
        Ok(link.name)
    };
    let property = match condition.property {
        WantedProperty::InputLink(link) => NftProperty::InputLink(name(link)?),
        WantedProperty::OutputLink(link) => NftProperty::OutputLink(name(link)?),
        WantedProperty::Other(property) => property,
    };
    Ok(NftCondition { property, negated: condition.negated })
}

/// Where the kernel can translate (nft_masq, nft_nat: source at input and postrouting, destination at prerouting and output).
fn check_verdict(chain: NftChain, verdict: &NftVerdict) -> Result<()> {
    let fits = match verdict {
        NftVerdict::Accept => true,
        NftVerdict::Drop => !chain.nat,
        NftVerdict::Masquerade => chain.nat && chain.hook == NftHook::Postrouting,
        NftVerdict::SourceNat(..) => chain.nat && matches!(chain.hook, NftHook::Postrouting | NftHook::Input),
        NftVerdict::DestinationNat(..) => chain.nat && matches!(chain.hook, NftHook::Prerouting | NftHook::Output),
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
fn ties(conditions: &[NftCondition], parents: &[LinkName], verdict: &NftVerdict) -> Vec<Tie> {
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
        _ => None,
    };
    conditions.iter().filter_map(of_condition).chain(of_verdict).collect()
}
