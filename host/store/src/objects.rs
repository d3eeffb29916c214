//! Kernel objects: who made what, and whose is the link that a call wants to touch.

use rusqlite::{Connection, Row};

use super::error::Error;
use super::query::{Result, all, count, json, one, record, run};
use super::record::{Object, Part, Thing};
use super::{Store, state};
use grant::Limit;
use kernel::Namespace;
use words::{Id, Name};

impl Store {
    /// The objects of a network, in the order in which they were made: all of them, or (`Some(None)`) those that are no
    /// endpoint's, or those of an endpoint.
    pub fn objects(&self, network: &Id, endpoint: Option<Option<&Id>>) -> super::Result<Vec<Object>> {
        let Some(owner) = endpoint else {
            let sql = "SELECT id, record FROM objects WHERE network = ?1 ORDER BY id";
            return self.read(|c| all(c, sql, [network.as_str()], object));
        };
        let sql = "SELECT id, record FROM objects WHERE network = ?1 AND endpoint IS ?2 ORDER BY id";
        self.look(|c| all(c, sql, (network.as_str(), owner.map(Id::as_str)), object))
    }

    /// How many objects a network has.
    pub fn object_count(&self, network: &Id) -> super::Result<usize> {
        // Kinds of objects begin with a capital letter.
        let sql = "SELECT coalesce(sum(count), 0) FROM held WHERE network = ?1 AND kind < 'a'";
        self.look(|c| count(c, sql, [network.as_str()]))
    }

    /// An object.
    pub fn object(&self, id: i64) -> super::Result<Option<Object>> {
        self.look(|c| one(c, "SELECT id, record FROM objects WHERE id = ?1", [id], object))
    }

    /// How much of something that is limited a driver and its networks have.
    pub fn held(&self, driver: &Name, limit: Limit) -> super::Result<u64> {
        self.look(|c| held(c, driver, limit))
    }

    /// The objects of all networks, in the order in which they were made.
    pub fn all_objects(&self) -> super::Result<Vec<Object>> {
        self.read(|c| all(c, "SELECT id, record FROM objects ORDER BY id", [], object))
    }

    /// Reads which links forward, in all networks.
    pub(super) fn read_forwards(&self) -> super::Result<Vec<Object>> {
        // The literal lets SQLite see that the index fits.
        let sql = "SELECT id, record FROM objects WHERE kind = 'Forward' ORDER BY id";
        self.read(|c| all(c, sql, [], object))
    }

    /// The links on the host, of all networks.
    pub fn host_links(&self) -> super::Result<Vec<Object>> {
        self.read(|c| all(c, "SELECT id, record FROM objects WHERE inode = 0 ORDER BY id", [], object))
    }

    /// The policy rules of all networks, in the order in which they were made.
    pub fn policy_rules(&self) -> super::Result<Vec<Object>> {
        self.read(|c| all(c, "SELECT id, record FROM objects WHERE kind = 'Rule' ORDER BY id", [], object))
    }

    /// The packet rules of all networks, in the order in which they were made.
    pub fn nft_rules(&self) -> super::Result<Vec<Object>> {
        let sql = "SELECT id, record FROM objects WHERE kind = 'NftRule' ORDER BY id";
        self.read(|c| all(c, sql, [], object))
    }

    /// The sets of packet rules of all networks and what is in them, in the order in which they were made.
    pub fn nft_sets(&self) -> super::Result<Vec<Object>> {
        let sql = "SELECT id, record FROM objects WHERE kind IN ('NftSet', 'NftElement') ORDER BY id";
        self.read(|c| all(c, sql, [], object))
    }

    /// The chains of all networks that packet rules lead to, in the order in which they were made.
    pub fn nft_chains(&self) -> super::Result<Vec<Object>> {
        let sql = "SELECT id, record FROM objects WHERE kind = 'NftChain' ORDER BY id";
        self.read(|c| all(c, sql, [], object))
    }

    /// The link with this ifindex in a namespace. Namespaces are told apart by inode: one namespace can be bound at
    /// many paths. After a namespace died its inode can come again, so the newest object counts.
    pub fn owner_of_link(&self, namespace: &Namespace, index: u32) -> super::Result<Option<Object>> {
        let sql = "SELECT id, record FROM objects WHERE inode = ?1 AND link = ?2 ORDER BY id DESC LIMIT 1";
        self.look(|c| one(c, sql, (inode(namespace), index), object))
    }

    /// Whether a link on the host has this name by the record of a network that another driver serves.
    pub fn is_others_link(&self, driver: &Name, name: &str) -> super::Result<bool> {
        let sql = "SELECT 1 FROM objects JOIN networks ON networks.id = objects.network
                   WHERE link_name = ?2 AND inode = 0 AND driver <> ?1 LIMIT 1";
        Ok(self.look(|c| one(c, sql, (driver.as_str(), name), |_| Ok(())))?.is_some())
    }
}

pub(super) fn held(c: &Connection, driver: &Name, limit: Limit) -> Result<u64> {
    let kinds: &[&str] = match limit {
        Limit::Links => &["Link", "Device"],
        Limit::Addresses => &[Part::ADDRESS],
        Limit::Routes => &[Part::ROUTE, "Path"],
        Limit::Neighbours => &[Part::NEIGHBOUR, Part::FORWARDING, Part::PEER, "Proxy"],
        Limit::Rules => &["NftRule", "NftChain", "Rule", "Forward"],
        Limit::Sets => &["NftSet"],
        Limit::SetElements => &["NftElement"],
        Limit::Namespaces => &["Namespace"],
        Limit::Ports => &["Port", "range", Part::PORT],
        Limit::TableEntries => &["entry"],
        Limit::TableBytes => &["entry-bytes"],
        Limit::StoreBytes => return state::bytes(c, driver),
        Limit::MemoryMib | Limit::CallMilliseconds | Limit::HostCalls | Limit::LogBytesPerSecond => &[],
    };
    let sql = "SELECT count FROM driver_held WHERE driver = ?1 AND kind = ?2";
    let mut held = 0;
    for kind in kinds {
        held += one(c, sql, [driver.as_str(), kind], |row| Ok(row.get::<_, i64>(0)?))?.unwrap_or_default();
    }
    Ok(held.cast_unsigned())
}

fn object(row: &Row<'_>) -> Result<Object> {
    Ok(Object { id: row.get("id")?, ..record(row)? })
}

/// nsfs never gives inode 0, so it stands for the host's namespace.
fn inode(namespace: &Namespace) -> i64 {
    match namespace {
        Namespace::Host => 0,
        Namespace::At(path) => path.inode.cast_signed(),
    }
}

/// The columns that a link is found by.
fn link(thing: &Thing) -> (Option<i64>, Option<u32>, Option<&str>) {
    match thing {
        Thing::Link { namespace, index, name, .. } => (Some(inode(namespace)), Some(*index), Some(name)),
        _ => (None, None, None),
    }
}

/// The largest id that there ever was.
pub(super) fn last_id(c: &Connection) -> Result<i64> {
    Ok(one(c, "SELECT seq FROM sqlite_sequence WHERE name = 'objects'", [], |row| Ok(row.get("seq")?))?.unwrap_or(0))
}

pub(super) fn add(c: &Connection, object: &Object) -> Result<i64> {
    let (inode, index, name) = link(&object.thing);
    let sql = "INSERT INTO objects (id, network, endpoint, inode, link, link_name, record, kind)
               VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (endpoint, kind) = (object.endpoint.as_ref().map(Id::as_str), object.thing.kind());
    run(c, sql, (object.id, object.network.as_str(), endpoint, inode, index, name, json(object)?, kind))?;
    Ok(c.last_insert_rowid())
}

pub(super) fn put(c: &Connection, object: &Object) -> Result<()> {
    let (inode, index, name) = link(&object.thing);
    let sql = "UPDATE objects SET network = ?2, endpoint = ?3, inode = ?4, link = ?5, link_name = ?6, record = ?7
               WHERE id = ?1 AND kind = ?8";
    let (endpoint, kind) = (object.endpoint.as_ref().map(Id::as_str), object.thing.kind());
    if run(c, sql, (object.id, object.network.as_str(), endpoint, inode, index, name, json(object)?, kind))? == 0 {
        return Err(Error::NotFound(format!("there is no object {} of kind {kind}", object.id)).into());
    }
    Ok(())
}

pub(super) fn remove(c: &Connection, id: i64) -> Result<()> {
    run(c, "DELETE FROM objects WHERE id = ?1", [id])?;
    Ok(())
}
