//! `pontoon node`: ls, rm.

use super::client::path;
use super::exit::Failure;
use super::output::{Session, table};
use super::values::utc;
use operation::node::Node;
use words::Name;

/// Nodes of the cluster.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List nodes, with what each has on networks of global scope
    Ls,
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
            Self::Rm { node } => {
                let reply = session.client.delete(&path(&["nodes", node.as_str()])).await?;
                session.done(&reply, "")
            }
        }
    }
}

fn rows(nodes: &[Node]) -> String {
    let rows = nodes.iter().map(|node| {
        let name = if node.here { format!("{} (here)", node.name) } else { node.name.to_string() };
        let address = node.address.map_or_else(|| "(gone)".to_owned(), |address| address.to_string());
        let since = node.since.map(utc).unwrap_or_default();
        let [networks, endpoints, entries] = [node.networks, node.endpoints, node.entries].map(|n| n.to_string());
        [name, address, since, networks, endpoints, entries]
    });
    table(["NAME", "ADDRESS", "SINCE", "NETWORKS", "ENDPOINTS", "ENTRIES"], rows)
}
