//! What there is to tell of an endpoint, in the words of libnetwork's bridge driver.

use std::net::IpAddr;

use pontoon_sdk::{Error, Protocol, Result, TextMap, TransportPort};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::ports::Published;

/// libnetwork's types.TransportPort.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExposedPort {
    proto: Protocol,
    port: u16,
}

/// A port that the container serves, or a range: thousands of them have to fit into one value of the store.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exposed {
    protocol: Protocol,
    port: u16,
    /// How many follow it.
    #[serde(default)]
    more: u16,
}

impl Exposed {
    pub(crate) fn ranges(ports: &[TransportPort]) -> Vec<Self> {
        let mut ports = ports.to_vec();
        ports.sort();
        let mut ranges: Vec<Self> = Vec::new();
        for TransportPort { protocol, port } in ports {
            match ranges.last_mut() {
                Some(range) if range.protocol == protocol && (range.port + range.more).checked_add(1) == Some(port) => {
                    range.more += 1
                }
                _ => ranges.push(Self { protocol, port, more: 0 }),
            }
        }
        ranges
    }

    fn each(&self) -> impl Iterator<Item = ExposedPort> {
        (self.port..=self.port + self.more).map(|port| ExposedPort { proto: self.protocol, port })
    }
}

/// libnetwork's types.PortBinding. Of a range, `Port` is the container's first.
#[derive(Serialize)]
struct PortBinding {
    #[serde(rename = "Proto")]
    protocol: Protocol,
    #[serde(rename = "IP")]
    address: IpAddr,
    #[serde(rename = "Port")]
    port: u16,
    #[serde(rename = "HostIP")]
    host_address: IpAddr,
    #[serde(rename = "HostPort")]
    host_port: u16,
    #[serde(rename = "HostPortEnd")]
    host_port_end: u16,
}

impl From<&Published> for PortBinding {
    fn from(port: &Published) -> Self {
        Self {
            protocol: port.protocol,
            address: port.container_address,
            port: port.container_port,
            host_address: port.host_address,
            host_port: port.host_port,
            host_port_end: port.last(),
        }
    }
}

/// MAC address, exposed and published ports of an endpoint.
pub(crate) fn endpoint(network: &str, endpoint: &str) -> Result<TextMap> {
    let endpoint = Endpoint::find(network, endpoint)?;
    let exposed: Vec<ExposedPort> = endpoint.exposed_ports.iter().flat_map(Exposed::each).collect();
    let published: Vec<PortBinding> = endpoint.published.iter().map(Into::into).collect();
    Ok(TextMap::from([
        ("com.docker.network.endpoint.macaddress", json(&endpoint.mac_address)?),
        ("com.docker.network.endpoint.exposedports", json(&exposed)?),
        ("com.docker.network.portmap", json(&published)?),
    ]))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))
}
