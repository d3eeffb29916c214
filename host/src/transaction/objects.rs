//! The objects that are there for a call: read once from the store, and found without a search. Nobody else changes a network's objects while
//! a call of it runs: its calls are made one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kernel::{HostPort, LinkKey, Namespace, Rule, index_of_own_name};
use store::{Object, Thing};

/// Objects by id, by link, and ports of the host by the first of their range.
#[derive(Default)]
pub(super) struct Objects {
    all: BTreeMap<i64, Object>,
    links: BTreeMap<LinkKey, i64>,
    ports: BTreeMap<(u8, IpAddr, u16), i64>,
}

impl Objects {
    /// Adds one.
    pub fn insert(&mut self, object: Object) {
        if let Some(key) = link_key(&object.thing) {
            self.links.insert(key, object.id);
        }
        if let Thing::Port(HostPort { protocol, port, address, .. }) = object.thing {
            self.ports.insert((protocol, address, port), object.id);
        }
        self.all.insert(object.id, object);
    }

    /// Those that are not dropped, in the order of their ids.
    pub fn there<'a>(&'a self, dropped: &'a BTreeSet<i64>) -> impl Iterator<Item = &'a Object> {
        self.all.values().filter(|object| !dropped.contains(&object.id))
    }

    /// All, dropped ones included.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.all.values()
    }

    /// What a link is. (A namespace's index is given again only after its link is gone, so the newest is meant.)
    pub fn link(&self, key: &LinkKey) -> Option<&Object> {
        self.links.get(key).and_then(|id| self.all.get(id))
    }

    /// The one of this id.
    pub fn get(&self, id: i64) -> Option<&Object> {
        self.all.get(&id)
    }

    /// Puts one in the place of what it was; false: it is none of these.
    pub fn replace(&mut self, object: &Object) -> bool {
        self.all.get_mut(&object.id).map(|old| old.clone_from(object)).is_some()
    }

    /// The same, to be changed.
    pub fn link_mut(&mut self, key: &LinkKey) -> Option<&mut Object> {
        self.links.get(key).and_then(|id| self.all.get_mut(id))
    }

    /// The port that this one is, or the range that it is in.
    pub fn port(&self, HostPort { protocol, port, address, .. }: HostPort) -> Option<(&Object, HostPort)> {
        let (_, id) = self.ports.range((protocol, address, 0)..=(protocol, address, port)).next_back()?;
        let object = self.all.get(id)?;
        match object.thing {
            Thing::Port(held) if held.last() >= port => Some((object, held)),
            _ => None,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes all out, in the order of their ids.
    pub fn drain(&mut self) -> impl Iterator<Item = Object> + use<> {
        std::mem::take(self).all.into_values()
    }
}

/// Which link a thing is.
pub(super) fn link_key(thing: &Thing) -> Option<LinkKey> {
    match thing {
        Thing::Link { namespace, index, .. } => Some(LinkKey { namespace: namespace.clone(), index: *index }),
        _ => None,
    }
}

/// Whether it lets a link forward: not only from port to port.
pub(super) fn forwards(thing: &Thing) -> bool {
    matches!(thing, Thing::Forward { ipv4, ipv6, .. } if *ipv4 || *ipv6)
}

/// Whether a thing is for one of these links, which are given with the names under which they were made: it goes with it.
pub(super) fn speaks_of(thing: &Thing, links: &BTreeMap<LinkKey, String>) -> bool {
    let by_index = |namespace: &Namespace, index| links.contains_key(&LinkKey { namespace: namespace.clone(), index });
    // What 0.1.0 has made.
    let by_name = |namespace: &Namespace, name: &str| {
        links.iter().any(|(link, known)| link.namespace == *namespace && known == name)
    };
    match thing {
        Thing::NftRule { namespace, rule: Some(rule), .. } => {
            rule.needed_links().into_iter().any(|index| by_index(namespace, index))
        }
        Thing::Rule(Rule { namespace, input: Some(input), .. }) => match index_of_own_name(input) {
            Some(index) => by_index(namespace, index),
            None => by_name(namespace, input.as_str()),
        },
        Thing::Forward { name, index: 0, .. } => by_name(&Namespace::Host, name),
        Thing::Forward { index, .. } => by_index(&Namespace::Host, *index),
        _ => false,
    }
}
