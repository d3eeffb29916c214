//! Calls of a driver.

use super::state::{self, Owner};
use crate::Result;

/// Runs a function as a call of this network, and of this endpoint if one is given: what it changed is undone if it
/// answers an error. [`Network`](super::Network) and [`Endpoint`](super::Endpoint) go through here.
///
/// # Errors
/// The function's.
pub fn call<T>(network: &str, endpoint: Option<&str>, function: impl FnOnce() -> Result<T>) -> Result<T> {
    let owner = Owner { network: network.to_owned(), endpoint: endpoint.map(str::to_owned) };
    let before = state::with(|state| {
        state.owner = owner;
        state.clone()
    });
    let result = function();
    if result.is_err() {
        state::with(|state| {
            let log = std::mem::take(&mut state.log);
            *state = state::State { log, ..before };
        });
    }
    result
}
