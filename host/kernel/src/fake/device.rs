//! What happens to a link, and what that does to others: up and down, MAC, MTU, removal (net/core/dev.c and who listens to its notices).

use ipnet::Ipv6Net;
use std::net::IpAddr;

use rustix::io::Errno;

use crate::fake::link::{Kind, LEAST_FOR_IPV6, LOOPBACK, Link, LinkId, MTUS, Mac};
use crate::fake::machine::Machine;

impl Machine {
    /// IFF_UP.
    pub fn set_up(&mut self, id: LinkId, up: bool) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if link.up == up {
            return Ok(());
        }
        if up {
            self.may_come_up(id)?;
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.up = up;
        }
        if !up {
            self.lose_ip(id);
        }
        let is_vlan = |upper: &LinkId| matches!(self.links.get(upper).map(|link| &link.kind), Some(Kind::Vlan { .. }));
        let vlans: Vec<LinkId> = self.uppers_of(id).into_iter().filter(is_vlan).collect();
        vlans.into_iter().try_for_each(|vlan| self.set_up(vlan, up))
    }

    fn may_come_up(&self, id: LinkId) -> Result<(), Errno> {
        let Some(link) = self.links.get(&id) else { return Err(Errno::NODEV) };
        match link.kind {
            Kind::Macvlan { .. } | Kind::Vlan { .. } if !is_unicast(link.mac) => Err(Errno::ADDRNOTAVAIL),
            Kind::Macvlan { lower, mode, .. } if mode != PASSTHRU && self.is_busy(lower, link.mac, id) => {
                Err(Errno::ADDRINUSE)
            }
            Kind::Vlan { lower, .. } if self.links.get(&lower).is_some_and(|lower| !lower.up) => Err(Errno::NETDOWN),
            Kind::Wireguard(ref wireguard) => self.may_listen(wireguard.port),
            _ => Ok(()),
        }
    }

    /// Whether a parent, or another link on it, has the MAC (macvlan_addr_busy).
    pub fn is_busy(&self, lower: LinkId, mac: Mac, but: LinkId) -> bool {
        let has = |id: &LinkId| self.links.get(id).is_some_and(|link| link.mac == mac);
        has(&lower)
            || self.uppers_of(lower).iter().any(|other| *other != but && self.is_macvlan_up(*other) && has(other))
    }

    fn is_macvlan_up(&self, id: LinkId) -> bool {
        self.links.get(&id).is_some_and(|link| link.up && matches!(link.kind, Kind::Macvlan { .. }))
    }

    /// What a link that goes down loses: its IPv6 addresses, all routes and all neighbours.
    pub fn lose_ip(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.neighbours.clear();
        link.proxies.clear();
        let space = link.space;
        self.lose_ipv6(id);
        self.drop_routes(space, |route| route.link == id);
    }

    /// The same of IPv6 alone (addrconf_ifdown).
    pub fn lose_ipv6(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.ready = false;
        link.neighbours.retain(|address, _| address.is_ipv4());
        link.proxies.retain(IpAddr::is_ipv4);
        link.ipv6.clear();
        let space = link.space;
        self.drop_routes(space, |route| route.link == id && route.net.addr().is_ipv6());
    }

    /// A new MAC; neighbours are forgotten with the old one.
    pub fn set_mac(&mut self, id: LinkId, mac: Mac) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if !is_unicast(mac) {
            return Err(Errno::ADDRNOTAVAIL);
        }
        match link.kind {
            Kind::Ipvlan { .. } | Kind::Wireguard(_) | Kind::Ifb => return Err(Errno::OPNOTSUPP),
            Kind::Macvlan { lower, mode: PASSTHRU, .. } => self.set_mac(lower, mac)?,
            Kind::Macvlan { lower, .. } if link.up && link.mac != mac && self.is_busy(lower, mac, id) => {
                return Err(Errno::ADDRINUSE);
            }
            Kind::Loopback if link.up => return Err(Errno::BUSY),
            _ => {}
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.mac_chosen = true;
        }
        self.change_mac(id, mac);
        Ok(())
    }

    pub fn change_mac(&mut self, id: LinkId, mac: Mac) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let changed = std::mem::replace(&mut link.mac, mac) != mac;
        link.neighbours.clear();
        let master = link.master;
        if changed {
            self.select_carrier(id);
        }
        for upper in self.uppers_of(id) {
            if matches!(self.links.get(&upper).map(|link| &link.kind), Some(Kind::Macvlan { mode: PASSTHRU, .. })) {
                self.change_mac(upper, mac);
            }
        }
        master.into_iter().for_each(|bridge| self.recalculate(bridge));
    }

    /// An MTU that somebody sets.
    pub fn set_mtu(&mut self, id: LinkId, mtu: u32) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if link.mtu == mtu {
            return Ok(());
        }
        let most = link.kind.lower().and_then(|lower| self.links.get(&lower)).map(|lower| match &link.kind {
            Kind::Vxlan(vxlan) => lower.mtu.saturating_sub(vxlan.headroom()),
            Kind::Ipvlan { .. } => *MTUS.end(),
            _ => lower.mtu,
        });
        let dummy = matches!(link.kind, Kind::Dummy | Kind::Ifb | Kind::Loopback | Kind::Wireguard(_));
        let is_vlan = matches!(link.kind, Kind::Vlan { .. });
        if !dummy && !MTUS.contains(&mtu) || most.is_some_and(|most| mtu > most) {
            return Err(if is_vlan { Errno::RANGE } else { Errno::INVAL });
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.mtu_chosen = true;
        }
        self.change_mtu(id, mtu);
        Ok(())
    }

    pub fn change_mtu(&mut self, id: LinkId, mtu: u32) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let had_ipv6 = Self::has_ipv6(link);
        link.mtu = mtu;
        let (master, space) = (link.master, link.space);
        match (had_ipv6, mtu >= LEAST_FOR_IPV6) {
            (true, false) => self.lose_ipv6(id),
            (false, true) => {
                let settings = self.spaces.get(&space).map(|space| space.settings.clone()).unwrap_or_default();
                if let Some(link) = self.links.get_mut(&id) {
                    link.settings.renew_ipv6(&settings);
                }
                // What the carrier is by now has not come round yet.
                if self.links.get(&id).is_some_and(|link| link.up && link.settled) {
                    self.become_ready(id);
                }
            }
            _ => {}
        }
        for upper in self.uppers_of(id) {
            let follows = |link: &Link| match link.kind {
                Kind::Vxlan(_) => false,
                Kind::Ipvlan { .. } => link.mtu != mtu,
                _ => link.mtu > mtu,
            };
            if self.links.get(&upper).is_some_and(follows) {
                self.change_mtu(upper, mtu);
            }
        }
        master.into_iter().for_each(|bridge| self.recalculate(bridge));
    }

    /// What the kernel does a moment after a change (linkwatch_event), and here is done with the call of the layer: ports forward or not, and a
    /// link that has got a carrier gets its link-local address.
    pub fn settle(&mut self) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        ids.iter().for_each(|id| self.settle_port(*id));
        ids.iter().for_each(|id| self.catch_up(*id));
    }

    /// The same for a link that is asked for, which does not wait (linkwatch_sync_dev).
    pub fn catch_up(&mut self, id: LinkId) {
        self.settle_port(id);
        let carrier = self.carrier(id);
        if let Some(link) = self.links.get_mut(&id) {
            // neigh_carrier_down: permanent neighbours stay.
            if link.up && link.settled && !carrier {
                link.proxies.clear();
            }
            link.settled = carrier;
        }
        if self.running(id) {
            self.become_ready(id);
        }
    }

    /// A link that comes up and has had a carrier all the time needs no such moment.
    pub fn settle_one(&mut self, id: LinkId) {
        if self.running(id) && self.links.get(&id).is_some_and(|link| link.settled) {
            self.become_ready(id);
        }
    }

    /// Gives a link its link-local address, once since it came up.
    fn become_ready(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.ready) else { return };
        if !Self::has_ipv6(link) || link.settings.disable_ipv6 != 0 {
            return;
        }
        link.ready = true;
        let own = link_local(link);
        if !link.settings.makes_no_link_local && !link.ipv6.iter().any(|net| net.addr() == own.addr()) {
            link.put_ipv6(own);
        }
        if link.name == LOOPBACK && link.ipv4.is_empty() {
            let net = ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::LOCALHOST, 8);
            link.ipv4.push(super::link::Address4 { net, secondary: false });
        }
    }
}

/// MACVLAN_MODE_PASSTHRU of linux/if_link.h: one link that takes all of its parent's packets, and shares its MAC.
pub(super) const PASSTHRU: u32 = 8;

pub(super) fn is_unicast(mac: Mac) -> bool {
    mac != [0; 6] && mac[0] & 1 == 0
}

/// The address that follows from a MAC (ipv6_generate_eui64).
fn link_local(link: &Link) -> Ipv6Net {
    if matches!(link.kind, Kind::Loopback) {
        return Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128);
    }
    let [a, b, c, d, e, f] = link.mac.map(u16::from);
    let words = [0xfe80, 0, 0, 0, (a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f];
    Ipv6Net::new_assert(words.into(), 64)
}
