//! Routes of this instance with all that the kernel can say of them: several next hops, or none at all.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::RouteMessage;
use rustix::io::Errno;

use crate::change::plan::Plan;
use crate::ip::address::FAMILIES;
use crate::ip::route::{
    DEFAULT_METRIC6, HEADER, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTA_VIA,
    RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE,
};
use crate::link::mark::Marks;
use crate::transport::attribute::{Writer, after, attributes, ip, number};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Request, flag, malformed};
use crate::{Change, Error, Hop, LinkKey, Namespace, RT_TABLE_MAIN, Route, RoutePath, Way};

pub(crate) const RTA_METRICS: u16 = 8;
pub(crate) const RTA_MULTIPATH: u16 = 9;
/// In RTA_METRICS.
pub(crate) const RTAX_MTU: u16 = 2;
/// RTN_* of linux/rtnetlink.h.
pub(crate) const UNICAST: u8 = 1;
pub(crate) const BLACKHOLE: u8 = 6;
pub(crate) const UNREACHABLE: u8 = 7;
pub(crate) const PROHIBIT: u8 = 8;
pub(crate) const RTNH_F_ONLINK: u8 = 4;
/// `struct rtnexthop`.
const HOP_HEADER: usize = 8;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_NOWHERE: u8 = 255;

/// Adds a path.
pub(crate) fn add(path: &RoutePath, marks: Marks) -> Result<Plan, Error> {
    let (scope, flags) = match &path.way {
        Way::Hops(hops) => match hops.as_slice() {
            [Hop { gateway: None, .. }] if path.destination.addr().is_ipv4() => (RT_SCOPE_LINK, 0),
            [hop] => (0, flags(hop)),
            _ => (0, 0),
        },
        _ => (0, 0),
    };
    let mut message = message(path, marks, scope, flags).put_number(RTA_PRIORITY, path.metric);
    if let Way::Hops(hops) = &path.way {
        message = match hops.as_slice() {
            [hop] => gateway(message.put_number(RTA_OIF, Some(hop.link)), &path.destination, hop)?,
            hops => message.put(RTA_MULTIPATH, &together(hops, &path.destination)?),
        };
    }
    if let Some(source) = path.source {
        message = message.put(RTA_PREFSRC, &octets(source));
    }
    if path.mtu.is_some() {
        message = message.nest(RTA_METRICS, Writer::default().put_number(RTAX_MTU, path.mtu));
    }
    let request = Request::of(RTM_NEWROUTE, flag::CREATE | flag::EXCL, message.finish());
    Ok(Plan::make(request, Change::RemovePath(path.clone())))
}

/// Removes a path of this instance. What names it is enough: of the way, the kernel would compare each hop.
pub(crate) fn remove(path: &RoutePath, marks: Marks) -> Result<Plan, Error> {
    // With none, the kernel takes whichever has the lowest.
    let lowest = path.destination.addr().is_ipv6().then_some(DEFAULT_METRIC6);
    let message = message(path, marks, RT_SCOPE_NOWHERE, 0).put_number(RTA_PRIORITY, path.metric.or(lowest));
    let request = Request::of(RTM_DELROUTE, 0, message.finish());
    Ok(Plan::remove(request, &[Errno::SRCH, Errno::NODEV], Change::AddPath(path.clone())))
}

fn message(path: &RoutePath, marks: Marks, scope: u8, flags: u8) -> Writer {
    let table = path.table.unwrap_or(RT_TABLE_MAIN);
    let family = if path.destination.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    // RT_TABLE_COMPAT where the number has more than the header's 8 bits.
    let short = u8::try_from(table).unwrap_or(252);
    let kind = kind(&path.way);
    let prefix = path.destination.prefix_len();
    let header = [u8::from(family), prefix, 0, 0, short, marks.protocol(), scope, kind];
    Writer::after(&[&header[..], &u32::from(flags).to_ne_bytes()].concat())
        .put(RTA_DST, &octets(path.destination.network()))
        .put_number(RTA_TABLE, Some(table))
}

pub(crate) fn kind(way: &Way) -> u8 {
    match way {
        Way::Blackhole => BLACKHOLE,
        Way::Unreachable => UNREACHABLE,
        Way::Prohibit => PROHIBIT,
        Way::Hops(_) => UNICAST,
    }
}

fn flags(hop: &Hop) -> u8 {
    if hop.on_link { RTNH_F_ONLINK } else { 0 }
}

fn gateway(message: Writer, destination: &IpNet, hop: &Hop) -> Result<Writer, Error> {
    match (destination.addr(), hop.gateway) {
        (_, None) => Ok(message),
        (IpAddr::V4(_), Some(IpAddr::V6(via))) => {
            let family = u16::from(u8::from(AddressFamily::Inet6)).to_ne_bytes();
            Ok(message.put(RTA_VIA, &[&family[..], &via.octets()].concat()))
        }
        (IpAddr::V6(_), Some(IpAddr::V4(gateway))) => {
            Err(Error::refused(format!("an IPv6 route can't have the IPv4 gateway {gateway}")))
        }
        (_, Some(gateway)) => Ok(message.put(RTA_GATEWAY, &octets(gateway))),
    }
}

/// Several hops, each with its length first.
pub(crate) fn together(hops: &[Hop], destination: &IpNet) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for hop in hops {
        let on = gateway(Writer::default(), destination, hop)?.finish();
        let weight = u8::try_from(hop.weight.saturating_sub(1))
            .map_err(|_| Error::refused(format!("a next hop's weight is 1 to 256, not {}", hop.weight)))?;
        let length = u16::try_from(HOP_HEADER + on.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&[flags(hop), weight]);
        bytes.extend_from_slice(&hop.link.to_ne_bytes());
        bytes.extend_from_slice(&on);
    }
    Ok(bytes)
}

/// This instance's paths in a namespace that are no plain routes.
pub(crate) fn list(session: &mut Session, at: &Namespace, marks: Marks) -> Result<Vec<RoutePath>, Error> {
    let found = own(session, at, None, marks)?;
    Ok(found.into_iter().filter(|path| plain(path).is_none()).collect())
}

/// This instance's routes through a link, as what makes them again.
pub(crate) fn through(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Vec<Change>, Error> {
    let found = own(session, &key.namespace, Some(key.index), marks)?.into_iter();
    let through = found.filter(|path| path.links().any(|link| link == *key));
    let again = |path: RoutePath| plain(&path).map_or_else(|| Change::AddPath(path), Change::AddRoute);
    Ok(through.map(again).collect())
}

/// The route that a path is, where it says no more than that.
pub(crate) fn plain(path: &RoutePath) -> Option<Route> {
    let Way::Hops(hops) = &path.way else { return None };
    let [Hop { link, gateway, on_link: false, weight: 1 }] = hops.as_slice() else { return None };
    let RoutePath { destination, source, table, metric, .. } = *path;
    let link = LinkKey { namespace: path.namespace.clone(), index: *link };
    path.mtu.is_none().then_some(Route { link, destination, gateway: *gateway, source, table, metric })
}

/// The next hops of the host's routes.
pub(crate) fn routers(session: &mut Session) -> Result<Vec<IpAddr>, Error> {
    let mut found = Vec::new();
    for family in FAMILIES {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        for message in session.list(&Namespace::Host, "routes", Request::dump(RTM_GETROUTE, &question))? {
            if let (_, RoutePath { way: Way::Hops(hops), .. }) = read(&message, &Namespace::Host)? {
                found.extend(hops.into_iter().filter_map(|hop| hop.gateway));
            }
        }
    }
    Ok(found)
}

/// This instance's routes, of one link or of all.
pub(crate) fn own(
    session: &mut Session,
    at: &Namespace,
    link: Option<u32>,
    marks: Marks,
) -> Result<Vec<RoutePath>, Error> {
    use netlink_packet_route::route::{RouteAttribute, RouteProtocol};

    let mut found = Vec::new();
    for family in FAMILIES {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        question.header.protocol = RouteProtocol::from(marks.protocol());
        question.attributes.extend(link.map(RouteAttribute::Oif));
        for message in session.list(at, "routes", Request::dump(RTM_GETROUTE, &question))? {
            let (protocol, path) = read(&message, at)?;
            found.extend((protocol == marks.protocol()).then_some(path));
        }
    }
    Ok(found)
}

/// A route, and whose it is.
fn read(message: &Message, at: &Namespace) -> Result<(u8, RoutePath), Error> {
    let body = message.body.as_slice();
    let [family, prefix, _, _, table, protocol, _, kind, flags, ..] =
        *body.first_chunk::<HEADER>().ok_or_else(malformed)?;
    let v6 = family == u8::from(AddressFamily::Inet6);
    let none = if v6 { IpAddr::from([0; 16]) } else { IpAddr::from([0; 4]) };
    let (mut destination, mut table) = (none, u32::from(table));
    let mut first = Hop { link: 0, gateway: None, on_link: flags & RTNH_F_ONLINK != 0, weight: 1 };
    let (mut hops, mut source, mut metric, mut mtu) = (None, None, None, None);
    for attribute in after(body, HEADER)? {
        let (kind, value) = attribute?;
        match kind {
            RTA_DST => destination = ip(value)?,
            RTA_OIF => first.link = number(value)?,
            RTA_PREFSRC => source = Some(ip(value)?),
            RTA_PRIORITY => metric = Some(number(value)?),
            RTA_TABLE => table = number(value)?,
            RTA_MULTIPATH => hops = Some(several(value)?),
            RTA_METRICS => mtu = attributes(value).find(RTAX_MTU)?.map(number).transpose()?,
            _ => by(kind, value, &mut first)?,
        }
    }
    let way = match kind {
        BLACKHOLE => Way::Blackhole,
        UNREACHABLE => Way::Unreachable,
        PROHIBIT => Way::Prohibit,
        _ => Way::Hops(hops.unwrap_or_else(|| vec![first])),
    };
    let destination = IpNet::new(destination, prefix).map_err(|_| malformed())?;
    let table = (table != RT_TABLE_MAIN).then_some(table);
    let metric = metric.filter(|m| !v6 || *m != DEFAULT_METRIC6);
    Ok((protocol, RoutePath { namespace: at.clone(), destination, way, source, table, metric, mtu }))
}

fn by(kind: u16, value: &[u8], hop: &mut Hop) -> Result<(), Error> {
    match kind {
        RTA_GATEWAY => hop.gateway = Some(ip(value)?),
        RTA_VIA => hop.gateway = Some(ip(value.get(2..).unwrap_or_default())?),
        _ => {}
    }
    Ok(())
}

/// RTA_MULTIPATH.
pub(crate) fn several(mut rest: &[u8]) -> Result<Vec<Hop>, Error> {
    let mut hops = Vec::new();
    while let Some(header) = rest.first_chunk::<HOP_HEADER>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let on = rest.get(HOP_HEADER..length).ok_or_else(malformed)?;
        let (on_link, weight) = (header[2] & RTNH_F_ONLINK != 0, u16::from(header[3]) + 1);
        let mut hop = Hop { link: number(&header[4..])?, gateway: None, on_link, weight };
        for attribute in attributes(on) {
            let (kind, value) = attribute?;
            by(kind, value, &mut hop)?;
        }
        hops.push(hop);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(hops)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
