//! One commit: take the writer, look whether what was read still holds, write all of it or nothing.

use rusqlite::Connection;

use super::batch::{Batch, Check, Write};
use super::error::Error;
use super::query::Result;
use super::record::TableEntry;
use super::{
    Store, endpoints, hold, known, leases, meta, networks, notes, objects, parts, pools, room, state, tables,
    taken_pools, witness,
};

impl Store {
    /// Writes a batch in one transaction. Answers the numbers that were given, in the order of the writes: an id for
    /// each `AddObject` and a serial for each `PutNetwork` that made one.
    ///
    /// `Conflict`: a check does not hold. After any error nothing was written.
    pub fn commit(&self, batch: Batch) -> super::Result<Vec<i64>> {
        if batch.writes.is_empty() {
            // Without a turn as the writer: that can be behind one who waits for the disk.
            if batch.since != self.version() {
                self.read(|c| batch.checks.iter().try_for_each(|check| verify(c, check)))?;
            }
            return Ok(Vec::new());
        }
        let grows = batch.grows();
        let adds = batch.writes.iter().any(|write| matches!(write, Write::AddObject(_)));
        let concerned: Vec<Write> = batch.writes.iter().filter(|write| known::concerns(write)).cloned().collect();
        let commit = |c: &Connection| {
            if grows {
                room::check(c, &self.path)?;
            }
            let (limits, reads): (Vec<_>, Vec<_>) = batch.checks.into_iter().partition(Check::is_of_writes);
            if batch.since != self.version() {
                reads.iter().try_for_each(|check| verify(c, check))?;
            }
            let version = self.version() + 1;
            let mut given = Vec::new();
            for write in batch.writes {
                given.extend(apply(c, version, write)?);
            }
            limits.iter().try_for_each(|check| verify(c, check))?;
            Ok((given, witness::newest(c, adds)?))
        };
        let then = || known::update(&mut hold(&self.known), concerned);
        let (given, newest) = self.write_then(batch.durability, commit, then)?;
        self.tell_witness(newest);
        Ok(given)
    }
}

fn verify(c: &Connection, check: &Check) -> Result<()> {
    let (holds, what) = match check {
        Check::State { driver, key, version } => {
            (state::version(c, driver, key)? == *version, format!("key {key:?} of driver {driver}"))
        }
        Check::StateList { driver, prefix, version } => {
            (state::list_version(c, driver, prefix)? == *version, format!("the keys {prefix:?}... of driver {driver}"))
        }
        Check::Entry { network, table, key, version } => {
            (tables::version(c, network, table, key)? == *version, format!("entry {key:?} of table {table:?}"))
        }
        Check::EntryList { network, table, version } => {
            (tables::list_version(c, network, table)? == *version, format!("table {table:?}"))
        }
        Check::Held { driver, limit, most } => {
            (objects::held(c, driver, *limit)? <= *most, format!("what driver {driver} holds ({limit})"))
        }
    };
    if holds { Ok(()) } else { Err(Error::Conflict(what).into()) }
}

/// The number that was given, if one was.
fn apply(c: &Connection, version: i64, write: Write) -> Result<Option<i64>> {
    match write {
        Write::PutNetwork(network) => return networks::put(c, &network),
        Write::AddObject(object) => return objects::add(c, &object).map(Some),
        Write::PutDriver(driver) => networks::put_driver(c, &driver),
        Write::RemoveDriver(name) => networks::remove_driver(c, &name),
        Write::RemoveNetwork(id) => networks::remove(c, &id),
        Write::PutEndpoint(endpoint) => endpoints::put(c, &endpoint),
        Write::RemoveEndpoint(network, id) => endpoints::remove(c, &network, &id),
        Write::PutObject(object) => objects::put(c, &object),
        Write::RemoveObject(id) => objects::remove(c, id),
        Write::PutPart(part) => parts::put(c, &part),
        Write::RemovePart(part) => parts::remove(c, &part),
        Write::Note(id, changes) => notes::add(c, id, &changes),
        Write::ForgetNote(id) => notes::remove(c, id),
        Write::SetState { driver, key, network, value } => state::set(c, &driver, &key, &network, version, &value),
        Write::RemoveState { driver, key } => state::remove(c, &driver, &key),
        Write::ClearState { network } => state::clear(c, &network),
        Write::PutEntry { network, table, key, owner, endpoint, value } => {
            tables::put(c, &network, version, &TableEntry { table, key, owner, endpoint, value })
        }
        Write::RemoveEntry { network, table, key } => tables::remove(c, &network, &table, &key),
        Write::RemoveEntries(network, endpoint) => tables::remove_of_endpoint(c, &network, &endpoint),
        Write::Delivered { network, table, key, value } => {
            tables::delivered(c, &network, &table, &key, value.as_deref())
        }
        Write::Watch { network, table, object_type } => tables::watch(c, &network, &table, object_type),
        Write::ReplacePools { network, pools } => pools::replace(c, &network, &pools),
        Write::Lease { network, pool, address, owner, next } => leases::take(c, &network, &pool, address, &owner, next),
        Write::TakePool(taken) => taken_pools::take(c, &taken),
        Write::ReleasePool { pool, heir } => {
            taken_pools::release(c, &pool, heir.as_ref())?;
            state::clear(c, &pool)
        }
        Write::TakeAddress { pool, address, owner, gateway } => {
            leases::take_of_pool(c, &pool, Some(address), &owner, gateway).map(drop)
        }
        Write::HoldAddress { address, endpoint } => leases::hold(c, address, &endpoint),
        Write::SetElsewhere { network, address, node } => leases::set_elsewhere(c, &network, address, node.as_ref()),
        Write::ReleaseAddress { network, address } => leases::release(c, &network, address),
        Write::ReleaseOwner { network, owner } => leases::release_owner(c, &network, &owner),
        Write::SetMeta { key, value } => meta::set(c, &key, &value),
    }?;
    Ok(None)
}
