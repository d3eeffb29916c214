//! Manages addresses, in the plainest way: pools of 10.80.0.0/16 and fd00:80::/48, addresses in order. `--ipam-opt attack=NAME` has it do
//! something else, and the host has to refuse that: NAME is a function of `attacks`, or a key of the match in `request_address`.

mod attacks;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pontoon_sdk::store::Key;
use pontoon_sdk::{
    AddressRequest, AllocatedPool, Error, Ipam, IpamRegistration, PoolRequest, PoolUsage, Result, configuration,
    export_ipam, store,
};
use serde::{Deserialize, Serialize};

/// The driver.
struct Pools;

export_ipam!(Pools);

/// What is remembered of a pool.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pool {
    subnet: IpNet,
    given: Vec<IpAddr>,
    attack: Option<String>,
}

fn key(pool: &str) -> Key<Pool> {
    Key::new(format!("pool/{pool}"))
}

impl Ipam for Pools {
    fn register_ipam() -> IpamRegistration {
        let requires_mac_address = configuration::get("requires-mac-address").is_some();
        IpamRegistration { requires_mac_address, ..IpamRegistration::new("Pools") }
    }

    fn request_pool(pool: &str, request: &PoolRequest) -> Result<AllocatedPool> {
        let attack = request.options.get("attack").map(str::to_owned);
        if let Some(given) = attack.as_deref().and_then(attacks::of_pool) {
            return given;
        }
        let subnet = match request.pool {
            Some(subnet) => subnet,
            None => free(request)?,
        };
        key(pool).set(&Pool { subnet, given: Vec::new(), attack })?;
        let reserved = request.options.get("reserve").and_then(|text| text.parse().ok());
        let reserved =
            reserved.filter(|address| subnet.contains(address)).map(|address| ("driver".to_owned(), address));
        Ok(AllocatedPool { pool: subnet, reserved: reserved.into_iter().collect() })
    }

    fn release_pool(pool: &str) -> Result<()> {
        match key(pool).get()?.and_then(|known| known.attack).as_deref() {
            Some("keep-the-pool") => Err(Error::forbidden("it stays")),
            _ => store::remove(&format!("pool/{pool}")),
        }
    }

    fn request_address(pool: &str, request: &AddressRequest) -> Result<IpAddr> {
        let Some(mut known) = key(pool).get()? else { return Err(Error::not_found("there is no such pool")) };
        if let Some(address) = known.attack.as_deref().and_then(|attack| attacks::of_address(attack, &known, request)) {
            return address;
        }
        let wanted = request.address.filter(|address| known.given.contains(address));
        if let Some(taken) = wanted {
            return Err(Error::already_exists(format!("{taken} is given")));
        }
        let address = request.address.or_else(|| next(&known)).ok_or_else(|| Error::unavailable("none is left"))?;
        known.given.push(address);
        key(pool).set(&known)?;
        if let Some(mac) = request.mac_address {
            Key::new(format!("mac/{pool}/{address}")).set(&mac.to_string())?;
        }
        Ok(address)
    }

    fn release_address(pool: &str, address: IpAddr) -> Result<()> {
        let Some(mut known) = key(pool).get()? else { return Ok(()) };
        if known.attack.as_deref() == Some("keep-the-address") {
            return Err(Error::forbidden("it stays"));
        }
        known.given.retain(|given| *given != address);
        store::remove(&format!("mac/{pool}/{address}"))?;
        key(pool).set(&known)
    }

    fn pool_status(pool: &str) -> Result<PoolUsage> {
        let Some(known) = key(pool).get()? else { return Err(Error::not_found("there is no such pool")) };
        let in_use = known.given.len() as u64;
        Ok(PoolUsage { in_use, available: 254_u64.saturating_sub(in_use) })
    }
}

/// The first network of the driver's that is not excluded.
fn free(request: &PoolRequest) -> Result<IpNet> {
    let number = |third: u8| match request.ipv6 {
        false => Ipv4Net::new(Ipv4Addr::new(10, 80, third, 0), 24).map(IpNet::from),
        true => Ipv6Net::new(Ipv6Addr::new(0xfd00, 0x80, 0, third.into(), 0, 0, 0, 0), 64).map(IpNet::from),
    };
    let is_free = |net: &IpNet| !request.exclude.iter().any(|other| other.contains(net) || net.contains(other));
    let mut all = (0..=255).filter_map(|third| number(third).ok());
    all.find(is_free).ok_or_else(|| Error::unavailable("no pool is left"))
}

/// The first address that is not given.
fn next(known: &Pool) -> Option<IpAddr> {
    known.subnet.hosts().skip(usize::from(known.subnet.addr().is_ipv6())).find(|a| !known.given.contains(a))
}
