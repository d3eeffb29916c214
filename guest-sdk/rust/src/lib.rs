//! Write a container network driver as a WebAssembly component for Pontoon.
//!
//! - [`driver`]: what a driver is, a trait and an export macro for each part that it can have.
//! - [`capabilities`]: what a call is handed to work with.
//! - [`kernel`]: links, addresses, routes, rules, neighbours, nftables, sysctls, namespaces, forwarding.
//! - [`state`]: the store, tables, log, clock, random bytes, configuration.
//! - [`types`] and [`error`]: values.
//! - `fake`: a host in memory, for a driver's unit tests; not in the component.

pub mod capabilities;
pub mod driver;
pub mod error;
mod export;
pub mod kernel;
pub mod state;
pub mod types;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod component;
#[cfg(target_family = "wasm")]
use component as sys;

#[cfg(not(target_family = "wasm"))]
pub mod fake;
#[cfg(not(target_family = "wasm"))]
use fake::sys;

pub use capabilities::{InterfaceInfo, InterfaceNameInfo, JoinInfo, NetworkInfo, StaticRoute};
pub use driver::{
    Driver, ExternalConnectivity, GatewayAllocationChecker, Ipv6Releaser, NetworkAllocator, TableWatcher,
};
pub use error::{Context, Error, ErrorKind, Result};
pub use kernel::{addresses, forwarding, links, namespaces, neighbours, nftables, routes, rules, sysctls};
pub use state::{clock, configuration, log, random, store, tables};
pub use types::{
    Capability, EndpointOptions, IpamData, MacAddress, NetworkOptions, ObjectType, PortBinding, Protocol, Registration,
    Scope, SkipGateway, TableEvent, TextMap, TransportPort,
};
// Part of the public functions: a driver takes the version that they have.
pub use ipnet;
