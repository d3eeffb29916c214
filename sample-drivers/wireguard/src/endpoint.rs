//! A container behind its pair of links.

use pontoon_pair::Pair;
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, InterfaceInfo, JoinInfo, Result};

use crate::network::Network;
use crate::peers::Peer;
use crate::unknown;

/// What is remembered of an endpoint.
pub(crate) struct Endpoint(Pair);

impl Endpoint {
    pub(crate) fn find(network: &str, endpoint: &str) -> Result<Self> {
        key(network, endpoint).get()?.map(Self).ok_or_else(|| unknown("endpoint", endpoint))
    }

    pub(crate) fn create(of: &Network, network: &str, endpoint: &str, info: &InterfaceInfo) -> Result<()> {
        let key = key(network, endpoint);
        if key.get()?.is_some() {
            return Err(Error::already_exists(format!("endpoint {endpoint} is there already")));
        }
        key.set(&Pair::create(["wh-", "wc-"], endpoint, Some(of.mtu), info)?)
    }

    /// Its entry in the table goes by itself.
    pub(crate) fn delete(network: &str, endpoint: &str) -> Result<()> {
        key(network, endpoint).take()?.map_or(Ok(()), |pair| pair.remove())
    }

    pub(crate) fn join(&self, of: &Network, info: &JoinInfo) -> Result<()> {
        self.0.join(of.internal, info)
    }

    /// As the other hosts see it.
    pub(crate) fn peer(&self, of: &Network) -> Peer {
        Peer { key: of.key, host: of.host, addresses: self.0.addresses.iter().map(|address| address.addr()).collect() }
    }
}

fn key(network: &str, endpoint: &str) -> Key<Pair> {
    Key::new(format!("endpoint/{network}/{endpoint}"))
}
