//! `nftables`: rules in a table of the network's own.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::namespaces::or_host;
use super::{Answer, Refusal, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::nftables as wit;
use grant::{Hook, HostCall, Limit, Object, Tie};
use kernel::{Change, HostPort, Namespace, NftChain, NftCondition, NftHook, NftProperty, NftRule, NftVerdict, Outcome};
use store::{self, Thing};
use words::Error;
use words::LinkName;

/// Conditions of one rule.
const CONDITIONS: usize = 16;

/// The protocols that have ports: TCP, UDP, SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

impl wit::Host for CallState {
    fn add(&mut self, namespace: Option<Resource<handle::Namespace>>, rules: Vec<wit::Rule>) -> Answer<Vec<u64>> {
        self.ask(HostCall::NftablesAdd, arguments!(namespace, rules), |call, permit| {
            check_length(&rules)?;
            if rules.is_empty() {
                return Ok(Vec::new());
            }
            let namespace = or_host(call, HostCall::NftablesAdd, namespace.as_ref())?;
            super::check_holding(call, HostCall::NftablesAdd, Limit::Rules, rules.len() as u64)?;
            check_links(call, &rules)?;
            let rules = rules.iter().map(|r| rule(call, &namespace, r)).collect::<Answer<Vec<_>>>()?;
            let table = call.network()?.nft_table.clone();
            let change = Change::AddNftRules { namespace: namespace.clone(), table: table.clone(), rules };
            let transaction = call.transaction()?;
            let outcomes = transaction.change(permit, &[change])?;
            let Some(Outcome::Rules(handles)) = outcomes.into_iter().next() else {
                return Err(Refusal::trap("the kernel layer did not answer with rules"));
            };
            let made = handles.into_iter().map(|handle| {
                transaction.made(Thing::NftRule { namespace: namespace.clone(), table: table.clone(), handle })
            });
            Ok(made.map(i64::cast_unsigned).collect())
        })
    }

    fn remove(&mut self, ids: Vec<u64>) -> Answer<()> {
        self.ask(HostCall::NftablesRemove, arguments!(ids), |call, _| {
            check_length(&ids)?;
            let (objects, ids) = (call.transaction()?.objects()?, ids.into_iter().collect::<HashSet<_>>());
            for object in objects {
                if matches!(object.thing, Thing::NftRule { .. }) && ids.contains(&object.id.cast_unsigned()) {
                    let permit = call.gate.permit(HostCall::NftablesRemove, Object::Own)?;
                    call.transaction()?.remove(permit, &object);
                }
            }
            Ok(())
        })
    }

    fn list(&mut self) -> Answer<Vec<u64>> {
        self.ask(HostCall::NftablesList, arguments!(), |call, _| {
            let objects = call.transaction()?.owners_objects()?;
            let rules = objects.into_iter().filter(|o| matches!(o.thing, Thing::NftRule { .. }));
            Ok(rules.map(|o| o.id.cast_unsigned()).collect())
        })
    }
}

/// The driver's own links that rules name are checked; a parent interface can stand in a condition, too.
fn check_links(call: &mut CallState, rules: &[wit::Rule]) -> Answer<()> {
    let named = rules.iter().flat_map(|rule| &rule.conditions).filter_map(|condition| match &condition.property {
        wit::Property::InputLink(link) | wit::Property::OutputLink(link) => Some(link),
        _ => None,
    });
    let own: Vec<_> = named.filter(|link| call.table.get(link).is_ok_and(|link| link.is_own)).collect();
    handle::check_owned(call, own)
}

fn rule(call: &mut CallState, namespace: &Namespace, rule: &wit::Rule) -> Answer<NftRule> {
    if rule.conditions.len() > CONDITIONS {
        return Err(Refusal::invalid(format!("a rule has at most {CONDITIONS} conditions")));
    }
    let chain = chain(&rule.chain);
    call.gate.permit(HostCall::NftablesAdd, Object::Chain(hook(chain.hook), chain.priority))?;
    let (mut conditions, mut parents) = (Vec::new(), Vec::new());
    for given in &rule.conditions {
        conditions.push(condition(call, namespace, given, &mut parents)?);
    }
    check_ports(&conditions)?;
    let verdict = verdict(&rule.verdict);
    check_verdict(chain, &verdict)?;
    if let NftVerdict::DestinationNat(to, _) = verdict {
        call.gate.permit(HostCall::NftablesAdd, Object::Target(to))?;
        check_redirected(call, &conditions, &parents, to)?;
    }
    let tied = call.gate.permit(HostCall::NftablesAdd, Object::Rule(&ties(&conditions, &parents, &verdict)));
    // What is wrong is the rule.
    tied.map_err(|e| Refusal::invalid(e.message))?;
    let owner = call.facts.endpoint.as_ref().unwrap_or(&call.network()?.id);
    let comment = format!("{} {}", call.facts.driver, owner).chars().take(120).collect();
    Ok(NftRule { chain, conditions, verdict, comment })
}

/// Whose packets a rule sends elsewhere: those that come in by the driver's own link, those to addresses of the network's pools, or those to
/// a port of the host that the call's owner has taken. Any others are somebody else's.
fn check_redirected(call: &mut CallState, conditions: &[NftCondition], parents: &[LinkName], to: IpAddr) -> Answer<()> {
    let plain = || conditions.iter().filter(|condition| !condition.negated).map(|condition| &condition.property);
    let in_pools = |net: IpNet| call.gate.would_permit(HostCall::NftablesAdd, Object::Rule(&[Tie::Range(net)]));
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
        )
        .into());
    };
    match call.transaction()?.has_port(HostPort { protocol, port, address })? {
        true => Ok(()),
        false => {
            Err(Error::forbidden(format!("port {port} of {address} is not taken by this endpoint: see `ports.take`"))
                .into())
        }
    }
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

fn hook(hook: NftHook) -> Hook {
    match hook {
        NftHook::Prerouting => Hook::Prerouting,
        NftHook::Input => Hook::Input,
        NftHook::Forward => Hook::Forward,
        NftHook::Output => Hook::Output,
        NftHook::Postrouting => Hook::Postrouting,
    }
}

/// A condition. A link in it that is a parent interface is noted: it ties no rule to the network.
fn condition(
    call: &CallState,
    namespace: &Namespace,
    condition: &wit::Condition,
    parents: &mut Vec<LinkName>,
) -> Answer<NftCondition> {
    let mut name = |link: &Resource<Link>| -> Answer<LinkName> {
        let Link { key, name, is_own } = handle::link(call, link)?;
        // The rule goes by name, and there the name is another link's.
        if key.namespace != *namespace {
            return Err(Refusal::invalid(format!("{name} is in another namespace than the rule")));
        }
        if !is_own {
            parents.push(name.clone());
        }
        Ok(name)
    };
    let property = match &condition.property {
        wit::Property::InputLink(link) => NftProperty::InputLink(name(link)?),
        wit::Property::OutputLink(link) => NftProperty::OutputLink(name(link)?),
        wit::Property::Source(net) => NftProperty::Source(convert::network(*net)?.trunc()),
        wit::Property::Destination(net) => NftProperty::Destination(convert::network(*net)?.trunc()),
        wit::Property::DestinationLocal => NftProperty::DestinationLocal,
        wit::Property::Protocol(number) => NftProperty::Protocol(*number),
        wit::Property::SourcePort(range) => NftProperty::SourcePort(range.first, range.last),
        wit::Property::DestinationPort(range) => NftProperty::DestinationPort(range.first, range.last),
        wit::Property::Connection(states) => NftProperty::Connection(state_bits(*states)?),
        wit::Property::DestinationTranslated => NftProperty::DestinationTranslated,
    };
    Ok(NftCondition { property, negated: condition.negated })
}

/// The bits of nft's `ct state`: NF_CT_STATE_INVALID_BIT 1, and 2, 4, 8 for established, related, new
/// (linux/netfilter/nf_conntrack_common.h).
fn state_bits(states: wit::ConnectionStates) -> Answer<u32> {
    use wit::ConnectionStates as S;
    let bits = [(S::INVALID, 1), (S::ESTABLISHED, 2), (S::RELATED, 4), (S::NEW, 8)];
    let bits = bits.iter().filter(|(state, _)| states.contains(*state)).map(|(_, bit)| bit).sum();
    if bits == 0 { Err(Refusal::invalid("a condition on a connection names no state")) } else { Ok(bits) }
}

fn check_ports(conditions: &[NftCondition]) -> Answer<()> {
    let mut has_ports = false;
    for NftCondition { property, negated } in conditions {
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

/// Where the kernel can translate (nft_masq, nft_nat: source at input and postrouting, destination at prerouting and output).
fn check_verdict(chain: NftChain, verdict: &NftVerdict) -> Answer<()> {
    let fits = match verdict {
        NftVerdict::Accept => true,
        NftVerdict::Drop => !chain.nat,
        NftVerdict::Masquerade => chain.nat && chain.hook == NftHook::Postrouting,
        NftVerdict::SourceNat(..) => chain.nat && matches!(chain.hook, NftHook::Postrouting | NftHook::Input),
        NftVerdict::DestinationNat(..) => chain.nat && matches!(chain.hook, NftHook::Prerouting | NftHook::Output),
    };
    if !fits {
        return Err(Refusal::invalid(format!(
            "{verdict:?} can't happen in a chain of {} at {:?}",
            if chain.nat { "nat" } else { "filter" },
            chain.hook
        )));
    }
    if chain.nat && chain.hook == NftHook::Forward {
        return Err(Refusal::invalid("a nat chain can't be at the forward hook"));
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
