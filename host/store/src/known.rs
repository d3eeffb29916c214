//! The objects of networks in memory, so that a call does not read all of its network's again: found without a search, and brought up to date by
//! each commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::batch::Write;
use super::record::{Object, Thing};
use super::{Store, hold};
use kernel::{HostPort, LinkKey};
use words::Id;

/// Objects that are kept, of all networks: some 10 MB. A call reads a network that has more.
const MOST: usize = 16_384;

/// Networks of which some are kept: each removed object is looked for in all of them.
const NETWORKS: usize = 64;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Known {
    networks: HashMap<Id, Arc<Objects>>,
    /// Which links forward, in all networks; none: it was not asked for yet.
    forwards: Option<Arc<BTreeMap<i64, Object>>>,
}

/// Objects by id, by link, and ports of the host by the first of their range.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    all: BTreeMap<i64, Object>,
    links: BTreeSet<(LinkKey, i64)>,
    ports: BTreeSet<((u8, IpAddr, u16), i64)>,
}

impl Store {
    /// The objects of a network. Its calls are made one after the other, so nobody changes them while one runs.
    pub fn network_objects(&self, network: &Id) -> super::Result<Arc<Objects>> {
        if let Some(known) = hold(&self.known).networks.get(network) {
            return Ok(known.clone());
        }
        let before = self.version();
        let mut objects = Objects::default();
        self.objects(network, None)?.into_iter().for_each(|object| objects.insert(object));
        let objects = Arc::new(objects);
        let known = &mut hold(&self.known).networks;
        // What was committed meanwhile may be missing.
        if before == self.version() && objects.len() <= MOST {
            let kept: usize = known.values().map(|objects| objects.len()).sum();
            if kept + objects.len() > MOST || known.len() == NETWORKS {
                known.clear();
            }
            known.insert(network.clone(), objects.clone());
        }
        Ok(objects)
    }

    /// Which links forward, in all networks, by their ids.
    pub fn forwards(&self) -> super::Result<Arc<BTreeMap<i64, Object>>> {
        if let Some(forwards) = &hold(&self.known).forwards {
            return Ok(forwards.clone());
        }
        let before = self.version();
        let read = self.read_forwards()?;
        let forwards: Arc<BTreeMap<_, _>> = Arc::new(read.into_iter().map(|object| (object.id, object)).collect());
        let mut known = hold(&self.known);
        if before == self.version() {
            known.forwards = Some(forwards.clone());
        }
        Ok(forwards)
    }
}

/// Takes over what a commit has written, of those of its writes that concern objects.
pub(super) fn update(Known { networks, forwards }: &mut Known, writes: Vec<Write>) {
    for write in writes {
        update_forwards(forwards, &write);
        match write {
            // The commit gave it an id.
            Write::AddObject(Object { id: 0, network, .. }) => drop(networks.remove(&network)),
            Write::AddObject(object) | Write::PutObject(object) => {
                // One that goes over to another network.
                networks
                    .iter_mut()
                    .filter(|(id, _)| **id != object.network)
                    .for_each(|(_, all)| remove(all, object.id));
                if let Some(all) = networks.get_mut(&object.network) {
                    Arc::make_mut(all).put(object);
                }
            }
            Write::RemoveObject(id) => networks.values_mut().for_each(|all| remove(all, id)),
            Write::RemoveEndpoint(network, endpoint) => {
                if let Some(all) = networks.get_mut(&network) {
                    Arc::make_mut(all).remove_all(&endpoint);
                }
            }
            Write::RemoveNetwork(network) => drop(networks.remove(&network)),
            _ => {}
        }
    }
}

fn update_forwards(forwards: &mut Option<Arc<BTreeMap<i64, Object>>>, write: &Write) {
    let Some(known) = forwards else { return };
    let goes = |object: &Object| match write {
        Write::RemoveObject(id) => object.id == *id,
        Write::RemoveEndpoint(network, endpoint) => {
            object.network == *network && object.endpoint.as_ref() == Some(endpoint)
        }
        Write::RemoveNetwork(network) => object.network == *network,
        _ => false,
    };
    match write {
        Write::AddObject(object) | Write::PutObject(object) if matches!(object.thing, Thing::Forward { .. }) => {
            match object.id {
                0 => *forwards = None,
                id => drop(Arc::make_mut(known).insert(id, object.clone())),
            }
        }
        Write::RemoveObject(id) if !known.contains_key(id) => {}
        // Most endpoints have none.
        Write::RemoveObject(_) | Write::RemoveEndpoint(..) | Write::RemoveNetwork(_) if known.values().any(goes) => {
            Arc::make_mut(known).retain(|_, object| !goes(object));
        }
        _ => {}
    }
}

fn remove(all: &mut Arc<Objects>, id: i64) {
    if all.get(id).is_some() {
        Arc::make_mut(all).remove(id);
    }
}

/// Whether [`update`] has something to do for a write.
pub(super) fn concerns(write: &Write) -> bool {
    use Write::{AddObject, PutObject, RemoveEndpoint, RemoveNetwork, RemoveObject};
    matches!(write, AddObject(_) | PutObject(_) | RemoveObject(_) | RemoveEndpoint(..) | RemoveNetwork(_))
}

impl Objects {
    /// Adds one.
    pub fn insert(&mut self, object: Object) {
        if let Some(key) = object.thing.link() {
            self.links.insert((key, object.id));
        }
        if let Thing::Port(HostPort { protocol, port, address, .. }) = object.thing {
            self.ports.insert(((protocol, address, port), object.id));
        }
        self.all.insert(object.id, object);
    }

    fn put(&mut self, object: Object) {
        self.remove(object.id);
        self.insert(object);
    }

    fn remove(&mut self, id: i64) {
        let Some(object) = self.all.remove(&id) else { return };
        if let Some(key) = object.thing.link() {
            self.links.remove(&(key, id));
        }
        if let Thing::Port(HostPort { protocol, port, address, .. }) = object.thing {
            self.ports.remove(&((protocol, address, port), id));
        }
    }

    fn remove_all(&mut self, endpoint: &Id) {
        let of_endpoint = |object: &&Object| object.endpoint.as_ref() == Some(endpoint);
        let ids: Vec<i64> = self.all.values().filter(of_endpoint).map(|object| object.id).collect();
        ids.into_iter().for_each(|id| self.remove(id));
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
        self.id_of(key).and_then(|id| self.all.get(&id))
    }

    fn id_of(&self, key: &LinkKey) -> Option<i64> {
        let newest = self.links.range((key.clone(), i64::MIN)..=(key.clone(), i64::MAX)).next_back();
        newest.map(|(_, id)| *id)
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
        self.id_of(key).and_then(|id| self.all.get_mut(&id))
    }

    /// The port that this one is, or the range that it is in.
    pub fn port(&self, HostPort { protocol, port, address, .. }: HostPort) -> Option<(&Object, HostPort)> {
        let from = ((protocol, address, 0), i64::MIN);
        let (_, id) = self.ports.range(from..=((protocol, address, port), i64::MAX)).next_back()?;
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

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes all out, in the order of their ids.
    pub fn drain(&mut self) -> impl Iterator<Item = Object> + use<> {
        std::mem::take(self).all.into_values()
    }
}
