//! Docker's macvlan driver: each container has a link with a MAC address of its own on a link of the host's, as if it were plugged into the same
//! switch.
//!
//! | key | value |
//! |---|---|
//! | `network/NETWORK` | [`Network`] |
//!
//! And what [`pontoon_parent`] keeps.

#[cfg(test)]
mod tests;

use pontoon_parent::{Endpoint, Gateways, Parent};
use pontoon_sdk::links::{LinkEnd, LinkKind, LinkSpec, MacvlanMode};
use pontoon_sdk::store::Key;
use pontoon_sdk::{
    Driver, EndpointOptions, Error, GatewayAllocationChecker, InterfaceInfo, IpamData, JoinInfo, NetworkInfo,
    NetworkOptions, Registration, Result, SkipGateway, export_driver, export_gateway_allocation_checker,
};
use serde::{Deserialize, Serialize};

const MODE: &str = "macvlan_mode";
const MTU: &str = "com.docker.network.driver.mtu";
const PASSTHRU: &str = "passthru";

/// The driver.
struct Macvlan;

export_driver!(Macvlan);
export_gateway_allocation_checker!(Macvlan);

/// What is remembered of a network.
#[derive(Debug, Serialize, Deserialize)]
struct Network {
    parent: Parent,
    mode: String,
    /// Of every container's link, in bytes; none: the parent's.
    mtu: Option<u32>,
    /// Nothing leaves it.
    internal: bool,
    gateways: Gateways,
}

impl Network {
    fn find(network: &str) -> Result<Self> {
        Self::key(network).get()?.ok_or_else(|| Error::not_found(format!("no network {network}")))
    }

    fn key(network: &str) -> Key<Self> {
        Key::new(format!("network/{network}")).version(1)
    }
}

impl Driver for Macvlan {
    fn register() -> Registration {
        Registration::new("macvlan")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        if Network::key(network).get()?.is_some() {
            return Err(Error::already_exists(format!("network {network} is there already")));
        }
        let mode = options.generic.get(MODE).filter(|mode| !mode.is_empty()).unwrap_or("bridge").to_owned();
        macvlan_mode(&mode)?;
        let mtu = options.generic.parse(MTU)?;
        let parent = Parent::of(network, &options.generic)?;
        // A parent in passthru mode has one link and no other.
        parent.take(network, &mode, |other| mode != PASSTHRU && other != PASSTHRU)?;
        let internal = options.internal || !parent.leads_out();
        Network::key(network).set(&Network { parent, mode, mtu, internal, gateways: Gateways::of(&[ipv4, ipv6]) })
    }

    fn delete_network(network: &str) -> Result<()> {
        let Some(old) = Network::key(network).take()? else { return Ok(()) };
        old.parent.release(network)
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
        let Network { parent, mode, mtu, .. } = Network::find(network)?;
        let kind = LinkKind::Macvlan { parent: &parent.link()?, mode: macvlan_mode(&mode)? };
        let end = LinkEnd { mac_address: Some(info.choose_mac_address()?), mtu, ..LinkEnd::named("") };
        Endpoint::add(network, endpoint, info, LinkSpec { end, kind })
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        Endpoint::forget(network, endpoint)
    }

    fn join(network: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let Network { internal, gateways, .. } = Network::find(network)?;
        let endpoint = Endpoint::find(network, endpoint)?;
        endpoint.join(info)?;
        if internal { Ok(()) } else { endpoint.lead_out(&gateways, info) }
    }
}

/// The gateway is a machine beyond the parent, which nobody here can choose.
impl GatewayAllocationChecker for Macvlan {
    fn skip_gateway_allocation(_: &NetworkOptions) -> Result<SkipGateway> {
        Ok(SkipGateway { ipv4: true, ipv6: true })
    }
}

fn macvlan_mode(mode: &str) -> Result<MacvlanMode> {
    match mode {
        "bridge" => Ok(MacvlanMode::Bridge),
        "private" => Ok(MacvlanMode::Private),
        "vepa" => Ok(MacvlanMode::Vepa),
        PASSTHRU => Ok(MacvlanMode::Passthru),
        _ => Err(Error::invalid_argument(format!("{MODE}=\"{mode}\": it is bridge, private, vepa or passthru"))),
    }
}
