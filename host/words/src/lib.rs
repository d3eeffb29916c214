//! What everything else is said with: checked text, errors with a kind, limits.
//!
//! - [`Name`], [`Id`], [`LinkName`], [`MacAddress`]: checked once, where they come in
//! - [`Error`]: a [`Kind`], a message, an errno
//! - [`limit`]: how much a driver's call, and everything that outlives it, may have
//! - [`foreign`]: text that came from outside
//! - [`file`]: TOML, digests, files that are there whole or not at all

mod error;
pub mod file;
pub mod foreign;
pub mod limit;
mod link;
mod text;

use std::time::{SystemTime, UNIX_EPOCH};

pub use error::{Error, Kind, Result, Specific};
pub use link::{LinkName, MacAddress};
pub use text::{Id, Name};

/// Seconds since 1970-01-01T00:00:00Z, by this host's clock: for whatever is compared by age.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
