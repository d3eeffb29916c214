//! The state folder and the file in it: one daemon's at a time, made whole or not at all, and looked at before SQLite
//! may touch it.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::rand::{GetRandomFlags, getrandom};

use super::SCHEMA;
use super::error::{Error, Fault, Result};
use super::{meta, query};

/// What makes each version of the layout of the one before.
pub(super) const STEPS: [&str; SCHEMA as usize] = [
    include_str!("schema.sql"),
    include_str!("schema2.sql"),
    include_str!("schema3.sql"),
    include_str!("schema4.sql"),
    include_str!("schema5.sql"),
    include_str!("schema6.sql"),
    include_str!("schema7.sql"),
];
/// "Pont": `PRAGMA application_id`, so that another program's database is not taken for an old one of ours.
pub(super) const APPLICATION: u32 = 0x506f_6e74;
/// Bytes of a page of a new file. A commit changes a little on many pages, and each goes into the log whole.
pub(super) const PAGE: u32 = 2048;
/// Bits of an instance: what a link's group has room for beside the state.
const INSTANCE_BITS: u32 = 22;
/// The statements of the store are about 80.
const STATEMENTS: usize = 128;
/// How SQLite works with the file: it locks it once for this process, and what the process's connections have to agree on is in its memory
/// (sqlite.org/vfs.html). Another process finds the database locked.
const ALONE: &str = "unix-excl";
/// Connections of one process wait for each other only while one recovers the log.
const PATIENCE: Duration = Duration::from_secs(10);
/// The log is cut back to this size when it starts over: more is the rest of a burst.
pub(super) const LOG_BYTES: u32 = 8 << 20;

/// A folder that no other process has.
#[derive(Debug)]
pub(super) struct Lock(pub(super) File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone leaves the lock with a process that another thread has just forked, until that begins its program.
        let _ = self.0.unlock();
    }
}

/// Makes the folder if it is not there, and takes it.
pub(super) fn lock(folder: &Path) -> Result<Lock> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| Error::io(folder, &e))?;
    let path = folder.join("lock");
    let file = words::file::open_own(&path).map_err(|e| Error::io(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(e)) => Err(Error::io(&path, &e)),
    }
}

/// The database of a locked folder, made if there is none.
pub(super) fn database(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("pontoon.db");
    for beside in ["pontoon.db-wal", "pontoon.db-shm"].map(|name| folder.join(name)) {
        // SQLite would wait in front of a pipe.
        match words::file::open_regular(&beside) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io(&beside, &e)),
            _ => {}
        }
    }
    match look(&path)? {
        true => Ok(path),
        false if log_of(&path).exists() => {
            // SQLite would replay the log of the lost file into the new one.
            Err(Error::damaged(&path, "the file is gone but its log pontoon.db-wal is there"))
        }
        false => make(folder, &path).map(|()| path),
    }
}

/// Reads the header (sqlite.org/fileformat.html, 1.3) without SQLite, which would move the log of a newer file. False:
/// there is no file.
pub(super) fn look(path: &Path) -> Result<bool> {
    let mut file = match words::file::open_regular(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        file => file.map_err(|e| Error::io(path, &e))?,
    };
    let mut header = [0; 100];
    match file.read_exact(&mut header) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
            return Err(Error::damaged(path, "it is cut off in its first 100 bytes"));
        }
        read => read.map_err(|e| Error::io(path, &e))?,
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(Error::damaged(path, "it is no SQLite file"));
    }
    let word = |at: usize| header[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    if word(68) != APPLICATION {
        return Err(Error::damaged(path, "it is another program's"));
    }
    fits(path, word(60))?;
    let length = file.metadata().map_err(|e| Error::io(path, &e))?.len();
    // While the log is being moved a file can be shorter than it says, and the log has the rest.
    let page = u64::from(word(16) >> 16);
    if length < u64::from(word(28)) * page && !log_of(path).metadata().is_ok_and(|log| log.len() > 0) {
        return Err(Error::damaged(path, format!("it is cut off after {length} bytes")));
    }
    Ok(true)
}

/// The write-ahead log of a database.
pub(super) fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

fn fits(path: &Path, found: u32) -> Result<()> {
    match found {
        1..=SCHEMA => Ok(()),
        0 => Err(Error::damaged(path, "it has no schema version")),
        _ => Err(Error::Newer { path: path.to_owned(), found, known: SCHEMA }),
    }
}

/// Makes the database under another name, so that a process that is killed meanwhile leaves none rather than half of
/// one.
fn make(folder: &Path, path: &Path) -> Result<()> {
    let draft = folder.join("pontoon.db.new");
    let io = |e: std::io::Error| Error::io(&draft, &e);
    words::file::open_own(&draft).and_then(|file| file.set_len(0)).map_err(io)?;
    fill(&draft).map_err(|fault| fault.at(&draft))?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(&draft, path).map_err(io)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io(folder, &e))
}

fn fill(draft: &Path) -> query::Result<()> {
    let mut connection = Connection::open_with_flags(draft, flags())?;
    connection.pragma_update(None, "page_size", PAGE)?;
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    step(&transaction, 0)?;
    meta::set(&transaction, "instance", &random_instance(draft)?.to_string())?;
    transaction.commit()?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    Ok(connection.close().map_err(|(_, e)| e)?)
}

/// Brings a layout of this version up to date.
fn step(c: &Connection, from: u32) -> query::Result<()> {
    for sql in &STEPS[from as usize..] {
        c.execute_batch(sql)?;
    }
    Ok(c.pragma_update(None, "user_version", SCHEMA)?)
}

fn random_instance(path: &Path) -> Result<u32> {
    let mut bytes = [0; 4];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|e| Error::io(path, &e.into()))?;
    // Never 0: a link that nobody marked has group 0.
    Ok((u32::from_ne_bytes(bytes) >> (32 - INSTANCE_BITS)).max(1))
}

/// No mutex: whoever has a connection has it alone. No URI: a folder's name can hold a `?`.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// A connection to the database.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let open = || -> query::Result<Connection> {
        let connection = Connection::open_with_flags_and_vfs(path, flags(), ALONE)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A statement is planned once: without this it is again for each value that is compared with a partial index's column.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // Nothing in the system's temporary folder: the daemon can't reach it.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|fault| fault.at(path))
}

/// The first connection: reads the whole file once, because a damaged page is better met here than in the middle of a
/// call. Answers the instance too.
pub(super) fn inspect(path: &Path) -> Result<(Connection, u32)> {
    let mut connection = connect(path)?;
    let told = |fault: Fault| fault.at(path);
    let sql = |e: rusqlite::Error| told(e.into());
    // Until all is well nothing may change, and closing would move the log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sql)?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql)?;
    fits(path, version)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
    if verdict != "ok" {
        return Err(Error::damaged(path, verdict.replace('\n', " ")));
    }
    let instance = meta::get(&connection, "instance").map_err(told)?;
    let instance = instance.and_then(|text| text.parse().ok()).filter(|id| (1..1 << INSTANCE_BITS).contains(id));
    let instance = instance.ok_or_else(|| Error::damaged(path, "it has no instance id"))?;
    if version < SCHEMA {
        let transaction = connection.transaction().map_err(sql)?;
        step(&transaction, version).map_err(told)?;
        transaction.commit().map_err(sql)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sql)?;
    Ok((connection, instance))
}
