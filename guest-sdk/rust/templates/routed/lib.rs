//! Containers that are routed to (point to point): no bridge, and a link of its own between the host and every container.
//!
//! The host has a route to every container's address and forwards between them. A container has the gateway on its link, and sends
//! everything through it, also to its neighbours of the same network, which are not on its link.

use std::net::IpAddr;

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::routes::{self, Route};
use pontoon_sdk::store::Key;
use pontoon_sdk::sysctls::{self, LinkSysctl};
use pontoon_sdk::*;
use serde::{Deserialize, Serialize};

struct Routed;

export_driver!(Routed);

/// What is remembered of a network.
#[derive(Serialize, Deserialize)]
struct Network {
    /// The pools that have a gateway, each with it.
    pools: Vec<(IpNet, IpAddr)>,
    internal: bool,
    mtu: Option<u32>,
}

fn key(network: &str) -> Key<Network> {
    Key::new(format!("network/{network}"))
}

impl Driver for Routed {
    fn register() -> Registration {
        Registration::new("@NAME@")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        if key(network).get()?.is_some() {
            let message = format!("the network {network} is there already");
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        let both = ipv4.iter().chain(ipv6);
        let pools = both.filter_map(|data| Some((data.pool?.trunc(), data.gateway?.addr())));
        key(network).set(&Network {
            pools: pools.collect(),
            internal: options.internal,
            mtu: options.generic.parse("com.docker.network.driver.mtu")?,
        })
    }

    fn delete_network(network: &str) -> Result<()> {
        key(network).remove()
    }

    fn create_endpoint(
        network: &str,
        endpoint: &str,
        info: &InterfaceInfo,
        _: &EndpointOptions,
    ) -> Result<()> {
        let mac_address = info.mac_address().unwrap_or_else(MacAddress::random);
        if info.mac_address().is_none() {
            info.set_mac_address(mac_address)?;
        }
        let Network { pools, mtu, .. } = known(network)?;
        let own: Vec<_> = info
            .address()
            .into_iter()
            .chain(info.address_ipv6())
            .collect();
        // The gateways' addresses are on every link, each alone: the host answers for them.
        let of_own = pools
            .iter()
            .filter(|(pool, _)| own.iter().any(|address| pool.contains(address)));
        let end = LinkEnd {
            mtu,
            addresses: of_own.map(|(_, gateway)| IpNet::from(*gateway)).collect(),
            up: true,
            ..LinkEnd::named(name("rh", endpoint))
        };
        let container = LinkEnd {
            mtu,
            mac_address: Some(mac_address),
            ..LinkEnd::named(name("rc", endpoint))
        };
        let link = links::add_one(LinkSpec::veth(end, container))?.link;
        // The same address is on other links, which is no duplicate.
        sysctls::set_link(&link, LinkSysctl::Ipv6AcceptDad, 0)?;
        let to_it: Vec<_> = own
            .iter()
            .map(|address| Route::new(&link, address.addr().into()))
            .collect();
        routes::add(&to_it)?;
        forwarding::allow(&link, true, true)
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(()) // Its links and their routes go with it.
    }

    fn join(
        network: &str,
        endpoint: &str,
        _: &str,
        info: &JoinInfo,
        _: &EndpointOptions,
    ) -> Result<()> {
        let host = links::get(None, &name("rh", endpoint))?;
        let link = links::get(None, &name("rc", endpoint))?;
        info.interface_name().set_names(&link, "eth", None)?;
        let Network {
            pools, internal, ..
        } = known(network)?;
        let here: Vec<_> = routes::list(&host)?
            .into_iter()
            .map(|route| route.destination)
            .collect();
        for (pool, gateway) in pools {
            if !here.iter().any(|address| pool.contains(address)) {
                continue; // It has no address of this family.
            }
            info.add_static_route(gateway.into(), StaticRoute::Connected)?;
            for half in halves(pool) {
                info.add_static_route(half, StaticRoute::NextHop(gateway))?;
            }
            if !internal {
                info.set_gateway(gateway)?;
            }
        }
        Ok(())
    }
}

/// Two routes that together lead to a whole pool: they go before the one that comes with the container's address.
fn halves(pool: IpNet) -> Vec<IpNet> {
    pool.subnets(pool.prefix_len() + 1)
        .into_iter()
        .flatten()
        .collect()
}

fn known(network: &str) -> Result<Network> {
    let missing = || {
        let message = format!("there is no network {network}");
        Error::new(ErrorKind::NotFound, message)
    };
    key(network).get()?.ok_or_else(missing)
}

/// The kernel's names have at most 15 bytes, and ids may begin alike: a hash (FNV-1a).
fn name(prefix: &str, id: &str) -> String {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{prefix}-{:08x}", id.bytes().fold(0x811c_9dc5, mix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_routed_to() -> Result<()> {
        fake::reset();
        let network = fake::Network::<Routed>::new("blue").pool("10.0.0.0/24");
        network.create()?;
        assert_eq!(network.create().unwrap_err().kind, ErrorKind::AlreadyExists);
        let endpoint = network.endpoint("web").address("10.0.0.2/24");
        endpoint.create()?;
        let host = name("rh", "web");
        let gateway: IpNet = "10.0.0.1/32".parse().unwrap();
        assert_eq!(fake::addresses(&host), [gateway]);
        assert_eq!(fake::forwards(&host), (true, true));
        let joined = endpoint.join()?;
        assert_eq!(
            (joined.prefix.as_str(), joined.gateway),
            ("eth", Some([10, 0, 0, 1].into()))
        );
        assert_eq!(joined.routes.len(), 3);
        endpoint.delete()?;
        network.delete()?;
        assert_eq!(fake::link_names(), [""; 0]);
        Ok(())
    }
}
