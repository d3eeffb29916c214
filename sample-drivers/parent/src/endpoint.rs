//! A container's link.

use std::net::IpAddr;

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkEnd, LinkName, LinkSpec};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, InterfaceInfo, IpamData, JoinInfo, Result};
use serde::{Deserialize, Serialize};

use crate::name;

/// What the containers' links are named, with a number behind it.
const PREFIX: &str = "eth";

/// Where a network's subnets lead on to: a router beyond the parent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Gateways(Vec<(IpNet, IpAddr)>);

impl Gateways {
    /// Those that the user or the engine named.
    pub fn of(pools: &[&[IpamData]]) -> Self {
        let known = |data: &IpamData| Some((data.pool?.trunc(), data.gateway?.addr()));
        Self(pools.iter().flat_map(|pools| pools.iter()).filter_map(known).collect())
    }

    fn of_address(&self, address: IpNet) -> Option<IpAddr> {
        let gateway = self.0.iter().find(|(pool, _)| pool.contains(&address.addr()));
        gateway.map(|(_, gateway)| *gateway)
    }
}

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// The link's name, where it was made.
    link: String,
    /// It was made in the container's namespace.
    is_in_sandbox: bool,
    /// Its addresses.
    addresses: Vec<IpNet>,
}

impl Endpoint {
    /// Makes an endpoint and its link, whose name and place are chosen here: the container's namespace where that is known, so that it need not be
    /// moved.
    ///
    /// # Errors
    /// The endpoint is there already; the host's.
    pub fn add(network: &str, endpoint: &str, info: &InterfaceInfo, LinkSpec { end, kind }: LinkSpec) -> Result<()> {
        let key = Self::key(network, endpoint);
        if key.get()?.is_some() {
            return Err(Error::already_exists(format!("endpoint {endpoint} is there already")));
        }
        let sandbox = info.sandbox();
        let name = match sandbox {
            Some(_) => LinkName::Prefix(PREFIX.to_owned()),
            None => LinkName::Exact(name("mv-", endpoint)),
        };
        let end = LinkEnd { namespace: sandbox.as_ref(), name, ..end };
        let link = links::add_one(LinkSpec { end, kind })?.link.info()?.name;
        let addresses = info.address().into_iter().chain(info.address_ipv6()).collect();
        key.set(&Self { link, is_in_sandbox: sandbox.is_some(), addresses })
    }

    /// The endpoint of this id, which must exist.
    ///
    /// # Errors
    /// It does not.
    pub fn find(network: &str, endpoint: &str) -> Result<Self> {
        Self::key(network, endpoint).get()?.ok_or_else(|| Error::not_found(format!("no endpoint {endpoint}")))
    }

    /// Forgets an endpoint. Its link goes with it, wherever that is.
    ///
    /// # Errors
    /// The host's.
    pub fn forget(network: &str, endpoint: &str) -> Result<()> {
        Self::key(network, endpoint).remove()
    }

    /// Its addresses.
    pub fn addresses(&self) -> &[IpNet] {
        &self.addresses
    }

    /// Says which link the container gets, and that it needs no other way out.
    ///
    /// # Errors
    /// The link is gone.
    pub fn join(&self, info: &JoinInfo) -> Result<()> {
        let sandbox = info.sandbox().filter(|_| self.is_in_sandbox);
        let link = links::get(sandbox.as_ref(), &self.link)?;
        info.interface_name().set_names(&link, PREFIX, None)?;
        info.disable_gateway_service();
        Ok(())
    }

    /// Gives the container its subnets' gateways. Without one, the endpoint can still be the one by which the container leaves.
    ///
    /// # Errors
    /// The host's.
    pub fn lead_out(&self, gateways: &Gateways, info: &JoinInfo) -> Result<()> {
        for address in &self.addresses {
            match (gateways.of_address(*address), address) {
                (Some(gateway), _) => info.set_gateway(gateway)?,
                (None, IpNet::V4(_)) => info.force_gateway_ipv4(),
                (None, IpNet::V6(_)) => info.force_gateway_ipv6(),
            }
        }
        Ok(())
    }

    fn key(network: &str, endpoint: &str) -> Key<Self> {
        Key::new(format!("endpoint/{network}/{endpoint}"))
    }
}
