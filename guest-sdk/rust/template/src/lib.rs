//! A bridge for every network and a pair of links for every container.

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::*;

struct Simple;

export_driver!(Simple);

impl Driver for Simple {
    fn register() -> Registration {
        Registration::new("@NAME@")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        let addresses = ipv4.iter().filter_map(|data| data.gateway).collect();
        let mtu = options.generic.parse("com.docker.network.driver.mtu")?;
        let bridge = LinkEnd {
            mtu,
            addresses,
            up: true,
            ..LinkEnd::named(name("simple", network))
        };
        links::add_one(LinkSpec::bridge(bridge)).map(drop)
    }

    fn delete_network(_: &str) -> Result<()> {
        Ok(()) // What a network still owns goes with it.
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
        let bridge = links::get(None, &name("simple", network))?;
        let mtu = Some(bridge.info()?.mtu);
        let host = LinkEnd {
            mtu,
            master: Some(&bridge),
            up: true,
            ..LinkEnd::named(name("host", endpoint))
        };
        let container = LinkEnd {
            mtu,
            mac_address: Some(mac_address),
            ..LinkEnd::named(name("cont", endpoint))
        };
        links::add_one(LinkSpec::veth(host, container)).map(drop)
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(())
    }

    fn join(_: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let link = links::get(None, &name("cont", endpoint))?;
        info.interface_name().set_names(&link, "eth", None)
    }
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
    fn a_container_is_linked_to_its_networks_bridge() -> Result<()> {
        fake::reset();
        let network = fake::Network::<Simple>::new("blue").pool("10.0.0.0/24");
        network.create()?;
        let endpoint = network.endpoint("web").address("10.0.0.2/24");
        endpoint.create()?;
        assert_eq!(endpoint.join()?.prefix, "eth");
        assert_eq!(
            fake::link(&name("host", "web")).unwrap().master.unwrap(),
            name("simple", "blue")
        );
        Ok(())
    }

    #[test]
    fn what_fails_leaves_nothing() {
        fake::reset();
        let network = fake::Network::<Simple>::new("blue").pool("10.0.0.0/24");
        let endpoint = network.endpoint("web").address("10.0.0.2/24");
        // The network was not made: there is no bridge.
        assert_eq!(endpoint.create().unwrap_err().kind, ErrorKind::NotFound);
        assert!(fake::link_names().is_empty());
    }
}
