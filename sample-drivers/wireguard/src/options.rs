//! What the user's labels and the operator's configuration say.

use std::net::IpAddr;

use pontoon_sdk::{Error, NetworkOptions, Result, TextMap, configuration};

/// The address by which the other hosts reach this one.
const ADDRESS: &str = "address";
/// The UDP port that they reach it by.
pub(crate) const PORT: &str = "port";
const MTU: &str = "com.docker.network.driver.mtu";
/// WireGuard's usual one.
pub(crate) const USUAL_PORT: u16 = 51_820;
/// What is left of 1,500 bytes, whichever family the underlay has: IPv6, UDP and WireGuard headers take 80.
const USUAL_MTU: u32 = 1_420;

/// The options of a network on this host.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where the other hosts reach this one.
    pub address: IpAddr,
    /// The UDP port by which they do; none: the first that is free.
    pub port: Option<u16>,
    /// Of all links, in bytes.
    pub mtu: u32,
}

impl Options {
    pub(crate) fn read(options: &NetworkOptions) -> Result<Self> {
        let labels = &options.generic;
        let mtu = labels.parse(MTU)?.filter(|mtu| *mtu != 0);
        Ok(Self { address: address(labels)?, port: port(labels)?, mtu: mtu.unwrap_or(USUAL_MTU) })
    }
}

/// A label of the network, or else what the operator says of the host: an address is a host's own, and a network's labels are the same on all.
fn said(labels: &TextMap, key: &str) -> Option<String> {
    let label = labels.get(key).filter(|text| !text.is_empty()).map(str::to_owned);
    label.or_else(|| configuration::get(key))
}

fn address(labels: &TextMap) -> Result<IpAddr> {
    let text = said(labels, ADDRESS).unwrap_or_default();
    match text.parse::<IpAddr>() {
        Ok(address) if is_a_hosts(address) => Ok(address),
        _ => Err(Error::invalid_argument(format!(
            "{ADDRESS}=\"{text}\" is no address by which other hosts reach this one: say it when the driver is loaded (--set \
             {ADDRESS}=ADDRESS), or to one network (-o {ADDRESS}=ADDRESS)"
        ))),
    }
}

fn port(labels: &TextMap) -> Result<Option<u16>> {
    match said(labels, PORT).map(|text| text.parse::<u16>().map_err(|_| text)) {
        None => Ok(None),
        Some(Ok(port)) if port != 0 => Ok(Some(port)),
        Some(Ok(_)) => Err(Error::invalid_argument(format!("{PORT}=\"0\": a UDP port from 1 to 65535"))),
        Some(Err(text)) => Err(Error::invalid_argument(format!("{PORT}=\"{text}\": a UDP port from 1 to 65535"))),
    }
}

/// Whether one host alone can have it.
pub(crate) fn is_a_hosts(address: IpAddr) -> bool {
    let is_of_a_link = match address {
        IpAddr::V4(ipv4) => ipv4.is_broadcast() || ipv4.is_link_local(),
        IpAddr::V6(ipv6) => ipv6.is_unicast_link_local(),
    };
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback() || is_of_a_link)
}
