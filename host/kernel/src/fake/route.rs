//! Routes that were added to a namespace (net/ipv4/fib_frontend.c, net/ipv6/route.c). Those that the kernel makes itself follow from the
//! addresses: see `fib`.

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use crate::RT_TABLE_MAIN;
use crate::fake::fields::{Fields, octets};
use crate::fake::link::{Kind, LinkId};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::fake::{AF_INET, AF_INET6};
use crate::ip::route::{
    DEFAULT_METRIC6, HEADER, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTA_VIA,
};
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;

/// What the kernel gives the routes that follow from an IPv6 address (IP6_RT_PRIO_ADDRCONF); of IPv4 they have none.
pub(super) const METRIC_OF_PREFIX6: u32 = 256;
/// linux/rtnetlink.h: RTN_UNICAST.
const UNICAST: u8 = 1;

/// One route.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub net: IpNet,
    pub link: LinkId,
    pub gateway: Option<IpAddr>,
    pub source: Option<IpAddr>,
    pub table: u32,
    pub metric: u32,
    pub protocol: u8,
}

/// What a message says: the same, with a link that need not be there.
struct Asked {
    net: IpNet,
    index: u32,
    gateway: Option<IpAddr>,
    source: Option<IpAddr>,
    table: u32,
    metric: u32,
    protocol: u8,
}

impl Machine {
    pub fn route_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let asked = parse(body)?;
        let link = match asked.net {
            IpNet::V4(_) => self.check4(at, &asked)?,
            IpNet::V6(_) => self.check6(at, &asked)?,
        };
        let metric = if asked.metric == 0 && asked.net.addr().is_ipv6() { DEFAULT_METRIC6 } else { asked.metric };
        let Asked { net, gateway, source, table, protocol, .. } = asked;
        let route = Entry { net, link, gateway, source, table, metric, protocol };
        let all = self.fib(at, table);
        if all.iter().any(|other| (other.net, other.metric) == (net, metric)) {
            return Err(Errno::EXIST);
        }
        self.spaces.get_mut(&at).ok_or(Errno::NODEV)?.routes.push(route);
        Ok(Vec::new())
    }

    /// fib_create_info: the gateway and its link, then the source.
    fn check4(&self, at: SpaceId, asked: &Asked) -> Result<LinkId, Errno> {
        let link = self.by_index(at, asked.index);
        match asked.gateway {
            Some(IpAddr::V4(gateway)) => self.check_gateway4(at, asked.table, link, gateway)?,
            Some(IpAddr::V6(gateway)) => self.check_gateway6(at, asked.table, link, Some(gateway))?,
            None => {
                let link = link.and_then(|id| self.links.get(&id)).ok_or(Errno::NODEV)?;
                if !link.up {
                    return Err(Errno::NETDOWN);
                }
            }
        }
        match asked.source {
            Some(IpAddr::V4(source)) if !self.is_local4(at, source) => Err(Errno::INVAL),
            Some(IpAddr::V6(_)) => Err(Errno::INVAL),
            _ => link.ok_or(Errno::NODEV),
        }
    }

    fn check6(&self, at: SpaceId, asked: &Asked) -> Result<LinkId, Errno> {
        let link = self.by_index(at, asked.index);
        let is_loopback = |id: &LinkId| matches!(self.links.get(id).map(|link| &link.kind), Some(Kind::Loopback));
        if link.as_ref().is_some_and(is_loopback) {
            // The kernel makes a route to nowhere of it, which the layer does not know.
            return Err(Errno::OPNOTSUPP);
        }
        let gateway = match asked.gateway {
            Some(IpAddr::V6(gateway)) => Some(gateway),
            _ => None,
        };
        self.check_gateway6(at, asked.table, link, gateway)?;
        match asked.source {
            Some(IpAddr::V6(source)) if !self.is_local6(at, source) => Err(Errno::INVAL),
            Some(IpAddr::V4(_)) => Err(Errno::INVAL),
            _ => link.ok_or(Errno::NODEV),
        }
    }

    /// What is not said is not compared; the lowest metric goes first.
    pub fn route_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let asked = parse(body)?;
        let link = self.by_index(at, asked.index);
        let space = self.spaces.get_mut(&at).ok_or(Errno::NODEV)?;
        if link.is_none() && asked.net.addr().is_ipv6() {
            return Err(Errno::NODEV);
        }
        let meant = |route: &Entry| {
            (route.net, route.table, route.protocol, Some(route.link)) == (asked.net, asked.table, asked.protocol, link)
                && (asked.gateway.is_none() || asked.gateway == route.gateway)
                && (asked.metric == 0 || asked.metric == route.metric)
                && (asked.source.is_none() || asked.net.addr().is_ipv6() || asked.source == route.source)
        };
        let candidates = space.routes.iter().enumerate().filter(|(_, route)| meant(route));
        let position = candidates.min_by_key(|(_, route)| route.metric).map(|(i, _)| i).ok_or(Errno::SRCH)?;
        space.routes.remove(position);
        Ok(Vec::new())
    }

    pub fn route_list(&self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let (family, index) = (fields.header_byte(0), fields.number(RTA_OIF)?);
        let link = index.map(|index| self.by_index(at, index).ok_or(Errno::NODEV)).transpose()?;
        let routes = self.spaces.get(&at).into_iter().flat_map(|space| &space.routes);
        let wanted = routes.filter(|route| (family == AF_INET) == route.net.addr().is_ipv4());
        let through = wanted.filter(|route| link.is_none_or(|link| route.link == link));
        Ok(through.filter_map(|route| Some(tell(route, self.links.get(&route.link)?.index))).collect())
    }

    /// The best route of the first table that has one (fib_lookup, fib6_lookup).
    pub fn route_get(&self, at: SpaceId, body: &[u8]) -> Reply {
        let to = Fields::after(body, HEADER)?.ip(RTA_DST)?.ok_or(Errno::INVAL)?;
        let best_of = |table| {
            let fitting = self.fib(at, table).into_iter().filter(|route| route.net.contains(&to));
            fitting.min_by_key(|route| (Reverse(route.net.prefix_len()), route.metric))
        };
        let best = self.tables(at, to).into_iter().find_map(best_of).ok_or(Errno::NETUNREACH)?;
        let index = self.links.get(&best.link).ok_or(Errno::NETUNREACH)?.index;
        Ok(vec![tell(&best, index)])
    }

    pub fn drop_routes(&mut self, space: SpaceId, goes: impl Fn(&Entry) -> bool) {
        if let Some(space) = self.spaces.get_mut(&space) {
            space.routes.retain(|route| !goes(route));
        }
    }

    /// IPv6 routes outlive their source address: those of its link lose it, others keep it (fib6_remove_prefsrc).
    pub fn forget_source(&mut self, link: LinkId, source: IpAddr) {
        let routes = self.spaces.values_mut().flat_map(|space| &mut space.routes);
        let having = routes.filter(|route| route.link == link && route.source == Some(source));
        having.for_each(|route| route.source = None);
    }
}

fn parse(body: &[u8]) -> Result<Asked, Errno> {
    let fields = Fields::after(body, HEADER)?;
    let net = fields.network(RTA_DST, fields.header_byte(1))?.ok_or(Errno::INVAL)?;
    let via = fields.get(RTA_VIA).map(|value| value.get(2..).unwrap_or_default());
    let via = via.map(|value| crate::transport::attribute::ip(value).map_err(|_| Errno::INVAL)).transpose()?;
    Ok(Asked {
        net,
        index: fields.number(RTA_OIF)?.ok_or(Errno::NODEV)?,
        gateway: fields.ip(RTA_GATEWAY)?.or(via),
        source: fields.ip(RTA_PREFSRC)?,
        table: fields.number(RTA_TABLE)?.unwrap_or(RT_TABLE_MAIN),
        metric: fields.number(RTA_PRIORITY)?.unwrap_or(0),
        protocol: fields.header_byte(5),
    })
}

fn tell(route: &Entry, index: u32) -> Message {
    let family = if route.net.addr().is_ipv4() { AF_INET } else { AF_INET6 };
    let table = u8::try_from(route.table).unwrap_or(252);
    let header = [family, route.net.prefix_len(), 0, 0, table, route.protocol, 0, UNICAST, 0, 0, 0, 0];
    let mut written = Writer::after(&header).put(RTA_TABLE, &route.table.to_ne_bytes());
    if route.net.prefix_len() > 0 {
        written = written.put(RTA_DST, &octets(route.net.addr()));
    }
    written = written.put(RTA_OIF, &index.to_ne_bytes());
    if let Some(gateway) = route.gateway {
        written = match (route.net.addr(), gateway) {
            (IpAddr::V4(_), IpAddr::V6(via)) => {
                written.put(RTA_VIA, &[&u16::from(AF_INET6).to_ne_bytes()[..], &via.octets()].concat())
            }
            _ => written.put(RTA_GATEWAY, &octets(gateway)),
        };
    }
    if let Some(source) = route.source {
        written = written.put(RTA_PREFSRC, &octets(source));
    }
    if route.metric != 0 {
        written = written.put(RTA_PRIORITY, &route.metric.to_ne_bytes());
    }
    Message { body: written.finish() }
}
