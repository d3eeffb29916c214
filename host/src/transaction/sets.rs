//! Sets of the network's packet rules: what a call makes of them and takes away, and what the gate sees. A set is an object, and so is each of its
//! elements: each goes with its owner.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Transaction;
use grant::Granted;
use grant::gate::sets::{GoneElements, GoneSet, NewElements, NewSet, SeenSet, no_set};
use kernel::{Change, Namespace, NftCount, NftElement, NftHandle, NftVerdict};
use store::{self, Thing};

impl Transaction {
    /// Makes an empty set.
    pub fn add_set(&mut self, set: Granted<NewSet>) -> Result<(), kernel::Error> {
        let NewSet { namespace, table, name, kind } = set.take();
        let change = Change::AddNftSet { namespace: namespace.clone(), table: table.clone(), set: name.clone(), kind };
        self.apply(&[change])?;
        self.made(Thing::NftSet { namespace, table, name, kind });
        Ok(())
    }

    /// Removes a set with all that is in it after the commit.
    pub fn remove_set(&mut self, set: Granted<GoneSet>) -> Result<(), store::Error> {
        self.take_all(|object| match &object.thing {
            Thing::NftSet { name, .. } => *name == set.0,
            Thing::NftElement { set: of, .. } => *of == set.0,
            _ => false,
        })
    }

    /// Adds to a set.
    pub fn add_elements(&mut self, elements: Granted<NewElements>) -> Result<(), kernel::Error> {
        let NewElements { namespace, table, set, elements } = elements.take();
        let change = |elements| Change::AddNftElements {
            namespace: namespace.clone(),
            table: table.clone(),
            set: set.clone(),
            elements,
        };
        // What this call has removed and would be in the way can't wait for the commit.
        let in_the_way: Vec<Change> = self.removals.of_elements_beside(&namespace, &set, &elements);
        let changes: Vec<Change> = in_the_way.iter().cloned().chain([change(elements.clone())]).collect();
        self.apply(&changes)?;
        in_the_way.iter().for_each(|change| self.removals.remove(change));
        for element in elements {
            let (namespace, table, set) = (namespace.clone(), table.clone(), set.clone());
            self.made(Thing::NftElement { namespace, table, set, element });
        }
        Ok(())
    }

    /// Removes from a set after the commit.
    pub fn remove_elements(&mut self, elements: Granted<GoneElements>) -> Result<(), store::Error> {
        let GoneElements { set, elements } = elements.take();
        self.take_all(|object| match &object.thing {
            Thing::NftElement { set: of, element, .. } => *of == set && elements.contains(element),
            _ => false,
        })
    }

    /// The network's sets, with those that this call removes.
    pub(super) fn seen_sets(&self) -> words::Result<Vec<SeenSet>> {
        let mut elements: HashMap<&str, Vec<NftElement>> = HashMap::new();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for object in self.there()? {
            match &object.thing {
                Thing::NftElement { set, element, .. } => elements.entry(set).or_default().push(*element),
                Thing::NftRule { rule: Some(rule), .. } => used.extend(rule.sets()),
                _ => {}
            }
        }
        let all = self.committed()?.all().chain(self.made.all());
        let sets = all.filter_map(|object| match &object.thing {
            Thing::NftSet { namespace, name, kind, .. } => Some(SeenSet {
                name: name.clone(),
                namespace: namespace.clone(),
                kind: *kind,
                endpoint: object.endpoint.clone(),
                elements: elements.remove(name.as_str()).unwrap_or_default(),
                is_used: used.contains(name.as_str()),
                is_removed: self.dropped.contains(&object.id),
            }),
            _ => None,
        });
        Ok(sets.collect())
    }

    /// How many of the network's rules write a log.
    pub(super) fn count_logging_rules(&self) -> words::Result<usize> {
        let logs = |thing: &Thing| matches!(thing, Thing::NftRule { rule: Some(rule), .. } if matches!(rule.verdict, NftVerdict::Log { .. }));
        Ok(self.there()?.filter(|object| logs(&object.thing)).count())
    }

    /// The names of the network's sets.
    pub fn set_names(&self) -> words::Result<Vec<String>> {
        let sets = self.there()?.filter_map(|object| match &object.thing {
            Thing::NftSet { name, .. } => Some(name.clone()),
            _ => None,
        });
        Ok(sets.collect())
    }

    /// What is in a set of the network's, in order.
    pub fn elements(&self, set: &str) -> words::Result<Vec<NftElement>> {
        let found = self.seen_sets()?.into_iter().find(|seen| seen.name == set && !seen.is_removed);
        let mut elements = found.ok_or_else(|| no_set(set))?.elements;
        elements.sort_unstable();
        Ok(elements)
    }

    /// What rules of the network have counted; none for other ids, and for rules without a counter.
    pub fn counters(&self, ids: &[i64]) -> words::Result<Vec<Option<NftCount>>> {
        let wanted: BTreeSet<i64> = ids.iter().copied().collect();
        let mut rules: HashMap<i64, (Namespace, String, NftHandle)> = HashMap::new();
        for object in self.there()?.filter(|object| wanted.contains(&object.id)) {
            if let Thing::NftRule { namespace, table, handle, .. } = &object.thing {
                rules.insert(object.id, (namespace.clone(), table.clone(), handle.clone()));
            }
        }
        let mut tables: BTreeMap<(Namespace, String), HashMap<NftHandle, NftCount>> = BTreeMap::new();
        for (namespace, table, _) in rules.values() {
            let place = (namespace.clone(), table.clone());
            if let Entry::Vacant(entry) = tables.entry(place) {
                entry.insert(self.kernel.nft_counters(namespace, table)?);
            }
        }
        let counted = |id: &i64| {
            let (namespace, table, handle) = rules.get(id)?.clone();
            tables.get(&(namespace, table))?.get(&handle).copied()
        };
        Ok(ids.iter().map(counted).collect())
    }
}
