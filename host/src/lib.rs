//! Pontoon: a host that runs container network drivers as sandboxed WebAssembly components.
//!
//! One way through the code, in reading order:
//!
//! - [`operation`]: the neutral words: requests, replies, errors with a kind
//! - [`frontend`]: turns a wire format into operations and their replies back
//! - [`controller`]: libnetwork's role: networks, endpoints, pools, sandboxes, the order of calls
//! - [`driver`]: loaded drivers: admission, compiling, cache
//! - [`engine`]: wasmtime: one call in a fresh instance
//! - [`capability`]: what a driver can import, one file for each WIT interface
//! - [`grant`]: what a driver may do, and the one gate
//! - [`transaction`]: one call's changes: all of them or none
//! - [`reaper`]: deletes links in the background
//! - [`firewall`]: keeps links that forward excepted from somebody else's firewall
//! - [`kernel`]: netlink, nftables, settings and namespaces
//! - [`store`]: what must be known after the daemon was killed
//! - [`doctor`]: what stands between a machine and a working driver
//! - [`conformance`]: runs a driver through every part that it exports
//! - [`confine`]: what the process gives up
//! - [`config`], [`serve`], [`cli`]: the program around it

pub mod capability;
pub mod cli;
pub mod config;
pub mod confine;
pub mod conformance;
pub mod controller;
pub mod doctor;
pub mod driver;
pub mod engine;
pub mod firewall;
pub mod frontend;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod grant;
pub mod kernel;
pub mod operation;
pub mod reaper;
pub mod serve;
pub mod store;
pub mod transaction;
