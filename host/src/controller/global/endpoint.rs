//! The addresses of an endpoint on a network of global scope: taken in the whole cluster before the endpoint is made.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::Inner;
use super::compare::shared_endpoint;
use crate::cluster::{Cluster, Key, Outcome, Wanted, Which, owned};
use operation::endpoint::Attach;
use store::{Batch, Durability, Endpoint, Network, Write};
use words::{Error, Kind, Name, Result};

/// How many addresses are tried that turn out to be another node's.
const TRIES: usize = 256;

impl Inner {
    /// Addresses that no other node has. Like [`leases`](Inner::leases) they are the endpoint's here once what is answered is committed; in the
    /// cluster they are its from now on.
    pub(in crate::controller) fn claim(
        &self,
        network: &Network,
        endpoint: &mut Endpoint,
        attach: &Attach,
    ) -> Result<Vec<Write>> {
        let cluster = self.cluster()?;
        for _ in 0..TRIES {
            let (leases, _) = self.leases(network, endpoint, attach)?;
            match cluster.write(network.id.as_str(), &wanted(cluster, endpoint)?)? {
                Outcome::Done => return Ok(leases),
                Outcome::Gone => {
                    return Err(Error::not_found(format!("the network {} is gone from the cluster", network.name)));
                }
                Outcome::Taken { key, node } => {
                    let Some(Key::Address { address, .. }) = cluster.keys().parse(&key) else {
                        return Err(Error::exists(format!("{key} belongs to the node {node}")));
                    };
                    let asked = [attach.address.map(IpAddr::from), attach.address_ipv6.map(IpAddr::from)];
                    if asked.contains(&Some(address)) {
                        return Err(Error::exists(format!("{address} is taken by the node {node}")));
                    }
                    let (network, node) = (network.id.clone(), Some(Name::new(&node)?));
                    let writes = vec![Write::SetElsewhere { network, address, node }];
                    self.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
                }
            }
        }
        let why = format!("the other nodes took {TRIES} addresses of the network {} meanwhile", network.name);
        Err(Error::new(Kind::Unavailable, format!("{why}: try again")))
    }

    /// What an endpoint had in the cluster is looked at again: what it has no more is taken back there, at once or when etcd answers again.
    pub(in crate::controller) fn unclaim(&self, network: &Network, endpoint: &Endpoint) {
        if let Some(cluster) = self.cluster.as_deref().filter(|_| network.global) {
            cluster.mark(network.id.as_str(), Which::These(keys(cluster, endpoint)));
        }
    }
}

fn addresses(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> {
    let ipv4 = endpoint.address.map(|net| IpAddr::from(net.addr()));
    ipv4.into_iter().chain(endpoint.address_ipv6.map(|net| net.addr().into()))
}

fn keys(cluster: &Cluster, endpoint: &Endpoint) -> BTreeSet<String> {
    let (keys, network) = (cluster.keys(), endpoint.network.as_str());
    let own = keys.of(&Key::Endpoint { network, endpoint: endpoint.id.as_str() });
    addresses(endpoint).map(|address| keys.of(&Key::Address { network, address })).chain([own]).collect()
}

fn wanted(cluster: &Cluster, endpoint: &Endpoint) -> Result<Vec<Wanted>> {
    let (node, name) = (cluster.node().as_str(), shared_endpoint(&endpoint.name)?);
    let named = keys(cluster, endpoint).into_iter().map(|key| {
        let bytes = match cluster.keys().parse(&key) {
            Some(Key::Endpoint { .. }) => &name,
            _ => endpoint.id.as_str().as_bytes(),
        };
        Wanted { value: Some(owned(node, bytes)), key, leased: false }
    });
    Ok(named.collect())
}
