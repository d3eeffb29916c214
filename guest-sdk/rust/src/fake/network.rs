//! A network and the calls that a front end makes for it.

use std::marker::PhantomData;

use ipnet::IpNet;

use super::capabilities::NetworkCall;
use super::state::{self, Owner};
use super::{Endpoint, call};
use crate::{
    Driver, IpamData, NetworkAllocator, NetworkInfo, NetworkOptions, ObjectType, Result, TableEvent, TableWatcher,
};

/// A network of the driver `D`.
pub struct Network<D> {
    /// Its id.
    pub id: String,
    /// What the user asks of it.
    pub options: NetworkOptions,
    /// Its IPv4 pools.
    pub ipv4: Vec<IpamData>,
    /// Its IPv6 pools.
    pub ipv6: Vec<IpamData>,
    driver: PhantomData<D>,
}

impl<D> Network<D> {
    /// A network of this id, without pools or options.
    pub fn new(id: impl Into<String>) -> Self {
        let (options, driver) = (NetworkOptions::default(), PhantomData);
        Self { id: id.into(), options, ipv4: Vec::new(), ipv6: Vec::new(), driver }
    }

    /// With this pool, its first address the gateway's.
    ///
    /// # Panics
    /// On anything but a network with its prefix length.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in a test")]
    pub fn pool(mut self, pool: &str) -> Self {
        let pool: IpNet = pool.parse().expect("a pool like 10.0.0.0/24");
        // IPv6 has no broadcast address to leave out, but its first is the routers' anycast address.
        let first = pool.hosts().find(|address| *address != pool.network());
        let gateway = first.and_then(|first| IpNet::new(first, pool.prefix_len()).ok());
        let data = IpamData { pool: Some(pool), gateway, ..IpamData::default() };
        match pool {
            IpNet::V4(_) => (self.options.ipv4, _) = (true, self.ipv4.push(data)),
            IpNet::V6(_) => (self.options.ipv6, _) = (true, self.ipv6.push(data)),
        }
        self
    }

    /// With this label of the user's.
    #[must_use]
    pub fn option(mut self, key: &str, value: &str) -> Self {
        self.options.generic.insert(key, value);
        self
    }

    /// Without a way out.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.options.internal = true;
        self
    }

    /// An endpoint of this network.
    pub fn endpoint(&self, id: impl Into<String>) -> Endpoint<D> {
        Endpoint::new(&self.id, id.into())
    }
}

impl<D: Driver> Network<D> {
    /// `create-network` of a driver that watches no tables.
    ///
    /// # Errors
    /// The driver's.
    pub fn create(&self) -> Result<()> {
        self.create_as(&NetworkCall { watches_tables: false })
    }

    fn create_as(&self, info: &NetworkCall) -> Result<()> {
        let pools = self.ipv4.iter().chain(&self.ipv6).filter_map(|data| data.pool).collect();
        call(&self.id, None, || {
            state::with(|state| state.pools.insert(self.id.clone(), pools));
            D::create_network(&self.id, &self.options, &NetworkInfo(info), &self.ipv4, &self.ipv6)
        })
    }

    /// `delete-network`; then what is left is swept.
    ///
    /// # Errors
    /// The driver's.
    pub fn delete(&self) -> Result<()> {
        call(&self.id, None, || D::delete_network(&self.id))?;
        state::with(|state| state.sweep(&Owner { network: self.id.clone(), endpoint: None }));
        Ok(())
    }
}

impl<D: Driver + TableWatcher> Network<D> {
    /// `create-network` of a driver that may watch tables.
    ///
    /// # Errors
    /// The driver's.
    pub fn create_watching(&self) -> Result<()> {
        self.create_as(&NetworkCall { watches_tables: true })
    }

    /// The type of what is in a table, if the driver watches it.
    pub fn watches(&self, table: &str) -> Option<ObjectType> {
        state::with(|state| state.watched.get(&(self.id.clone(), table.to_owned())).copied())
    }

    /// `event-notify`.
    ///
    /// # Errors
    /// The driver's.
    pub fn notify(&self, table: &str, key: &str, event: &TableEvent) -> Result<()> {
        call(&self.id, None, || D::event_notify(&self.id, table, key, event))
    }
}

impl<D: NetworkAllocator> Network<D> {
    /// `network-allocate`; what the driver answers is the network's options from now on.
    ///
    /// # Errors
    /// The driver's.
    pub fn allocate(&mut self) -> Result<()> {
        self.options.generic =
            call(&self.id, None, || D::network_allocate(&self.id, &self.options.generic, &self.ipv4, &self.ipv6))?;
        Ok(())
    }

    /// `network-free`.
    ///
    /// # Errors
    /// The driver's.
    pub fn free(&self) -> Result<()> {
        call(&self.id, None, || D::network_free(&self.id))
    }
}
