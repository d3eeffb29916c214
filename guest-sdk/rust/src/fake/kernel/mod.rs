//! The kernel in memory.

pub(crate) mod addresses;
pub(crate) mod forwarding;
pub(crate) mod links;
pub(crate) mod namespaces;
pub(crate) mod neighbours;
pub(crate) mod nftables;
pub(crate) mod ports;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod sysctls;

use super::state::{self, Link};
use crate::{Error, Result};

/// Works on a link that must be there.
fn with_link<T>(id: u32, work: impl FnOnce(&mut Link) -> T) -> Result<T> {
    state::with(|state| state.links.get_mut(&id).map(work)).ok_or_else(|| Error::not_found("the link is gone"))
}

/// Does all of a list or, if one fails, nothing.
fn all_or_nothing<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = state::with(|state| state.clone());
    let result = work();
    if result.is_err() {
        state::with(|state| *state = before);
    }
    result
}
