//! An endpoint: the pair of links between bridge and container.

use std::net::IpAddr;

use pontoon_outside::ports::Published;
use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkName, LinkSpec};
use pontoon_sdk::namespaces::Namespace;
use pontoon_sdk::store::Key;
use pontoon_sdk::{Context, EndpointOptions, Error, InterfaceInfo, JoinInfo, MacAddress, Result};
use serde::{Deserialize, Serialize};

use crate::bandwidth::Bandwidth;
use crate::network::{Network, hash, remove_link};
use crate::options;
use crate::ports;
use crate::report::Exposed;

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// The container's MAC.
    pub mac_address: MacAddress,
    /// The container's IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// The container's IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// The name of the link on the bridge.
    pub host_link: String,
    /// The name of the link that what the container sends goes through, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifb: Option<String>,
    /// The name of the container's link, where it was made.
    pub container_link: String,
    /// It was made in the container's namespace.
    pub is_in_sandbox: bool,
    /// The name that the container's link is to have.
    pub interface_name: Option<String>,
    /// The ports that the container serves.
    pub exposed_ports: Vec<Exposed>,
    /// The ports that are published now.
    pub published: Vec<Published>,
}

impl Endpoint {
    /// The endpoint of this id, which must exist.
    pub(crate) fn find(network: &str, endpoint: &str) -> Result<Self> {
        Self::key(network, endpoint).get()?.ok_or_else(|| Error::not_found(format!("no endpoint {endpoint}")))
    }

    pub(crate) fn key(network: &str, endpoint: &str) -> Key<Self> {
        Key::new(format!("endpoint/{network}/{endpoint}"))
    }
}

/// Makes an endpoint.
pub(crate) fn create(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
    let key = Endpoint::key(network, endpoint);
    if key.get()?.is_some() {
        return Err(Error::already_exists(format!("endpoint {endpoint} is there already")));
    }
    let mac_address = info.choose_mac_address()?;
    // As long as a name may be, with the letter of its other end: with seven digits, two of 10,000 are often alike.
    let host_link = format!("veth{}", &hash(endpoint)[..10]);
    let network = Network::find(network)?;
    let sandbox = info.sandbox();
    let interface_name = options::interface_name(&options.generic, sandbox.is_some())?;
    let name = match (&sandbox, &interface_name) {
        (None, _) => LinkName::Exact(format!("{host_link}c")),
        (Some(_), Some(name)) => LinkName::Exact(name.clone()),
        (Some(_), None) => LinkName::Prefix(network.interface_prefix.clone()),
    };
    let bandwidth = Bandwidth::read(&options.generic)?;
    let ifb = bandwidth.egress.map(|_| format!("ifb{}", &hash(endpoint)[..10]));
    let container = ContainerEnd { sandbox: sandbox.as_ref(), name, mac_address };
    let (host_end, container_link) = add_pair(&network, &host_link, container).context(&host_link)?;
    bandwidth.limit(&host_end, ifb.as_deref().unwrap_or_default())?;
    key.set(&Endpoint {
        mac_address,
        ipv4: info.address().map(|address| address.addr()),
        ipv6: info.address_ipv6().map(|address| address.addr()),
        host_link,
        ifb,
        container_link,
        is_in_sandbox: sandbox.is_some(),
        interface_name,
        exposed_ports: Exposed::ranges(&options.exposed_ports),
        published: Vec::new(),
    })
}

/// Removes an endpoint. There is nothing to do for one that is not there.
pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
    ports::revoke(network, endpoint)?;
    let Some(old) = Endpoint::key(network, endpoint).take()? else { return Ok(()) };
    remove_link(&old.host_link)?;
    old.ifb.as_deref().map_or(Ok(()), remove_link)
}

/// Forgets the IPv6 address: the container can't use it.
pub(crate) fn release_ipv6(network: &str, endpoint: &str) -> Result<()> {
    let key = Endpoint::key(network, endpoint);
    key.set(&Endpoint { ipv6: None, ..Endpoint::find(network, endpoint)? })
}

/// Says which link the container gets, and its gateways.
pub(crate) fn join(network: &str, endpoint: &str, info: &JoinInfo) -> Result<()> {
    let (network, endpoint) = (Network::find(network)?, Endpoint::find(network, endpoint)?);
    let sandbox = info.sandbox().filter(|_| endpoint.is_in_sandbox);
    let link = links::get(sandbox.as_ref(), &endpoint.container_link)?;
    info.interface_name().set_names(&link, &network.interface_prefix, endpoint.interface_name.as_deref())?;
    if !network.internal {
        network.subnets().filter_map(|subnet| subnet.gateway).try_for_each(|gateway| info.set_gateway(gateway))?;
    }
    Ok(())
}

/// The container's end of a pair.
struct ContainerEnd<'a> {
    /// The container's namespace, if it is known: a link that is made there need not be moved.
    sandbox: Option<&'a Namespace>,
    /// Its name there.
    name: LinkName,
    mac_address: MacAddress,
}

/// Makes the pair, one end on the bridge, and gives that one and the name of the other back.
fn add_pair(network: &Network, host_link: &str, container: ContainerEnd) -> Result<(Link, String)> {
    let bridge = links::get(None, &network.bridge)?;
    let host_end = LinkEnd { mtu: network.mtu, master: Some(&bridge), up: true, ..LinkEnd::named(host_link) };
    let container_end = LinkEnd {
        namespace: container.sandbox,
        name: container.name,
        mac_address: Some(container.mac_address),
        mtu: network.mtu,
        ..LinkEnd::named("")
    };
    let added = links::add_one(LinkSpec::veth(host_end, container_end))?;
    // A container may reach itself through a port that it publishes.
    added.link.set(&LinkChanges { hairpin: Some(true), isolated: Some(!network.icc), ..LinkChanges::default() })?;
    let peer = added.peer.ok_or_else(|| Error::internal("a pair without another end"))?;
    Ok((added.link, peer.info()?.name))
}
