//! What is on links: it goes with them, and until then it is counted. Nothing else is asked of it, so of each there is only what it is told
//! apart by.

use rusqlite::Connection;

use super::query::{Result, run};
use super::record::Part;

/// Ok if it is there, or its link is gone.
pub(super) fn put(c: &Connection, part: &Part) -> Result<()> {
    let sql = "INSERT INTO parts SELECT id, ?2, ?3 FROM objects WHERE id = ?1 ON CONFLICT DO NOTHING";
    run(c, sql, (part.link, part.kind, &part.key)).map(drop)
}

pub(super) fn remove(c: &Connection, part: &Part) -> Result<()> {
    run(c, "DELETE FROM parts WHERE link = ?1 AND kind = ?2 AND key = ?3", (part.link, part.kind, &part.key)).map(drop)
}
