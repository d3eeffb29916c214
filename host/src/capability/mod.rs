//! What drivers can import: one file for each WIT interface. Each function resolves what it was given, asks the gate, and hands what was granted to the
//! effect.
//!
//! - [`CallState`]: what a call has on the host's side; it answers what the driver asks
//! - [`handle`], [`convert`]: what handles and values stand for
//! - `capabilities`: libnetwork's call-back objects
//! - `namespaces`, `links` (`options`, `devices`, `wireguard`), `addresses`, `routes`, `rules`, `neighbours`, `shaping`, `nftables`, `sysctls`, `forwarding`, `ports`:
//!   the kernel
//! - `store`, `tables`, `log`, `clock`, `random`, `configuration`: the rest

mod addresses;
mod capabilities;
mod clock;
mod configuration;
pub mod convert;
mod devices;
mod forwarding;
mod frames;
pub mod handle;
mod links;
mod log;
mod namespaces;
mod neighbours;
mod nftables;
mod options;
mod packets;
mod ports;
mod random;
mod routes;
mod rules;
mod shaping;
mod state;
pub mod store;
mod sysctls;
pub mod tables;
mod wireguard;

pub use state::{CallState, Facts, Interface, Join, Names, NetworkFacts, StaticRoute};

use ask::Refusal;

/// What a host call answers.
pub type Answer<T> = Result<T, Refusal>;

/// Items of one list: several datagrams' worth; a driver that needs more asks again.
const ITEMS: usize = 1_000;

/// Refuses a list that is too long.
fn check_length<T>(items: &[T]) -> Answer<()> {
    if items.len() > ITEMS {
        return Err(Refusal::invalid(format!("at most {ITEMS} items at once; these are {}", items.len())));
    }
    Ok(())
}
