//! What the store refuses: one line each, with the path of the file where that is what matters.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rustix::fs::statvfs;
use rustix::io::Errno;

/// A result of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the store refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file was written by a newer Pontoon.
    #[error("{} has schema {found} and this Pontoon knows up to {known}: start the newer Pontoon", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's schema.
        found: u32,
        /// This program's, [`SCHEMA`](super::SCHEMA).
        known: u32,
    },
    /// Another daemon works with this folder.
    #[error("{} is in use by another Pontoon: stop it, or choose another state folder", path.display())]
    Busy {
        /// The state folder.
        path: PathBuf,
    },
    /// The file is not a whole database of Pontoon's.
    #[error("{} is no usable database: {reason}; move it away or restore a copy", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What a batch had read has changed since.
    #[error("overtaken: {0} has changed")]
    Conflict(String),
    /// A name, a subnet or an address is taken.
    #[error("{0}")]
    Exists(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A value that can't be used.
    #[error("{0}")]
    Invalid(String),
    /// All addresses or subnets are taken.
    #[error("{0}")]
    Exhausted(String),
    /// An answer that has more bytes than one may.
    #[error("{0}")]
    TooLong(String),
    /// The disk or SQLite failed.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system or SQLite said.
        reason: String,
    },
}

impl Error {
    /// There is no room to write.
    fn full(path: &Path) -> Self {
        let reason = "there is no room left on its disk: make some, and try again".into();
        Self::Io { path: path.to_owned(), reason }
    }

    /// There is room, but it is kept.
    pub(super) fn reserved(path: &Path) -> Self {
        let reason = "what is left of its disk is kept for removals: make room there, or remove networks".into();
        Self::Io { path: path.to_owned(), reason }
    }

    /// An error of the file system.
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::full(path);
        }
        Self::Io { path: path.to_owned(), reason: error.to_string() }
    }

    /// A file that can't be used.
    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::NotADatabase { path: path.to_owned(), reason: reason.into() }
    }
}

impl words::Specific for Error {}

impl From<Error> for words::Error {
    fn from(error: Error) -> Self {
        use words::Kind;
        let kind = match &error {
            Error::Exists(_) => Kind::AlreadyExists,
            Error::NotFound(_) => Kind::NotFound,
            Error::Invalid(_) => Kind::InvalidArgument,
            Error::Conflict(_) | Error::Exhausted(_) | Error::TooLong(_) | Error::Busy { .. } => Kind::Unavailable,
            Error::Newer { .. } | Error::NotADatabase { .. } | Error::Io { .. } => Kind::Internal,
        };
        let exhausted = matches!(error, Error::Exhausted(_)).then_some(Errno::ADDRNOTAVAIL.raw_os_error());
        Self { errno: exhausted, ..Self::new(kind, error.to_string()) }
    }
}

/// Bytes without which SQLite can't begin to write: a page of its log and the index of that, which it maps. It says then that the disk
/// failed.
const LEAST_ROOM: u64 = 64 << 10;

fn is_full(path: &Path) -> bool {
    statvfs(path.parent().unwrap_or(path)).is_ok_and(|disk| disk.f_bavail * disk.f_frsize < LEAST_ROOM)
}

/// An error on its way out, before the path is known.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite's.
    Sql(rusqlite::Error),
    /// A record that can't be read: which.
    Record(String),
    /// Complete.
    Told(Error),
}

impl Fault {
    /// Adds the path of the database.
    pub(super) fn at(self, path: &Path) -> Error {
        match self {
            Self::Told(error) => error,
            Self::Record(which) => Error::damaged(path, which),
            Self::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::damaged(path, error.to_string()),
                _ if is_full(path) => Error::full(path),
                _ => Error::Io { path: path.to_owned(), reason: error.to_string() },
            },
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}
