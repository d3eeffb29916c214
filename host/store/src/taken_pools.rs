//! Address pools that a container engine took, or that a driver gave: to subnets and leases each is a network of its own.

use rusqlite::Connection;

use super::Store;
use super::batch::Durability;
use super::query::{Result, all, json, one, record, run};
use super::record::TakenPool;
use super::{leases, pools};
use words::Id;

impl Store {
    /// Takes a pool. `Exists`: its subnet overlaps with another pool's or network's.
    pub fn take_pool(&self, taken: &TakenPool) -> super::Result<()> {
        self.write(Durability::Power, |c| take(c, taken))
    }

    /// A pool.
    pub fn taken_pool(&self, id: &Id) -> super::Result<Option<TakenPool>> {
        self.read(|c| one(c, "SELECT record FROM taken_pools WHERE id = ?1", [id.as_str()], record))
    }

    /// All of them.
    pub fn taken_pools(&self) -> super::Result<Vec<TakenPool>> {
        self.read(|c| all(c, "SELECT record FROM taken_pools ORDER BY id", [], record))
    }

    /// Gives a pool back, with its addresses. Ok if it is gone. `heir`: the network that has its subnet from now on.
    pub fn release_taken_pool(&self, id: &Id, heir: Option<&Id>) -> super::Result<()> {
        self.write(Durability::Power, |c| release(c, id, heir))
    }
}

pub(super) fn take(c: &Connection, taken: &TakenPool) -> Result<()> {
    pools::replace(c, &taken.id, &[taken.pool.subnet])?;
    let sql = "INSERT INTO taken_pools (id, record) VALUES (?1, ?2)";
    run(c, sql, (taken.id.as_str(), json(taken)?))?;
    Ok(())
}

pub(super) fn release(c: &Connection, id: &Id, heir: Option<&Id>) -> Result<()> {
    run(c, "DELETE FROM taken_pools WHERE id = ?1", [id.as_str()])?;
    leases::clear(c, id)?;
    if let Some(heir) = heir {
        run(c, "UPDATE pools SET network = ?2 WHERE network = ?1", [id.as_str(), heir.as_str()])?;
    }
    pools::replace(c, id, &[])
}
