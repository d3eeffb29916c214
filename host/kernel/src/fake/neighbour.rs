//! Permanent neighbours of links, and forwarding entries of bridges and tunnels (net/core/neighbour.c, net/bridge/br_fdb.c,
//! drivers/net/vxlan).

use std::net::{IpAddr, Ipv4Addr};

use rustix::io::Errno;

use crate::fake::fields::{Fields, octets};
use crate::fake::link::{Kind, LinkId, Mac};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::fake::{AF_BRIDGE, AF_INET, AF_INET6};
use crate::ip::neighbour::{HEADER, NDA_DST, NDA_IFINDEX, NDA_LLADDR, NTF_SELF, NUD_NOARP, NUD_PERMANENT};
use crate::ip::proxy::NTF_PROXY;
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;

/// Which table of which link a message is about.
enum Table {
    /// The addresses that the host answers for there: NTF_PROXY.
    Proxies(LinkId),
    /// Its neighbours.
    Neighbours(LinkId),
    /// The bridge's that it is a port of: NTF_MASTER.
    Bridge { bridge: LinkId, port: LinkId },
    /// A tunnel's own: NTF_SELF.
    Tunnel(LinkId),
    /// The MACs that any other link listens to, which is what NTF_SELF means there.
    Filters(LinkId),
}

impl Machine {
    pub fn neighbour_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let table = self.table(at, &fields)?;
        if let Table::Proxies(id) = table {
            return self.add_proxy(id, fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?);
        }
        let mac = fields.mac(NDA_LLADDR)?.ok_or(Errno::INVAL)?;
        match table {
            Table::Proxies(_) => {}
            Table::Neighbours(id) => {
                let address = fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?;
                let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
                if address.is_ipv6() && (!Self::has_ipv6(link) || link.settings.disable_ipv6 != 0) {
                    return Err(Errno::INVAL);
                }
                // Of a loopback, and of what has one other end, every IPv4 neighbour is the same one (arp_constructor).
                let one = matches!(link.kind, Kind::Loopback | Kind::Wireguard(_)) && address.is_ipv4();
                link.neighbours.insert(if one { Ipv4Addr::UNSPECIFIED.into() } else { address }, mac);
            }
            Table::Bridge { .. } if mac == [0; 6] => return Err(Errno::INVAL),
            Table::Bridge { bridge, port } => {
                if let Some(Kind::Bridge(bridge)) = self.links.get_mut(&bridge).map(|link| &mut link.kind) {
                    bridge.entries.insert(mac, port);
                }
            }
            Table::Filters(id) => drop(self.links.get_mut(&id).map(|link| link.filters.insert(mac))),
            Table::Tunnel(id) => self.add_to_tunnel(id, mac, fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?)?,
        }
        Ok(Vec::new())
    }

    /// Another of the address says nothing. Of IPv6 the link listens for its solicitations, and must have that (pndisc_constructor).
    fn add_proxy(&mut self, id: LinkId, address: IpAddr) -> Reply {
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        if address.is_ipv6() && !Self::has_ipv6(link) {
            return Err(Errno::NOBUFS);
        }
        link.proxies.insert(address);
        Ok(Vec::new())
    }

    fn add_to_tunnel(&mut self, id: LinkId, mac: Mac, remote: IpAddr) -> Result<(), Errno> {
        let Some(Kind::Vxlan(vxlan)) = self.links.get_mut(&id).map(|link| &mut link.kind) else {
            return Err(Errno::OPNOTSUPP);
        };
        if remote.is_ipv6() != vxlan.is_ipv6() {
            return Err(Errno::AFNOSUPPORT);
        }
        // Only unicast entries are replaced.
        if vxlan.entries.contains_key(&mac) && (mac == [0; 6] || mac[0] & 1 == 1) {
            return Err(Errno::OPNOTSUPP);
        }
        vxlan.entries.insert(mac, remote);
        Ok(())
    }

    pub fn neighbour_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let gone = match self.table(at, &fields)? {
            Table::Proxies(id) => {
                let address = fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?;
                !self.links.get_mut(&id).is_some_and(|link| link.proxies.remove(&address))
            }
            Table::Neighbours(id) => {
                let address = fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?;
                self.links.get_mut(&id).and_then(|link| link.neighbours.remove(&address)).is_none()
            }
            Table::Bridge { bridge, port } => {
                let mac = fields.mac(NDA_LLADDR)?.ok_or(Errno::INVAL)?;
                match self.links.get_mut(&bridge).map(|link| &mut link.kind) {
                    Some(Kind::Bridge(bridge)) if bridge.entries.get(&mac) == Some(&port) => {
                        bridge.entries.remove(&mac).is_none()
                    }
                    _ => true,
                }
            }
            Table::Filters(_) => return Err(Errno::OPNOTSUPP),
            Table::Tunnel(id) => {
                let (mac, remote) = (fields.mac(NDA_LLADDR)?.ok_or(Errno::INVAL)?, fields.ip(NDA_DST)?);
                match self.links.get_mut(&id).map(|link| &mut link.kind) {
                    Some(Kind::Vxlan(vxlan)) if remote.is_none() || vxlan.entries.get(&mac).copied() == remote => {
                        vxlan.entries.remove(&mac).is_none()
                    }
                    _ => true,
                }
            }
        };
        if gone { Err(Errno::NOENT) } else { Ok(Vec::new()) }
    }

    pub fn neighbour_get(&self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let all = match self.table(at, &fields)? {
            Table::Proxies(id) => {
                let address = fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?;
                let there = self.links.get(&id).is_some_and(|link| link.proxies.contains(&address));
                there.then(|| self.tell_proxy(id, address))
            }
            Table::Neighbours(id) => {
                let address = fields.ip(NDA_DST)?.ok_or(Errno::INVAL)?;
                let mac = self.links.get(&id).and_then(|link| link.neighbours.get(&address));
                mac.map(|mac| self.tell_neighbour(id, address, *mac))
            }
            Table::Bridge { bridge, .. } => {
                let mac = fields.mac(NDA_LLADDR)?.ok_or(Errno::INVAL)?;
                self.entries(bridge).into_iter().find(|(_, other)| *other == mac).map(|(message, _)| message)
            }
            Table::Filters(_) => return Err(Errno::OPNOTSUPP),
            Table::Tunnel(id) => {
                let mac = fields.mac(NDA_LLADDR)?.ok_or(Errno::INVAL)?;
                self.entries(id).into_iter().find(|(_, other)| *other == mac).map(|(message, _)| message)
            }
        };
        all.map(|message| vec![message]).ok_or(Errno::NOENT)
    }

    pub fn neighbour_list(&self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let family = fields.header_byte(0);
        let index = if family == AF_BRIDGE { Some(fields.header_number(4)?) } else { fields.number(NDA_IFINDEX)? };
        let id = self.by_index(at, index.unwrap_or(0)).ok_or(Errno::NODEV)?;
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if family == AF_BRIDGE {
            let holders = link.master.into_iter().chain([id]);
            return Ok(holders.flat_map(|holder| self.entries(holder)).map(|(message, _)| message).collect());
        }
        if fields.header_byte(10) & NTF_PROXY != 0 {
            let of_family = link.proxies.iter().filter(|address| (family == AF_INET) == address.is_ipv4());
            return Ok(of_family.map(|address| self.tell_proxy(id, *address)).collect());
        }
        let of_family = link.neighbours.iter().filter(|(address, _)| (family == AF_INET) == address.is_ipv4());
        Ok(of_family.map(|(address, mac)| self.tell_neighbour(id, *address, *mac)).collect())
    }

    fn table(&self, at: SpaceId, fields: &Fields) -> Result<Table, Errno> {
        let id = self.by_index(at, fields.header_number(4)?).ok_or(Errno::NODEV)?;
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        match fields.header_byte(0) {
            AF_INET | AF_INET6 if fields.header_byte(10) & NTF_PROXY != 0 => Ok(Table::Proxies(id)),
            AF_INET | AF_INET6 => Ok(Table::Neighbours(id)),
            AF_BRIDGE if !link.kind.is_ethernet() => Err(Errno::INVAL),
            AF_BRIDGE if fields.header_byte(10) & NTF_SELF != 0 => match link.kind {
                Kind::Vxlan(_) => Ok(Table::Tunnel(id)),
                // Of a bridge it would be a local entry, which nobody asks this layer for; the others refuse it.
                Kind::Bridge(_) | Kind::Macvlan { .. } => Err(Errno::OPNOTSUPP),
                _ => Ok(Table::Filters(id)),
            },
            AF_BRIDGE => match link.master {
                Some(bridge) => Ok(Table::Bridge { bridge, port: id }),
                None => Err(Errno::OPNOTSUPP),
            },
            _ => Err(Errno::AFNOSUPPORT),
        }
    }

    fn tell_neighbour(&self, id: LinkId, address: IpAddr, mac: Mac) -> Message {
        let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
        // Without MACs, none is told (dev->addr_len).
        let has_macs = !matches!(self.links.get(&id).map(|link| &link.kind), Some(Kind::Wireguard(_)));
        let mac = if has_macs { &mac[..] } else { &[] };
        let written = self.header(id, family, NUD_PERMANENT, 0).put(NDA_DST, &octets(address)).put(NDA_LLADDR, mac);
        Message { body: written.finish() }
    }

    fn tell_proxy(&self, id: LinkId, address: IpAddr) -> Message {
        let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
        Message { body: self.header(id, family, 0, NTF_PROXY).put(NDA_DST, &octets(address)).finish() }
    }

    /// The forwarding entries of a bridge or a tunnel.
    fn entries(&self, holder: LinkId) -> Vec<(Message, Mac)> {
        let tell = |written: Writer, mac: &Mac| (Message { body: written.put(NDA_LLADDR, mac).finish() }, *mac);
        match self.links.get(&holder).map(|link| &link.kind) {
            Some(Kind::Bridge(bridge)) => {
                let one = |(mac, port): (&Mac, &LinkId)| tell(self.header(*port, AF_BRIDGE, NUD_NOARP, 0), mac);
                bridge.entries.iter().map(one).collect()
            }
            Some(Kind::Vxlan(vxlan)) => {
                let one = |(mac, remote): (&Mac, &IpAddr)| {
                    let header = self.header(holder, AF_BRIDGE, NUD_NOARP | NUD_PERMANENT, NTF_SELF);
                    tell(header.put(NDA_DST, &octets(*remote)), mac)
                };
                vxlan.entries.iter().map(one).collect()
            }
            _ => Vec::new(),
        }
    }

    fn header(&self, id: LinkId, family: u8, state: u16, flags: u8) -> Writer {
        let index = self.links.get(&id).map_or(0, |link| link.index);
        let [low, high] = state.to_ne_bytes();
        Writer::after(&[[family, 0, 0, 0], index.to_ne_bytes(), [low, high, flags, 0]].concat())
    }
}
