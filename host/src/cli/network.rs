//! `pontoon network`: create, ls, inspect, rm.

use super::client::path;
use super::exit::Failure;
use super::output::{Session, listing, table};
use super::pools::Pools;
use super::values::{lines, list, pair, short, unique, utc};
use super::{endpoint, table as entries, trace};
use operation::driver::Scope;
use operation::network::{CreateNetwork, CreatedNetwork, Network, NetworkDetails, Pool, PoolUsage, Removed};
use operation::node::{Peer, PeerEndpoint};
use words::{Error, Name};

/// Networks.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a network and print its id
    Create(Create),
    /// List networks
    Ls,
    /// Show a network and its endpoints
    Inspect {
        /// The network: its name, its id or the start of its id
        #[arg(value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        network: String,
        /// Also its table entries, explained by the driver, of global scope by node, and what the kernel has of it
        #[arg(long)]
        verbose: bool,
    },
    /// Remove networks without endpoints
    Rm {
        /// The networks: names, ids or starts of ids
        #[arg(required = true, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        networks: Vec<String>,
        /// Print what the driver was called for
        #[arg(long)]
        trace: bool,
    },
}

/// Creates a network.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its name
    name: Name,
    /// The driver that serves it
    #[arg(short, long, default_value = "bridge")]
    driver: Name,
    #[command(flatten)]
    pools: Pools,
    /// IPv6 addresses; without an IPv6 subnet it gets a free one
    #[arg(long)]
    ipv6: bool,
    /// No IPv4 addresses
    #[arg(long)]
    no_ipv4: bool,
    /// No way out
    #[arg(long)]
    internal: bool,
    /// No address pools: the driver chooses addresses
    #[arg(long, conflicts_with = "addresses")]
    no_pools: bool,
    /// The driver that gives pools and addresses [default: Pontoon's own]
    #[arg(long, value_name = "DRIVER", conflicts_with = "no_pools")]
    ipam: Option<Name>,
    /// Where it is: on this host, or on all hosts of its cluster ([cluster] in the configuration) [default: local]
    #[arg(long, value_enum, value_name = "SCOPE", conflicts_with = "ipam")]
    scope: Option<Where>,
    /// An option for that driver (repeatable)
    #[arg(long = "ipam-opt", value_name = "KEY=VALUE", value_parser = pair, requires = "ipam")]
    ipam_options: Vec<(String, String)>,
    /// A label for the driver (repeatable)
    #[arg(short, long = "opt", value_name = "KEY=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// Print what the driver was called for
    #[arg(long)]
    trace: bool,
}

/// A scope, as a word of the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Where {
    Local,
    Global,
}

impl From<Where> for Scope {
    fn from(place: Where) -> Self {
        match place {
            Where::Local => Self::Local,
            Where::Global => Self::Global,
        }
    }
}

impl Command {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::Ls => {
                let reply = session.client.get("/networks").await?;
                session.answer(&reply, |networks: Vec<Network>| rows(&networks))
            }
            Self::Inspect { network, verbose } => {
                let query = if verbose { "?verbose=true" } else { "" };
                let reply = session.client.get(&format!("{}{query}", path(&["networks", &network]))).await?;
                session.answer(&reply, |details| show(&details))
            }
            Self::Rm { networks, trace } => {
                for network in networks {
                    let reply = session.client.delete(&path(&["networks", &network])).await;
                    removed(&network, reply, trace, session)?;
                }
                Ok(())
            }
        }
    }
}

impl Create {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let trace = self.trace;
        let reply = session.client.post("/networks", &self.request()?).await?;
        session.answer(&reply, |created: CreatedNetwork| match trace {
            true => format!("{}\n{}", created.network.id, trace::show(&created.calls)),
            false => created.network.id.to_string(),
        })
    }

    fn request(self) -> Result<CreateNetwork, Error> {
        Ok(CreateNetwork {
            name: self.name,
            driver: self.driver,
            pools: self.pools.requests()?,
            ipv4: !self.no_ipv4,
            ipv6: self.ipv6,
            internal: self.internal,
            no_pools: self.no_pools,
            ipam: self.ipam,
            scope: self.scope.map(Scope::from),
            ipam_options: unique(self.ipam_options)?,
            options: unique(self.options)?,
        })
    }
}

/// Prints the end of a network or endpoint, or why it is still there.
pub fn removed(
    name: &str,
    reply: Result<super::client::Reply, Failure>,
    trace: bool,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => {
            session.fail(&failure);
            return Ok(());
        }
    };
    if let Some(why) = reply.read::<Removed>()?.failed {
        session.note(&format!("{name}: its driver failed to remove it, and the host did: {why}"));
    }
    session.answer(&reply, |removed: Removed| {
        let name = super::output::clean(name);
        match trace {
            true => format!("{name}\n{}{}", trace::show(&removed.calls), swept(&removed.swept)),
            false => name,
        }
    })
}

/// What the driver left to the host, on one line: it may be hundreds of rules. That is no fault, so only `--trace` shows it.
fn swept(things: &[String]) -> String {
    const SHOWN: usize = 3;
    let first = super::output::clean(&list(things.iter().take(SHOWN)));
    match things.len() {
        0 => String::new(),
        n if n <= SHOWN => format!("removed by the host: {first}\n"),
        n => format!("removed by the host: {first} and {} more\n", n - SHOWN),
    }
}

fn rows(networks: &[Network]) -> String {
    let rows = networks.iter().map(|n| {
        let pools = list(n.pools.iter().map(|pool| pool.subnet));
        let (id, endpoints) = (short(n.id.as_str()), n.endpoints.to_string());
        let origin = n.origin.engine().to_owned();
        [id, n.name.to_string(), n.driver.to_string(), origin, pools, endpoints, n.state.clone()]
    });
    table(["ID", "NAME", "DRIVER", "ORIGIN", "SUBNETS", "ENDPOINTS", "STATE"], rows)
}

fn show(details: &NetworkDetails) -> String {
    let network = &details.network;
    let families = [(network.ipv4, "IPv4"), (network.ipv6, "IPv6")];
    let pools: Vec<_> = network.pools.iter().map(pool).collect();
    let mut text = listing([
        ("NAME", network.name.to_string()),
        ("ID", network.id.to_string()),
        ("DRIVER", network.driver.to_string()),
        ("ORIGIN", network.origin.to_string()),
        ("SCOPE", if network.scope == Scope::Global { "global" } else { "local" }.to_owned()),
        ("STATE", network.state.clone()),
        ("CREATED", utc(network.created)),
        ("ADDRESSES", list(families.iter().filter(|(on, _)| *on).map(|(_, name)| name))),
        ("INTERNAL", if network.internal { "yes" } else { "no" }.to_owned()),
        ("POOLS", pools.join("\n")),
        ("IPAM", network.ipam.as_ref().map_or("Pontoon's own, or its engine's".to_owned(), Name::to_string)),
        ("IN USE", details.usage.iter().map(usage).collect::<Vec<_>>().join("\n")),
        ("OPTIONS", lines(&network.options)),
    ]);
    text.push_str(&format!("\n{}", endpoint::rows(&details.attached)));
    if let Some(peers) = &details.peers {
        let rows = peers.iter().flat_map(|peer| peer.endpoints.iter().map(move |endpoint| row(peer, endpoint)));
        text.push_str(&format!("\n{}", table(["NODE", "ADDRESS", "ENDPOINT", "ADDRESSES", "DETAILS"], rows)));
    }
    if let Some(found) = &details.entries {
        text.push_str(&format!("\n{}", entries::rows(found)));
    }
    if let Some(objects) = &details.objects {
        text.push_str(&format!("\n{}", table(["KERNEL OBJECT"], objects.iter().map(|object| [object.clone()]))));
    }
    text
}

fn row(peer: &Peer, endpoint: &PeerEndpoint) -> [String; 5] {
    let node = if peer.here { format!("{} (here)", peer.node) } else { peer.node.to_string() };
    let address = peer.address.map_or_else(|| "(gone)".to_owned(), |address| address.to_string());
    let details = list(endpoint.details.iter().map(|(key, value)| format!("{key}={value}")));
    [node, address, endpoint.name.to_string(), list(&endpoint.addresses), details]
}

fn usage(usage: &PoolUsage) -> String {
    format!("{}: {} in use, {} available", usage.subnet, usage.in_use, usage.available)
}

fn pool(pool: &Pool) -> String {
    let range = pool.range.map(|range| format!("range {range}"));
    let gateway = pool.gateway.map(|gateway| format!("gateway {gateway}"));
    let reserved = pool.aux_addresses.iter().map(|(name, address)| format!("{name} {address}"));
    list([pool.subnet.to_string()].into_iter().chain(range).chain(gateway).chain(reserved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_swept_is_one_line() {
        let things = |n: usize| (1..=n).map(|i| format!("rule {i}")).collect::<Vec<_>>();
        assert_eq!(swept(&things(0)), "");
        assert_eq!(swept(&things(3)), "removed by the host: rule 1, rule 2, rule 3\n");
        assert_eq!(swept(&things(9)), "removed by the host: rule 1, rule 2, rule 3 and 6 more\n");
    }
}
