//! Address management by a driver: the pools and addresses of networks that have it (`network create --ipam`), and what of it nobody has any more.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Inner;
use super::lifecycle::Steps;
use super::pool::{check_families, checked, families_without_pool};
use grant::{Grant, Range};
use operation::driver::CallTrace;
use operation::endpoint::Attach;
use operation::engine::{Labels, Purpose, RequestAddress, RequestPool};
use operation::network::{CreateNetwork, Pool, PoolRequest, PoolUsage};
use operation::origin::Origin;
use store::{Endpoint, Ipam, Network, TakenPool};
use words::{Error, Id, MacAddress, Name, Result};

/// Subnets that a driver is told it can't give.
const EXCLUDED: usize = 1_000;

/// What dockerd calls the endpoint's name, from 29 on.
const ENDPOINT_NAME: &str = "com.docker.network.endpoint.name";

impl Inner {
    /// The steps of a driver that manages addresses.
    pub(super) fn manager(&self, driver: &Name) -> Result<Steps<'_>> {
        let steps = self.steps(driver)?;
        match steps.driver.record.ipam {
            Some(_) => Ok(steps),
            None => Err(Error::invalid(format!("the driver {driver} manages no addresses: it does not export ipam"))),
        }
    }

    /// Takes a network's pools, with their gateways and reserved addresses, of the driver that its operator named. After an error nothing is taken.
    /// Answers the calls that this took.
    pub(super) fn take_pools(
        &self,
        network: &mut Network,
        create: &CreateNetwork,
        ipam: &Name,
        skip: (bool, bool),
    ) -> Result<Vec<CallTrace>> {
        check_families(create)?;
        if create.no_pools {
            return Err(Error::invalid("a network without pools has no addresses to manage: leave out one of the two"));
        }
        let mut steps = self.manager(ipam)?;
        let registered = steps.driver.record.ipam.as_ref();
        network.address_space = registered.map(|ipam| ipam.local_address_space.clone()).unwrap_or_default();
        // The gateway is asked for, and not chosen here.
        let asked = create.pools.iter().map(|r| checked(r, (true, true))).collect::<Result<Vec<_>>>()?;
        let free: Vec<bool> = families_without_pool(create, &asked).collect();
        network.ipam = Some(Ipam { driver: ipam.clone(), pools: Vec::new() });
        let requests = create.pools.iter().map(|r| (Some(r), r.subnet.addr().is_ipv4()));
        for (request, ipv4) in requests.chain(free.into_iter().map(|ipv4| (None, ipv4))) {
            let skip = if ipv4 { skip.0 } else { skip.1 };
            if let Err(error) = self.take_network_pool(&mut steps, network, create, request, ipv4, skip) {
                self.release_pools(network);
                return Err(error);
            }
        }
        Ok(steps.calls.traces)
    }

    fn take_network_pool(
        &self,
        steps: &mut Steps<'_>,
        network: &mut Network,
        create: &CreateNetwork,
        request: Option<&PoolRequest>,
        ipv4: bool,
        skip: bool,
    ) -> Result<()> {
        let address_space = network.address_space.clone();
        let (pool, range) = (request.map(|r| r.subnet), request.and_then(|r| r.range));
        let wanted = RequestPool { address_space, pool, range, ipv6: !ipv4, options: create.ipam_options.clone() };
        let taken = steps.request_pool(&Origin::Native, &wanted)?;
        network.ipam.iter_mut().for_each(|ipam| ipam.pools.push(taken.id.clone()));
        let mut pool = taken.pool.clone();
        let mut take = |address, purpose| {
            let request =
                RequestAddress { pool: taken.id.clone(), address, purpose, mac: None, options: Labels::new() };
            steps.request_address(&taken, &request, network.id.as_str())
        };
        let gateway = request.and_then(|r| r.gateway);
        if gateway.is_some() || !skip {
            pool.gateway = Some(take(gateway, Purpose::Gateway)?);
        }
        for (name, address) in request.iter().flat_map(|r| &r.aux_addresses) {
            pool.aux_addresses.insert(name.clone(), take(Some(*address), Purpose::Reserved)?);
        }
        network.pools.push(pool);
        Ok(())
    }

    /// Asks for an endpoint's addresses, one of each family that the network has. After an error none is taken. Answers the calls that this took.
    pub(super) fn take_addresses(
        &self,
        network: &Network,
        endpoint: &mut Endpoint,
        attach: &Attach,
    ) -> Result<Vec<CallTrace>> {
        let Some(ipam) = &network.ipam else { return Ok(Vec::new()) };
        let mut steps = self.manager(&ipam.driver)?;
        if endpoint.mac.is_none() && steps.driver.record.ipam.as_ref().is_some_and(|ipam| ipam.requires_mac_address) {
            endpoint.mac = Some(random_mac()?);
        }
        let wanted = [(attach.address.map(IpAddr::from), true), (attach.address_ipv6.map(IpAddr::from), false)];
        for (wanted, ipv4) in wanted {
            match self.take_address_of(&mut steps, network, ipam, endpoint, (wanted, ipv4)) {
                Ok(Some(IpNet::V4(net))) => endpoint.address = Some(net),
                Ok(Some(IpNet::V6(net))) => endpoint.address_ipv6 = Some(net),
                Ok(None) => {}
                Err(error) => {
                    self.release_addresses(network, &endpoint.id, |_| true);
                    return Err(error);
                }
            }
        }
        Ok(steps.calls.traces)
    }

    /// An address of the first pool of a family, or the wanted one.
    fn take_address_of(
        &self,
        steps: &mut Steps<'_>,
        network: &Network,
        ipam: &Ipam,
        endpoint: &Endpoint,
        (wanted, ipv4): (Option<IpAddr>, bool),
    ) -> Result<Option<IpNet>> {
        let fits = |pool: &Pool| match wanted {
            Some(address) => pool.subnet.contains(&address),
            None => pool.subnet.addr().is_ipv4() == ipv4,
        };
        let Some(place) = network.pools.iter().position(fits) else {
            let outside = |a| Error::invalid(format!("{a} lies in no subnet of the network {}", network.name));
            return wanted.map_or(Ok(None), |address| Err(outside(address)));
        };
        let Some(pool) = ipam.pools.get(place).map(|id| self.taken_pool(id)).transpose()? else { return Ok(None) };
        let request = RequestAddress {
            pool: pool.id.clone(),
            address: wanted,
            purpose: Purpose::Endpoint,
            mac: endpoint.mac,
            options: [(ENDPOINT_NAME.to_owned(), endpoint.name.to_string())].into(),
        };
        let address = steps.request_address(&pool, &request, endpoint.id.as_str())?;
        let net = IpNet::new(address, pool.pool.subnet.prefix_len());
        net.map(Some).map_err(|e| Error::internal(format!("{address}: {e}")))
    }

    /// A pool that was taken.
    pub(super) fn taken_pool(&self, id: &Id) -> Result<TakenPool> {
        self.store.taken_pool(id)?.ok_or_else(|| Error::not_found(format!("there is no address pool {id}")))
    }

    /// Gives back such addresses of an endpoint as the driver gave that manages its network's. They are free afterwards, whatever the driver does.
    /// Answers the calls of it that came through.
    pub(super) fn release_addresses(
        &self,
        network: &Network,
        endpoint: &Id,
        which: fn(&IpAddr) -> bool,
    ) -> Vec<CallTrace> {
        let mut calls = Vec::new();
        for pool in network.ipam.iter().flat_map(|ipam| &ipam.pools) {
            let own = self.store.leases_of(pool, endpoint.as_str()).unwrap_or_default();
            let own = own.into_iter().filter(|lease| which(&lease.address));
            calls.extend(own.flat_map(|lease| self.release_one_address(pool, lease.address)));
        }
        calls
    }

    /// Gives back an address of a taken pool. Answers the call, if it came through.
    pub(super) fn release_one_address(&self, pool: &Id, address: IpAddr) -> Vec<CallTrace> {
        let released = match self.store.taken_pool(pool) {
            Ok(Some(TakenPool { driver: Some(driver), .. })) => self.manager(&driver).and_then(|mut steps| {
                steps.release_address(pool, address)?;
                Ok(steps.calls.traces)
            }),
            _ => self.store.release_address(pool, address).map(|()| Vec::new()).map_err(Error::from),
        };
        released.unwrap_or_else(|error| {
            tracing::warn!(%address, "its driver failed to take it back, and it is free all the same: {error}");
            if let Err(error) = self.store.release_address(pool, address) {
                tracing::error!(%address, "can't be released: {error}");
            }
            Vec::new()
        })
    }

    /// Gives back the pools that a network has of a driver, with their addresses. Answers the calls of it that came through.
    pub(super) fn release_pools(&self, network: &Network) -> Vec<CallTrace> {
        let pools = network.ipam.iter().flat_map(|ipam| &ipam.pools);
        pools.flat_map(|pool| self.release_one_pool(pool, None)).collect()
    }

    /// Gives back a taken pool. It is free afterwards, whatever the driver does that gave it. Answers the call, if it came through.
    pub(super) fn release_one_pool(&self, pool: &Id, heir: Option<&Id>) -> Vec<CallTrace> {
        let released = match self.store.taken_pool(pool) {
            Ok(Some(TakenPool { driver: Some(driver), .. })) => self.manager(&driver).and_then(|mut steps| {
                steps.release_pool(pool, heir)?;
                Ok(steps.calls.traces)
            }),
            _ => self.store.release_taken_pool(pool, heir).map(|()| Vec::new()).map_err(Error::from),
        };
        released.unwrap_or_else(|error| {
            tracing::warn!(%pool, "its driver failed to take it back, and it is free all the same: {error}");
            let write = store::Write::ReleasePool { pool: pool.clone(), heir: heir.cloned() };
            let batch =
                store::Batch { writes: vec![write], durability: store::Durability::Power, ..Default::default() };
            if let Err(error) = self.store.commit(batch) {
                tracing::error!(%pool, "can't be released: {error}");
            }
            Vec::new()
        })
    }

    /// Gives back what drivers gave for networks and endpoints that are not there: a killed operation left it. Nothing else may run. Answers what it was.
    pub(super) fn release_unused(&self) -> Result<Vec<String>> {
        let mut used = BTreeMap::new();
        for network in self.store.networks()? {
            used.extend(network.ipam.into_iter().flat_map(|ipam| ipam.pools).map(|pool| (pool, network.id.clone())));
        }
        let mut released = Vec::new();
        let of_operators = |pool: &TakenPool| pool.driver.is_some() && pool.origin == Origin::Native;
        for taken in self.store.taken_pools()?.into_iter().filter(of_operators) {
            let Some(network) = used.get(&taken.id) else {
                self.release_one_pool(&taken.id, None);
                released.push(format!("pool {}", taken.pool.subnet));
                continue;
            };
            for lease in self.store.leases(&taken.id)?.into_iter().filter(|lease| !lease.gateway) {
                let is_there = Id::new(&lease.owner).ok().map(|id| self.store.endpoint(network, &id)).transpose()?;
                if is_there.flatten().is_none() {
                    self.release_one_address(&taken.id, lease.address);
                    released.push(format!("address {} of pool {}", lease.address, taken.pool.subnet));
                }
            }
        }
        if !released.is_empty() {
            tracing::warn!(?released, "given by a driver, and nobody has it");
        }
        Ok(released)
    }

    /// What a driver can't give now: what others have and what the host reaches, where it touches what the driver may give.
    pub(super) fn not_to_be_given(&self, grant: &Grant, ipv6: bool) -> Result<Vec<IpNet>> {
        let nets = grant.pools.iter().filter_map(|range| match range {
            Range::Net(net) if net.addr().is_ipv6() == ipv6 => Some(*net),
            _ => None,
        });
        let (mut nets, reached) = (nets.collect::<Vec<_>>(), self.kernel.reached_by_others()?);
        if nets.is_empty() {
            // An author's test has no grant yet.
            let any = if ipv6 { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
            nets.extend(IpNet::new(any, 0).ok());
        }
        let mut found: Vec<IpNet> = Vec::new();
        for net in nets {
            found.extend(reached.iter().filter(|other| net.contains(*other) || other.contains(&net)));
            found.extend(self.store.claimed(&net, EXCLUDED)?);
        }
        found.sort();
        found.dedup();
        found.truncate(EXCLUDED);
        Ok(found)
    }

    /// How much of a network's pools is in use, where a driver counts.
    pub(super) fn usage_of(&self, network: &Network) -> Vec<PoolUsage> {
        let Some(ipam) = &network.ipam else { return Vec::new() };
        let Ok(mut steps) = self.manager(&ipam.driver) else { return Vec::new() };
        let pools = ipam.pools.iter().filter_map(|id| self.taken_pool(id).ok());
        pools.filter_map(|pool| steps.pool_status(&pool).ok()).collect()
    }
}

/// Locally administered, of one station.
fn random_mac() -> Result<MacAddress> {
    let digits = Id::random()?;
    let byte = |place: usize| u8::from_str_radix(digits.as_str().get(2 * place..2 * place + 2).unwrap_or("0"), 16);
    let bytes = [0, 1, 2, 3, 4, 5].map(|place| byte(place).unwrap_or_default());
    Ok(MacAddress([bytes[0] & 0xfc | 2, bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]]))
}
