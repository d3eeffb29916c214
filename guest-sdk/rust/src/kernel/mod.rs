//! The kernel, as typed operations on handles.
//!
//! - A driver reaches what it made for a network of its own, and what its grant names; anything else is `Forbidden`, and
//!   no list shows it.
//! - Functions that take a list do all of it or nothing, and hand it to the kernel together: give them the whole list.
//! - Where no namespace is given, it is the host's.
//!
//! Any of these functions may fail with `Forbidden`, or with whatever the kernel answers, its errno in the error. What
//! else is to be expected stands at the function.

pub mod addresses;
pub mod chains;
pub mod forwarding;
pub mod frames;
pub mod links;
pub mod namespaces;
pub mod neighbours;
pub mod nftables;
pub mod packets;
pub mod ports;
pub mod routes;
pub mod rules;
pub mod shaping;
pub mod sysctls;
