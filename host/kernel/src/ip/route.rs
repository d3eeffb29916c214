//! Routes of this instance (RTM_*ROUTE, linux/rtnetlink.h).

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType, RouteVia,
};
use rustix::io::Errno;

use crate::change::plan::Plan;
use crate::ip::address::family;
use crate::ip::path;
use crate::link::mark::Marks;
use crate::transport::session::Session;
use crate::transport::socket::{Request, flag};
use crate::{Change, Error, LinkKey, RT_TABLE_MAIN, Route};

pub(crate) const RTM_NEWROUTE: u16 = 24;
pub(crate) const RTM_DELROUTE: u16 = 25;
pub(crate) const RTM_GETROUTE: u16 = 26;
/// `struct rtmsg`.
pub(crate) const HEADER: usize = 12;
pub(crate) const RTA_DST: u16 = 1;
pub(crate) const RTA_OIF: u16 = 4;
pub(crate) const RTA_GATEWAY: u16 = 5;
pub(crate) const RTA_PRIORITY: u16 = 6;
pub(crate) const RTA_PREFSRC: u16 = 7;
pub(crate) const RTA_TABLE: u16 = 15;
pub(crate) const RTA_VIA: u16 = 18;
/// What the kernel gives an IPv6 route without a metric (IP6_RT_PRIO_USER).
pub const DEFAULT_METRIC6: u32 = 1024;

/// Adds a route.
pub(crate) fn add(route: &Route, marks: Marks) -> Result<Plan, Error> {
    let mut message = message(route, marks)?;
    if route.gateway.is_none() && matches!(route.destination, IpNet::V4(_)) {
        message.header.scope = RouteScope::Link;
    }
    let request = Request::one(RTM_NEWROUTE, flag::CREATE | flag::EXCL, &message);
    Ok(Plan::make(request, Change::RemoveRoute(route.clone())))
}

/// Removes a route of this instance: the kernel compares the protocol number, too.
pub(crate) fn remove(route: &Route, marks: Marks) -> Result<Plan, Error> {
    let mut message = message(route, marks)?;
    message.header.scope = RouteScope::NoWhere;
    let request = Request::one(RTM_DELROUTE, 0, &message);
    Ok(Plan::remove(request, &[Errno::SRCH, Errno::NODEV], Change::AddRoute(route.clone())))
}

fn message(route: &Route, marks: Marks) -> Result<RouteMessage, Error> {
    let mut message = RouteMessage::default();
    let table = route.table.unwrap_or(RT_TABLE_MAIN);
    message.header.address_family = family(&route.destination);
    message.header.destination_prefix_length = route.destination.prefix_len();
    message.header.protocol = RouteProtocol::from(marks.protocol());
    message.header.kind = RouteType::Unicast;
    message.header.scope = RouteScope::Universe;
    // RT_TABLE_COMPAT where the number has more than the header's 8 bits.
    message.header.table = u8::try_from(table).unwrap_or(252);
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Destination(route.destination.network().into()));
    attributes.push(RouteAttribute::Oif(route.link.index));
    attributes.push(RouteAttribute::Table(table));
    attributes.extend(route.gateway.map(|g| gateway(route.destination.addr(), g)).transpose()?);
    attributes.extend(route.source.map(|s| RouteAttribute::PrefSource(RouteAddress::from(s))));
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    Ok(message)
}

fn gateway(destination: IpAddr, gateway: IpAddr) -> Result<RouteAttribute, Error> {
    match (destination, gateway) {
        (IpAddr::V4(_), IpAddr::V6(via)) => Ok(RouteAttribute::Via(RouteVia::Inet6(via))),
        (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(Error::refused(format!("an IPv6 route can't have the IPv4 gateway {gateway}")))
        }
        _ => Ok(RouteAttribute::Gateway(gateway.into())),
    }
}

/// This instance's routes through a link, but for those that are [`path`](crate::ip::path)s.
pub(crate) fn list(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Vec<Route>, Error> {
    let found = path::own(session, &key.namespace, Some(key.index), marks)?;
    Ok(found.iter().filter_map(path::plain).filter(|route| route.link == *key).collect())
}
