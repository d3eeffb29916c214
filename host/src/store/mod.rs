//! The embedded store: what Pontoon must still know after it was killed.

mod batch;
mod error;
mod record;
mod stub;

pub use batch::{Batch, Check, Durability, Write};
pub use error::{Error, Result};
pub use record::{Driver, Endpoint, Lease, ListVersion, Network, Object, TableEntry, Thing, Undelivered};
pub use stub::Store;

/// The version of the file's layout that this program writes and reads.
pub const SCHEMA: u32 = 1;

/// The owner of the entries that a network's driver on this host made.
pub const OWN: &str = "self";
