//! Docker's option maps: what every driver needs gets a type, the rest stays available by key as JSON text.
//!
//! The keys are libnetwork's `netlabel` package. dockerd adds new ones with every version: unknown ones are never refused.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::wire::{Loose, maybe};
use operation::endpoint::{PortBinding, Protocol};
use operation::engine::{EndpointOptions, Labels, NetworkOptions, TransportPort};
use words::MacAddress;
use words::{Error, Result};

const GENERIC: &str = "com.docker.network.generic";
const ENABLE_IPV4: &str = "com.docker.network.enable_ipv4";
const ENABLE_IPV6: &str = "com.docker.network.enable_ipv6";
const INTERNAL: &str = "com.docker.network.internal";
const EXPOSED_PORTS: &str = "com.docker.network.endpoint.exposedports";
const PORT_MAP: &str = "com.docker.network.portmap";
const MAC_ADDRESS: &str = "com.docker.network.endpoint.macaddress";

/// An entry of `exposedports`: libnetwork's `types.TransportPort`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Exposed {
    proto: u8,
    port: u16,
}

/// An entry of `portmap`: libnetwork's `types.PortBinding`. The dockerds that were tried leave `IP`, the container's, empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Published {
    proto: u8,
    ip: String,
    port: u16,
    hostip: String,
    hostport: u16,
    hostportend: u16,
}

/// Reads the options of CreateNetwork and GwAllocCheck.
pub fn network(mut given: Map<String, Value>) -> Result<NetworkOptions> {
    Ok(NetworkOptions {
        // Before 28.0 there was no other way, and no key.
        ipv4: take(&mut given, ENABLE_IPV4)?.unwrap_or(true),
        ipv6: take(&mut given, ENABLE_IPV6)?.unwrap_or(false),
        internal: take(&mut given, INTERNAL)?.unwrap_or(false),
        generic: take(&mut given, GENERIC)?.unwrap_or_default(),
        other: as_text(given),
    })
}

/// Reads the options of CreateEndpoint, Join and ProgramExternalConnectivity.
pub fn endpoint(mut given: Map<String, Value>) -> Result<EndpointOptions> {
    let exposed: Vec<Loose<Exposed>> = take(&mut given, EXPOSED_PORTS)?.unwrap_or_default();
    let published: Vec<Loose<Published>> = take(&mut given, PORT_MAP)?.unwrap_or_default();
    let mac = take::<String>(&mut given, MAC_ADDRESS)?;
    let (labels, other): (Map<_, _>, Map<_, _>) = given.into_iter().partition(|(_, value)| value.is_string());
    let text = |(key, value)| match value {
        Value::String(text) => Some((key, text)),
        _ => None,
    };
    Ok(EndpointOptions {
        mac: mac.map(|text| decode_mac(&text)).transpose()?,
        exposed_ports: exposed.into_iter().map(|Loose(port)| exposed_port(&port)).collect::<Result<_>>()?,
        port_bindings: PortBinding::as_ranges(
            published.into_iter().map(|Loose(port)| port_binding(&port)).collect::<Result<_>>()?,
        ),
        generic: labels.into_iter().filter_map(text).collect(),
        other: as_text(other),
    })
}

/// Takes a key's value out; `null` is as good as none.
fn take<T: DeserializeOwned>(given: &mut Map<String, Value>, key: &str) -> Result<Option<T>> {
    let Some(value) = given.remove(key).filter(|v| !v.is_null()) else { return Ok(None) };
    T::deserialize(value).map(Some).map_err(|e| Error::invalid(format!("the option {key} can't be read: {e}")))
}

fn as_text(given: Map<String, Value>) -> Labels {
    given.into_iter().map(|(key, value)| (key, value.to_string())).collect()
}

/// Go writes a `net.HardwareAddr`, which is bytes, as base64 (RFC 4648): six bytes are eight digits of six bits, without padding.
fn decode_mac(text: &str) -> Result<MacAddress> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |c: u8| DIGITS.iter().zip(0_u64..).find_map(|(&d, value)| (d == c).then_some(value));
    let number = text.bytes().try_fold(0, |number, c| Some(number << 6 | digit(c)?));
    match number {
        Some(number) if text.len() == 8 => {
            let [_, _, mac @ ..] = number.to_be_bytes();
            Ok(MacAddress(mac))
        }
        _ => Err(Error::invalid(format!("the option {MAC_ADDRESS} is not six bytes in base64: {text:?}"))),
    }
}

fn exposed_port(given: &Exposed) -> Result<TransportPort> {
    Ok(TransportPort { protocol: protocol(given.proto)?, port: given.port })
}

/// A port that can't be published is refused here, never ignored.
fn port_binding(given: &Published) -> Result<PortBinding> {
    let (first, last) = (given.hostport, given.hostportend);
    if given.port == 0 || last != 0 && last < first {
        let range = format!("port {} at the host's {first}-{last}", given.port);
        return Err(Error::invalid(format!("{PORT_MAP}: {range} can't be published")));
    }
    Ok(PortBinding {
        protocol: protocol(given.proto)?,
        container_port: given.port,
        container_port_end: 0,
        container_address: maybe("the container's address", &given.ip)?,
        host_address: maybe("the host address", &given.hostip)?,
        host_port: first,
        host_port_end: last,
    })
}

fn protocol(number: u8) -> Result<Protocol> {
    let known = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let unknown =
        || Error::invalid(format!("ports of IP protocol {number} can't be published: TCP 6, UDP 17 and SCTP 132 can"));
    known.into_iter().find(|p| *p as u8 == number).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value} is no object") };
        map
    }

    #[test]
    fn a_network_of_old_has_ipv4() {
        let read =
            network(map(json!({"com.docker.network.enable_ipv6": null, "com.docker.network.generic": null}))).unwrap();
        assert_eq!((read.ipv4, read.ipv6, read.internal, read.generic.len()), (true, false, false, 0));
    }

    #[test]
    fn unknown_options_stay_as_json_text() {
        let read = network(map(json!({"new.Key": {"B": [1, null]}, "com.docker.network.internal": true}))).unwrap();
        assert!(read.internal);
        assert_eq!(read.other, [("new.Key".to_owned(), r#"{"B":[1,null]}"#.to_owned())].into());
        let read = endpoint(map(json!({"my.Opt": "x", "no_proxy": true}))).unwrap();
        assert_eq!(read.generic, [("my.Opt".to_owned(), "x".to_owned())].into());
        assert_eq!(read.other, [("no_proxy".to_owned(), "true".to_owned())].into());
    }

    #[test]
    fn a_mac_is_base64_of_its_bytes() {
        let read = endpoint(map(json!({MAC_ADDRESS: "AkKsEQCZ"}))).unwrap();
        assert_eq!(read.mac.unwrap().to_string(), "02:42:ac:11:00:99");
        let all = endpoint(map(json!({MAC_ADDRESS: "+/+/+/+/"}))).unwrap();
        assert_eq!(all.mac.unwrap().to_string(), "fb:ff:bf:fb:ff:bf");
        for bad in ["02:42:ac:11:00:99", "", "AkKsEQ==", "AkKsEQC", "AkKsEQCZAA==", "AkKsEQ-_", &"A".repeat(10_000)] {
            assert!(endpoint(map(json!({MAC_ADDRESS: bad}))).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_that_cannot_be_published_are_refused() {
        let read = endpoint(map(
            json!({PORT_MAP: [{"PROTO": 17, "port": 53, "IP": "fd00::2", "HostIP": "::1", "HostPort": 5, "HostPortEnd": 7}]}),
        ));
        let [port] = &read.unwrap().port_bindings[..] else { panic!() };
        assert_eq!((port.protocol, port.host_port, port.host_port_end), (Protocol::Udp, 5, 7));
        let addresses = [port.host_address, port.container_address].map(|address| address.unwrap().to_string());
        assert_eq!(addresses, ["::1", "fd00::2"]);
        for bad in [
            json!({"Proto": 1, "Port": 1}),
            json!({"Proto": 6}),
            json!({"Proto": 6, "Port": 65536}),
            json!({"Proto": 6, "Port": 1, "HostPort": 9, "HostPortEnd": 8}),
            json!({"Proto": 6, "Port": 1, "HostIP": "localhost"}),
            json!({"Proto": 6, "Port": 1, "IP": "localhost"}),
            json!({"Proto": "tcp", "Port": 1}),
        ] {
            assert!(endpoint(map(json!({PORT_MAP: [bad.clone()]}))).is_err(), "{bad}");
        }
    }
}
