//! A link with a MAC address of its own for every container, on an interface of the host (macvlan).
//!
//! The interface is the network's label `parent`, or what the operator configured: `driver load --set parent=eth0`.

use pontoon_sdk::links::{self, LinkEnd, LinkKind, LinkSpec, MacvlanMode};
use pontoon_sdk::store::Key;
use pontoon_sdk::*;
use serde::{Deserialize, Serialize};

struct Macvlan;

export_driver!(Macvlan);

/// What is remembered of a network.
#[derive(Serialize, Deserialize)]
struct Network {
    parent: String,
    mtu: Option<u32>,
    gateways: Vec<std::net::IpAddr>,
}

fn key(network: &str) -> Key<Network> {
    Key::new(format!("network/{network}"))
}

impl Driver for Macvlan {
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
        let label = options.generic.get("parent").map(str::to_owned);
        let parent = label
            .or_else(|| configuration::get("parent"))
            .ok_or_else(|| {
                Error::invalid_argument(
                    "on which interface? Say it with the label parent=INTERFACE",
                )
            })?;
        links::get(None, &parent)?;
        // The gateway is a machine beyond the parent, so an internal network has none.
        let pools = ipv4.iter().chain(ipv6).filter(|_| !options.internal);
        let gateways = pools
            .filter_map(|data| Some(data.gateway?.addr()))
            .collect();
        let mtu = options.generic.parse("com.docker.network.driver.mtu")?;
        key(network).set(&Network {
            parent,
            mtu,
            gateways,
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
        let Network { parent, mtu, .. } = known(network)?;
        let parent = links::get(None, &parent)?;
        let end = LinkEnd {
            mac_address: Some(mac_address),
            mtu,
            ..LinkEnd::named(name(endpoint))
        };
        let mode = MacvlanMode::Bridge;
        let kind = LinkKind::Macvlan {
            parent: &parent,
            mode,
        };
        links::add_one(LinkSpec { end, kind }).map(drop)
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(()) // What an endpoint still owns goes with it.
    }

    fn join(
        network: &str,
        endpoint: &str,
        _: &str,
        info: &JoinInfo,
        _: &EndpointOptions,
    ) -> Result<()> {
        let link = links::get(None, &name(endpoint))?;
        info.interface_name().set_names(&link, "eth", None)?;
        let gateways = known(network)?.gateways;
        gateways
            .into_iter()
            .try_for_each(|gateway| info.set_gateway(gateway))
    }
}

fn known(network: &str) -> Result<Network> {
    let missing = || {
        Error::new(
            ErrorKind::NotFound,
            format!("there is no network {network}"),
        )
    };
    key(network).get()?.ok_or_else(missing)
}

/// The kernel's names have at most 15 bytes, and ids may begin alike: a hash (FNV-1a).
fn name(id: &str) -> String {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("mv-{:08x}", id.bytes().fold(0x811c_9dc5, mix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_gets_a_link_on_the_parent() -> Result<()> {
        fake::reset();
        fake::call("host", None, || {
            let kind = LinkKind::Dummy;
            links::add_one(LinkSpec {
                end: LinkEnd::named("eth0"),
                kind,
            })
        })?;
        let network = fake::Network::<Macvlan>::new("blue").pool("10.0.0.0/24");
        assert_eq!(
            network.create().unwrap_err().kind,
            ErrorKind::InvalidArgument
        );
        let network = network.option("parent", "eth0");
        network.create()?;
        assert_eq!(network.create().unwrap_err().kind, ErrorKind::AlreadyExists);
        let endpoint = network.endpoint("web").address("10.0.0.2/24");
        endpoint.create()?;
        assert_eq!(endpoint.join()?.prefix, "eth");
        endpoint.delete()?;
        network.delete()?;
        assert_eq!(fake::link_names(), ["eth0"]);
        Ok(())
    }
}
