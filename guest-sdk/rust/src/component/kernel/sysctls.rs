//! Kernel settings.

use crate::Result;
use crate::component::convert::same_cases;
use crate::component::wit::sysctls as wit;
use crate::component::{Link, Namespace};
use crate::sysctls::{LinkSysctl, NamespaceSysctl, NeighbourSysctl};

same_cases!(
    LinkSysctl,
    wit::LinkSysctl,
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
    Ipv6ProxyNdp
);
same_cases!(NeighbourSysctl, wit::NeighbourSysctl, Ipv4ProxyDelay, Ipv6ProxyDelay);
same_cases!(
    NamespaceSysctl,
    wit::NamespaceSysctl,
    Ipv4Forwarding,
    Ipv6Forwarding,
    Ipv4NeighbourThreshold1,
    Ipv4NeighbourThreshold2,
    Ipv4NeighbourThreshold3
);

pub(crate) fn get_link(link: &Link, name: LinkSysctl) -> Result<i32> {
    Ok(wit::get_link(link, name.into())?)
}

pub(crate) fn set_link(link: &Link, name: LinkSysctl, value: i32) -> Result<()> {
    Ok(wit::set_link(link, name.into(), value)?)
}

pub(crate) fn get_neighbour(link: &Link, name: NeighbourSysctl) -> Result<i32> {
    Ok(wit::get_neighbour(link, name.into())?)
}

pub(crate) fn set_neighbour(link: &Link, name: NeighbourSysctl, value: i32) -> Result<()> {
    Ok(wit::set_neighbour(link, name.into(), value)?)
}

pub(crate) fn get_namespace(namespace: &Namespace, name: NamespaceSysctl) -> Result<i32> {
    Ok(wit::get_namespace(namespace, name.into())?)
}

pub(crate) fn set_namespace(namespace: &Namespace, name: NamespaceSysctl, value: i32) -> Result<()> {
    Ok(wit::set_namespace(namespace, name.into(), value)?)
}
