//! Drivers and networks.

use rusqlite::{Connection, Row};

use super::error::Error;
use super::query::{Result, after, all, count, json, one, record, run};
use super::record::{Driver, Network};
use super::{Store, leases, pools};
use words::{Id, Name};

impl Store {
    /// All drivers, by name.
    pub fn drivers(&self) -> super::Result<Vec<Driver>> {
        self.read(|c| all(c, "SELECT record FROM drivers ORDER BY name", [], record))
    }

    /// A driver.
    pub fn driver(&self, name: &Name) -> super::Result<Option<Driver>> {
        self.look(|c| one(c, "SELECT record FROM drivers WHERE name = ?1", [name.as_str()], record))
    }

    /// All networks, in the order in which they were made.
    pub fn networks(&self) -> super::Result<Vec<Network>> {
        self.read(|c| all(c, "SELECT serial, record FROM networks ORDER BY serial", [], network))
    }

    /// A network.
    pub fn network(&self, id: &Id) -> super::Result<Option<Network>> {
        self.look(|c| one(c, "SELECT serial, record FROM networks WHERE id = ?1", [id.as_str()], network))
    }

    /// The network with this id, else the one with this name, else those whose ids start so.
    pub fn find_network(&self, text: &str) -> super::Result<Vec<Network>> {
        self.look(|c| {
            for sql in [
                "SELECT serial, record FROM networks WHERE id = ?1",
                "SELECT serial, record FROM networks WHERE name = ?1",
            ] {
                let found = all(c, sql, [text], network)?;
                if !found.is_empty() || text.is_empty() {
                    return Ok(found);
                }
            }
            let sql = "SELECT serial, record FROM networks WHERE id >= ?1 AND id < ?2 ORDER BY serial";
            all(c, sql, [text, &after(text)], network)
        })
    }

    /// The networks that a driver serves, in the order in which they were made.
    pub fn networks_of_driver(&self, driver: &Name) -> super::Result<Vec<Network>> {
        let sql = "SELECT serial, record FROM networks WHERE driver = ?1 ORDER BY serial";
        self.read(|c| all(c, sql, [driver.as_str()], network))
    }

    /// How many networks a driver serves.
    pub fn network_count(&self, driver: &Name) -> super::Result<usize> {
        self.read(|c| count(c, "SELECT count(*) FROM networks WHERE driver = ?1", [driver.as_str()]))
    }
}

fn network(row: &Row<'_>) -> Result<Network> {
    Ok(Network { serial: row.get("serial")?, ..record(row)? })
}

pub(super) fn put_driver(c: &Connection, driver: &Driver) -> Result<()> {
    let sql = "INSERT INTO drivers (name, record) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET record = excluded.record";
    run(c, sql, (driver.name.as_str(), json(driver)?))?;
    Ok(())
}

/// What was left of its state would be another driver's that is loaded under the same name later.
pub(super) fn remove_driver(c: &Connection, name: &Name) -> Result<()> {
    run(c, "DELETE FROM drivers WHERE name = ?1", [name.as_str()])?;
    run(c, "DELETE FROM state WHERE driver = ?1", [name.as_str()])?;
    run(c, "DELETE FROM usage WHERE driver = ?1", [name.as_str()])?;
    run(c, "DELETE FROM driver_held WHERE driver = ?1", [name.as_str()])?;
    Ok(())
}

/// The serial, if the network is new.
pub(super) fn put(c: &Connection, network: &Network) -> Result<Option<i64>> {
    let (id, name) = (network.id.as_str(), network.name.as_str());
    let sql = "SELECT id FROM networks WHERE name = ?1 AND id <> ?2";
    if let Some(other) = one(c, sql, [name, id], |row| Ok(row.get::<_, String>(0)?))? {
        return Err(Error::Exists(format!("there is a network {name:?} already (id {other})")).into());
    }
    let record = json(network)?;
    let sql = "UPDATE networks SET name = ?2, driver = ?3, record = ?4 WHERE id = ?1";
    if run(c, sql, (id, name, network.driver.as_str(), &record))? > 0 {
        return Ok(None);
    }
    let sql = "INSERT INTO networks (id, name, driver, record) VALUES (?1, ?2, ?3, ?4)";
    run(c, sql, (id, name, network.driver.as_str(), &record))?;
    Ok(Some(c.last_insert_rowid()))
}

pub(super) fn remove(c: &Connection, id: &Id) -> Result<()> {
    for sql in [
        "DELETE FROM networks WHERE id = ?1",
        // What is counted for each row that goes is no more to be found.
        "DELETE FROM held WHERE network = ?1",
        "DELETE FROM endpoints WHERE network = ?1",
        "DELETE FROM objects WHERE network = ?1",
        "DELETE FROM state WHERE network = ?1",
        "DELETE FROM entries WHERE network = ?1",
        "DELETE FROM watches WHERE network = ?1",
    ] {
        run(c, sql, [id.as_str()])?;
    }
    leases::clear(c, id)?;
    pools::replace(c, id, &[])
}
