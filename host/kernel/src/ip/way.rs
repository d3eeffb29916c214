//! Where the host's packets go by themselves: which subnets it reaches, and by which link they leave for the outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};

use crate::ip::address::{self, FAMILIES, family_of};
use crate::ip::route::{HEADER, RTA_DST, RTA_OIF, RTM_GETROUTE};
use crate::link::mark::Marks;
use crate::link::read::{all, by_index, get};
use crate::transport::attribute::{after, ip, number};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Request, malformed};
use crate::{Error, Namespace};

/// Addresses that no host has (RFC 7600, RFC 6666): what a default route leads to.
const OUTSIDE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8)), IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1))];

/// A route, as far as it matters here.
struct Way {
    /// None: to all that no other route leads to.
    net: Option<IpNet>,
    link: Option<u32>,
    kind: u8,
    protocol: u8,
}

/// The subnets to which the host has a route, in whatever table, each with its link if it has one. One dump. `but`: without the routes of this instance.
pub(crate) fn list(session: &mut Session, but: Option<Marks>) -> Result<Vec<(Option<u32>, IpNet)>, Error> {
    let mut found = Vec::new();
    for family in FAMILIES {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        for message in session.list(&Namespace::Host, "routes", Request::dump(RTM_GETROUTE, &question))? {
            let way = read(&message)?;
            let is_own = but.is_some_and(|marks| way.protocol == marks.protocol());
            found.extend(way.net.filter(|_| !is_own).map(|net| (way.link, net)));
        }
    }
    Ok(found)
}

/// Where a route leads, and by which link, unless it is a default route.
pub(crate) fn net(message: &Message) -> Result<Option<(Option<u32>, IpNet)>, Error> {
    let way = read(message)?;
    Ok(way.net.map(|net| (way.link, net)))
}

/// The smallest MTU of the links by which packets of each family leave for the outside; none: there is no way out.
pub(crate) fn mtu_of_way_out(session: &mut Session, marks: Marks) -> Result<Option<u32>, Error> {
    let mut smallest: Option<u32> = None;
    for outside in OUTSIDE {
        let Some(index) = way_out(session, outside)? else { continue };
        let mtu = get(session, &Namespace::Host, by_index(index), marks)?.map(|seen| seen.info.mtu);
        smallest = smallest.into_iter().chain(mtu).min();
    }
    Ok(smallest)
}

/// The smallest MTU of the links of others that are up and have an address, loopback aside.
pub(crate) fn mtu_of_others(session: &mut Session, marks: Marks) -> Result<Option<u32>, Error> {
    let is_far = |address: IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let addresses = address::list(session, &Namespace::Host, 0)?;
    let with_address: Vec<u32> =
        addresses.into_iter().filter(|(_, net)| is_far(net.addr())).map(|(index, _)| index).collect();
    let links = all(session, &Namespace::Host, marks)?.into_iter().map(|seen| seen.info);
    let others = links.filter(|link| !link.mark.is_made() && link.up && with_address.contains(&link.index));
    Ok(others.map(|link| link.mtu).min())
}

/// The link by which a packet would leave; a refusal says that it would not.
pub(crate) fn way_out(session: &mut Session, to: IpAddr) -> Result<Option<u32>, Error> {
    let mut question = RouteMessage::default();
    question.header.address_family = family_of(to);
    question.header.destination_prefix_length = if to.is_ipv4() { 32 } else { 128 };
    question.attributes.push(RouteAttribute::Destination(to.into()));
    let answer = session.exchange(&Namespace::Host, &[Request::one(RTM_GETROUTE, 0, &question)])?;
    let Some(Ok(messages)) = answer.into_iter().next() else { return Ok(None) };
    let Some(message) = messages.first() else { return Ok(None) };
    let way = read(message)?;
    Ok(way.link.filter(|_| way.kind == u8::from(RouteType::Unicast)))
}

fn read(message: &Message) -> Result<Way, Error> {
    let body = message.body.as_slice();
    let [_, prefix, _, _, _, protocol, _, kind, ..] = *body.first_chunk::<HEADER>().ok_or_else(malformed)?;
    let (mut destination, mut link) = (None, None);
    for attribute in after(body, HEADER)? {
        let (kind, value) = attribute?;
        match kind {
            RTA_DST => destination = Some(ip(value)?),
            RTA_OIF => link = Some(number(value)?),
            _ => {}
        }
    }
    let net = destination.filter(|_| prefix > 0).map(|to| IpNet::new(to, prefix).map_err(|_| malformed()));
    Ok(Way { net: net.transpose()?, link, kind, protocol })
}
