//! How much a call has made of what is limited, and what of it is on links. It counts for the driver's other calls, too, from before it is
//! made until it is committed or undone.

use std::collections::BTreeMap;

use super::Transaction;
use grant::Limit;
use grant::gate::state::{EntryWrite, StateWrite};
use kernel::{Change, LinkEnd, LinkKey, LinkKind, LinkSpec, PublicKey};
use store::{self, Check, Part, Thing};

/// See the module.
#[derive(Default)]
pub(super) struct Counts {
    made: BTreeMap<Limit, u64>,
    /// What the store counts for this call.
    claimed: BTreeMap<Limit, u64>,
    /// What is on links with this call, and what is not any more.
    pub parts: BTreeMap<Part, bool>,
}

impl Counts {
    /// Counts an object in. One that the call removes again is in the kernel until the commit.
    pub fn add_thing(&mut self, thing: &Thing) {
        let limit = match thing {
            Thing::Link { .. } | Thing::Device(_) => Limit::Links,
            Thing::NftRule { .. } | Thing::NftChain { .. } | Thing::Rule(_) | Thing::Forward { .. } => Limit::Rules,
            Thing::NftSet { .. } => Limit::Sets,
            Thing::NftElement { .. } => Limit::SetElements,
            Thing::Namespace { .. } => Limit::Namespaces,
            Thing::Port(_) => Limit::Ports,
            Thing::Route(_) | Thing::Path(_) => Limit::Routes,
            Thing::Proxy(_) => Limit::Neighbours,
        };
        let count = if let Thing::Port(port) = thing { port.count() } else { 1 };
        self.add(limit, count);
    }

    /// Counts what is written of the driver's state, in place of what the call has written there before.
    pub fn write_state(&mut self, before: Option<&StateWrite>, now: &StateWrite) {
        self.replace(Limit::StoreBytes, before.map_or(0, StateWrite::bytes), now.bytes());
    }

    /// The same for an entry.
    pub fn write_entry(&mut self, before: Option<&EntryWrite>, now: &EntryWrite) {
        let count = |write: &EntryWrite| usize::from(write.value.is_some());
        self.replace(Limit::TableEntries, before.map_or(0, count), count(now));
        self.replace(Limit::TableBytes, before.map_or(0, EntryWrite::bytes), now.bytes());
    }

    fn put(&mut self, part: Part) {
        let limit = match part.kind {
            Part::ADDRESS => Limit::Addresses,
            Part::ROUTE => Limit::Routes,
            Part::PORT => Limit::Ports,
            _ => Limit::Neighbours,
        };
        if self.parts.insert(part, true).is_none() {
            self.add(limit, 1);
        }
    }

    /// The other end of a tunnel on a link, which is there from now on, or is not any more.
    pub fn note_peer(&mut self, link: i64, key: PublicKey, there: bool) {
        let part = Part { link, kind: Part::PEER, key: key.to_string() };
        match there {
            true => self.put(part),
            false => drop(self.parts.insert(part, false)),
        }
    }

    fn add(&mut self, limit: Limit, count: usize) {
        self.replace(limit, 0, count);
    }

    fn replace(&mut self, limit: Limit, before: usize, now: usize) {
        let made = self.made.entry(limit).or_default();
        *made = (*made + now as u64).saturating_sub(before as u64);
    }
}

impl Transaction {
    /// What the driver holds with `more`: see the gate's `View`. When it is committed there are at most `most`, or the call is made again:
    /// another call can have made some meanwhile. What this call replaces counts twice until then.
    pub(super) fn hold(&mut self, limit: Limit, more: u64, most: u64) -> Result<u64, store::Error> {
        let made = self.counts.made.get(&limit).copied().unwrap_or_default();
        // First what is not committed: a call that is committed meanwhile counts twice rather than not at all.
        let claimed = self.claim(limit, made + more);
        // A link is removed after the commit, and gone when the reaper has deleted it: until then the kernel has it.
        let condemned = if limit == Limit::Links { self.condemned(most) } else { 0 };
        let all = claimed + condemned + self.store.held(&self.owner.driver, limit)?;
        if all > most {
            self.claim(limit, made);
        }
        self.checks.insert(Check::Held { driver: self.owner.driver.clone(), limit, most });
        Ok(all)
    }

    fn claim(&mut self, limit: Limit, count: u64) -> u64 {
        let before = self.counts.claimed.insert(limit, count).unwrap_or_default();
        self.store.claim(&self.owner.driver, limit, before, count)
    }

    /// The call is over.
    pub(super) fn claim_no_more(&mut self) {
        for (limit, before) in std::mem::take(&mut self.counts.claimed) {
            self.store.claim(&self.owner.driver, limit, before, 0);
        }
    }

    /// Notes what changes put on links, or take from there.
    pub(super) fn note_parts(&mut self, changes: &[Change], there: bool) -> Result<(), store::Error> {
        let mut ids: BTreeMap<&LinkKey, Option<i64>> = BTreeMap::new();
        for (key, kind, text) in changes.iter().filter_map(part) {
            let id = match ids.get(key) {
                Some(id) => *id,
                None => self.id_of_link(key)?,
            };
            ids.insert(key, id);
            let Some(link) = id else { continue };
            let part = Part { link, kind, key: text };
            match there {
                true => self.counts.put(part),
                false => drop(self.counts.parts.insert(part, false)),
            }
        }
        Ok(())
    }

    pub(super) fn id_of_link(&self, key: &LinkKey) -> Result<Option<i64>, store::Error> {
        match self.made.link(key) {
            Some(object) => Ok(Some(object.id)),
            None => Ok(self.store.owner_of_link(&key.namespace, key.index)?.map(|object| object.id)),
        }
    }

    /// Notes what a new link has from the beginning, or an end of it.
    pub(super) fn note_parts_of(&mut self, link: i64, spec: &LinkSpec, end: &LinkEnd) {
        for address in &end.addresses {
            self.counts.put(Part { link, kind: Part::ADDRESS, key: address.to_string() });
        }
        let port = match spec.kind {
            LinkKind::Vxlan(kernel::Vxlan { port, .. }) | LinkKind::Wireguard { port } => port,
            _ => return,
        };
        self.counts.put(Part { link, kind: Part::PORT, key: port.to_string() });
    }
}

/// What a change adds or removes on a link, by what the kernel goes by when it removes it.
fn part(change: &Change) -> Option<(&LinkKey, &'static str, String)> {
    Some(match change {
        Change::AddAddress(link, address) | Change::RemoveAddress(link, address) => {
            (link, Part::ADDRESS, address.to_string())
        }
        Change::AddRoute(route) | Change::RemoveRoute(route) => {
            let kernel::Route { link, destination, gateway, source, table, metric } = route;
            (link, Part::ROUTE, format!("{destination} {gateway:?} {source:?} {table:?} {metric:?}"))
        }
        Change::AddNeighbour(entry) | Change::RemoveNeighbour(entry) => {
            (&entry.link, Part::NEIGHBOUR, entry.address.to_string())
        }
        Change::AddForwarding(entry) | Change::RemoveForwarding(entry) => {
            let tunnel = if entry.remote.is_some() { " by tunnel" } else { "" };
            (&entry.link, Part::FORWARDING, format!("{}{tunnel}", entry.mac))
        }
        _ => return None,
    })
}
