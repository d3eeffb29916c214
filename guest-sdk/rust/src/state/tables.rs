//! The tables of the call's network: entries that all hosts of a cluster see, each owned by who made it.
//!
//! Table names: 1 to 128 bytes of printable ASCII without `/`. Keys: 1 to 256 bytes of printable ASCII. Values: at most
//! 64 KiB.

use crate::{Result, sys};

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// This host made it, by this driver.
    pub is_own: bool,
}

/// The entry of a key.
///
/// # Errors
/// `InvalidArgument`: a table or key that can't be used. `Forbidden`: a table that the grant does not name.
pub fn get(table: &str, key: &str) -> Result<Option<Entry>> {
    sys::tables::get(table, key)
}

/// All entries, of every owner, in the order of their keys.
///
/// # Errors
/// `InvalidArgument`: a table that can't be used. `Forbidden`: one that the grant does not name.
pub fn list(table: &str) -> Result<Vec<Entry>> {
    sys::tables::list(table)
}

/// Makes an entry or replaces one of its own. An endpoint's call makes it the endpoint's: it goes when that one leaves.
///
/// # Errors
/// `InvalidArgument`: a table, key or value that can't be used. `Forbidden`: the entry is another owner's, or the grant does not name the table.
/// `Unavailable`: a limit of the grant.
pub fn put(table: &str, key: &str, value: &[u8]) -> Result<()> {
    sys::tables::put(table, key, value)
}

/// Removes an entry of its own.
///
/// # Errors
/// `InvalidArgument`: a table or key that can't be used. `Forbidden`: the entry is another owner's, or the grant does not name the table.
/// `NotFound`: there is none.
pub fn remove(table: &str, key: &str) -> Result<()> {
    sys::tables::remove(table, key)
}
