//! Routes through the driver's own links, in its namespaces and on the host. (A container's routes are
//! [`JoinInfo`](crate::JoinInfo)'s.)

use std::net::IpAddr;

use ipnet::IpNet;

use crate::links::Link;
use crate::namespaces::Namespace;
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

/// A next hop of a [`Path`].
#[derive(Clone, Copy, Debug)]
pub struct NextHop<'a> {
    /// One of the driver's own or, which is a permission of its own (`parent-routes`), a parent.
    pub link: &'a Link,
    /// None: directly on the link. By a parent, it lies in a range that the grant names for routes.
    pub gateway: Option<IpAddr>,
    /// The gateway is on the link, whatever other routes say.
    pub on_link: bool,
    /// Its share of the connections, 1 to 256.
    pub weight: u16,
}

impl<'a> NextHop<'a> {
    /// A gateway by a link, which other routes say is there.
    pub fn by(link: &'a Link, gateway: IpAddr) -> Self {
        Self { link, gateway: Some(gateway), on_link: false, weight: 1 }
    }
}

/// What becomes of the packets of a [`Path`].
#[derive(Clone, Debug)]
pub enum Way<'a> {
    /// They are dropped, and nobody is told.
    Blackhole,
    /// They are dropped, and their sender is told that nothing leads there.
    Unreachable,
    /// They are dropped, and their sender is told that it is prohibited.
    Prohibit,
    /// They go on by one of these, each connection by the same: 1 to 16. Of several, each has a gateway.
    NextHops(Vec<NextHop<'a>>),
}

/// A route with more than a [`Route`] has: several next hops, one by a parent, or none.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    /// In one of the network's pools, or in a range that the grant names. A default route is a permission of its own.
    pub destination: IpNet,
    /// What becomes of packets.
    pub way: Way<'a>,
    /// The source address of packets from the namespace itself.
    pub source: Option<IpAddr>,
    /// The routing table; none: main (254).
    pub table: Option<u32>,
    /// The lower, the sooner.
    pub metric: Option<u32>,
    /// The largest packet in bytes, 68 to 65,520; none: the link's MTU.
    pub mtu: Option<u32>,
}

impl<'a> Path<'a> {
    /// A path, and nothing else said.
    pub fn new(destination: IpNet, way: Way<'a>) -> Self {
        Self { destination, way, source: None, table: None, metric: None, mtu: None }
    }

    /// What names it.
    pub fn name(&self) -> PathName {
        let &Self { destination, table, metric, .. } = self;
        PathName { destination, table, metric }
    }
}

/// What names a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathName {
    /// Where packets go.
    pub destination: IpNet,
    /// The routing table; none: main (254).
    pub table: Option<u32>,
    /// The lower, the sooner.
    pub metric: Option<u32>,
}

/// Adds paths in one namespace, none: the host's. They belong to the endpoint or network of the call, and go with each of the driver's own links
/// that they go by.
///
/// # Errors
/// `AlreadyExists`: there is a route with that destination, table and metric. `Forbidden`: a destination, a table or a gateway by a parent that
/// the grant does not name, what the host reaches without the driver, or a parent without `parent-routes`. `InvalidArgument`: a way that can't be.
/// `NotFound`: a link is gone. `Unavailable`: the driver has as many as its grant says.
pub fn add_paths(namespace: Option<&Namespace>, paths: &[Path]) -> Result<()> {
    sys::routes::add_paths(namespace.map(|n| &n.0), paths)
}

/// Removes paths of the call's network, when the call has returned ok. Ok for those that are not there.
///
/// # Errors
/// `Forbidden`: a namespace that the grant does not name.
pub fn remove_paths(namespace: Option<&Namespace>, paths: &[PathName]) -> Result<()> {
    sys::routes::remove_paths(namespace.map(|n| &n.0), paths)
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
