//! Write a container network driver as a WebAssembly component for Pontoon.
//!
//! A driver is a type with the trait [`Driver`] and the macro [`export_driver!`]; each further thing that it can do is one more
//! trait and macro. This one gives every network a bridge and every container a pair of links:
//!
//! ```
//! use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
//! use pontoon_sdk::*;
//!
//! struct Simple;
//!
//! export_driver!(Simple);
//!
//! impl Driver for Simple {
//!     fn register() -> Registration {
//!         Registration::new("simple")
//!     }
//!
//!     fn create_network(network: &str, options: &NetworkOptions, _: &NetworkInfo, ipv4: &[IpamData], _: &[IpamData]) -> Result<()> {
//!         let addresses = ipv4.iter().filter_map(|data| data.gateway).collect();
//!         let mtu = options.generic.parse("com.docker.network.driver.mtu")?;
//!         let bridge = LinkEnd { mtu, addresses, up: true, ..LinkEnd::named(name("simple", network)) };
//!         links::add_one(LinkSpec::bridge(bridge)).map(drop)
//!     }
//!
//!     fn delete_network(_: &str) -> Result<()> {
//!         Ok(()) // What a network still owns goes with it.
//!     }
//!
//!     fn create_endpoint(network: &str, endpoint: &str, info: &InterfaceInfo, _: &EndpointOptions) -> Result<()> {
//!         let mac_address = info.mac_address().unwrap_or_else(MacAddress::random);
//!         if info.mac_address().is_none() {
//!             info.set_mac_address(mac_address)?;
//!         }
//!         let bridge = links::get(None, &name("simple", network))?;
//!         let mtu = Some(bridge.info()?.mtu);
//!         let host = LinkEnd { mtu, master: Some(&bridge), up: true, ..LinkEnd::named(name("host", endpoint)) };
//!         let container = LinkEnd { mtu, mac_address: Some(mac_address), ..LinkEnd::named(name("cont", endpoint)) };
//!         links::add_one(LinkSpec::veth(host, container)).map(drop)
//!     }
//!
//!     fn delete_endpoint(_: &str, _: &str) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     fn join(_: &str, endpoint: &str, _: &str, info: &JoinInfo, _: &EndpointOptions) -> Result<()> {
//!         let link = links::get(None, &name("cont", endpoint))?;
//!         info.interface_name().set_names(&link, "eth", None)
//!     }
//! }
//!
//! /// The kernel's names have at most 15 bytes, and ids may begin alike: a hash (FNV-1a).
//! fn name(prefix: &str, id: &str) -> String {
//!     let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
//!     format!("{prefix}-{:08x}", id.bytes().fold(0x811c_9dc5, mix))
//! }
//!
//! // A test needs no host: on other targets than WebAssembly there is one in memory.
//! let network = fake::Network::<Simple>::new("blue").pool("10.0.0.0/24");
//! network.create()?;
//! let endpoint = network.endpoint("web").address("10.0.0.2/24");
//! endpoint.create()?;
//! assert_eq!(endpoint.join()?.prefix, "eth");
//! assert_eq!(fake::link(&name("host", "web")).unwrap().master.unwrap(), name("simple", "blue"));
//! # Ok::<_, Error>(())
//! ```
//!
//! Four things are worth knowing:
//! - Every call runs in a fresh instance. What is to be remembered goes into the [`store`].
//! - Every call is a transaction. What it changed stays if it returns `Ok`, and is undone if it returns an error or panics.
//! - There is no WASI: files, sockets, `std::time` and `println!` do nothing or panic. Use [`log`](mod@log), [`clock`], [`random`].
//! - The allocator is the SDK's: it begins in the memory that `build-component` sets aside, so that most calls need no more.
//!
//! `pontoon driver new NAME` makes a project of this driver. The crate type is `cdylib` (and `rlib` for tests), the target
//! `wasm32-unknown-unknown` with `wasm-component-ld` as linker: the project's script `build-component` knows how.
//!
//! - [`driver`]: what a driver is, a trait and an export macro for each part that it can have.
//! - [`capabilities`]: what a call is handed to work with.
//! - [`kernel`]: links, addresses, routes, rules, neighbours, shaping, nftables, sysctls, namespaces, forwarding, ports of the host.
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
    Driver, ExternalConnectivity, GatewayAllocationChecker, Ipam, Ipv6Releaser, Migration, NetworkAllocator,
    TableWatcher,
};
pub use error::{Context, Error, ErrorKind, Result};
pub use kernel::{
    addresses, chains, forwarding, frames, links, namespaces, neighbours, nftables, packets, ports, routes, rules,
    shaping, sysctls,
};
pub use state::{clock, configuration, log, random, store, tables};
pub use types::{
    AddressRequest, AllocatedPool, Capability, EndpointOptions, IpamData, IpamRegistration, MacAddress, NetworkOptions,
    ObjectType, PoolRequest, PoolUsage, PortBinding, Protocol, Purpose, Registration, Scope, SkipGateway, TableEvent,
    TextMap, TransportPort,
};
// Part of the public functions: a driver takes the version that they have.
pub use ipnet;
