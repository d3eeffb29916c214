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
        _: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        _: &[IpamData],
    ) -> Result<()> {
        let addresses = ipv4.iter().filter_map(|data| data.gateway).collect();
        let bridge = LinkEnd {
            addresses,
            up: true,
            ..LinkEnd::named(format!("simple-{network:.6}"))
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
        let bridge = links::get(None, &format!("simple-{network:.6}"))?;
        let host = LinkEnd {
            master: Some(&bridge),
            up: true,
            ..LinkEnd::named(format!("host-{endpoint:.6}"))
        };
        let container = LinkEnd {
            mac_address: Some(mac_address),
            ..LinkEnd::named(format!("cont-{endpoint:.6}"))
        };
        links::add_one(LinkSpec::veth(host, container)).map(drop)
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(())
    }

    fn join(_: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let link = links::get(None, &format!("cont-{endpoint:.6}"))?;
        info.interface_name().set_names(&link, "eth", None)
    }
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
            fake::link("host-web").unwrap().master.unwrap(),
            "simple-blue"
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
