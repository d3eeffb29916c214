//! What a call takes away: it is noted here, and goes from the kernel after the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::objects::{forwards, speaks_of};
use super::{Transaction, removal, room};
use grant::Granted;
use grant::gate::links::{Gone, GoneNamespace};
use grant::gate::nftables::GoneNftRules;
use grant::gate::paths::{GonePaths, GoneProxies, PathName};
use grant::gate::rules::GoneRules;
use grant::gate::settings::ForwardsNoMore;
use grant::gate::state;
use kernel::{Change, LinkKey, Namespace, Proxy, Route, RoutePath, Rule};
use store::{self, Object, Thing};
use words::Error;
use words::limit::CHANGES;

impl Transaction {
    /// Removes packet rules of the network after the commit.
    pub fn remove_nft_rules(&mut self, rules: Granted<GoneNftRules>) -> Result<(), store::Error> {
        let ids: BTreeSet<i64> = rules.0.iter().map(|id| id.cast_signed()).collect();
        self.take_all(|object| matches!(object.thing, Thing::NftRule { .. }) && ids.contains(&object.id))
    }

    /// Removes policy rules of the network after the commit: of several that are alike, as many as are given.
    pub fn remove_rules(&mut self, rules: Granted<GoneRules>) -> Result<(), store::Error> {
        let mut left: HashMap<Rule, usize> = HashMap::new();
        rules.take().0.into_iter().for_each(|rule| *left.entry(rule).or_default() += 1);
        self.take_all(|object| {
            let Thing::Rule(rule) = &object.thing else { return false };
            let Some(count) = left.get_mut(rule).filter(|count| **count > 0) else { return false };
            *count -= 1;
            true
        })
    }

    /// Removes paths of the network after the commit.
    pub fn remove_paths(&mut self, paths: Granted<GonePaths>) -> Result<(), store::Error> {
        let names: HashSet<&PathName> = paths.names.iter().collect();
        self.take_all(|object| match &object.thing {
            Thing::Path(path) => {
                path.namespace == paths.namespace && names.contains(&(path.destination, path.table, path.metric))
            }
            _ => false,
        })
    }

    /// Has the host answer no more for addresses of the network's after the commit.
    pub fn remove_proxies(&mut self, proxies: Granted<GoneProxies>) -> Result<(), store::Error> {
        let gone: HashSet<&Proxy> = proxies.0.iter().collect();
        self.take_all(|object| matches!(&object.thing, Thing::Proxy(proxy) if gone.contains(proxy)))
    }

    /// Lets a link forward no more after the commit.
    pub fn forward_no_more(&mut self, link: Granted<ForwardsNoMore>) -> Result<(), store::Error> {
        let link = BTreeMap::from([(link.0.clone(), self.recorded_name(&link.0)?)]);
        self.take_all(|object| forwards(&object.thing) && speaks_of(&object.thing, &link))
    }

    pub(super) fn take_all(&mut self, mut is_it: impl FnMut(&Object) -> bool) -> Result<(), store::Error> {
        for object in self.objects()?.iter().filter(|object| is_it(object)) {
            self.take(object);
        }
        Ok(())
    }

    pub(super) fn take(&mut self, object: &Object) {
        if self.dropped.insert(object.id) {
            self.forwards |= matches!(object.thing, Thing::Forward { .. });
            removal(&object.thing).into_iter().for_each(|change| self.removals.insert(change));
        }
    }

    /// Removes a link after the commit, and with it the other end of a pair, what lies on either, and whatever speaks of one of them.
    pub fn remove_link(&mut self, link: Granted<Gone>) -> Result<(), store::Error> {
        self.take_links(std::slice::from_ref(&link.0))
    }

    /// In one pass over the objects, however many links there are.
    pub(super) fn take_links(&mut self, keys: &[LinkKey]) -> Result<(), store::Error> {
        let mut links = BTreeMap::new();
        let (mut rest, mut lying) = (keys.to_vec(), self.lying()?);
        while let Some(key) = rest.pop() {
            let Some(Object { thing: Thing::Link { name, peer, .. }, .. }) = self.link_there(&key)? else { continue };
            links.insert(key.clone(), name.clone());
            if let Some(peer) = peer {
                links.insert(peer.clone(), self.recorded_name(peer)?);
            }
            let ends = [Some(&key), peer.as_ref()].into_iter().flatten().filter(|end| end.namespace == Namespace::Host);
            ends.filter_map(|end| lying.remove(&end.index)).for_each(|on_it| rest.extend(on_it));
        }
        if links.is_empty() {
            return Ok(());
        }
        let goes = |thing: &Thing| match thing.link() {
            Some(key) => links.contains_key(&key),
            None => speaks_of(thing, &links),
        };
        let going: Vec<Object> = self.there()?.filter(|o| goes(&o.thing)).cloned().collect();
        going.iter().for_each(|object| self.take(object));
        self.gone.extend(links.into_keys());
        self.open_again()
    }

    /// The links of the network at hand that lie on one of the host's, by its ifindex.
    fn lying(&self) -> Result<BTreeMap<u32, Vec<LinkKey>>, store::Error> {
        let mut lying: BTreeMap<u32, Vec<LinkKey>> = BTreeMap::new();
        for object in self.there()? {
            if let Thing::Link { parent: Some(parent), .. } = object.thing {
                lying.entry(parent).or_default().extend(object.thing.link());
            }
        }
        Ok(lying)
    }

    /// The object of the network at hand that a link is.
    pub(super) fn link_there(&self, key: &LinkKey) -> Result<Option<&Object>, store::Error> {
        let object = self.made.link(key).or(self.committed()?.link(key));
        Ok(object.filter(|o| !self.dropped.contains(&o.id)))
    }

    /// The name that a link of the network at hand was made under; empty: it is none.
    pub(super) fn recorded_name(&self, key: &LinkKey) -> Result<String, store::Error> {
        let name = self.link_there(key)?.map(|object| match &object.thing {
            Thing::Link { name, .. } => name.clone(),
            _ => String::new(),
        });
        Ok(name.unwrap_or_default())
    }

    /// Removes a namespace that the driver made after the commit, with all that is in it.
    pub fn remove_namespace(&mut self, namespace: Granted<GoneNamespace>) -> Result<(), store::Error> {
        let objects = self.objects()?;
        let found = objects.iter().find_map(|object| match &object.thing {
            Thing::Namespace { name, path } if *name == namespace.0 => Some((object, path)),
            _ => None,
        });
        let Some((object, path)) = found else { return Ok(()) };
        let inside = Namespace::At(path.clone());
        let (mut links, mut rules) = (Vec::new(), Vec::new());
        for other in &objects {
            match &other.thing {
                Thing::Link { namespace, .. } if *namespace == inside => links.extend(other.thing.link()),
                Thing::NftRule { namespace, .. }
                | Thing::NftChain { namespace, .. }
                | Thing::NftSet { namespace, .. }
                | Thing::NftElement { namespace, .. }
                | Thing::Path(RoutePath { namespace, .. })
                | Thing::Rule(Rule { namespace, .. })
                    if *namespace == inside =>
                {
                    rules.push(other.id);
                }
                _ => {}
            }
        }
        self.take_links(&links)?;
        self.dropped.extend(rules);
        self.take(object);
        Ok(())
    }

    /// Removes what is no object of its own (an address, a neighbour) after the commit.
    pub fn remove_plain(&mut self, removals: Granted<state::Removals>) -> Result<(), Error> {
        let changes = removals.take().0;
        if self.removals.len() + changes.len() > CHANGES {
            return Err(room::full(format!("one call removes at most {CHANGES} things from the kernel")).into());
        }
        self.note_parts(&changes, false)?;
        changes.iter().try_for_each(|change| self.record(change))?;
        changes.into_iter().for_each(|change| self.removals.insert(change));
        Ok(())
    }

    /// Whether this call removes it.
    pub fn removes(&self, change: &Change) -> bool {
        self.removals.contains(change)
    }

    /// Whether this call removes a route: by what the kernel tells routes apart.
    pub fn removes_route(&self, route: &Route) -> bool {
        self.removals.has_route(route)
    }
}
