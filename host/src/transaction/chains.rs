//! Chains of the network's own that packet rules lead to: what a call makes of them and takes away, and what the gate sees. A chain is an object,
//! and goes with its owner after its rules.

use std::collections::{BTreeSet, HashMap};

use super::Transaction;
use grant::Granted;
use grant::gate::chains::{GoneChain, NewChain, SeenChain, Ways};
use kernel::{Change, Namespace, NftChain, NftOwnChain, NftRule, NftVerdict};
use store::{self, Thing};

impl Transaction {
    /// Makes an empty chain.
    pub fn add_chain(&mut self, chain: Granted<NewChain>) -> Result<(), kernel::Error> {
        let NewChain { namespace, table, chain } = chain.take();
        self.apply(&[Change::AddNftChain {
            namespace: namespace.clone(),
            table: table.clone(),
            chain: chain.clone(),
        }])?;
        self.made(Thing::NftChain { namespace, table, chain });
        Ok(())
    }

    /// Removes a chain after the commit.
    pub fn remove_chain(&mut self, chain: Granted<GoneChain>) -> Result<(), store::Error> {
        self.take_all(|object| matches!(&object.thing, Thing::NftChain { chain: of, .. } if of.name == chain.0))
    }

    /// The names of the network's chains.
    pub fn chain_names(&self) -> words::Result<Vec<String>> {
        let chains = self.there()?.filter_map(|object| match &object.thing {
            Thing::NftChain { chain, .. } => Some(chain.name.clone()),
            _ => None,
        });
        Ok(chains.collect())
    }

    /// The network's chains in the order in which they were made, with those that this call removes. Where its rules lead counts until the commit:
    /// the kernel has them until then.
    pub(super) fn seen_chains(&self) -> words::Result<Vec<SeenChain>> {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for object in self.there()? {
            if let Thing::NftRule { rule: Some(rule), .. } = &object.thing {
                used.extend(rule.own.as_deref().into_iter().chain(led_to(rule)));
            }
        }
        let mut ways: HashMap<&str, Ways> = HashMap::new();
        for (_, rule) in self.all_rules()? {
            if let Some(own) = &rule.own {
                ways.entry(own).or_default().add(led_to(rule));
            }
        }
        let all = self.committed()?.all().chain(self.made.all());
        let chains = all.filter_map(|object| match &object.thing {
            Thing::NftChain { namespace, chain: NftOwnChain { base, name }, .. } => Some(SeenChain {
                id: object.id,
                name: name.clone(),
                namespace: namespace.clone(),
                base: *base,
                endpoint: object.endpoint.clone(),
                ways: ways.remove(name.as_str()).unwrap_or_default(),
                is_used: used.contains(name.as_str()),
                is_removed: self.dropped.contains(&object.id),
            }),
            _ => None,
        });
        let mut chains: Vec<SeenChain> = chains.collect();
        chains.sort_unstable_by_key(|chain| chain.id);
        Ok(chains)
    }

    /// Where the rules of a base chain lead, those included that this call removes.
    pub(super) fn ways_of_base(&self, namespace: &Namespace, base: NftChain) -> words::Result<Ways> {
        let mut ways = Ways::default();
        let of_base = |rule: &NftRule| rule.own.is_none() && rule.chain == base;
        for (_, rule) in self.all_rules()?.filter(|(at, rule)| *at == namespace && of_base(rule)) {
            ways.add(led_to(rule));
        }
        Ok(ways)
    }

    fn all_rules(&self) -> Result<impl Iterator<Item = (&Namespace, &NftRule)>, store::Error> {
        let all = self.committed()?.all().chain(self.made.all());
        Ok(all.filter_map(|object| match &object.thing {
            Thing::NftRule { namespace, rule: Some(rule), .. } => Some((namespace, rule)),
            _ => None,
        }))
    }
}

/// The chain that a rule leads to.
fn led_to(rule: &NftRule) -> Option<&str> {
    match &rule.verdict {
        NftVerdict::Jump(to) | NftVerdict::Goto(to) => Some(to),
        _ => None,
    }
}
