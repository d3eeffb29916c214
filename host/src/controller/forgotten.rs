//! What a container engine has forgotten without telling: it was killed, or gave up on a daemon that was away.
//!
//! Two witnesses: the kernel, which removes a pair of links with its container's namespace, and the engine, if it can be asked. What
//! carries a container's packets stays, whatever the engine says: it may not be the one that made it.

use super::Inner;
use super::network::now;
use crate::kernel::{LinkName, Mark, Namespace};
use crate::operation::Result;
use crate::operation::engine::Known;
use crate::operation::table::Collected;
use crate::store::{Endpoint, Network, Thing};

/// Seconds in which a thing may be on its way: made here, and not written down by the engine yet.
const ON_ITS_WAY: u64 = 10;

/// What the kernel has of an endpoint's pair of links.
#[derive(Clone, Copy, PartialEq)]
enum Pair {
    /// It has none, or of another kind: the kernel can't tell.
    Unknown,
    /// It was removed with the container's namespace.
    Gone,
    /// One end is in a container.
    InUse,
    /// Both ends are on the host: the endpoint has not joined, or has left.
    OnHost,
}

impl Inner {
    pub(super) fn remove_forgotten(&self, known: Option<&Known>, collected: &mut Collected) -> Result<()> {
        for network in self.store.networks()?.into_iter().filter(|network| network.by_engine) {
            self.remove_endpoints_of(&network, known, collected)?;
            let is_known = known.is_none_or(|known| known.networks.contains(&network.id));
            if !is_known && is_old(network.created) && self.store.endpoint_count(&network.id)? == 0 {
                collected.forgotten.push(format!("network {}", network.name));
                self.delete_engine_network(&network.driver, &network.id)?;
            }
        }
        match known {
            Some(known) => self.release_forgotten_pools(known, collected),
            None => Ok(()),
        }
    }

    fn remove_endpoints_of(&self, network: &Network, known: Option<&Known>, collected: &mut Collected) -> Result<()> {
        for endpoint in self.store.endpoints(Some(&network.id))? {
            let unknown = known.is_some_and(|known| !known.endpoints.contains(&endpoint.id));
            let pair = self.pair(&endpoint)?;
            if pair == Pair::Gone || unknown && pair != Pair::InUse && is_old(endpoint.created) {
                let address = endpoint.address.map(|address| address.to_string()).unwrap_or_default();
                collected.endpoints.push(format!("{} {address} of network {}", endpoint.name, network.name));
                self.forget_endpoint(network, &endpoint)?;
            }
        }
        Ok(())
    }

    fn release_forgotten_pools(&self, known: &Known, collected: &mut Collected) -> Result<()> {
        for pool in self.store.taken_pools()? {
            if !known.subnets.contains(&pool.pool.subnet) && is_old(pool.created) {
                collected.forgotten.push(format!("pool {}", pool.pool.subnet));
                self.store.release_taken_pool(&pool.id)?;
                continue;
            }
            for lease in self.store.leases(&pool.id)? {
                let since = super::taken_pool::since(&lease.owner);
                if since.is_some_and(is_old) && !known.addresses.contains(&lease.address) {
                    collected.forgotten.push(format!("address {} of pool {}", lease.address, pool.pool.subnet));
                    self.store.release_address(&pool.id, lease.address)?;
                }
            }
        }
        Ok(())
    }

    /// The endpoints whose links the kernel has removed.
    pub(super) fn dead_endpoints(&self) -> Result<Vec<Endpoint>> {
        let mut dead = Vec::new();
        for network in self.store.networks()?.into_iter().filter(|network| network.by_engine) {
            for endpoint in self.store.endpoints(Some(&network.id))? {
                if self.pair(&endpoint)? == Pair::Gone {
                    dead.push(endpoint);
                }
            }
        }
        Ok(dead)
    }

    /// In its network's turn: by then it may be gone.
    pub(super) fn remove_if_dead(&self, endpoint: &Endpoint) -> Result<()> {
        let network = self.store.network(&endpoint.network)?;
        let endpoint = self.store.endpoint(&endpoint.network, &endpoint.id)?;
        if let (Some(network), Some(endpoint)) = (network, endpoint)
            && self.pair(&endpoint)? == Pair::Gone
        {
            self.forget_endpoint(&network, &endpoint)?;
        }
        Ok(())
    }

    fn pair(&self, endpoint: &Endpoint) -> Result<Pair> {
        let (mut ends, mut on_host) = (0, 0);
        for object in self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))? {
            let Thing::Link { name, peer: Some(_), .. } = object.thing else { continue };
            ends += 1;
            // By name: dockerd moves an end to a container and back, and that may change its index.
            let link = self.kernel.link_by_name(&Namespace::Host, &LinkName::new(&name)?)?;
            on_host += u32::from(link.is_some_and(|link| link.mark == Mark::Owned));
        }
        Ok(match (ends, on_host) {
            (0, _) => Pair::Unknown,
            (_, 0) => Pair::Gone,
            (ends, on_host) if on_host < ends => Pair::InUse,
            _ => Pair::OnHost,
        })
    }
}

fn is_old(created: u64) -> bool {
    now().saturating_sub(created) >= ON_ITS_WAY
}
