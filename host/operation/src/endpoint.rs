//! Endpoints: attach, detach, list.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::driver::CallTrace;
use super::origin::Origin;
use words::{Error, Id, Name, Result};
use words::{LinkName, MacAddress};

/// Attaches a network namespace to a network.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// The namespace: a path, or a name under /run/netns.
    pub namespace: String,
    /// A name for the endpoint; none: the namespace's last part.
    #[serde(default)]
    pub name: Option<Name>,
    /// This IPv4 address; none: a free one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv4Addr>,
    /// This IPv6 address; none: a free one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub address_ipv6: Option<Ipv6Addr>,
    /// This MAC; none: the driver's choice.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub mac_address: Option<MacAddress>,
    /// The interface's name in the namespace; none: the driver's prefix and the lowest free number.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub interface: Option<LinkName>,
    /// Of a namespace's endpoints, the one with the highest is its gateway; of equal ones, the one that came first. Older daemons know 0 only, and
    /// not the word.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gateway_priority: i32,
    /// Ports to publish on the host.
    #[serde(default)]
    pub ports: Vec<PortBinding>,
    /// Labels for the driver.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// A port to publish, or a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortBinding {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port in the container; of a range the first.
    pub container_port: u16,
    /// The last port in the container, where a range is published as it is: the host's ports are as many. 0: one port.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub container_port_end: u16,
    /// The address in the container; none: the endpoint's own, of the family at hand. Older daemons do not know the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub container_address: Option<IpAddr>,
    /// An address of the host; none: all.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub host_address: Option<IpAddr>,
    /// The first port that will do; 0: any.
    #[serde(default)]
    pub host_port: u16,
    /// The last port that will do; 0: the same as the first.
    #[serde(default)]
    pub host_port_end: u16,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl PortBinding {
    /// Refuses what can't be published.
    pub fn check(&self) -> Result<()> {
        let Self { container_port: first, container_port_end: last, host_port, host_port_end, .. } = *self;
        let is_range = last != 0;
        let fits = !is_range || host_port != 0 && last.checked_sub(first) == host_port_end.checked_sub(host_port);
        if first != 0 && fits && (!is_range || last > first) && (host_port_end == 0 || host_port_end >= host_port) {
            return Ok(());
        }
        let range = if is_range { format!("-{last}") } else { String::new() };
        Err(Error::invalid(format!("{host_port}-{host_port_end}:{first}{range} is no port mapping")))
    }

    /// Each port of a range alone; anything else as it is.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let more = self.container_port_end.saturating_sub(self.container_port);
        (0..=more).map(move |offset| match more {
            0 => self.clone(),
            _ => Self {
                container_port: self.container_port + offset,
                container_port_end: 0,
                host_port: self.host_port.saturating_add(offset),
                host_port_end: 0,
                ..self.clone()
            },
        })
    }

    /// Bindings of one port each that follow each other on the host and in the container, as ranges. Thousands come so from Docker.
    pub fn as_ranges(bindings: Vec<Self>) -> Vec<Self> {
        let is_one = |b: &Self| b.host_port != 0 && (b.host_port_end == 0 || b.host_port_end == b.host_port);
        let (mut one, others): (Vec<_>, Vec<_>) = bindings.into_iter().enumerate().partition(|(_, b)| is_one(b));
        one.sort_by_key(|(_, b)| (b.protocol as u8, b.host_address, b.container_address, b.host_port));
        let mut all: Vec<(usize, Self)> = Vec::new();
        for (at, binding) in one {
            match all.last_mut() {
                Some((first, range)) if range.is_followed_by(&binding) => {
                    (range.host_port_end, range.container_port_end) = (binding.host_port, binding.container_port);
                    *first = at.min(*first);
                }
                _ => all.push((at, binding)),
            }
        }
        all.extend(others);
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, binding)| binding).collect()
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        let after = |first: u16, last: u16| first.max(last).checked_add(1);
        (self.protocol, self.host_address, self.container_address)
            == (next.protocol, next.host_address, next.container_address)
            && after(self.host_port, self.host_port_end) == Some(next.host_port)
            && after(self.container_port, self.container_port_end) == Some(next.container_port)
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// IP protocol 6.
    Tcp = 6,
    /// IP protocol 17.
    Udp = 17,
    /// IP protocol 132.
    Sctp = 132,
}

/// An attached namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: Name,
    /// The network's name.
    pub network: Name,
    /// For which engine it was made.
    pub origin: Origin,
    /// The namespace's path: for a container engine's, where the engine says that it is, once it has joined.
    #[schema(value_type = Option<String>)]
    pub namespace: Option<PathBuf>,
    /// The interface's name in the namespace.
    pub interface: Option<String>,
    /// Its MAC.
    #[schema(value_type = Option<String>)]
    pub mac_address: Option<MacAddress>,
    /// Its IPv4 address and network.
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv4Net>,
    /// Its IPv6 address and network.
    #[schema(value_type = Option<String>)]
    pub address_ipv6: Option<Ipv6Net>,
    /// The IPv4 gateway that the driver named.
    #[schema(value_type = Option<String>)]
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 gateway that the driver named.
    #[schema(value_type = Option<String>)]
    pub gateway_ipv6: Option<Ipv6Addr>,
    /// Of a namespace's endpoints, the one with the highest is its gateway.
    #[serde(default)]
    pub gateway_priority: i32,
    /// Published ports.
    pub ports: Vec<PortBinding>,
    /// What the driver tells of it: JSON text by key.
    pub info: BTreeMap<String, String>,
}

/// An endpoint that was made, and the calls that made it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Attached {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// What the driver was called for.
    pub calls: Vec<CallTrace>,
    /// What may not be as its user expects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
