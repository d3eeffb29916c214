//! An endpoint: a pair of links between bridge and container.

use std::net::IpAddr;

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::store::Key;
use pontoon_sdk::{EndpointOptions, Error, InterfaceInfo, JoinInfo, MacAddress, Protocol, Result};
use serde::{Deserialize, Serialize};

use crate::network::{self, hash, remove_link};
use crate::{TABLE, planted};

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub mac_address: MacAddress,
    pub ipv4: Option<IpAddr>,
    pub ipv6: Option<IpAddr>,
    pub host_link: String,
    pub container_link: String,
    pub is_in_sandbox: bool,
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
    if key(network, endpoint).get()?.is_some() {
        return Err(Error::already_exists(format!("endpoint {endpoint} is there already")));
    }
    let mac_address = choose_mac_address(info)?;
    let bridge = links::get(None, &record.bridge)?;
    let digits = hash(short(endpoint))[..8].to_owned();
    let (host_link, sandbox) = (format!("fy{digits}"), info.sandbox());
    let master = (!planted("forgets-bridge")).then_some(&bridge);
    let host = LinkEnd { mtu: record.mtu, master, up: true, ..LinkEnd::named(&host_link) };
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
        published: Vec::new(),
    });
    if planted("overlooks-errors") { Ok(()) } else { remembered }
}

fn choose_mac_address(info: &InterfaceInfo) -> Result<MacAddress> {
    match info.mac_address() {
        Some(mac_address) if !planted("sets-mac-again") => Ok(mac_address),
        _ => {
            let mac_address = MacAddress::random();
            info.set_mac_address(mac_address)?;
            Ok(mac_address)
        }
    }
}

pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
    if planted("removes-all-links") {
        let ours = links::list(None)?.into_iter().filter(|link| link.name.starts_with("fy") && link.kind == "veth");
        ours.map(|link| link.name).try_for_each(|name| remove_link(&name))?;
    }
    match key(network, endpoint).take()? {
        Some(old) if !planted("leaves-links") => remove_link(&old.host_link),
        _ => Ok(()),
    }
}

pub(crate) fn join(network: &str, endpoint: &str, info: &JoinInfo) -> Result<()> {
    let (network, record) = (network::find(network)?, find(network, endpoint)?);
    let sandbox = info.sandbox().filter(|_| record.is_in_sandbox);
    let link = match planted("names-host-link") {
        true => links::get(None, &record.host_link)?,
        false => links::get(sandbox.as_ref(), &record.container_link)?,
    };
    info.interface_name().set_names(&link, "eth", None)?;
    if !network.internal || planted("gateway-inside") {
        let all = network.gateways.iter();
        let named = all.filter(|gateway| gateway.is_ipv4() || !planted("forgets-ipv6"));
        named.copied().try_for_each(|gateway| info.set_gateway(gateway))?;
    }
    let addresses = record.ipv4.iter().chain(&record.ipv6).map(ToString::to_string);
    let value = addresses.chain([record.mac_address.to_string()]).collect::<Vec<_>>().join(" ");
    info.add_table_entry(TABLE, endpoint, value.as_bytes())
}
