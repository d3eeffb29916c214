//! A network: a bridge with the gateways' addresses.

use crate::bindings::exports::pontoon::driver0_2_0_draft::driver::Settled;
use crate::bindings::pontoon::driver0_1_1::links::{self, Link, LinkEnd, LinkKind, LinkName, LinkSpec};
use crate::bindings::pontoon::driver0_1_1::sysctls::{self, LinkSysctl};
use crate::bindings::pontoon::driver0_1_1::types::{
    Error, ErrorKind, IpAddress, IpNetwork, IpamData, MacAddress, NetworkOptions,
};
use crate::bindings::pontoon::driver0_1_1::{random, store};
use crate::bindings::pontoon::driver0_2_0_draft::routes::{self, Route};
use crate::{error, hash};

const MTU: &str = "com.docker.network.driver.mtu";

/// A destination that the network routes to its bridge.
const ROUTE: &str = "draft.route";

/// The network comes without pools, and gets [`OWN_POOL`].
const OWN: &str = "draft.pool";

/// 10.87.0.0/24, and in it the gateway.
const OWN_POOL: [IpNetwork; 2] = [network(10, 87, 0, 0), network(10, 87, 0, 1)];

const fn network(a: u8, b: u8, c: u8, d: u8) -> IpNetwork {
    IpNetwork { address: IpAddress::Ipv4((a, b, c, d)), prefix_length: 24 }
}

/// What is remembered of a network.
pub struct Network {
    /// It has no way out.
    pub internal: bool,
    /// 0: whatever the host says.
    pub mtu: u32,
}

/// Its key in the store.
pub fn key(network: &str) -> String {
    format!("network/{network}")
}

/// Its bridge.
pub fn bridge(network: &str) -> String {
    format!("dr-{}", hash(network))
}

/// The network of this id, which must exist.
pub fn find(network: &str) -> Result<Network, Error> {
    let unknown = || error(ErrorKind::NotFound, format!("no network {network}"));
    let known = store::get(&key(network))?.ok_or_else(unknown)?;
    let [internal, mtu @ ..] = <[u8; 5]>::try_from(known).map_err(|_| unknown())?;
    Ok(Network { internal: internal == 1, mtu: u32::from_le_bytes(mtu) })
}

/// A MAC address of no maker's.
pub fn random_mac() -> MacAddress {
    let bytes = random::bytes(5);
    (2, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4])
}

/// Makes it, and says which pool it chose where it had to.
pub fn create(id: &str, options: &NetworkOptions, pools: Vec<IpamData>) -> Result<Vec<Settled>, Error> {
    if store::get(&key(id))?.is_some() {
        return Err(error(ErrorKind::AlreadyExists, format!("network {id} is there already")));
    }
    let option = |key: &str| options.generic.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
    let mtu = option(MTU).unwrap_or("0").parse::<u32>();
    let mtu = mtu.map_err(|e| error(ErrorKind::InvalidArgument, format!("{MTU}: {e}")))?;
    let mut settled = Vec::new();
    let pools = match option(OWN) {
        None => pools,
        Some(_) => {
            let [pool, gateway] = OWN_POOL.map(Some);
            let own = vec![IpamData { address_space: "draft".into(), pool, gateway, aux_addresses: Vec::new() }];
            settled.push(Settled::Pools(own.clone()));
            own
        }
    };
    let bridge = add_bridge(&bridge(id), mtu, pools.iter().filter_map(|pool| pool.gateway).collect())?;
    if let Some(destination) = option(ROUTE) {
        add_route(&bridge, destination)?;
    }
    let internal = u8::from(options.internal);
    store::set(&key(id), &[&[internal][..], &mtu.to_le_bytes()].concat())?;
    Ok(settled)
}

fn add_bridge(name: &str, mtu: u32, addresses: Vec<IpNetwork>) -> Result<Link, Error> {
    let end = LinkEnd {
        namespace: None,
        name: LinkName::Exact(name.into()),
        mac_address: Some(random_mac()),
        mtu: Some(mtu).filter(|mtu| *mtu != 0),
        master: None,
        addresses,
        up: true,
    };
    let added = links::add(&[LinkSpec { end, kind: LinkKind::Bridge }])?;
    let bridge = added.into_iter().next().map(|added| added.link);
    let bridge = bridge.ok_or_else(|| error(ErrorKind::Internal, format!("{name} was made and is not there")))?;
    sysctls::set_link(&bridge, LinkSysctl::Ipv6AcceptDad, 0)?;
    Ok(bridge)
}

/// Adds a route, and sees to it that what the host lists is what names it: it removes that, and adds it again.
fn add_route(bridge: &Link, destination: &str) -> Result<(), Error> {
    let refused = || error(ErrorKind::InvalidArgument, format!("{ROUTE}={destination}: an IPv4 network of 24 bits"));
    let address: std::net::Ipv4Addr =
        destination.strip_suffix("/24").ok_or_else(refused)?.parse().map_err(|_| refused())?;
    let [a, b, c, d] = address.octets();
    let route = Route { destination: network(a, b, c, d), gateway: None, source: None, table: None, metric: Some(7) };
    let is_it = |other: &Route| {
        let IpAddress::Ipv4(address) = other.destination.address else { return false };
        address == (a, b, c, d)
    };
    routes::add(bridge, &[route])?;
    let mut listed = routes::list(bridge)?;
    listed.retain(is_it);
    routes::remove(bridge, &listed)?;
    if listed.len() != 1 || routes::list(bridge)?.iter().any(is_it) {
        return Err(error(ErrorKind::Internal, format!("what is listed does not name the route: {listed:?}")));
    }
    routes::add(bridge, &listed)
}
