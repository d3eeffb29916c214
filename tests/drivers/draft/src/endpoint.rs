//! An endpoint: a pair of links between bridge and container.

use crate::bindings::pontoon::driver0_1_1::links::{self, LinkEnd, LinkKind, LinkName, LinkSpec};
use crate::bindings::pontoon::driver0_1_1::types::{Error, ErrorKind, IpAddress, IpNetwork};
use crate::bindings::pontoon::driver0_1_1::{addresses, store};
use crate::bindings::pontoon::driver0_2_0_draft::requests::{InterfaceInfo, JoinInfo};
use crate::bindings::pontoon::driver0_2_0_draft::routes::Route;
use crate::{error, hash, network};

/// A route of each container's.
const LINK_LOCAL: IpNetwork = IpNetwork { address: IpAddress::Ipv4((169, 254, 7, 0)), prefix_length: 24 };

/// Its key in the store.
pub fn key(network: &str, endpoint: &str) -> String {
    format!("endpoint/{network}/{endpoint}")
}

/// The end on the host.
pub fn host_link(endpoint: &str) -> String {
    format!("dh{}", hash(endpoint))
}

/// What is remembered of an endpoint: whether its link is in the container, what it is called, and whether it has an IPv4 address.
pub struct Endpoint {
    is_inside: bool,
    has_ipv4: bool,
    link: String,
}

/// The endpoint of this id, which must exist.
pub fn find(network: &str, endpoint: &str) -> Result<Endpoint, Error> {
    let unknown = || error(ErrorKind::NotFound, format!("no endpoint {endpoint}"));
    let known = store::get(&key(network, endpoint))?.ok_or_else(unknown)?;
    let [is_inside, has_ipv4, link @ ..] = &known[..] else { return Err(unknown()) };
    let link = String::from_utf8(link.to_vec()).map_err(|_| unknown())?;
    Ok(Endpoint { is_inside: *is_inside == 1, has_ipv4: *has_ipv4 == 1, link })
}

/// Makes it.
pub fn create(network: &str, endpoint: &str, info: &InterfaceInfo) -> Result<(), Error> {
    let record = network::find(network)?;
    if store::get(&key(network, endpoint))?.is_some() {
        return Err(error(ErrorKind::AlreadyExists, format!("endpoint {endpoint} is there already")));
    }
    let mac_address = match info.mac_address() {
        Some(mac_address) => mac_address,
        None => {
            let mac_address = network::random_mac();
            info.set_mac_address(mac_address)?;
            mac_address
        }
    };
    let (bridge, sandbox) = (links::get(None, &network::bridge(network))?, info.sandbox());
    let (mtu, host_link) = (Some(record.mtu).filter(|mtu| *mtu != 0), host_link(endpoint));
    let host = LinkEnd {
        namespace: None,
        name: LinkName::Exact(host_link.clone()),
        mac_address: None,
        mtu,
        master: Some(&bridge),
        addresses: Vec::new(),
        up: true,
    };
    let name = match &sandbox {
        Some(_) => LinkName::Prefix("eth".into()),
        None => LinkName::Exact(format!("{host_link}c")),
    };
    let (namespace, mac_address) = (sandbox.as_ref(), Some(mac_address));
    let inside = LinkEnd { namespace, name, mac_address, mtu, master: None, addresses: Vec::new(), up: false };
    let added = links::add(&[LinkSpec { end: host, kind: LinkKind::Veth(inside) }])?;
    let peer = added.into_iter().next().and_then(|added| added.peer);
    let peer = peer.ok_or_else(|| error(ErrorKind::Internal, "a pair without another end".into()))?;
    let has_ipv4 = info.addresses().iter().any(|net| matches!(net.address, IpAddress::Ipv4(_)));
    let facts = [u8::from(sandbox.is_some()), u8::from(has_ipv4)];
    store::set(&key(network, endpoint), &[&facts[..], peer.info()?.name.as_bytes()].concat())
}

/// Says which link the container gets, its gateways, and a route.
pub fn join(network: &str, endpoint: &str, info: &JoinInfo) -> Result<(), Error> {
    let (record, joined) = (network::find(network)?, find(network, endpoint)?);
    let sandbox = info.sandbox().filter(|_| joined.is_inside);
    let link = links::get(sandbox.as_ref(), &joined.link)?;
    info.interface_name().set_names(&link, "eth", None)?;
    if joined.has_ipv4 {
        let (gateway, source, table, metric) = (None, None, None, None);
        info.add_route(Route { destination: LINK_LOCAL, gateway, source, table, metric })?;
    }
    if !record.internal {
        let bridge = links::get(None, &network::bridge(network))?;
        let gateways = addresses::list(&bridge)?.into_iter().map(|net| net.address);
        gateways.filter(|address| !is_link_local(*address)).try_for_each(|address| info.set_gateway(address))?;
    }
    Ok(())
}

fn is_link_local(address: IpAddress) -> bool {
    matches!(address, IpAddress::Ipv6((first, ..)) if first & 0xffc0 == 0xfe80)
}
