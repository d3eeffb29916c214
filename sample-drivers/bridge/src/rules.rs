//! Filter and translation of a whole network. What a published port adds stands in [`ports`](crate::ports).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use pontoon_sdk::ipnet;
use pontoon_sdk::links::Link;
use pontoon_sdk::nftables::Property::{Connection, Destination, DestinationTranslated, InputLink, OutputLink, Source};
use pontoon_sdk::nftables::Verdict::{Accept, Drop, Masquerade, SourceNat};
use pontoon_sdk::nftables::{Chain, ConnectionStates, Rule, Target};

use crate::network::{Network, Subnet};

/// 127.0.0.0/8.
const LOOPBACK: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8));

/// The rules of a network, to be added together.
pub(crate) fn of_network<'a>(network: &Network, bridge: &'a Link) -> Vec<Rule<'a>> {
    let mut rules = Vec::new();
    if network.internal {
        rules.extend(no_way_out(bridge));
    } else {
        rules.extend(filter(bridge));
        rules.extend(network.subnets().flat_map(|subnet| translation(subnet, network.masquerade, bridge)));
        if network.ipv4.is_some() {
            rules.extend(loopback(bridge));
        }
        rules.extend(network.subnets().filter(|subnet| subnet.pool.addr().is_ipv6()).map(from_ipv6_loopback));
    }
    if !network.icc {
        // Ports are isolated, but a packet that is sent to the gateway would be routed back.
        rules.push(Rule::new(Chain::FORWARD, Drop).when(InputLink(bridge)).when(OutputLink(bridge)));
    }
    rules
}

fn no_way_out(bridge: &Link) -> [Rule<'_>; 2] {
    [
        Rule::new(Chain::FORWARD, Drop).when(InputLink(bridge)).unless(OutputLink(bridge)),
        Rule::new(Chain::FORWARD, Drop).when(OutputLink(bridge)).unless(InputLink(bridge)),
    ]
}

/// Into the network come answers and what was sent to a published port, and nothing else. A packet that conntrack calls invalid is never
/// translated: it would leave with the container's address.
fn filter(bridge: &Link) -> [Rule<'_>; 4] {
    let answers = Connection(ConnectionStates::ESTABLISHED_RELATED);
    let invalid = Connection(ConnectionStates { invalid: true, ..ConnectionStates::default() });
    [
        Rule::new(Chain::FORWARD, Drop).when(InputLink(bridge)).unless(OutputLink(bridge)).when(invalid),
        Rule::new(Chain::FORWARD, Accept).when(OutputLink(bridge)).when(answers),
        Rule::new(Chain::FORWARD, Accept).when(OutputLink(bridge)).when(DestinationTranslated),
        Rule::new(Chain::FORWARD, Drop).when(OutputLink(bridge)).unless(InputLink(bridge)),
    ]
}

fn translation<'a>(subnet: &Subnet, masquerade: bool, bridge: &'a Link) -> Vec<Rule<'a>> {
    // Who uses a published port has to get its answer through the host as well. A server on the same network, or with a link in it, would
    // answer past the host, with an address that the client did not ask.
    let published = Rule::new(Chain::NAT_POSTROUTING, Masquerade).when(Source(subnet.pool)).when(DestinationTranslated);
    let verdict = subnet.source.map_or(Masquerade, |address| SourceNat(Target { address, port: None }));
    let outside = masquerade
        .then(|| Rule::new(Chain::NAT_POSTROUTING, verdict).when(Source(subnet.pool)).unless(OutputLink(bridge)));
    outside.into_iter().chain([published]).collect()
}

/// Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it.
fn loopback(bridge: &Link) -> [Rule<'_>; 2] {
    [
        Rule::new(Chain::NAT_POSTROUTING, Masquerade).when(Source(LOOPBACK)).when(OutputLink(bridge)),
        Rule::new(Chain::RAW_PREROUTING, Drop).when(InputLink(bridge)).when(Destination(LOOPBACK)),
    ]
}

/// A datagram to ::1 and a published port: no answer would reach its sender, who is told so at once (EPERM). Untranslated, the socket that holds
/// the port would swallow it.
fn from_ipv6_loopback<'a>(subnet: &Subnet) -> Rule<'a> {
    Rule::new(Chain::OUTPUT, Drop)
        .when(Source(host(Ipv6Addr::LOCALHOST.into())))
        .when(Destination(subnet.pool))
        .when(DestinationTranslated)
}

/// The network of one address.
pub(crate) fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}
