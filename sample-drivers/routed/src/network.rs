//! A network: its subnets here and on other hosts, and what its containers may begin.

use std::net::IpAddr;

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link};
use pontoon_sdk::nftables::{self, Chain, ConnectionStates, Property, Rule, RuleId, Verdict};
use pontoon_sdk::routes::{self, NextHop, Path, PathName, Way};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Context, Error, IpamData, NetworkOptions, Result};
use serde::{Deserialize, Serialize};

const POLICY: &str = "routed.policy";
const PARENT: &str = "routed.parent";
const PEERS: &str = "routed.peers";
const ANSWER: &str = "routed.answer";
const MTU: &str = "com.docker.network.driver.mtu";

/// What is remembered of a network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    pub pools: Vec<IpNet>,
    /// Its containers begin nothing with those of others, nor these with them.
    closed: bool,
    parent: Option<String>,
    /// Its subnets on other hosts.
    peers: Vec<IpNet>,
    /// The host answers for its containers on the parent.
    pub answers: bool,
    /// Nothing leaves it.
    pub internal: bool,
    pub mtu: Option<u32>,
    rules: Vec<u64>,
}

impl Network {
    pub(crate) fn find(network: &str) -> Result<Self> {
        Self::key(network).get()?.ok_or_else(|| Error::not_found(format!("no network {network}")))
    }

    fn key(network: &str) -> Key<Self> {
        Key::new(format!("network/{network}"))
    }

    pub(crate) fn create(network: &str, options: &NetworkOptions, pools: &[&[IpamData]]) -> Result<()> {
        let key = Self::key(network);
        if key.get()?.is_some() {
            return Err(Error::already_exists(format!("network {network} is there already")));
        }
        let label = |name: &str| options.generic.get(name).filter(|text| !text.is_empty());
        let closed = match label(POLICY) {
            None | Some("networks") => true,
            Some("open") => false,
            Some(other) => {
                return Err(Error::invalid_argument(format!("{POLICY}=\"{other}\": it is networks or open")));
            }
        };
        let peers = label(PEERS).map(peers).transpose()?.unwrap_or_default();
        let mut made = Self {
            pools: pools.iter().flat_map(|all| all.iter()).filter_map(|data| Some(data.pool?.trunc())).collect(),
            closed,
            parent: label(PARENT).map(str::to_owned),
            peers: peers.iter().map(|(subnet, _)| *subnet).collect(),
            answers: options.generic.parse(ANSWER)?.unwrap_or(false),
            internal: options.internal,
            mtu: options.generic.parse(MTU)?,
            rules: Vec::new(),
        };
        if made.answers || !peers.is_empty() {
            let parent = made.parent_link()?;
            lead(&parent, &peers).context(PEERS)?;
        }
        made.rules = made.keep_apart()?.into_iter().map(|id| id.0).collect();
        key.set(&made)
    }

    pub(crate) fn delete(network: &str) -> Result<()> {
        let Some(old) = Self::key(network).take()? else { return Ok(()) };
        let mut names: Vec<_> = old.peers.iter().map(|subnet| name(*subnet)).collect();
        names.dedup();
        if !names.is_empty() {
            routes::remove_paths(None, &names)?;
        }
        if old.rules.is_empty() {
            return Ok(());
        }
        nftables::remove(&old.rules.into_iter().map(RuleId).collect::<Vec<_>>())
    }

    /// The link by which other hosts are reached.
    pub(crate) fn parent_link(&self) -> Result<Link> {
        let Some(parent) = &self.parent else {
            return Err(Error::invalid_argument(format!(
                "{PEERS} and {ANSWER} go by a link of the host's: {PARENT}=LINK"
            )));
        };
        links::get(None, parent).context(format!("{PARENT}=\"{parent}\""))
    }

    /// Rules against connections with each other network, in both directions. A network that is made later has its own.
    fn keep_apart(&self) -> Result<Vec<RuleId>> {
        let mut rules = Vec::new();
        for (_, other) in store::list::<Self>("network/")?.iter().filter(|(_, other)| self.closed || other.closed) {
            let pairs = self.pools.iter().flat_map(|own| other.pools.iter().map(move |far| (*own, *far)));
            for (own, far) in pairs.filter(|(own, far)| own.addr().is_ipv4() == far.addr().is_ipv4()) {
                rules.extend([(own, far), (far, own)].map(|(from, to)| {
                    Rule::new(Chain::FORWARD, Verdict::Drop)
                        .when(Property::Source(from))
                        .when(Property::Destination(to))
                        .when(Property::Connection(ConnectionStates { new: true, ..ConnectionStates::default() }))
                }));
            }
        }
        if rules.is_empty() { Ok(Vec::new()) } else { nftables::add(None, &rules) }
    }
}

fn name(destination: IpNet) -> PathName {
    PathName { destination, table: None, metric: None }
}

/// `SUBNET=HOST,SUBNET=HOST`, sorted by subnet.
fn peers(text: &str) -> Result<Vec<(IpNet, IpAddr)>> {
    let one = |part: &str| {
        let pair =
            part.split_once('=').and_then(|(net, host)| Some((net.trim().parse().ok()?, host.trim().parse().ok()?)));
        let pair: Option<(IpNet, IpAddr)> = pair;
        pair.map(|(net, host)| (net.trunc(), host)).ok_or_else(|| {
            Error::invalid_argument(format!("{PEERS}: \"{part}\" is no SUBNET=HOST such as 10.6.0.0/24=192.0.2.12"))
        })
    };
    let mut all = text.split(',').map(one).collect::<Result<Vec<_>>>()?;
    all.sort_unstable();
    Ok(all)
}

/// A path for each subnet, by all hosts that are named for it.
fn lead(parent: &Link, peers: &[(IpNet, IpAddr)]) -> Result<()> {
    let of_subnet = peers.chunk_by(|(one, _), (other, _)| one == other);
    let paths: Vec<Path> = of_subnet
        .map(|hosts| {
            let hops = hosts.iter().map(|(_, host)| NextHop::by(parent, *host)).collect();
            Path::new(hosts[0].0, Way::NextHops(hops))
        })
        .collect();
    if paths.is_empty() { Ok(()) } else { routes::add_paths(None, &paths) }
}
