//! Networks and endpoints to work with: their ids, addresses and options follow from a name and a number.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use operation::endpoint::{PortBinding, Protocol};
use operation::engine::{
    CreateEndpoint, CreateNetwork, EndpointKey, EndpointOptions, ExternalConnectivity, Interface, Join, NetworkOptions,
    PoolData, TransportPort,
};
use words::MacAddress;
use words::file::digest;
use words::{Id, Result};

/// Docker's label for the MTU, which every driver that makes links understands.
pub const MTU: &str = "com.docker.network.driver.mtu";

/// The families of a network's pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 alone.
    Ipv4,
    /// Both.
    Dual,
    /// IPv6 alone.
    Ipv6,
    /// No pools at all: the driver chooses addresses.
    None,
}

/// A network.
#[derive(Clone, Debug)]
pub struct Net {
    /// What failures call it.
    pub name: String,
    /// What it is made with.
    pub create: CreateNetwork,
    number: u8,
    families: Families,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct End {
    /// What failures call it.
    pub name: String,
    /// What it is made with.
    pub create: CreateEndpoint,
    /// The options of its sandbox.
    pub sandbox: EndpointOptions,
}

impl Net {
    /// A network whose pools have this number in them.
    pub fn new(name: &str, number: u8, families: Families) -> Result<Self> {
        let (v4, v6) =
            (matches!(families, Families::Ipv4 | Families::Dual), matches!(families, Families::Ipv6 | Families::Dual));
        let ipv4 = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 77, number, 1), 24));
        let ipv6 = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd77, 0, 0, number.into(), 0, 0, 0, 1), 64));
        let options =
            NetworkOptions { ipv4: v4, ipv6: v6, internal: false, generic: BTreeMap::new(), other: BTreeMap::new() };
        let create = CreateNetwork {
            network: Id::new(&digest(format!("network {name}").as_bytes()))?,
            options,
            ipv4: v4.then(|| pool(ipv4)).into_iter().collect(),
            ipv6: v6.then(|| pool(ipv6)).into_iter().collect(),
        };
        Ok(Self { name: name.to_owned(), create, number, families })
    }

    /// With another id.
    pub fn id(mut self, id: &str) -> Result<Self> {
        self.create.network = Id::new(id)?;
        Ok(self)
    }

    /// Without a way out.
    pub fn internal(mut self) -> Self {
        self.create.options.internal = true;
        self
    }

    /// With a label of the user's.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.create.options.generic.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With something else that the front end was given, as JSON text.
    pub fn other(mut self, key: &str, json: &str) -> Self {
        self.create.options.other.insert(key.to_owned(), json.to_owned());
        self
    }

    /// An endpoint with the addresses of this number.
    pub fn end(&self, name: &str, number: u8) -> Result<End> {
        let ipv4 = Ipv4Net::new_assert(Ipv4Addr::new(10, 77, self.number, number), 24);
        let ipv6 = Ipv6Addr::new(0xfd77, 0, 0, self.number.into(), 0, 0, 0, number.into());
        let interface = Interface {
            mac: None,
            address: matches!(self.families, Families::Ipv4 | Families::Dual).then_some(ipv4),
            address_ipv6: matches!(self.families, Families::Ipv6 | Families::Dual)
                .then_some(Ipv6Net::new_assert(ipv6, 64)),
        };
        let endpoint = Id::new(&digest(format!("endpoint {name} of {}", self.name).as_bytes()))?;
        let key = EndpointKey { network: self.create.network.clone(), endpoint };
        let create = CreateEndpoint { key, interface, options: EndpointOptions::default() };
        Ok(End { name: name.to_owned(), create, sandbox: EndpointOptions::default() })
    }
}

impl End {
    /// With another id.
    pub fn id(mut self, id: &str) -> Result<Self> {
        self.create.key.endpoint = Id::new(id)?;
        Ok(self)
    }

    /// With this MAC.
    pub fn mac(mut self, mac: MacAddress) -> Self {
        (self.create.interface.mac, self.create.options.mac) = (Some(mac), Some(mac));
        self
    }

    /// Publishes a port of the container's (80) on this one of the host.
    pub fn port(mut self, protocol: Protocol, host_port: u16) -> Self {
        self.sandbox.exposed_ports.push(TransportPort { protocol, port: 80 });
        let binding = PortBinding {
            protocol,
            container_port: 80,
            container_port_end: 0,
            container_address: None,
            host_address: None,
            host_port,
            host_port_end: host_port,
        };
        self.sandbox.port_bindings.push(binding);
        self
    }

    /// The ids.
    pub fn key(&self) -> EndpointKey {
        self.create.key.clone()
    }

    /// What it joins its sandbox with.
    pub fn join(&self) -> Join {
        let sandbox = format!("/run/pontoon-test/{:.12}", self.create.key.endpoint.as_str()).into();
        Join { key: self.key(), sandbox, options: self.sandbox.clone() }
    }

    /// What connects it with the outside.
    pub fn outside(&self) -> ExternalConnectivity {
        ExternalConnectivity { key: self.key(), options: self.sandbox.clone() }
    }
}

/// A pool with its gateway, which comes with the pool's prefix length.
pub fn pool(gateway: IpNet) -> PoolData {
    PoolData {
        address_space: "LocalDefault".to_owned(),
        pool: Some(gateway.trunc()),
        gateway: Some(gateway),
        aux_addresses: BTreeMap::new(),
    }
}
