//! Front ends: each turns its wire format into operations and their replies back. None knows wasm or netlink.
//!
//! - [`admin`]: HTTP and JSON on a unix socket, for the command line and other programs
//! - [`docker`]: dockerd's plugin protocol, a unix socket for each driver
//! - [`http`]: what both have in common

pub mod admin;
pub mod docker;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod http;
