//! Address pools for container engines: Docker's remote address management.

use std::net::IpAddr;

use ipnet::IpNet;

use super::pool::checked;
use super::{Controller, Inner};
use operation::engine::{Labels, Purpose, Reply, RequestAddress, RequestPool, TakenPool as Taken};
use operation::network::PoolRequest;
use operation::origin::Origin;
use store::TakenPool;
use words::{Error, Id, Name, Result, now};

/// Reserve no gateway address: the engine asks for it by itself.
const NO_GATEWAY: (bool, bool) = (true, true);

impl Controller {
    /// The network of the endpoint that has an address of a taken pool: its release waits for that network's turn, in which the endpoint may be going.
    pub(super) async fn holder_of(&self, pool: Id, address: IpAddr) -> Result<Option<Id>> {
        self.plain(move |inner| Ok(inner.store.holder_of(&pool, address)?)).await
    }
}

impl Inner {
    /// Of the driver's part `ipam`, or of Pontoon's own.
    pub(super) fn take_pool(&self, origin: &Origin, driver: &Name, request: RequestPool) -> Result<Reply> {
        if let Ok(mut steps) = self.manager(driver) {
            let TakenPool { id, pool, .. } = steps.request_pool(origin, &request)?;
            return Ok(Reply::Pool(Taken { id, pool: pool.subnet, data: Labels::new() }));
        }
        let RequestPool { pool, range, ipv6, .. } = request;
        loop {
            let subnet = match pool {
                Some(subnet) => subnet.trunc(),
                None => self.free_pool(!ipv6, false, &self.subnets_of_cluster())?,
            };
            let taken = TakenPool {
                id: Id::random()?,
                origin: origin.clone(),
                pool: checked(&PoolRequest { subnet, range, gateway: None, aux_addresses: [].into() }, NO_GATEWAY)?,
                driver: None,
                created: now(),
            };
            match self.store.take_pool(&taken) {
                Ok(()) => return Ok(Reply::Pool(Taken { id: taken.id, pool: subnet, data: Labels::new() })),
                // Another one took it in between: there are others.
                Err(store::Error::Exists(_)) if pool.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn release_pool(&self, pool: &Id) -> Result<Reply> {
        // dockerd gives a network's pools back before it removes the network, and until then nobody else may have them.
        let Some(taken) = self.store.taken_pool(pool)? else { return Ok(Reply::Done) };
        let has_it = |network: &store::Network| {
            network.origin.engine() == taken.origin.engine()
                && network.pools.iter().any(|pool| pool.subnet == taken.pool.subnet)
        };
        let heir = self.store.networks()?.into_iter().find(has_it).map(|network| network.id);
        self.release_one_pool(pool, heir.as_ref());
        Ok(Reply::Done)
    }

    pub(super) fn take_address(&self, request: RequestAddress) -> Result<Reply> {
        let pool = self.taken_pool(&request.pool)?;
        let address = match &pool.driver {
            Some(driver) => self.manager(driver)?.request_address(&pool, &request, Id::random()?.as_str())?,
            None => self.store.take_address(&pool, request.address, request.purpose == Purpose::Gateway)?,
        };
        let net = IpNet::new(address, pool.pool.subnet.prefix_len());
        Ok(Reply::Address(net.map_err(|e| Error::internal(format!("{address}: {e}")))?))
    }

    /// An engine gives an address back after it had the endpoint deleted. An endpoint that is there has the address as a new one: the engine speaks
    /// of one before it, whose address was given back without it.
    pub(super) fn release_address(&self, pool: &Id, address: IpAddr) -> Result<Reply> {
        match self.store.holder_of(pool, address)? {
            Some(network) => tracing::info!(%network, %address, "stays taken: an endpoint has it by now"),
            None => drop(self.release_one_address(pool, address)),
        }
        Ok(Reply::Done)
    }
}
