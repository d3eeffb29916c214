//! What the store has to know of a link of the host, so that it can be put back when somebody else removes it or changes it: see
//! `firewall::links`.

use grant::gate::links::new_name;
use kernel::{
    Change, LinkChanges, LinkEnd, LinkKey, LinkKind, LinkOptions, LinkSpec, Namespace, NewLink, NewName, Sysctl,
};
use store::{self, Again, Object, Thing};
use words::LinkName;

use super::Transaction;

/// Of a new link, or the first end of a pair.
pub(super) fn of_spec(spec: &LinkSpec, link: &NewLink) -> Option<Again> {
    let again = of_end(&spec.end, link)?;
    let end = LinkEnd { name: NewName::Exact(link.name.clone()), addresses: Vec::new(), ..spec.end.clone() };
    // The kernel chose a MAC that neighbours know by now.
    let end = LinkEnd { mac: end.mac.or(link.mac), ..end };
    // One end of a pair can't be made alone, and a WireGuard link's key, by which others know it, is gone with it.
    let is_gone = matches!(spec.kind, LinkKind::Veth(_) | LinkKind::Wireguard { .. });
    Some(Again { spec: (!is_gone).then(|| LinkSpec { end, kind: spec.kind.clone() }), ..again })
}

/// Of the other end of a pair.
pub(super) fn of_peer(spec: &LinkSpec, link: &NewLink) -> Option<Again> {
    let LinkKind::Veth(end) = &spec.kind else { return None };
    of_end(end, link)
}

/// Those of the host only: in a sandbox the runtime has the last word.
fn of_end(end: &LinkEnd, link: &NewLink) -> Option<Again> {
    if link.key.namespace != Namespace::Host {
        return None;
    }
    let set = LinkChanges { up: end.up.then_some(true), master: end.master, ..LinkChanges::default() };
    let on = end.addresses.iter().map(|address| Change::AddAddress(link.key.clone(), *address)).collect();
    Some(Again { spec: None, set, on })
}

impl Transaction {
    /// Records what a change makes of a link of this driver's.
    pub(super) fn record(&mut self, change: &Change) -> Result<(), store::Error> {
        match change {
            Change::SetLink(key, set) => {
                // What the host's firewall says of it goes by its name, too.
                if let Some(new) = new_name(set) {
                    self.rename_forward(key, new)?;
                }
                self.record_of_link(key, |name, again| {
                    if let Some(new) = new_name(set) {
                        *name = new.to_string();
                    }
                    if let Some(again) = again {
                        merge(&mut again.set, set);
                        if set.master.is_some() {
                            leave_bridge(again);
                        }
                        again.spec.iter_mut().for_each(|spec| rename(spec, set));
                    }
                })
            }
            Change::AddAddress(key, _) => self.record_of_link(key, |_, again| put(again, change)),
            Change::RemoveAddress(key, address) => {
                let added = Change::AddAddress(key.clone(), *address);
                self.record_of_link(key, |_, again| {
                    again.into_iter().for_each(|again| again.on.retain(|change| *change != added));
                })
            }
            Change::SetSysctl { namespace, sysctl: Sysctl::Link { index, .. }, .. } => {
                let key = LinkKey { namespace: namespace.clone(), index: *index };
                self.record_of_link(&key, |_, again| put(again, change))
            }
            Change::SetRate { link, .. } | Change::Redirect { link, .. } => {
                self.record_of_link(link, |_, again| put(again, change))
            }
            Change::SetOptions { link, options } => self.record_of_link(link, |_, again| {
                if let Some(again) = again {
                    put_options(again, link, options);
                }
            }),
            _ => Ok(()),
        }
    }

    /// A bridge whose ports reach each other is told of by its name.
    fn rename_forward(&mut self, key: &LinkKey, new: &LinkName) -> Result<(), store::Error> {
        let is_it = |object: &&Object| matches!(&object.thing, Thing::Forward { index, .. } if *index == key.index);
        let found: Vec<Object> = self.there()?.filter(is_it).cloned().collect();
        for mut object in found {
            if let Thing::Forward { name, .. } = &mut object.thing {
                *name = new.to_string();
            }
            self.forwards = true;
            if !self.made.replace(&object) {
                self.changed.insert(object.id, object);
            }
        }
        Ok(())
    }

    fn record_of_link(
        &mut self,
        key: &LinkKey,
        change: impl FnOnce(&mut String, Option<&mut Again>),
    ) -> Result<(), store::Error> {
        let on = |object: &mut Object| {
            if let Thing::Link { name, again, .. } = &mut object.thing {
                change(name, again.as_deref_mut());
            }
        };
        if let Some(object) = self.made.link_mut(key) {
            on(object);
        } else if let Some(object) = self.link_there(key)?.cloned() {
            on(self.changed.entry(object.id).or_insert(object));
        }
        Ok(())
    }
}

fn merge(into: &mut LinkChanges, new: &LinkChanges) {
    let LinkChanges { name: _, mac, mtu, up, master, hairpin, isolated, learning } = new.clone();
    let old = std::mem::take(into);
    *into = LinkChanges {
        name: None,
        mac: mac.or(old.mac),
        mtu: mtu.or(old.mtu),
        up: up.or(old.up),
        master: master.or(old.master),
        hairpin: hairpin.or(old.hairpin),
        isolated: isolated.or(old.isolated),
        learning: learning.or(old.learning),
    };
}

fn rename(spec: &mut LinkSpec, set: &LinkChanges) {
    if let Some(name) = new_name(set) {
        spec.end.name = NewName::Exact(name.clone());
    }
}

/// Properties are kept together.
fn put_options(again: &mut Again, link: &LinkKey, options: &LinkOptions) {
    let there = again.on.iter_mut().find_map(|change| match change {
        Change::SetOptions { options, .. } => Some(options),
        _ => None,
    });
    match there {
        Some(there) => there.merge(options),
        None => again.on.push(Change::SetOptions { link: link.clone(), options: options.clone() }),
    }
}

/// What the kernel forgets of a port then is not put back. (A bridge is no port.)
fn leave_bridge(again: &mut Again) {
    for change in &mut again.on {
        if let Change::SetOptions { options, .. } = change {
            options.leave_bridge();
        }
    }
}

/// Another value of the same setting replaces the last one.
fn put(again: Option<&mut Again>, change: &Change) {
    let Some(again) = again else { return };
    let same = |other: &Change| match (other, change) {
        (Change::SetSysctl { sysctl: one, .. }, Change::SetSysctl { sysctl: other, .. }) => one == other,
        (Change::SetRate { .. }, Change::SetRate { .. }) | (Change::Redirect { .. }, Change::Redirect { .. }) => true,
        _ => other == change,
    };
    again.on.retain(|other| !same(other));
    again.on.push(change.clone());
}
