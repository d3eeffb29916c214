//! What the user's labels and the operator's configuration say.

use std::net::IpAddr;

use pontoon_sdk::{Error, NetworkOptions, Result, TextMap, configuration};

/// The network's number on the wire.
pub(crate) const VNI: &str = "vni";
/// The address by which the other hosts reach this one.
const ADDRESS: &str = "address";
/// The host's: which options no other network of the cluster may have with the same value, and such values that others have.
pub(crate) const UNIQUE: &str = "pontoon.unique";
const TAKEN: &str = "pontoon.taken";
/// The link by which this host reaches them.
const PARENT: &str = "parent";
const MTU: &str = "com.docker.network.driver.mtu";
/// Docker's, which is not done here, and what to do instead.
const REFUSED: [(&str, &str); 3] = [
    ("encrypted", "nothing is encrypted: have the hosts' own packets encrypted below (WireGuard, IPsec)"),
    ("secure", "nothing is encrypted: have the hosts' own packets encrypted below (WireGuard, IPsec)"),
    ("com.docker.network.driver.overlay.vxlanid_list", "a network has one number for all its subnets: vni=NUMBER"),
];

/// The options of a network on this host.
#[derive(Debug)]
pub(crate) struct Options {
    pub address: IpAddr,
    pub parent: Option<String>,
    /// Of the containers' links, in bytes; none: what the underlay leaves.
    pub mtu: Option<u32>,
}

impl Options {
    pub(crate) fn read(options: &NetworkOptions) -> Result<Self> {
        let labels = &options.generic;
        for (key, instead) in REFUSED {
            // Docker's users write `-o encrypted`, which says nothing more.
            if let Some(value) = labels.get(key).filter(|value| *value != "false") {
                return Err(Error::not_implemented(format!("{key}=\"{value}\": {instead}")));
            }
        }
        Ok(Self {
            address: address(labels)?,
            parent: said(labels, PARENT),
            mtu: labels.parse(MTU)?.filter(|mtu| *mtu != 0),
        })
    }
}

/// The number that the user chose.
pub(crate) fn vni(labels: &TextMap) -> Result<Option<u32>> {
    match labels.parse(VNI)? {
        Some(vni) if !(1..1 << 24).contains(&vni) => {
            Err(Error::invalid_argument(format!("{VNI}=\"{vni}\": a number from 1 to 16777215")))
        }
        vni => Ok(vni),
    }
}

/// Numbers that other networks of the cluster have, as `network-allocate` is told when its choice was one of them.
pub(crate) fn taken(labels: &TextMap) -> Vec<u32> {
    let all = labels.get(TAKEN).unwrap_or_default().split(' ');
    all.filter_map(|one| one.strip_prefix(VNI)?.strip_prefix('=')?.parse().ok()).collect()
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

/// Whether one host alone can have it.
pub(crate) fn is_a_hosts(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(ipv4) if ipv4.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback() || is_broadcast)
}
