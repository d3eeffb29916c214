//! Bridges and their ports (net/bridge/br_if.c, br_stp*.c).

use rustix::io::Errno;

use crate::fake::link::{Kind, LinkId, MTUS, Port};
use crate::fake::machine::Machine;

impl Machine {
    /// IFLA_MASTER: the bridge of an index in the link's namespace, or 0 for none.
    pub fn set_master(&mut self, id: LinkId, index: u32) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        let (space, now) = (link.space, link.master);
        if let Some(master) = now {
            if self.links.get(&master).is_some_and(|master| master.index == index) {
                return Ok(());
            }
            self.leave_bridge(id);
        }
        if index == 0 {
            return Ok(());
        }
        let bridge = self.by_index(space, index).ok_or(Errno::INVAL)?;
        self.join_bridge(id, bridge)
    }

    fn join_bridge(&mut self, id: LinkId, bridge: LinkId) -> Result<(), Errno> {
        let (Some(link), Some(master)) = (self.links.get(&id), self.links.get(&bridge)) else {
            return Err(Errno::NODEV);
        };
        if !matches!(master.kind, Kind::Bridge(_)) {
            return Err(Errno::OPNOTSUPP);
        }
        let receives = |upper: &LinkId| self.links.get(upper).is_some_and(|upper| upper.kind.receives_for_parent());
        match link.kind {
            ref kind if !kind.is_ethernet() => return Err(Errno::INVAL),
            _ if link.mac == [0; 6] => return Err(Errno::INVAL),
            Kind::Bridge(_) => return Err(Errno::LOOP),
            // It takes its own packets (netdev_rx_handler_register).
            Kind::Macvlan { tap: true, .. } => return Err(Errno::BUSY),
            _ if self.uppers_of(id).iter().any(receives) => return Err(Errno::BUSY),
            _ if self.is_below(bridge, id) => return Err(Errno::BUSY),
            _ => {}
        }
        let mac = link.mac;
        if let Some(link) = self.links.get_mut(&id) {
            (link.master, link.port) = (Some(bridge), Port::default());
            link.options.join();
        }
        if let Some(Kind::Bridge(bridge)) = self.links.get_mut(&bridge).map(|link| &mut link.kind) {
            bridge.entries.remove(&mac);
        }
        self.recalculate(bridge);
        Ok(())
    }

    pub fn leave_bridge(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(master) = link.master.take() else { return };
        link.port = Port::default();
        link.options.leave();
        if let Some(Kind::Bridge(bridge)) = self.links.get_mut(&master).map(|link| &mut link.kind) {
            bridge.entries.retain(|_, port| *port != id);
        }
        self.select_carrier(master);
        self.recalculate_mtu(master);
        self.recalculate_mac(master);
    }

    /// A bridge has the lowest MAC and the lowest MTU of its ports, where nobody chose them.
    pub fn recalculate(&mut self, bridge: LinkId) {
        self.recalculate_mac(bridge);
        self.recalculate_mtu(bridge);
    }

    fn recalculate_mac(&mut self, bridge: LinkId) {
        let ports = self.ports_of(bridge).into_iter().filter_map(|port| self.links.get(&port));
        let lowest = ports.map(|port| port.mac).min().unwrap_or_default();
        if self.links.get(&bridge).is_some_and(|link| !link.mac_chosen && link.mac != lowest) {
            self.change_mac(bridge, lowest);
        }
    }

    fn recalculate_mtu(&mut self, bridge: LinkId) {
        let ports = self.ports_of(bridge).into_iter().filter_map(|port| self.links.get(&port));
        let least = ports.map(|port| port.mtu).min().unwrap_or(1500);
        // What no bridge can have is refused (br_mtu_auto_adjust).
        let fits = MTUS.contains(&least);
        if fits && self.links.get(&bridge).is_some_and(|link| !link.mtu_chosen && link.mtu != least) {
            self.change_mtu(bridge, least);
        }
    }

    /// A port forwards while it and its bridge are up and it has a carrier.
    pub fn settle_port(&mut self, id: LinkId) {
        let Some(master) = self.links.get(&id).and_then(|link| link.master) else { return };
        let forwards = self.running(id) && self.links.get(&master).is_some_and(|master| master.up);
        let Some(link) = self.links.get_mut(&id).filter(|link| link.port.forwarding != forwards) else { return };
        link.port.forwarding = forwards;
        self.select_carrier(master);
    }

    /// Whether a bridge has a port that forwards (br_port_state_selection).
    pub fn select_carrier(&mut self, id: LinkId) {
        let forwards = |port: &LinkId| self.links.get(port).is_some_and(|port| port.port.forwarding);
        let carrier = self.ports_of(id).iter().any(forwards);
        if let Some(Kind::Bridge(bridge)) = self.links.get_mut(&id).map(|link| &mut link.kind) {
            bridge.carrier = carrier;
        }
    }
}
