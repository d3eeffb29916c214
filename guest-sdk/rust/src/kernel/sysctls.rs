//! Kernel settings, by name from a list; a driver never says a path.

use crate::links::Link;
use crate::namespaces::Namespace;
use crate::{Result, sys};

/// Settings of a link: /proc/sys/net/{ipv4,ipv6}/{conf,neigh}/LINK/.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the kernel's names; Documentation/networking/ip-sysctl.rst explains them")]
pub enum LinkSysctl {
    Ipv4ArpIgnore,
    Ipv4ArpAnnounce,
    Ipv4Forwarding,
    Ipv4LogMartians,
    Ipv4ProxyArp,
    Ipv4RouteLocalnet,
    Ipv4RpFilter,
    Ipv4SendRedirects,
    Ipv6AcceptDad,
    Ipv6AcceptRa,
    Ipv6Disable,
    Ipv6Forwarding,
    Ipv6ProxyNdp,
}

/// Settings of a whole namespace. The host's are `Forbidden` unless the grant names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceSysctl {
    /// net.ipv4.ip_forward
    Ipv4Forwarding,
    /// net.ipv6.conf.all.forwarding
    Ipv6Forwarding,
    /// net.ipv4.neigh.default.gc_thresh1
    Ipv4NeighbourThreshold1,
    /// net.ipv4.neigh.default.gc_thresh2
    Ipv4NeighbourThreshold2,
    /// net.ipv4.neigh.default.gc_thresh3
    Ipv4NeighbourThreshold3,
}

/// A setting of a link.
///
/// # Errors
/// `NotFound`: the link is gone, or this kernel doesn't have the setting. `Forbidden`: a setting that the grant does not name.
pub fn get_link(link: &Link, name: LinkSysctl) -> Result<i32> {
    sys::sysctls::get_link(&link.0, name)
}

/// Sets a setting of a link, back to what it was if the call fails.
///
/// # Errors
/// As [`get_link`]. `InvalidArgument`: the kernel refuses the value.
pub fn set_link(link: &Link, name: LinkSysctl, value: i32) -> Result<()> {
    sys::sysctls::set_link(&link.0, name, value)
}

/// Settings of how a link's neighbours are looked after: /proc/sys/net/{ipv4,ipv6}/neigh/LINK/.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeighbourSysctl {
    /// How long, at most, an answer for another waits, in hundredths of a second; 0: not at all.
    Ipv4ProxyDelay,
    /// The same of IPv6.
    Ipv6ProxyDelay,
}

/// A setting of a link's neighbours.
///
/// # Errors
/// As [`get_link`].
pub fn get_neighbour(link: &Link, name: NeighbourSysctl) -> Result<i32> {
    sys::sysctls::get_neighbour(&link.0, name)
}

/// Sets a setting of a link's neighbours, back to what it was if the call fails.
///
/// # Errors
/// As [`set_link`].
pub fn set_neighbour(link: &Link, name: NeighbourSysctl, value: i32) -> Result<()> {
    sys::sysctls::set_neighbour(&link.0, name, value)
}

/// A setting of a namespace.
///
/// # Errors
/// `Forbidden`: a setting that the grant does not name for this kind of namespace. `NotFound`: this kernel doesn't have it.
pub fn get_namespace(namespace: &Namespace, name: NamespaceSysctl) -> Result<i32> {
    sys::sysctls::get_namespace(&namespace.0, name)
}

/// Sets a setting of a namespace, back to what it was if the call fails. The host's stay when the network goes.
///
/// # Errors
/// As [`get_namespace`]. `InvalidArgument`: the kernel refuses the value.
pub fn set_namespace(namespace: &Namespace, name: NamespaceSysctl, value: i32) -> Result<()> {
    sys::sysctls::set_namespace(&namespace.0, name, value)
}
