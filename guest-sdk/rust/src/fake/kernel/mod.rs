//! The kernel in memory.

pub(crate) mod addresses;
pub(crate) mod chains;
pub(crate) mod forwarding;
pub(crate) mod frames;
pub(crate) mod links;
pub(crate) mod namespaces;
pub(crate) mod neighbours;
pub(crate) mod nftables;
pub(crate) mod options;
pub(crate) mod packets;
pub(crate) mod ports;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod shaping;
pub(crate) mod sysctls;
pub(crate) mod wireguard;

use super::state::{self, Link};
use super::sys;
use crate::{Error, Result};

fn check_length<I>(items: &[I], most: usize) -> Result<()> {
    let count = items.len();
    if count > most { Err(Error::invalid_argument(format!("a list of {count}: at most {most}"))) } else { Ok(()) }
}

/// Refuses a link that is gone, or in another namespace than what it is for.
fn check_place(link: &sys::Link, namespace: u32) -> Result<()> {
    with_link(link.0, |link| link.namespace == namespace)?
        .then_some(())
        .ok_or_else(|| Error::invalid_argument("the link is in another namespace"))
}

/// Works on a link that must be there.
fn with_link<T>(id: u32, work: impl FnOnce(&mut Link) -> T) -> Result<T> {
    state::with(|state| state.links.get_mut(&id).map(work)).ok_or_else(|| Error::not_found("the link is gone"))
}

/// Does all of a list of at most 1,000 or, if one fails, nothing.
fn all_or_nothing<I, T>(items: &[I], work: impl FnOnce() -> Result<T>) -> Result<T> {
    check_length(items, 1_000)?;
    let before = state::with(|state| state.clone());
    let result = work();
    if result.is_err() {
        state::with(|state| *state = before);
    }
    result
}
