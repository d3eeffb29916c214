//! `pontoon node`: ls, inspect, drain, activate, rm.

use super::client::path;
use super::exit::Failure;
use super::output::{Session, listing, table};
use super::values::{list, short, utc};
use operation::node::{Availability, Node, NodeDetails, NodeUpdate};
use words::Name;

/// Nodes of the cluster.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List nodes, with what each has on networks of global scope
    Ls,
    /// Show a node, with its endpoints on networks of global scope
    Inspect {
        /// The node
        node: Name,
    },
    /// Have a node take no new endpoints on networks of global scope; what it has stays
    Drain {
        /// The node
        node: Name,
    },
    /// Have a node that was drained take new endpoints again
    Activate {
        /// The node
        node: Name,
    },
    /// Take away what a node has that never comes back: addresses, endpoints, entries
    Rm {
        /// The node
        node: Name,
    },
}

impl Command {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Ls => {
                let reply = session.client.get("/nodes").await?;
                session.answer(&reply, |nodes: Vec<Node>| rows(&nodes))
            }
            Self::Inspect { node } => {
                let reply = session.client.get(&path(&["nodes", node.as_str()])).await?;
                session.answer(&reply, |details| show(&details))
            }
            Self::Drain { node } => update(session, &node, Availability::Drain).await,
            Self::Activate { node } => update(session, &node, Availability::Active).await,
            Self::Rm { node } => {
                let reply = session.client.delete(&path(&["nodes", node.as_str()])).await?;
                session.done(&reply, "")
            }
        }
    }
}

async fn update(session: &mut Session<'_>, node: &Name, availability: Availability) -> Result<(), Failure> {
    let reply = session.client.put(&path(&["nodes", node.as_str()]), &NodeUpdate { availability }).await?;
    session.done(&reply, "")
}

fn show(details: &NodeDetails) -> String {
    let NodeDetails { node, lease, attached } = details;
    let mut text = listing([
        ("NAME", node.name.to_string()),
        ("ADDRESS", address(node)),
        ("SINCE", node.since.map(utc).unwrap_or_default()),
        ("AVAILABILITY", availability(node).to_owned()),
        ("LEASE", lease.clone().unwrap_or_default()),
        ("ENTRIES", node.entries.to_string()),
        ("LAG", lag(node)),
    ]);
    let rows = attached.iter().flat_map(|network| {
        let name = network.name.as_ref().map_or_else(|| short(network.id.as_str()), Name::to_string);
        network
            .endpoints
            .iter()
            .map(move |one| [name.clone(), one.name.to_string(), short(one.id.as_str()), list(&one.addresses)])
    });
    text.push_str(&format!("\n{}", table(["NETWORK", "ENDPOINT", "ID", "ADDRESSES"], rows)));
    text
}

fn address(node: &Node) -> String {
    node.address.map_or_else(|| "(gone)".to_owned(), |address| address.to_string())
}

/// Only the host that answers knows its own.
fn lag(node: &Node) -> String {
    node.lag.map(|lag| lag.to_string()).unwrap_or_default()
}

fn availability(node: &Node) -> &'static str {
    match node.availability {
        Availability::Active => "active",
        Availability::Drain => "drain",
    }
}

fn rows(nodes: &[Node]) -> String {
    let rows = nodes.iter().map(|node| {
        let name = if node.here { format!("{} (here)", node.name) } else { node.name.to_string() };
        let since = node.since.map(utc).unwrap_or_default();
        let [networks, endpoints, entries] = [node.networks, node.endpoints, node.entries].map(|n| n.to_string());
        [name, address(node), since, availability(node).to_owned(), networks, endpoints, entries, lag(node)]
    });
    table(["NAME", "ADDRESS", "SINCE", "AVAILABILITY", "NETWORKS", "ENDPOINTS", "ENTRIES", "LAG"], rows)
}
