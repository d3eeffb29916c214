//! Containers that are reached by routes alone: for each a pair of links, and on the host a route to it.
//!
//! | key | value |
//! |---|---|
//! | `network/NETWORK` | [`Network`] |
//! | `endpoint/NETWORK/ENDPOINT` | [`Endpoint`](endpoint::Endpoint) |

mod endpoint;
mod network;
#[cfg(test)]
mod tests;

use endpoint::Endpoint;
use network::Network;
use pontoon_sdk::{
    Driver, EndpointOptions, GatewayAllocationChecker, InterfaceInfo, IpamData, JoinInfo, NetworkInfo, NetworkOptions,
    Registration, Result, SkipGateway, export_driver, export_gateway_allocation_checker,
};

/// The driver.
struct Routed;

export_driver!(Routed);
export_gateway_allocation_checker!(Routed);

impl Driver for Routed {
    fn register() -> Registration {
        Registration::new("routed")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        Network::create(network, options, &[ipv4, ipv6])
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
        Endpoint::find(network, endpoint)?.join(&Network::find(network)?, info)
    }
}

/// The gateway is the host's end of the container's own pair, and takes no address of the subnet.
impl GatewayAllocationChecker for Routed {
    fn skip_gateway_allocation(_: &NetworkOptions) -> Result<SkipGateway> {
        Ok(SkipGateway { ipv4: true, ipv6: true })
    }
}
