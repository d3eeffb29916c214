//! The nodes of the cluster, and what each has there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Inner;
use crate::cluster::{Key, SharedNode, owner};
use operation::node::Node;
use words::{Error, Kind, Name, Result};

/// What a node has.
#[derive(Default)]
struct Has<'a> {
    node: Option<SharedNode>,
    networks: BTreeSet<&'a str>,
    endpoints: usize,
    entries: usize,
}

impl Inner {
    /// All nodes that are there, or have something there.
    pub(super) fn nodes(&self) -> Result<Vec<Node>> {
        let cluster = self.cluster()?;
        let (keys, mirror) = (cluster.keys(), cluster.mirror());
        if !mirror.is_known() {
            drop(mirror);
            let why = "etcd was not read yet: try again in a moment";
            return Err(cluster.health().fault.map_or_else(|| Error::new(Kind::Unavailable, why), Error::from));
        }
        let mut all: BTreeMap<&str, Has<'_>> = BTreeMap::new();
        for (text, kept) in mirror.below(keys.all()) {
            let whose = owner(&kept.value).map(|(node, _)| node);
            match (keys.parse(text), whose) {
                (Some(Key::Node(name)), _) => {
                    all.entry(name).or_default().node = serde_json::from_slice(&kept.value).ok();
                }
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
                networks: has.networks.len(),
                endpoints: has.endpoints,
                entries: has.entries,
                name,
            })
        });
        Ok(named.collect())
    }

    /// Takes away what a node has that is gone. If it comes back, it puts there again what it still has and nobody took meanwhile.
    pub(super) fn remove_node(&self, name: &Name) -> Result<()> {
        let cluster = self.cluster()?;
        match cluster.forget_node(name)? {
            Some(0) => Err(Error::not_found(format!("the cluster has no node {name}: see `pontoon node ls`"))),
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
