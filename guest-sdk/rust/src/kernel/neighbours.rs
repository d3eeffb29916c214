//! Neighbour entries (which MAC has an address) and forwarding entries (which port or remote host has a MAC).

use std::net::IpAddr;

use crate::links::Link;
use crate::{MacAddress, Result, sys};

/// A permanent neighbour entry.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    /// The link that the neighbour is on.
    pub link: &'a Link,
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's MAC.
    pub mac_address: MacAddress,
}

/// A neighbour entry as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourInfo {
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's MAC.
    pub mac_address: MacAddress,
}

/// A permanent forwarding entry of a vxlan link (`remote` given) or of a bridge port.
#[derive(Clone, Copy, Debug)]
pub struct ForwardingEntry<'a> {
    /// The vxlan link or bridge port.
    pub link: &'a Link,
    /// Who is behind it.
    pub mac_address: MacAddress,
    /// The host to send to.
    pub remote: Option<IpAddr>,
}

/// A forwarding entry as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardingInfo {
    /// Who is behind the link.
    pub mac_address: MacAddress,
    /// The host to send to.
    pub remote: Option<IpAddr>,
}

/// An address that the host answers for on a link, as if it had it.
#[derive(Clone, Copy, Debug)]
pub struct Proxy<'a> {
    /// One of the driver's own or, which is a permission of its own (`parent-routes`), a parent.
    pub link: &'a Link,
    /// The address.
    pub address: IpAddr,
}

/// Has the host answer for addresses: to ARP where it forwards and has a route to the address by another link, to neighbour solicitations where it
/// forwards and the link's `Ipv6ProxyNdp` is set. The entries belong to the endpoint or network of the call.
///
/// # Errors
/// `AlreadyExists`: the host answers for that address there already. `Forbidden`: an address that is not the network's and in no range of the grant,
/// the host's own or a router's of its routes, or a parent without `parent-routes`. `NotFound`: the link is gone. `Unavailable`: the driver has as
/// many entries as its grant says.
pub fn add_proxies(proxies: &[Proxy]) -> Result<()> {
    sys::neighbours::add_proxies(proxies)
}

/// Has the host answer for them no more, when the call has returned ok. Ok for those that are not there.
///
/// # Errors
/// None to be expected.
pub fn remove_proxies(proxies: &[Proxy]) -> Result<()> {
    sys::neighbours::remove_proxies(proxies)
}

/// Adds neighbour entries. One of the same address is replaced.
///
/// # Errors
/// `NotFound`: a link is gone. `Forbidden`: an address that is not the network's, in no range of the grant, and not link-local. `Unavailable`:
/// the driver has as many entries as its grant says.
pub fn add(neighbours: &[Neighbour]) -> Result<()> {
    sys::neighbours::add(neighbours)
}

/// Removes neighbour entries. Ok for those that are not there.
///
/// # Errors
/// `Forbidden`: a link that is not the driver's own.
pub fn remove(neighbours: &[Neighbour]) -> Result<()> {
    sys::neighbours::remove(neighbours)
}

/// The permanent neighbour entries of a link.
///
/// # Errors
/// `NotFound`: the link is gone.
pub fn list(link: &Link) -> Result<Vec<NeighbourInfo>> {
    sys::neighbours::list(&link.0)
}

/// Adds forwarding entries. One of the same MAC is replaced.
///
/// # Errors
/// `NotFound`: a link is gone. `InvalidArgument`: a `remote` for what is no vxlan. `Unavailable`: the driver has as many entries as its grant says.
pub fn add_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    sys::neighbours::add_forwarding(entries)
}

/// Removes forwarding entries. Ok for those that are not there.
///
/// # Errors
/// `Forbidden`: a link that is not the driver's own.
pub fn remove_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    sys::neighbours::remove_forwarding(entries)
}

/// The permanent forwarding entries of a link.
///
/// # Errors
/// `NotFound`: the link is gone.
pub fn list_forwarding(link: &Link) -> Result<Vec<ForwardingInfo>> {
    sys::neighbours::list_forwarding(&link.0)
}
