//! The neutral words between front ends and controller: what can be asked for, what is answered, and errors with a kind.
//!
//! - [`Name`] and [`Id`]: checked text
//! - [`Error`]: a kind, a message, an errno
//! - [`network`], [`endpoint`], [`driver`], [`table`]: requests and replies, one file per object
//! - [`finding`]: what `pontoon doctor` found
//! - [`recording`]: calls of a driver, kept whole
//! - [`engine`]: what a container engine asks of a network driver, with ids and addresses of its own choice

pub mod driver;
pub mod endpoint;
pub mod engine;
mod error;
pub mod finding;
pub mod network;
pub mod recording;
pub mod table;
mod text;

use std::time::{SystemTime, UNIX_EPOCH};

pub use error::{Error, Kind, Result};
pub use text::{Id, Name};

/// Seconds since 1970-01-01T00:00:00Z, by this host's clock: for whatever is compared by age.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
