//! SDK values from and to WIT values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::wit::types as wit;
use crate::{
    EndpointOptions, Error, ErrorKind, IpamData, MacAddress, NetworkOptions, ObjectType, PortBinding, Protocol, Scope,
    TableEvent, TextMap, TransportPort,
};

/// Enumerations with the same cases on both sides.
macro_rules! same_cases {
    ($sdk:ty, $wit:ty, $($case:ident),*) => {
        impl From<$sdk> for $wit {
            fn from(value: $sdk) -> Self {
                match value { $(<$sdk>::$case => Self::$case),* }
            }
        }
    };
}
pub(crate) use same_cases;

same_cases!(
    ErrorKind,
    wit::ErrorKind,
    InvalidArgument,
    NotFound,
    AlreadyExists,
    Forbidden,
    NotImplemented,
    Unavailable,
    Internal
);
same_cases!(
    wit::ErrorKind,
    ErrorKind,
    InvalidArgument,
    NotFound,
    AlreadyExists,
    Forbidden,
    NotImplemented,
    Unavailable,
    Internal
);
same_cases!(Scope, wit::Scope, Local, Global);
same_cases!(ObjectType, wit::ObjectType, Endpoint, Network, Opaque);

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        Self { kind: error.kind.into(), message: error.message, kernel_errno: error.kernel_errno }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        Self { kind: error.kind.into(), message: error.message, kernel_errno: error.kernel_errno }
    }
}

pub(crate) fn ipv4(address: Ipv4Addr) -> wit::Ipv4Address {
    address.octets().into()
}

pub(crate) fn ipv6(address: Ipv6Addr) -> wit::Ipv6Address {
    address.segments().into()
}

impl From<IpAddr> for wit::IpAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Ipv4(ipv4(address)),
            IpAddr::V6(address) => Self::Ipv6(ipv6(address)),
        }
    }
}

impl From<wit::IpAddress> for IpAddr {
    fn from(address: wit::IpAddress) -> Self {
        match address {
            wit::IpAddress::Ipv4(octets) => Ipv4Addr::from(<[u8; 4]>::from(octets)).into(),
            wit::IpAddress::Ipv6(segments) => Ipv6Addr::from(<[u16; 8]>::from(segments)).into(),
        }
    }
}

impl From<IpNet> for wit::IpNetwork {
    fn from(network: IpNet) -> Self {
        Self { address: network.addr().into(), prefix_length: network.prefix_len() }
    }
}

impl From<wit::IpNetwork> for IpNet {
    fn from(network: wit::IpNetwork) -> Self {
        let address = IpAddr::from(network.address);
        // The host gives no prefix that is too long; were it one, a single address is the least to mistake it for.
        Self::new(address, network.prefix_length).unwrap_or_else(|_| address.into())
    }
}

pub(crate) fn mac_to_wit(mac_address: MacAddress) -> wit::MacAddress {
    mac_address.0.into()
}

pub(crate) fn mac_from_wit(bytes: wit::MacAddress) -> MacAddress {
    MacAddress(bytes.into())
}

impl From<&IpamData> for wit::IpamData {
    fn from(data: &IpamData) -> Self {
        Self {
            address_space: data.address_space.clone(),
            pool: data.pool.map(Into::into),
            gateway: data.gateway.map(Into::into),
            aux_addresses: data.aux_addresses.iter().map(|(name, address)| (name.clone(), (*address).into())).collect(),
        }
    }
}

impl From<wit::IpamData> for IpamData {
    fn from(data: wit::IpamData) -> Self {
        Self {
            address_space: data.address_space,
            pool: data.pool.map(Into::into),
            gateway: data.gateway.map(Into::into),
            aux_addresses: data.aux_addresses.into_iter().map(|(name, address)| (name, address.into())).collect(),
        }
    }
}

impl From<wit::TransportPort> for TransportPort {
    fn from(port: wit::TransportPort) -> Self {
        Self { protocol: Protocol(port.protocol), port: port.port }
    }
}

impl From<wit::PortBinding> for PortBinding {
    fn from(binding: wit::PortBinding) -> Self {
        Self {
            protocol: Protocol(binding.protocol),
            container_address: binding.container_address.map(Into::into),
            container_port: binding.container_port,
            host_address: binding.host_address.map(Into::into),
            host_port: binding.host_port,
            host_port_end: binding.host_port_end,
        }
    }
}

impl From<wit::NetworkOptions> for NetworkOptions {
    fn from(options: wit::NetworkOptions) -> Self {
        Self {
            generic: TextMap(options.generic),
            ipv4: options.ipv4,
            ipv6: options.ipv6,
            internal: options.internal,
            other: TextMap(options.other),
        }
    }
}

impl From<wit::EndpointOptions> for EndpointOptions {
    fn from(options: wit::EndpointOptions) -> Self {
        Self {
            mac_address: options.mac_address.map(mac_from_wit),
            exposed_ports: options.exposed_ports.into_iter().map(Into::into).collect(),
            port_bindings: options.port_bindings.into_iter().map(Into::into).collect(),
            generic: TextMap(options.generic),
            other: TextMap(options.other),
        }
    }
}

impl From<wit::TableEvent> for TableEvent {
    fn from(event: wit::TableEvent) -> Self {
        match event {
            wit::TableEvent::Created(value) => Self::Created(value),
            wit::TableEvent::Updated(update) => Self::Updated { previous: update.previous, value: update.value },
            wit::TableEvent::Deleted(previous) => Self::Deleted(previous),
        }
    }
}

/// All of a list in the other side's type.
pub(crate) fn all<T: Into<U>, U>(values: impl IntoIterator<Item = T>) -> Vec<U> {
    values.into_iter().map(Into::into).collect()
}
