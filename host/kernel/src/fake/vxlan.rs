//! Making tunnels (drivers/net/vxlan; vxlan_newlink).

use std::net::IpAddr;

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::link::{Kind, Link, LinkId, MTUS, Vxlan};
use crate::fake::link_new::End;
use crate::fake::machine::{Machine, SpaceId};
use crate::link::device::IFLA_VXLAN_LINK;

/// linux/if_link.h.
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_GROUP: u16 = 2;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_LEARNING: u16 = 7;
const IFLA_VXLAN_PROXY: u16 = 11;
const IFLA_VXLAN_PORT: u16 = 15;
const IFLA_VXLAN_GROUP6: u16 = 16;
const IFLA_VXLAN_LOCAL6: u16 = 17;
/// VXLAN_N_VID.
const VNIS: u32 = 1 << 24;

impl Machine {
    pub fn new_vxlan(&mut self, at: SpaceId, end: &End, data: &Fields) -> Result<LinkId, Errno> {
        let vni = data.number(IFLA_VXLAN_ID)?.ok_or(Errno::INVAL)?;
        if vni >= VNIS {
            return Err(Errno::RANGE);
        }
        let either = |one, other| Ok(data.ip(one)?.or(data.ip(other)?));
        let local: Option<IpAddr> = either(IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6)?;
        let remote: Option<IpAddr> = either(IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6)?;
        let flag = |kind| data.get(kind).is_some_and(|value| value.first().is_some_and(|on| *on != 0));
        let port = data.get(IFLA_VXLAN_PORT).and_then(|value| value.try_into().ok()).map_or(8472, u16::from_be_bytes);
        let (learning, proxy) = (flag(IFLA_VXLAN_LEARNING), flag(IFLA_VXLAN_PROXY));
        let entries = remote.map(|remote| ([0; 6], remote)).into_iter().collect();
        let mut vxlan = Vxlan { space: at, lower: None, vni, port, local, remote, learning, proxy, entries };
        check_scopes(&vxlan)?;
        let lower = data.number(IFLA_VXLAN_LINK)?;
        vxlan.lower = lower.map(|index| self.by_index(at, index).ok_or(Errno::NODEV)).transpose()?;
        let lower = vxlan.lower;
        self.check_vxlan(&vxlan)?;
        let most = lower
            .and_then(|lower| self.links.get(&lower))
            .map(|lower| lower.mtu.saturating_sub(vxlan.headroom()).max(*MTUS.start()));
        let id = self.register(end, Kind::Vxlan(vxlan))?;
        if let (Some(link), Some(most)) = (self.links.get_mut(&id), most) {
            link.mtu = end.mtu.unwrap_or(most).min(most);
        }
        Ok(id)
    }

    /// The rest of vxlan_config_validate, with the parent.
    fn check_vxlan(&self, new: &Vxlan) -> Result<(), Errno> {
        let needs_lower = is_link_local(new.local) || new.remote.is_some_and(|remote| remote.is_multicast());
        if needs_lower && new.lower.is_none() {
            return Err(Errno::INVAL);
        }
        let lower = new.lower.and_then(|lower| self.links.get(&lower));
        if new.is_ipv6() && lower.is_some_and(|lower| Self::has_ipv6(lower) && lower.settings.disable_ipv6 != 0) {
            return Err(Errno::PERM);
        }
        let same = |other: &Vxlan| {
            (other.space, other.vni, other.port, other.is_ipv6()) == (new.space, new.vni, new.port, new.is_ipv6())
                && is_link_local(other.local) == is_link_local(new.local)
                && (!is_link_local(new.local) || other.lower == new.lower)
        };
        let is_there = |link: &Link| matches!(&link.kind, Kind::Vxlan(other) if same(other));
        if self.links.values().any(is_there) { Err(Errno::EXIST) } else { Ok(()) }
    }
}

/// The first part of vxlan_config_validate: both addresses are of one family and one scope.
fn check_scopes(new: &Vxlan) -> Result<(), Errno> {
    let families = new.local.zip(new.remote).is_none_or(|(local, remote)| local.is_ipv4() == remote.is_ipv4());
    let scopes = match is_link_local(new.local) {
        true => new.remote.is_none() || is_link_local(new.remote),
        false => !is_link_local(new.remote),
    };
    let unicast = new.local.is_none_or(|local| !local.is_multicast());
    if families && scopes && unicast { Ok(()) } else { Err(Errno::INVAL) }
}

fn is_link_local(address: Option<IpAddr>) -> bool {
    matches!(address, Some(IpAddr::V6(v6)) if v6.is_unicast_link_local())
}
