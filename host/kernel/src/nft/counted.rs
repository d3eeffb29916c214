//! How many rules the chains of the host's tables have, as far as this process knows it from its own changes and from what it has asked: so
//! rules can be removed with the chains that they leave empty, and nothing has to be asked first.
//!
//! Where it is wrong because somebody else changes rules, the kernel refuses the removal of a chain or a table that is in use
//! (NLM_F_NONREC), and the kernel is asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::nft::expression;
use crate::{Namespace, NftChain, NftHandle, NftRule};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<BTreeMap<String, Table>>);

/// What is counted of a namespace, held while rules change there: the kernel makes one transaction after the other, too.
pub(crate) struct Held<'a>(Option<MutexGuard<'a, BTreeMap<String, Table>>>);

/// What is in a table.
#[derive(Debug, Default)]
struct Table {
    /// How many chains there are, those included of which nothing else is known.
    chains: u32,
    /// How many rules are in a chain; none where there is no such chain.
    rules: BTreeMap<NftChain, u32>,
}

/// What goes with rules.
pub(crate) struct Going {
    /// The chains that are empty then.
    pub chains: Vec<NftChain>,
    /// No chain is left.
    pub table: bool,
}

impl Counted {
    /// Holds what is counted. Of a sandbox nothing is: it goes without a word, and its tables with it.
    pub fn hold(&self, at: &Namespace) -> Held<'_> {
        let host = *at == Namespace::Host;
        Held(host.then(|| self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Held<'_> {
    /// Rules came to the ends of chains, which were made where there were none.
    pub fn added(&mut self, table: &str, rules: &[NftRule]) {
        let Some(known) = self.table(table) else { return };
        for rule in rules {
            // Whether the chain is a new one can't be told otherwise, and a set counts among the table's chains.
            let has_set = rule.conditions.iter().any(|condition| expression::set(condition).is_some());
            let Some(count) = known.rules.get_mut(&rule.chain).filter(|_| !has_set) else { return self.forget(table) };
            known.chains += u32::from(*count == 0);
            *count += 1;
        }
    }

    /// What goes with rules; none: the kernel has to be asked.
    pub fn going(&self, table: &str, rules: &[NftHandle]) -> Option<Going> {
        let known = self.0.as_ref()?.get(table)?;
        let mut chains = Vec::new();
        for (chain, ours) in by_chain(rules) {
            if known.rules.get(&chain)?.checked_sub(ours)? == 0 {
                chains.push(chain);
            }
        }
        Some(Going { table: known.chains as usize == chains.len(), chains })
    }

    /// Rules went, with what was empty then.
    pub fn removed(&mut self, table: &str, rules: &[NftHandle]) {
        let Some(known) = self.table(table) else { return };
        for (chain, ours) in by_chain(rules) {
            let Some(count) = known.rules.get_mut(&chain) else { continue };
            *count = count.saturating_sub(ours);
            known.chains = known.chains.saturating_sub(u32::from(*count == 0));
        }
        if known.chains == 0 {
            self.forget(table);
        }
    }

    /// What the kernel said: how many chains the table has, and how many rules some of them.
    pub fn saw(&mut self, table: &str, chains: u32, rules: impl Iterator<Item = (NftChain, u32)>) {
        if let Some(all) = &mut self.0 {
            all.insert(table.to_owned(), Table { chains, rules: rules.collect() });
        }
    }

    /// Nothing is known of a table any more.
    pub fn forget(&mut self, table: &str) {
        self.0.as_mut().map(|all| all.remove(table));
    }

    fn table(&mut self, table: &str) -> Option<&mut Table> {
        self.0.as_mut()?.get_mut(table)
    }
}

fn by_chain(rules: &[NftHandle]) -> BTreeMap<NftChain, u32> {
    rules.iter().fold(BTreeMap::new(), |mut counts, rule| {
        *counts.entry(rule.chain).or_default() += 1;
        counts
    })
}
