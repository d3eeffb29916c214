//! Address pools for container engines: Docker's remote address management.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;

use super::Inner;
use super::pool::{checked, ipv4_candidates};
use operation::engine::{Labels, Reply, RequestAddress, RequestPool, TakenPool};
use operation::network::PoolRequest;
use words::{Error, Id, Result, now};

/// Reserve no gateway address: the engine asks for it by itself.
const NO_GATEWAY: (bool, bool) = (true, true);

/// The first word of a gateway's lease.
const GATEWAY: &str = "gateway";

impl Inner {
    pub(super) fn take_pool(&self, request: RequestPool) -> Result<Reply> {
        let RequestPool { pool, range, ipv6, .. } = request;
        loop {
            let subnet = match pool {
                Some(subnet) => subnet.trunc(),
                None if ipv6 => self.store.free_pool(self.ipv6_candidates())?,
                None => self.store.free_pool(ipv4_candidates())?,
            };
            let taken = store::TakenPool {
                id: Id::random()?,
                pool: checked(&PoolRequest { subnet, range, gateway: None, aux_addresses: [].into() }, NO_GATEWAY)?,
                created: now(),
            };
            match self.store.take_pool(&taken) {
                Ok(()) => return Ok(Reply::Pool(TakenPool { id: taken.id, pool: subnet, data: Labels::new() })),
                // Another one took it in between: there are others.
                Err(store::Error::Exists(_)) if pool.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn release_pool(&self, pool: &Id) -> Result<Reply> {
        // dockerd gives a network's pools back before it removes the network, and until then nobody else may have them.
        let subnet = self.store.taken_pool(pool)?.map(|taken| taken.pool.subnet);
        let has_it = |network: &store::Network| {
            network.by_engine && network.pools.iter().any(|pool| Some(pool.subnet) == subnet)
        };
        let heir = self.store.networks()?.into_iter().find(has_it).map(|network| network.id);
        self.store.release_taken_pool(pool, heir.as_ref())?;
        Ok(Reply::Done)
    }

    pub(super) fn take_address(&self, request: RequestAddress) -> Result<Reply> {
        let pool = self.store.taken_pool(&request.pool)?;
        let pool = pool.ok_or_else(|| Error::not_found(format!("there is no address pool {}", request.pool)))?;
        let address = self.store.lease_address(&pool.id, &pool.pool, request.address, &owner(request.gateway))?;
        let net = IpNet::new(address, pool.pool.subnet.prefix_len());
        Ok(Reply::Address(net.map_err(|e| Error::internal(format!("{address}: {e}")))?))
    }

    pub(super) fn release_address(&self, pool: &Id, address: IpAddr) -> Result<Reply> {
        self.store.release_address(pool, address)?;
        Ok(Reply::Done)
    }
}

/// Nobody's name is known here: the owner is the request itself, another one each time, so that no two get the same address.
fn owner(gateway: bool) -> String {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    format!("{} {} {}-{number}", if gateway { GATEWAY } else { "endpoint" }, now(), std::process::id())
}

/// When an address was taken, if it goes with an endpoint: a gateway's goes with its pool.
pub(super) fn since(owner: &str) -> Option<u64> {
    let mut words = owner.split(' ');
    (words.next()? != GATEWAY).then(|| words.next()?.parse().ok()).flatten()
}
