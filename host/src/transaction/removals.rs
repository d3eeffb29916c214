//! What a call removes after its commit: in order, each once, and found without a search, because a driver chooses how many there are.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;
use kernel::{Change, LinkKey, Namespace, NftElement, RT_TABLE_MAIN, Route};

/// What the kernel tells routes apart by: link, destination, table, metric.
type RouteKey = (LinkKey, IpNet, u32, u32);

/// See the module.
#[derive(Default)]
pub(super) struct Removals {
    next: u64,
    changes: BTreeMap<u64, Change>,
    places: HashMap<Change, u64>,
    routes: HashMap<RouteKey, usize>,
}

impl Removals {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds one, unless it is there.
    pub fn insert(&mut self, change: Change) {
        if self.places.contains_key(&change) {
            return;
        }
        if let Change::RemoveRoute(route) = &change {
            *self.routes.entry(key(route)).or_default() += 1;
        }
        self.places.insert(change.clone(), self.next);
        self.changes.insert(self.next, change);
        self.next += 1;
    }

    /// Takes one out.
    pub fn remove(&mut self, change: &Change) {
        let Some(place) = self.places.remove(change) else { return };
        self.changes.remove(&place);
        if let Change::RemoveRoute(route) = change
            && let Some(count) = self.routes.get_mut(&key(route))
        {
            *count -= 1;
        }
    }

    /// Whether it is there.
    pub fn contains(&self, change: &Change) -> bool {
        self.places.contains_key(change)
    }

    /// Whether a route is removed.
    pub fn has_route(&self, route: &Route) -> bool {
        self.routes.get(&key(route)).is_some_and(|count| *count > 0)
    }

    /// Those of elements of a set that overlap with these.
    pub fn of_elements_beside(&self, namespace: &Namespace, set: &str, new: &[NftElement]) -> Vec<Change> {
        let overlaps = |element: &NftElement| {
            let (first, last) = element.range();
            new.iter().map(|new| new.range()).any(|(new_first, new_last)| first <= new_last && new_first <= last)
        };
        let is_one = |change: &&Change| match change {
            Change::RemoveNftElements { namespace: at, set: of, elements, .. } => {
                at == namespace && of == set && elements.iter().any(overlaps)
            }
            _ => false,
        };
        self.changes.values().filter(is_one).cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// All of them in order.
    pub fn take(&mut self) -> Vec<Change> {
        std::mem::take(self).changes.into_values().collect()
    }
}

fn key(route: &Route) -> RouteKey {
    (route.link.clone(), route.destination, route.table.unwrap_or(RT_TABLE_MAIN), route.metric.unwrap_or(0))
}
