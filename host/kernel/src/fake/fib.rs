//! Whether a gateway can be reached: the lookups that the kernel makes before it takes a route (fib_check_nh, ip6_validate_gw).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rustix::io::Errno;

use crate::RT_TABLE_MAIN;
use crate::fake::link::{Kind, Link, LinkId};
use crate::fake::machine::{Machine, SpaceId};
use crate::fake::route::{Entry, METRIC_OF_PREFIX6, More};
use crate::ip::path::UNICAST;

const RT_TABLE_LOCAL: u32 = 255;
/// RTPROT_KERNEL.
const KERNEL: u8 = 2;

impl Machine {
    /// The unicast routes of a table, with those that follow from the addresses.
    pub fn fib(&self, at: SpaceId, table: u32) -> Vec<Entry> {
        let added = self.spaces.get(&at).into_iter().flat_map(|space| &space.routes);
        let mut all: Vec<Entry> = added.filter(|route| route.table == table).cloned().collect();
        if table == RT_TABLE_MAIN {
            all.extend(self.links_of(at).flat_map(|(id, link)| of_addresses(id, link)));
        }
        all
    }

    /// An IPv4 gateway must be behind a route without a gateway through the same link, or an address of that link.
    pub fn check_gateway4(
        &self,
        at: SpaceId,
        table: u32,
        link: Option<LinkId>,
        gateway: Ipv4Addr,
    ) -> Result<(), Errno> {
        let first = (table != RT_TABLE_MAIN).then_some(table);
        let tables = first.into_iter().chain(self.tables(at, gateway.into()));
        for table in tables {
            match self.look_up4(at, table, link, gateway) {
                Some(Found::Broadcast) => return Err(Errno::INVAL),
                Some(Found::Good) => {
                    let up = link.and_then(|id| self.links.get(&id)).is_some_and(|link| link.up);
                    return if up { Ok(()) } else { Err(Errno::NETDOWN) };
                }
                None => {}
            }
        }
        Err(Errno::NETUNREACH)
    }

    /// RTNH_F_ONLINK: nothing but that the link is up and the gateway's address not one that means something to this host, by whichever link
    /// (inet_addr_type_dev_table).
    pub fn check_on_link4(&self, at: SpaceId, link: Option<LinkId>, gateway: Ipv4Addr) -> Result<(), Errno> {
        let link = link.and_then(|id| self.links.get(&id)).ok_or(Errno::NODEV)?;
        match link.up {
            false => Err(Errno::NETDOWN),
            true if self.links_of(at).any(|(_, own)| local4(own, gateway).is_some()) => Err(Errno::INVAL),
            true => Ok(()),
        }
    }

    fn look_up4(&self, at: SpaceId, table: u32, link: Option<LinkId>, gateway: Ipv4Addr) -> Option<Found> {
        let id = link?;
        let link = self.links.get(&id)?;
        if table == RT_TABLE_LOCAL {
            return local4(link, gateway);
        }
        let through = self.fib(at, table).into_iter().filter(|route| route.link == id && route.gateway.is_none());
        through.into_iter().any(|route| route.net.contains(&IpAddr::from(gateway))).then_some(Found::Good)
    }

    /// An IPv6 next hop: the link must have IPv6 and be up; a gateway that is no link-local address must be behind a route without one, unless it
    /// is said to be on the link.
    pub fn check_gateway6(
        &self,
        at: SpaceId,
        table: u32,
        link: Option<LinkId>,
        (gateway, on_link): (Option<Ipv6Addr>, bool),
    ) -> Result<(), Errno> {
        let id = link.ok_or(Errno::NODEV)?;
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if !Self::has_ipv6(link) {
            return Err(Errno::NODEV);
        }
        if let Some(gateway) = gateway {
            self.validate6(at, table, id, (gateway, on_link))?;
        }
        match link {
            Link { settings, .. } if settings.disable_ipv6 != 0 => Err(Errno::ACCESS),
            Link { up: false, .. } => Err(Errno::NETDOWN),
            _ => Ok(()),
        }
    }

    fn validate6(
        &self,
        at: SpaceId,
        table: u32,
        id: LinkId,
        (gateway, on_link): (Ipv6Addr, bool),
    ) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        let link_local = gateway.is_unicast_link_local();
        let own =
            if link_local { link.ipv6.iter().any(|net| net.addr() == gateway) } else { self.is_local6(at, gateway) };
        if own || gateway.is_multicast() || gateway.is_unspecified() {
            return Err(Errno::INVAL);
        }
        if !link_local && on_link {
            self.check_on_link6(at, id, gateway)?;
        }
        if !link_local && !on_link && self.look_up6(at, table, id, gateway) != Some(true) {
            let tables = self.tables(at, gateway.into());
            let found = tables.into_iter().find_map(|table| self.look_up6(at, table, id, gateway));
            if found != Some(true) {
                return Err(Errno::HOSTUNREACH);
            }
        }
        if matches!(link.kind, Kind::Loopback) { Err(Errno::INVAL) } else { Ok(()) }
    }

    /// ip6_route_check_nh_onlink: the main table does not lead to the gateway by other links only, but for its default route.
    fn check_on_link6(&self, at: SpaceId, id: LinkId, gateway: Ipv6Addr) -> Result<(), Errno> {
        let index = self.links.get(&id).ok_or(Errno::NODEV)?.index;
        let of = |route: &Entry| (std::cmp::Reverse(route.net.prefix_len()), route.metric);
        let fib = self.fib(at, RT_TABLE_MAIN);
        let fitting = || fib.iter().filter(|route| route.net.contains(&IpAddr::from(gateway)));
        let Some(best) = fitting().min_by_key(|route| of(route)) else { return Ok(()) };
        let elsewhere = best.net.prefix_len() > 0
            && best.more.kind == UNICAST
            && !fitting().any(|route| of(route) == of(best) && route.is_by(id, index));
        if elsewhere { Err(Errno::INVAL) } else { Ok(()) }
    }

    /// The best route through the link: whether it has no gateway; none: there is no route.
    fn look_up6(&self, at: SpaceId, table: u32, id: LinkId, gateway: Ipv6Addr) -> Option<bool> {
        let routes = self.fib(at, table).into_iter().filter(|route| route.link == id);
        let fitting = routes.filter(|route| route.net.contains(&IpAddr::from(gateway)));
        let best = fitting.min_by_key(|route| (std::cmp::Reverse(route.net.prefix_len()), route.metric))?;
        Some(best.gateway.is_none())
    }
}

/// What a lookup came to.
enum Found {
    Good,
    Broadcast,
}

/// In the table `local`.
fn local4(link: &Link, gateway: Ipv4Addr) -> Option<Found> {
    let whole = matches!(link.kind, Kind::Loopback);
    if link.ipv4.iter().any(|own| own.net.addr() == gateway || whole && own.net.contains(&gateway)) {
        return Some(Found::Good);
    }
    let broadcast = |own: &super::link::Address4| own.net.prefix_len() < 31 && own.net.broadcast() == gateway;
    (link.up && link.ipv4.iter().any(broadcast)).then_some(Found::Broadcast)
}

/// The routes to the subnets of a link's addresses (proto kernel).
fn of_addresses(id: LinkId, link: &Link) -> Vec<Entry> {
    let route = |net: IpNet, metric| Entry {
        net: net.trunc(),
        link: id,
        gateway: None,
        source: None,
        table: RT_TABLE_MAIN,
        metric,
        protocol: KERNEL,
        more: More::default(),
    };
    let ipv4 = link.ipv4.iter().filter(|address| link.up && !address.secondary && address.net.prefix_len() < 32);
    let ipv4 = ipv4.filter(|_| !matches!(link.kind, Kind::Loopback)).map(|address| route(address.net.into(), 0));
    let ipv6 = link.ipv6.iter().filter(|_| link.up).map(|net| route((*net).into(), METRIC_OF_PREFIX6));
    ipv4.chain(ipv6).collect()
}
