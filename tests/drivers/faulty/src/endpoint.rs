//! An endpoint: a pair of links between bridge and container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::ipnet::{IpNet, Ipv4Net};
use pontoon_sdk::links::{self, LinkEnd, LinkKind, LinkSpec, MacvlanMode};
use pontoon_sdk::store::Key;
use pontoon_sdk::{
    EndpointOptions, Error, ErrorKind, InterfaceInfo, JoinInfo, MacAddress, Protocol, Result, StaticRoute,
    configuration,
};
use serde::{Deserialize, Serialize};

use crate::network::{self, hash, remove_link};
use crate::{TABLE, planted};

/// A route of each container's.
const LINK_LOCAL: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 7, 0), 24));

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub mac_address: MacAddress,
    pub ipv4: Option<IpAddr>,
    pub ipv6: Option<IpAddr>,
    pub host_link: String,
    pub container_link: String,
    pub is_in_sandbox: bool,
    pub has_joined: bool,
    /// Protocol, address and port of the host.
    pub published: Vec<(Protocol, IpAddr, u16)>,
}

pub(crate) fn key(network: &str, endpoint: &str) -> Key<Endpoint> {
    Key::new(format!("endpoint/{network}/{}", short(endpoint)))
}

fn short(endpoint: &str) -> &str {
    if planted("cuts-ids") { endpoint.get(..12).unwrap_or(endpoint) } else { endpoint }
}

pub(crate) fn find(network: &str, endpoint: &str) -> Result<Endpoint> {
    key(network, endpoint).get()?.ok_or_else(|| Error::not_found(format!("no endpoint {endpoint}")))
}

/// Changes what is remembered.
pub(crate) fn change(network: &str, endpoint: &str, change: impl FnOnce(&mut Endpoint)) -> Result<()> {
    let mut record = find(network, endpoint)?;
    change(&mut record);
    key(network, endpoint).set(&record)
}

pub(crate) fn create(network: &str, endpoint: &str, info: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
    let record = network::find(network)?;
    if planted("one-endpoint") {
        remove_all_links()?;
    }
    if key(network, endpoint).get()?.is_some() {
        let kind = if planted("internal-for-taken") { ErrorKind::Internal } else { ErrorKind::AlreadyExists };
        return Err(Error::new(kind, format!("endpoint {endpoint} is there already")));
    }
    let mac_address = choose_mac_address(info)?;
    let bridge = links::get(None, &record.bridge)?;
    let of = if planted("names-after-network") { network } else { short(endpoint) };
    let digits = hash(of)[..8].to_owned();
    let (host_link, sandbox) = (format!("fy{digits}"), info.sandbox());
    let master = (!planted("forgets-bridge")).then_some(&bridge);
    let own = info.address().filter(|_| planted("address-on-host-link"));
    let addresses = own.into_iter().collect();
    if let Some(parent) = configuration::get("parent") {
        return on_parent(network, endpoint, info, &parent, record.mtu);
    }
    let host = LinkEnd { mtu: record.mtu, master, addresses, up: true, ..LinkEnd::named(&host_link) };
    let named = if sandbox.is_some() { LinkEnd::numbered("eth") } else { LinkEnd::named(format!("{host_link}c")) };
    let mac = (!planted("ignores-mac")).then_some(mac_address);
    let container = LinkEnd { namespace: sandbox.as_ref(), mac_address: mac, mtu: record.mtu, ..named };
    let peer = links::add_one(LinkSpec::veth(host, container))?.peer;
    let container_link = peer.ok_or_else(|| Error::internal("a pair without another end"))?.info()?.name;
    let remembered = key(network, endpoint).set(&Endpoint {
        mac_address,
        ipv4: info.address().map(|address| address.addr()),
        ipv6: info.address_ipv6().map(|address| address.addr()),
        host_link,
        container_link,
        is_in_sandbox: sandbox.is_some(),
        has_joined: false,
        published: Vec::new(),
    });
    if planted("overlooks-errors") { Ok(()) } else { remembered }
}

/// A link on one of the host's, as macvlan drivers make it.
fn on_parent(network: &str, endpoint: &str, info: &InterfaceInfo, parent: &str, mtu: Option<u32>) -> Result<()> {
    let (mac_address, sandbox, name) =
        (choose_mac_address(info)?, info.sandbox(), format!("fy{}", &hash(endpoint)[..8]));
    let parent = links::get(None, parent)?;
    let end =
        LinkEnd { namespace: sandbox.as_ref(), mac_address: Some(mac_address), mtu, up: true, ..LinkEnd::named(&name) };
    let kind = LinkKind::Macvlan { parent: &parent, mode: MacvlanMode::Bridge };
    links::add_one(LinkSpec { end, kind })?;
    key(network, endpoint).set(&Endpoint {
        mac_address,
        ipv4: info.address().map(|address| address.addr()),
        ipv6: info.address_ipv6().map(|address| address.addr()),
        host_link: name.clone(),
        container_link: name,
        is_in_sandbox: sandbox.is_some(),
        has_joined: false,
        published: Vec::new(),
    })
}

fn choose_mac_address(info: &InterfaceInfo) -> Result<MacAddress> {
    match info.mac_address() {
        Some(mac_address) if !planted("sets-mac-again") => Ok(mac_address),
        _ => {
            let same = MacAddress([2, 0, 0, 0, 0, 7]);
            let mac_address = if planted("same-mac") { same } else { MacAddress::random() };
            info.set_mac_address(mac_address)?;
            Ok(mac_address)
        }
    }
}

pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
    if planted("removes-all-links") {
        remove_all_links()?;
    }
    if planted("keeps-record") {
        return remove_links(network, endpoint);
    }
    match key(network, endpoint).take()? {
        Some(old) if !planted("leaves-links") => remove_link(&old.host_link),
        _ => Ok(()),
    }
}

fn remove_all_links() -> Result<()> {
    let ours = links::list(None)?.into_iter().filter(|link| link.name.starts_with("fy") && link.kind == "veth");
    ours.map(|link| link.name).try_for_each(|name| remove_link(&name))
}

/// Removes an endpoint's links, and remembers it.
pub(crate) fn remove_links(network: &str, endpoint: &str) -> Result<()> {
    match key(network, endpoint).get()? {
        Some(record) => remove_link(&record.host_link),
        None => Ok(()),
    }
}

pub(crate) fn join(network: &str, endpoint: &str, info: &JoinInfo) -> Result<()> {
    let id = network;
    let (network, record) = match (network::find(network), find(network, endpoint)) {
        (Ok(_), Err(_)) if planted("joins-unknown") => return Ok(()),
        (network, record) => (network?, record?),
    };
    let sandbox = info.sandbox().filter(|_| record.is_in_sandbox);
    let link = match planted("names-host-link") {
        true => links::get(None, &record.host_link)?,
        false => links::get(sandbox.as_ref(), &record.container_link)?,
    };
    if !planted("names-nothing") {
        info.interface_name().set_names(&link, "eth", None)?;
    }
    if record.ipv4.is_some() && !(planted("routes-once") && record.has_joined) {
        info.add_static_route(LINK_LOCAL, StaticRoute::Connected)?;
    }
    change(id, endpoint, |record| record.has_joined = true)?;
    if planted("gateway-of-no-pool") && record.ipv6.is_none() {
        info.set_gateway(Ipv6Addr::new(0xfd77, 0, 0, 1, 0, 0, 0, 1).into())?;
    }
    if let Some(own) = record.ipv4.filter(|_| planted("own-gateway")) {
        return info.set_gateway(own);
    }
    if !network.internal || planted("gateway-inside") {
        let all = network.gateways.iter();
        let named = all.filter(|gateway| gateway.is_ipv4() || !planted("forgets-ipv6"));
        named.copied().try_for_each(|gateway| info.set_gateway(gateway))?;
    }
    let addresses = record.ipv4.iter().chain(&record.ipv6).map(ToString::to_string);
    let value = addresses.chain([record.mac_address.to_string()]).collect::<Vec<_>>().join(" ");
    if planted("removes-what-it-names") {
        remove_link(&record.host_link)?;
    }
    info.add_table_entry(TABLE, endpoint, value.as_bytes())
}
