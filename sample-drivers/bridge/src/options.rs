//! What the user's labels say: Docker's names, Docker's defaults. One of Docker's that is not known here is refused, because nothing would come of
//! it; those of others are left alone. `OPTIONS.md` beside the driver has them all in a table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use pontoon_sdk::{Error, Result, TextMap, ipnet};

const NAME: &str = "com.docker.network.bridge.name";
const ICC: &str = "com.docker.network.bridge.enable_icc";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
const INHIBIT_IPV4: &str = "com.docker.network.bridge.inhibit_ipv4";
const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
const TRUSTED_INTERFACES: &str = "com.docker.network.bridge.trusted_host_interfaces";
const MTU: &str = "com.docker.network.driver.mtu";
const INTERFACE_PREFIX: &str = "com.docker.network.container_iface_prefix";
const HOST_IPV4: &str = "com.docker.network.host_ipv4";
const HOST_IPV6: &str = "com.docker.network.host_ipv6";
const GATEWAY_MODES: [&str; 2] =
    ["com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6"];
/// How the network is made, which other words of the engine say.
const MADE: [&str; 3] =
    ["com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6", "com.docker.network.internal"];
/// How dockerd itself tells neighbours of a container's address, from 28 on.
const ADVERTISING: [&str; 2] = ["com.docker.network.advertise_addr_nmsgs", "com.docker.network.advertise_addr_ms"];

/// The name that a container's link is to have.
const INTERFACE_NAME: &str = "com.docker.network.endpoint.ifname";
/// What dockerd itself does with an endpoint, from 28 on; nobody else does it.
const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";
const ENDPOINT_NAME: &str = "com.docker.network.endpoint.name";
/// What dockerd says to its own drivers.
const PRIVATE: &str = "com.docker.network.driver.private.";

/// Who may begin connections to published ports: addresses and ranges, with commas between them. Docker has no such word.
pub(crate) const ALLOW_FROM: &str = "pontoon.policy.allow-from";
/// Of these, so many.
const ALLOWED: usize = 256;

/// All of Docker's labels begin so.
const DOCKERS: &str = "com.docker.network.";

/// What may have been wrong where a rule is refused that gives packets a source.
pub(crate) const SOURCES: &str = "com.docker.network.host_ipv4, com.docker.network.host_ipv6";

/// The options of a network.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The bridge's name, if the user chose one.
    pub name: Option<String>,
    /// Containers may talk to each other.
    pub icc: bool,
    /// What leaves for the outside gets the host's address.
    pub masquerade: bool,
    /// Which address of the host that is, IPv4 and IPv6; none: that of the link that it leaves by.
    pub sources: [Option<IpAddr>; 2],
    /// Where ports are published that name no host address; none: on all addresses of both families.
    pub host_binding: Option<IpAddr>,
    /// The bridge gets no IPv4 address.
    pub inhibit_ipv4: bool,
    /// Of the bridge and of every container's link, in bytes.
    pub mtu: Option<u32>,
    /// The containers' links are named this and a number.
    pub interface_prefix: String,
    /// Who may begin connections from outside; none: everybody.
    pub allow_from: Option<Vec<IpNet>>,
}

impl Options {
    /// Reads the labels.
    pub(crate) fn read(labels: &TextMap) -> Result<Self> {
        check_known(labels)?;
        check_implemented(labels)?;
        let masquerade = flag(labels, MASQUERADE, true)?;
        Ok(Self {
            name: link_name(labels, NAME, 15)?,
            icc: flag(labels, ICC, true)?,
            masquerade,
            sources: sources(labels, masquerade)?,
            host_binding: host_binding(labels)?,
            inhibit_ipv4: flag(labels, INHIBIT_IPV4, false)?,
            mtu: mtu(labels)?,
            // A number follows.
            interface_prefix: link_name(labels, INTERFACE_PREFIX, 14)?.unwrap_or_else(|| "eth".to_owned()),
            allow_from: allow_from(labels)?,
        })
    }
}

/// Refuses a label that says that the network is made otherwise than it is: the engine alone can heed it.
pub(crate) fn check_made(labels: &TextMap, ipv4: bool, ipv6: bool, internal: bool) -> Result<()> {
    for (key, is_so) in MADE.into_iter().zip([ipv4, ipv6, internal]) {
        let said = flag(labels, key, is_so)?;
        if said != is_so {
            return Err(Error::invalid_argument(format!(
                "{key}=\"{said}\": the network is not made so; use the words for it when it is made (--ipv4, --ipv6, --internal)"
            )));
        }
    }
    Ok(())
}

/// The name that the container's link is to have, of an endpoint's labels. `is_native`: no engine is there that heeds others.
pub(crate) fn interface_name(labels: &TextMap, is_native: bool) -> Result<Option<String>> {
    for (key, value) in labels.iter().filter(|(key, _)| key.starts_with(DOCKERS)) {
        match key {
            INTERFACE_NAME | ENDPOINT_NAME => {}
            SYSCTLS if is_native => {
                return Err(Error::not_implemented(format!(
                    "{key}=\"{value}\": only dockerd does that; set them in the namespace yourself"
                )));
            }
            SYSCTLS => {}
            _ if key.starts_with(PRIVATE) => {}
            _ => return Err(unknown(key, value, "an endpoint")),
        }
    }
    link_name(labels, INTERFACE_NAME, 15)
}

fn unknown(key: &str, value: &str, of: &str) -> Error {
    Error::invalid_argument(format!(
        "{key}=\"{value}\": the bridge driver knows no such option of {of}; is it mistyped?"
    ))
}

fn check_known(labels: &TextMap) -> Result<()> {
    const KNOWN: [&str; 11] = [
        NAME,
        ICC,
        MASQUERADE,
        HOST_BINDING,
        INHIBIT_IPV4,
        DEFAULT_BRIDGE,
        TRUSTED_INTERFACES,
        MTU,
        INTERFACE_PREFIX,
        HOST_IPV4,
        HOST_IPV6,
    ];
    let mut dockers = labels.iter().filter(|(key, _)| key.starts_with(DOCKERS) && !key.starts_with(PRIVATE));
    let lists: [&[&str]; 4] = [&KNOWN, &GATEWAY_MODES, &MADE, &ADVERTISING];
    match dockers.find(|(key, _)| !lists.iter().any(|list| list.contains(key))) {
        Some((key, value)) => Err(unknown(key, value, "a network")),
        None => Ok(()),
    }
}

/// What Docker's own bridge can do, and this one can't.
fn check_implemented(labels: &TextMap) -> Result<()> {
    for key in GATEWAY_MODES {
        if let Some(mode) = text(labels, key).filter(|mode| mode != "nat") {
            return Err(Error::not_implemented(format!("{key}=\"{mode}\": only \"nat\" is implemented")));
        }
    }
    if let Some(links) = text(labels, TRUSTED_INTERFACES) {
        return Err(Error::not_implemented(format!(
            "{TRUSTED_INTERFACES}=\"{links}\": nobody outside reaches a container but by its published ports"
        )));
    }
    if flag(labels, DEFAULT_BRIDGE, false)? {
        return Err(Error::not_implemented(format!("{DEFAULT_BRIDGE}=\"true\": the default bridge is dockerd's own")));
    }
    Ok(())
}

/// A source address that no packet would get.
pub(crate) fn useless_source(address: IpAddr, why: &str) -> Error {
    let key = if address.is_ipv4() { HOST_IPV4 } else { HOST_IPV6 };
    Error::invalid_argument(format!("{key}=\"{address}\": {why}"))
}

fn sources(labels: &TextMap, masquerade: bool) -> Result<[Option<IpAddr>; 2]> {
    let ipv4: Option<Ipv4Addr> = labels.parse(HOST_IPV4)?;
    let ipv6: Option<Ipv6Addr> = labels.parse(HOST_IPV6)?;
    let sources = [ipv4.map(IpAddr::V4), ipv6.map(IpAddr::V6)];
    match sources.into_iter().flatten().next() {
        Some(address) if !masquerade => {
            let why = format!("with {MASQUERADE}=\"false\", what leaves keeps the container's address");
            Err(useless_source(address, &why))
        }
        _ => Ok(sources),
    }
}

/// 0.0.0.0 is Docker's word for all addresses of both families; `::` is all of IPv6.
fn host_binding(labels: &TextMap) -> Result<Option<IpAddr>> {
    let address: Option<IpAddr> = labels.parse(HOST_BINDING)?;
    match address {
        Some(IpAddr::V6(Ipv6Addr::LOCALHOST)) => Err(Error::invalid_argument(format!(
            "{HOST_BINDING}=\"::1\": the kernel translates no packets to that address; use 127.0.0.1"
        ))),
        address => Ok(address.filter(|address| *address != IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
    }
}

fn allow_from(labels: &TextMap) -> Result<Option<Vec<IpNet>>> {
    let Some(given) = labels.get(ALLOW_FROM) else { return Ok(None) };
    let wrong = |what: &str| {
        Error::invalid_argument(format!(
            "{ALLOW_FROM}=\"{what}\": addresses or ranges such as 192.0.2.0/24, with commas"
        ))
    };
    let words = given.split(',').map(str::trim).filter(|word| !word.is_empty());
    let read = |word: &str| word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
    let nets = words.map(|word| read(word).map_err(|_| wrong(word))).collect::<Result<Vec<_>>>()?;
    match nets.len() <= ALLOWED {
        true => Ok(Some(IpNet::aggregate(&nets))),
        false => Err(Error::invalid_argument(format!("{ALLOW_FROM}: {} of them; at most {ALLOWED}", nets.len()))),
    }
}

/// Docker takes an empty label for none.
fn text(labels: &TextMap, key: &str) -> Option<String> {
    labels.get(key).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The kernel's names have at most 15 bytes; what else is wrong with one, the host says.
fn link_name(labels: &TextMap, key: &str, most: usize) -> Result<Option<String>> {
    match text(labels, key) {
        Some(name) if name.len() > most => {
            Err(Error::invalid_argument(format!("{key}=\"{name}\": at most {most} bytes fit into the name of a link")))
        }
        name => Ok(name),
    }
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
