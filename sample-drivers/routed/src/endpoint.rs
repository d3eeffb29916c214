//! A container: its pair of links and the host's route to it, and who answers for it on the parent.

use pontoon_pair::Pair;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::neighbours::{self, Proxy};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, InterfaceInfo, JoinInfo, Result};
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// What is remembered of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Endpoint {
    pair: Pair,
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
        let pair = Pair::create(["rt-", "rc-"], endpoint, of.mtu, info)?;
        if of.answers {
            let parent = of.parent_link()?;
            let on_parent = |address: &IpNet| Proxy { link: &parent, address: address.addr() };
            neighbours::add_proxies(&pair.addresses.iter().map(on_parent).collect::<Vec<_>>())?;
        }
        key.set(&Self { pair })
    }

    pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
        let Some(Self { pair }) = Self::key(network, endpoint).take()? else { return Ok(()) };
        let of = Network::find(network)?;
        if of.answers
            && let Ok(parent) = of.parent_link()
        {
            let on_parent = |address: &IpNet| Proxy { link: &parent, address: address.addr() };
            neighbours::remove_proxies(&pair.addresses.iter().map(on_parent).collect::<Vec<_>>())?;
        }
        pair.remove()
    }

    pub(crate) fn join(&self, of: &Network, info: &JoinInfo) -> Result<()> {
        self.pair.join(of.internal, info)
    }
}
