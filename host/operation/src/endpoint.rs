//! Endpoints: attach, detach, list.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::driver::CallTrace;
use super::origin::Origin;
use words::{Id, Name};
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

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// A port to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortBinding {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port in the container.
    pub container_port: u16,
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
}
