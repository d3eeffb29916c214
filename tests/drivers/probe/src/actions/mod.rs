//! What `probe.do` names: each action calls every function of an interface, and mostly leaves something behind, for
//! the host to sweep when the network goes.

mod capabilities;
pub(crate) mod errors;
mod kernel;
mod kinds;
mod limits;
mod links;
mod nftables;
mod options;
mod ports;
mod shaping;
mod state;

pub(crate) use capabilities::ABOUT_ENDPOINTS;
use pontoon_sdk::{Error, InterfaceInfo, JoinInfo, NetworkInfo, Result, TextMap, log};

use crate::network::Network;
use crate::notes;
use crate::settings::Settings;

/// An action that any call can go through.
type Action = fn(&Stage) -> Result<()>;

/// The actions, by name. Besides these: `network-info` in a network's options, `interface-info` in an endpoint's,
/// `join-info` in either. A join of `limits` adds routes; `errors` goes through each
/// of these, too.
const ACTIONS: [(&str, Action); 19] = [
    ("log", state::log),
    ("clock", state::clock),
    ("random", state::random),
    ("configuration", state::configuration),
    ("store", state::store),
    ("tables", state::tables),
    ("namespaces", kernel::namespaces),
    ("links", links::links),
    ("kinds", kinds::kinds),
    ("addresses", kernel::addresses),
    ("routes", kernel::routes),
    ("rules", kernel::rules),
    ("neighbours", kernel::neighbours),
    ("options", options::options),
    ("shaping", shaping::shaping),
    ("nftables", nftables::nftables),
    ("sysctls", kernel::sysctls),
    ("forwarding", kernel::forwarding),
    ("ports", ports::ports),
];

/// Those that `all` leaves out.
const ON_REQUEST: [(&str, Action); 4] =
    [("errors", errors::errors), ("limits", limits::limits), ("flood", limits::flood), ("memory", state::memory)];

/// What an action has to work with.
pub(crate) struct Stage<'a> {
    /// The id of the network, or of the network and the endpoint with a slash between.
    pub owner: String,
    /// The network.
    pub network: &'a Network,
}

/// Goes through a network's actions.
pub(crate) fn of_network(id: &str, network: &Network, options: &TextMap, info: &NetworkInfo) -> Result<()> {
    let notes = notes::of_network(id);
    run(&Stage { owner: id.to_owned(), network }, options, &notes)?;
    if is_named(options, "errors") {
        errors::of_network(info)?;
    }
    if asks_for(options, "network-info") {
        capabilities::network_info(network, info)?;
        notes.add("done: network-info")?;
    }
    Ok(())
}

/// Goes through an endpoint's actions.
pub(crate) fn of_endpoint(
    network_id: &str,
    endpoint: &str,
    network: &Network,
    options: &TextMap,
    info: &InterfaceInfo,
) -> Result<()> {
    let notes = notes::of_endpoint(network_id, endpoint);
    run(&Stage { owner: format!("{network_id}/{endpoint}"), network }, options, &notes)?;
    if is_named(options, "errors") {
        errors::of_endpoint(info)?;
    }
    if asks_for(options, "interface-info") {
        capabilities::interface_info(network, info)?;
        notes.add("done: interface-info")?;
    }
    Ok(())
}

/// Goes through the action of a join.
pub(crate) fn of_join(
    network_id: &str,
    endpoint: &str,
    network: &Network,
    settings: &Settings,
    info: &JoinInfo,
) -> Result<()> {
    if settings.names("probe.do", "limits") {
        limits::static_routes(info)?;
    }
    if settings.names("probe.do", "errors") {
        errors::of_join(endpoint, network, info)?;
    }
    if settings.names("probe.do", "join-info") || settings.names("probe.do", "all") {
        capabilities::join_info(endpoint, network, info)?;
        notes::of_endpoint(network_id, endpoint).add("done: join-info")?;
    }
    Ok(())
}

fn asks_for(options: &TextMap, action: &str) -> bool {
    is_named(options, action) || is_named(options, "all")
}

fn is_named(options: &TextMap, action: &str) -> bool {
    options.get("probe.do").unwrap_or_default().split_whitespace().any(|word| word == action)
}

fn run(stage: &Stage, options: &TextMap, notes: &notes::Notes) -> Result<()> {
    for word in options.get("probe.do").unwrap_or_default().split_whitespace() {
        let is_other = ["all", "network-info", "interface-info", "join-info"].contains(&word);
        if !is_other && !ACTIONS.iter().chain(&ON_REQUEST).any(|(name, _)| *name == word) {
            return Err(Error::invalid_argument(format!("probe.do names {word}, which is no action")));
        }
    }
    let named = ON_REQUEST.into_iter().filter(|(name, _)| is_named(options, name));
    for (name, action) in ACTIONS.into_iter().filter(|(name, _)| asks_for(options, name)).chain(named) {
        log::debug(format!("begins: {name}"));
        action(stage).map_err(|error| Error { message: format!("{name}: {}", error.message), ..error })?;
        // A call that has written all that it may can't say so.
        if name != "limits" {
            notes.add(&format!("done: {name}"))?;
        }
    }
    Ok(())
}
