//! libnetwork's life cycle: each of its steps once, whichever engine asks for it.
//!
//! A step takes values, calls the driver once where the driver has the part, and commits the records with what the call made: it happened,
//! or left nothing behind. Which engine asks no step knows. Docker's front end asks for single steps; `attach`, `endpoint` and `network`
//! compose them for an operator.
//!
//! - `network`: check gateways, allocate, free, create, delete
//! - `endpoint`: create, release IPv6, oper-info, delete
//! - `join`: join, leave
//! - `ipam`: pools and addresses of a driver that manages them: request and release, usage
//! - `connectivity`: program and revoke external connectivity

mod connectivity;
mod endpoint;
mod ipam;
mod join;
mod network;

use std::sync::Arc;

pub(super) use connectivity::gateways_of;
pub(super) use join::JoinSandbox;

use super::Inner;
use super::call::Calls;
use crate::driver::Driver;
use ask::Returned;
use words::{Error, Name, Result};

/// The steps of one driver, and the calls that they took so far.
pub(super) struct Steps<'a> {
    inner: &'a Inner,
    /// The driver.
    pub driver: Arc<Driver>,
    /// What it was called for.
    pub calls: Calls,
    /// What may not be as whoever asked expects.
    pub warnings: Vec<String>,
}

/// The engine answers a call with what that function returns.
fn unexpected(returned: &Returned) -> Error {
    Error::internal(format!("the engine answered with what another function returns: {returned:?}"))
}

impl Inner {
    /// The steps of a driver that can be called.
    pub(super) fn steps(&self, driver: &Name) -> Result<Steps<'_>> {
        Ok(Steps { inner: self, driver: self.drivers.get(driver)?, calls: Calls::default(), warnings: Vec::new() })
    }
}
