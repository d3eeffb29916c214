//! `nftables`: chains of a network's own, and the ways between them.
//!
//! A chain is behind one base chain: its rules may do what those of the base chain may, and a packet comes there only by rules that are tied to the
//! network. A way leads to a chain that was made before the one that it begins in, so that none leads in a circle.

use std::collections::BTreeMap;

use kernel::{Namespace, NftChain, NftHook, NftOwnChain, NftVerdict};
use words::{Error, Id, Kind, Result};

use super::names::{NAME, is_word};
use super::nftables::{NftRules, WantedNftRule, hook};
use super::{Gate, Granted, Object, Place, View};
use crate::{HostCall, Limit};

/// Chains behind each other. The kernel takes 15 (NFT_JUMP_STACK_SIZE), with that of a port and the base chain.
const DEPTH: usize = 8;
/// Rules that one packet may meet in a base chain and behind it. The kernel walks all ways when a rule is added that leads somewhere.
const MET: u64 = 65_536;

/// A chain of the network's.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SeenChain {
    /// The later it was made, the greater.
    pub id: i64,
    pub name: String,
    pub namespace: Namespace,
    pub base: NftChain,
    /// Whose it is; none: the network's.
    pub endpoint: Option<Id>,
    pub ways: Ways,
    /// A rule stands in it, or leads there.
    pub is_used: bool,
    /// This call removes it.
    pub is_removed: bool,
}

/// A chain's rules, as far as ways go.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// How many there are.
    pub rules: u64,
    /// Where they lead, by how many.
    pub to: BTreeMap<String, u64>,
}

impl Ways {
    /// Counts a rule in, and where it leads.
    pub fn add(&mut self, to: Option<&str>) {
        self.rules += 1;
        if let Some(to) = to {
            *self.to.entry(to.to_owned()).or_default() += 1;
        }
    }
}

/// A chain that is to be made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewChain {
    pub namespace: Namespace,
    pub table: String,
    pub chain: NftOwnChain,
}

/// A chain that goes, by its name.
#[derive(Clone, Debug)]
pub struct GoneChain(pub String);

/// The chains that rules may lead to, and the one that they stand in.
#[derive(Default)]
pub(super) struct Around {
    pub chains: Vec<SeenChain>,
    /// None: in base chains.
    pub own: Option<SeenChain>,
}

impl Gate {
    /// `nftables.add-chain`
    pub fn add_chain(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        table: &str,
        name: String,
        base: NftChain,
    ) -> Result<Granted<NewChain>> {
        let call = HostCall::NftablesAddChain;
        let namespace = self.namespace(call, place)?.take();
        if !is_word(&name) {
            return Err(Error::invalid(format!("a chain's name is 1 to {NAME} letters, digits, '-' or '_'")));
        }
        if base.nat && base.hook == NftHook::Forward {
            return Err(Error::invalid("a nat chain can't be at the forward hook"));
        }
        self.permit(call, Object::Chain(hook(base.hook), base.priority))?;
        if let Some(chain) = view.chains()?.iter().find(|chain| chain.name == name) {
            let when = if chain.is_removed { "until this call is done, which removes it" } else { "already" };
            return Err(Error::exists(format!("the network has a chain {name} {when}")));
        }
        self.check_holding(view, call, Limit::Rules, 1)?;
        self.grant(call, NewChain { namespace, table: table.to_owned(), chain: NftOwnChain { base, name } })
    }

    /// `nftables.remove-chain`
    pub fn remove_chain(&self, view: &impl View, name: String) -> Result<Granted<GoneChain>> {
        let call = HostCall::NftablesRemoveChain;
        if view.chains()?.iter().any(|chain| chain.name == name && chain.is_used) {
            let why = format!("a rule stands in the chain {name}, or leads there: remove it first");
            return Err(self.refused(call, Kind::Forbidden, &why));
        }
        self.grant(call, GoneChain(name))
    }

    /// The chain of `nftables.add-chain-rules`, whose base chain its rules are to be in.
    pub fn chain(&self, view: &impl View, name: &str) -> Result<SeenChain> {
        there(&view.chains()?, name).cloned()
    }

    /// `nftables.add-chain-rules`: rules in a chain of the network's own.
    pub fn add_chain_rules(
        &self,
        view: &mut impl View,
        table: &str,
        own: SeenChain,
        mut rules: Vec<WantedNftRule>,
    ) -> Result<Granted<NftRules>> {
        let call = HostCall::NftablesAddChainRules;
        if own.namespace == Namespace::Host {
            self.namespace(call, None)?;
        }
        self.check_owner(call, &own)?;
        rules.iter_mut().for_each(|rule| rule.chain = own.base);
        self.check_logs(call, view, rules.iter_mut().map(|rule| &mut rule.verdict).collect())?;
        let (namespace, around) = (own.namespace.clone(), Around { chains: view.chains()?, own: Some(own) });
        self.rules_in(call, view, namespace, table, around, rules)
    }

    /// Whether a rule may lead where it does.
    pub(super) fn check_way(
        &self,
        call: HostCall,
        namespace: &Namespace,
        around: &Around,
        rule: &WantedNftRule,
    ) -> Result<()> {
        let to = match &rule.verdict {
            NftVerdict::Return if around.own.is_none() => {
                return Err(Error::invalid("a base chain returns nowhere: what passes it is accepted"));
            }
            NftVerdict::Jump(to) | NftVerdict::Goto(to) => there(&around.chains, to)?,
            _ => return Ok(()),
        };
        let name = &to.name;
        if to.namespace != *namespace || to.base != rule.chain {
            return Err(Error::invalid(format!("the chain {name} is behind another base chain than the rule")));
        }
        self.check_owner(call, to)?;
        match &around.own {
            Some(from) if from.id <= to.id => Err(Error::invalid(format!(
                "a rule of the chain {} leads to chains that were made before it: {name} was not",
                from.name
            ))),
            _ => Ok(()),
        }
    }

    /// Whether ways are not too many, with those of new rules for one chain.
    pub(super) fn check_ways(
        &self,
        call: HostCall,
        view: &impl View,
        namespace: &Namespace,
        around: &Around,
        rules: &[WantedNftRule],
    ) -> Result<()> {
        let mut bases: Vec<NftChain> = rules.iter().map(|rule| rule.chain).collect();
        bases.sort_unstable();
        bases.dedup();
        for base in bases {
            let new = rules.iter().filter(|rule| rule.chain == base);
            let behind = around.chains.iter().filter(|chain| chain.base == base && chain.namespace == *namespace);
            let mut found: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
            // Each leads to earlier ones only.
            for chain in behind {
                let mut ways = chain.ways.clone();
                if around.own.as_ref().is_some_and(|own| own.id == chain.id) {
                    new.clone().for_each(|rule| ways.add(led_to(rule)));
                }
                let way = self.met(call, &ways, &found, 1)?;
                found.insert(&chain.name, way);
            }
            let mut ways = view.ways(namespace, base)?;
            if around.own.is_none() {
                new.for_each(|rule| ways.add(led_to(rule)));
            }
            // Rules that lead nowhere may be as many as the grant says.
            if !ways.to.is_empty() {
                self.met(call, &ways, &found, 0)?;
            }
        }
        Ok(())
    }

    /// How many rules a packet may meet in a chain and behind it, and how many own chains there are behind each other.
    /// `itself`: 1 for one of these.
    fn met(
        &self,
        call: HostCall,
        ways: &Ways,
        behind: &BTreeMap<&str, (u64, usize)>,
        itself: usize,
    ) -> Result<(u64, usize)> {
        let (mut met, mut depth) = (ways.rules, itself);
        for (to, times) in &ways.to {
            let (more, below) = behind.get(to.as_str()).copied().unwrap_or_default();
            met = met.saturating_add(more.saturating_mul(*times));
            depth = depth.max(below + itself);
        }
        if depth > DEPTH {
            let why = format!("at most {DEPTH} chains may be behind each other");
            return Err(self.refused(call, Kind::Unavailable, &why));
        }
        if met > MET {
            let why = format!("by jumps, a packet may meet at most {MET} rules; it would be {met}");
            return Err(self.refused(call, Kind::Unavailable, &why));
        }
        Ok((met, depth))
    }

    /// Rules and ways that outlive an endpoint are not for its chains.
    fn check_owner(&self, call: HostCall, chain: &SeenChain) -> Result<()> {
        if chain.endpoint.is_some() && chain.endpoint != self.about.endpoint {
            let why = format!("the chain {} is another endpoint's", chain.name);
            return Err(self.refused(call, Kind::Forbidden, &why));
        }
        Ok(())
    }
}

/// The chain that a rule leads to.
pub(super) fn led_to(rule: &WantedNftRule) -> Option<&str> {
    match &rule.verdict {
        NftVerdict::Jump(to) | NftVerdict::Goto(to) => Some(to),
        _ => None,
    }
}

fn there<'a>(chains: &'a [SeenChain], name: &str) -> Result<&'a SeenChain> {
    let found = chains.iter().find(|chain| chain.name == name && !chain.is_removed);
    found.ok_or_else(|| Error::not_found(format!("the network has no chain {name:?}")))
}
