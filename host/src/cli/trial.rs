//! `pontoon driver dev --try`: a network of the driver, two containers on it, and whether one reaches the other. All of it goes again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::client::path;
use super::exit::Failure;
use super::output::Session;
use crate::conformance::Ground;
use operation::driver::{DriverDetails, Without};
use operation::endpoint::{Attach, Attached, Endpoint};
use operation::network::CreateNetwork;
use words::{Error, Name, Result};

/// Tries a driver that is loaded, and says what came of it.
pub async fn run(
    driver: &Name,
    labels: &BTreeMap<String, String>,
    session: &mut Session<'_>,
) -> std::result::Result<(), Failure> {
    let details: DriverDetails = session.client.get(&path(&["drivers", driver.as_str()])).await?.read()?;
    let does = |family| !details.manifest.as_ref().is_some_and(|manifest| manifest.without.contains(&family));
    let network = CreateNetwork {
        name: Name::new(&name())?,
        driver: driver.clone(),
        pools: Vec::new(),
        ipv4: does(Without::Ipv4),
        ipv6: does(Without::Ipv6),
        internal: false,
        no_pools: false,
        ipam: None,
        scope: None,
        ipam_options: [].into(),
        options: labels.clone(),
    };
    let ground = Ground::new(false, &[])?;
    session.client.post("/networks", &network).await?;
    let reached = attach_both(&ground, session).await;
    let removed = remove(session).await;
    reached.and_then(|said| removed.map(|()| said)).map(|said| said.iter().for_each(|line| session.note(line)))
}

/// The network's name, which is this process's.
fn name() -> String {
    format!("try-{}", std::process::id())
}

/// Removes the network with what is attached to it. The daemon tells of what is not there.
async fn remove(session: &Session<'_>) -> std::result::Result<(), Failure> {
    for endpoint in ["a", "b"] {
        let _ = session.client.delete(&path(&["networks", &name(), "endpoints", endpoint])).await;
    }
    session.client.delete(&path(&["networks", &name()])).await.map(drop)
}

/// Attaches two namespaces, and says for each address of the second whether the first reaches it.
async fn attach_both(ground: &Ground, session: &Session<'_>) -> std::result::Result<Vec<String>, Failure> {
    let (from, to) = (ground.namespace("a")?, ground.namespace("b")?);
    let mut last = None;
    for (endpoint, namespace) in [("a", &from), ("b", &to)] {
        let namespace = namespace
            .path
            .to_str()
            .ok_or_else(|| Error::invalid("the folder for temporary files has no name in UTF-8"))?;
        let attach = attach(namespace, Name::new(endpoint)?);
        let attached: Attached =
            session.client.post(&path(&["networks", &self::name(), "endpoints"]), &attach).await?.read()?;
        last = Some(attached.endpoint);
    }
    let addresses = last.iter().flat_map(addresses);
    let reach = |address| -> Result<String> {
        Ok(match ground.reaches(&from, &to, address)? {
            Some(true) => format!("one container reaches the other at {address}"),
            _ => format!("one container does NOT reach the other at {address}"),
        })
    };
    Ok(addresses.map(reach).collect::<Result<_>>()?)
}

fn attach(namespace: &str, name: Name) -> Attach {
    Attach {
        namespace: namespace.to_owned(),
        name: Some(name),
        address: None,
        address_ipv6: None,
        mac_address: None,
        interface: None,
        gateway_priority: 0,
        ports: Vec::new(),
        options: BTreeMap::new(),
    }
}

fn addresses(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> {
    let ipv4 = endpoint.address.map(|address| address.addr().into());
    ipv4.into_iter().chain(endpoint.address_ipv6.map(|address| address.addr().into()))
}
