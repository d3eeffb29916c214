//! The component's side: SDK types to WIT types, the host's functions, and the exported functions.

pub mod bindings;
mod convert;
pub mod exports;
mod kernel;
mod state;

pub(crate) mod capabilities;

use bindings::imports::pontoon::driver as wit;

pub(crate) use kernel::{
    addresses, chains, forwarding, frames, links, namespaces, neighbours, nftables, options, packets, ports, routes,
    rules, shaping, sysctls, wireguard,
};
pub(crate) use state::{clock, configuration, log, random, store, tables};

pub(crate) use wit::capabilities::InterfaceNameInfo;
pub(crate) use wit::links::Link;
pub(crate) use wit::namespaces::Namespace;

/// Begins in the memory that the script `build-component` has set aside. The standard library's (Rust 1.95) asks the host for more at its
/// first use, which costs a call a quarter of what its sandbox does.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

pub(crate) type NetworkInfo<'call> = &'call wit::capabilities::NetworkInfo;
pub(crate) type InterfaceInfo<'call> = &'call wit::capabilities::InterfaceInfo;
pub(crate) type JoinInfo<'call> = &'call wit::capabilities::JoinInfo;
