//! An endpoint: the pair of links between bridge and container, and the ports that it publishes.

use std::net::IpAddr;

use pontoon_outside::ports::{self, Container, Gateways, Published};
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkChanges, LinkEnd, LinkName, LinkSpec};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Context, Error, InterfaceInfo, JoinInfo, MacAddress, PortBinding, Result, StaticRoute};
use serde::{Deserialize, Serialize};

use crate::network::{Network, remove_link};
use crate::peers::{self, Peer};
use crate::{name, unknown};

/// What the containers' links are named, with a number behind it.
const PREFIX: &str = "eth";

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub mac_address: MacAddress,
    addresses: Vec<IpNet>,
    host_link: String,
    container_link: String,
    /// It was made in the container's namespace.
    is_in_sandbox: bool,
    /// The ports that are published now.
    pub published: Vec<Published>,
}

impl Endpoint {
    pub(crate) fn find(network: &str, endpoint: &str) -> Result<Self> {
        Self::key(network, endpoint).get()?.ok_or_else(|| unknown("endpoint", endpoint))
    }

    fn key(network: &str, endpoint: &str) -> Key<Self> {
        Key::new(format!("endpoint/{network}/{endpoint}"))
    }

    pub(crate) fn create(of: &Network, network: &str, endpoint: &str, info: &InterfaceInfo) -> Result<()> {
        let key = Self::key(network, endpoint);
        if key.get()?.is_some() {
            return Err(Error::already_exists(format!("endpoint {endpoint} is there already")));
        }
        let mac_address = info.choose_mac_address()?;
        let (host_link, bridge, sandbox) = (name("oh-", endpoint), of.link()?, info.sandbox());
        let mtu = Some(of.mtu);
        let host_end = LinkEnd { mtu, master: Some(&bridge), up: true, ..LinkEnd::named(&host_link) };
        let container_end = LinkEnd {
            namespace: sandbox.as_ref(),
            name: match sandbox {
                Some(_) => LinkName::Prefix(PREFIX.to_owned()),
                None => LinkName::Exact(name("oc-", endpoint)),
            },
            mac_address: Some(mac_address),
            mtu,
            ..LinkEnd::named("")
        };
        let added = links::add_one(LinkSpec::veth(host_end, container_end)).context(&host_link)?;
        // A container may reach itself through a port that it publishes.
        added.link.set(&LinkChanges { hairpin: Some(true), ..LinkChanges::default() })?;
        let peer = added.peer.ok_or_else(|| Error::internal("a pair without another end"))?;
        key.set(&Self {
            mac_address,
            addresses: info.address().into_iter().chain(info.address_ipv6()).collect(),
            host_link,
            container_link: peer.info()?.name,
            is_in_sandbox: sandbox.is_some(),
            published: Vec::new(),
        })
    }

    /// As it may have joined, and did not leave.
    pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
        Self::leave(network, endpoint)?;
        let Some(old) = Self::key(network, endpoint).take()? else { return Ok(()) };
        remove_link(&old.host_link)
    }

    pub(crate) fn join(&self, of: &Network, info: &JoinInfo) -> Result<()> {
        let sandbox = info.sandbox().filter(|_| self.is_in_sandbox);
        let link = links::get(sandbox.as_ref(), &self.container_link)?;
        info.interface_name().set_names(&link, PREFIX, None)?;
        for address in &self.addresses {
            let own = of.subnet(address.addr());
            // All subnets are on one wire.
            for other in of.subnets.iter().filter(|other| other.pool.addr().is_ipv4() == address.addr().is_ipv4()) {
                if own.is_none_or(|own| own.pool != other.pool) {
                    info.add_static_route(other.pool, StaticRoute::Connected)?;
                }
            }
            if let Some(gateway) = own.and_then(|own| own.gateway).filter(|_| !of.internal) {
                info.set_gateway(gateway.addr())?;
            }
        }
        Ok(())
    }

    /// Its entry in the table goes by itself. Another host's container may have its address by now.
    pub(crate) fn leave(network: &str, endpoint: &str) -> Result<()> {
        Self::revoke(network, endpoint)?;
        let Some(old) = Self::key(network, endpoint).get()? else { return Ok(()) };
        let of = Network::find(network)?;
        peers::change(&of, network, endpoint, Some(&old.peer(&of)), None)
    }

    /// As the other hosts see it.
    pub(crate) fn peer(&self, of: &Network) -> Peer {
        let addresses = self.addresses.iter().map(|address| address.addr()).collect();
        Peer { mac_address: self.mac_address, host: of.address, addresses }
    }

    /// The container can't use its IPv6 address.
    pub(crate) fn release_ipv6(mut self, network: &str, endpoint: &str) -> Result<()> {
        self.addresses.retain(|address| address.addr().is_ipv4());
        Self::key(network, endpoint).set(&self)
    }

    /// Publishes these ports on this host instead of those that were published before.
    pub(crate) fn publish(network: &str, endpoint: &str, gateways: Gateways, bindings: &[PortBinding]) -> Result<()> {
        let before = Self::revoke(network, endpoint)?;
        let (of, mut record) = (Network::find(network)?, Self::find(network, endpoint)?);
        if of.internal {
            return Ok(());
        }
        let container = Container { ipv4: record.address(true), ipv6: record.address(false), host_binding: None };
        record.published = ports::publish(&container, gateways, bindings, &before)?;
        ports::keep(&Self::key(network, endpoint), &record, record.published.len())
    }

    /// Takes all ports back and says which they were.
    pub(crate) fn revoke(network: &str, endpoint: &str) -> Result<Vec<Published>> {
        let key = Self::key(network, endpoint);
        let Some(mut record) = key.get()? else { return Ok(Vec::new()) };
        let published = std::mem::take(&mut record.published);
        if !published.is_empty() {
            ports::revoke(&published)?;
            key.set(&record)?;
        }
        Ok(published)
    }

    fn address(&self, ipv4: bool) -> Option<IpAddr> {
        self.addresses.iter().map(|address| address.addr()).find(|address| address.is_ipv4() == ipv4)
    }
}
