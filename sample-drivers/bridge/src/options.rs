//! What the user's labels say: Docker's names, Docker's defaults. Unknown ones are left alone.

use std::net::Ipv4Addr;

use pontoon_sdk::{Error, Result, TextMap};

const NAME: &str = "com.docker.network.bridge.name";
const ICC: &str = "com.docker.network.bridge.enable_icc";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
const INHIBIT_IPV4: &str = "com.docker.network.bridge.inhibit_ipv4";
const MTU: &str = "com.docker.network.driver.mtu";
const INTERFACE_PREFIX: &str = "com.docker.network.container_iface_prefix";
const GATEWAY_MODES: [&str; 2] =
    ["com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6"];

/// The options of a network.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The bridge's name, if the user chose one.
    pub name: Option<String>,
    /// Containers may talk to each other.
    pub icc: bool,
    /// What leaves for the outside gets the host's address.
    pub masquerade: bool,
    /// Where ports are published that name no host address; none: on all addresses of both families.
    pub host_binding: Option<Ipv4Addr>,
    /// The bridge gets no IPv4 address.
    pub inhibit_ipv4: bool,
    /// Of the bridge and of every container's link, in bytes.
    pub mtu: Option<u32>,
    /// The containers' links are named this and a number.
    pub interface_prefix: String,
}

impl Options {
    /// Reads the labels.
    pub(crate) fn read(labels: &TextMap) -> Result<Self> {
        check_gateway_modes(labels)?;
        let host_binding: Option<Ipv4Addr> = labels.parse(HOST_BINDING)?;
        Ok(Self {
            name: text(labels, NAME),
            icc: flag(labels, ICC, true)?,
            masquerade: flag(labels, MASQUERADE, true)?,
            host_binding: host_binding.filter(|address| !address.is_unspecified()),
            inhibit_ipv4: flag(labels, INHIBIT_IPV4, false)?,
            mtu: mtu(labels)?,
            interface_prefix: text(labels, INTERFACE_PREFIX).unwrap_or_else(|| "eth".to_owned()),
        })
    }
}

/// Docker takes an empty label for none.
fn text(labels: &TextMap, key: &str) -> Option<String> {
    labels.get(key).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The words that Go's strconv.ParseBool knows, and so Docker's users.
fn flag(labels: &TextMap, key: &str, default: bool) -> Result<bool> {
    match labels.get(key) {
        None => Ok(default),
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some(value) => Err(Error::invalid_argument(format!("{key}=\"{value}\": neither true nor false"))),
    }
}

/// 0 is Docker's word for the kernel's default.
fn mtu(labels: &TextMap) -> Result<Option<u32>> {
    match labels.parse(MTU)? {
        None | Some(0) => Ok(None),
        Some(mtu @ 68..=65_535) => Ok(Some(mtu)),
        Some(mtu) => Err(Error::invalid_argument(format!("{MTU}=\"{mtu}\": an MTU is 68 to 65535 bytes"))),
    }
}

fn check_gateway_modes(labels: &TextMap) -> Result<()> {
    for key in GATEWAY_MODES {
        if let Some(mode) = labels.get(key).filter(|mode| !matches!(*mode, "" | "nat")) {
            return Err(Error::not_implemented(format!("{key}=\"{mode}\": only \"nat\" is implemented")));
        }
    }
    Ok(())
}
