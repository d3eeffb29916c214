//! What there is to tell of an endpoint, in the words of libnetwork's bridge driver.

use pontoon_outside::ports;
use pontoon_sdk::{Error, Protocol, Result, TextMap, TransportPort};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

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

/// MAC address, exposed and published ports of an endpoint.
pub(crate) fn endpoint(network: &str, endpoint: &str) -> Result<TextMap> {
    let endpoint = Endpoint::find(network, endpoint)?;
    let exposed: Vec<ExposedPort> = endpoint.exposed_ports.iter().flat_map(Exposed::each).collect();
    Ok(TextMap::from([
        ("com.docker.network.endpoint.macaddress", json(&endpoint.mac_address)?),
        ("com.docker.network.endpoint.exposedports", json(&exposed)?),
        ("com.docker.network.portmap", ports::map(&endpoint.published)?),
    ]))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))
}
