//! What a new link is to be.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Link;
use crate::MacAddress;
use crate::namespaces::Namespace;

/// The name of a new link. The kernel's rules: 1 to 15 bytes, no `/`, `:` or white space, and here printable ASCII only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkName {
    /// This name.
    Exact(String),
    /// The kernel adds the lowest free number: `eth` becomes `eth0`.
    Prefix(String),
}

/// One end of a new link. Everything but the name may be left out.
#[derive(Clone, Debug)]
pub struct LinkEnd<'a> {
    /// Where it is made; none: in the host's namespace.
    pub namespace: Option<&'a Namespace>,
    /// Its name.
    pub name: LinkName,
    /// Its Ethernet address; none: the kernel chooses.
    pub mac_address: Option<MacAddress>,
    /// Bytes, 68 to 65,535.
    pub mtu: Option<u32>,
    /// A bridge that it becomes a port of.
    pub master: Option<&'a Link>,
    /// Addresses that it gets, IPv6 ones without duplicate address detection. They lie in the network's pools.
    pub addresses: Vec<IpNet>,
    /// Set up at once.
    pub up: bool,
}

impl LinkEnd<'_> {
    /// A link of this name, and nothing else said.
    pub fn named(name: impl Into<String>) -> Self {
        Self::new(LinkName::Exact(name.into()))
    }

    /// A link whose name is this prefix and the lowest free number.
    pub fn numbered(prefix: impl Into<String>) -> Self {
        Self::new(LinkName::Prefix(prefix.into()))
    }

    fn new(name: LinkName) -> Self {
        Self { namespace: None, name, mac_address: None, mtu: None, master: None, addresses: Vec::new(), up: false }
    }
}

/// A new link.
#[derive(Clone, Debug)]
pub struct LinkSpec<'a> {
    /// The link, or one end of the pair.
    pub end: LinkEnd<'a>,
    /// Its kind.
    pub kind: LinkKind<'a>,
}

impl<'a> LinkSpec<'a> {
    /// A bridge.
    pub fn bridge(end: LinkEnd<'a>) -> Self {
        Self { end, kind: LinkKind::Bridge }
    }

    /// A pair.
    pub fn veth(end: LinkEnd<'a>, peer: LinkEnd<'a>) -> Self {
        Self { end, kind: LinkKind::Veth(peer) }
    }
}

/// The kind of a new link.
#[derive(Clone, Debug)]
pub enum LinkKind<'a> {
    /// A switch.
    Bridge,
    /// A pair; the other end.
    Veth(LinkEnd<'a>),
    /// Ethernet in UDP.
    Vxlan(VxlanOptions<'a>),
    /// A MAC address of its own on a parent.
    Macvlan {
        /// The link below.
        parent: &'a Link,
        /// Who may talk to whom.
        mode: MacvlanMode,
    },
    /// IP addresses of its own on a parent.
    Ipvlan {
        /// The link below.
        parent: &'a Link,
        /// Where it switches.
        mode: IpvlanMode,
        /// Who may talk to whom.
        flag: IpvlanFlag,
    },
    /// 802.1Q.
    Vlan {
        /// The link below.
        parent: &'a Link,
        /// 1 to 4094.
        id: u16,
    },
    /// A link that leads nowhere.
    Dummy,
}

/// See IFLA_VXLAN_* in linux/if_link.h.
#[derive(Clone, Copy, Debug)]
pub struct VxlanOptions<'a> {
    /// The VXLAN network identifier, 1 to 16,777,215.
    pub vni: u32,
    /// The UDP port; 4789 is the standard one.
    pub port: u16,
    /// The link that packets leave through.
    pub parent: Option<&'a Link>,
    /// The source address of packets.
    pub local: Option<IpAddr>,
    /// Where packets go that no forwarding entry takes: an address, or a multicast group.
    pub remote: Option<IpAddr>,
    /// Learn where MAC addresses are from packets.
    pub learning: bool,
    /// Answer ARP and neighbour solicitations from the neighbour entries.
    pub proxy: bool,
}

/// See MACVLAN_MODE_* in linux/if_link.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacvlanMode {
    /// Links of one parent don't talk.
    Private,
    /// They talk through the switch outside.
    Vepa,
    /// They talk directly.
    Bridge,
    /// One link has the whole parent.
    Passthru,
}

/// See IPVLAN_MODE_* in linux/if_link.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpvlanMode {
    /// Switches frames.
    L2,
    /// Routes packets.
    L3,
    /// Routes packets, netfilter included.
    L3s,
}

/// See IPVLAN_F_* in linux/if_link.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpvlanFlag {
    /// Links of one parent talk directly.
    Bridge,
    /// They don't talk.
    Private,
    /// They talk through the switch outside.
    Vepa,
}
