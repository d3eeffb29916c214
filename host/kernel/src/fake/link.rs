//! A link as the fake has it, and what follows from its state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::fake::machine::{Machine, SpaceId};
use crate::fake::options::Options;
use crate::fake::setting::LinkSettings;
use crate::fake::shaping::Shape;
use crate::fake::wireguard::Wireguard;

/// A link of the machine, whichever namespace it is in: its index changes with that.
pub(super) type LinkId = u64;
pub(super) type Mac = [u8; 6];

/// What a namespace's first link always is.
pub(super) const LOOPBACK: &str = "lo";
/// ETH_MIN_MTU and ETH_MAX_MTU of linux/if_ether.h.
pub(super) const MTUS: std::ops::RangeInclusive<u32> = 68..=65_535;
/// IPV6_MIN_MTU of linux/ipv6.h: a link with less has no IPv6 at all.
pub(super) const LEAST_FOR_IPV6: u32 = 1280;

/// One link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub space: SpaceId,
    pub index: u32,
    pub name: String,
    /// IFLA_ALT_IFNAME.
    pub other_names: BTreeSet<String>,
    pub kind: Kind,
    pub mac: Mac,
    /// Somebody chose it: a bridge does not take on its ports' then.
    pub mac_chosen: bool,
    pub mtu: u32,
    /// The same of the MTU, if it was set after the link was made.
    pub mtu_chosen: bool,
    pub up: bool,
    /// The carrier as it was when everything had settled; of a new link nothing else is known (`operstate`).
    pub settled: bool,
    /// IFLA_GROUP.
    pub group: u32,
    /// The bridge that it is a port of.
    pub master: Option<LinkId>,
    pub port: Port,
    /// Primary ones first.
    pub ipv4: Vec<Address4>,
    /// The newest first, link-local ones last.
    pub ipv6: Vec<Ipv6Net>,
    /// It was ready for IPv6 since it came up, and has got its link-local address (IF_READY).
    pub ready: bool,
    pub neighbours: BTreeMap<IpAddr, Mac>,
    /// The addresses that the host answers for there.
    pub proxies: BTreeSet<IpAddr>,
    /// MACs that it listens to beside its own.
    pub filters: BTreeSet<Mac>,
    pub settings: LinkSettings,
    pub shape: Shape,
    pub options: Options,
}

/// An IPv4 address. The others of its subnet go with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address4 {
    pub net: Ipv4Net,
    pub secondary: bool,
}

/// What a bridge knows of a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub hairpin: bool,
    pub isolated: bool,
    pub learning: bool,
    /// BR_STATE_FORWARDING, the only other state being BR_STATE_DISABLED.
    pub forwarding: bool,
}

impl Default for Port {
    fn default() -> Self {
        Self { hairpin: false, isolated: false, learning: true, forwarding: false }
    }
}

/// What a link is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Loopback,
    /// A physical device.
    Card,
    Dummy,
    Ifb,
    Bridge(Bridge),
    Veth {
        peer: LinkId,
    },
    Vxlan(Vxlan),
    Macvlan {
        lower: LinkId,
        mode: u32,
        tap: bool,
    },
    Ipvlan {
        lower: LinkId,
        mode: u16,
        flags: u16,
    },
    Vlan {
        lower: LinkId,
        id: u16,
    },
    Wireguard(Wireguard),
}

/// What a bridge has beside its ports.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    /// It is on until the bridge looks at its ports for the first time.
    pub carrier: bool,
    /// Static entries: which port has the MAC.
    pub entries: BTreeMap<Mac, LinkId>,
}

/// A tunnel.
#[derive(Clone, Debug)]
pub(super) struct Vxlan {
    /// The namespace that it was made from and whose addresses its packets have.
    pub space: SpaceId,
    pub lower: Option<LinkId>,
    pub vni: u32,
    pub port: u16,
    pub local: Option<IpAddr>,
    pub remote: Option<IpAddr>,
    pub learning: bool,
    pub proxy: bool,
    /// Where the holder of a MAC is; for all zeros, everyone.
    pub entries: BTreeMap<Mac, IpAddr>,
}

impl Vxlan {
    pub fn is_ipv6(&self) -> bool {
        self.remote.or(self.local).is_some_and(|address| address.is_ipv6())
    }

    /// Bytes around a packet (vxlan_headroom).
    pub fn headroom(&self) -> u32 {
        if self.is_ipv6() { 70 } else { 50 }
    }
}

impl Kind {
    /// IFLA_INFO_KIND; none of a loopback and a physical device.
    pub fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Loopback | Self::Card => return None,
            Self::Dummy => "dummy",
            Self::Ifb => crate::shaping::IFB,
            Self::Bridge(_) => "bridge",
            Self::Veth { .. } => "veth",
            Self::Vxlan(_) => "vxlan",
            Self::Macvlan { tap: true, .. } => "macvtap",
            Self::Macvlan { .. } => "macvlan",
            Self::Ipvlan { .. } => "ipvlan",
            Self::Vlan { .. } => "vlan",
            Self::Wireguard(_) => "wireguard",
        })
    }

    /// ARPHRD_ETHER: others have neither forwarding entries nor ports, and nothing lies on them that has a MAC of its own.
    pub fn is_ethernet(&self) -> bool {
        !matches!(self, Self::Loopback | Self::Wireguard(_))
    }

    /// The link that it lies on, and goes with.
    pub fn lower(&self) -> Option<LinkId> {
        match self {
            Self::Macvlan { lower, .. } | Self::Ipvlan { lower, .. } | Self::Vlan { lower, .. } => Some(*lower),
            Self::Vxlan(vxlan) => vxlan.lower,
            _ => None,
        }
    }

    /// It takes its parent's packets, which only one can (netdev_rx_handler_register).
    pub fn receives_for_parent(&self) -> bool {
        matches!(self, Self::Macvlan { .. } | Self::Ipvlan { .. })
    }
}

impl Machine {
    pub fn by_index(&self, space: SpaceId, index: u32) -> Option<LinkId> {
        self.links_of(space).find(|(_, link)| link.index == index).map(|(id, _)| id)
    }

    pub fn by_name(&self, space: SpaceId, name: &str) -> Option<LinkId> {
        self.links_of(space).find(|(_, link)| link.name == name || link.other_names.contains(name)).map(|(id, _)| id)
    }

    /// The links of a namespace, in no order.
    pub fn links_of(&self, space: SpaceId) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().filter(move |(_, link)| link.space == space).map(|(id, link)| (*id, link))
    }

    /// The same by index, as the kernel lists them.
    pub fn listed(&self, space: SpaceId) -> Vec<LinkId> {
        let mut all: Vec<(u32, LinkId)> = self.links_of(space).map(|(id, link)| (link.index, id)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }

    pub fn ports_of(&self, bridge: LinkId) -> Vec<LinkId> {
        self.links.iter().filter(|(_, link)| link.master == Some(bridge)).map(|(id, _)| *id).collect()
    }

    /// The links that lie on another.
    pub fn uppers_of(&self, lower: LinkId) -> Vec<LinkId> {
        self.links.iter().filter(|(_, link)| link.kind.lower() == Some(lower)).map(|(id, _)| *id).collect()
    }

    /// Whether packets can leave (netif_carrier_ok).
    pub fn carrier(&self, id: LinkId) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        match &link.kind {
            Kind::Loopback | Kind::Card | Kind::Dummy | Kind::Ifb | Kind::Vxlan(_) | Kind::Wireguard(_) => true,
            Kind::Bridge(bridge) => bridge.carrier,
            Kind::Veth { peer } => link.up && self.links.get(peer).is_some_and(|peer| peer.up),
            Kind::Macvlan { lower, .. } | Kind::Ipvlan { lower, .. } | Kind::Vlan { lower, .. } => self.carrier(*lower),
        }
    }

    /// IFF_RUNNING.
    pub fn running(&self, id: LinkId) -> bool {
        self.links.get(&id).is_some_and(|link| link.up) && self.carrier(id)
    }

    /// Whether a link has IPv6 (`struct inet6_dev`).
    pub fn has_ipv6(link: &Link) -> bool {
        link.mtu >= LEAST_FOR_IPV6
    }

    /// Whether a link is below another, by way of masters and parents.
    pub fn is_below(&self, id: LinkId, above: LinkId) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        let uppers = self.uppers_of(id);
        link.master.into_iter().chain(uppers).any(|upper| upper == above || self.is_below(upper, above))
    }
}
