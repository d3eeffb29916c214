//! A small bridge driver with every part, and with one planted fault: the one that `fault` in its configuration names.
//!
//! Without any it passes the conformance suite; with each of those that `tests/scenarios/conformance.rs` lists the suite has to find it.

mod builds;
mod endpoint;
mod network;
mod ports;

use pontoon_sdk::{
    Driver, EndpointOptions, Error, ExternalConnectivity, GatewayAllocationChecker, InterfaceInfo, IpamData,
    Ipv6Releaser, JoinInfo, NetworkAllocator, NetworkInfo, NetworkOptions, ObjectType, Registration, Result,
    SkipGateway, TableEvent, TableWatcher, TextMap, configuration, export_driver, export_external_connectivity,
    export_gateway_allocation_checker, export_ipv6_releaser, export_network_allocator, export_table_watcher, random,
    store::{self, Key},
};

/// The table of this driver: an entry for each endpoint.
const TABLE: &str = "neighbours";

/// The driver.
struct Faulty;

export_driver!(Faulty);
export_network_allocator!(Faulty);
export_table_watcher!(Faulty);
export_external_connectivity!(Faulty);
export_ipv6_releaser!(Faulty);
export_gateway_allocation_checker!(Faulty);

/// Whether this is the planted fault.
pub(crate) fn planted(fault: &str) -> bool {
    configuration::get("fault").as_deref() == Some(fault)
}

impl Driver for Faulty {
    fn register() -> Registration {
        Registration::new("faulty")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        info: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        if !planted("watches-nothing") {
            info.table_event_register(TABLE, ObjectType::Endpoint)?;
        }
        network::create(network, options, ipv4, ipv6)
    }

    fn delete_network(network: &str) -> Result<()> {
        for (key, _) in store::list_bytes(&format!("neighbour/{network}/"))? {
            store::remove(&key)?;
        }
        network::delete(network)
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
        endpoint::create(network, endpoint, info, options)
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        ports::revoke(network, endpoint, true)?;
        endpoint::delete(network, endpoint)
    }

    fn endpoint_oper_info(network: &str, endpoint: &str) -> Result<TextMap> {
        let endpoint = match endpoint::find(network, endpoint) {
            Err(_) if planted("tells-of-unknown") => return Ok(TextMap::default()),
            found => found?,
        };
        let quote = if planted("tells-no-json") { "" } else { "\"" };
        Ok(TextMap::from([("mac", format!("{quote}{}{quote}", endpoint.mac_address))]))
    }

    fn join(network: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        endpoint::join(network, endpoint, info)
    }

    fn leave(network: &str, endpoint: &str) -> Result<()> {
        if planted("stays-connected") {
            return Ok(());
        }
        if planted("leave-removes-link") {
            endpoint::remove_links(network, endpoint)?;
        }
        ports::revoke(network, endpoint, !planted("forgets-ipv6-at-leave"))
    }
}

impl NetworkAllocator for Faulty {
    fn network_allocate(network: &str, options: &TextMap, _: &[IpamData], _: &[IpamData]) -> Result<TextMap> {
        Key::new(format!("allocated/{network}")).set(&())?;
        let mut options = options.clone();
        options.insert("faulty.allocated", "yes");
        Ok(options)
    }

    fn network_free(network: &str) -> Result<()> {
        match Key::<()>::new(format!("allocated/{network}")).take()? {
            None if planted("frees-once") => Err(Error::not_found(format!("network {network} is not allocated"))),
            _ => Ok(()),
        }
    }
}

impl TableWatcher for Faulty {
    fn event_notify(network: &str, _: &str, key: &str, event: &TableEvent) -> Result<()> {
        let of = if planted("shares-entries") { "all" } else { network };
        let neighbour = format!("neighbour/{of}/{key}");
        match event {
            TableEvent::Updated { .. } if planted("refuses-updates") => {
                Err(Error::already_exists(format!("neighbour {key} is there already")))
            }
            TableEvent::Deleted(_) if planted("forgets-once") && store::get_bytes(&neighbour)?.is_none() => {
                Err(Error::not_found(format!("no neighbour {key}")))
            }
            TableEvent::Created(_) if planted("hears-once") && store::get_bytes(&neighbour)?.is_some() => {
                Err(Error::already_exists(format!("neighbour {key} is there already")))
            }
            TableEvent::Created(value) | TableEvent::Updated { value, .. } => store::set_bytes(&neighbour, value),
            TableEvent::Deleted(_) => store::remove(&neighbour),
        }
    }

    fn decode_table_entry(_: &str, key: &str, value: &[u8]) -> Result<(String, TextMap)> {
        if planted("explains-nothing") {
            return Err(Error::invalid_argument("no entry of this driver's"));
        }
        if planted("decode-traps") {
            let text = String::from_utf8(value.to_vec()).unwrap_or_else(|error| panic!("{error}"));
            return Ok((text, TextMap::default()));
        }
        let text = std::str::from_utf8(value)?;
        Ok((format!("{key}: {text}"), TextMap::default()))
    }
}

impl ExternalConnectivity for Faulty {
    fn program_external_connectivity(
        network: &str,
        endpoint: &str,
        gateway_ipv4: Option<&str>,
        gateway_ipv6: Option<&str>,
        options: &EndpointOptions,
    ) -> Result<()> {
        let own = [gateway_ipv4, gateway_ipv6].map(|gateway| gateway == Some(endpoint));
        ports::publish(network, endpoint, own, &options.port_bindings)
    }

    fn revoke_external_connectivity(network: &str, endpoint: &str) -> Result<()> {
        ports::revoke(network, endpoint, true)
    }
}

impl Ipv6Releaser for Faulty {
    fn release_ipv6(network: &str, endpoint: &str) -> Result<()> {
        if planted("releases-all") {
            return endpoint::delete(network, endpoint);
        }
        if planted("releases-nothing") {
            return endpoint::find(network, endpoint).map(drop);
        }
        endpoint::change(network, endpoint, |record| record.ipv6 = None)
    }
}

impl GatewayAllocationChecker for Faulty {
    fn skip_gateway_allocation(options: &NetworkOptions) -> Result<SkipGateway> {
        network::mtu(&options.generic)?;
        let skips = planted("skips-by-chance") && random::bytes(8).iter().fold(0, |sum, byte| sum ^ byte) % 2 == 1;
        Ok(SkipGateway { ipv4: skips, ipv6: false })
    }
}
