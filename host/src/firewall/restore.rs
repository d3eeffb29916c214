//! Puts the networks' own packet rules back after somebody flushed them: `nft flush ruleset`, a reload of a firewall, a table that is deleted.
//!
//! A table that lacks a rule, a chain or a set of the store is made anew with all of them, in one step. Its rules have other handles then, so these go into the
//! store. A call that runs meanwhile has read the old ones, or made rules that the store did not have yet: it sees by
//! [`Firewall::rounds`](super::Firewall::rounds) that this was going on, and has it done again at its end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::Keeper;
use super::connections::translated;
use kernel::{Change, Namespace, NftHandle, NftOwnChain, NftRule, NftSet, NftTable, Stale};
use store::{Batch, Durability, Object, Thing, Write};
use words::Id;

/// A network may go, and its rules with it, while its table is made anew; that is rare.
const TRIES: usize = 5;

/// What of a table has to be there.
#[derive(Default)]
struct Wanted {
    rules: Vec<(Object, NftHandle, NftRule)>,
    chains: Vec<NftOwnChain>,
    sets: Vec<NftSet>,
    /// Whose it is.
    network: Option<Id>,
}

impl Keeper {
    pub(super) fn restore(&self) {
        let _turn = self.hold_turn();
        self.rounds.fetch_add(1, Ordering::AcqRel);
        let mut last = Ok(true);
        for _ in 0..TRIES {
            last = self.restore_once();
            if let Ok(false) = last {
                break;
            }
        }
        self.rounds.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = last {
            tracing::error!("packet rules are gone and can't be put back: networks may be open, or cut off: {error}");
        }
    }

    /// Whether something had to be put back.
    fn restore_once(&self) -> words::Result<bool> {
        if self.store.is_behind()? {
            return Ok(false);
        }
        let mut tables = self.wanted()?;
        let mut there: HashMap<(String, NftHandle), String> = HashMap::new();
        let found = if tables.is_empty() { Vec::new() } else { self.kernel.all_nft_rules(&Namespace::Host)? };
        there.extend(found.into_iter().map(|rule| ((rule.table, rule.handle), rule.comment)));
        let has_chains = tables.values().any(|wanted| !wanted.chains.is_empty());
        let chains = if has_chains { self.kernel.nft_own_chains(&Namespace::Host)? } else { Vec::new() };
        let chains: HashSet<(String, NftOwnChain)> = chains.into_iter().collect();
        let mut whole = HashSet::new();
        for (table, wanted) in &tables {
            let is_there = |(_, handle, rule): &(_, NftHandle, NftRule)| {
                there.get(&(table.clone(), handle.clone())) == Some(&rule.comment)
            };
            let has_chains = wanted.chains.iter().all(|chain| chains.contains(&(table.clone(), chain.clone())));
            if has_chains && wanted.rules.iter().all(is_there) && self.has_sets(table, &wanted.sets)? {
                whole.insert(table.clone());
            }
        }
        tables.retain(|table, _| !whole.contains(table));
        let tables: Vec<(String, Wanted)> = tables.into_iter().collect();
        let mut failed = Vec::new();
        // All in one step: networks are open meanwhile, and each step may wait for whoever flushed.
        if tables.len() < 2 || self.remake(&tables).is_err() {
            for one in &tables {
                // One that can't be made does not keep the others from coming back.
                if let Err(error) = self.remake(std::slice::from_ref(one)) {
                    let (table, wanted) = one;
                    tracing::error!("the packet rules of {table} are gone and can't be put back: {error}");
                    if let Some(network) = &wanted.network {
                        self.shut_off(table, network, &error);
                    }
                    failed.push(table.clone());
                }
            }
        }
        self.open_but(&failed);
        Ok(!tables.is_empty() && failed.is_empty())
    }

    fn remake(&self, tables: &[(String, Wanted)]) -> words::Result<()> {
        let rules: Vec<Vec<NftRule>> =
            tables.iter().map(|(_, wanted)| wanted.rules.iter().map(|(_, _, rule)| rule.clone()).collect()).collect();
        let zipped = tables.iter().zip(&rules);
        let named: Vec<NftTable> = zipped.map(|((name, wanted), rules)| table_of(name, wanted, rules)).collect();
        let handles = self.kernel.replace_nft_tables(&Namespace::Host, &named)?.into_iter().flatten();
        let objects = || tables.iter().flat_map(|(_, wanted)| &wanted.rules).map(|(object, ..)| object);
        let writes = objects().zip(handles).map(|(object, handle)| with_handle(object.clone(), handle)).collect();
        let (since, checks) = (self.store.version(), Vec::new());
        self.store.commit(Batch { since, checks, writes, durability: Durability::Process })?;
        // Whoever sent while no rule was there.
        let ports = objects().filter_map(|object| translated(&object.thing)).collect();
        self.stale.add(Stale { ports, ..Stale::default() });
        for (table, wanted) in tables {
            tracing::warn!(
                rules = wanted.rules.len(),
                sets = wanted.sets.len(),
                chains = wanted.chains.len(),
                "the packet rules of {table} were gone from the kernel and are back"
            );
        }
        Ok(())
    }

    fn has_sets(&self, table: &str, sets: &[NftSet]) -> words::Result<bool> {
        for set in sets {
            if !self.kernel.has_nft_set(&Namespace::Host, table, set)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes rules that a call has removed, or has taken back, by the handles that they had before its table was made anew.
    pub(super) fn remove_again(&self, table: &str, comments: &HashSet<String>) -> Result<(), kernel::Error> {
        let namespace = Namespace::Host;
        let there = self.kernel.nft_rules(&namespace, table)?;
        let rules = there.into_iter().filter(|(_, comment)| comments.contains(comment)).map(|(handle, _)| handle);
        let (table, rules) = (table.to_owned(), rules.collect());
        self.kernel.apply(&[Change::RemoveNftRules { namespace, table, rules }]).map(drop)
    }

    /// The rules and sets on the host, by table, in the order in which they were made. Of a table with rules of an older version, which did not write
    /// them down whole, nothing can be made anew.
    fn wanted(&self) -> words::Result<BTreeMap<String, Wanted>> {
        let (mut tables, mut older): (BTreeMap<String, Wanted>, _) = (BTreeMap::new(), HashSet::new());
        for object in self.store.nft_rules()? {
            match &object.thing {
                Thing::NftRule { namespace: Namespace::Host, table, handle, rule: Some(rule), .. } => {
                    let rule = (object.clone(), handle.clone(), rule.clone());
                    let wanted = tables.entry(table.clone()).or_default();
                    wanted.network.get_or_insert_with(|| object.network.clone());
                    wanted.rules.push(rule);
                }
                Thing::NftRule { namespace: Namespace::Host, table, rule: None, .. } => {
                    older.insert(table.clone());
                }
                _ => {}
            }
        }
        for object in self.store.nft_chains()? {
            if let Thing::NftChain { namespace: Namespace::Host, table, chain } = object.thing {
                let wanted = tables.entry(table).or_default();
                wanted.network.get_or_insert(object.network);
                wanted.chains.push(chain);
            }
        }
        for object in self.store.nft_sets()? {
            match object.thing {
                Thing::NftSet { namespace: Namespace::Host, table, name, kind } => {
                    let wanted = tables.entry(table).or_default();
                    wanted.network.get_or_insert(object.network);
                    wanted.sets.push(NftSet { name, kind, elements: Vec::new() });
                }
                Thing::NftElement { namespace: Namespace::Host, table, set, element } => {
                    let sets = tables.get_mut(&table).map(|wanted| wanted.sets.as_mut_slice()).unwrap_or_default();
                    if let Some(set) = sets.iter_mut().find(|one| one.name == set) {
                        set.elements.push(element);
                    }
                }
                _ => {}
            }
        }
        tables.retain(|table, _| !older.contains(table));
        Ok(tables)
    }
}

fn table_of<'a>(name: &'a str, wanted: &'a Wanted, rules: &'a [NftRule]) -> NftTable<'a> {
    NftTable { name, chains: &wanted.chains, sets: &wanted.sets, rules }
}

fn with_handle(mut object: Object, new: NftHandle) -> Write {
    if let Thing::NftRule { handle, .. } = &mut object.thing {
        *handle = new;
    }
    Write::PutObject(object)
}
