//! Published ports: taken on the host, and the rules behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use pontoon_sdk::nftables::Property::{Destination, DestinationLocal, DestinationPort, Protocol as IpProtocol};
use pontoon_sdk::nftables::{self, Chain, Rule, Target, Verdict};
use pontoon_sdk::{Error, ErrorKind, PortBinding, Protocol, Result, ports};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::network::Network;
use crate::rules::host;

/// Rules that the host takes at once.
const RULES: usize = 1_000;

/// Who is the container's gateway for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// This endpoint.
    Own,
    /// Another endpoint, which publishes the family's ports.
    Other,
    /// Nobody.
    Missing,
}

/// The container's gateways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gateways {
    ipv4: Gateway,
    ipv6: Gateway,
}

impl Gateways {
    /// As an endpoint is told.
    pub(crate) fn of(endpoint: &str, ipv4: Option<&str>, ipv6: Option<&str>) -> Self {
        let who = |gateway: Option<&str>| match gateway {
            None => Gateway::Missing,
            Some(id) if id == endpoint => Gateway::Own,
            Some(_) => Gateway::Other,
        };
        Self { ipv4: who(ipv4), ipv6: who(ipv6) }
    }

    fn of_family(self, address: IpAddr) -> Gateway {
        if address.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }
}

/// A [`Published`] in the store, without the names of its fields: a thousand of them have to fit into one value.
type Row = (Protocol, IpAddr, u16, IpAddr, u16);

/// A port that is published, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub(crate) struct Published {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Where the host listens; unspecified: on all addresses of the family.
    pub host_address: IpAddr,
    /// The port there.
    pub host_port: u16,
    /// Where packets go.
    pub container_address: IpAddr,
    /// The port there.
    pub container_port: u16,
}

impl From<Row> for Published {
    fn from((protocol, host_address, host_port, container_address, container_port): Row) -> Self {
        Self { protocol, host_address, host_port, container_address, container_port }
    }
}

impl From<Published> for Row {
    fn from(port: Published) -> Self {
        (port.protocol, port.host_address, port.host_port, port.container_address, port.container_port)
    }
}

/// Publishes these ports instead of those that were published before.
pub(crate) fn publish(network: &str, endpoint: &str, gateways: Gateways, bindings: &[PortBinding]) -> Result<()> {
    let before = withdraw(network, endpoint)?;
    let network_record = Network::find(network)?;
    let mut record = Endpoint::find(network, endpoint)?;
    if network_record.internal {
        return Ok(());
    }
    for binding in bindings {
        let routes = routes(binding, gateways, &network_record, &record)?;
        record.published.extend(take(binding, &routes, &before)?);
    }
    let rules: Vec<_> = record.published.iter().flat_map(rules).collect();
    rules.chunks(RULES).try_for_each(|some| nftables::add(None, some).map(drop))?;
    Endpoint::key(network, endpoint).set(&record)
}

/// Takes all ports back. There is nothing to do for an endpoint without any, or for none.
pub(crate) fn revoke(network: &str, endpoint: &str) -> Result<()> {
    withdraw(network, endpoint).map(drop)
}

/// Takes all ports back and says which they were.
fn withdraw(network: &str, endpoint: &str) -> Result<Vec<Published>> {
    let key = Endpoint::key(network, endpoint);
    let Some(mut record) = key.get()? else { return Ok(Vec::new()) };
    if record.published.is_empty() {
        return Ok(Vec::new());
    }
    // An endpoint has no other rules.
    nftables::list()?.chunks(RULES).try_for_each(nftables::remove)?;
    let published = std::mem::take(&mut record.published);
    published.iter().try_for_each(|port| ports::release(port.protocol, &[port.host_address], port.host_port))?;
    key.set(&record)?;
    Ok(published)
}

/// From where on the host to where in the container a binding leads, for each family that it has.
fn routes(
    binding: &PortBinding,
    gateways: Gateways,
    network: &Network,
    endpoint: &Endpoint,
) -> Result<Vec<(IpAddr, IpAddr)>> {
    let wanted = binding.host_address.or(network.host_binding);
    if let Some(address) = wanted.filter(|address| gateways.of_family(*address) == Gateway::Missing) {
        return Err(Error::invalid_argument(format!(
            "port {}/{} can't be published on {address}: the container has no gateway of that family",
            binding.container_port, binding.protocol
        )));
    }
    if wanted.is_some_and(|address| address.is_ipv6() && address.is_loopback()) {
        // It has no route_localnet for IPv6: a packet to ::1 is never sent elsewhere.
        return Err(Error::invalid_argument(format!(
            "port {}/{} can't be published on ::1: the kernel translates no packets to that address; use 127.0.0.1",
            binding.container_port, binding.protocol
        )));
    }
    let of_family = |own: Option<IpAddr>, all: IpAddr| {
        let same_family = |address: &IpAddr| address.is_ipv4() == all.is_ipv4();
        let container = binding.container_address.filter(same_family).or(own)?;
        let host = wanted.map_or(Some(all), |address| Some(address).filter(same_family))?;
        (gateways.of_family(all) == Gateway::Own).then_some((host, container))
    };
    let ipv4 = of_family(endpoint.ipv4, Ipv4Addr::UNSPECIFIED.into());
    let ipv6 = of_family(endpoint.ipv6, Ipv6Addr::UNSPECIFIED.into());
    Ok(ipv4.into_iter().chain(ipv6).collect())
}

/// Takes a port of the host, the same one for all families of a binding.
fn take(binding: &PortBinding, routes: &[(IpAddr, IpAddr)], before: &[Published]) -> Result<Vec<Published>> {
    if routes.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<IpAddr> = routes.iter().map(|(host, _)| *host).collect();
    let host_port = take_one(binding, &addresses, before)?;
    let published = |(host_address, container_address): &(IpAddr, IpAddr)| Published {
        protocol: binding.protocol,
        host_address: *host_address,
        host_port,
        container_address: *container_address,
        container_port: binding.container_port,
    };
    Ok(routes.iter().map(published).collect())
}

fn take_one(binding: &PortBinding, addresses: &[IpAddr], before: &[Published]) -> Result<u16> {
    let range = range(binding);
    // Where there is a choice, a port stays what it was when the gateways change.
    let is_same = |old: &&Published| {
        (old.protocol, old.container_port) == (binding.protocol, binding.container_port)
            && range.as_ref().is_none_or(|range| range.contains(&old.host_port))
    };
    for old in before.iter().filter(is_same) {
        match ports::take(binding.protocol, addresses, old.host_port..=old.host_port) {
            Err(error) if error.kind == ErrorKind::AlreadyExists => {}
            taken => return taken,
        }
    }
    match range {
        Some(range) => ports::take(binding.protocol, addresses, range),
        None => ports::take_any(binding.protocol, addresses),
    }
}

/// The host's ports that will do; none: any.
fn range(binding: &PortBinding) -> Option<RangeInclusive<u16>> {
    match (binding.host_port, binding.host_port_end) {
        (0, _) => None,
        (port, 0) => Some(port..=port),
        (first, last) => Some(first..=last),
    }
}

/// What is sent to a published port goes to the container: from outside, and from the host itself. To a loopback address only the host may send.
fn rules(port: &Published) -> Vec<Rule<'static>> {
    let chains: &[Chain] = match port.host_address.is_loopback() {
        true => &[Chain::NAT_OUTPUT],
        false => &[Chain::NAT_PREROUTING, Chain::NAT_OUTPUT],
    };
    chains.iter().map(|chain| rule(port, *chain)).collect()
}

fn rule(port: &Published, chain: Chain) -> Rule<'static> {
    let every = port.host_address.is_unspecified();
    let destination = if every { DestinationLocal } else { Destination(host(port.host_address)) };
    let target = Target { address: port.container_address, port: Some(port.container_port) };
    let rule = Rule::new(chain, Verdict::DestinationNat(target))
        .when(destination)
        .when(IpProtocol(port.protocol))
        .when(DestinationPort(port.host_port.into()));
    // The kernel delivers no answer to ::1 from another link. Without translation a connection is refused at once; see also `rules::from_ipv6_loopback`.
    let is_delivered = port.host_address.is_ipv4() || port.protocol == Protocol::UDP;
    if every && chain == Chain::NAT_OUTPUT && !is_delivered {
        return rule.unless(Destination(host(Ipv6Addr::LOCALHOST.into())));
    }
    rule
}
