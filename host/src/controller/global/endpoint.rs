//! The addresses of an endpoint on a network of global scope: taken in the whole cluster before the endpoint is made.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::Inner;
use super::compare::shared_endpoint;
use crate::cluster::{Cluster, Key, Outcome, Wanted, Which, owned};
use operation::endpoint::Attach;
use store::{Batch, Durability, ELSEWHERE, Endpoint, Network, Write};
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
        let asked = [attach.address.map(IpAddr::from), attach.address_ipv6.map(IpAddr::from)];
        self.claim_free(network, &asked, |cluster| {
            let (leases, _) = self.leases(network, endpoint, attach)?;
            Ok((leases, wanted(cluster, endpoint)?))
        })
    }

    /// Looks for something that is free here, and takes it in the cluster, until no other node has it. `asked`: addresses that nothing else will
    /// do for.
    pub(super) fn claim_free<T>(
        &self,
        network: &Network,
        asked: &[Option<IpAddr>],
        mut look: impl FnMut(&Cluster) -> Result<(T, Vec<Wanted>)>,
    ) -> Result<T> {
        let cluster = self.cluster()?;
        if cluster.is_drained(cluster.node()) {
            let node = cluster.node();
            let why = format!("the node {node} is drained and takes no new endpoints: `pontoon node activate {node}`");
            return Err(Error::new(Kind::Unavailable, why));
        }
        for address in asked.iter().flatten() {
            self.look_again(cluster, network, *address)?;
        }
        for _ in 0..TRIES {
            let (found, wanted) = look(cluster)?;
            match cluster.write(network.id.as_str(), &wanted)? {
                Outcome::Done => return Ok(found),
                Outcome::Gone => {
                    return Err(Error::not_found(format!("the network {} is gone from the cluster", network.name)));
                }
                Outcome::Taken { key, node } => {
                    let Some(Key::Address { address, .. }) = cluster.keys().parse(&key) else {
                        return Err(Error::exists(format!("{key} belongs to the node {node}")));
                    };
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

    /// An address that another node had when that was last heard, and has no more, is free here, too.
    fn look_again(&self, cluster: &Cluster, network: &Network, address: IpAddr) -> Result<()> {
        let owner = self.store.owner_of_address(&network.id, address)?;
        let key = cluster.keys().of(&Key::Address { network: network.id.as_str(), address });
        if owner.is_some_and(|owner| owner.starts_with(ELSEWHERE)) && cluster.is_absent(&key)? {
            let writes = vec![Write::SetElsewhere { network: network.id.clone(), address, node: None }];
            self.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
        }
        Ok(())
    }

    /// What an endpoint had that is gone here goes from the cluster, too, before that is answered; where etcd does not answer, later.
    pub(in crate::controller) fn let_go(&self, network: &Network, endpoint: &Endpoint) {
        let Some(cluster) = self.cluster.as_deref().filter(|_| network.global) else { return };
        let gone = |key| Wanted { key, value: None, leased: false };
        let gone: Vec<_> = keys(cluster, endpoint).into_iter().map(gone).collect();
        if cluster.health().fault.is_some() || cluster.write(network.id.as_str(), &gone).is_err() {
            self.unclaim(network, endpoint);
        }
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

/// Its endpoint and its addresses, as they are to be in the cluster.
pub(super) fn wanted(cluster: &Cluster, endpoint: &Endpoint) -> Result<Vec<Wanted>> {
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
