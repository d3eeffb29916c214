//! A network on this host: the WireGuard link to the others, and the way out.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use pontoon_pair::{name, remove_link};
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkEnd, PublicKey};
use pontoon_sdk::nftables::Property::{Destination, InputLink, Source};
use pontoon_sdk::nftables::Verdict::{Drop, Masquerade};
use pontoon_sdk::nftables::{self, Chain, Rule, RuleId};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Context, Error, ErrorKind, IpamData, NetworkOptions, Result, forwarding};
use serde::{Deserialize, Serialize};

use crate::options::{self, Options};
use crate::peers::Peer;
use crate::unknown;

/// Records of others that go by one call, which may write 1,000 keys.
const RECORDS: usize = 450;
/// Ports that are tried where none is named.
const PORTS: usize = 8;

/// What is remembered of a network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    /// Where the other hosts reach this one.
    pub host: SocketAddr,
    /// This host's public key in the network.
    pub key: PublicKey,
    pub pools: Vec<IpNet>,
    /// Nothing leaves it, but to the other hosts' containers.
    pub internal: bool,
    /// Of the containers' links.
    pub mtu: u32,
    tunnel: String,
    rules: Vec<RuleId>,
}

impl Network {
    pub(crate) fn find(network: &str) -> Result<Self> {
        Self::key(network).get()?.ok_or_else(|| unknown("network", network))
    }

    fn key(network: &str) -> Key<Self> {
        Key::new(format!("network/{network}"))
    }

    pub(crate) fn create(network: &str, options: &NetworkOptions, pools: &[&[IpamData]]) -> Result<()> {
        if Self::key(network).get()?.is_some() {
            return Err(Error::already_exists(format!("network {network} is there already")));
        }
        let Options { address, port, mtu } = Options::read(options)?;
        let tunnel = name("wt-", network);
        let end = LinkEnd { mtu: Some(mtu), up: true, ..LinkEnd::named(&tunnel) };
        let (link, port) = add(&end, port)?;
        let mut new = Self {
            host: SocketAddr::new(address, port),
            key: link.public_key()?,
            pools: pools.iter().flat_map(|all| all.iter()).filter_map(|data| Some(data.pool?.trunc())).collect(),
            internal: options.internal,
            mtu,
            tunnel,
            rules: Vec::new(),
        };
        forwarding::allow(&link, new.has(true), new.has(false))?;
        new.rules = nftables::add(None, &new.rules(&link))?;
        Self::key(network).set(&new)
    }

    pub(crate) fn delete(network: &str) -> Result<()> {
        let Some(old) = Self::key(network).take()? else { return Ok(()) };
        nftables::remove(&old.rules)?;
        remove_link(&old.tunnel)?;
        // What is more than a call may list or write the host takes away with the network.
        for kind in ["at", "host"] {
            let records = store::list_bytes(&format!("{kind}/{network}/")).unwrap_or_default();
            records.iter().take(RECORDS).try_for_each(|(key, _)| store::remove(key))?;
        }
        Ok(())
    }

    /// The WireGuard link.
    pub(crate) fn link(&self) -> Result<Link> {
        links::get(None, &self.tunnel)
    }

    /// Another host's container, as an entry of the table says it; an error says why there can be none such.
    pub(crate) fn peer(&self, key: &str, value: &[u8]) -> Result<Peer> {
        let peer = Peer::read(value)?;
        if peer.key == self.key {
            return Err(Error::invalid_argument(format!("{key} would be on this host, {}", self.host)));
        }
        if !options::is_a_hosts(peer.host.ip()) || peer.host.port() == 0 {
            return Err(Error::invalid_argument(format!("{} is no host that can be sent to", peer.host)));
        }
        let is_foreign = |address: &&IpAddr| !self.pools.iter().any(|pool| pool.contains(*address));
        match peer.addresses.iter().find(is_foreign) {
            Some(address) => Err(Error::invalid_argument(format!("{address} is no container's of this network"))),
            None => Ok(peer),
        }
    }

    fn has(&self, ipv4: bool) -> bool {
        self.of_family(ipv4).next().is_some()
    }

    fn of_family(&self, ipv4: bool) -> impl Iterator<Item = IpNet> {
        self.pools.iter().copied().filter(move |pool| pool.addr().is_ipv4() == ipv4)
    }

    /// What comes from other hosts is for this network's containers only; what leaves it gets an address of this host.
    fn rules<'a>(&self, link: &'a Link) -> Vec<Rule<'a>> {
        let mut rules = Vec::new();
        for ipv4 in [true, false].into_iter().filter(|ipv4| self.has(*ipv4)) {
            let beyond = |rule: Rule<'a>| self.of_family(ipv4).fold(rule, |rule, pool| rule.unless(Destination(pool)));
            rules.push(beyond(Rule::new(Chain::FORWARD, Drop).when(InputLink(link))));
            for pool in self.of_family(ipv4) {
                let (chain, verdict) =
                    if self.internal { (Chain::FORWARD, Drop) } else { (Chain::NAT_POSTROUTING, Masquerade) };
                rules.push(beyond(Rule::new(chain, verdict).when(Source(pool))));
            }
        }
        rules
    }
}

/// Makes the link with this port, or the first one from WireGuard's usual one that is free on this host.
fn add(end: &LinkEnd, port: Option<u16>) -> Result<(Link, u16)> {
    let add =
        |port| links::add_wireguard(end, port).context(format!("{}={port}", options::PORT)).map(|link| (link, port));
    if let Some(port) = port {
        return add(port);
    }
    let others: BTreeSet<u16> =
        store::list::<Network>("network/")?.iter().map(|(_, other)| other.host.port()).collect();
    let mut free = (options::USUAL_PORT..).filter(|port| !others.contains(port)).take(PORTS);
    let first = free.next().map(add).ok_or_else(|| Error::unavailable("no port is free: name one"))?;
    // What is taken is no other network's, but some other program's.
    let is_taken = |added: &Result<_>| added.as_ref().is_err_and(|error| error.kind == ErrorKind::AlreadyExists);
    free.fold(first, |before, port| if is_taken(&before) { add(port) } else { before })
}
