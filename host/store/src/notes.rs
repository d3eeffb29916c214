//! Notes: what a start must take back or bring to its end in the kernel, because no mark there tells whose it is.

use rusqlite::Connection;

use super::batch::Durability;
use super::query::{Result, all, json, record, run};
use super::{Store, room};
use kernel::Change;

impl Store {
    /// Writes a note down: the changes to make, in this order.
    pub fn note(&self, id: i64, changes: &[Change]) -> super::Result<()> {
        self.write(Durability::Process, |c| {
            room::check(c, &self.path)?;
            add(c, id, changes)
        })
    }

    /// Forgets notes. Ok if they are gone.
    pub fn forget_notes(&self, ids: &[i64]) -> super::Result<()> {
        self.write(Durability::Process, |c| ids.iter().try_for_each(|id| remove(c, *id)))
    }

    /// All notes, the last one first.
    pub fn notes(&self) -> super::Result<Vec<(i64, Vec<Change>)>> {
        let sql = "SELECT id, record FROM notes ORDER BY id DESC";
        self.read(|c| all(c, sql, [], |row| Ok((row.get("id")?, record(row)?))))
    }
}

pub(super) fn add(c: &Connection, id: i64, changes: &[Change]) -> Result<()> {
    run(c, "INSERT INTO notes (id, record) VALUES (?1, ?2)", (id, json(&changes)?)).map(drop)
}

pub(super) fn remove(c: &Connection, id: i64) -> Result<()> {
    run(c, "DELETE FROM notes WHERE id = ?1", [id]).map(drop)
}
