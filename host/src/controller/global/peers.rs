//! What each node has on one network, and what the network's driver says of it.

use std::collections::BTreeMap;

use super::super::Inner;
use crate::cluster::{Key, SharedEndpoint, SharedNode, owner};
use operation::node::{Peer, PeerEndpoint};
use operation::table::Entry;
use store::{ELSEWHERE, OWN};
use words::{Id, Name};

impl Inner {
    /// The nodes that have something on a network of global scope, in order. `entries`: those of its tables, explained. None: it is of this host
    /// alone, or etcd was not read yet.
    pub(in crate::controller) fn peers(&self, network: &Id, entries: &[Entry]) -> Option<Vec<Peer>> {
        let cluster = self.cluster.as_deref()?;
        let (keys, mirror) = (cluster.keys(), cluster.mirror());
        if !mirror.is_known() {
            return None;
        }
        let (mut peers, mut addresses) = (BTreeMap::<Name, Peer>::new(), BTreeMap::<&str, Vec<_>>::new());
        let below = keys.of_network(network.as_str());
        let all = mirror.below(&below).filter_map(|(text, kept)| Some((keys.parse(text)?, owner(&kept.value)?)));
        for (key, (node, bytes)) in all {
            let Ok(name) = Name::new(node) else { continue };
            match key {
                Key::Address { address, .. } => {
                    addresses.entry(std::str::from_utf8(bytes).unwrap_or_default()).or_default().push(address);
                }
                Key::Endpoint { endpoint, .. } => {
                    let (Ok(id), Ok(shared)) = (Id::new(endpoint), serde_json::from_slice::<SharedEndpoint>(bytes))
                    else {
                        continue;
                    };
                    let there = mirror.get(&keys.of(&Key::Node(node)));
                    let there = there.and_then(|kept| serde_json::from_slice::<SharedNode>(&kept.value).ok());
                    let peer = peers.entry(name.clone()).or_insert_with(|| Peer {
                        here: name == *cluster.node(),
                        node: name,
                        address: there.map(|node| node.address),
                        endpoints: Vec::new(),
                    });
                    peer.endpoints.push(PeerEndpoint {
                        id,
                        name: shared.name,
                        addresses: Vec::new(),
                        details: BTreeMap::new(),
                    });
                }
                _ => {}
            }
        }
        for peer in peers.values_mut() {
            let of_peer = |entry: &&Entry| match entry.owner.strip_prefix(ELSEWHERE) {
                Some(node) => node == peer.node.as_str(),
                None => peer.here && entry.owner == OWN,
            };
            for endpoint in &mut peer.endpoints {
                endpoint.addresses = addresses.remove(endpoint.id.as_str()).unwrap_or_default();
                // The title of an entry about an endpoint is that one's id.
                let about = |entry: &&Entry| entry.title.as_deref() == Some(endpoint.id.as_str());
                let about = entries.iter().filter(of_peer).filter(about);
                endpoint.details = about.flat_map(|entry| entry.details.clone()).collect();
            }
        }
        Some(peers.into_values().collect())
    }
}
