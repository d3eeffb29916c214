//! Networks that span hosts: on each host a bridge, with a vxlan link that leads to the containers of the others. Where each container is stands
//! in a table of the network; the kernel gets it as forwarding and neighbour entries, so that nothing is flooded and nobody outside is asked.
//!
//! In the order in which a network comes to life:
//! - [`options`]: what the user's labels and the operator's configuration say.
//! - [`network`]: the bridge, the vxlan link, and its number.
//! - [`endpoint`]: the pair of links between bridge and container.
//! - [`peers`]: who is where.
//!
//! | key | value |
//! |---|---|
//! | `network/NETWORK` | [`Network`] |
//! | `vni/NUMBER` | the network that has it on this host |
//! | `endpoint/NETWORK/ENDPOINT` | [`Endpoint`] |
//! | `at/NETWORK/ADDRESS`, `at/NETWORK/MAC` | who says that he has it |

mod endpoint;
mod network;
mod options;
mod peers;
#[cfg(test)]
mod tests;

use endpoint::Endpoint;
use network::Network;
use peers::Peer;
use pontoon_outside::ports::{self, Gateways};
use pontoon_sdk::{
    Driver, EndpointOptions, Error, ExternalConnectivity, InterfaceInfo, IpamData, Ipv6Releaser, JoinInfo,
    NetworkAllocator, NetworkInfo, NetworkOptions, ObjectType, Registration, Result, TableEvent, TableWatcher, TextMap,
    export_driver, export_external_connectivity, export_ipv6_releaser, export_network_allocator, export_table_watcher,
};

/// The driver.
struct Overlay;

export_driver!(Overlay);
export_external_connectivity!(Overlay);
export_ipv6_releaser!(Overlay);
export_network_allocator!(Overlay);
export_table_watcher!(Overlay);

impl Driver for Overlay {
    fn register() -> Registration {
        Registration::global("overlay")
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

    fn endpoint_oper_info(network: &str, endpoint: &str) -> Result<TextMap> {
        let found = Endpoint::find(network, endpoint)?;
        Ok(TextMap::from([
            ("com.docker.network.endpoint.macaddress", format!("\"{}\"", found.mac_address)),
            ("com.docker.network.portmap", ports::map(&found.published)?),
        ]))
    }

    fn join(network: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let (of, found) = (Network::find(network)?, Endpoint::find(network, endpoint)?);
        found.join(&of, info)?;
        let here = found.peer(&of);
        peers::change(&of, network, endpoint, None, Some(&here))?;
        info.add_table_entry(peers::TABLE, endpoint, here.to_string().as_bytes())
    }

    fn leave(network: &str, endpoint: &str) -> Result<()> {
        Endpoint::leave(network, endpoint)
    }
}

impl NetworkAllocator for Overlay {
    fn network_allocate(network: &str, options: &TextMap, _: &[IpamData], _: &[IpamData]) -> Result<TextMap> {
        let mut options = options.clone();
        let vni = network::choose_vni(network, options::vni(&options)?, &options::taken(&options))?;
        options.insert(options::VNI, vni.to_string());
        options.insert(options::UNIQUE, options::VNI.to_owned());
        Ok(options)
    }

    /// It is the network's from `create_network` to `delete_network`.
    fn network_free(_: &str) -> Result<()> {
        Ok(())
    }
}

impl TableWatcher for Overlay {
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
        let details = [
            ("host", peer.host.to_string()),
            ("mac", peer.mac_address.to_string()),
            ("addresses", addresses.join(" ")),
        ];
        Ok((key.to_owned(), details.into()))
    }
}

impl ExternalConnectivity for Overlay {
    fn program_external_connectivity(
        network: &str,
        endpoint: &str,
        gateway_ipv4: Option<&str>,
        gateway_ipv6: Option<&str>,
        options: &EndpointOptions,
    ) -> Result<()> {
        let gateways = Gateways::of(endpoint, gateway_ipv4, gateway_ipv6);
        Endpoint::publish(network, endpoint, gateways, &options.port_bindings)
    }

    fn revoke_external_connectivity(network: &str, endpoint: &str) -> Result<()> {
        Endpoint::revoke(network, endpoint).map(drop)
    }
}

impl Ipv6Releaser for Overlay {
    fn release_ipv6(network: &str, endpoint: &str) -> Result<()> {
        Endpoint::find(network, endpoint)?.release_ipv6(network, endpoint)
    }
}

/// What is asked for is not there.
fn unknown(what: &str, id: &str) -> Error {
    Error::not_found(format!("no {what} {id}"))
}

/// A link's name: the prefix, and twelve digits that are the same in every build. Ids may begin alike.
fn name(prefix: &str, id: &str) -> String {
    format!("{prefix}{:012x}", hash(id) >> 16)
}

/// FNV-1a.
fn hash(id: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    id.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}
