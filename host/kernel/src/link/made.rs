//! The links that some changes made, and what goes with them when they go.

use std::collections::BTreeSet;

use crate::{Applied, Change, LinkKey, LinkName, Namespace, Outcome, Sysctl};

/// Links that were made, by key and by name.
#[derive(Debug, Default)]
pub struct MadeLinks {
    keys: BTreeSet<LinkKey>,
    names: BTreeSet<(Namespace, LinkName)>,
}

impl MadeLinks {
    /// Takes note of what a change made.
    pub fn note(&mut self, applied: &Applied) {
        if let Outcome::Link(link, peer) = &applied.outcome {
            for link in std::iter::once(link).chain(peer) {
                self.keys.insert(link.key.clone());
                self.names.insert((link.key.namespace.clone(), link.name.clone()));
            }
        }
        // Of one that was half made nobody was told.
        self.keys.extend(applied.undo.iter().filter_map(|change| match change {
            Change::RemoveLink(key) => Some(key.clone()),
            _ => None,
        }));
    }

    /// Their keys.
    pub fn keys(&self) -> &BTreeSet<LinkKey> {
        &self.keys
    }

    /// Whether a change is undone by the end of one of these links.
    pub fn take_along(&self, change: &Change) -> bool {
        match change {
            Change::SetLink(key, _)
            | Change::RemoveLink(key)
            | Change::AddAddress(key, _)
            | Change::RemoveAddress(key, _) => self.keys.contains(key),
            Change::AddRoute(route) | Change::RemoveRoute(route) => self.keys.contains(&route.link),
            Change::AddNeighbour(entry) | Change::RemoveNeighbour(entry) => self.keys.contains(&entry.link),
            Change::AddForwarding(entry) | Change::RemoveForwarding(entry) => self.keys.contains(&entry.link),
            Change::SetSysctl { namespace, sysctl: Sysctl::Link { link, .. }, .. } => {
                self.names.contains(&(namespace.clone(), link.clone()))
            }
            _ => false,
        }
    }
}
