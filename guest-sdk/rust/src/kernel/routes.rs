//! Routes through the driver's own links, in its namespaces and on the host. (A container's routes are
//! [`JoinInfo`](crate::JoinInfo)'s.)

use std::net::IpAddr;

use ipnet::IpNet;

use crate::links::Link;
use crate::{Result, sys};

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The link that packets leave through.
    pub link: &'a Link,
    /// In one of the network's pools, or in a range that the grant names. A default route is a permission of its own.
    pub destination: IpNet,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The source address of packets from the host itself.
    pub source: Option<IpAddr>,
    /// The routing table; none: main (254).
    pub table: Option<u32>,
    /// The lower, the sooner.
    pub metric: Option<u32>,
}

impl<'a> Route<'a> {
    /// A route directly through a link, and nothing else said.
    pub fn new(link: &'a Link, destination: IpNet) -> Self {
        Self { link, destination, gateway: None, source: None, table: None, metric: None }
    }
}

/// A route as the kernel has it, without its source address: see [`WholeRoute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// Where packets go.
    pub destination: IpNet,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The routing table.
    pub table: u32,
    /// The lower, the sooner.
    pub metric: Option<u32>,
}

/// A route with all that names it: [`remove`] of the same values removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeRoute {
    /// Where packets go.
    pub destination: IpNet,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The source address of packets from the host itself.
    pub source: Option<IpAddr>,
    /// The routing table.
    pub table: u32,
    /// The lower, the sooner.
    pub metric: Option<u32>,
}

/// Adds routes.
///
/// # Errors
/// `AlreadyExists`: there is one with that destination, table and metric. `Forbidden`: a destination that the grant does not name, or a table of
/// the kernel's own. `NotFound`: the link is gone. `Unavailable`: the driver has as many as its grant says. `InvalidArgument`: an IPv4 gateway
/// for an IPv6 destination.
pub fn add(routes: &[Route]) -> Result<()> {
    sys::routes::add(routes)
}

/// Removes routes, each named by all of its values. Ok for those that are not there.
///
/// # Errors
/// `Forbidden`: a link that is not the driver's own.
pub fn remove(routes: &[Route]) -> Result<()> {
    sys::routes::remove(routes)
}

/// The routes through a link that this driver made, without their source addresses: see [`list_whole`].
///
/// # Errors
/// `NotFound`: the link is gone.
pub fn list(link: &Link) -> Result<Vec<RouteInfo>> {
    sys::routes::list(&link.0)
}

/// The same with their source addresses.
///
/// # Errors
/// `NotFound`: the link is gone.
pub fn list_whole(link: &Link) -> Result<Vec<WholeRoute>> {
    sys::routes::list_whole(&link.0)
}
