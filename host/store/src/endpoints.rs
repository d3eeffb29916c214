//! Endpoints.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::Store;
use super::error::Error;
use super::query::{Result, after, all, count, json, one, record, run, text};
use super::record::Endpoint;
use super::{leases, tables};
use words::{Id, MacAddress};

/// Where `ip netns` binds namespaces; the second is the first by its older name.
const NETNS_FOLDERS: [&str; 2] = ["/run/netns/", "/var/run/netns/"];

impl Store {
    /// All endpoints, or those of a network, in the order in which they were made.
    pub fn endpoints(&self, network: Option<&Id>) -> super::Result<Vec<Endpoint>> {
        self.read(|c| match network {
            None => all(c, "SELECT record FROM endpoints ORDER BY number", [], record),
            Some(id) => {
                all(c, "SELECT record FROM endpoints WHERE network = ?1 ORDER BY number", [id.as_str()], record)
            }
        })
    }

    /// An endpoint.
    pub fn endpoint(&self, network: &Id, id: &Id) -> super::Result<Option<Endpoint>> {
        let sql = "SELECT record FROM endpoints WHERE id = ?2 AND network = ?1";
        self.look(|c| one(c, sql, [network.as_str(), id.as_str()], record))
    }

    /// The endpoints (of a network) with this id, else with this name, else in the namespace at this path or of this
    /// name under /run/netns, else those whose ids start so.
    pub fn find_endpoint(&self, network: Option<&Id>, text: &str) -> super::Result<Vec<Endpoint>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let paths = namespace_paths(text);
        let end = after(text);
        let network = network.map(Id::as_str);
        let steps = [
            ("id BETWEEN ?2 AND ?3", text, text),
            ("name BETWEEN ?2 AND ?3", text, text),
            ("sandbox IN (?2, ?3)", &*paths[0], &*paths[1]),
            ("id >= ?2 AND id < ?3", text, &*end),
        ];
        self.look(|c| {
            for (condition, low, high) in steps {
                let sql = format!(
                    "SELECT record FROM endpoints WHERE {condition} AND (?1 IS NULL OR network = ?1) ORDER BY number"
                );
                let found: Vec<Endpoint> = all(c, &sql, (network, low, high), record)?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            Ok(Vec::new())
        })
    }

    /// The endpoints in the namespace with this nsfs inode.
    pub fn endpoints_in_sandbox(&self, inode: u64) -> super::Result<Vec<Endpoint>> {
        let sql = "SELECT record FROM endpoints WHERE inode = ?1 ORDER BY number";
        self.look(|c| all(c, sql, [inode.cast_signed()], record))
    }

    /// The endpoint of a network that has a MAC.
    pub fn endpoint_with_mac(&self, network: &Id, mac: MacAddress) -> super::Result<Option<Endpoint>> {
        let sql = "SELECT record FROM endpoints WHERE mac = ?2 AND network = ?1 ORDER BY number";
        self.look(|c| one(c, sql, [network.as_str(), &mac.to_string()], record))
    }

    /// The endpoints whose attach or detach did not come to its end, in the order in which they were made.
    pub fn unfinished_endpoints(&self) -> super::Result<Vec<Endpoint>> {
        self.read(|c| all(c, "SELECT record FROM endpoints WHERE attached = 0 ORDER BY number", [], record))
    }

    /// How many endpoints a network has.
    pub fn endpoint_count(&self, network: &Id) -> super::Result<usize> {
        self.read(|c| count(c, "SELECT count(*) FROM endpoints WHERE network = ?1", [network.as_str()]))
    }

    /// How many endpoints the networks have; a network without any is not in it.
    pub fn endpoint_counts(&self) -> super::Result<BTreeMap<Id, usize>> {
        let sql = "SELECT network, count(*) FROM endpoints GROUP BY network";
        let counts = self.read(|c| {
            all(c, sql, [], |row| Ok((text::<Id>(row.get(0)?)?, usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))
        })?;
        Ok(counts.into_iter().collect())
    }
}

/// The two paths that a text can mean: a name under /run/netns, or a path with both names of that folder.
fn namespace_paths(text: &str) -> [String; 2] {
    let name = NETNS_FOLDERS.iter().find_map(|folder| text.strip_prefix(folder)).unwrap_or(text);
    if name.starts_with('/') { [text.to_owned(), text.to_owned()] } else { NETNS_FOLDERS.map(|f| format!("{f}{name}")) }
}

pub(super) fn put(c: &Connection, endpoint: &Endpoint) -> Result<()> {
    let (network, id, name) = (endpoint.network.as_str(), endpoint.id.as_str(), endpoint.name.as_str());
    let path = endpoint.sandbox.as_ref().map(|s| &s.path).or(endpoint.joined.as_ref());
    let not_text = || Error::Invalid(format!("the path {path:?} is not UTF-8"));
    let sandbox = path.map(|path| path.to_str().ok_or_else(not_text)).transpose()?;
    let inode = endpoint.sandbox.as_ref().map(|s| s.inode.cast_signed());
    let mac = endpoint.mac.map(|mac| mac.to_string());
    let json = json(endpoint)?;
    // Mostly nothing has changed that it is found by, and then no index is written.
    let sql = "UPDATE endpoints SET record = ?6, attached = ?7
               WHERE id = ?2 AND network = ?1 AND name = ?3 AND sandbox IS ?4 AND inode IS ?5 AND mac IS ?8";
    if run(c, sql, (network, id, name, sandbox, inode, &json, endpoint.attached, &mac))? > 0 {
        return Ok(());
    }
    let sql = "SELECT id FROM endpoints WHERE name = ?2 AND network = ?1 AND id <> ?3";
    if let Some(other) = one(c, sql, [network, name, id], |row| Ok(row.get::<_, String>(0)?))? {
        return Err(Error::Exists(format!("the network has an endpoint {name:?} already (id {other})")).into());
    }
    let sql = "INSERT INTO endpoints (network, id, name, sandbox, inode, record, attached, mac)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (id, network) DO UPDATE
               SET name = excluded.name, sandbox = excluded.sandbox, inode = excluded.inode, record = excluded.record,
                   attached = excluded.attached, mac = excluded.mac";
    run(c, sql, (network, id, name, sandbox, inode, json, endpoint.attached, mac))?;
    Ok(())
}

pub(super) fn remove(c: &Connection, network: &Id, id: &Id) -> Result<()> {
    let key = [network.as_str(), id.as_str()];
    run(c, "DELETE FROM endpoints WHERE network = ?1 AND id = ?2", key)?;
    run(c, "DELETE FROM objects WHERE network = ?1 AND endpoint = ?2", key)?;
    tables::remove_of_endpoint(c, network, id)?;
    leases::release_owner(c, network, id.as_str())
}
