//! Docker's bridge driver: containers of a network hang on a bridge, reach the outside masqueraded, and publish ports.
//!
//! In the order in which a network comes to life:
//! - [`options`]: what the user's labels say.
//! - [`network`]: the bridge, its subnets, and the conflicts with other networks; its filter and translation are
//!   [`pontoon_outside`]'s.
//! - [`endpoint`]: the pair of links between bridge and container.
//! - [`bandwidth`]: how fast a container sends and receives.
//! - [`ports`]: the ports that an endpoint publishes.
//! - [`report`]: what there is to tell of an endpoint.
//!
//! A driver has no memory between calls. What this one remembers lies in the store:
//!
//! | key | value |
//! |---|---|
//! | `network/NETWORK` | [`network::Network`] |
//! | `bridge/NAME` | the network that the bridge belongs to |
//! | `endpoint/NETWORK/ENDPOINT` | [`endpoint::Endpoint`] |

mod bandwidth;
mod endpoint;
mod network;
mod options;
mod policy;
mod ports;
mod report;
#[cfg(test)]
mod tests;

use pontoon_sdk::{
    Driver, EndpointOptions, ExternalConnectivity, GatewayAllocationChecker, InterfaceInfo, IpamData, Ipv6Releaser,
    JoinInfo, NetworkInfo, NetworkOptions, Registration, Result, SkipGateway, TextMap, export_driver,
    export_external_connectivity, export_gateway_allocation_checker, export_ipv6_releaser,
};

use options::Options;
use pontoon_outside::ports::Gateways;

/// The driver.
struct Bridge;

export_driver!(Bridge);
export_external_connectivity!(Bridge);
export_gateway_allocation_checker!(Bridge);
export_ipv6_releaser!(Bridge);

impl Driver for Bridge {
    fn register() -> Registration {
        Registration::new("bridge")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        network::create(network, options, ipv4, ipv6)
    }

    fn delete_network(network: &str) -> Result<()> {
        network::delete(network)
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, options: &EndpointOptions) -> Result<()> {
        endpoint::create(network, endpoint, info, options)
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        endpoint::delete(network, endpoint)
    }

    fn endpoint_oper_info(network: &str, endpoint: &str) -> Result<TextMap> {
        report::endpoint(network, endpoint)
    }

    fn join(network: &str, endpoint: &str, _sandbox: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        endpoint::join(network, endpoint, info)
    }

    fn leave(network: &str, endpoint: &str) -> Result<()> {
        ports::revoke(network, endpoint).map(drop)
    }
}

impl ExternalConnectivity for Bridge {
    fn program_external_connectivity(
        network: &str,
        endpoint: &str,
        gateway_ipv4: Option<&str>,
        gateway_ipv6: Option<&str>,
        options: &EndpointOptions,
    ) -> Result<()> {
        let gateways = Gateways::of(endpoint, gateway_ipv4, gateway_ipv6);
        ports::publish(network, endpoint, gateways, &options.port_bindings)
    }

    fn revoke_external_connectivity(network: &str, endpoint: &str) -> Result<()> {
        ports::revoke(network, endpoint).map(drop)
    }
}

impl Ipv6Releaser for Bridge {
    fn release_ipv6(network: &str, endpoint: &str) -> Result<()> {
        endpoint::release_ipv6(network, endpoint)
    }
}

impl GatewayAllocationChecker for Bridge {
    fn skip_gateway_allocation(options: &NetworkOptions) -> Result<SkipGateway> {
        Ok(SkipGateway { ipv4: Options::read(&options.generic)?.inhibit_ipv4, ipv6: false })
    }
}
