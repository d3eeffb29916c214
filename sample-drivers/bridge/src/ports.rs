//! Published ports: which are free, and the rules behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use pontoon_sdk::nftables::Property::{Destination, DestinationLocal, DestinationPort, Protocol as IpProtocol};
use pontoon_sdk::nftables::{self, Chain, Rule, Target, Verdict};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Error, PortBinding, Protocol, Result, random};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::network::Network;
use crate::rules::host;

/// Where a port is taken from if the user leaves the choice: what IANA keeps for this.
const EPHEMERAL: RangeInclusive<u16> = 49_153..=65_535;

/// The families that the endpoint is the container's gateway for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Families {
    pub ipv4: bool,
    pub ipv6: bool,
}

/// A port that is published, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Publishes these ports instead of those that were published before.
pub(crate) fn publish(network: &str, endpoint: &str, families: Families, bindings: &[PortBinding]) -> Result<()> {
    let before = withdraw(network, endpoint)?;
    let network_record = Network::find(network)?;
    let mut record = Endpoint::find(network, endpoint)?;
    if network_record.internal {
        return Ok(());
    }
    for binding in bindings {
        let routes = routes(binding, families, &network_record, &record);
        record.published.extend(reserve(endpoint, binding, routes, &before)?);
    }
    let rules: Vec<_> = record.published.iter().flat_map(rules).collect();
    if !rules.is_empty() {
        record.rules = nftables::add(None, &rules)?;
    }
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
    nftables::remove(&std::mem::take(&mut record.rules))?;
    let published = std::mem::take(&mut record.published);
    published.iter().try_for_each(|port| key_of(port).remove())?;
    key.set(&record)?;
    Ok(published)
}

/// From where on the host to where in the container a binding leads, for each family that it has.
fn routes(binding: &PortBinding, families: Families, network: &Network, endpoint: &Endpoint) -> Vec<(IpAddr, IpAddr)> {
    let wanted = binding.host_address.or(network.host_binding);
    let of_family = |active: bool, own: Option<IpAddr>, all: IpAddr| {
        let same_family = |address: &IpAddr| address.is_ipv4() == all.is_ipv4();
        let container = binding.container_address.filter(same_family).or(own).filter(|_| active)?;
        Some((wanted.map_or(Some(all), |address| Some(address).filter(same_family))?, container))
    };
    let ipv4 = of_family(families.ipv4, endpoint.ipv4, Ipv4Addr::UNSPECIFIED.into());
    let ipv6 = of_family(families.ipv6, endpoint.ipv6, Ipv6Addr::UNSPECIFIED.into());
    ipv4.into_iter().chain(ipv6).collect()
}

/// Finds a port of the host that is free for all families of a binding, and takes it.
fn reserve(
    endpoint: &str,
    binding: &PortBinding,
    routes: Vec<(IpAddr, IpAddr)>,
    before: &[Published],
) -> Result<Vec<Published>> {
    check_protocol(binding.protocol)?;
    let at = |host_port: u16| {
        let published = |(host_address, container_address): &(IpAddr, IpAddr)| Published {
            protocol: binding.protocol,
            host_address: *host_address,
            host_port,
            container_address: *container_address,
            container_port: binding.container_port,
        };
        routes.iter().map(published).collect::<Vec<_>>()
    };
    for port in candidates(binding, before)? {
        let ports = at(port);
        if all_free(&ports)? {
            ports.iter().try_for_each(|port| key_of(port).set(&endpoint.to_owned()))?;
            return Ok(ports);
        }
    }
    Err(taken(binding))
}

fn check_protocol(protocol: Protocol) -> Result<()> {
    if [Protocol::TCP, Protocol::UDP, Protocol::SCTP].contains(&protocol) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!("a port of protocol {protocol} can't be published: only tcp, udp and sctp")))
}

/// The host's ports that will do, in the order in which they are tried.
fn candidates(binding: &PortBinding, before: &[Published]) -> Result<impl Iterator<Item = u16>> {
    let range = range(binding)?;
    // Where the choice is the driver's, a port stays what it was when the gateways change.
    let same = |old: &&Published| old.protocol == binding.protocol && old.container_port == binding.container_port;
    let old: Vec<u16> =
        before.iter().filter(same).map(|old| old.host_port).filter(|port| range.contains(port)).collect();
    // The user's range is tried from its beginning, the driver's own from anywhere.
    let start = if binding.host_port == 0 { random_port(&range) } else { *range.start() };
    Ok(old.into_iter().chain(start..=*range.end()).chain(*range.start()..start))
}

fn range(binding: &PortBinding) -> Result<RangeInclusive<u16>> {
    match (binding.host_port, binding.host_port_end) {
        (0, _) => Ok(EPHEMERAL),
        (port, 0) => Ok(port..=port),
        (first, last) if first <= last => Ok(first..=last),
        (first, last) => {
            Err(Error::invalid_argument(format!("host ports {first}-{last}: the last is below the first")))
        }
    }
}

fn random_port(range: &RangeInclusive<u16>) -> u16 {
    let count = range.end() - range.start() + 1;
    range.start() + u16::from_le_bytes(random::array()) % count
}

fn taken(binding: &PortBinding) -> Error {
    let address = binding.host_address.map(|address| format!(" of {address}")).unwrap_or_default();
    let protocol = binding.protocol;
    match (binding.host_port, binding.host_port_end) {
        (0, _) => Error::unavailable(format!("no {protocol} port{address} of the ephemeral ones is free")),
        (first, last) if last > first => {
            Error::already_exists(format!("host ports {first}-{last}/{protocol}{address}: all are published already"))
        }
        (port, _) => Error::already_exists(format!("host port {port}/{protocol}{address} is published already")),
    }
}

/// Whether nobody has any of these ports. A port of one address clashes with the same port of all addresses.
fn all_free(ports: &[Published]) -> Result<bool> {
    for port in ports {
        for (address, _) in store::list::<String>(&prefix_of(port))? {
            let address: IpAddr = address.parse()?;
            let same_family = address.is_ipv4() == port.host_address.is_ipv4();
            let any = address.is_unspecified() || port.host_address.is_unspecified();
            if address == port.host_address || (same_family && any) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn prefix_of(port: &Published) -> String {
    format!("port/{}/{}/", port.protocol, port.host_port)
}

fn key_of(port: &Published) -> Key<String> {
    Key::new(format!("{}{}", prefix_of(port), port.host_address))
}

/// What is sent to a published port goes to the container: from outside, and from the host itself.
fn rules(port: &Published) -> [Rule<'static>; 2] {
    let destination =
        if port.host_address.is_unspecified() { DestinationLocal } else { Destination(host(port.host_address)) };
    let target = Target { address: port.container_address, port: Some(port.container_port) };
    [Chain::NAT_PREROUTING, Chain::NAT_OUTPUT].map(|chain| {
        Rule::new(chain, Verdict::DestinationNat(target))
            .when(destination)
            .when(IpProtocol(port.protocol))
            .when(DestinationPort(port.host_port.into()))
    })
}
