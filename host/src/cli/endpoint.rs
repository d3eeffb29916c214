//! `pontoon endpoint`: attach, detach, ls.

use std::net::{Ipv4Addr, Ipv6Addr};

use clap::builder::NonEmptyStringValueParser;

use super::client::path;
use super::exit::Failure;
use super::network::removed;
use super::output::{Session, table};
use super::values::{list, namespace, pair, short, unique};
use super::{publish, trace};
use operation::endpoint::{Attach, Attached, Endpoint, PortBinding};
use words::{Error, Name};
use words::{LinkName, MacAddress};

/// Endpoints.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Attach a network namespace to a network
    Attach(Box<AttachArguments>),
    /// Detach an endpoint
    #[command(override_usage = "pontoon endpoint detach [OPTIONS] [NETWORK] ENDPOINT")]
    Detach {
        /// The network, which may be left out where only one endpoint fits; the endpoint: its id, name or namespace
        #[arg(num_args = 1..=2, required = true, value_name = "ENDPOINT", value_parser = NonEmptyStringValueParser::new())]
        which: Vec<String>,
        /// Print what the driver was called for
        #[arg(long)]
        trace: bool,
    },
    /// List endpoints
    Ls {
        /// Of this network only
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        network: Option<String>,
    },
}

/// Attaches a network namespace.
#[derive(Debug, clap::Args)]
pub struct AttachArguments {
    /// The network: its name, its id or the start of its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// The namespace: a path, or a name under /run/netns
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    namespace: String,
    /// A name for the endpoint [default: the namespace's last part]
    #[arg(long)]
    name: Option<Name>,
    /// This IPv4 address [default: a free one]
    #[arg(long, value_name = "IP")]
    ip: Option<Ipv4Addr>,
    /// This IPv6 address [default: a free one]
    #[arg(long, value_name = "IP")]
    ip6: Option<Ipv6Addr>,
    /// This MAC address [default: the driver's choice]
    #[arg(long, value_name = "MAC")]
    mac_address: Option<MacAddress>,
    /// The interface's name in the namespace [default: the driver's prefix and a number]
    #[arg(long, value_name = "NAME", value_parser = LinkName::new)]
    interface: Option<LinkName>,
    /// Of a namespace's endpoints, the one with the highest number is its gateway; of equal ones, the one that came first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    gateway_priority: i32,
    /// Publish a port on the host (repeatable): [HOSTIP:][HOSTPORT[-END]:]CONTAINERPORT[-END][/tcp|udp|sctp],
    /// an IPv6 HOSTIP in brackets
    #[arg(short, long, value_name = "PORT", value_parser = publish::parse)]
    publish: Vec<PortBinding>,
    /// A label for the driver (repeatable)
    #[arg(short, long = "opt", value_name = "KEY=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// Print what the driver was called for
    #[arg(long)]
    trace: bool,
}

impl Command {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Attach(attach) => attach.run(session).await,
            Self::Detach { which, trace } => detach(&which, trace, session).await,
            Self::Ls { network } => {
                let path = match network {
                    Some(network) => path(&["networks", &network, "endpoints"]),
                    None => path(&["endpoints"]),
                };
                let reply = session.client.get(&path).await?;
                session.answer(&reply, |endpoints: Vec<Endpoint>| rows(&endpoints))
            }
        }
    }
}

impl AttachArguments {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let trace = self.trace;
        let path = path(&["networks", &self.network, "endpoints"]);
        let reply = session.client.post(&path, &self.request()?).await?;
        let mut warnings = Vec::new();
        session.answer(&reply, |attached: Attached| {
            warnings = attached.warnings;
            match trace {
                true => format!("{}\n{}", summary(&attached.endpoint), trace::show(&attached.calls)),
                false => summary(&attached.endpoint),
            }
        })?;
        warnings.iter().for_each(|warning| session.note(&format!("WARNING: {warning}")));
        Ok(())
    }

    fn request(self) -> Result<Attach, Error> {
        Ok(Attach {
            namespace: namespace(&self.namespace)?,
            name: self.name,
            address: self.ip,
            address_ipv6: self.ip6,
            mac_address: self.mac_address,
            interface: self.interface,
            gateway_priority: self.gateway_priority,
            ports: self.publish,
            options: unique(self.options)?,
        })
    }
}

async fn detach(which: &[String], trace: bool, session: &mut Session<'_>) -> Result<(), Failure> {
    let Some(name) = which.last() else { return Err(Failure::usage("which endpoint?")) };
    let endpoint = namespace(name)?;
    let path = match which {
        [network, _] => path(&["networks", network, "endpoints", &endpoint]),
        _ => path(&["endpoints", &endpoint]),
    };
    let reply = session.client.delete(&path).await;
    removed(name, reply, trace, session)
}

fn summary(endpoint: &Endpoint) -> String {
    let interface = endpoint.interface.clone().unwrap_or_else(|| "-".to_owned());
    let gateways =
        list(endpoint.gateway.map(|g| g.to_string()).into_iter().chain(endpoint.gateway_ipv6.map(|g| g.to_string())));
    table(
        ["NAME", "INTERFACE", "ADDRESSES", "GATEWAYS", "PORTS"],
        [[endpoint.name.to_string(), interface, addresses(endpoint), gateways, ports(endpoint)]],
    )
}

/// Endpoints as a table.
pub fn rows(endpoints: &[Endpoint]) -> String {
    let rows = endpoints.iter().map(|e| {
        let namespace = e.namespace.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        let interface = e.interface.clone().unwrap_or_else(|| "-".to_owned());
        let (id, name, network) = (short(e.id.as_str()), e.name.to_string(), e.network.to_string());
        [id, name, network, namespace, interface, addresses(e), ports(e)]
    });
    table(["ID", "NAME", "NETWORK", "NAMESPACE", "INTERFACE", "ADDRESSES", "PORTS"], rows)
}

fn addresses(endpoint: &Endpoint) -> String {
    let ipv4 = endpoint.address.map(|a| a.to_string());
    list(ipv4.into_iter().chain(endpoint.address_ipv6.map(|a| a.to_string())))
}

fn ports(endpoint: &Endpoint) -> String {
    list(endpoint.ports.iter().map(publish::show))
}
