//! A container behind a pair of links: the host has a route to each of its addresses, and everything else of its is behind the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::forwarding;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkEnd, LinkName, LinkSpec};
use pontoon_sdk::nftables::{self, Chain, Property, Rule, Verdict};
use pontoon_sdk::routes::{self, Route};
use pontoon_sdk::{Error, ErrorKind, InterfaceInfo, JoinInfo, Result, StaticRoute};
use serde::{Deserialize, Serialize};

/// The host's end of each pair has them: link-local, so that they are nobody's beyond it.
const GATEWAYS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1)), IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1))];
/// What the containers' links are named, with a number behind it.
const PREFIX: &str = "eth";

/// A container's pair.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pair {
    host_link: String,
    container_link: String,
    /// It was made in the container's namespace.
    is_in_sandbox: bool,
    /// What the container has.
    pub addresses: Vec<IpNet>,
}

impl Pair {
    /// Makes it, with the host's routes to it and rules against foreign sources. Its ends' names begin with these: the host's, and the container's
    /// until it joins. `mtu` is in bytes.
    ///
    /// # Errors
    /// The host's.
    pub fn create(prefixes: [&str; 2], endpoint: &str, mtu: Option<u32>, info: &InterfaceInfo) -> Result<Self> {
        let addresses: Vec<IpNet> = info.address().into_iter().chain(info.address_ipv6()).collect();
        let (host_link, sandbox) = (name(prefixes[0], endpoint), info.sandbox());
        let gateways = addresses.iter().map(|address| gateway(*address).into()).collect();
        let host_end = LinkEnd { mtu, addresses: gateways, up: true, ..LinkEnd::named(&host_link) };
        let container_end = LinkEnd {
            namespace: sandbox.as_ref(),
            name: match sandbox {
                Some(_) => LinkName::Prefix(PREFIX.to_owned()),
                None => LinkName::Exact(name(prefixes[1], endpoint)),
            },
            mac_address: Some(info.choose_mac_address()?),
            mtu,
            ..LinkEnd::named("")
        };
        let added = links::add_one(LinkSpec::veth(host_end, container_end))?;
        let peer = added.peer.ok_or_else(|| Error::internal("a pair without another end"))?;
        let to = |address: &IpNet| Route::new(&added.link, address.addr().into());
        routes::add(&addresses.iter().map(to).collect::<Vec<_>>())?;
        let foreign = |address: &IpNet| {
            let rule = Rule::new(Chain::FORWARD, Verdict::Drop).when(Property::InputLink(&added.link));
            rule.unless(Property::Source(address.addr().into()))
        };
        nftables::add(None, &addresses.iter().map(foreign).collect::<Vec<_>>())?;
        let has = |ipv4: bool| addresses.iter().any(|address| address.addr().is_ipv4() == ipv4);
        forwarding::allow(&added.link, has(true), has(false))?;
        let container_link = peer.info()?.name;
        Ok(Self { host_link, container_link, is_in_sandbox: sandbox.is_some(), addresses })
    }

    /// Removes it; routes and rules go with it.
    ///
    /// # Errors
    /// The host's.
    pub fn remove(&self) -> Result<()> {
        remove_link(&self.host_link)
    }

    /// The gateway is right behind the link, and everything else behind the gateway.
    ///
    /// # Errors
    /// The host's.
    pub fn join(&self, internal: bool, info: &JoinInfo) -> Result<()> {
        let sandbox = info.sandbox().filter(|_| self.is_in_sandbox);
        let link: Link = links::get(sandbox.as_ref(), &self.container_link)?;
        info.interface_name().set_names(&link, PREFIX, None)?;
        for address in &self.addresses {
            let gateway = gateway(*address);
            info.add_static_route(gateway.into(), StaticRoute::Connected)?;
            for half in halves(*address) {
                info.add_static_route(half, StaticRoute::NextHop(gateway))?;
            }
            if !internal {
                info.set_gateway(gateway)?;
            }
        }
        if internal {
            info.disable_gateway_service();
        }
        Ok(())
    }
}

/// Removes one of the driver's links on the host, if it is there.
///
/// # Errors
/// The host's.
pub fn remove_link(name: &str) -> Result<()> {
    match links::get(None, name) {
        Ok(link) => link.remove(),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn gateway(address: IpNet) -> IpAddr {
    if address.addr().is_ipv4() { GATEWAYS[0] } else { GATEWAYS[1] }
}

/// The subnet of an address, in two: each goes before the route that the kernel makes with the address. None of a single address.
fn halves(address: IpNet) -> Vec<IpNet> {
    let halves = address.trunc().subnets(address.prefix_len() + 1);
    halves.map(Iterator::collect).unwrap_or_default()
}

/// A link's name: the prefix, and twelve digits that are the same in every build (FNV-1a). Ids may begin alike.
pub fn name(prefix: &str, id: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{prefix}{:012x}", id.bytes().fold(0xcbf2_9ce4_8422_2325, mix) >> 16)
}
