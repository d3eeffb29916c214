//! Filter and translation of a whole network, and the settings of its bridge. What a published port adds stands in [`ports`](crate::ports).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::ipnet::{IpNet, Ipv4Net};
use pontoon_sdk::links::Link;
use pontoon_sdk::nftables::Property::{Connection, Destination, DestinationTranslated, InputLink, OutputLink, Source};
use pontoon_sdk::nftables::Verdict::{Accept, Drop, Masquerade, SourceNat};
use pontoon_sdk::nftables::{Chain, ConnectionStates, Rule, Target};
use pontoon_sdk::sysctls::{self, LinkSysctl};
use pontoon_sdk::{Result, forwarding};

/// 127.0.0.0/8.
const LOOPBACK: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8));

/// A network's addresses of one subnet.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The subnet.
    pub subnet: IpNet,
    /// The source address of what leaves; none: that of the link that it leaves by.
    pub source: Option<IpAddr>,
}

/// What there is between a bridge and the rest of the world.
#[derive(Debug)]
pub struct Outside<'a> {
    /// The bridge.
    pub bridge: &'a Link,
    /// The network's subnets, of both families.
    pub pools: Vec<Pool>,
    /// Nothing leaves the network, and nothing comes in.
    pub internal: bool,
    /// Containers may talk to each other.
    pub icc: bool,
    /// What leaves gets an address of the host's.
    pub masquerade: bool,
}

impl<'a> Outside<'a> {
    /// The network's rules, to be added together.
    pub fn rules(&self) -> Vec<Rule<'a>> {
        let (bridge, mut rules) = (self.bridge, Vec::new());
        if self.internal {
            rules.extend(no_way_out(bridge));
        } else {
            rules.extend(filter(bridge));
            rules.extend(self.pools.iter().flat_map(|pool| translation(pool, self.masquerade, bridge)));
            if self.has(true) {
                rules.extend(loopback(bridge));
            }
            rules.extend(self.pools.iter().filter(|pool| pool.subnet.addr().is_ipv6()).map(from_ipv6_loopback));
        }
        if !self.icc {
            // Ports are isolated, but a packet that is sent to the gateway would be routed back.
            rules.push(Rule::new(Chain::FORWARD, Drop).when(InputLink(bridge)).when(OutputLink(bridge)));
        }
        rules
    }

    /// Sets the bridge up for it, and has the host forward.
    ///
    /// # Errors
    /// The host's.
    pub fn prepare(&self) -> Result<()> {
        set_ipv6(self.bridge)?;
        if self.internal {
            return Ok(());
        }
        if self.has(true) {
            // For ports that are published on 127.0.0.1; the rules keep the containers from the host's own services.
            sysctls::set_link(self.bridge, LinkSysctl::Ipv4RouteLocalnet, 1)?;
        }
        forwarding::allow(self.bridge, self.has(true), self.has(false))
    }

    fn has(&self, ipv4: bool) -> bool {
        self.pools.iter().any(|pool| pool.subnet.addr().is_ipv4() == ipv4)
    }
}

/// A container must not become the host's router (CVE-2020-13401). And the bridge's link-local address, whose MAC nobody else
/// has, must not wait two seconds for a duplicate: until then the host could not ask for a container's MAC.
fn set_ipv6(bridge: &Link) -> Result<()> {
    const ENOENT: u32 = 2;
    for name in [LinkSysctl::Ipv6AcceptRa, LinkSysctl::Ipv6AcceptDad] {
        match sysctls::set_link(bridge, name, 0) {
            // A kernel without IPv6.
            Err(error) if error.kernel_errno == Some(ENOENT) => return Ok(()),
            result => result?,
        }
    }
    Ok(())
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

fn translation<'a>(pool: &Pool, masquerade: bool, bridge: &'a Link) -> Vec<Rule<'a>> {
    // Who uses a published port has to get its answer through the host as well. A server on the same network, or with a link in it, would
    // answer past the host, with an address that the client did not ask.
    let published = Rule::new(Chain::NAT_POSTROUTING, Masquerade).when(Source(pool.subnet)).when(DestinationTranslated);
    let verdict = pool.source.map_or(Masquerade, |address| SourceNat(Target { address, port: None }));
    let outside = masquerade
        .then(|| Rule::new(Chain::NAT_POSTROUTING, verdict).when(Source(pool.subnet)).unless(OutputLink(bridge)));
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
fn from_ipv6_loopback<'a>(pool: &Pool) -> Rule<'a> {
    Rule::new(Chain::OUTPUT, Drop)
        .when(Source(host(Ipv6Addr::LOCALHOST.into())))
        .when(Destination(pool.subnet))
        .when(DestinationTranslated)
}

/// The network of one address.
pub(crate) fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}
