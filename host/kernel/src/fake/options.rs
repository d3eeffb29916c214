//! How bridges and ports pass packets on, their VLANs, and properties of any link (net/bridge/br_netlink.c, br_vlan.c; do_setlink).

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::fake::feature;
use crate::fake::fields::Fields;
use crate::fake::link::{Kind, Link, LinkId};
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::link::options::{
    AF_BRIDGE, BRIDGE, BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED, BRIDGE_VLANDB_ENTRY, BRIDGE_VLANDB_ENTRY_INFO,
    BRIDGE_VLANDB_ENTRY_RANGE, IFLA_INFO_DATA, IFLA_TXQLEN, RTM_DELVLAN, VLAN_HEADER,
};
use crate::link::read::{HEADER, IFLA_INFO_KIND, IFLA_LINKINFO};
use crate::options::Place;
use crate::transport::attribute::{Writer, after, attributes};
use crate::transport::socket::Message;
use crate::{BridgeVlan, LinkOption};

/// What a link has of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    pub set: BTreeMap<LinkOption, u32>,
    /// Of a bridge or a port.
    pub vlans: Vec<BridgeVlan>,
}

/// DEFAULT_TX_QUEUE_LEN; TX_Q_LIMIT of drivers/net/ifb.c.
const QUEUE: u32 = 1000;
const QUEUE_OF_IFB: u32 = 32;
/// TUN_READQ_SIZE of drivers/net/tap.c.
const QUEUE_OF_TAP: u32 = 500;
/// 300 seconds.
const AGEING: u32 = 30_000;
/// br_vlan_init and nbp_vlan_init.
const FIRST_VLAN: BridgeVlan = BridgeVlan { id: 1, default: true, untagged: true };

impl Options {
    /// A new link's.
    pub fn new(kind: &Kind) -> Self {
        let value = |option: LinkOption| match (option.place(), option) {
            (Place::Bridge(..), _) if !matches!(kind, Kind::Bridge(_)) => None,
            (Place::Bridge(..), LinkOption::Ageing) => Some(AGEING),
            (Place::Bridge(..), option) => Some(u32::from(option == LinkOption::MulticastSnooping)),
            (Place::Port(_), _) => None,
            (Place::Queue, _) => Some(match kind {
                Kind::Ifb => QUEUE_OF_IFB,
                Kind::Macvlan { tap: true, .. } => QUEUE_OF_TAP,
                _ => QUEUE,
            }),
            (Place::Flag(_), _) => Some(0),
            (Place::Feature(_), option) => feature::first(kind, option),
        };
        let set = LinkOption::ALL.into_iter().filter_map(|option| Some((option, value(option)?))).collect();
        let vlans = if matches!(kind, Kind::Bridge(_)) { vec![FIRST_VLAN] } else { Vec::new() };
        Self { set, vlans }
    }

    /// It becomes a bridge's port: what it had in another one is forgotten.
    pub fn join(&mut self) {
        self.leave();
        let flooded = LinkOption::ALL.into_iter().filter(|option| option.is_ports());
        self.set.extend(flooded.map(|option| (option, 1)));
        self.vlans = vec![FIRST_VLAN];
    }

    pub fn leave(&mut self) {
        self.set.retain(|option, _| !option.is_ports());
        self.vlans.clear();
    }

    /// The flags of `struct ifinfomsg`.
    pub fn flags(&self) -> u32 {
        let on = self.set.iter().filter(|(_, value)| **value != 0);
        on.fold(0, |flags, (option, _)| if let Place::Flag(flag) = option.place() { flags | flag } else { flags })
    }

    pub fn queue(&self) -> u32 {
        self.set.get(&LinkOption::QueueLength).copied().unwrap_or_default()
    }

    /// IFLA_INFO_DATA of a bridge, or what is beside a port's older settings in IFLA_INFO_SLAVE_DATA.
    pub fn tell(&self, writer: Writer, of_port: bool) -> Writer {
        self.set.iter().fold(writer, |writer, (option, value)| match option.place() {
            Place::Bridge(kind, 4) if !of_port => writer.put(kind, &value.to_ne_bytes()),
            Place::Bridge(kind, _) if !of_port => writer.put(kind, &[u8::from(*value != 0)]),
            Place::Port(kind) if of_port => writer.put(kind, &[u8::from(*value != 0)]),
            _ => writer,
        })
    }

    /// Those of a port, from IFLA_PROTINFO.
    pub fn set_port(&mut self, fields: &Fields) {
        for (option, value) in &mut self.set {
            if let Place::Port(kind) = option.place()
                && let Some(on) = fields.get(kind).and_then(|bytes| bytes.first())
            {
                *value = u32::from(*on != 0);
            }
        }
    }

    /// Those of any link.
    pub fn set_any(&mut self, fields: &Fields) -> Result<(), Errno> {
        let (flags, mask) = (fields.header_number(8)?, fields.header_number(12)?);
        let queue = fields.number(IFLA_TXQLEN)?;
        for (option, value) in &mut self.set {
            match option.place() {
                Place::Flag(flag) if mask & flag != 0 => *value = u32::from(flags & flag != 0),
                Place::Queue => *value = queue.unwrap_or(*value),
                _ => {}
            }
        }
        Ok(())
    }

    /// For the state as text: what is not as it is at first.
    pub fn lines(&self, name: &str, kind: &Kind) -> Vec<String> {
        let mut first = Self::new(kind);
        if self.set.keys().any(|option| option.is_ports()) {
            first.join();
        }
        let changed = self.set.iter().filter(|(option, value)| first.set.get(option) != Some(*value));
        let lines = changed.map(|(option, value)| format!("link {name} {} {value}", option.name()));
        let vlans = (self.vlans != first.vlans).then(|| format!("link {name} {:?}", self.vlans));
        lines.chain(vlans).collect()
    }
}

impl Machine {
    /// RTM_NEWLINK of a link that is there (rtnl_changelink), of which only bridges have anything here.
    pub fn link_change(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let id = self.by_index(at, fields.header_number(4)?).ok_or(Errno::NODEV)?;
        let link = self.links.get_mut(&id).ok_or(Errno::NODEV)?;
        let info = fields.nested(IFLA_LINKINFO, 0)?.ok_or(Errno::INVAL)?;
        if info.text(IFLA_INFO_KIND).as_deref() != Some(BRIDGE) || link.kind.name() != Some(BRIDGE) {
            return Err(Errno::OPNOTSUPP);
        }
        let data = info.nested(IFLA_INFO_DATA, 0)?.ok_or(Errno::INVAL)?;
        for (option, value) in &mut link.options.set {
            match option.place() {
                Place::Bridge(kind, 4) => *value = data.number(kind)?.unwrap_or(*value),
                Place::Bridge(kind, _) => {
                    let byte = data.get(kind).and_then(|bytes| bytes.first());
                    *value = byte.map_or(*value, |on| u32::from(*on != 0));
                }
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    /// RTM_NEWVLAN and RTM_DELVLAN (br_vlan_rtm_process).
    pub fn vlan_change(&mut self, at: SpaceId, body: &[u8], verb: u16) -> Reply {
        let id = self.bridge_or_port(at, body)?;
        let mut changes = Vec::new();
        for attribute in after(body, VLAN_HEADER).map_err(|_| Errno::INVAL)? {
            let (kind, entry) = attribute.map_err(|_| Errno::INVAL)?;
            if kind != BRIDGE_VLANDB_ENTRY {
                continue;
            }
            let info = attributes(entry).find(BRIDGE_VLANDB_ENTRY_INFO).ok().flatten().ok_or(Errno::INVAL)?;
            let [a, b, c, d] = info.try_into().map_err(|_| Errno::INVAL)?;
            let (flags, number) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
            if !(1..=4094).contains(&number) {
                return Err(Errno::INVAL);
            }
            let (default, untagged) = (flags & BRIDGE_VLAN_INFO_PVID != 0, flags & BRIDGE_VLAN_INFO_UNTAGGED != 0);
            changes.push(BridgeVlan { id: number, default, untagged });
        }
        let vlans = &mut self.links.get_mut(&id).ok_or(Errno::NODEV)?.options.vlans;
        for vlan in changes {
            vlans.retain(|other| other.id != vlan.id);
            if verb != RTM_DELVLAN {
                vlans.iter_mut().filter(|_| vlan.default).for_each(|other| other.default = false);
                vlans.push(vlan);
            }
        }
        vlans.sort_unstable();
        Ok(Vec::new())
    }

    /// RTM_GETVLAN of one link: neighbours that are alike are one range.
    pub fn vlan_list(&self, at: SpaceId, body: &[u8]) -> Reply {
        let id = self.bridge_or_port(at, body)?;
        let link = self.links.get(&id).ok_or(Errno::NODEV)?;
        let mut ranges: Vec<(BridgeVlan, u16)> = Vec::new();
        for vlan in &link.options.vlans {
            match ranges.last_mut() {
                Some((first, last))
                    if *last + 1 == vlan.id
                        && !first.default
                        && (first.default, first.untagged) == (vlan.default, vlan.untagged) =>
                {
                    *last = vlan.id;
                }
                _ => ranges.push((*vlan, vlan.id)),
            }
        }
        let header = [[AF_BRIDGE, 0, 0, 0], link.index.to_ne_bytes()].concat();
        let body = ranges.into_iter().fold(Writer::after(&header), |body, (vlan, last)| {
            let default = if vlan.default { BRIDGE_VLAN_INFO_PVID } else { 0 };
            let flags = if vlan.untagged { default | BRIDGE_VLAN_INFO_UNTAGGED } else { default };
            let info = [flags.to_ne_bytes(), vlan.id.to_ne_bytes()].concat();
            let entry = Writer::default().put(BRIDGE_VLANDB_ENTRY_INFO, &info);
            let is_range = last != vlan.id;
            let entry = if is_range { entry.put(BRIDGE_VLANDB_ENTRY_RANGE, &last.to_ne_bytes()) } else { entry };
            body.nest(BRIDGE_VLANDB_ENTRY, entry)
        });
        Ok(vec![Message { body: body.finish() }])
    }

    fn bridge_or_port(&self, at: SpaceId, body: &[u8]) -> Result<LinkId, Errno> {
        let index = Fields::after(body, VLAN_HEADER).map(|_| body).and_then(|body| {
            body.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes).ok_or(Errno::INVAL)
        })?;
        let id = self.by_index(at, index).ok_or(Errno::NODEV)?;
        let has_vlans = |link: &Link| link.master.is_some() || matches!(link.kind, Kind::Bridge(_));
        if self.links.get(&id).is_some_and(has_vlans) { Ok(id) } else { Err(Errno::INVAL) }
    }
}
