//! Pontoon: a host that runs container network drivers as sandboxed WebAssembly components.
//!
//! The crates below this one, from the ground up; each knows only those before it:
//!
//! - `words`: checked text, errors with a kind, limits
//! - `ask`: all that a driver can ask and be answered, as values made from `wit/`
//! - `engine`: wasmtime: one call in a fresh instance
//! - `kernel`: netlink, nftables, settings and namespaces, with undo; a kernel in memory that passes the same tests
//! - `grant`: what a driver may do, and the one gate
//! - `operation`: what can be asked of Pontoon, and what it answers
//! - `store`: what must be known after the daemon was killed
//!
//! The modules of this one, in reading order:
//!
//! - [`frontend`]: turns a wire format into operations and their replies back
//! - [`controller`]: libnetwork's role: networks, endpoints, pools, sandboxes, the order of calls
//! - [`cluster`]: what hosts share, in etcd
//! - [`client`]: asks others over a unix socket, dockerd above all
//! - [`launcher`]: starts the processes in which drivers' code runs
//! - [`driver`]: loaded drivers: admission, compiling, cache
//! - [`distribution`]: drivers in registries, for the command line
//! - [`capability`]: answers what a driver asks, one file for each WIT interface
//! - [`answers`]: layers around that: the recorder, faults; and a recording in its place
//! - [`transaction`]: one call's changes: all of them or none
//! - [`reaper`]: deletes links in the background
//! - [`firewall`]: keeps the ACCEPT rules for links that forward in somebody else's firewall
//! - [`doctor`]: what stands between a machine and a working driver
//! - [`conformance`]: runs a driver through every part that it exports
//! - [`confine`]: what the process gives up
//! - [`place`], [`config`], [`serve`], [`cli`]: the program around it

pub mod answers;
#[cfg(test)]
mod architecture;
pub mod capability;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod config;
pub mod confine;
pub mod conformance;
pub mod controller;
pub mod distribution;
pub mod doctor;
pub mod driver;
pub mod firewall;
pub mod frontend;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod launcher;
pub mod place;
pub mod reaper;
pub mod serve;
pub mod transaction;
