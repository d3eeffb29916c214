//! The addresses of pools. The next one is the first free after the one that was handed out last, so that an address
//! rests before it is used again (neighbours remember it) and finding one costs the same in a fresh pool and after ten
//! thousand.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rusqlite::{Connection, Row};

use super::batch::Durability;
use super::error::Error;
use super::query::{Result, all, one, run};
use super::record::{Lease, TakenPool};
use super::span::{self, Span};
use super::{ELSEWHERE, Store};
use operation::network::Pool;
use words::{Id, Name, now};

impl Store {
    /// Finds an address of a pool for an owner (an endpoint's id): the wanted one, which can be anywhere in the subnet,
    /// or the next free one in the pool's range. Gateway and auxiliary addresses are nobody's to take, nor are the
    /// subnet's own address and IPv4's broadcast. It is nobody's before [`Write::Lease`](super::Write::Lease).
    ///
    /// `Exists`: the wanted address is another owner's. `Invalid`: it can't be a host's in this subnet. `Exhausted`:
    /// none is free.
    pub fn find_address(
        &self,
        network: &Id,
        pool: &Pool,
        wanted: Option<IpAddr>,
        owner: &str,
    ) -> super::Result<IpAddr> {
        self.look(|c| match wanted {
            Some(address) => is_owners(c, network, pool, address, owner).map(|_| address),
            None => next(c, network, pool),
        })
    }

    /// The same of a pool that an engine took, for nobody whose name is known: each request is an owner of its own, so that no two get the
    /// same address. `gateway`: it will be a gateway's.
    pub fn take_address(&self, pool: &TakenPool, wanted: Option<IpAddr>, gateway: bool) -> super::Result<IpAddr> {
        let owner = Id::random().map_err(|e| Error::Invalid(e.message))?;
        self.write(Durability::Process, |c| take_of_pool(c, pool, wanted, owner.as_str(), gateway))
    }

    /// The addresses of a taken pool that no gateway has and that were taken until then (seconds since 1970-01-01T00:00:00Z), in order.
    pub fn leases_until(&self, pool: &Id, until: u64) -> super::Result<Vec<IpAddr>> {
        let sql = "SELECT family, address FROM leases WHERE network = ?1 AND gateway = 0 AND taken <= ?2
                   ORDER BY family, address";
        let key = (pool.as_str(), until.cast_signed());
        self.read(|c| {
            all(c, sql, key, |row| Ok(span::address(row.get(0)?, span::number_of(&row.get::<_, Vec<u8>>(1)?))))
        })
    }

    /// Whose an address of a network is: an endpoint's id, or another node's.
    pub fn owner_of_address(&self, network: &Id, address: IpAddr) -> super::Result<Option<String>> {
        let sql = "SELECT owner FROM leases WHERE network = ?1 AND family = ?2 AND address = ?3";
        let key = (network.as_str(), span::family(address), span::blob(address));
        self.look(|c| one(c, sql, key, |row| Ok(row.get(0)?)))
    }

    /// Frees an address. Ok if it is free.
    pub fn release_address(&self, network: &Id, address: IpAddr) -> super::Result<()> {
        self.write(Durability::Process, |c| release(c, network, address))
    }

    /// The network of the endpoint that has an address of a pool that an engine took.
    pub fn holder_of(&self, pool: &Id, address: IpAddr) -> super::Result<Option<Id>> {
        let sql = "SELECT e.network FROM leases l JOIN endpoints e ON e.id = l.owner
                   WHERE l.network = ?1 AND l.family = ?2 AND l.address = ?3";
        let key = (pool.as_str(), span::family(address), span::blob(address));
        let network = self.read(|c| one(c, sql, key, |row| Ok(row.get::<_, String>(0)?)))?;
        network.map(|id| Id::new(&id).map_err(|e| Error::Invalid(e.message))).transpose()
    }

    /// Frees all addresses of an owner in a network.
    pub fn release_owner(&self, network: &Id, owner: &str) -> super::Result<()> {
        self.write(Durability::Process, |c| release_owner(c, network, owner))
    }

    /// The addresses of a network that are taken, in order.
    pub fn leases(&self, network: &Id) -> super::Result<Vec<Lease>> {
        let sql = "SELECT address, owner, family, gateway, taken FROM leases WHERE network = ?1
                   ORDER BY family, address";
        self.read(|c| all(c, sql, [network.as_str()], lease))
    }

    /// Those of an owner.
    pub fn leases_of(&self, network: &Id, owner: &str) -> super::Result<Vec<Lease>> {
        let sql = "SELECT address, owner, family, gateway, taken FROM leases WHERE network = ?1 AND owner = ?2
                   ORDER BY family, address";
        self.read(|c| all(c, sql, [network.as_str(), owner], lease))
    }

    /// For the start, before any operation: frees pools without a network and addresses without an endpoint, which a
    /// killed operation left. How many.
    pub fn release_orphans(&self) -> super::Result<usize> {
        self.write(Durability::Process, |c| {
            let pools = run(
                c,
                "DELETE FROM pools WHERE network NOT IN (SELECT id FROM networks UNION SELECT id FROM taken_pools)",
                [],
            )?;
            let sql = "DELETE FROM leases WHERE NOT EXISTS
                       (SELECT 1 FROM endpoints e WHERE e.id = leases.owner AND e.network = leases.network)
                       AND network NOT IN (SELECT id FROM taken_pools)
                       AND NOT (owner LIKE 'node:%' AND network IN (SELECT id FROM networks))";
            let leases = run(c, sql, [])?;
            run(
                c,
                "DELETE FROM cursors WHERE network NOT IN (SELECT id FROM networks UNION SELECT id FROM taken_pools)",
                [],
            )?;
            Ok(pools + leases)
        })
    }
}

/// An address of a taken pool: see [`Store::take_address`]. Of an owner who has it already it is taken, too: each request is for another one.
pub(super) fn take_of_pool(
    c: &Connection,
    pool: &TakenPool,
    wanted: Option<IpAddr>,
    owner: &str,
    gateway: bool,
) -> Result<IpAddr> {
    let address = wanted.map_or_else(|| next(c, &pool.id, &pool.pool), Ok)?;
    if is_owners(c, &pool.id, &pool.pool, address, owner)? {
        return Err(Error::Exists(format!("{address} is taken already")).into());
    }
    take(c, &pool.id, &pool.pool, address, owner, wanted.is_none())?;
    if gateway {
        let sql = "UPDATE leases SET gateway = 1 WHERE network = ?1 AND owner = ?2 AND family = ?3 AND address = ?4";
        run(c, sql, (pool.id.as_str(), owner, span::family(address), span::blob(address)))?;
    }
    Ok(address)
}

fn lease(row: &Row<'_>) -> Result<Lease> {
    let address = span::address(row.get(2)?, span::number_of(&row.get::<_, Vec<u8>>(0)?));
    let taken = row.get::<_, i64>(4)?.cast_unsigned();
    Ok(Lease { address, owner: row.get(1)?, gateway: row.get(3)?, taken })
}

/// Takes this address; `next`: the next search goes on behind it.
pub(super) fn take(c: &Connection, network: &Id, pool: &Pool, address: IpAddr, owner: &str, next: bool) -> Result<()> {
    if next {
        set_cursor(c, network, &Span::of(&pool.subnet.trunc()), span::number(address))?;
    }
    if is_owners(c, network, pool, address, owner)? { Ok(()) } else { insert(c, network, address, owner) }
}

/// Whether an address is the owner's already; an error where it can't be.
fn is_owners(c: &Connection, network: &Id, pool: &Pool, address: IpAddr, owner: &str) -> Result<bool> {
    let subnet = pool.subnet.trunc();
    if !Span::of(&subnet).holds(address) {
        return Err(Error::Invalid(format!("{address} is not in {subnet}")).into());
    }
    if !Span::hosts(&subnet).holds(address) {
        return Err(Error::Invalid(format!("{address} is no host's address in {subnet}")).into());
    }
    if let Some(what) = reserved_as(pool, address) {
        return Err(Error::Exists(format!("{address} is {what} of {subnet}")).into());
    }
    let sql = "SELECT l.owner, e.name FROM leases l LEFT JOIN endpoints e ON e.id = l.owner AND e.network = l.network
               WHERE l.network = ?1 AND l.family = ?2 AND l.address = ?3";
    let key = (network.as_str(), span::family(address), span::blob(address));
    let holder = one(c, sql, key, |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
    match holder {
        Some((holder, name)) if holder != owner => {
            let whose = match name {
                Some(name) => format!("endpoint {name:?}"),
                None if holder.starts_with(ELSEWHERE) => format!("the node {}", &holder[ELSEWHERE.len()..]),
                None => whose(c, &subnet.to_string(), address)?,
            };
            Err(Error::Exists(format!("{address} is taken by {whose}")).into())
        }
        Some(_) => Ok(true),
        None => Ok(false),
    }
}

/// Who has an address of a pool that an engine took, by a name that is in a list.
fn whose(c: &Connection, subnet: &str, address: IpAddr) -> Result<String> {
    let sql = "SELECT e.name, n.name FROM networks n JOIN endpoints e ON e.network = n.id
               WHERE EXISTS (SELECT 1 FROM json_each(n.record, '$.pools') WHERE json_extract(value, '$.subnet') = ?1)
               AND (json_extract(e.record, '$.address') LIKE ?2 OR json_extract(e.record, '$.address_ipv6') LIKE ?2)";
    let key = (subnet, format!("{address}/%"));
    let found = one(c, sql, key, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    Ok(match found {
        Some((endpoint, network)) => format!("endpoint {endpoint:?} of network {network:?}"),
        None => {
            "a container engine for no endpoint that is there: if it has none with it, `pontoon gc` frees it".into()
        }
    })
}

/// The next free one.
fn next(c: &Connection, network: &Id, pool: &Pool) -> Result<IpAddr> {
    let subnet = pool.subnet.trunc();
    let whole = Span::of(&subnet);
    let mut choice = Span::hosts(&subnet);
    if let Some(range) = pool.range {
        let range = Span::of(&range);
        if range.family != whole.family || range.and(whole) != range {
            return Err(Error::Invalid(format!("the range {} is not in {subnet}", pool.range.unwrap_or(subnet))).into());
        }
        choice = choice.and(range);
    }
    let last = cursor(c, network, &whole)?.filter(|last| (choice.first..choice.last).contains(last));
    let start = last.map_or(choice.first, |last| last + 1);
    let free = match gap(c, network, pool, Span { first: start, ..choice })? {
        None if start > choice.first => gap(c, network, pool, Span { last: start - 1, ..choice })?,
        found => found,
    };
    let Some(free) = free else {
        return Err(Error::Exhausted(format!("no address is free in {}", pool.range.unwrap_or(subnet))).into());
    };
    Ok(span::address(whole.family, free))
}

/// The first address in the span that is neither taken nor reserved.
fn gap(c: &Connection, network: &Id, pool: &Pool, within: Span) -> Result<Option<u128>> {
    if within.first > within.last {
        return Ok(None);
    }
    let reserved: BTreeSet<u128> = reserved(pool).map(|(_, address)| span::number(address)).collect();
    let unreserved = |from: Option<u128>| from.and_then(|from| (from..=within.last).find(|n| !reserved.contains(n)));
    let sql = "SELECT address FROM leases
               WHERE network = ?1 AND family = ?2 AND address BETWEEN ?3 AND ?4 ORDER BY address";
    let mut statement = c.prepare_cached(sql)?;
    let (first, last) = (within.blob(within.first), within.blob(within.last));
    let mut rows = statement.query((network.as_str(), within.family, first, last))?;
    let mut free = unreserved(Some(within.first));
    while let (Some(candidate), Some(row)) = (free, rows.next()?) {
        let taken = span::number_of(&row.get::<_, Vec<u8>>(0)?);
        if taken > candidate {
            break;
        }
        if taken == candidate {
            free = unreserved(candidate.checked_add(1));
        }
    }
    Ok(free)
}

/// Addresses that are nobody's to take, with the words for them.
fn reserved(pool: &Pool) -> impl Iterator<Item = (String, IpAddr)> {
    let gateway = pool.gateway.map(|address| ("the gateway".to_owned(), address));
    let aux = pool.aux_addresses.iter().map(|(name, address)| (format!("the auxiliary address {name:?}"), *address));
    gateway.into_iter().chain(aux).filter(|(_, address)| span::family(*address) == span::family(pool.subnet.addr()))
}

fn reserved_as(pool: &Pool, address: IpAddr) -> Option<String> {
    reserved(pool).find(|(_, reserved)| *reserved == address).map(|(what, _)| what)
}

fn insert(c: &Connection, network: &Id, address: IpAddr, owner: &str) -> Result<()> {
    let sql = "INSERT INTO leases (network, family, address, owner, taken) VALUES (?1, ?2, ?3, ?4, ?5)";
    run(c, sql, (network.as_str(), span::family(address), span::blob(address), owner, now().cast_signed()))?;
    Ok(())
}

fn cursor(c: &Connection, network: &Id, pool: &Span) -> Result<Option<u128>> {
    let sql = "SELECT address FROM cursors WHERE network = ?1 AND family = ?2 AND pool = ?3";
    one(c, sql, (network.as_str(), pool.family, pool.blob(pool.first)), |row| {
        Ok(span::number_of(&row.get::<_, Vec<u8>>(0)?))
    })
}

fn set_cursor(c: &Connection, network: &Id, pool: &Span, last: u128) -> Result<()> {
    let sql = "INSERT INTO cursors (network, family, pool, address) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (network, family, pool) DO UPDATE SET address = excluded.address";
    run(c, sql, (network.as_str(), pool.family, pool.blob(pool.first), pool.blob(last)))?;
    Ok(())
}

pub(super) fn release(c: &Connection, network: &Id, address: IpAddr) -> Result<()> {
    let sql = "DELETE FROM leases WHERE network = ?1 AND family = ?2 AND address = ?3";
    run(c, sql, (network.as_str(), span::family(address), span::blob(address)))?;
    Ok(())
}

/// Of pools that an engine took, because the networks' own have their endpoints as owners from the start.
pub(super) fn hold(c: &Connection, address: IpAddr, endpoint: &Id) -> Result<()> {
    let sql = "UPDATE leases SET owner = ?3 WHERE family = ?1 AND address = ?2 AND gateway = 0 AND network =
               (SELECT t.id FROM taken_pools t JOIN
                 (SELECT network FROM pools WHERE family = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1) p ON t.id = p.network)";
    run(c, sql, (span::family(address), span::blob(address), endpoint.as_str()))?;
    Ok(())
}

pub(super) fn release_owner(c: &Connection, network: &Id, owner: &str) -> Result<()> {
    run(c, "DELETE FROM leases WHERE network = ?1 AND owner = ?2", [network.as_str(), owner])?;
    Ok(())
}

/// Of another node's address.
pub(super) fn set_elsewhere(c: &Connection, network: &Id, address: IpAddr, node: Option<&Name>) -> Result<()> {
    let sql = "DELETE FROM leases WHERE network = ?1 AND family = ?2 AND address = ?3 AND owner LIKE 'node:%'";
    run(c, sql, (network.as_str(), span::family(address), span::blob(address)))?;
    let Some(node) = node else { return Ok(()) };
    let sql = "INSERT OR IGNORE INTO leases (network, family, address, owner, taken) VALUES (?1, ?2, ?3, ?4, ?5)";
    let owner = format!("{ELSEWHERE}{node}");
    run(c, sql, (network.as_str(), span::family(address), span::blob(address), owner, now().cast_signed()))?;
    Ok(())
}

/// Frees all addresses of a network.
pub(super) fn clear(c: &Connection, network: &Id) -> Result<()> {
    run(c, "DELETE FROM leases WHERE network = ?1", [network.as_str()])?;
    Ok(())
}
