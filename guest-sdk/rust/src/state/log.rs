//! Lines for the operator, who sees them with the driver's, the network's and the endpoint's name.
//!
//! At most 1,024 bytes of a line are kept, and 256 lines of a call.

use crate::sys;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the driver's author.
    Debug,
    /// What happened.
    Info,
    /// What may be wrong.
    Warn,
    /// What went wrong.
    Error,
}

/// Writes a line.
pub fn log(level: Level, message: impl AsRef<str>) {
    sys::log::log(level, message.as_ref());
}

/// Writes a line for the driver's author.
pub fn debug(message: impl AsRef<str>) {
    log(Level::Debug, message);
}

/// Writes what happened.
pub fn info(message: impl AsRef<str>) {
    log(Level::Info, message);
}

/// Writes what may be wrong.
pub fn warn(message: impl AsRef<str>) {
    log(Level::Warn, message);
}

/// Writes what went wrong.
pub fn error(message: impl AsRef<str>) {
    log(Level::Error, message);
}
