//! Addresses on links (net/ipv4/devinet.c, net/ipv6/addrconf.c).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustix::io::Errno;

use crate::RT_TABLE_MAIN;
use crate::fake::fields::{Fields, octets};
use crate::fake::link::{Address4, Kind, Link, LinkId};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::fake::{AF_INET, AF_INET6, AF_UNSPEC};
use crate::ip::address::{HEADER, IFA_ADDRESS, IFA_LOCAL};
use crate::link::device::IFA_F_PERMANENT;
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;

impl Machine {
    pub fn address_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let (index, net) = parse(body)?;
        let id = self.by_index(at, index);
        match net {
            IpNet::V4(net) => self.add_ipv4(id.ok_or(Errno::NODEV)?, net)?,
            IpNet::V6(net) if net.addr().is_unspecified() || net.addr().is_multicast() => {
                return Err(Errno::ADDRNOTAVAIL);
            }
            IpNet::V6(net) => self.add_ipv6(id.ok_or(Errno::NODEV)?, net)?,
        }
        Ok(Vec::new())
    }

    fn add_ipv4(&mut self, id: LinkId, net: Ipv4Net) -> Result<(), Errno> {
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        let subnet = link.ipv4.iter().filter(|other| other.net.trunc() == net.trunc());
        let mut secondary = false;
        for other in subnet {
            if other.net == net {
                return Err(Errno::EXIST);
            }
            secondary = true;
        }
        let first_secondary = link.ipv4.iter().position(|other| other.secondary);
        let position = first_secondary.filter(|_| !secondary).unwrap_or(link.ipv4.len());
        link.ipv4.insert(position, Address4 { net, secondary });
        Ok(())
    }

    fn add_ipv6(&mut self, id: LinkId, net: Ipv6Net) -> Result<(), Errno> {
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        if !Self::has_ipv6(link) {
            return Err(Errno::INVAL);
        }
        // The kernel looks for the very same address first, whatever its prefix.
        if link.ipv6.iter().any(|other| other.addr() == net.addr()) {
            return Err(Errno::EXIST);
        }
        if link.settings.disable_ipv6 != 0 {
            return Err(Errno::ACCESS);
        }
        link.put_ipv6(net);
        Ok(())
    }

    pub fn address_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        if fields.header_byte(0) == AF_INET && fields.get(IFA_LOCAL).is_none() {
            // Nothing says which one: it is the first (inet_rtm_deladdr).
            let id = self.by_index(at, fields.header_number(4)?).ok_or(Errno::NODEV)?;
            let first = self.links.get(&id).and_then(|link| link.ipv4.first()).ok_or(Errno::ADDRNOTAVAIL)?.net;
            return self.remove_ipv4(id, first).map(|()| Vec::new());
        }
        let (index, net) = parse(body)?;
        let id = self.by_index(at, index).ok_or(Errno::NODEV)?;
        match net {
            IpNet::V4(net) => self.remove_ipv4(id, net)?,
            IpNet::V6(net) => self.remove_ipv6(id, net)?,
        }
        Ok(Vec::new())
    }

    /// A primary address takes the others of its subnet along: promote_secondaries is off.
    fn remove_ipv4(&mut self, id: LinkId, net: Ipv4Net) -> Result<(), Errno> {
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        let removed = link.ipv4.iter().find(|other| other.net == net).copied().ok_or(Errno::ADDRNOTAVAIL)?;
        let goes = |other: &Address4| match removed.secondary {
            true => *other == removed,
            false => other.net.trunc() == net.trunc(),
        };
        let gone: Vec<Address4> = link.ipv4.extract_if(.., |other| goes(other)).collect();
        let (space, last) = (link.space, link.ipv4.is_empty());
        if last {
            // Without an address a link has no IPv4 (fib_disable_ip).
            link.neighbours.retain(|address, _| address.is_ipv6());
            link.proxies.retain(IpAddr::is_ipv6);
            self.drop_routes(space, |route| route.link == id && route.net.addr().is_ipv4());
        }
        self.lose_sources(space, &gone);
        Ok(())
    }

    /// Routes of the main table go with the address that they have as their source, those of others stay (fib_sync_down_addr).
    pub fn lose_sources(&mut self, space: SpaceId, gone: &[Address4]) {
        for address in gone.iter().map(|address| address.net.addr()) {
            if !self.is_local4(space, address) {
                self.drop_routes(space, |r| r.table == RT_TABLE_MAIN && r.source == Some(address.into()));
            }
        }
    }

    fn remove_ipv6(&mut self, id: LinkId, net: Ipv6Net) -> Result<(), Errno> {
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        if !Self::has_ipv6(link) {
            return Err(Errno::NXIO);
        }
        let position = link.ipv6.iter().position(|other| *other == net).ok_or(Errno::ADDRNOTAVAIL)?;
        link.ipv6.remove(position);
        self.forget_source(id, net.addr().into());
        Ok(())
    }

    pub fn address_list(&self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let (family, wanted) = (fields.header_byte(0), fields.header_number(4)?);
        let ids = self.listed(at).into_iter().filter_map(|id| self.links.get(&id));
        let links: Vec<&Link> = ids.filter(|link| wanted == 0 || link.index == wanted).collect();
        let ipv4 = |link: &Link| link.ipv4.iter().map(|address| tell(link.index, address.net.into())).collect();
        let ipv6 = |link: &Link| link.ipv6.iter().map(|net| tell(link.index, (*net).into())).collect();
        // One family after the other, as the kernel does.
        let of = |wanted: u8, tell: &dyn Fn(&Link) -> Vec<Message>| -> Vec<Message> {
            let is_asked = family == AF_UNSPEC || family == wanted;
            links.iter().filter(|_| is_asked).flat_map(|link| tell(link)).collect()
        };
        Ok([of(AF_INET, &ipv4), of(AF_INET6, &ipv6)].concat())
    }

    /// Whether the host of a namespace answers to an address (RTN_LOCAL): its own, and all in the subnets of a loopback.
    pub fn is_local4(&self, space: SpaceId, address: Ipv4Addr) -> bool {
        let has = |link: &Link| {
            let whole = matches!(link.kind, Kind::Loopback);
            link.ipv4.iter().any(|own| own.net.addr() == address || whole && own.net.contains(&address))
        };
        self.links_of(space).any(|(_, link)| has(link))
    }

    /// The same of IPv6, whichever link it is on.
    pub fn is_local6(&self, space: SpaceId, address: Ipv6Addr) -> bool {
        self.links_of(space).any(|(_, link)| link.ipv6.iter().any(|net| net.addr() == address))
    }
}

impl Link {
    /// Before those of the same scope, and global ones before link-local ones (ipv6_link_dev_addr).
    pub fn put_ipv6(&mut self, net: Ipv6Net) {
        let scope = |net: &Ipv6Net| u8::from(!net.addr().is_unicast_link_local() && !net.addr().is_loopback());
        let position = self.ipv6.iter().position(|other| scope(&net) >= scope(other));
        self.ipv6.insert(position.unwrap_or(self.ipv6.len()), net);
    }
}

fn parse(body: &[u8]) -> Result<(u32, IpNet), Errno> {
    let fields = Fields::after(body, HEADER)?;
    let address: IpAddr = fields.ip(IFA_LOCAL)?.or(fields.ip(IFA_ADDRESS)?).ok_or(Errno::INVAL)?;
    let net = IpNet::new(address, fields.header_byte(1)).map_err(|_| Errno::INVAL)?;
    Ok((fields.header_number(4)?, net))
}

fn tell(index: u32, net: IpNet) -> Message {
    let (family, kind) = if net.addr().is_ipv4() { (AF_INET, IFA_LOCAL) } else { (AF_INET6, IFA_ADDRESS) };
    let header = [[family, net.prefix_len(), IFA_F_PERMANENT, 0], index.to_ne_bytes()].concat();
    Message { body: Writer::after(&header).put(kind, &octets(net.addr())).finish() }
}
