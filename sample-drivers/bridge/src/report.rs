//! What there is to tell of an endpoint, in the words of libnetwork's bridge driver.

use std::net::IpAddr;

use pontoon_sdk::{Error, Protocol, Result, TextMap, TransportPort};
use serde::Serialize;

use crate::endpoint::Endpoint;
use crate::ports::Published;

/// libnetwork's types.TransportPort.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExposedPort {
    proto: Protocol,
    port: u16,
}

impl From<&TransportPort> for ExposedPort {
    fn from(port: &TransportPort) -> Self {
        Self { proto: port.protocol, port: port.port }
    }
}

/// libnetwork's types.PortBinding.
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
            host_port_end: port.host_port,
        }
    }
}

/// MAC address, exposed and published ports of an endpoint.
pub(crate) fn endpoint(network: &str, endpoint: &str) -> Result<TextMap> {
    let endpoint = Endpoint::find(network, endpoint)?;
    let exposed: Vec<ExposedPort> = endpoint.exposed_ports.iter().map(Into::into).collect();
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
