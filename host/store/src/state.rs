//! What drivers remember: bytes by key, with versions for the check at commit.

use rusqlite::{Connection, Row};

use super::Store;
use super::error::Error;
use super::query::{Result, after, all, one, run, too_long, within};
use super::record::ListVersion;
use grant::gate::state::ROW;
use words::{Id, Name};

/// Keys and values in the order of the keys, and the version of the range.
pub type StateList = (Vec<(String, Vec<u8>)>, ListVersion);

/// A key, the network that it belongs to, and its value.
pub type StateRow = (String, Id, Vec<u8>);

impl Store {
    /// All that a driver remembers, in the order of the keys. It is as much as the driver's grant allows.
    pub fn all_state(&self, driver: &Name) -> super::Result<Vec<StateRow>> {
        let sql = "SELECT key, network, value FROM state WHERE driver = ?1 ORDER BY key";
        let row = |row: &Row<'_>| {
            let network: String = row.get(1)?;
            let network = Id::new(&network).map_err(|e| Error::Invalid(e.message))?;
            Ok((row.get(0)?, network, row.get(2)?))
        };
        self.read(|c| all(c, sql, [driver.as_str()], row))
    }

    /// A value and its version.
    pub fn state(&self, driver: &Name, key: &str) -> super::Result<Option<(Vec<u8>, i64)>> {
        let sql = "SELECT value, version FROM state WHERE driver = ?1 AND key = ?2";
        self.look(|c| one(c, sql, [driver.as_str(), key], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// The keys that start with a prefix, if they and their values are not more than so many bytes. (A list is read as far as that.)
    pub fn state_list(&self, driver: &Name, prefix: &str, most: usize) -> super::Result<StateList> {
        let sql = "SELECT key, value, version FROM state WHERE driver = ?1 AND key >= ?2 AND key < ?3 ORDER BY key";
        let mut version = ListVersion::default();
        let rows = self.read(|c| {
            let row = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?));
            let size = |(pair, _): &((String, Vec<u8>), i64)| pair.0.len() + pair.1.len();
            within(c, sql, [driver.as_str(), prefix, &after(prefix)], row, most, size)
        })?;
        let rows = rows.ok_or_else(|| too_long(&format!("the list of keys that begin with {prefix:?}"), most))?;
        let pairs = rows.into_iter().map(|(pair, v)| {
            version.add(v);
            pair
        });
        Ok((pairs.collect(), version))
    }
}

/// The bytes of a driver's keys and values, with what a row takes beside.
pub(super) fn bytes(c: &Connection, driver: &Name) -> Result<u64> {
    let sql = "SELECT bytes + keys * ?2 FROM usage WHERE driver = ?1";
    let bytes = one(c, sql, (driver.as_str(), ROW as i64), |row| Ok(row.get::<_, i64>(0)?))?;
    Ok(bytes.unwrap_or_default().cast_unsigned())
}

/// The newest version of all keys and table entries.
pub(super) fn newest(c: &Connection) -> Result<i64> {
    let sql =
        "SELECT max(coalesce((SELECT max(version) FROM state), 0), coalesce((SELECT max(version) FROM entries), 0))";
    Ok(one(c, sql, [], |row| Ok(row.get(0)?))?.unwrap_or_default())
}

/// The version of a key.
pub(super) fn version(c: &Connection, driver: &Name, key: &str) -> Result<Option<i64>> {
    let sql = "SELECT version FROM state WHERE driver = ?1 AND key = ?2";
    one(c, sql, [driver.as_str(), key], |row| Ok(row.get(0)?))
}

/// The version of the range with this prefix.
pub(super) fn list_version(c: &Connection, driver: &Name, prefix: &str) -> Result<ListVersion> {
    let sql = "SELECT count(*), coalesce(max(version), 0) FROM state WHERE driver = ?1 AND key >= ?2 AND key < ?3";
    let found = one(c, sql, [driver.as_str(), prefix, &after(prefix)], ListVersion::read)?;
    Ok(found.unwrap_or_default())
}

pub(super) fn set(c: &Connection, driver: &Name, key: &str, network: &Id, version: i64, value: &[u8]) -> Result<()> {
    // Mostly it stays with its network, and then no index is written.
    let sql = "UPDATE state SET version = ?4, value = ?5 WHERE driver = ?1 AND key = ?2 AND network = ?3";
    if run(c, sql, (driver.as_str(), key, network.as_str(), version, value))? > 0 {
        return Ok(());
    }
    let sql = "INSERT INTO state (driver, key, network, version, value) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (driver, key) DO UPDATE
               SET network = excluded.network, version = excluded.version, value = excluded.value";
    run(c, sql, (driver.as_str(), key, network.as_str(), version, value))?;
    Ok(())
}

pub(super) fn remove(c: &Connection, driver: &Name, key: &str) -> Result<()> {
    run(c, "DELETE FROM state WHERE driver = ?1 AND key = ?2", [driver.as_str(), key])?;
    Ok(())
}

pub(super) fn clear(c: &Connection, network: &Id) -> Result<()> {
    run(c, "DELETE FROM state WHERE network = ?1", [network.as_str()])?;
    Ok(())
}
