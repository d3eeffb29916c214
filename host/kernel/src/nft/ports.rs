//! Rules for one port of one protocol: they stand in a chain of the port's own, and a map leads there. So a packet meets the rules of its own
//! port and no others, however many ports there are.
//!
//! The order of rules counts: the first verdict holds. A packet has one protocol and one destination port, so rules of different ports never
//! meet, and those of one port stay in their order in its chain. The base chain has one rule that looks into the map, where the first rule for
//! a port was added. A later one belongs behind all rules of the base chain; it may go through the map only if no rule behind that one can
//! meet its packets: each is for other ports. Where one isn't, the new rule stands at the base chain's end, like all others.
//!
//! A port's chain goes with its last rule, and the map with its last port.
//!
//! Whenever a rule is added, the kernel looks through all chains that the table's base chains lead to: with 5,000 ports in three base chains,
//! some 10 ms (6.18); with as many rules in the base chains themselves it was 5 ms.

use std::collections::BTreeMap;

use crate::nft::{chain, count, find, list, map, message};
use crate::transport::attribute::{after, attributes, text};
use crate::transport::session::Session;
use crate::transport::socket::{Protocol, Request};
use crate::{Error, Namespace, NftChain, NftCondition, NftPort, NftProperty, NftRule};

/// The kernel does not say how much is in a map. In a table with more chains than these it isn't counted, and an empty map stays for a while.
const FEW_CHAINS: usize = 256;

/// The packets that a rule is for: of a protocol, to a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub protocol: u8,
    pub first: u16,
    pub last: u16,
}

impl Ports {
    /// None: the rule is not for certain ports.
    pub fn of(rule: &NftRule) -> Option<Self> {
        let plain = |condition: &&NftCondition| !condition.negated;
        let (mut protocol, mut range) = (None, None);
        for condition in rule.conditions.iter().filter(plain) {
            match condition.property {
                NftProperty::Protocol(number) => protocol = Some(number),
                NftProperty::DestinationPort(first, last) => range = Some((first, last)),
                _ => {}
            }
        }
        let (first, last) = range?;
        Some(Self { protocol: protocol?, first, last })
    }

    fn one(self) -> Option<NftPort> {
        (self.first == self.last).then_some(NftPort { protocol: self.protocol, port: self.first })
    }

    fn has(self, port: NftPort) -> bool {
        self.protocol == port.protocol && (self.first..=self.last).contains(&port.port)
    }
}

/// What is known of a table's base chains that rules are added to.
#[derive(Debug, Default)]
pub(super) struct Known {
    bases: BTreeMap<NftChain, Base>,
    /// It holds for this generation only. None: whatever changes meanwhile, the kernel refuses what does not fit.
    pub generation: Option<u32>,
}

/// A base chain.
#[derive(Debug, Default)]
pub(super) struct Base {
    pub has_map: bool,
    /// Whether it has the rule that looks into the map.
    pub leads: bool,
    /// The rules behind that one.
    behind: Vec<Option<Ports>>,
}

impl Known {
    /// Looks at the chains that rules for ports are to go into. What others change meanwhile has no order with these rules.
    pub fn look(session: &mut Session, at: &Namespace, table: &str, rules: &[NftRule]) -> Result<Self, Error> {
        let known = Self::look_once(session, at, table, rules)?;
        let lacks_its_rule = |known: &Self| known.bases.values().any(|base| !base.leads);
        if !lacks_its_rule(&known) {
            return Ok(known);
        }
        // Somebody has flushed the chain; or all was removed between two questions, and may be made again by now. A second rule that leads
        // to the map would never go.
        let answer = session.ask(at, Protocol::Netfilter, message::get_generation())?;
        let generation = count(&answer, message::NFTA_GEN_ID)?;
        let known = Self::look_once(session, at, table, rules)?;
        Ok(Self { generation: generation.filter(|_| lacks_its_rule(&known)), ..known })
    }

    fn look_once(session: &mut Session, at: &Namespace, table: &str, rules: &[NftRule]) -> Result<Self, Error> {
        let mut known = Self::default();
        let mut chains: Vec<NftChain> =
            rules.iter().filter(|rule| Ports::of(rule).and_then(Ports::one).is_some()).map(|rule| rule.chain).collect();
        if chains.is_empty() {
            return Ok(known);
        }
        let maps = maps(session, at, table)?;
        chains.sort_unstable();
        chains.dedup();
        for chain in chains.into_iter().filter(|chain| maps.contains(chain)) {
            let mut base = Base { has_map: true, ..Base::default() };
            for message in list(session, at, "nftables rules", message::list_chain(table, chain))? {
                let userdata = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_USERDATA)?;
                match userdata.is_some_and(leads) {
                    true => base.leads = true,
                    false if base.leads => base.behind.push(userdata.and_then(message::ports)),
                    false => {}
                }
            }
            known.bases.insert(chain, base);
        }
        Ok(known)
    }

    /// The port in whose chain a rule is to stand; none: in the base chain.
    pub fn place(&mut self, rule: &NftRule) -> Option<NftPort> {
        let base = self.base(rule.chain);
        let ports = Ports::of(rule);
        let meets_none = |port: &NftPort| base.behind.iter().all(|other| other.is_some_and(|other| !other.has(*port)));
        let port = ports.and_then(Ports::one).filter(meets_none);
        if port.is_none() && base.leads {
            base.behind.push(ports);
        }
        port
    }

    /// A base chain, to be changed as it is in the kernel.
    pub fn base(&mut self, chain: NftChain) -> &mut Base {
        self.bases.entry(chain).or_default()
    }
}

/// Whether a rule of this user data is one that looks into a map.
pub(super) fn leads(userdata: &[u8]) -> bool {
    message::comment(userdata) == map::LEADS
}

/// The base chains that have a map.
fn maps(session: &mut Session, at: &Namespace, table: &str) -> Result<Vec<NftChain>, Error> {
    let sets = list(session, at, "nftables maps", map::list(table))?;
    let names = sets.iter().map(|set| find(set, message::NFTA_SET_NAME).map(text));
    names.filter_map(|name| name.map(|name| chain::of_map(&name)).transpose()).collect()
}

/// The base chains that would have nothing but a map that leads nowhere, without some of the ports and rules in them. `left`: how many chains
/// and maps a table has then.
pub(super) fn unused(
    session: &mut Session,
    at: &Namespace,
    table: &str,
    left: usize,
    without: impl Fn(NftChain) -> (usize, usize),
) -> Result<Vec<NftChain>, Error> {
    let mut unused = Vec::new();
    if !(2..=FEW_CHAINS).contains(&left) {
        return Ok(unused);
    }
    let maps = maps(session, at, table)?;
    let questions: Vec<Request> = maps.iter().map(|chain| message::get_chain(table, *chain, None)).collect();
    let answers = session.exchange_with(at, Protocol::Netfilter, &questions)?;
    for (chain, answer) in maps.into_iter().zip(&answers) {
        let (ports, rules) = without(chain);
        // It would have the rule that looks into the map.
        let alone = Some(rules + 1);
        if count(answer, message::NFTA_CHAIN_USE)?.map(|in_chain| in_chain as usize) == alone
            && elements(session, at, table, chain)? == ports
        {
            unused.push(chain);
        }
    }
    Ok(unused)
}

/// How many ports a map leads to.
fn elements(session: &mut Session, at: &Namespace, table: &str, chain: NftChain) -> Result<usize, Error> {
    let mut elements = 0;
    for piece in list(session, at, "nftables maps", map::list_elements(table, chain))? {
        let all = after(&piece.body, message::HEADER)?.find(message::NFTA_SET_ELEM_LIST_ELEMENTS)?;
        elements += attributes(all.unwrap_or_default()).count();
    }
    Ok(elements)
}
