//! Short texts about the store itself: the instance, and what others keep here, as the boot id of the last start.

use rusqlite::Connection;

use super::Store;
use super::batch::Durability;
use super::query::{Result, all, one, run};

impl Store {
    /// A text.
    pub fn meta(&self, key: &str) -> super::Result<Option<String>> {
        self.read(|c| get(c, key))
    }

    /// The texts whose keys begin so, with their keys, in order.
    pub fn metas(&self, prefix: &str) -> super::Result<Vec<(String, String)>> {
        let sql = "SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key";
        self.read(|c| all(c, sql, [prefix], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// Makes or replaces a text.
    pub fn set_meta(&self, key: &str, value: &str) -> super::Result<()> {
        self.write(Durability::Process, |c| set(c, key, value))
    }

    /// Removes a text. Ok if there is none.
    pub fn remove_meta(&self, key: &str) -> super::Result<()> {
        self.write(Durability::Process, |c| run(c, "DELETE FROM meta WHERE key = ?1", [key]).map(drop))
    }
}

pub(super) fn get(c: &Connection, key: &str) -> Result<Option<String>> {
    one(c, "SELECT value FROM meta WHERE key = ?1", [key], |row| Ok(row.get(0)?))
}

pub(super) fn set(c: &Connection, key: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    run(c, sql, [key, value])?;
    Ok(())
}
