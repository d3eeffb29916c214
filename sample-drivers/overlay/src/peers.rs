//! Who is where: the table that all hosts see, and the kernel's entries that follow from it.
//!
//! Two may say that they have the same address or MAC, for a while: a container moves, and the new host is heard before the old one is silent. All
//! that say so are kept, this host's own containers too. The last one that was heard counts, and when it goes the one before it does again.

use std::fmt;
use std::net::IpAddr;

use pontoon_sdk::links::{self, Link};
use pontoon_sdk::neighbours::{self, ForwardingEntry, Neighbour};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Error, MacAddress, Result};
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// The table: for each endpoint that has joined, its id and where it is.
pub(crate) const TABLE: &str = "peers";

/// A container, and the host that it is on. In the table as text: `MAC HOST ADDRESS…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub mac_address: MacAddress,
    /// The host, by its address on the underlay.
    pub host: IpAddr,
    pub addresses: Vec<IpAddr>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mac_address, self.host)?;
        self.addresses.iter().try_for_each(|address| write!(f, " {address}"))
    }
}

impl Peer {
    /// What an entry says.
    pub(crate) fn read(value: &[u8]) -> Result<Self> {
        let read = || {
            let mut words = std::str::from_utf8(value).ok()?.split(' ');
            let (mac_address, host) = (words.next()?.parse::<MacAddress>().ok()?, words.next()?.parse().ok()?);
            let addresses: Vec<_> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
            // A container has one address of a family, and a MAC of its own.
            let is_good = addresses.len() <= 2 && mac_address.0[0] & 1 == 0 && mac_address != MacAddress::default();
            is_good.then_some(Self { mac_address, host, addresses })
        };
        read().ok_or_else(|| Error::invalid_argument("it is no MAC, host and addresses"))
    }

    /// All that it says it has.
    fn things(&self) -> impl Iterator<Item = Thing> {
        let addresses = self.addresses.iter().map(|address| Thing::Address(*address));
        addresses.chain([Thing::Mac(self.mac_address)])
    }
}

/// What one container has, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Address(IpAddr),
    Mac(MacAddress),
}

/// Somebody who says that he has it: the entry's key, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim(String, MacAddress, IpAddr);

impl Thing {
    fn key(self, network: &str) -> Key<Vec<Claim>> {
        let what = match self {
            Self::Address(address) => address.to_string(),
            Self::Mac(mac_address) => mac_address.to_string(),
        };
        Key::new(format!("at/{network}/{what}"))
    }
}

/// What the kernel is to have of a thing, or no more.
struct Entry {
    thing: Thing,
    mac_address: MacAddress,
    host: IpAddr,
    is_there: bool,
}

/// An entry of the table says something else now, or nothing any more. Saying the same again changes nothing.
pub(crate) fn change(of: &Network, network: &str, key: &str, before: Option<&Peer>, now: Option<&Peer>) -> Result<()> {
    let has = |peer: Option<&Peer>, thing: Thing| peer.is_some_and(|peer| peer.things().any(|other| other == thing));
    let gone = before.into_iter().flat_map(Peer::things).filter(|thing| !has(now, *thing));
    let mut entries = Vec::new();
    for thing in gone.chain(now.into_iter().flat_map(Peer::things)) {
        let new = now.filter(|_| has(now, thing)).map(|peer| Claim(key.to_owned(), peer.mac_address, peer.host));
        entries.extend(claim(of, network, thing, key, new)?);
    }
    if entries.is_empty() { Ok(()) } else { follow(&links::get(None, &of.vxlan)?, &entries) }
}

/// Takes a claim down, or back. Answers what the kernel has to follow.
fn claim(of: &Network, network: &str, thing: Thing, key: &str, new: Option<Claim>) -> Result<Option<Entry>> {
    let place = thing.key(network);
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
    // The containers of this host are found on the bridge.
    let elsewhere = |claims: &[Claim]| claims.last().filter(|claim| claim.2 != of.address).cloned();
    let entry = |Claim(_, mac_address, host), is_there| Entry { thing, mac_address, host, is_there };
    Ok(match elsewhere(&claims) {
        Some(claim) => Some(entry(claim, true)),
        None => elsewhere(&before).map(|claim| entry(claim, false)),
    })
}

/// Adds the kernel's entries, in the place of those that are there, or removes them.
fn follow(link: &Link, entries: &[Entry]) -> Result<()> {
    let near = |is_there: bool| -> Vec<_> {
        let some = entries.iter().filter(|entry| entry.is_there == is_there);
        let one = |entry: &Entry| match entry.thing {
            Thing::Address(address) => Some(Neighbour { link, address, mac_address: entry.mac_address }),
            Thing::Mac(_) => None,
        };
        some.filter_map(one).collect()
    };
    let far = |is_there: bool| -> Vec<_> {
        let some = entries.iter().filter(|entry| entry.is_there == is_there);
        let one = |entry: &Entry| match entry.thing {
            Thing::Mac(mac_address) => Some(ForwardingEntry { link, mac_address, remote: Some(entry.host) }),
            Thing::Address(_) => None,
        };
        some.filter_map(one).collect()
    };
    some(&near(false), neighbours::remove)?;
    some(&far(false), neighbours::remove_forwarding)?;
    some(&near(true), neighbours::add)?;
    some(&far(true), neighbours::add_forwarding)
}

/// Does it with these, if there are any.
fn some<T>(entries: &[T], call: impl FnOnce(&[T]) -> Result<()>) -> Result<()> {
    if entries.is_empty() { Ok(()) } else { call(entries) }
}
