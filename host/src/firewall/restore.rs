//! Puts the networks' own packet rules back after somebody flushed them: `nft flush ruleset`, a reload of a firewall, a table that is deleted.
//!
//! A table that lacks a rule of the store is made anew with all of them, in one step. Its rules have other handles then, so these go into the
//! store. A call that runs meanwhile has read the old ones, or made rules that the store did not have yet: it sees by
//! [`Firewall::rounds`](super::Firewall::rounds) that this was going on, and has it done again at its end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::Keeper;
use super::connections::translated;
use kernel::{Change, Namespace, NftHandle, NftRule, Stale};
use store::{Batch, Durability, Object, Thing, Write};

/// A network may go, and its rules with it, while its table is made anew; that is rare.
const TRIES: usize = 5;

/// The rules of a table that have to be there.
type Wanted = Vec<(Object, NftHandle, NftRule)>;

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
        tables.retain(|table, rules| {
            let is_there = |(_, handle, rule): &(_, NftHandle, NftRule)| {
                there.get(&(table.clone(), handle.clone())) == Some(&rule.comment)
            };
            !rules.iter().all(is_there)
        });
        let tables: Vec<(String, Wanted)> = tables.into_iter().collect();
        let mut failed = Vec::new();
        // All in one step: networks are open meanwhile, and each step may wait for whoever flushed.
        if tables.len() < 2 || self.remake(&tables).is_err() {
            for one in &tables {
                // One that can't be made does not keep the others from coming back.
                if let Err(error) = self.remake(std::slice::from_ref(one)) {
                    let (table, wanted) = one;
                    tracing::error!("the packet rules of {table} are gone and can't be put back: {error}");
                    if let Some((object, ..)) = wanted.first() {
                        self.shut_off(table, &object.network, &error);
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
            tables.iter().map(|(_, wanted)| wanted.iter().map(|(_, _, rule)| rule.clone()).collect()).collect();
        let named: Vec<(&str, &[NftRule])> =
            tables.iter().zip(&rules).map(|((table, _), rules)| (table.as_str(), rules.as_slice())).collect();
        let handles = self.kernel.replace_nft_tables(&Namespace::Host, &named)?.into_iter().flatten();
        let objects = || tables.iter().flat_map(|(_, wanted)| wanted).map(|(object, ..)| object);
        let writes = objects().zip(handles).map(|(object, handle)| with_handle(object.clone(), handle)).collect();
        let (since, checks) = (self.store.version(), Vec::new());
        self.store.commit(Batch { since, checks, writes, durability: Durability::Process })?;
        // Whoever sent while no rule was there.
        let ports = objects().filter_map(|object| translated(&object.thing)).collect();
        self.stale.add(Stale { ports, ..Stale::default() });
        for (table, wanted) in tables {
            tracing::warn!(rules = wanted.len(), "the packet rules of {table} were gone from the kernel and are back");
        }
        Ok(())
    }

    /// Removes rules that a call has removed, or has taken back, by the handles that they had before its table was made anew.
    pub(super) fn remove_again(&self, table: &str, comments: &HashSet<String>) -> Result<(), kernel::Error> {
        let namespace = Namespace::Host;
        let there = self.kernel.nft_rules(&namespace, table)?;
        let rules = there.into_iter().filter(|(_, comment)| comments.contains(comment)).map(|(handle, _)| handle);
        let (table, rules) = (table.to_owned(), rules.collect());
        self.kernel.apply(&[Change::RemoveNftRules { namespace, table, rules }]).map(drop)
    }

    /// The rules on the host, by table, in the order in which they were made. Of a table with rules of an older version, which did not write
    /// them down whole, nothing can be made anew.
    fn wanted(&self) -> words::Result<BTreeMap<String, Wanted>> {
        let (mut tables, mut older): (BTreeMap<String, Wanted>, _) = (BTreeMap::new(), HashSet::new());
        for object in self.store.nft_rules()? {
            match &object.thing {
                Thing::NftRule { namespace: Namespace::Host, table, handle, rule: Some(rule), .. } => {
                    let rule = (object.clone(), handle.clone(), rule.clone());
                    tables.entry(table.clone()).or_default().push(rule);
                }
                Thing::NftRule { namespace: Namespace::Host, table, rule: None, .. } => {
                    older.insert(table.clone());
                }
                _ => {}
            }
        }
        tables.retain(|table, _| !older.contains(table));
        Ok(tables)
    }
}

fn with_handle(mut object: Object, new: NftHandle) -> Write {
    if let Thing::NftRule { handle, .. } = &mut object.thing {
        *handle = new;
    }
    Write::PutObject(object)
}
