//! HTTP on unix sockets, as all front ends serve it.
//!
//! - [`socket`], [`peer`]: a socket's file, and who may connect
//! - [`serve`], [`serve_within`], `patience`: connections, each with its time limits; [`After`]: what becomes of them at the end
//! - [`read`]: a request's body
//! - [`limits`]: what a client may take of the daemon

mod body;
pub mod limits;
mod patience;
pub mod peer;
mod server;
pub mod socket;

pub use body::{Unread, read};
pub use server::{After, serve, serve_within};
