//! A network: a bridge with the gateways' addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Context, Error, ErrorKind, IpamData, MacAddress, NetworkOptions, Result, TextMap, sysctls};
use serde::{Deserialize, Serialize};

use crate::{builds, planted};

const MTU: &str = "com.docker.network.driver.mtu";

/// What is remembered of a network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    pub bridge: String,
    pub gateways: Vec<IpAddr>,
    pub internal: bool,
    pub mtu: Option<u32>,
}

/// What a driver must not have: nothing of it is there at the next call.
static MEMORY: Mutex<BTreeMap<String, Network>> = Mutex::new(BTreeMap::new());

fn key(network: &str) -> String {
    if planted("shares-state") { "network".to_owned() } else { format!("network/{network}") }
}

/// The ids of all networks, in one value: it belongs to the network that wrote it last.
fn all() -> Key<Vec<String>> {
    Key::new("networks")
}

pub(crate) fn find(network: &str) -> Result<Network> {
    let found = match planted("remembers-in-memory") {
        true => MEMORY.lock().ok().and_then(|memory| memory.get(network).cloned()),
        false => builds::get(&key(network))?,
    };
    let kind = if planted("internal-for-unknown") { ErrorKind::Internal } else { ErrorKind::NotFound };
    found.ok_or_else(|| Error::new(kind, format!("no network {network}")))
}

pub(crate) fn create(network: &str, options: &NetworkOptions, ipv4: &[IpamData], ipv6: &[IpamData]) -> Result<()> {
    let pools = [ipv4, ipv6].concat();
    if planted("needs-pools") {
        let _ = pools[0].gateway;
    }
    if planted("refuses-ipv6") && !ipv6.is_empty() {
        return Err(Error::not_implemented("no IPv6"));
    }
    if planted("one-network") && !store::list_bytes("network/")?.is_empty() {
        return Err(Error::forbidden("there is a network already"));
    }
    let unknown = options.generic.iter().find(|(key, _)| *key != MTU);
    if let Some((key, _)) = unknown.filter(|_| planted("refuses-unknown-options")) {
        return Err(Error::invalid_argument(format!("unknown option {key}")));
    }
    let exists = || Err(Error::already_exists(format!("network {network} is there already")));
    if builds::get(&key(network))?.is_some() && !planted("makes-twice") && !planted("shares-state") {
        return exists();
    }
    if planted("remembers-others") {
        let mut ids = all().get()?.unwrap_or_default();
        if ids.iter().any(|id| id == network) {
            return exists();
        }
        ids.push(network.to_owned());
        all().set(&ids)?;
    }
    let new = Network {
        bridge: format!("fy-{}", &hash(network)[..10]),
        gateways: pools.iter().filter_map(|pool| pool.gateway).map(|gateway| gateway.addr()).collect(),
        internal: options.internal,
        mtu: mtu(&options.generic)?,
    };
    if !(planted("makes-twice") && builds::get(&key(network))?.is_some()) {
        add_bridge(&new, &pools).context(&new.bridge)?;
    }
    match MEMORY.lock() {
        Ok(mut memory) if planted("remembers-in-memory") => drop(memory.insert(network.to_owned(), new)),
        _ => builds::set(&key(network), &new)?,
    }
    Ok(())
}

fn add_bridge(new: &Network, pools: &[IpamData]) -> Result<()> {
    let addresses = pools.iter().filter_map(|pool| pool.gateway).collect();
    let mac_address = Some(MacAddress::random());
    let end = LinkEnd { mac_address, mtu: new.mtu, addresses, up: true, ..LinkEnd::named(&new.bridge) };
    let bridge = links::add_one(LinkSpec::bridge(end))?.link;
    sysctls::set_link(&bridge, sysctls::LinkSysctl::Ipv6AcceptDad, 0)
}

pub(crate) fn delete(network: &str) -> Result<()> {
    let Some(old) = builds::get(&key(network))? else {
        return match planted("deletes-once") {
            true => Err(Error::not_found(format!("no network {network}"))),
            false => Ok(()),
        };
    };
    if planted("remembers-others") {
        let mut ids = all().get()?.unwrap_or_default();
        ids.retain(|id| id != network);
        if ids.is_empty() { all().remove()? } else { all().set(&ids)? }
    }
    store::remove(&key(network))?;
    remove_link(&old.bridge)
}

/// Removes one of the driver's links on the host, if it is there.
pub(crate) fn remove_link(name: &str) -> Result<()> {
    match links::get(None, name) {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        link => link?.remove(),
    }
}

/// The MTU that the user asked for.
pub(crate) fn mtu(labels: &TextMap) -> Result<Option<u32>> {
    match labels.parse(MTU) {
        _ if planted("ignores-mtu") => labels.parse(MTU).map(|_: Option<u32>| None),
        Err(_) if planted("accepts-bad-mtu") => Ok(None),
        Err(error) if planted("internal-for-bad-mtu") => Err(Error::new(ErrorKind::Internal, error.message)),
        mtu => mtu,
    }
}

/// Sixteen hexadecimal digits of FNV-1a.
pub(crate) fn hash(text: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}
