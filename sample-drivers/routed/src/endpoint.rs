//! A container: its pair of links, the host's route to it, and its way out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::forwarding;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkEnd, LinkName, LinkSpec};
use pontoon_sdk::neighbours::{self, Proxy};
use pontoon_sdk::nftables::{self, Chain, Property, Rule, Verdict};
use pontoon_sdk::routes::{self, Route};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, ErrorKind, InterfaceInfo, JoinInfo, Result, StaticRoute};
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// The host's end of each pair has them: link-local, so that they are nobody's beyond it.
const GATEWAYS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1)), IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1))];
/// What the containers' links are named, with a number behind it.
const PREFIX: &str = "eth";

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    host_link: String,
    container_link: String,
    /// It was made in the container's namespace.
    is_in_sandbox: bool,
    addresses: Vec<IpNet>,
}

impl Endpoint {
    pub(crate) fn find(network: &str, endpoint: &str) -> Result<Self> {
        Self::key(network, endpoint).get()?.ok_or_else(|| Error::not_found(format!("no endpoint {endpoint}")))
    }

    fn key(network: &str, endpoint: &str) -> Key<Self> {
        Key::new(format!("endpoint/{network}/{endpoint}"))
    }

    pub(crate) fn create(of: &Network, network: &str, endpoint: &str, info: &InterfaceInfo) -> Result<()> {
        let key = Self::key(network, endpoint);
        if key.get()?.is_some() {
            return Err(Error::already_exists(format!("endpoint {endpoint} is there already")));
        }
        let addresses: Vec<IpNet> = info.address().into_iter().chain(info.address_ipv6()).collect();
        let (host_link, sandbox) = (name("rt-", endpoint), info.sandbox());
        let gateways = addresses.iter().map(|address| gateway(*address).into()).collect();
        let host_end = LinkEnd { mtu: of.mtu, addresses: gateways, up: true, ..LinkEnd::named(&host_link) };
        let container_end = LinkEnd {
            namespace: sandbox.as_ref(),
            name: match sandbox {
                Some(_) => LinkName::Prefix(PREFIX.to_owned()),
                None => LinkName::Exact(name("rc-", endpoint)),
            },
            mac_address: Some(info.choose_mac_address()?),
            mtu: of.mtu,
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
        if of.answers {
            let parent = of.parent_link()?;
            let on_parent = |address: &IpNet| Proxy { link: &parent, address: address.addr() };
            neighbours::add_proxies(&addresses.iter().map(on_parent).collect::<Vec<_>>())?;
        }
        let container_link = peer.info()?.name;
        key.set(&Self { host_link, container_link, is_in_sandbox: sandbox.is_some(), addresses })
    }

    /// Routes and rules go with the pair.
    pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
        let Some(old) = Self::key(network, endpoint).take()? else { return Ok(()) };
        let of = Network::find(network)?;
        if of.answers
            && let Ok(parent) = of.parent_link()
        {
            let on_parent = |address: &IpNet| Proxy { link: &parent, address: address.addr() };
            neighbours::remove_proxies(&old.addresses.iter().map(on_parent).collect::<Vec<_>>())?;
        }
        match links::get(None, &old.host_link) {
            Ok(link) => link.remove(),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The gateway is right behind the link, and everything else behind the gateway.
    pub(crate) fn join(&self, of: &Network, info: &JoinInfo) -> Result<()> {
        let sandbox = info.sandbox().filter(|_| self.is_in_sandbox);
        let link = links::get(sandbox.as_ref(), &self.container_link)?;
        info.interface_name().set_names(&link, PREFIX, None)?;
        for address in &self.addresses {
            let gateway = gateway(*address);
            info.add_static_route(gateway.into(), StaticRoute::Connected)?;
            for half in halves(*address) {
                info.add_static_route(half, StaticRoute::NextHop(gateway))?;
            }
            if !of.internal {
                info.set_gateway(gateway)?;
            }
        }
        if of.internal {
            info.disable_gateway_service();
        }
        Ok(())
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
fn name(prefix: &str, id: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{prefix}{:012x}", id.bytes().fold(0xcbf2_9ce4_8422_2325, mix) >> 16)
}
