//! A host in memory, for a driver's unit tests: on every target but WebAssembly, the SDK's functions work on it.
//!
//! Each thread has a host of its own, empty at first; [`reset`] makes it so again. [`Network`] and [`Endpoint`] make the calls that a front end
//! would make, as transactions: what fails is undone. The functions of this module look at what came of it.
//!
//! It refuses what the host refuses, with the same kinds of errors: names and ports that are taken, lists that are done whole or not at
//! all, values that can be set once, addresses outside of the pools, gateways that an endpoint does not reach, rules that are not tied to
//! the network. It sweeps what is left. It carries no packets, has no grant and none of its limits, and every address is one of the host's.
//!
//! ```
//! use pontoon_sdk::fake;
//! # use pontoon_sdk::*;
//! # use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
//! # struct MyDriver;
//! # impl Driver for MyDriver {
//! #     fn register() -> Registration { Registration::new("mine") }
//! #     fn create_network(_: &str, _: &NetworkOptions, _: &NetworkInfo, _: &[IpamData], _: &[IpamData]) -> Result<()> {
//! #         links::add_one(LinkSpec::bridge(LinkEnd::named("mine0"))).map(drop)
//! #     }
//! #     fn delete_network(_: &str) -> Result<()> { links::get(None, "mine0")?.remove() }
//! #     fn create_endpoint(_: &str, _: &str, _: &InterfaceInfo, _: &EndpointOptions) -> Result<()> { Ok(()) }
//! #     fn delete_endpoint(_: &str, _: &str) -> Result<()> { Ok(()) }
//! #     fn join(_: &str, _: &str, _: &str, _: &JoinInfo, _: &EndpointOptions) -> Result<()> { Ok(()) }
//! # }
//! let network = fake::Network::<MyDriver>::new("n").pool("10.0.0.0/24");
//! network.create()?;
//! assert_eq!(fake::link_names(), ["mine0"]);
//! network.delete()?;
//! assert!(fake::link_names().is_empty() && fake::swept().is_empty());
//! # Ok::<_, Error>(())
//! ```

mod call;
pub(crate) mod capabilities;
mod endpoint;
mod kernel;
mod network;
mod state;
mod store;
pub(crate) mod sys;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::links::LinkInfo;
use crate::log::Level;
use crate::sysctls::LinkSysctl;
use crate::{Protocol, TextMap};

pub use call::call;
pub use capabilities::Joined;
pub use endpoint::Endpoint;
pub use network::Network;

/// Says what the operator configured.
pub fn configure(configuration: TextMap) {
    state::with(|state| state.configuration = configuration);
}

/// Makes a link on the host that is not the driver's: its name is taken, and the driver doesn't see it.
pub fn add_foreign_link(name: &str) {
    state::with(|state| state.add_foreign_link(name));
}

/// Has another program of the host bind a port on one address; unspecified: on all of the family.
pub fn bind_foreign_port(protocol: Protocol, address: IpAddr, port: u16) {
    state::with(|state| state.ports.insert(state::HostPort { protocol, first: port, last: port, address }, None));
}

/// Puts an entry of another owner's into a table of a network.
pub fn put_foreign_entry(network: &str, table: &str, key: &str, value: &[u8]) {
    state::with(|state| state.tables.put_foreign(network, table, key, value));
}

/// Begins anew. Every thread does; a test harness that runs several tests on one thread needs this before each.
pub fn reset() {
    state::with(|state| *state = state::State::default());
}

/// The names of the driver's links on the host.
pub fn link_names() -> Vec<String> {
    state::with(|state| state.own_links(state::HOST).map(|(_, link)| link.info.name.clone()).collect())
}

/// A link of the driver's on the host.
pub fn link(name: &str) -> Option<LinkInfo> {
    state::with(|state| Some(state.info(state.own_link(state::HOST, name)?)))
}

/// The links of the sandbox of this key.
pub fn links_in_sandbox(key: &str) -> Vec<LinkInfo> {
    state::with(|state| {
        let Some(sandbox) = state.sandboxes.get(key) else { return Vec::new() };
        state.own_links(*sandbox).map(|(id, _)| state.info(id)).collect()
    })
}

/// The addresses of a link of the driver's on the host.
pub fn addresses(link: &str) -> Vec<IpNet> {
    of_link(link, |link| link.addresses.clone()).unwrap_or_default()
}

/// Whether a link forwards: IPv4 and IPv6.
pub fn forwards(link: &str) -> (bool, bool) {
    of_link(link, |link| link.forwards).unwrap_or_default()
}

/// How a link is as a bridge port: hairpin, isolated, learning.
pub fn port(link: &str) -> Option<(bool, bool, bool)> {
    of_link(link, |link| (link.hairpin, link.isolated, link.learning))
}

/// How a link passes packets on as a bridge and is passed packets as a port, and its properties.
pub fn options(
    link: &str,
) -> Option<(crate::links::BridgeOptions, crate::links::PortOptions, crate::links::Properties)> {
    of_link(link, |link| (link.options.bridge.clone(), link.options.port.clone(), link.options.properties.clone()))
}

/// The destinations of the driver's paths.
pub fn paths() -> Vec<IpNet> {
    state::with(|state| state.paths.iter().map(|path| path.name.destination).collect())
}

/// The addresses that the host answers for on a link of its own namespace.
pub fn proxies(link: &str) -> Vec<IpAddr> {
    of_link(link, |link| link.proxies.clone()).unwrap_or_default()
}

/// How fast a link sends at most, and the name of the one that it receives through.
pub fn rate(link: &str) -> (Option<crate::shaping::Rate>, Option<String>) {
    let found = of_link(link, |link| (link.rate, link.receives_through));
    let (rate, through) = found.unwrap_or_default();
    (rate, through.and_then(|id| state::with(|state| state.links.get(&id).map(|link| link.info.name.clone()))))
}

/// The peers of a WireGuard link.
pub fn peers(link: &str) -> Vec<crate::links::Peer> {
    of_link(link, |link| link.tunnel.as_ref().map(|tunnel| tunnel.peers.clone())).flatten().unwrap_or_default()
}

/// A setting of a link, if the driver set it.
pub fn sysctl(link: &str, name: LinkSysctl) -> Option<i32> {
    of_link(link, |link| link.sysctls.get(&name).copied()).flatten()
}

fn of_link<T>(name: &str, look: impl FnOnce(&state::Link) -> T) -> Option<T> {
    state::with(|state| state.own_link(state::HOST, name).and_then(|id| state.links.get(&id)).map(look))
}

/// The packet rules, chain by chain, in words like nft's: `nat postrouting 100: ip saddr 10.0.0.0/24 masquerade`.
pub fn rules() -> Vec<String> {
    state::with(|state| {
        let mut rules: Vec<_> = state.packet_rules.iter().collect();
        rules.sort_by_key(|(id, rule)| (rule.chain, **id));
        rules.into_iter().map(|(_, rule)| rule.text.clone()).collect()
    })
}

/// The driver's ports of the host, e.g. `8080/tcp of 0.0.0.0`.
pub fn host_ports() -> Vec<String> {
    state::with(|state| {
        let own = state.ports.iter().filter(|(_, owner)| owner.is_some());
        own.map(|(port, _)| port.to_string()).collect()
    })
}

/// What the driver remembers, as text.
pub fn stored() -> BTreeMap<String, String> {
    let text =
        |(key, (_, value)): (&String, &(String, Vec<u8>))| (key.clone(), String::from_utf8_lossy(value).into_owned());
    state::with(|state| state.store.iter().map(text).collect())
}

/// The lines that the driver wrote, those of calls that failed too.
pub fn logged() -> Vec<(Level, String)> {
    state::with(|state| state.log.clone())
}

/// What was left of networks and endpoints when they were deleted, by name.
pub fn swept() -> Vec<String> {
    state::with(|state| state.swept.clone())
}
