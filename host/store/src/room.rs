//! Room on the disk. SQLite writes into its log what it changes, and to remove a network it may change every page: so what is stored never
//! takes more of the disk than stays free, and whatever is there can be removed.

use std::path::Path;

use rusqlite::Connection;
use rustix::fs::statvfs;

use super::Store;
use super::error::Error;
use super::query::{Result, count};

/// Kept beside, for the log of the largest commit and what the log may have before it starts over. On a small disk it is an eighth.
const LOG: u64 = 32 << 20;

impl Store {
    /// Bytes that drivers may yet write.
    pub fn room(&self) -> super::Result<u64> {
        self.look(|c| room(c, &self.path))
    }
}

fn room(c: &Connection, path: &Path) -> Result<u64> {
    let disk = statvfs(path.parent().unwrap_or(path)).map_err(|e| Error::io(path, &e.into()))?;
    let sql = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let used = count(c, sql, [])? as u64;
    Ok(left(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize, used))
}

/// What is written takes away on both sides.
fn left(disk: u64, free: u64, used: u64) -> u64 {
    free.saturating_sub(used + LOG.min(disk / 8)) / 2
}

/// Refuses what a driver makes the store grow by, where what is left is for removals.
pub(super) fn check(c: &Connection, path: &Path) -> Result<()> {
    match room(c, path)? {
        0 => Err(Error::reserved(path).into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_stays_free_as_is_stored() {
        const MIB: u64 = 1 << 20;
        assert_eq!(left(1_024 * MIB, 732 * MIB, 100 * MIB), 300 * MIB);
        assert_eq!(left(1_024 * MIB, 132 * MIB, 100 * MIB), 0);
        assert_eq!(left(1_024 * MIB, 31 * MIB, 0), 0);
        assert_eq!(left(16 * MIB, 10 * MIB, 2 * MIB), 3 * MIB, "an eighth of a small disk");
    }
}
