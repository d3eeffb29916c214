//! The embedded store: what Pontoon must still know after it was killed. One SQLite file, `FOLDER/pontoon.db`.
//!
//! Why SQLite, in WAL mode: a record needs to last as long as what it describes. An endpoint's kernel objects die with
//! the machine, so its record must survive `kill -9` and no more: a commit is one append to the log, without waiting
//! for the disk ([`Durability::Process`]). Networks and drivers outlive a reboot, so their commits wait for it
//! ([`Durability::Power`]). Both go into one log in order, and readers wait for no writer. The file is this process's
//! alone, so that its connections agree in memory and without a system call who may do what. Nothing here is
//! asynchronous: call it where blocking is allowed.
//!
//! - [`Store::open`] (`file`): the folder's lock, the file's header, the layout in `schema.sql` and the steps after it
//! - [`Store::commit`] (`batch`, `commit`): checks and writes, all or nothing
//! - reads and writes by object: `meta`, `networks` (and drivers), `endpoints`, `objects`, `parts` (what is on links), `notes`, `state`, `tables`
//! - `claims`: what calls have that are not committed yet; `room`: what is left on the disk; `known`: objects in memory
//! - addresses: `pools` (subnets that never overlap), `taken_pools` (those of container engines and of drivers), `leases`, with `span` for the numbers
//! - `witness`: what tells an older copy of the store from the newest
//! - `checkpoint`: the thread that moves the log into the database
//! - `record`: what is stored; `query`: short words for SQLite; `error`

mod batch;
mod checkpoint;
mod claims;
mod commit;
mod endpoints;
mod error;
mod file;
mod known;
mod leases;
mod meta;
mod networks;
mod notes;
mod objects;
mod parts;
mod pools;
mod query;
mod record;
mod room;
mod span;
mod state;
mod tables;
mod taken_pools;
#[cfg(test)]
mod tests;
mod witness;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

pub use batch::{Batch, Check, Durability, Write};
use checkpoint::Checkpoints;
pub use error::{Error, Result};
pub use known::Objects;
pub use record::{
    Again, Driver, Earlier, Endpoint, Ipam, Lease, ListVersion, Network, Object, Part, TableEntry, TakenPool, Thing,
    Undelivered, Version,
};
pub use state::{StateList, StateRow};

/// The version of the file's layout that this program writes and reads.
pub const SCHEMA: u32 = 7;

/// The owner of the entries that a network's driver on this host made.
pub const OWN: &str = "self";

/// What the owners of entries and addresses begin with that are another node's: its name follows. No name has a colon.
pub const ELSEWHERE: &str = "node:";

/// Readers beyond these open a connection for one read.
const IDLE_READERS: usize = 4;

/// The store. Share it in an `Arc`.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    instance: u32,
    // In the order in which they end: the last connection that closes moves the log, and then the folder is another
    // daemon's.
    checkpoints: Checkpoints,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Writer>,
    /// The last object id that was given.
    object: AtomicI64,
    /// See [`Store::version`].
    version: AtomicI64,
    claims: claims::Claims,
    known: Mutex<known::Known>,
    witness: OnceLock<witness::Witness>,
    _lock: file::Lock,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    /// What its `synchronous` is set to.
    durability: Option<Durability>,
}

impl Store {
    /// Opens `FOLDER/pontoon.db`, or makes it with its folder. Whatever is wrong with a file that is there: it is
    /// refused and not changed.
    pub fn open(folder: &Path) -> Result<Self> {
        let lock = file::lock(folder)?;
        let path = file::database(folder)?;
        let (connection, instance) = file::inspect(&path)?;
        let object = objects::last_id(&connection).map_err(|fault| fault.at(&path))?.into();
        let version = (state::newest(&connection).map_err(|fault| fault.at(&path))? + 1).into();
        let checkpoints = Checkpoints::start(&path)?;
        let writer = Mutex::new(Writer { connection, durability: None });
        Ok(Self {
            path,
            instance,
            checkpoints,
            readers: Mutex::default(),
            writer,
            object,
            version,
            claims: claims::Claims::default(),
            known: Mutex::default(),
            witness: OnceLock::new(),
            _lock: lock,
        })
    }

    /// Whether [`Self::open`] would know the file in a folder, as far as its first bytes tell, also while another process has it open.
    pub fn check(folder: &Path) -> Result<()> {
        file::look(&folder.join("pontoon.db")).map(drop)
    }

    /// Waits until no process has a folder's store open. One that is killed lets go of it a moment later than of its sockets.
    pub fn await_end(folder: &Path, within: Duration) -> Result<()> {
        let begin = Instant::now();
        loop {
            match file::lock(folder) {
                Err(Error::Busy { .. }) if begin.elapsed() < within => std::thread::sleep(Duration::from_millis(5)),
                locked => return locked.map(drop),
            }
        }
    }

    /// This file's own number, 1 to 2^22 - 1, random and given when it was made: what it marks its kernel objects with.
    pub fn instance(&self) -> u32 {
        self.instance
    }

    /// What the names and comments that this instance gives in nftables begin with, so that two Pontoons in one namespace leave each
    /// other alone.
    pub fn tag(&self) -> String {
        format!("pontoon-{:06x}-", self.instance)
    }

    /// A new object's id: larger than all before. An object has it before it is committed, so that a driver can be told.
    pub fn new_object_id(&self) -> i64 {
        self.object.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How often something was committed; state and table entries have the number of the commit that wrote them. Only calls compare it, and
    /// no call outlives the daemon, so no file need know it: it begins with the newest that there is.
    pub fn version(&self) -> i64 {
        self.version.load(Ordering::Acquire)
    }

    /// Reads a little. Where nobody writes it is by the writer's connection, which has in memory what it wrote: all others read each page again
    /// that has changed.
    fn look<T>(&self, query: impl FnOnce(&Connection) -> query::Result<T>) -> Result<T> {
        let writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(writer)) => writer.into_inner(),
            Err(TryLockError::WouldBlock) => return self.read(query),
        };
        query(&writer.connection).map_err(|fault| fault.at(&self.path))
    }

    /// Reads as much as it takes, beside the writer.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> query::Result<T>) -> Result<T> {
        let idle = hold(&self.readers).pop();
        let connection = idle.map_or_else(|| file::connect(&self.path), Ok)?;
        let answer = query(&connection).map_err(|fault| fault.at(&self.path));
        let mut readers = hold(&self.readers);
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        answer
    }

    fn write<T>(&self, durability: Durability, change: impl FnOnce(&Connection) -> query::Result<T>) -> Result<T> {
        self.write_then(durability, change, || ())
    }

    /// The same; what is done then is done before the next commit.
    fn write_then<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&Connection) -> query::Result<T>,
        then: impl FnOnce(),
    ) -> Result<T> {
        let mut writer = hold(&self.writer);
        let answer = writer.write(durability, change).map_err(|fault| fault.at(&self.path));
        // After the commit and before the next: whoever sees the number sees what was written.
        if answer.is_ok() {
            self.version.fetch_add(1, Ordering::Release);
            then();
        }
        self.checkpoints.committed(&writer.connection, &self.path);
        answer
    }
}

impl Writer {
    fn write<T>(
        &mut self,
        durability: Durability,
        change: impl FnOnce(&Connection) -> query::Result<T>,
    ) -> query::Result<T> {
        if self.durability != Some(durability) {
            self.durability = None;
            let level = if durability == Durability::Power { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = Some(durability);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }
}

/// A panic under the lock left no half transaction: it was rolled back on the way out.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
