//! WIT values to the host's and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use ask::{Refusal, types as wit};
use words::{LinkName, MacAddress};

/// An IPv4 address.
pub fn ipv4((a, b, c, d): wit::Ipv4Address) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// An IPv6 address.
pub fn ipv6((a, b, c, d, e, f, g, h): wit::Ipv6Address) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, e, f, g, h)
}

/// An address of either family.
pub fn address(address: wit::IpAddress) -> IpAddr {
    match address {
        wit::IpAddress::Ipv4(v4) => ipv4(v4).into(),
        wit::IpAddress::Ipv6(v6) => ipv6(v6).into(),
    }
}

/// An address and its network; the prefix length is checked.
pub fn network(network: wit::IpNetwork) -> Result<IpNet, Refusal> {
    let of = address(network.address);
    IpNet::new(of, network.prefix_length).map_err(|_| {
        Refusal::invalid(format!("{of}/{} has a prefix length that {of} can't have", network.prefix_length))
    })
}

/// An interface's name, which the kernel must take.
pub fn link_name(name: &str) -> Result<LinkName, Refusal> {
    Ok(LinkName::new(name)?)
}

/// A MAC address.
pub fn mac((a, b, c, d, e, f): wit::MacAddress) -> MacAddress {
    MacAddress([a, b, c, d, e, f])
}

/// A MAC address for a driver.
pub fn mac_to_wit(MacAddress([a, b, c, d, e, f]): MacAddress) -> wit::MacAddress {
    (a, b, c, d, e, f)
}

/// An address for a driver.
pub fn address_to_wit(address: IpAddr) -> wit::IpAddress {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            wit::IpAddress::Ipv4((a, b, c, d))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            wit::IpAddress::Ipv6((a, b, c, d, e, f, g, h))
        }
    }
}

/// An address and its network for a driver.
pub fn network_to_wit(network: IpNet) -> wit::IpNetwork {
    wit::IpNetwork { address: address_to_wit(network.addr()), prefix_length: network.prefix_len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_keeps_its_host_bits_and_a_bad_prefix_is_refused() {
        let net = wit::IpNetwork { address: wit::IpAddress::Ipv4((10, 5, 0, 2)), prefix_length: 24 };
        assert_eq!(network(net).unwrap().to_string(), "10.5.0.2/24");
        let bad = wit::IpNetwork { address: wit::IpAddress::Ipv4((10, 5, 0, 2)), prefix_length: 33 };
        assert!(network(bad).is_err());
    }
}
