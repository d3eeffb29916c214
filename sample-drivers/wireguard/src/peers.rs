//! Who is where: the table that all hosts see, and the peers and routes that follow from it.
//!
//! Two may say that they have the same address, for a while: a container moves, and the new host is heard before the old one is silent. All that say
//! so are kept. The last one that was heard counts, and when it goes the one before it does again. This host's own containers come before: the
//! routes to them have a better metric.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use pontoon_sdk::links::{self, Link, PublicKey};
use pontoon_sdk::routes::{self, Route};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// The table: for each endpoint that has joined, its id and where it is.
pub(crate) const TABLE: &str = "peers";
/// The routes to other hosts' containers go behind those to this host's, also IPv6's, which have 1024.
const METRIC: u32 = 2_048;

/// A container, and the host that it is on. In the table as text: `KEY HOST:PORT ADDRESS…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The host's public key.
    pub key: PublicKey,
    /// Where the host is reached.
    pub host: SocketAddr,
    pub addresses: BTreeSet<IpAddr>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.host)?;
        self.addresses.iter().try_for_each(|address| write!(f, " {address}"))
    }
}

impl Peer {
    /// What an entry says.
    pub(crate) fn read(value: &[u8]) -> Result<Self> {
        let read = || {
            let mut words = std::str::from_utf8(value).ok()?.split(' ');
            let (key, host) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let addresses: BTreeSet<_> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
            // A container has one address of a family.
            (addresses.len() <= 2).then_some(Self { key, host, addresses })
        };
        read().ok_or_else(|| Error::invalid_argument("it is no public key, host and addresses"))
    }
}

/// Somebody who says that a container of his has an address: the entry's key, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim(String, PublicKey, SocketAddr);

/// A host, and the addresses that count as behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Host {
    at: SocketAddr,
    addresses: BTreeSet<IpAddr>,
}

/// What one entry changes.
struct Changes<'a> {
    network: &'a str,
    hosts: BTreeMap<PublicKey, Host>,
    new_routes: Vec<IpAddr>,
    old_routes: Vec<IpAddr>,
}

/// An entry of the table says something else now, or nothing any more. Saying the same again changes nothing.
pub(crate) fn change(of: &Network, network: &str, key: &str, before: Option<&Peer>, now: Option<&Peer>) -> Result<()> {
    let mut changes = Changes { network, hosts: BTreeMap::new(), new_routes: Vec::new(), old_routes: Vec::new() };
    let all: BTreeSet<IpAddr> = [before, now].into_iter().flatten().flat_map(|peer| peer.addresses.clone()).collect();
    for address in all {
        let has = now.filter(|now| now.addresses.contains(&address));
        changes.claim(address, key, has.map(|now| Claim(key.to_owned(), now.key, now.host)))?;
    }
    if let Some(now) = now {
        // The host may be elsewhere by now.
        if let Some(host) = changes.host_there(now.key)? {
            host.at = now.host;
        }
    }
    changes.follow(&of.link()?)
}

impl Changes<'_> {
    /// Takes a claim to an address down, or back.
    fn claim(&mut self, address: IpAddr, key: &str, new: Option<Claim>) -> Result<()> {
        let place: Key<Vec<Claim>> = Key::new(format!("at/{}/{address}", self.network));
        let mut claims = place.get()?.unwrap_or_default();
        let before = claims.clone();
        if new.as_ref().is_none_or(|new| !claims.contains(new)) {
            claims.retain(|claim| claim.0 != key);
            claims.extend(new);
        }
        if claims.is_empty() {
            place.remove()?;
        } else if claims != before {
            place.set(&claims)?;
        }
        match (before.last(), claims.last()) {
            (None, Some(_)) => self.new_routes.push(address),
            (Some(_), None) => self.old_routes.push(address),
            _ => {}
        }
        if let Some(Claim(_, old, at)) = before.last() {
            self.host(*old, *at)?.addresses.remove(&address);
        }
        if let Some(Claim(_, new, at)) = claims.last() {
            self.host(*new, *at)?.addresses.insert(address);
        }
        Ok(())
    }

    fn place(&self, key: PublicKey) -> Key<Host> {
        Key::new(format!("host/{}/{}", self.network, key.to_string().replace('/', "_")))
    }

    fn host_there(&mut self, key: PublicKey) -> Result<Option<&mut Host>> {
        if !self.hosts.contains_key(&key)
            && let Some(known) = self.place(key).get()?
        {
            self.hosts.insert(key, known);
        }
        Ok(self.hosts.get_mut(&key))
    }

    fn host(&mut self, key: PublicKey, at: SocketAddr) -> Result<&mut Host> {
        self.host_there(key)?;
        Ok(self.hosts.entry(key).or_insert(Host { at, addresses: BTreeSet::new() }))
    }

    /// Has store and kernel follow.
    fn follow(self, link: &Link) -> Result<()> {
        let (mut peers, mut gone) = (Vec::new(), Vec::new());
        for (key, host) in &self.hosts {
            if host.addresses.is_empty() {
                self.place(*key).remove()?;
                gone.push(*key);
                continue;
            }
            self.place(*key).set(host)?;
            let allowed = host.addresses.iter().map(|address| (*address).into()).collect();
            peers.push(links::Peer { key: *key, endpoint: Some(host.at), allowed, keepalive: None });
        }
        let to = |address: &IpAddr| Route { metric: Some(METRIC), ..Route::new(link, (*address).into()) };
        some(&self.old_routes, |old| routes::remove(&old.iter().map(to).collect::<Vec<_>>()))?;
        some(&gone, |gone| link.remove_peers(gone))?;
        some(&peers, |peers| link.set_peers(peers))?;
        some(&self.new_routes, |new| routes::add(&new.iter().map(to).collect::<Vec<_>>()))
    }
}

/// Does it with these, if there are any.
fn some<T>(all: &[T], call: impl FnOnce(&[T]) -> Result<()>) -> Result<()> {
    if all.is_empty() { Ok(()) } else { call(all) }
}
