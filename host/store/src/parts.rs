//! What is on links: it goes with them, and until then it is counted and shown. Of each there is only what it is told apart by.

use rusqlite::{Connection, Row};

use super::Store;
use super::query::{Result, all, run};
use super::record::Part;
use words::Id;

impl Store {
    /// What is on the links of a network, in the order of its kinds.
    pub fn parts(&self, network: &Id) -> super::Result<Vec<Part>> {
        let sql = "SELECT parts.link, parts.kind, parts.key FROM parts JOIN objects ON objects.id = parts.link WHERE network = ?1 \
                   ORDER BY parts.link, parts.kind, parts.key";
        self.read(|c| all(c, sql, [network.as_str()], part))
    }
}

/// Ok if it is there, or its link is gone.
pub(super) fn put(c: &Connection, part: &Part) -> Result<()> {
    let sql = "INSERT INTO parts SELECT id, ?2, ?3 FROM objects WHERE id = ?1 ON CONFLICT DO NOTHING";
    run(c, sql, (part.link, part.kind, &part.key)).map(drop)
}

pub(super) fn remove(c: &Connection, part: &Part) -> Result<()> {
    run(c, "DELETE FROM parts WHERE link = ?1 AND kind = ?2 AND key = ?3", (part.link, part.kind, &part.key)).map(drop)
}

fn part(row: &Row<'_>) -> Result<Part> {
    let kind: String = row.get(1)?;
    let kinds = [Part::ADDRESS, Part::ROUTE, Part::NEIGHBOUR, Part::FORWARDING, Part::PORT, Part::PEER];
    // Others may come with a newer schema, which this program does not open.
    let kind = kinds.into_iter().find(|known| *known == kind).unwrap_or("something");
    Ok(Part { link: row.get(0)?, kind, key: row.get(2)? })
}
