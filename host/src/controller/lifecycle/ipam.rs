//! The steps of a driver that manages addresses: what it gives is checked and recorded with its own call.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Steps, unexpected};
use crate::capability::convert;
use crate::controller::arguments::labels;
use crate::controller::call::{Call, Said};
use crate::controller::pool::checked_subnet;
use ask::{Arguments, Returned, ipam as wit};
use operation::engine::{Labels, NetworkOptions, Purpose, RequestAddress, RequestPool};
use operation::network::{Pool, PoolUsage};
use operation::origin::Origin;
use store::{Durability, Network, TakenPool, Write};
use words::{Error, Id, Name, Result, now};

/// Reserved addresses of one pool: each costs a comparison with every address that is given.
const RESERVED: usize = 256;

/// Bytes of the name of one.
const RESERVED_NAME: usize = 128;

impl Steps<'_> {
    /// Takes a pool of the driver's.
    pub fn request_pool(&mut self, origin: &Origin, request: &RequestPool) -> Result<TakenPool> {
        let id = Id::random()?;
        let exclude = match request.pool {
            Some(_) => Vec::new(),
            None => self.inner.not_to_be_given(&self.driver.policy.grant(), request.ipv6)?,
        };
        let asked = wit::PoolRequest {
            address_space: request.address_space.clone(),
            pool: request.pool.map(|net| convert::network_to_wit(net.trunc())),
            sub_pool: request.range.map(convert::network_to_wit),
            ipv6: request.ipv6,
            exclude: exclude.into_iter().map(convert::network_to_wit).collect(),
            options: labels(&request.options),
        };
        let taken = |said: &Said| {
            let (Some(subnet), Returned::RequestPool(given)) = (&said.given, &said.returned) else {
                return Err(unexpected(&said.returned));
            };
            let pool = given_pool(**subnet, &given.reserved, request)?;
            if request.pool.is_none() && self.inner.is_reached(&pool.subnet)? {
                return Err(Error::exists(format!("{} is a network that the host itself reaches", pool.subnet)));
            }
            let driver = Some(self.driver.record.name.clone());
            Ok(TakenPool { id: id.clone(), origin: origin.clone(), driver, pool, created: now() })
        };
        let network = in_place_of_network(&self.driver.record.name, &id)?;
        let call =
            Call::network(&self.driver, Arguments::RequestPool { pool: id.to_string(), request: asked }, &network);
        let done = self.inner.call(&call, &mut self.calls, |said| Ok(vec![Write::TakePool(taken(said)?)]))?;
        taken(&done.said)
    }

    /// Gives a pool back. `heir`: the network that has its subnet from now on.
    pub fn release_pool(&mut self, pool: &Id, heir: Option<&Id>) -> Result<()> {
        let network = in_place_of_network(&self.driver.record.name, pool)?;
        let call = Call::network(&self.driver, Arguments::ReleasePool { pool: pool.to_string() }, &network);
        let release = |_: &Said| Ok(vec![Write::ReleasePool { pool: pool.clone(), heir: heir.cloned() }]);
        self.inner.call(&call, &mut self.calls, release).map(drop)
    }

    /// Takes an address of a pool for an owner.
    pub fn request_address(&mut self, pool: &TakenPool, request: &RequestAddress, owner: &str) -> Result<IpAddr> {
        let asked = wit::AddressRequest {
            address: request.address.map(convert::address_to_wit),
            purpose: match request.purpose {
                Purpose::Endpoint => wit::Purpose::Endpoint,
                Purpose::Gateway => wit::Purpose::Gateway,
                Purpose::Reserved => wit::Purpose::Reserved,
            },
            mac_address: request.mac.map(convert::mac_to_wit),
            options: labels(&request.options),
        };
        let given = |said: &Said| match &said.returned {
            Returned::RequestAddress(address) => {
                let address = convert::address(*address);
                match request.address {
                    Some(wanted) if wanted != address => {
                        Err(Error::internal(format!("it gave {address}, and {wanted} was asked for")))
                    }
                    _ => Ok(address),
                }
            }
            other => Err(unexpected(other)),
        };
        let take = |said: &Said| {
            let (address, gateway) = (given(said)?, request.purpose != Purpose::Endpoint);
            Ok(vec![Write::TakeAddress { pool: pool.clone(), address, owner: owner.to_owned(), gateway }])
        };
        let network = in_place_of_network(&self.driver.record.name, &pool.id)?;
        let arguments = Arguments::RequestAddress { pool: pool.id.to_string(), request: asked };
        let call = Call { durability: Durability::Process, ..Call::network(&self.driver, arguments, &network) };
        given(&self.inner.call(&call, &mut self.calls, take)?.said)
    }

    /// Gives an address back.
    pub fn release_address(&mut self, pool: &Id, address: IpAddr) -> Result<()> {
        let network = in_place_of_network(&self.driver.record.name, pool)?;
        let arguments = Arguments::ReleaseAddress { pool: pool.to_string(), address: convert::address_to_wit(address) };
        let call = Call { durability: Durability::Process, ..Call::network(&self.driver, arguments, &network) };
        let release = |_: &Said| Ok(vec![Write::ReleaseAddress { network: pool.clone(), address }]);
        self.inner.call(&call, &mut self.calls, release).map(drop)
    }

    /// How much of a pool is in use.
    pub fn pool_status(&mut self, pool: &TakenPool) -> Result<PoolUsage> {
        let network = in_place_of_network(&self.driver.record.name, &pool.id)?;
        let call = Call::network(&self.driver, Arguments::PoolStatus { pool: pool.id.to_string() }, &network);
        match self.inner.call(&call, &mut self.calls, |_| Ok(Vec::new()))?.said.returned {
            Returned::PoolStatus(wit::PoolUsage { in_use, available }) => {
                Ok(PoolUsage { subnet: pool.pool.subnet, in_use, available })
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// To the store and the gate a pool is a network of its own, without pools: what a call of it writes belongs to it.
fn in_place_of_network(driver: &Name, pool: &Id) -> Result<Network> {
    let options =
        NetworkOptions { ipv4: false, ipv6: false, internal: false, generic: Labels::new(), other: Labels::new() };
    Ok(Network::new(pool.clone(), Name::new("pool")?, driver.clone(), Origin::Native, options))
}

/// The pool that a driver gave, as it was asked for.
fn given_pool(subnet: IpNet, reserved: &[(String, ask::types::IpAddress)], request: &RequestPool) -> Result<Pool> {
    checked_subnet(subnet)?;
    if let Some(wanted) = request.pool.map(|net| net.trunc()).filter(|wanted| *wanted != subnet) {
        return Err(Error::internal(format!("it gave {subnet}, and {wanted} was asked for")));
    }
    if subnet.addr().is_ipv6() != request.ipv6 {
        return Err(Error::internal(format!("it gave {subnet}, which is of the other family")));
    }
    if reserved.len() > RESERVED {
        return Err(Error::internal(format!("it reserves {} addresses: at most {RESERVED}", reserved.len())));
    }
    let mut aux_addresses = std::collections::BTreeMap::new();
    for (name, address) in reserved {
        let address = convert::address(*address);
        let is_name = (1..=RESERVED_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        if !is_name || !subnet.contains(&address) {
            return Err(Error::internal(format!(
                "it reserves {address}: the name has to be 1 to {RESERVED_NAME} bytes of printable ASCII, and the address in {subnet}"
            )));
        }
        aux_addresses.insert(name.clone(), address);
    }
    Ok(Pool { subnet, range: request.range, gateway: None, aux_addresses })
}
