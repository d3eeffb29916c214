//! The driver of the host's tests: it has every part and calls every function of the contract.
//!
//! What it does is said by options: a network's or an endpoint's own (`-o KEY=VALUE`, `--driver-opt`), for all of them
//! the driver's configuration. CALL is a function of an exported interface as the WIT names it, e.g. `create-network`.
//!
//! | key | effect |
//! |---|---|
//! | `probe.do` | not in the configuration; in `create-network` or `create-endpoint`: the [`actions`] to go through, or `all` |
//! | `probe.fail` | these CALLs answer an error at their end |
//! | `probe.trap` | these CALLs panic at their end |
//! | `probe.spin` | these CALLs never end |
//! | `probe.allocate` | these CALLs take memory until there is none |
//! | `probe.exceed` | of a network: `create-network` passes one of the host's limits: `host-calls`, `deadline` (in the host), `handles`, `random`, `host-call-bytes`; of an endpoint: `answer` |
//! | `probe.skip-ipv4`, `probe.skip-ipv6` = `yes` | what `skip-gateway-allocation` answers |
//! | `probe.links` = `no` | networks and endpoints make no links of their own |
//! | `probe.gateway` = `yes` or an address | `join` names the gateways of the pools, or this one |
//! | `probe.mac` = a MAC | `create-endpoint` sets it |
//! | `probe.in-sandbox` = `yes` | endpoints make the link of the container in its namespace, where they know it |
//! | `scope` = `global`, `network-type` | configuration only: what `register` says |
//!
//! An action answers an error that names the first thing that was not as the WIT says. What the driver saw stands in the
//! log, in the store and in `endpoint-oper-info`: see [`notes`].

mod actions;
mod check;
mod network;
mod notes;
mod settings;
#[cfg(test)]
mod tests;

mod endpoint;

use pontoon_sdk::{
    Driver, EndpointOptions, ExternalConnectivity, GatewayAllocationChecker, InterfaceInfo, IpamData, Ipv6Releaser,
    JoinInfo, NetworkAllocator, NetworkInfo, NetworkOptions, Registration, Result, SkipGateway, TableEvent,
    TableWatcher, TextMap, configuration, export_driver, export_external_connectivity,
    export_gateway_allocation_checker, export_ipv6_releaser, export_network_allocator, export_table_watcher,
};

use settings::Settings;

/// The driver.
struct Probe;

export_driver!(Probe);
export_network_allocator!(Probe);
export_table_watcher!(Probe);
export_external_connectivity!(Probe);
export_ipv6_releaser!(Probe);
export_gateway_allocation_checker!(Probe);

impl Driver for Probe {
    fn register() -> Registration {
        let network_type = configuration::get("network-type").unwrap_or_else(|| "probe".to_owned());
        // There is no error to answer here: `probe.fail` becomes a trap.
        if let Err(error) = Settings::of_driver().misbehave("register") {
            panic!("{error}");
        }
        match configuration::get("scope").as_deref() {
            Some("global") => Registration::global(network_type),
            _ => Registration::new(network_type),
        }
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        info: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        network::create(network, options, info, ipv4, ipv6)?;
        options.generic.get("probe.exceed").map_or(Ok(()), settings::exceed)?;
        Settings::of_network(network)?.misbehave("create-network")
    }

    fn delete_network(network: &str) -> Result<()> {
        let settings = Settings::of_network(network)?;
        network::delete(network)?;
        settings.misbehave("delete-network")
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
        endpoint::create(network, endpoint, info, options)?;
        Settings::of_endpoint(network, endpoint)?.misbehave("create-endpoint")
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        let settings = Settings::of_endpoint(network, endpoint)?;
        endpoint::delete(network, endpoint)?;
        settings.misbehave("delete-endpoint")
    }

    fn endpoint_oper_info(network: &str, endpoint: &str) -> Result<TextMap> {
        let settings = Settings::of_endpoint(network, endpoint)?;
        settings.misbehave("endpoint-oper-info")?;
        let mut told = notes::tell(network, endpoint)?;
        if settings.names("probe.exceed", "answer") {
            told.insert("long", "x".repeat(2 << 20));
        }
        Ok(told)
    }

    fn join(network: &str, endpoint: &str, sandbox: &str, info: &JoinInfo, options: &EndpointOptions) -> Result<()> {
        endpoint::join(network, endpoint, sandbox, info, options)?;
        Settings::of_endpoint(network, endpoint)?.misbehave("join")
    }

    fn leave(network: &str, endpoint: &str) -> Result<()> {
        notes::of_endpoint(network, endpoint).add("leave")?;
        Settings::of_endpoint(network, endpoint)?.misbehave("leave")
    }
}

impl NetworkAllocator for Probe {
    fn network_allocate(network: &str, options: &TextMap, ipv4: &[IpamData], ipv6: &[IpamData]) -> Result<TextMap> {
        notes::of_network(network).add(&format!("network-allocate: {} and {} pools", ipv4.len(), ipv6.len()))?;
        Settings::of_driver().and(options.clone()).misbehave("network-allocate")?;
        let mut options = options.clone();
        options.insert("probe.allocated", "yes");
        Ok(options)
    }

    fn network_free(network: &str) -> Result<()> {
        notes::of_network(network).add("network-free")?;
        Settings::of_network(network)?.misbehave("network-free")
    }
}

impl TableWatcher for Probe {
    fn event_notify(network: &str, table: &str, key: &str, event: &TableEvent) -> Result<()> {
        notes::add_event(network, table, key, event)?;
        Settings::of_network(network)?.misbehave("event-notify")
    }

    fn decode_table_entry(table: &str, key: &str, value: &[u8]) -> Result<(String, TextMap)> {
        Settings::of_driver().misbehave("decode-table-entry")?;
        let title = match table {
            actions::ABOUT_ENDPOINTS => String::from_utf8_lossy(value).into_owned(),
            _ => format!("{table}/{key}"),
        };
        Ok((title, TextMap::from([("length", value.len().to_string())])))
    }
}

impl ExternalConnectivity for Probe {
    fn program_external_connectivity(
        network: &str,
        endpoint: &str,
        gateway_ipv4: Option<&str>,
        gateway_ipv6: Option<&str>,
        options: &EndpointOptions,
    ) -> Result<()> {
        endpoint::program(network, endpoint, [gateway_ipv4, gateway_ipv6], options)?;
        Settings::of_endpoint(network, endpoint)?.misbehave("program-external-connectivity")
    }

    fn revoke_external_connectivity(network: &str, endpoint: &str) -> Result<()> {
        notes::of_endpoint(network, endpoint).add("revoke-external-connectivity")?;
        Settings::of_endpoint(network, endpoint)?.misbehave("revoke-external-connectivity")
    }
}

impl Ipv6Releaser for Probe {
    fn release_ipv6(network: &str, endpoint: &str) -> Result<()> {
        notes::of_endpoint(network, endpoint).add("release-ipv6")?;
        Settings::of_endpoint(network, endpoint)?.misbehave("release-ipv6")
    }
}

impl GatewayAllocationChecker for Probe {
    fn skip_gateway_allocation(options: &NetworkOptions) -> Result<SkipGateway> {
        Settings::of_driver().and(options.generic.clone()).misbehave("skip-gateway-allocation")?;
        let skips = |key: &str| options.generic.get(key) == Some("yes");
        Ok(SkipGateway { ipv4: skips("probe.skip-ipv4"), ipv6: skips("probe.skip-ipv6") })
    }
}
