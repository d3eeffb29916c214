//! The subnets of networks. No two overlap, so one look into an index tells whether a new one does, with ten networks
//! or ten thousand.

use ipnet::IpNet;
use rusqlite::Connection;

use super::Store;
use super::batch::Durability;
use super::error::Error;
use super::query::{Result, all, one, run};
use super::span::Span;
use words::Id;

/// How many candidates are looked at for a free subnet: more than a /8 has /24s.
const MAX_CANDIDATES: usize = 1 << 17;

impl Store {
    /// Gives a network these subnets and takes back what it had; the network itself can be put later. `Exists`: one
    /// overlaps with another network's. `Invalid`: they overlap with each other.
    pub fn claim_pools(&self, network: &Id, pools: &[IpNet]) -> super::Result<()> {
        self.write(Durability::Process, |c| replace(c, network, pools))
    }

    /// Refuses a subnet that can't be claimed, as [`Store::claim_pools`] would.
    pub fn check_pool(&self, network: &Id, subnet: &IpNet) -> super::Result<()> {
        self.read(|c| check(c, network, subnet).map(drop))
    }

    /// The claimed subnets that share an address with one, at most so many.
    pub fn claimed(&self, with: &IpNet, most: usize) -> super::Result<Vec<IpNet>> {
        let span = Span::of(with);
        let sql = "SELECT subnet FROM pools WHERE family = ?1 AND first <= ?2 AND last >= ?3 ORDER BY first LIMIT ?4";
        let key = (span.family, span.blob(span.last), span.blob(span.first), i64::try_from(most).unwrap_or(i64::MAX));
        let found = self.read(|c| all(c, sql, key, |row| Ok(row.get::<_, String>(0)?)))?;
        Ok(found.iter().filter_map(|subnet| subnet.parse().ok()).collect())
    }

    /// The first candidate that overlaps with no claimed subnet. Somebody else may claim it first: on `Exists` ask
    /// again.
    pub fn free_pool(&self, candidates: impl IntoIterator<Item = IpNet>) -> super::Result<IpNet> {
        self.read(|c| {
            for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
                if overlap(c, &Span::of(&candidate))?.is_none() {
                    return Ok(candidate);
                }
            }
            Err(Error::Exhausted("no subnet is free: name one, or remove a network".to_owned()).into())
        })
    }
}

/// The network and subnet that share an address with the span.
fn overlap(c: &Connection, span: &Span) -> Result<Option<(String, String)>> {
    let sql = "SELECT network, subnet, last FROM pools WHERE family = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1";
    let before = one(c, sql, (span.family, span.blob(span.last)), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
    })?;
    Ok(before.filter(|(_, _, last)| *last >= span.blob(span.first)).map(|(network, subnet, _)| (network, subnet)))
}

pub(super) fn replace(c: &Connection, network: &Id, pools: &[IpNet]) -> Result<()> {
    run(c, "DELETE FROM pools WHERE network = ?1", [network.as_str()])?;
    for subnet in pools {
        claim(c, network, &subnet.trunc())?;
    }
    let sql = "DELETE FROM cursors WHERE network = ?1 AND NOT EXISTS
               (SELECT 1 FROM pools p WHERE p.network = ?1 AND p.family = cursors.family AND p.first = cursors.pool)";
    run(c, sql, [network.as_str()])?;
    Ok(())
}

fn check(c: &Connection, network: &Id, subnet: &IpNet) -> Result<Span> {
    let span = Span::of(subnet);
    if let Some((other, other_subnet)) = overlap(c, &span)? {
        return Err(if other == network.as_str() {
            Error::Invalid(format!("{subnet} and {other_subnet} overlap"))
        } else {
            Error::Exists(format!("{subnet} overlaps with {other_subnet}{}", whose(c, &other, &other_subnet)?))
        }
        .into());
    }
    Ok(span)
}

/// The network that has a subnet, by a name that is in its list: of a pool that an engine took, the one that it made with it.
fn whose(c: &Connection, owner: &str, subnet: &str) -> Result<String> {
    let sql = "SELECT name FROM networks WHERE id = ?1 OR EXISTS
               (SELECT 1 FROM json_each(record, '$.pools') WHERE json_extract(value, '$.subnet') = ?2) LIMIT 1";
    if let Some(name) = one(c, sql, [owner, subnet], |row| Ok(row.get::<_, String>(0)?))? {
        return Ok(format!(" of network {name:?}"));
    }
    let taken = one(c, "SELECT id FROM taken_pools WHERE id = ?1", [owner], |row| Ok(row.get::<_, String>(0)?))?;
    Ok(match taken {
        Some(_) => ", which a container engine took for a network that is not there: if it does not make it, `pontoon gc` gives it back",
        None => " of a network that is being made",
    }
    .into())
}

fn claim(c: &Connection, network: &Id, subnet: &IpNet) -> Result<()> {
    let span = check(c, network, subnet)?;
    let sql = "INSERT INTO pools (family, first, last, network, subnet) VALUES (?1, ?2, ?3, ?4, ?5)";
    run(c, sql, (span.family, span.blob(span.first), span.blob(span.last), network.as_str(), subnet.to_string()))?;
    Ok(())
}
