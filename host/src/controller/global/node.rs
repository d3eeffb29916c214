//! The nodes of the cluster, and what each has there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Inner;
use crate::cluster::{Key, Mirror, Seen, SharedEndpoint, SharedNode, owner};
use operation::node::{Availability, Node, NodeDetails, NodeEndpoint, NodeNetwork};
use words::{Error, Id, Kind, Name, Result};

/// What a node has.
#[derive(Default)]
struct Has<'a> {
    node: Option<SharedNode>,
    networks: BTreeSet<&'a str>,
    endpoints: usize,
    entries: usize,
    drained: bool,
}

impl Inner {
    /// How far this node is behind etcd; see [`Cluster::lag`](crate::cluster::Cluster::lag).
    pub(super) fn lag(&self) -> Option<u64> {
        self.cluster.as_deref()?.lag()
    }

    /// All nodes that are there, or have something there. `lag`: this one's.
    pub(in crate::controller) fn nodes(&self, lag: Option<u64>) -> Result<Vec<Node>> {
        let cluster = self.cluster()?;
        let (keys, mirror) = (cluster.keys(), self.known_mirror()?);
        let mut all: BTreeMap<&str, Has<'_>> = BTreeMap::new();
        for (text, kept) in mirror.below(keys.all()) {
            let whose = owner(&kept.value).map(|(node, _)| node);
            match (keys.parse(text), whose) {
                (Some(Key::Node(name)), _) => {
                    all.entry(name).or_default().node = serde_json::from_slice(&kept.value).ok();
                }
                (Some(Key::Drained(name)), _) => all.entry(name).or_default().drained = true,
                (Some(Key::Endpoint { network, .. }), Some(node)) => {
                    let has = all.entry(node).or_default();
                    has.endpoints += 1;
                    has.networks.insert(network);
                }
                (Some(Key::Entry { .. }), Some(node)) => all.entry(node).or_default().entries += 1,
                _ => {}
            }
        }
        let named = all.into_iter().filter_map(|(name, has)| {
            let name = Name::new(name).ok()?;
            Some(Node {
                here: name == *cluster.node(),
                address: has.node.as_ref().map(|node| node.address),
                since: has.node.map(|node| node.since),
                availability: if has.drained { Availability::Drain } else { Availability::Active },
                networks: has.networks.len(),
                endpoints: has.endpoints,
                entries: has.entries,
                lag: lag.filter(|_| name == *cluster.node()),
                name,
            })
        });
        Ok(named.collect())
    }

    /// What is in the cluster, if it was read at all.
    fn known_mirror(&self) -> Result<Seen<'_>> {
        let cluster = self.cluster()?;
        let mirror = cluster.mirror();
        if mirror.is_known() {
            return Ok(mirror);
        }
        drop(mirror);
        let why = "etcd was not read yet: try again in a moment";
        Err(cluster.health().fault.map_or_else(|| Error::new(Kind::Unavailable, why), Error::from))
    }

    /// All of one node.
    pub(super) fn node(&self, name: &Name) -> Result<NodeDetails> {
        let nodes = self.nodes(self.lag())?;
        let node = nodes.into_iter().find(|node| node.name == *name).ok_or_else(|| unknown(name))?;
        let (keys, mirror) = (self.cluster()?.keys(), self.known_mirror()?);
        let lease = mirror.get(&keys.of(&Key::Node(name.as_str()))).map(|kept| format!("{:x}", kept.lease));
        let (mut addresses, mut networks) = (BTreeMap::<&str, Vec<_>>::new(), BTreeMap::<&str, Vec<_>>::new());
        let all = || mirror.below(keys.all()).filter_map(|(text, kept)| Some((keys.parse(text)?, owner(&kept.value)?)));
        let own = || all().filter(|(_, (node, _))| *node == name.as_str()).map(|(key, (_, bytes))| (key, bytes));
        for (key, bytes) in own() {
            if let (Key::Address { address, .. }, Ok(endpoint)) = (key, std::str::from_utf8(bytes)) {
                addresses.entry(endpoint).or_default().push(address);
            }
        }
        for (key, bytes) in own() {
            let Key::Endpoint { network, endpoint } = key else { continue };
            let (Ok(id), Ok(SharedEndpoint { name })) = (Id::new(endpoint), serde_json::from_slice(bytes)) else {
                continue;
            };
            let addresses = addresses.remove(endpoint).unwrap_or_default();
            networks.entry(network).or_default().push(NodeEndpoint { id, name, addresses });
        }
        let attached = networks.into_iter().filter_map(|(id, endpoints)| {
            Some(NodeNetwork {
                id: Id::new(id).ok()?,
                name: network_name(&mirror, &keys.of(&Key::Name(id))),
                endpoints,
            })
        });
        Ok(NodeDetails { node, lease, attached: attached.collect() })
    }

    /// A node takes new endpoints, or none, from now on.
    pub(super) fn update_node(&self, name: &Name, availability: Availability) -> Result<()> {
        if !self.nodes(None)?.iter().any(|node| node.name == *name) {
            return Err(unknown(name));
        }
        self.cluster()?.drain(name, availability == Availability::Drain)
    }

    /// Takes away what a node has that is gone. If it comes back, it puts there again what it still has and nobody took meanwhile.
    pub(super) fn remove_node(&self, name: &Name) -> Result<()> {
        let cluster = self.cluster()?;
        match cluster.forget_node(name)? {
            Some(0) => Err(unknown(name)),
            Some(keys) => {
                tracing::info!(%name, keys, "the node is forgotten");
                Ok(())
            }
            None => Err(Error::forbidden(format!(
                "the node {name} is there: stop its daemon first, and wait until its lease has ended"
            ))),
        }
    }
}

fn unknown(name: &Name) -> Error {
    Error::not_found(format!("the cluster has no node {name}: see `pontoon node ls`"))
}

fn network_name(mirror: &Mirror, key: &str) -> Option<Name> {
    Name::new(std::str::from_utf8(&mirror.get(key)?.value).ok()?).ok()
}
