//! Changing, moving and deleting links (RTM_SETLINK, RTM_DELLINK; do_setlink and rtnl_dellink).

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::link::{Kind, LinkId, Port};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::fake::setting::LinkSettings;
use crate::fake::shaping::{NOBODY, Shape};
use crate::fake::{AF_BRIDGE, AF_INET6};
use crate::link::message::{IFLA_AF_SPEC, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE};
use crate::link::options::IFLA_PROTINFO;
use crate::link::read::{
    HEADER, IFF_UP, IFLA_ADDRESS, IFLA_ALT_IFNAME, IFLA_BRPORT_ISOLATED, IFLA_BRPORT_LEARNING, IFLA_BRPORT_MODE,
    IFLA_GROUP, IFLA_IFNAME, IFLA_MASTER, IFLA_MTU, IFLA_PROP_LIST,
};

const IFLA_NET_NS_FD: u16 = 28;
const IFLA_NEW_IFINDEX: u16 = 49;

impl Machine {
    /// One change after the other; those before one that fails stay made.
    pub fn link_set(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let (index, name) = (fields.header_number(4)?, fields.text(IFLA_IFNAME));
        let id = match (index, &name) {
            (0, Some(name)) => self.by_name(at, name),
            _ => self.by_index(at, index),
        };
        let id = id.ok_or(Errno::NODEV)?;
        let done = match fields.header_byte(0) {
            AF_BRIDGE => self.set_port(id, &fields),
            _ => self.set(id, name.filter(|_| index != 0), &fields),
        };
        self.settle_one(id);
        done.map(|()| Vec::new())
    }

    fn set(&mut self, id: LinkId, name: Option<String>, fields: &Fields) -> Result<(), Errno> {
        if name.as_ref().is_some_and(|name| name.len() > 15) {
            return Err(Errno::RANGE);
        }
        if let Some(descriptor) = fields.number(IFLA_NET_NS_FD)? {
            let to = self.by_descriptor(descriptor).ok_or(Errno::BADF)?;
            let index = fields.number(IFLA_NEW_IFINDEX)?;
            if index.is_some_and(|index| self.by_index(to, index).is_some()) {
                return Err(Errno::BUSY);
            }
            self.move_link(id, to, name.as_deref())?;
            if let (Some(index), Some(link)) = (index, self.links.get_mut(&id)) {
                link.index = index;
            }
        }
        if let Some(mac) = fields.mac(IFLA_ADDRESS)? {
            self.set_mac(id, mac)?;
        }
        if let Some(mtu) = fields.number(IFLA_MTU)? {
            self.set_mtu(id, mtu)?;
        }
        if let (Some(group), Some(link)) = (fields.number(IFLA_GROUP)?, self.links.get_mut(&id)) {
            link.group = group;
        }
        if let Some(name) = name {
            self.rename(id, &name)?;
        }
        if fields.header_number(12)? & IFF_UP != 0 {
            self.set_up(id, fields.header_number(8)? & IFF_UP != 0)?;
        }
        if let Some(master) = fields.number(IFLA_MASTER)? {
            self.set_master(id, master)?;
        }
        self.links.get_mut(&id).ok_or(Errno::NODEV)?.options.set_any(fields)?;
        fields.nested(IFLA_AF_SPEC, 0)?.map_or(Ok(()), |spec| self.set_of_ipv6(id, &spec))
    }

    fn set_of_ipv6(&mut self, id: LinkId, spec: &Fields) -> Result<(), Errno> {
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        let mode = spec.nested(AF_INET6.into(), 0)?.and_then(|set| set.get(IFLA_INET6_ADDR_GEN_MODE)?.first());
        if mode.is_some() && !Self::has_ipv6(link) {
            return Err(Errno::AFNOSUPPORT);
        }
        link.settings.makes_no_link_local |= mode == Some(&IN6_ADDR_GEN_MODE_NONE);
        Ok(())
    }

    fn rename(&mut self, id: LinkId, wanted: &str) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if link.name != wanted {
            let name = self.valid_name(link.space, wanted)?;
            self.links.get_mut(&id).ok_or(Errno::NODEV)?.name = name;
        }
        Ok(())
    }

    fn set_port(&mut self, id: LinkId, fields: &Fields) -> Result<(), Errno> {
        let set = fields.nested(IFLA_PROTINFO, 0)?.ok_or(Errno::INVAL)?;
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        if link.master.is_none() {
            return Err(Errno::OPNOTSUPP);
        }
        let flag = |kind, now: bool| set.get(kind).and_then(|value| value.first()).map_or(now, |on| *on != 0);
        let Port { hairpin, isolated, learning, forwarding } = link.port;
        link.port = Port {
            hairpin: flag(IFLA_BRPORT_MODE, hairpin),
            isolated: flag(IFLA_BRPORT_ISOLATED, isolated),
            learning: flag(IFLA_BRPORT_LEARNING, learning),
            forwarding,
        };
        link.options.set_port(&set);
        Ok(())
    }

    /// A link arrives down and without addresses, under its index if that is free, and under its name, or a given one if that is taken.
    fn move_link(&mut self, id: LinkId, to: SpaceId, name: Option<&str>) -> Result<(), Errno> {
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        if link.space == to {
            return Ok(());
        }
        if matches!(link.kind, Kind::Loopback | Kind::Bridge(_)) {
            return Err(Errno::INVAL);
        }
        if link.other_names.iter().any(|name| self.by_name(to, name).is_some()) {
            return Err(Errno::EXIST);
        }
        let arrives = match (self.by_name(to, &link.name), name) {
            (None, _) => link.name.clone(),
            (Some(_), Some(name)) => self.valid_name(to, name)?,
            (Some(_), None) => return Err(Errno::EXIST),
        };
        let index = link.index;
        // A tunnel does not outlive that its parent leaves, other links on it do.
        let is_tunnel = |upper: &LinkId| matches!(self.links.get(upper).map(|link| &link.kind), Some(Kind::Vxlan(_)));
        let tunnels: Vec<LinkId> = self.uppers_of(id).into_iter().filter(is_tunnel).collect();
        self.remove_links(&tunnels);
        self.detach(id);
        let index = if self.by_index(to, index).is_some() { self.next_index(to) } else { index };
        let settings = self.spaces.get(&to).map(|space| LinkSettings::new(&space.settings)).unwrap_or_default();
        if let Some(link) = self.links.get_mut(&id) {
            (link.space, link.index, link.settings, link.name) = (to, index, settings, arrives);
            link.settings.makes_no_link_local = matches!(link.kind, Kind::Wireguard(_));
            link.shape = Shape::default();
        }
        // Whoever sent its packets there sends them nowhere from now on (mirred_device_event).
        let lost = self.links.values_mut().filter(|link| link.shape.to == Some(id));
        lost.for_each(|link| link.shape.to = Some(NOBODY));
        Ok(())
    }

    /// A namespace dies: physical devices go to the host (default_device_exit_net), what has a kind dies with it.
    pub fn give_cards_back(&mut self, from: SpaceId) {
        let cards: Vec<(LinkId, u32)> = self
            .links_of(from)
            .filter(|(_, link)| matches!(link.kind, Kind::Card))
            .map(|(id, link)| (id, link.index))
            .collect();
        for (id, index) in cards {
            let first = format!("dev{index}");
            let name = if self.by_name(self.host, &first).is_some() { "dev%d".to_owned() } else { first };
            // A name is free there.
            let _ = self.move_link(id, self.host, Some(&name));
        }
    }

    /// Another name beside the one that it has (rtnl_linkprop).
    pub fn name_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let (id, name) = self.named(at, body)?;
        if self.by_name(at, &name).is_some() {
            return Err(Errno::EXIST);
        }
        self.links.get_mut(&id).ok_or(Errno::NODEV)?.other_names.insert(name);
        Ok(Vec::new())
    }

    pub fn name_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let (id, name) = self.named(at, body)?;
        let there = self.links.get_mut(&id).ok_or(Errno::NODEV)?.other_names.remove(&name);
        if there { Ok(Vec::new()) } else { Err(Errno::NOENT) }
    }

    fn named(&self, at: SpaceId, body: &[u8]) -> Result<(LinkId, String), Errno> {
        let fields = Fields::after(body, HEADER)?;
        let id = self.by_index(at, fields.header_number(4)?).ok_or(Errno::NODEV)?;
        let names = fields.nested(IFLA_PROP_LIST, 0)?.ok_or(Errno::INVAL)?;
        Ok((id, names.text(IFLA_ALT_IFNAME).ok_or(Errno::INVAL)?))
    }

    /// A link of an index, or all of a group.
    pub fn link_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let doomed = match (fields.header_number(4)?, fields.number(IFLA_GROUP)?) {
            (0, Some(group)) => self.links_of(at).filter(|(_, link)| link.group == group).map(|(id, _)| id).collect(),
            (index, _) => self.by_index(at, index).into_iter().collect::<Vec<_>>(),
        };
        let deletable = |id: &LinkId| self.links.get(id).is_some_and(|link| link.kind.name().is_some());
        if doomed.is_empty() {
            return Err(Errno::NODEV);
        }
        if !doomed.iter().all(deletable) {
            return Err(Errno::OPNOTSUPP);
        }
        self.remove_links(&doomed);
        Ok(Vec::new())
    }
}
