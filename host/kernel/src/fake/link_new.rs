//! Making links (RTM_NEWLINK; rtnl_newlink and each kind's `newlink`).

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::fake::device::{PASSTHRU, is_unicast};
use crate::fake::fields::Fields;
use crate::fake::link::{Bridge, Kind, Link, LinkId, MTUS, Mac};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::link::read::{
    HEADER, IFF_UP, IFLA_ADDRESS, IFLA_GROUP, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINK, IFLA_LINKINFO, IFLA_MASTER,
    IFLA_MTU,
};

/// linux/if_link.h, linux/veth.h.
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
/// The kind's own attribute for the mode, of both macvlan and ipvlan, and the VLAN's number.
const FIRST: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
/// VLAN_VID_MASK.
const LAST_VLAN: u16 = 4095;
/// IFNAMSIZ without the NUL.
const LONGEST_NAME: usize = 15;

/// One end of what is made.
pub(super) struct End {
    space: SpaceId,
    name: String,
    mac: Option<Mac>,
    pub mtu: Option<u32>,
    group: u32,
}

impl Machine {
    pub fn link_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let info = fields.nested(IFLA_LINKINFO, 0)?.ok_or(Errno::INVAL)?;
        let kind = info.text(IFLA_INFO_KIND).ok_or(Errno::INVAL)?;
        let data = info.nested(IFLA_INFO_DATA, 0)?;
        let end = self.end(at, &fields, &kind)?;
        let id = match (kind.as_str(), data) {
            ("veth", data) => self.new_veth(at, end, data)?,
            (_, data) => {
                self.check(&end, &kind)?;
                let lower = fields.number(IFLA_LINK)?;
                let lower = |machine: &Self| machine.by_index(at, lower.ok_or(Errno::INVAL)?).ok_or(Errno::NODEV);
                match (kind.as_str(), data) {
                    ("bridge", _) => {
                        // Choosing a MAC makes it look at its ports (br_stp_change_bridge_id), of which it has none.
                        let carrier = end.mac.is_none();
                        self.register(&end, Kind::Bridge(Bridge { carrier, entries: BTreeMap::new() }))?
                    }
                    ("dummy", _) => self.register(&end, Kind::Dummy)?,
                    ("ifb", _) => self.register(&end, Kind::Ifb)?,
                    ("wireguard", _) => self.new_wireguard(&end)?,
                    ("vxlan", Some(data)) => self.new_vxlan(at, &end, &data)?,
                    ("macvlan" | "macvtap", Some(data)) => {
                        self.new_macvlan(lower(self)?, &end, &data, kind == "macvtap")?
                    }
                    ("ipvlan", Some(data)) => self.new_ipvlan(lower(self)?, &end, &data)?,
                    ("vlan", Some(data)) => self.new_vlan(lower(self)?, &end, &data)?,
                    _ => return Err(Errno::OPNOTSUPP),
                }
            }
        };
        self.configure(id, &fields).inspect_err(|_| self.remove_links(&[id]))?;
        self.settle_one(id);
        Ok(Vec::new())
    }

    /// Up, then its master; an error unmakes the link.
    fn configure(&mut self, id: LinkId, fields: &Fields) -> Result<(), Errno> {
        if fields.header_number(8)? & IFF_UP != 0 {
            self.set_up(id, true)?;
        }
        fields.number(IFLA_MASTER)?.map_or(Ok(()), |master| self.set_master(id, master))
    }

    /// An end, checked as far as it can be by itself.
    fn end(&self, at: SpaceId, fields: &Fields, kind: &str) -> Result<End, Errno> {
        let space = match fields.number(IFLA_NET_NS_FD)? {
            Some(descriptor) => self.by_descriptor(descriptor).ok_or(Errno::BADF)?,
            None => at,
        };
        let (mac, mtu) = (fields.mac(IFLA_ADDRESS)?, fields.number(IFLA_MTU)?);
        if mac.is_some_and(|mac| !is_unicast(mac)) {
            return Err(Errno::ADDRNOTAVAIL);
        }
        if ["veth", "vxlan"].contains(&kind) && !fits(mtu) {
            return Err(Errno::INVAL);
        }
        let name = fields.text(IFLA_IFNAME).unwrap_or_else(|| format!("{kind}%d"));
        if name.len() > LONGEST_NAME {
            return Err(Errno::RANGE);
        }
        Ok(End { space, name, mac, mtu, group: fields.number(IFLA_GROUP)?.unwrap_or(0) })
    }

    fn check_name(&self, end: &End) -> Result<(), Errno> {
        if self.by_name(end.space, &end.name).is_some() { Err(Errno::EXIST) } else { Ok(()) }
    }

    /// What rtnl_newlink and rtnl_create_link check before the kind's own part.
    fn check(&self, end: &End, kind: &str) -> Result<(), Errno> {
        self.check_name(end)?;
        if ["dummy", "ifb", "wireguard"].contains(&kind) || fits(end.mtu) { Ok(()) } else { Err(Errno::INVAL) }
    }

    pub fn register(&mut self, end: &End, kind: Kind) -> Result<LinkId, Errno> {
        let name = self.valid_name(end.space, &end.name)?;
        let id = self.add_link(end.space, name, kind);
        if let Some(link) = self.links.get_mut(&id) {
            link.group = end.group;
            link.mac_chosen = end.mac.is_some();
            link.mac = end.mac.unwrap_or(link.mac);
            link.mtu = end.mtu.unwrap_or(link.mtu);
        }
        Ok(id)
    }

    fn new_veth(&mut self, at: SpaceId, end: End, data: Option<Fields>) -> Result<LinkId, Errno> {
        let peer = data.map(|data| data.nested(VETH_INFO_PEER, HEADER)).transpose()?.flatten();
        let peer = peer.map(|peer| self.end(at, &peer, "veth")).transpose()?;
        self.check_name(&end)?;
        let peer = peer.unwrap_or(End { space: at, name: "veth%d".into(), mac: None, mtu: None, group: 0 });
        let second = self.register(&peer, Kind::Veth { peer: 0 })?;
        let first =
            self.register(&end, Kind::Veth { peer: second }).inspect_err(|_| drop(self.links.remove(&second)))?;
        if let Some(link) = self.links.get_mut(&second) {
            link.kind = Kind::Veth { peer: first };
        }
        Ok(first)
    }

    /// A link on a parent: with the parent's MTU, or less.
    fn on_parent(&mut self, lower: LinkId, end: &End, kind: Kind) -> Result<LinkId, Errno> {
        let most = self.links.get(&lower).map_or(1500, |lower| lower.mtu);
        if end.mtu.is_some_and(|mtu| mtu > most) {
            return Err(Errno::INVAL);
        }
        let id = self.register(end, kind)?;
        if let Some(link) = self.links.get_mut(&id) {
            link.mtu = end.mtu.unwrap_or(most);
        }
        Ok(id)
    }

    /// Whether a parent's packets can be taken: by a link of the kind that takes them already, or of none.
    fn may_receive(&self, lower: LinkId, same: impl Fn(&Kind) -> bool) -> Result<(), Errno> {
        let Some(link) = self.links.get(&lower) else { return Err(Errno::NODEV) };
        let others = self.uppers_of(lower);
        let mut others = others.iter().filter_map(|upper| self.links.get(upper)).map(|upper| &upper.kind);
        let taken = others.any(|kind| kind.receives_for_parent() && !same(kind));
        match link.kind {
            ref kind if !kind.is_ethernet() => Err(Errno::INVAL),
            _ if taken || link.master.is_some() => Err(Errno::BUSY),
            _ => Ok(()),
        }
    }

    fn new_macvlan(&mut self, lower: LinkId, end: &End, data: &Fields, tap: bool) -> Result<LinkId, Errno> {
        let mode = data.number(FIRST)?.unwrap_or(2);
        // One on another lies on that one's parent.
        let lower = match self.links.get(&lower).map(|link| &link.kind) {
            Some(Kind::Macvlan { lower, .. }) => *lower,
            _ => lower,
        };
        let modes: Vec<u32> = self.uppers_of(lower).iter().filter_map(|upper| self.macvlan_mode(*upper)).collect();
        let most = self.links.get(&lower).map_or(0, |link| link.mtu);
        if end.mtu.is_some_and(|mtu| mtu > most) {
            return Err(Errno::INVAL);
        }
        self.may_receive(lower, |kind| matches!(kind, Kind::Macvlan { .. }))?;
        if modes.contains(&PASSTHRU) || mode == PASSTHRU && !modes.is_empty() {
            return Err(Errno::INVAL);
        }
        let id = self.on_parent(lower, end, Kind::Macvlan { lower, mode, tap })?;
        let mac = self.links.get(&lower).map(|link| link.mac);
        if let (Some(link), Some(mac), PASSTHRU) = (self.links.get_mut(&id), mac, mode) {
            link.mac = mac;
        }
        Ok(id)
    }

    fn macvlan_mode(&self, id: LinkId) -> Option<u32> {
        match self.links.get(&id)?.kind {
            Kind::Macvlan { mode, .. } => Some(mode),
            _ => None,
        }
    }

    fn new_ipvlan(&mut self, lower: LinkId, end: &End, data: &Fields) -> Result<LinkId, Errno> {
        let (mode, flags) = (short(data, FIRST)?, short(data, IFLA_IPVLAN_FLAGS)?);
        let lower = match self.links.get(&lower).map(|link| &link.kind) {
            Some(Kind::Ipvlan { lower, .. }) => *lower,
            _ => lower,
        };
        self.may_receive(lower, |kind| matches!(kind, Kind::Ipvlan { .. }))?;
        let id = self.on_parent(lower, end, Kind::Ipvlan { lower, mode, flags })?;
        // It shares its parent's, whatever was asked for.
        let mac = self.links.get(&lower).map(|link| link.mac);
        if let (Some(link), Some(mac)) = (self.links.get_mut(&id), mac) {
            link.mac = mac;
        }
        Ok(id)
    }

    fn new_vlan(&mut self, lower: LinkId, end: &End, data: &Fields) -> Result<LinkId, Errno> {
        let id = short(data, FIRST)?;
        if id >= LAST_VLAN {
            return Err(Errno::RANGE);
        }
        let parent = self.links.get(&lower).ok_or(Errno::NODEV)?;
        if matches!(parent.kind, Kind::Loopback) {
            return Err(Errno::OPNOTSUPP);
        }
        let is_it = |link: &Link| matches!(link.kind, Kind::Vlan { id: other, .. } if other == id);
        if self.uppers_of(lower).iter().filter_map(|upper| self.links.get(upper)).any(is_it) {
            return Err(Errno::EXIST);
        }
        let mac = parent.mac;
        let made = self.on_parent(lower, end, Kind::Vlan { lower, id })?;
        if let (Some(link), None) = (self.links.get_mut(&made), end.mac) {
            link.mac = mac;
        }
        Ok(made)
    }

    /// What a request means by a descriptor: the namespace's inode.
    pub fn by_descriptor(&self, descriptor: u32) -> Option<SpaceId> {
        Some(SpaceId::from(descriptor)).filter(|id| self.spaces.contains_key(id))
    }
}

fn fits(mtu: Option<u32>) -> bool {
    mtu.is_none_or(|mtu| MTUS.contains(&mtu))
}

fn short(data: &Fields, kind: u16) -> Result<u16, Errno> {
    data.must(kind)?.try_into().map(u16::from_ne_bytes).map_err(|_| Errno::INVAL)
}
