//! The tables of networks, and what a watching driver was told of them.
//!
//! Telling is level triggered: a row keeps what the driver was told last (`delivered`) beside what is true (`value`).
//! Changes that come quicker than the driver is told become one, and a daemon that was killed in between tells again.
//! To a watch the driver's own entries are not there: one that takes the place of another owner's is told as that one's
//! end.

use rusqlite::{Connection, Row};

use super::Store;
use super::query::{Result, all, one, run, text, too_long, within};
use super::record::{ListVersion, TableEntry, Undelivered};
use words::Id;

const OF_TABLE: &str = "SELECT tab, key, owner, endpoint, value, version FROM entries
                        WHERE network = ?1 AND tab = ?2 AND value IS NOT NULL ORDER BY key";

impl Store {
    /// An entry and its version.
    pub fn entry(&self, network: &Id, table: &str, key: &str) -> super::Result<Option<(TableEntry, i64)>> {
        let sql = "SELECT tab, key, owner, endpoint, value, version FROM entries
                   WHERE network = ?1 AND tab = ?2 AND key = ?3 AND value IS NOT NULL";
        self.look(|c| one(c, sql, [network.as_str(), table, key], entry))
    }

    /// The entries of a network or of one of its tables, by table and key, and the version of the list.
    pub fn entries(&self, network: &Id, table: Option<&str>) -> super::Result<(Vec<TableEntry>, ListVersion)> {
        let every = "SELECT tab, key, owner, endpoint, value, version FROM entries
                     WHERE network = ?1 AND value IS NOT NULL ORDER BY tab, key";
        let rows = self.read(|c| match table {
            None => all(c, every, [network.as_str()], entry),
            Some(table) => all(c, OF_TABLE, [network.as_str(), table], entry),
        })?;
        Ok(versioned(rows))
    }

    /// Table and key of the entries that go with an endpoint.
    pub fn entries_of_endpoint(&self, network: &Id, endpoint: &Id) -> super::Result<Vec<(String, String)>> {
        self.look(|c| keys_of_endpoint(c, network, endpoint))
    }

    /// The entries of a table, if they are not more than so many bytes. (A table is read as far as that.)
    pub fn entry_list(&self, network: &Id, table: &str, most: usize) -> super::Result<(Vec<TableEntry>, ListVersion)> {
        let size = |(entry, _): &(TableEntry, i64)| entry.key.len() + entry.value.len();
        let rows = self.read(|c| within(c, OF_TABLE, [network.as_str(), table], entry, most, size))?;
        Ok(versioned(rows.ok_or_else(|| too_long(&format!("table {table:?}"), most))?))
    }

    /// The tables that a network's driver wants to be told of, with their object types (1 to 3).
    pub fn watches(&self, network: &Id) -> super::Result<Vec<(String, u8)>> {
        let sql = "SELECT tab, object_type FROM watches WHERE network = ?1 ORDER BY tab";
        self.read(|c| all(c, sql, [network.as_str()], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// What a network's driver must still be told, by table and key.
    pub fn undelivered(&self, network: &Id) -> super::Result<Vec<Undelivered>> {
        // CROSS JOIN: SQLite keeps this order, so that what nobody watches is not even looked at.
        let sql = "SELECT e.tab, e.key, e.delivered, CASE e.owner WHEN 'self' THEN NULL ELSE e.value END
                   FROM watches w CROSS JOIN entries e ON e.network = w.network AND e.tab = w.tab
                   WHERE w.network = ?1 AND CASE e.owner WHEN 'self' THEN NULL ELSE e.value END IS NOT e.delivered
                   ORDER BY w.tab, e.key";
        self.read(|c| {
            all(c, sql, [network.as_str()], |row| {
                Ok(Undelivered { table: row.get(0)?, key: row.get(1)?, previous: row.get(2)?, value: row.get(3)? })
            })
        })
    }
}

fn versioned(rows: Vec<(TableEntry, i64)>) -> (Vec<TableEntry>, ListVersion) {
    let mut version = ListVersion::default();
    let entries = rows.into_iter().map(|(entry, v)| {
        version.add(v);
        entry
    });
    (entries.collect(), version)
}

fn entry(row: &Row<'_>) -> Result<(TableEntry, i64)> {
    let endpoint = row.get::<_, Option<String>>(3)?.map(text).transpose()?;
    let entry = TableEntry { table: row.get(0)?, key: row.get(1)?, owner: row.get(2)?, endpoint, value: row.get(4)? };
    Ok((entry, row.get(5)?))
}

/// The version of an entry.
pub(super) fn version(c: &Connection, network: &Id, table: &str, key: &str) -> Result<Option<i64>> {
    let sql = "SELECT version FROM entries WHERE network = ?1 AND tab = ?2 AND key = ?3 AND value IS NOT NULL";
    one(c, sql, [network.as_str(), table, key], |row| Ok(row.get(0)?))
}

/// The version of a table.
pub(super) fn list_version(c: &Connection, network: &Id, table: &str) -> Result<ListVersion> {
    let sql = "SELECT count(*), coalesce(max(version), 0) FROM entries
               WHERE network = ?1 AND tab = ?2 AND value IS NOT NULL";
    Ok(one(c, sql, [network.as_str(), table], ListVersion::read)?.unwrap_or_default())
}

/// Puts an entry over whatever is there, a tombstone too: what was told stays.
pub(super) fn put(c: &Connection, network: &Id, version: i64, entry: &TableEntry) -> Result<()> {
    let sql = "INSERT INTO entries (network, tab, key, owner, endpoint, version, value)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (network, tab, key) DO UPDATE
               SET owner = excluded.owner, endpoint = excluded.endpoint,
                   version = excluded.version, value = excluded.value";
    let TableEntry { table, key, owner, endpoint, value } = entry;
    run(c, sql, (network.as_str(), table, key, owner, endpoint.as_ref().map(Id::as_str), version, value))?;
    Ok(())
}

pub(super) fn remove(c: &Connection, network: &Id, table: &str, key: &str) -> Result<()> {
    let sql = "UPDATE entries SET value = NULL, endpoint = NULL WHERE network = ?1 AND tab = ?2 AND key = ?3";
    if run(c, sql, [network.as_str(), table, key])? > 0 {
        bury(c, network, table, key)?;
    }
    Ok(())
}

pub(super) fn remove_of_endpoint(c: &Connection, network: &Id, endpoint: &Id) -> Result<()> {
    let keys = keys_of_endpoint(c, network, endpoint)?;
    keys.iter().try_for_each(|(table, key)| remove(c, network, table, key))
}

fn keys_of_endpoint(c: &Connection, network: &Id, endpoint: &Id) -> Result<Vec<(String, String)>> {
    let sql = "SELECT tab, key FROM entries WHERE network = ?1 AND endpoint = ?2";
    all(c, sql, [network.as_str(), endpoint.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Notes what was told. An entry that was new and went while the driver was told of it has no row any more: it gets a
/// tombstone, or the driver would never hear of its end.
pub(super) fn delivered(c: &Connection, network: &Id, table: &str, key: &str, value: Option<&[u8]>) -> Result<()> {
    let sql = "INSERT INTO entries (network, tab, key, owner, version, delivered)
               SELECT network, tab, ?3, '', 0, ?4 FROM watches WHERE network = ?1 AND tab = ?2
               ON CONFLICT (network, tab, key) DO UPDATE SET delivered = excluded.delivered";
    run(c, sql, (network.as_str(), table, key, value))?;
    bury(c, network, table, key)
}

/// Drops a tombstone that nobody is to be told of.
fn bury(c: &Connection, network: &Id, table: &str, key: &str) -> Result<()> {
    let sql =
        "DELETE FROM entries WHERE network = ?1 AND tab = ?2 AND key = ?3 AND value IS NULL AND delivered IS NULL";
    run(c, sql, [network.as_str(), table, key])?;
    Ok(())
}

pub(super) fn watch(c: &Connection, network: &Id, table: &str, object_type: u8) -> Result<()> {
    let sql = "INSERT INTO watches (network, tab, object_type) VALUES (?1, ?2, ?3)
               ON CONFLICT (network, tab) DO UPDATE SET object_type = excluded.object_type";
    run(c, sql, (network.as_str(), table, object_type))?;
    Ok(())
}
