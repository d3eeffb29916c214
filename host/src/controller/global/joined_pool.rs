//! The pools and addresses of a network of global scope that a container engine joined. An engine asks for an address before it makes the endpoint:
//! the address is taken in the whole cluster at once, for nobody yet, and with the endpoint it becomes the endpoint's. One that nobody comes for is
//! free after a start, and after garbage collection.
//!
//! Where the engine chooses addresses by itself, they are taken with the endpoint.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::Inner;
use super::endpoint::wanted;
use super::joined::{joins, not_its, subnets};
use crate::cluster::{Key, Wanted, Which, owned};
use operation::engine::{Labels, Purpose, Reply, RequestAddress, RequestPool, TakenPool};
use operation::network::Pool;
use store::{Batch, Durability, Endpoint, Network, Write};
use words::{Error, Id, Result};

/// What owns an address begins so until an endpoint has it.
const FOR_NOBODY: &str = "engine:";

/// The network, and whether IPv6 is meant, of a pool that is one's of the cluster; none: it is another pool, whose id has no dot.
pub(in crate::controller) fn pool_of(pool: &Id) -> Option<(Id, bool)> {
    let (id, family) = pool.as_str().rsplit_once('.')?;
    match family {
        "4" | "6" => Some((Id::new(id).ok()?, family == "6")),
        _ => None,
    }
}

impl Inner {
    /// The pool of this family that the network has.
    pub(in crate::controller) fn joined_pool(&self, request: &RequestPool) -> Result<Reply> {
        let network = self.joinable(joins(&request.options).map_or("", String::as_str))?;
        let pool = first_pool(&network, request.ipv6)?;
        let own = format!("say {}", subnets(&network));
        match (request.pool, request.range) {
            // Of a pool that it did not name, dockerd asks for another one for ever if the host reaches it, as it does where the network is made.
            (None, _) => return Err(Error::invalid(format!("the network {} of the cluster: {own}", network.name))),
            (Some(other), _) if other.trunc() != pool.subnet => {
                return Err(not_its(&network, &format!("subnet {other}"), &own));
            }
            (_, Some(range)) => {
                return Err(not_its(&network, &format!("range {range} for this host alone"), "leave out --ip-range"));
            }
            _ => {}
        }
        let id = Id::new(&format!("{}.{}", network.id, if request.ipv6 { 6 } else { 4 }))?;
        Ok(Reply::Pool(TakenPool { id, pool: pool.subnet, data: Labels::new() }))
    }

    /// An address for an endpoint that is not made yet, taken in the whole cluster; or the gateway's.
    pub(in crate::controller) fn joined_address(&self, request: &RequestAddress) -> Result<Reply> {
        let no_pool = || Error::not_found(format!("there is no address pool {}", request.pool));
        let (id, ipv6) = pool_of(&request.pool).ok_or_else(no_pool)?;
        let network = self.store.network(&id)?.filter(|network| network.global).ok_or_else(no_pool)?;
        let pool = first_pool(&network, ipv6)?;
        let net = |address| {
            let net = IpNet::new(address, pool.subnet.prefix_len());
            net.map(Reply::Address).map_err(|e| Error::internal(format!("{address}: {e}")))
        };
        if request.purpose == Purpose::Gateway {
            let none = || Error::not_found(format!("the network {} has no gateway in {}", network.name, pool.subnet));
            let gateway = pool.gateway.ok_or_else(none)?;
            return match request.address.filter(|other| *other != gateway) {
                Some(other) => Err(not_its(&network, &format!("gateway {other}"), "leave out --gateway")),
                None => net(gateway),
            };
        }
        let owner = format!("{FOR_NOBODY}{}", Id::random()?);
        let address = self.claim_free(&network, &[request.address], |cluster| {
            let address = self.store.find_address(&network.id, pool, request.address, &owner)?;
            let key = cluster.keys().of(&Key::Address { network: network.id.as_str(), address });
            let value = Some(owned(cluster.node().as_str(), owner.as_bytes()));
            Ok((address, vec![Wanted { key, value, leased: false }]))
        })?;
        let next = request.address.is_none();
        let lease = Write::Lease { network: network.id.clone(), pool: pool.clone(), address, owner, next };
        let batch = Batch { writes: vec![lease], durability: Durability::Process, ..Batch::default() };
        if let Err(error) = self.store.commit(batch) {
            self.mark_address(&network, address);
            return Err(error.into());
        }
        net(address)
    }

    /// An engine gives an address back. What an endpoint has stays that one's: the engine speaks of one before it.
    pub(in crate::controller) fn release_joined(&self, pool: &Id, address: IpAddr) -> Result<Reply> {
        let Some((id, _)) = pool_of(pool) else { return Ok(Reply::Done) };
        let Some(network) = self.store.network(&id)? else { return Ok(Reply::Done) };
        if self.is_for_nobody(&network, address)? {
            self.store.release_address(&network.id, address)?;
            self.mark_address(&network, address);
        }
        Ok(Reply::Done)
    }

    fn is_for_nobody(&self, network: &Network, address: IpAddr) -> Result<bool> {
        let owner = self.store.owner_of_address(&network.id, address)?;
        Ok(owner.is_some_and(|owner| owner.starts_with(FOR_NOBODY)))
    }

    fn mark_address(&self, network: &Network, address: IpAddr) {
        let Some(cluster) = self.cluster.as_deref() else { return };
        let key = cluster.keys().of(&Key::Address { network: network.id.as_str(), address });
        cluster.mark(network.id.as_str(), Which::These([key].into()));
    }

    /// The addresses that an engine gave an endpoint are its in the whole cluster. Answers what makes them its here.
    pub(in crate::controller) fn claim_chosen(&self, network: &Network, endpoint: &Endpoint) -> Result<Vec<Write>> {
        let ipv4 = endpoint.address.map(|net| IpAddr::from(net.addr()));
        let chosen = [ipv4, endpoint.address_ipv6.map(|net| IpAddr::from(net.addr()))];
        self.claim_free(network, &chosen, |cluster| {
            let mut writes = Vec::new();
            for address in chosen.into_iter().flatten() {
                if !self.is_for_nobody(network, address)? {
                    let lease = self.lease_one(network, endpoint, Some(address), address.is_ipv4())?;
                    writes.extend(lease.map(|(_, lease)| lease));
                    continue;
                }
                writes.push(Write::ReleaseAddress { network: network.id.clone(), address });
                let pool = first_pool(network, address.is_ipv6())?.clone();
                let (network, owner) = (network.id.clone(), endpoint.id.to_string());
                writes.push(Write::Lease { network, pool, address, owner, next: false });
            }
            Ok((writes, wanted(cluster, endpoint)?))
        })
    }
}

/// The pool of a family from which endpoints have their addresses.
fn first_pool(network: &Network, ipv6: bool) -> Result<&Pool> {
    let family = if ipv6 { "IPv6" } else { "IPv4" };
    let none = || Error::invalid(format!("the network {} of the cluster has no {family} addresses", network.name));
    network.pools.iter().find(|pool| pool.subnet.addr().is_ipv6() == ipv6).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_the_cluster_is_known_by_its_id() {
        let of = |text: &str| pool_of(&Id::new(text).unwrap()).map(|(id, ipv6)| (id.to_string(), ipv6));
        assert_eq!((of("ab.4"), of("ab.6")), (Some(("ab".into(), false)), Some(("ab".into(), true))));
        assert_eq!((of("ab"), of("ab.5"), of(Id::random().unwrap().as_str())), (None, None, None));
    }
}
