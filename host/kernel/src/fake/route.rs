//! Routes that were added to a namespace (net/ipv4/fib_frontend.c, net/ipv6/route.c). Those that the kernel makes itself follow from the
//! addresses: see `fib`.

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use crate::fake::fields::{Fields, octets};
use crate::fake::link::{Kind, LinkId};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::fake::{AF_INET, AF_INET6};
use crate::ip::path::{
    BLACKHOLE, PROHIBIT, RTA_METRICS, RTA_MULTIPATH, RTAX_MTU, RTNH_F_ONLINK, UNICAST, UNREACHABLE, several, together,
};
use crate::ip::route::{
    DEFAULT_METRIC6, HEADER, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTA_VIA,
};
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;
use crate::{Hop, RT_TABLE_MAIN};

/// What the kernel gives the routes that follow from an IPv6 address (IP6_RT_PRIO_ADDRCONF); of IPv4 they have none.
pub(super) const METRIC_OF_PREFIX6: u32 = 256;
/// The link of a route to nowhere.
const NOWHERE: LinkId = LinkId::MAX;

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
    pub more: More,
}

/// What only [`RoutePath`](crate::RoutePath)s have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct More {
    /// RTN_*.
    pub(super) kind: u8,
    on_link: bool,
    mtu: Option<u32>,
    /// All hops, where there are several; the entry's own is the first.
    hops: Vec<Hop>,
}

impl Default for More {
    fn default() -> Self {
        Self { kind: UNICAST, on_link: false, mtu: None, hops: Vec::new() }
    }
}

impl Entry {
    pub(super) fn is_by(&self, id: LinkId, index: u32) -> bool {
        self.link == id || self.more.hops.iter().any(|hop| hop.link == index)
    }
}

/// What a message says: the same, with a link that need not be there.
struct Asked {
    more: More,
    net: IpNet,
    index: Option<u32>,
    gateway: Option<IpAddr>,
    source: Option<IpAddr>,
    table: u32,
    metric: u32,
    protocol: u8,
}

impl Machine {
    pub fn route_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let asked = parse(body)?;
        let link = match asked.more.hops.as_slice() {
            [] => self.check_route(at, &asked)?,
            hops => {
                for hop in hops {
                    let more = More { on_link: hop.on_link, ..asked.more.clone() };
                    self.check_route(at, &Asked { index: Some(hop.link), gateway: hop.gateway, more, ..asked })?;
                }
                self.by_index(at, hops[0].link).ok_or(Errno::NODEV)?
            }
        };
        let metric = if asked.metric == 0 && asked.net.addr().is_ipv6() { DEFAULT_METRIC6 } else { asked.metric };
        let Asked { net, gateway, source, table, protocol, more, .. } = asked;
        let route = Entry { net, link, gateway, source, table, metric, protocol, more };
        let all = self.fib(at, table);
        if all.iter().any(|other| (other.net, other.metric) == (net, metric)) {
            return Err(Errno::EXIST);
        }
        self.spaces.get_mut(&at).ok_or(Errno::NODEV)?.routes.push(route);
        Ok(Vec::new())
    }

    fn check_route(&self, at: SpaceId, asked: &Asked) -> Result<LinkId, Errno> {
        match asked.net {
            _ if asked.more.kind != UNICAST => Ok(NOWHERE),
            IpNet::V4(_) => self.check4(at, asked),
            IpNet::V6(_) => self.check6(at, asked),
        }
    }

    /// fib_create_info: the gateway and its link, then the source.
    fn check4(&self, at: SpaceId, asked: &Asked) -> Result<LinkId, Errno> {
        let link = asked.index.and_then(|index| self.by_index(at, index));
        match asked.gateway {
            Some(IpAddr::V4(gateway)) if asked.more.on_link => self.check_on_link4(at, link, gateway)?,
            Some(IpAddr::V4(gateway)) => self.check_gateway4(at, asked.table, link, gateway)?,
            Some(IpAddr::V6(gateway)) => {
                self.check_gateway6(at, asked.table, link, (Some(gateway), asked.more.on_link))?;
            }
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
        let link = asked.index.and_then(|index| self.by_index(at, index));
        let is_loopback = |id: &LinkId| matches!(self.links.get(id).map(|link| &link.kind), Some(Kind::Loopback));
        if link.as_ref().is_some_and(is_loopback) {
            // The kernel makes a route to nowhere of it, which the layer does not know.
            return Err(Errno::OPNOTSUPP);
        }
        let gateway = match asked.gateway {
            Some(IpAddr::V6(gateway)) => Some(gateway),
            _ => None,
        };
        self.check_gateway6(at, asked.table, link, (gateway, asked.more.on_link))?;
        match asked.source {
            Some(IpAddr::V6(source)) if !self.is_local6(at, source) => Err(Errno::INVAL),
            Some(IpAddr::V4(_)) => Err(Errno::INVAL),
            _ => link.ok_or(Errno::NODEV),
        }
    }

    /// What is not said is not compared; the lowest metric goes first.
    pub fn route_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let asked = parse(body)?;
        let link = asked.index.map(|index| self.by_index(at, index));
        let space = self.spaces.get_mut(&at).ok_or(Errno::NODEV)?;
        if link == Some(None) && asked.net.addr().is_ipv6() {
            return Err(Errno::NODEV);
        }
        let meant = |route: &Entry| {
            (route.net, route.table, route.protocol) == (asked.net, asked.table, asked.protocol)
                && link.is_none_or(|link| link == Some(route.link))
                && (asked.net.addr().is_ipv6() || asked.more.kind == route.more.kind)
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
        let link = index.map(|index| Ok((self.by_index(at, index).ok_or(Errno::NODEV)?, index))).transpose()?;
        let routes = self.spaces.get(&at).into_iter().flat_map(|space| &space.routes);
        let wanted = routes.filter(|route| (family == AF_INET) == route.net.addr().is_ipv4());
        let through = wanted.filter(|route| link.is_none_or(|(link, index)| route.is_by(link, index)));
        Ok(through.map(|route| tell(route, self.links.get(&route.link).map_or(0, |link| link.index))).collect())
    }

    /// The best route of the first table that has one (fib_lookup, fib6_lookup).
    pub fn route_get(&self, at: SpaceId, body: &[u8]) -> Reply {
        let to = Fields::after(body, HEADER)?.ip(RTA_DST)?.ok_or(Errno::INVAL)?;
        let best_of = |table| {
            let fitting = self.fib(at, table).into_iter().filter(|route| route.net.contains(&to));
            fitting.min_by_key(|route| (Reverse(route.net.prefix_len()), route.metric))
        };
        let best = self.tables(at, to).into_iter().find_map(best_of).ok_or(Errno::NETUNREACH)?;
        match best.more.kind {
            BLACKHOLE => return Err(Errno::INVAL),
            UNREACHABLE => return Err(Errno::HOSTUNREACH),
            PROHIBIT => return Err(Errno::ACCESS),
            _ => {}
        }
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
    let any: IpAddr = if fields.header_byte(0) == AF_INET { [0; 4].into() } else { [0; 16].into() };
    // Of a default route the kernel says no destination, and needs none.
    let net = match fields.network(RTA_DST, fields.header_byte(1))? {
        None if fields.header_byte(1) == 0 => IpNet::new(any, 0).map_err(|_| Errno::INVAL)?,
        net => net.ok_or(Errno::INVAL)?,
    };
    let via = fields.get(RTA_VIA).map(|value| value.get(2..).unwrap_or_default());
    let via = via.map(|value| crate::transport::attribute::ip(value).map_err(|_| Errno::INVAL)).transpose()?;
    let hops = fields.get(RTA_MULTIPATH).map(several).transpose().map_err(|_| Errno::INVAL)?.unwrap_or_default();
    let mtu = fields.nested(RTA_METRICS, 0)?.map(|metrics| metrics.number(RTAX_MTU)).transpose()?.flatten();
    let on_link = fields.header_byte(8) & RTNH_F_ONLINK != 0;
    Ok(Asked {
        more: More { kind: fields.header_byte(7), on_link, mtu, hops },
        net,
        index: fields.number(RTA_OIF)?,
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
    let more = &route.more;
    let flags = if more.on_link { RTNH_F_ONLINK } else { 0 };
    let header = [family, route.net.prefix_len(), 0, 0, table, route.protocol, 0, more.kind, flags, 0, 0, 0];
    let mut written = Writer::after(&header).put(RTA_TABLE, &route.table.to_ne_bytes());
    if route.net.prefix_len() > 0 {
        written = written.put(RTA_DST, &octets(route.net.addr()));
    }
    if !more.hops.is_empty() {
        written = written.put(RTA_MULTIPATH, &together(&more.hops, &route.net).unwrap_or_default());
    } else if more.kind == UNICAST {
        written = written.put(RTA_OIF, &index.to_ne_bytes());
    }
    if more.mtu.is_some() {
        written = written.nest(RTA_METRICS, Writer::default().put_number(RTAX_MTU, more.mtu));
    }
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
