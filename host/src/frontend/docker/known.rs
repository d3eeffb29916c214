//! What dockerd still knows of: asked over its API for garbage collection, and never while dockerd waits for an answer itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde::Deserialize;

use crate::client::dockerd::find;
use operation::engine::Known;
use operation::origin::Origin;
use words::{Id, Name, Result, now};

/// A network, as `GET /networks` and `GET /networks/ID` have it (API 1.24 and later).
#[derive(Deserialize)]
struct Network {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Driver", default)]
    driver: String,
    #[serde(rename = "IPAM", default)]
    ipam: Ipam,
    #[serde(rename = "Containers", default)]
    containers: Option<BTreeMap<String, Container>>,
}

#[derive(Default, Deserialize)]
struct Ipam {
    #[serde(rename = "Driver", default)]
    driver: String,
    #[serde(rename = "Config", default)]
    config: Option<Vec<Pool>>,
}

#[derive(Deserialize)]
struct Pool {
    #[serde(rename = "Subnet", default)]
    subnet: String,
    #[serde(rename = "AuxiliaryAddresses", default)]
    auxiliary: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "EndpointID", default)]
    endpoint: String,
    #[serde(rename = "IPv4Address", default)]
    ipv4: String,
    #[serde(rename = "IPv6Address", default)]
    ipv6: String,
}

/// Asks for all that has to do with these drivers.
pub async fn known(socket: &Path, drivers: &BTreeSet<Name>) -> Result<Known> {
    let is_ours = |name: &str| drivers.iter().any(|driver| driver.as_str() == name);
    let mut known = Known {
        origin: Origin::Docker { api: Some(socket.to_owned()) },
        asked: now(),
        networks: BTreeSet::new(),
        endpoints: BTreeSet::new(),
        subnets: BTreeSet::new(),
        addresses: BTreeSet::new(),
    };
    for listed in find::<Vec<Network>>(socket, "/networks").await?.unwrap_or_default() {
        if !is_ours(&listed.driver) && !is_ours(&listed.ipam.driver) {
            continue;
        }
        let id = Id::new(&listed.id)?;
        add_pools(&mut known, listed.ipam);
        let details: Option<Network> = find(socket, &format!("/networks/{id}")).await?;
        known.networks.insert(id);
        // None: it has just been removed.
        for container in details.and_then(|network| network.containers).unwrap_or_default().into_values() {
            known.endpoints.extend(Id::new(&container.endpoint).ok());
            let addresses = [container.ipv4, container.ipv6];
            known.addresses.extend(addresses.iter().filter_map(|a| Some(a.parse::<IpNet>().ok()?.addr())));
        }
    }
    Ok(known)
}

fn add_pools(known: &mut Known, ipam: Ipam) {
    for pool in ipam.config.unwrap_or_default() {
        known.subnets.extend(pool.subnet.parse::<IpNet>().ok().map(|subnet| subnet.trunc()));
        let auxiliary = pool.auxiliary.unwrap_or_default();
        known.addresses.extend(auxiliary.values().filter_map(|address| address.parse::<IpAddr>().ok()));
    }
}
