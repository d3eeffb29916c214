//! Addresses on links.

use ipnet::IpNet;

use crate::links::Link;
use crate::{Result, sys};

/// An address of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkAddress<'a> {
    /// The link.
    pub link: &'a Link,
    /// In one of the network's pools, or in a range that the grant names.
    pub address: IpNet,
}

/// Adds addresses, IPv6 ones without duplicate address detection.
///
/// # Errors
/// `AlreadyExists`: a link has it already. `Forbidden`: an address in none of the pools and ranges, or a network that is wider than them.
/// `NotFound`: the link is gone. `Unavailable`: the driver has as many as its grant says.
pub fn add(addresses: &[LinkAddress]) -> Result<()> {
    sys::addresses::add(addresses)
}

/// Removes addresses. Ok for those that are not there.
///
/// # Errors
/// `Forbidden`: a link that is not the driver's own.
pub fn remove(addresses: &[LinkAddress]) -> Result<()> {
    sys::addresses::remove(addresses)
}

/// The addresses of a link.
///
/// # Errors
/// `NotFound`: the link is gone.
pub fn list(link: &Link) -> Result<Vec<IpNet>> {
    sys::addresses::list(&link.0)
}
