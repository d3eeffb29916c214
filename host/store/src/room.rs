//! Room on the disk. What drivers write ends where there is just so much left that all of it can be removed: SQLite needs room for that, too.

use std::path::Path;

use rusqlite::Connection;
use rustix::fs::statvfs;

use super::Store;
use super::error::Error;
use super::query::{Result, count};

/// Kept for removals: the log of the largest commit, and of the removal of a network of which a page holds little else. On a small disk it
/// is a quarter.
const RESERVE: u64 = 32 << 20;

impl Store {
    /// Bytes that drivers may yet write.
    pub fn room(&self) -> super::Result<u64> {
        self.read(|c| room(c, &self.path))
    }
}

/// What is free on the disk and in the file, without the reserve.
fn room(c: &Connection, path: &Path) -> Result<u64> {
    let disk = statvfs(path.parent().unwrap_or(path)).map_err(|e| Error::io(path, &e.into()))?;
    let free = count(c, "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size", [])?;
    let reserve = RESERVE.min(disk.f_blocks * disk.f_frsize / 4);
    Ok((disk.f_bavail * disk.f_frsize + free as u64).saturating_sub(reserve))
}

/// Refuses what a driver makes the store grow by, where only the reserve is left.
pub(super) fn check(c: &Connection, path: &Path) -> Result<()> {
    match room(c, path)? {
        0 => Err(Error::reserved(path).into()),
        _ => Ok(()),
    }
}
