//! Published ports: taken on the host, and the rules behind them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::nftables::Property::{
    Connection, Destination, DestinationLocal, DestinationPort, Protocol as IpProtocol, Source,
};
use pontoon_sdk::nftables::{self, Chain, ConnectionStates, Hook, PortRange, Rule, Target, Verdict};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, ErrorKind, PortBinding, Protocol, Result, ports};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rules::host;

/// Rules that the host takes at once.
const RULES: usize = 1_000;

/// Who is the container's gateway for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gateway {
    /// This endpoint.
    Own,
    /// Another endpoint, which publishes the family's ports.
    Other,
    /// Nobody.
    Missing,
}

/// The container's gateways.
#[derive(Clone, Copy, Debug)]
pub struct Gateways {
    ipv4: Gateway,
    ipv6: Gateway,
}

impl Gateways {
    /// As an endpoint is told.
    pub fn of(endpoint: &str, ipv4: Option<&str>, ipv6: Option<&str>) -> Self {
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

/// A [`Published`] in the store, without the names of its fields: a thousand of them have to fit into one value. What an earlier version kept
/// ends before the last.
#[derive(Serialize, Deserialize)]
struct Row(Protocol, IpAddr, u16, IpAddr, u16, #[serde(default)] u16);

/// A port that is published, of one family, or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Published {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Where the host listens; unspecified: on all addresses of the family.
    pub host_address: IpAddr,
    /// The port there; of a range the first.
    pub host_port: u16,
    /// Where packets go.
    pub container_address: IpAddr,
    /// The port there; of a range the first.
    pub container_port: u16,
    /// How many ports follow in a range.
    pub more: u16,
}

impl Published {
    /// The host's last port.
    pub fn last(&self) -> u16 {
        self.host_port + self.more
    }
}

impl From<Row> for Published {
    fn from(Row(protocol, host_address, host_port, container_address, container_port, more): Row) -> Self {
        Self { protocol, host_address, host_port, container_address, container_port, more }
    }
}

impl From<Published> for Row {
    fn from(port: Published) -> Self {
        let Published { protocol, host_address, host_port, container_address, container_port, more } = port;
        Self(protocol, host_address, host_port, container_address, container_port, more)
    }
}

/// A container whose ports are published.
#[derive(Clone, Copy, Debug)]
pub struct Container {
    /// Its IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// Its IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// Where ports are published that name no host address; none: on all addresses of both families.
    pub host_binding: Option<IpAddr>,
}

/// Publishes these ports of a container. `before` are those that were published before, and that this call has revoked: where there is a choice, a
/// port stays what it was.
///
/// # Errors
/// A port is in use, or none is free; an address where it can't be published.
pub fn publish(
    container: &Container,
    gateways: Gateways,
    bindings: &[PortBinding],
    before: &[Published],
) -> Result<Vec<Published>> {
    let mut published = Vec::new();
    for wanted in ranges(bindings, before) {
        let routes = routes(&wanted.binding, gateways, container)?;
        published.extend(take(&wanted, &routes, before)?);
    }
    let rules: Vec<_> = published.iter().flat_map(rules).collect();
    rules.chunks(RULES).try_for_each(|some| nftables::add(None, some).map(drop))?;
    Ok(published)
}

/// Takes these ports of the call's endpoint back, and all its rules.
///
/// # Errors
/// The host's.
pub fn revoke(published: &[Published]) -> Result<()> {
    if published.is_empty() {
        return Ok(());
    }
    // An endpoint has no other rules.
    nftables::list()?.chunks(RULES).try_for_each(nftables::remove)?;
    published.iter().try_for_each(release)
}

/// Keeps an endpoint's record, in which this many published ports stand.
///
/// # Errors
/// `Unavailable`: they are too many. The record has a line for each port that is in no range.
pub fn keep<T: Serialize + DeserializeOwned>(key: &Key<T>, record: &T, published: usize) -> Result<()> {
    key.set(record).map_err(|error| match error.kind {
        ErrorKind::InvalidArgument => Error::unavailable(format!(
            "{published} published ports, counted for each family, are too many for one endpoint where they form no ranges: publish ranges \
             with the same ports in the container, or fewer"
        )),
        _ => error,
    })
}

fn release(port: &Published) -> Result<()> {
    match port.more {
        0 => ports::release(port.protocol, &[port.host_address], port.host_port),
        _ => ports::release_range(port.protocol, &[port.host_address], port.host_port..=port.last()),
    }
}

/// A binding, or several of one port each that follow each other on the host and in the container.
struct Wanted {
    /// The first.
    binding: PortBinding,
    /// How many follow it.
    more: u16,
}

impl Wanted {
    /// Whether another is the next one.
    fn is_followed_by(&self, next: &PortBinding) -> bool {
        let Self { binding: first, more } = *self;
        let of = |b: &PortBinding| (b.protocol, b.host_address, b.container_address);
        let at = |b: &PortBinding, more: u32| (u32::from(b.host_port) + more, u32::from(b.container_port) + more);
        of(&first) == of(next) && at(&first, u32::from(more) + 1) == at(next, 0)
    }
}

/// Bindings as ranges, as far as they form some, in the order in which they were given. What was taken alone before is taken alone again:
/// the host gives back as it was given.
fn ranges(bindings: &[PortBinding], before: &[Published]) -> Vec<Wanted> {
    let alone: BTreeSet<_> = before.iter().filter(|p| p.more == 0).map(|p| (p.protocol, p.host_port)).collect();
    let may_join = |b: &PortBinding| {
        let is_one = b.host_port != 0 && (b.host_port_end == 0 || b.host_port_end == b.host_port);
        is_one && !alone.contains(&(b.protocol, b.host_port))
    };
    let (mut one, others): (Vec<_>, Vec<_>) = bindings.iter().enumerate().partition(|(_, b)| may_join(b));
    one.sort_by_key(|(_, b)| (b.protocol, b.host_address, b.container_address, b.host_port));
    let mut all: Vec<(usize, Wanted)> = Vec::new();
    for (at, binding) in one {
        match all.last_mut() {
            Some((first, wanted)) if wanted.is_followed_by(binding) => {
                wanted.more += 1;
                *first = at.min(*first);
            }
            _ => all.push((at, Wanted { binding: *binding, more: 0 })),
        }
    }
    all.extend(others.into_iter().map(|(at, binding)| (at, Wanted { binding: *binding, more: 0 })));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, wanted)| wanted).collect()
}

/// From where on the host to where in the container a binding leads, for each family that it has.
fn routes(binding: &PortBinding, gateways: Gateways, container: &Container) -> Result<Vec<(IpAddr, IpAddr)>> {
    let wanted = binding.host_address.or(container.host_binding);
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
        let inside = binding.container_address.filter(same_family).or(own)?;
        let host = wanted.map_or(Some(all), |address| Some(address).filter(same_family))?;
        (gateways.of_family(all) == Gateway::Own).then_some((host, inside))
    };
    let ipv4 = of_family(container.ipv4, Ipv4Addr::UNSPECIFIED.into());
    let ipv6 = of_family(container.ipv6, Ipv6Addr::UNSPECIFIED.into());
    Ok(ipv4.into_iter().chain(ipv6).collect())
}

/// Takes ports of the host, the same ones for all families of a binding.
fn take(wanted: &Wanted, routes: &[(IpAddr, IpAddr)], before: &[Published]) -> Result<Vec<Published>> {
    let Wanted { binding, more } = wanted;
    if routes.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<IpAddr> = routes.iter().map(|(host, _)| *host).collect();
    let host_port = match *more {
        0 => take_one(binding, &addresses, before)?,
        more => {
            ports::take_range(binding.protocol, &addresses, binding.host_port..=binding.host_port + more)?;
            binding.host_port
        }
    };
    let published = |(host_address, container_address): &(IpAddr, IpAddr)| Published {
        protocol: binding.protocol,
        host_address: *host_address,
        host_port,
        container_address: *container_address,
        container_port: binding.container_port,
        more: *more,
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
    // A rule keeps the port, or sends all to one.
    let parts: Vec<Published> = match port.host_port == port.container_port {
        true => vec![*port],
        false => each(port).collect(),
    };
    let sent = chains.iter().flat_map(|chain| parts.iter().map(|part| rule(part, *chain)));
    sent.chain((port.protocol != Protocol::UDP).then(|| invalid(port))).collect()
}

/// A packet that conntrack calls invalid is sent nowhere. It would come to the host, which knows no such connection and resets it. (There are
/// no such answers to datagrams.)
fn invalid(port: &Published) -> Rule<'static> {
    let Published { host_address, .. } = *port;
    // After connection tracking.
    let rule = Rule::new(Chain::filter(Hook::Prerouting, -100), Verdict::Drop);
    let rule = match host_address.is_unspecified() {
        true => rule.when(Source(every(host_address))).when(DestinationLocal),
        false => rule.when(Destination(host(host_address))),
    };
    rule.when(IpProtocol(port.protocol))
        .when(DestinationPort(PortRange { first: port.host_port, last: port.last() }))
        .when(Connection(ConnectionStates { invalid: true, ..ConnectionStates::default() }))
}

/// All addresses of a family.
fn every(unspecified: IpAddr) -> IpNet {
    IpNet::new_assert(unspecified, 0)
}

/// Each port of a range alone.
fn each(port: &Published) -> impl Iterator<Item = Published> {
    (0..=port.more).map(|offset| {
        let (host_port, container_port) = (port.host_port + offset, port.container_port + offset);
        Published { host_port, container_port, more: 0, ..*port }
    })
}

fn rule(port: &Published, chain: Chain) -> Rule<'static> {
    let every = port.host_address.is_unspecified();
    let destination = if every { DestinationLocal } else { Destination(host(port.host_address)) };
    let target = Target { address: port.container_address, port: (port.more == 0).then_some(port.container_port) };
    let rule = Rule::new(chain, Verdict::DestinationNat(target))
        .when(destination)
        .when(IpProtocol(port.protocol))
        .when(DestinationPort(PortRange { first: port.host_port, last: port.last() }));
    // The kernel delivers no answer to ::1 from another link. Without translation a connection is refused at once; see also `rules::from_ipv6_loopback`.
    let is_delivered = port.host_address.is_ipv4() || port.protocol == Protocol::UDP;
    if every && chain == Chain::NAT_OUTPUT && !is_delivered {
        return rule.unless(Destination(host(Ipv6Addr::LOCALHOST.into())));
    }
    rule
}

/// libnetwork's types.PortBinding. Of a range, `Port` is the container's first.
#[derive(Serialize)]
struct Told {
    #[serde(rename = "Proto")]
    protocol: Protocol,
    #[serde(rename = "IP")]
    address: IpAddr,
    #[serde(rename = "Port")]
    port: u16,
    #[serde(rename = "HostIP")]
    host_address: IpAddr,
    #[serde(rename = "HostPort")]
    host_port: u16,
    #[serde(rename = "HostPortEnd")]
    host_port_end: u16,
}

impl From<&Published> for Told {
    fn from(port: &Published) -> Self {
        Self {
            protocol: port.protocol,
            address: port.container_address,
            port: port.container_port,
            host_address: port.host_address,
            host_port: port.host_port,
            host_port_end: port.last(),
        }
    }
}

/// What an endpoint's `com.docker.network.portmap` says: libnetwork's PortBindings, as JSON.
///
/// # Errors
/// None to be expected.
pub fn map(published: &[Published]) -> Result<String> {
    let told: Vec<Told> = published.iter().map(Into::into).collect();
    serde_json::to_string(&told).map_err(|error| Error::internal(error.to_string()))
}
