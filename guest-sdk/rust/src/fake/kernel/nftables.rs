//! Packet rules, checked and told as text.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{all_or_nothing, check_length, check_place};
use crate::fake::state::{self, HOST, PacketRule, State};
use crate::fake::sys::Namespace;
use crate::nftables::{
    Chain, ChainType, Condition, ConnectionStates, Hook, PortRange, Property, Rule, RuleId, Target, Verdict,
};
use crate::{Error, Protocol, Result};

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<Vec<RuleId>> {
    let at = namespace.map_or(HOST, |namespace| namespace.0);
    let add_one = |rule: &Rule| add_more(at, rule, More::default());
    all_or_nothing(rules, || rules.iter().map(add_one).collect())
}

/// What a rule has beside that.
#[derive(Default)]
pub(super) struct More {
    /// In words, before its verdict.
    pub before: String,
    /// In words, in place of it.
    pub action: Option<String>,
    pub sets: Vec<String>,
    /// The chain of the network's own that it stands in.
    pub own: Option<String>,
    /// The one that it leads to.
    pub to: Option<String>,
    /// A map says whose packets it takes.
    pub is_tied: bool,
}

/// Adds a rule with more in it.
pub(super) fn add_more(at: u32, rule: &Rule, more: More) -> Result<RuleId> {
    let More { before, action, sets, own, to, is_tied } = more;
    check_conditions(rule, at)?;
    state::with(|state| {
        check(state, rule, own.is_none() && !is_tied)?;
        let verdict = action.unwrap_or_else(|| format!(" {}", verdict_text(rule.verdict)));
        let place = own.as_ref().map(|own| format!("chain {own} of ")).unwrap_or_default();
        let (id, text) = (u64::from(state.next()), place + &text(state, rule)? + &before + &verdict);
        let (owner, chains) = (state.owner.clone(), own.into_iter().chain(to).collect());
        state.packet_rules.insert(id, PacketRule { owner, chain: rule.chain, text, sets, chains });
        Ok(RuleId(id))
    })
}

pub(crate) fn remove(ids: &[RuleId]) -> Result<()> {
    check_length(ids, 1_000)?;
    state::with(|state| {
        let network = state.owner.network.clone();
        state.packet_rules.retain(|id, rule| rule.owner.network != network || !ids.contains(&RuleId(*id)));
    });
    Ok(())
}

pub(crate) fn list() -> Result<Vec<RuleId>> {
    Ok(state::with(|state| {
        let own = state.packet_rules.iter().filter(|(_, rule)| rule.owner == state.owner);
        own.map(|(id, _)| RuleId(*id)).collect()
    }))
}

fn check(state: &State, rule: &Rule, needs_tie: bool) -> Result<()> {
    let Chain { chain_type, hook, .. } = rule.chain;
    let fits = match rule.verdict {
        Verdict::Accept => hook != Hook::Forward || chain_type == ChainType::Filter,
        Verdict::Drop => chain_type == ChainType::Filter,
        Verdict::Masquerade => chain_type == ChainType::Nat && hook == Hook::Postrouting,
        Verdict::SourceNat(_) => chain_type == ChainType::Nat && matches!(hook, Hook::Postrouting | Hook::Input),
        Verdict::DestinationNat(_) => chain_type == ChainType::Nat && matches!(hook, Hook::Prerouting | Hook::Output),
    };
    if !fits {
        return Err(Error::invalid_argument(format!("{:?} can't stand in {:?}", rule.verdict, rule.chain)));
    }
    // Every address is one that the host has, as with ports.
    let hosts = |address: IpAddr| hook == Hook::Postrouting && !address.is_loopback();
    if let Verdict::DestinationNat(target) | Verdict::SourceNat(target) = rule.verdict
        && !state.is_in_pools(target.address.into())
        && !(matches!(rule.verdict, Verdict::SourceNat(_)) && hosts(target.address))
    {
        return Err(Error::forbidden(format!("{} lies in none of the network's pools", target.address)));
    }
    if needs_tie && !is_tied(state, rule) {
        return Err(Error::invalid_argument("a rule that is not tied to the network"));
    }
    if let Verdict::DestinationNat(target) = rule.verdict
        && !takes_own_packets(state, rule, target.address)
    {
        return Err(Error::forbidden("a rule that redirects packets that are not the network's: see ports.take"));
    }
    Ok(())
}

/// What a rule redirects comes in by a link of the driver's, or goes to the network's addresses, or to a port that its owner has taken.
fn takes_own_packets(state: &State, rule: &Rule, to: IpAddr) -> bool {
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let (mut protocol, mut port, mut address) = (None, None, None);
    for Condition { property, .. } in rule.conditions.iter().filter(|condition| !condition.negated) {
        match property {
            Property::InputLink(_) => return true,
            Property::Destination(network) if state.is_in_pools(network.trunc()) => return true,
            Property::Destination(network) if network.prefix_len() == network.max_prefix_len() => {
                address = Some(network.addr());
            }
            Property::DestinationLocal => address = Some(any),
            Property::Protocol(number) => protocol = Some(*number),
            Property::DestinationPort(range) => port = Some(*range),
            _ => {}
        }
    }
    let (Some(protocol), Some(port), Some(address)) = (protocol, port, address) else { return false };
    let owner = Some(state.owner.clone());
    let is_own = |number: u16| {
        state.ports.iter().any(|(held, has)| {
            let is_it = held.protocol == protocol && (held.first..=held.last).contains(&number);
            is_it && [address, any].contains(&held.address) && *has == owner
        })
    };
    (port.first..=port.last).all(is_own)
}

/// Links are where the rule is, ports stand behind a protocol that has them.
fn check_conditions(rule: &Rule, namespace: u32) -> Result<()> {
    check_length(&rule.conditions, 16)?;
    let none = ConnectionStates { new: false, established: false, related: false, invalid: false };
    let mut has_ports = false;
    for Condition { property, negated } in &rule.conditions {
        match property {
            Property::Protocol(protocol) => {
                has_ports = !negated && [Protocol::TCP, Protocol::UDP, Protocol::SCTP].contains(protocol);
            }
            Property::SourcePort(_) | Property::DestinationPort(_) if !has_ports => {
                return Err(Error::invalid_argument("a port without tcp, udp or sctp before it"));
            }
            Property::SourcePort(range) | Property::DestinationPort(range) if range.first > range.last => {
                return Err(Error::invalid_argument(format!("{}-{} is no range of ports", range.first, range.last)));
            }
            Property::Connection(states) if *states == none => {
                return Err(Error::invalid_argument("a condition on a connection names no state"));
            }
            Property::InputLink(link) | Property::OutputLink(link) => check_place(&link.0, namespace)?,
            _ => {}
        }
    }
    Ok(())
}

fn is_tied(state: &State, rule: &Rule) -> bool {
    let translated_inside =
        matches!(rule.verdict, Verdict::DestinationNat(target) if state.is_in_pools(target.address.into()));
    let names_own = |condition: &Condition| match condition.property {
        _ if condition.negated => false,
        Property::InputLink(_) | Property::OutputLink(_) => true,
        Property::Source(network) | Property::Destination(network) => state.is_in_pools(network.trunc()),
        _ => false,
    };
    translated_inside || rule.conditions.iter().any(names_own) || drops_invalid(state, rule)
}

/// Whether a rule drops what makes no sense at a port that its owner has taken.
fn drops_invalid(state: &State, rule: &Rule) -> bool {
    let invalid = ConnectionStates { invalid: true, ..ConnectionStates::default() };
    let plain = || rule.conditions.iter().filter(|condition| !condition.negated).map(|condition| condition.property);
    let family = plain().find_map(|property| match property {
        Property::Source(network) | Property::Destination(network) => Some(network.addr()),
        _ => None,
    });
    let is_for_invalid = plain().any(|property| matches!(property, Property::Connection(states) if states == invalid));
    let drops = matches!(rule.verdict, Verdict::Drop) && rule.chain.hook == Hook::Prerouting && is_for_invalid;
    drops && family.is_some_and(|family| takes_own_packets(state, rule, family))
}

/// Without its verdict.
fn text(state: &State, rule: &Rule) -> Result<String> {
    let Chain { chain_type, hook, priority } = rule.chain;
    let mut text = format!("{chain_type:?} {hook:?} {priority}:").to_lowercase();
    for condition in &rule.conditions {
        write!(text, " {}", condition_text(state, condition))?;
    }
    Ok(text)
}

fn condition_text(state: &State, condition: &Condition) -> String {
    let not = if condition.negated { "!= " } else { "" };
    let link = |id: u32| state.links.get(&id).map_or("?", |link| link.info.name.as_str());
    match condition.property {
        Property::InputLink(input) => format!("iif {not}{}", link(input.0.0)),
        Property::OutputLink(output) => format!("oif {not}{}", link(output.0.0)),
        Property::Source(network) => format!("{} saddr {not}{network}", family(network)),
        Property::Destination(network) => format!("{} daddr {not}{network}", family(network)),
        Property::DestinationLocal => format!("fib daddr type {not}local"),
        Property::Protocol(protocol) => format!("l4proto {not}{protocol}"),
        Property::SourcePort(range) => format!("sport {not}{}", range_text(range)),
        Property::DestinationPort(range) => format!("dport {not}{}", range_text(range)),
        Property::Connection(states) => {
            let names = ["new", "established", "related", "invalid"];
            let set = [states.new, states.established, states.related, states.invalid];
            let names: Vec<_> =
                names.into_iter().zip(set).filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
            format!("ct state {not}{}", names.join(","))
        }
        Property::DestinationTranslated => format!("ct status {not}dnat"),
    }
}

fn family(network: IpNet) -> &'static str {
    if network.addr().is_ipv4() { "ip" } else { "ip6" }
}

fn range_text(range: PortRange) -> String {
    if range.first == range.last { range.first.to_string() } else { format!("{}-{}", range.first, range.last) }
}

fn verdict_text(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Masquerade => "masquerade".to_owned(),
        Verdict::SourceNat(target) => format!("snat to {}", target_text(target)),
        Verdict::DestinationNat(target) => format!("dnat to {}", target_text(target)),
    }
}

fn target_text(target: Target) -> String {
    match target.port {
        Some(port) => std::net::SocketAddr::new(target.address, port).to_string(),
        None => target.address.to_string(),
    }
}
