//! Docker's ipvlan driver: each container has addresses of its own on a link of the host's, and that link's MAC address.
//!
//! | key | value |
//! |---|---|
//! | `network/NETWORK` | [`Network`] |
//!
//! And what [`pontoon_parent`] keeps.

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};

use pontoon_parent::{Endpoint, Gateways, Parent};
use pontoon_sdk::ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pontoon_sdk::links::{IpvlanFlag, IpvlanMode, LinkEnd, LinkKind, LinkSpec};
use pontoon_sdk::store::Key;
use pontoon_sdk::{
    Driver, EndpointOptions, Error, GatewayAllocationChecker, InterfaceInfo, IpamData, JoinInfo, NetworkInfo,
    NetworkOptions, Registration, Result, SkipGateway, StaticRoute, TextMap, export_driver,
    export_gateway_allocation_checker,
};
use serde::{Deserialize, Serialize};

const MODE: &str = "ipvlan_mode";
const FLAG: &str = "ipvlan_flag";
const MTU: &str = "com.docker.network.driver.mtu";

/// The driver.
struct Ipvlan;

export_driver!(Ipvlan);
export_gateway_allocation_checker!(Ipvlan);

/// What is remembered of a network.
#[derive(Debug, Serialize, Deserialize)]
struct Network {
    parent: Parent,
    mode: String,
    flag: String,
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

impl Driver for Ipvlan {
    fn register() -> Registration {
        Registration::new("ipvlan")
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
        let [mode, flag] = [(MODE, "l2"), (FLAG, "bridge")].map(|(label, usual)| word(&options.generic, label, usual));
        ipvlan_mode(&mode)?;
        ipvlan_flag(&flag)?;
        let mtu = options.generic.parse(MTU)?;
        let parent = Parent::of(network, &options.generic)?;
        // Mode and flag are the parent's.
        let how = format!("{mode} {flag}");
        parent.take(network, &how, |other| other == how)?;
        let internal = options.internal || !parent.leads_out();
        let gateways = Gateways::of(&[ipv4, ipv6]);
        Network::key(network).set(&Network { parent, mode, flag, mtu, internal, gateways })
    }

    fn delete_network(network: &str) -> Result<()> {
        let Some(old) = Network::key(network).take()? else { return Ok(()) };
        old.parent.release(network)
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
        if let Some(mac_address) = info.mac_address() {
            return Err(Error::invalid_argument(format!(
                "the MAC address {mac_address}: an ipvlan link has that of its parent, and no other"
            )));
        }
        let Network { parent, mode, flag, mtu, .. } = Network::find(network)?;
        let (mode, flag) = (ipvlan_mode(&mode)?, ipvlan_flag(&flag)?);
        let kind = LinkKind::Ipvlan { parent: &parent.link()?, mode, flag };
        let end = LinkEnd { mtu, ..LinkEnd::named("") };
        Endpoint::add(network, endpoint, info, LinkSpec { end, kind })
    }

    fn delete_endpoint(network: &str, endpoint: &str) -> Result<()> {
        Endpoint::forget(network, endpoint)
    }

    fn join(network: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let Network { mode, internal, gateways, .. } = Network::find(network)?;
        let endpoint = Endpoint::find(network, endpoint)?;
        endpoint.join(info)?;
        match ipvlan_mode(&mode)? {
            _ if internal => Ok(()),
            IpvlanMode::L2 => endpoint.lead_out(&gateways, info),
            // There are no neighbours to ask for a gateway: the parent's host routes.
            _ => endpoint
                .addresses()
                .iter()
                .try_for_each(|own| info.add_static_route(everywhere(own), StaticRoute::Connected)),
        }
    }
}

/// The gateway is a machine beyond the parent, which nobody here can choose.
impl GatewayAllocationChecker for Ipvlan {
    fn skip_gateway_allocation(_: &NetworkOptions) -> Result<SkipGateway> {
        Ok(SkipGateway { ipv4: true, ipv6: true })
    }
}

fn word(labels: &TextMap, label: &str, usual: &str) -> String {
    labels.get(label).filter(|word| !word.is_empty()).unwrap_or(usual).to_owned()
}

fn ipvlan_mode(mode: &str) -> Result<IpvlanMode> {
    match mode {
        "l2" => Ok(IpvlanMode::L2),
        "l3" => Ok(IpvlanMode::L3),
        "l3s" => Ok(IpvlanMode::L3s),
        _ => Err(Error::invalid_argument(format!("{MODE}=\"{mode}\": it is l2, l3 or l3s"))),
    }
}

fn ipvlan_flag(flag: &str) -> Result<IpvlanFlag> {
    match flag {
        "bridge" => Ok(IpvlanFlag::Bridge),
        "private" => Ok(IpvlanFlag::Private),
        "vepa" => Ok(IpvlanFlag::Vepa),
        _ => Err(Error::invalid_argument(format!("{FLAG}=\"{flag}\": it is bridge, private or vepa"))),
    }
}

/// All addresses of an address's family.
fn everywhere(address: &IpNet) -> IpNet {
    match address {
        IpNet::V4(_) => Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0).into(),
        IpNet::V6(_) => Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}
