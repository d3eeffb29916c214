//! A macvlan link for every container, on a link of the host's: `-o parent=LINK`, and `-o mode=bridge`, `private` or `vepa`.

use std::net::IpAddr;

use pontoon_sdk::links::{self, Link, LinkEnd, LinkKind, LinkSpec, MacvlanMode};
use pontoon_sdk::store::Key;
use pontoon_sdk::*;
use serde::{Deserialize, Serialize};

struct Lan;

export_driver!(Lan);

/// What is remembered of a network.
#[derive(Serialize, Deserialize)]
struct Network {
    parent: String,
    mode: String,
    mtu: Option<u32>,
    /// None on an internal network.
    gateways: Vec<IpAddr>,
}

impl Driver for Lan {
    fn register() -> Registration {
        Registration::new("lan")
    }

    fn create_network(
        network: &str,
        options: &NetworkOptions,
        _: &NetworkInfo,
        ipv4: &[IpamData],
        ipv6: &[IpamData],
    ) -> Result<()> {
        if key(network).get()?.is_some() {
            return Err(Error::already_exists(format!("network {network} is there already")));
        }
        let missing = || Error::invalid_argument("no parent: say which link of the host's with -o parent=LINK");
        let parent = options.generic.get("parent").ok_or_else(missing)?;
        let mode = options.generic.get("mode").unwrap_or("bridge");
        macvlan_mode(mode)?;
        let mtu = options.generic.parse("com.docker.network.driver.mtu")?;
        links::get(None, parent).context(format!("parent=\"{parent}\""))?;
        let pools = ipv4.iter().chain(ipv6).filter(|_| !options.internal);
        let gateways = pools.filter_map(|data| data.gateway).map(|gateway| gateway.addr()).collect();
        key(network).set(&Network { parent: parent.to_owned(), mode: mode.to_owned(), mtu, gateways })
    }

    fn delete_network(network: &str) -> Result<()> {
        key(network).remove()
    }

    fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
        let Network { parent, mode, mtu, .. } = find(network)?;
        let mac_address = info.mac_address().unwrap_or_else(MacAddress::random);
        if info.mac_address().is_none() {
            info.set_mac_address(mac_address)?;
        }
        let parent = links::get(None, &parent)?;
        // In the container's own namespace, if it is known: a link that is made there need not be moved.
        let sandbox = info.sandbox();
        let end = LinkEnd {
            namespace: sandbox.as_ref(),
            mac_address: Some(mac_address),
            mtu,
            ..LinkEnd::named(name("lan", endpoint))
        };
        let kind = LinkKind::Macvlan { parent: &parent, mode: macvlan_mode(&mode)? };
        links::add_one(LinkSpec { end, kind }).map(drop)
    }

    fn delete_endpoint(_: &str, _: &str) -> Result<()> {
        Ok(()) // Its link goes with it, wherever that is.
    }

    fn join(network: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
        let Network { gateways, .. } = find(network)?;
        info.interface_name().set_names(&link(endpoint, info)?, "eth", None)?;
        info.disable_gateway_service();
        gateways.into_iter().try_for_each(|gateway| info.set_gateway(gateway))
    }
}

fn key(network: &str) -> Key<Network> {
    Key::new(format!("network/{network}")).version(1)
}

fn find(network: &str) -> Result<Network> {
    key(network).get()?.ok_or_else(|| Error::not_found(format!("no network {network}")))
}

/// An endpoint's link, on the host or in the container.
fn link(endpoint: &str, info: &JoinInfo) -> Result<Link> {
    let name = name("lan", endpoint);
    match (links::get(None, &name), info.sandbox()) {
        (Err(error), Some(sandbox)) if error.kind == ErrorKind::NotFound => links::get(Some(&sandbox), &name),
        (found, _) => found,
    }
}

fn macvlan_mode(mode: &str) -> Result<MacvlanMode> {
    match mode {
        "bridge" => Ok(MacvlanMode::Bridge),
        "private" => Ok(MacvlanMode::Private),
        "vepa" => Ok(MacvlanMode::Vepa),
        _ => Err(Error::invalid_argument(format!("mode=\"{mode}\": it is bridge, private or vepa"))),
    }
}

/// The kernel's names have at most 15 bytes, and ids may begin alike: a hash (FNV-1a).
fn name(prefix: &str, id: &str) -> String {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{prefix}-{:08x}", id.bytes().fold(0x811c_9dc5, mix))
}
