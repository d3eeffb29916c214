//! The links that some changes made, and what goes with them when they go.

use std::collections::BTreeSet;

use crate::{Applied, Change, LinkKey, Outcome, Sysctl};

/// Links that were made.
#[derive(Debug, Default)]
pub struct MadeLinks {
    keys: BTreeSet<LinkKey>,
}

impl MadeLinks {
    /// Takes note of what a change made.
    pub fn note(&mut self, applied: &Applied) {
        if let Outcome::Link(link, peer) = &applied.outcome {
            self.keys.extend(std::iter::once(link).chain(peer).map(|link| link.key.clone()));
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
            | Change::AddOwnName(key)
            | Change::RemoveOwnName(key)
            | Change::AddAddress(key, _)
            | Change::RemoveAddress(key, _) => self.keys.contains(key),
            Change::AddRoute(route) | Change::RemoveRoute(route) => self.keys.contains(&route.link),
            Change::AddPath(path) | Change::RemovePath(path) => path.links().any(|link| self.keys.contains(&link)),
            Change::AddProxy(proxy) | Change::RemoveProxy(proxy) => self.keys.contains(&proxy.link),
            Change::SetPeers(set) => self.keys.contains(&set.link),
            Change::AddNeighbour(entry) | Change::RemoveNeighbour(entry) => self.keys.contains(&entry.link),
            Change::AddForwarding(entry) | Change::RemoveForwarding(entry) => self.keys.contains(&entry.link),
            Change::SetRate { link, .. } | Change::Redirect { link, .. } | Change::SetOptions { link, .. } => {
                self.keys.contains(link)
            }
            Change::SetSysctl { namespace, sysctl: Sysctl::Link { index, .. }, .. } => {
                self.keys.contains(&LinkKey { namespace: namespace.clone(), index: *index })
            }
            _ => false,
        }
    }
}
