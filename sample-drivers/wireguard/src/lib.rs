//! Networks that span hosts, encrypted: on each host a WireGuard link, and a pair of links for each container. Where each container is stands in a
//! table of the network, with the public key of its host; the kernel gets it as peers, allowed networks and routes.
//!
//! - [`options`]: what the user's labels and the operator's configuration say.
//! - [`network`]: the WireGuard link.
//! - [`endpoint`]: a container behind its pair.
//! - [`peers`]: who is where.
//!
//! | key | value |
//! |---|---|
//! | `network/NETWORK` | [`Network`] |
//! | `endpoint/NETWORK/ENDPOINT` | the container's [`Pair`](pontoon_pair::Pair) |
//! | `at/NETWORK/ADDRESS` | who says that a container of his has it |
//! | `host/NETWORK/KEY` | where a host is, and which addresses are behind it |

mod endpoint;
mod network;
mod options;
mod peers;
#[cfg(test)]
mod tests;

use endpoint::Endpoint;
use network::Network;
use peers::Peer;
use pontoon_sdk::{
    Driver, EndpointOptions, Error, GatewayAllocationChecker, InterfaceInfo, IpamData, JoinInfo, NetworkInfo,
    NetworkOptions, ObjectType, Registration, Result, SkipGateway, TableEvent, TableWatcher, TextMap, export_driver,
    export_gateway_allocation_checker, export_table_watcher,
};

/// The driver.
struct Wireguard;

export_driver!(Wireguard);
export_gateway_allocation_checker!(Wireguard);
export_table_watcher!(Wireguard);

impl Driver for Wireguard {
    fn register() -> Registration {
        Registration::global("wireguard")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        info: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        Network::create(network, options, &[ipv4, ipv6])?;
        info.table_event_register(peers::TABLE, ObjectType::Endpoint)
    }

    fn delete_network(network: &str) -> Result<()> {
        Network::delete(network)
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
        Endpoint::create(&Network::find(network)?, network, endpoint, info)
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        Endpoint::delete(network, endpoint)
    }

    fn join(network: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let (of, found) = (Network::find(network)?, Endpoint::find(network, endpoint)?);
        found.join(&of, info)?;
        info.add_table_entry(peers::TABLE, endpoint, found.peer(&of).to_string().as_bytes())
    }
}

/// The gateway is the host's end of the container's own pair, and takes no address of the subnet.
impl GatewayAllocationChecker for Wireguard {
    fn skip_gateway_allocation(_: &NetworkOptions) -> Result<SkipGateway> {
        Ok(SkipGateway { ipv4: true, ipv6: true })
    }
}

impl TableWatcher for Wireguard {
    fn event_notify(network: &str, table: &str, key: &str, event: &TableEvent) -> Result<()> {
        let of = Network::find(network)?;
        if table != peers::TABLE {
            return Ok(());
        }
        let (before, now) = match event {
            TableEvent::Created(value) => (None, Some(value)),
            TableEvent::Updated { previous, value } => (Some(previous), Some(value)),
            TableEvent::Deleted(value) => (Some(value), None),
        };
        let before = before.and_then(|value| of.peer(key, value).ok());
        let now = match now.map(|value| of.peer(key, value)) {
            // An error would bring the same entry again.
            Some(Err(error)) => {
                pontoon_sdk::log::warn(format!("{table}: the entry {key} is left out: {error}"));
                None
            }
            Some(Ok(peer)) => Some(peer),
            None => None,
        };
        peers::change(&of, network, key, before.as_ref(), now.as_ref())
    }

    fn decode_table_entry(_: &str, key: &str, value: &[u8]) -> Result<(String, TextMap)> {
        let peer = Peer::read(value)?;
        let addresses: Vec<_> = peer.addresses.iter().map(ToString::to_string).collect();
        let details =
            [("key", peer.key.to_string()), ("host", peer.host.to_string()), ("addresses", addresses.join(" "))];
        Ok((key.to_owned(), details.into()))
    }
}

/// What is asked for is not there.
fn unknown(what: &str, id: &str) -> Error {
    Error::not_found(format!("no {what} {id}"))
}
