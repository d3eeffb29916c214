//! What the fake says of a link (RTM_GETLINK).

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::link::{Kind, Link, LinkId};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::link::device::{IFF_LOOPBACK, IFLA_VXLAN_LINK};
use crate::link::options::{BRIDGE, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_TXQLEN};
use crate::link::read::{
    HEADER, IFF_RUNNING, IFF_UP, IFLA_ADDRESS, IFLA_ALT_IFNAME, IFLA_BRPORT_ISOLATED, IFLA_BRPORT_LEARNING,
    IFLA_BRPORT_MODE, IFLA_GROUP, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_INFO_SLAVE_DATA, IFLA_LINK, IFLA_LINK_NETNSID,
    IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_PROP_LIST,
};
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;

impl Machine {
    pub fn link_get(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let name = fields.text(IFLA_IFNAME).or(fields.text(IFLA_ALT_IFNAME));
        let id = match (fields.header_number(4)?, name) {
            (0, Some(name)) => self.by_name(at, &name),
            (index, _) => self.by_index(at, index),
        };
        let id = id.ok_or(Errno::NODEV)?;
        self.catch_up(id);
        Ok(self.links.get(&id).map(|link| self.tell(id, link)).into_iter().collect())
    }

    pub fn link_list(&self, at: SpaceId) -> Reply {
        let links = self.listed(at).into_iter().filter_map(|id| Some(self.tell(id, self.links.get(&id)?)));
        Ok(links.collect())
    }

    fn tell(&self, id: LinkId, link: &Link) -> Message {
        let loopback = if matches!(link.kind, Kind::Loopback) { IFF_LOOPBACK } else { 0 };
        let flags = loopback
            | link.options.flags()
            | if link.up { IFF_UP } else { 0 }
            | if self.running(id) { IFF_RUNNING } else { 0 };
        let head = [[0; 4], link.index.to_ne_bytes(), flags.to_ne_bytes(), [0; 4]].concat();
        let mut written = Writer::after(&head)
            .put_text(IFLA_IFNAME, &link.name)
            .put(IFLA_MTU, &link.mtu.to_ne_bytes())
            .put(IFLA_GROUP, &link.group.to_ne_bytes())
            .put(IFLA_TXQLEN, &link.options.queue().to_ne_bytes());
        if !matches!(link.kind, Kind::Wireguard(_)) {
            written = written.put(IFLA_ADDRESS, &link.mac);
        }
        if let Some(master) = link.master.and_then(|master| self.links.get(&master)) {
            written = written.put(IFLA_MASTER, &master.index.to_ne_bytes());
        }
        let (below, elsewhere) = self.parent(link);
        if elsewhere {
            // The number that the kernel gives the other namespace; which one it is does not matter here.
            written = written.put(IFLA_LINK_NETNSID, &[0; 4]);
        }
        if let Some(index) = below.filter(|index| elsewhere || *index != link.index) {
            written = written.put(IFLA_LINK, &index.to_ne_bytes());
        }
        if !link.other_names.is_empty() {
            let names = link.other_names.iter();
            let list = names.fold(Writer::default(), |list, name| list.put_text(IFLA_ALT_IFNAME, name));
            written = written.nest(IFLA_PROP_LIST, list);
        }
        if let Some(kind) = link.kind.name() {
            let mut info = Writer::default().put_text(IFLA_INFO_KIND, kind);
            if let Kind::Bridge(_) = link.kind {
                info = info.nest(IFLA_INFO_DATA, link.options.tell(Writer::default(), false));
            }
            if let Kind::Vxlan(vxlan) = &link.kind
                && let Some(lower) = vxlan.lower.and_then(|lower| self.links.get(&lower))
            {
                let on = Writer::default().put(IFLA_VXLAN_LINK, &lower.index.to_ne_bytes());
                info = info.nest(IFLA_INFO_DATA, on);
            }
            if link.master.is_some() {
                info = info.put_text(IFLA_INFO_SLAVE_KIND, BRIDGE).nest(IFLA_INFO_SLAVE_DATA, port(link));
            }
            written = written.nest(IFLA_LINKINFO, info);
        }
        Message { body: written.finish() }
    }

    /// The index of what IFLA_LINK names, and whether that is in another namespace. A tunnel names itself.
    fn parent(&self, link: &Link) -> (Option<u32>, bool) {
        let other = match &link.kind {
            Kind::Vxlan(vxlan) => return (Some(link.index), vxlan.space != link.space),
            Kind::Veth { peer } => self.links.get(peer),
            kind => kind.lower().and_then(|lower| self.links.get(&lower)),
        };
        (other.map(|other| other.index), other.is_some_and(|other| other.space != link.space))
    }
}

fn port(link: &Link) -> Writer {
    let port = Writer::default()
        .put(IFLA_BRPORT_MODE, &[link.port.hairpin.into()])
        .put(IFLA_BRPORT_ISOLATED, &[link.port.isolated.into()])
        .put(IFLA_BRPORT_LEARNING, &[link.port.learning.into()]);
    link.options.tell(port, true)
}
