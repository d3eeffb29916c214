//! A network: a bridge with the addresses of its gateways, and the actions that its options name.

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, ErrorKind, IpamData, NetworkInfo, NetworkOptions, Result};
use serde::{Deserialize, Serialize};

use crate::{actions, notes, settings};

/// What is remembered of a network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    /// The name of the bridge, if it has one.
    pub bridge: Option<String>,
    /// The IPv4 pools.
    pub ipv4: Vec<IpamData>,
    /// The IPv6 pools.
    pub ipv6: Vec<IpamData>,
}

impl Network {
    /// The network of this id, which must exist.
    pub(crate) fn find(network: &str) -> Result<Self> {
        key(network).get()?.ok_or_else(|| Error::not_found(format!("no network {network}")))
    }

    /// The first pools of both families.
    pub(crate) fn pools(&self) -> impl Iterator<Item = IpNet> {
        let first = |family: &[IpamData]| family.first().and_then(|data| data.pool);
        first(&self.ipv4).into_iter().chain(first(&self.ipv6))
    }
}

fn key(network: &str) -> Key<Network> {
    Key::new(format!("network/{network}"))
}

/// Seven digits that are the same for the same text.
pub(crate) fn digits(text: &str) -> String {
    let hash = text.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{:07x}", hash & 0x0fff_ffff)
}

pub(crate) fn create(
    network: &str,
    options: &NetworkOptions,
    info: &NetworkInfo,
    ipv4: &[IpamData],
    ipv6: &[IpamData],
) -> Result<()> {
    if key(network).get()?.is_some() {
        return Err(Error::already_exists(format!("network {network} is there already")));
    }
    settings::remember(network, &options.generic)?;
    let notes = notes::of_network(network);
    notes.add(&format!("create-network: {options:?} {ipv4:?} {ipv6:?}"))?;
    let mut new = Network { bridge: None, ipv4: ipv4.to_vec(), ipv6: ipv6.to_vec() };
    if settings::Settings::of_network(network)?.get("probe.links") != Some("no") {
        let name = format!("pb-{}", digits(network));
        let addresses = ipv4.iter().chain(ipv6).filter_map(|data| data.gateway).collect();
        links::add_one(LinkSpec::bridge(LinkEnd { addresses, up: true, ..LinkEnd::named(&name) }))?;
        new.bridge = Some(name);
    }
    key(network).set(&new)?;
    actions::of_network(network, &new, &options.generic, info)
}

pub(crate) fn delete(network: &str) -> Result<()> {
    settings::forget(network)?;
    notes::of_network(network).forget()?;
    let Some(Network { bridge: Some(bridge), .. }) = key(network).take()? else { return Ok(()) };
    remove_link(&bridge)
}

/// Removes a link, if it is there.
pub(crate) fn remove_link(name: &str) -> Result<()> {
    match links::get(None, name) {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        link => link?.remove(),
    }
}
