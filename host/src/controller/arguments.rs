//! The host's values as the arguments of a driver's functions.

use ask::types as wit;
use ipnet::IpNet;

use crate::capability::convert::{address_to_wit, mac_to_wit, network_to_wit};
use operation::endpoint::PortBinding;
use operation::engine::{EndpointOptions, Labels, NetworkOptions, PoolData, Pools, TransportPort};
use operation::network::Pool;
use store::{Endpoint, Network};

/// Text by key.
pub(crate) fn labels(map: &Labels) -> wit::TextMap {
    map.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// What the user asked of a network.
pub(crate) fn network_options(options: &NetworkOptions) -> wit::NetworkOptions {
    let NetworkOptions { generic, ipv4, ipv6, internal, other } = options;
    wit::NetworkOptions {
        generic: labels(generic),
        ipv4: *ipv4,
        ipv6: *ipv6,
        internal: *internal,
        other: labels(other),
    }
}

/// The same of a network that is recorded.
pub(crate) fn options_of(network: &Network) -> wit::NetworkOptions {
    wit::NetworkOptions {
        ipv4: network.ipv4,
        ipv6: network.ipv6,
        internal: network.internal,
        generic: labels(&network.options),
        other: labels(&network.other),
    }
}

/// What the user asked of an endpoint.
pub(crate) fn endpoint_options(options: &EndpointOptions) -> wit::EndpointOptions {
    let binding = |p: PortBinding| wit::PortBinding {
        protocol: p.protocol as u8,
        container_address: p.container_address.map(address_to_wit),
        container_port: p.container_port,
        host_address: p.host_address.map(address_to_wit),
        host_port: p.host_port,
        host_port_end: p.host_port_end,
    };
    let exposed = |p: &TransportPort| wit::TransportPort { protocol: p.protocol as u8, port: p.port };
    wit::EndpointOptions {
        mac_address: options.mac.map(mac_to_wit),
        exposed_ports: options.exposed_ports.iter().map(exposed).collect(),
        port_bindings: options.port_bindings.iter().flat_map(PortBinding::each).map(binding).collect(),
        generic: labels(&options.generic),
        other: labels(&options.other),
    }
}

/// The options of an endpoint that an operator attached.
pub(crate) fn attached_options(endpoint: &Endpoint, mac: Option<words::MacAddress>) -> EndpointOptions {
    let exposed = |p: PortBinding| TransportPort { protocol: p.protocol, port: p.container_port };
    EndpointOptions {
        mac,
        exposed_ports: endpoint.ports.iter().flat_map(PortBinding::each).map(exposed).collect(),
        port_bindings: endpoint.ports.clone(),
        generic: endpoint.options.clone(),
        other: Labels::new(),
    }
}

/// Pools that an engine has taken.
pub(crate) fn pools(pools: &[PoolData]) -> Vec<wit::IpamData> {
    let one = |data: &PoolData| wit::IpamData {
        address_space: data.address_space.clone(),
        pool: data.pool.map(network_to_wit),
        gateway: data.gateway.map(network_to_wit),
        aux_addresses: data.aux_addresses.iter().map(|(k, v)| (k.clone(), network_to_wit(*v))).collect(),
    };
    pools.iter().map(one).collect()
}

/// What was asked for a network, IPv4 and IPv6.
pub(crate) fn pools_of(network: &Network) -> (Vec<wit::IpamData>, Vec<wit::IpamData>) {
    let chosen = || chosen(&network.pools, &network.address_space);
    let Pools { ipv4, ipv6 } = network.asked.clone().unwrap_or_else(chosen);
    (pools(&ipv4), pools(&ipv6))
}

/// Pools that were chosen here, as an engine would have asked for them.
pub(crate) fn chosen(chosen: &[Pool], address_space: &str) -> Pools {
    let one = |pool: &Pool| {
        let with_prefix = |address| IpNet::new(address, pool.subnet.prefix_len()).unwrap_or(pool.subnet);
        PoolData {
            address_space: address_space.to_owned(),
            pool: Some(pool.subnet),
            gateway: pool.gateway.map(with_prefix),
            aux_addresses: pool.aux_addresses.iter().map(|(name, ip)| (name.clone(), with_prefix(*ip))).collect(),
        }
    };
    let of = |is_ipv4: bool| chosen.iter().filter(|p| p.subnet.addr().is_ipv4() == is_ipv4).map(one).collect();
    Pools { ipv4: of(true), ipv6: of(false) }
}
