//! Properties of links, as values: how a bridge and its ports pass packets on, their VLANs, and what any link has (linux/if_link.h).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const IFF_PROMISC: u32 = 0x100;
const IFF_ALLMULTI: u32 = 0x200;

/// A property of a link, with a number: 0 and 1 are off and on where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LinkOption {
    /// Of a bridge: ports have VLANs (IFLA_BR_VLAN_FILTERING).
    VlanFiltering,
    /// Of a bridge: it listens to who wants which multicast (IFLA_BR_MCAST_SNOOPING).
    MulticastSnooping,
    /// Of a bridge: it asks who wants multicast (IFLA_BR_MCAST_QUERIER).
    MulticastQuerier,
    /// Of a bridge: hundredths of a second until it forgets where a MAC is (IFLA_BR_AGEING_TIME).
    Ageing,
    /// Of a port: it gets packets for MACs that the bridge does not know (IFLA_BRPORT_UNICAST_FLOOD).
    UnicastFlood,
    /// Of a port: it gets multicast that nobody is known to want (IFLA_BRPORT_MCAST_FLOOD).
    MulticastFlood,
    /// Of a port: it gets broadcasts (IFLA_BRPORT_BCAST_FLOOD).
    BroadcastFlood,
    /// Of any: packets that wait to be sent (IFLA_TXQLEN).
    QueueLength,
    /// Of any: it takes in the packets of others (IFF_PROMISC).
    Promiscuous,
    /// Of any: it takes in all multicast (IFF_ALLMULTI).
    AllMulticast,
    /// Of most: the device makes the checksums of what it sends (NETIF_F_HW_CSUM).
    TransmitChecksums,
    /// Of most: it cuts TCP's packets into segments (NETIF_F_TSO).
    TcpSegmentation,
    /// Of most: packets are cut as late as can be (NETIF_F_GSO).
    GenericSegmentation,
    /// Of most: what it receives is put together to larger packets (NETIF_F_GRO).
    ReceiveGrouping,
}

/// How the kernel is told of a property.
pub(crate) enum Place {
    /// An attribute of a bridge, of one byte or four.
    Bridge(u16, usize),
    /// An attribute of a bridge's port, of one byte.
    Port(u16),
    /// IFLA_TXQLEN
    Queue,
    /// A flag of any link.
    Flag(u32),
    /// A feature, by the name that ethtool has for it (net/ethtool/common.c).
    Feature(&'static str),
}

impl LinkOption {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::VlanFiltering,
        Self::MulticastSnooping,
        Self::MulticastQuerier,
        Self::Ageing,
        Self::UnicastFlood,
        Self::MulticastFlood,
        Self::BroadcastFlood,
        Self::QueueLength,
        Self::Promiscuous,
        Self::AllMulticast,
        Self::TransmitChecksums,
        Self::TcpSegmentation,
        Self::GenericSegmentation,
        Self::ReceiveGrouping,
    ];

    pub(crate) fn place(self) -> Place {
        match self {
            Self::Ageing => Place::Bridge(4, 4),
            Self::VlanFiltering => Place::Bridge(7, 1),
            Self::MulticastSnooping => Place::Bridge(23, 1),
            Self::MulticastQuerier => Place::Bridge(25, 1),
            Self::UnicastFlood => Place::Port(9),
            Self::MulticastFlood => Place::Port(27),
            Self::BroadcastFlood => Place::Port(30),
            Self::QueueLength => Place::Queue,
            Self::Promiscuous => Place::Flag(IFF_PROMISC),
            Self::AllMulticast => Place::Flag(IFF_ALLMULTI),
            Self::TransmitChecksums => Place::Feature("tx-checksum-ip-generic"),
            Self::TcpSegmentation => Place::Feature("tx-tcp-segmentation"),
            Self::GenericSegmentation => Place::Feature("tx-generic-segmentation"),
            Self::ReceiveGrouping => Place::Feature("rx-gro"),
        }
    }

    /// What a device does for the kernel, or the kernel with many packets at once: it is asked of ethtool.
    pub fn is_feature(self) -> bool {
        matches!(self.place(), Place::Feature(_))
    }

    /// The kernel forgets it when the link leaves its bridge.
    pub fn is_ports(self) -> bool {
        matches!(self.place(), Place::Port(_))
    }

    /// In words, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::VlanFiltering => "VLAN filtering",
            Self::MulticastSnooping => "multicast snooping",
            Self::MulticastQuerier => "multicast querier",
            Self::Ageing => "ageing in 1/100 s",
            Self::UnicastFlood => "flooding of unicast",
            Self::MulticastFlood => "flooding of multicast",
            Self::BroadcastFlood => "flooding of broadcasts",
            Self::QueueLength => "queue length",
            Self::Promiscuous => "promiscuous",
            Self::AllMulticast => "all multicast",
            Self::TransmitChecksums => "transmit checksums",
            Self::TcpSegmentation => "TCP segmentation",
            Self::GenericSegmentation => "generic segmentation",
            Self::ReceiveGrouping => "receive grouping",
        }
    }
}

/// A VLAN of a bridge's port, or of the bridge itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BridgeVlan {
    /// 1 to 4094.
    pub id: u16,
    /// Packets that come in without a tag are of it; one has this at most (BRIDGE_VLAN_INFO_PVID).
    pub default: bool,
    /// Packets go out without a tag (BRIDGE_VLAN_INFO_UNTAGGED).
    pub untagged: bool,
}

/// Properties of a link: what is to be set, or what there is. What is not in it stays as it is, or is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkOptions {
    /// By property.
    pub set: BTreeMap<LinkOption, u32>,
    /// All VLANs, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlans: Option<Vec<BridgeVlan>>,
}

impl LinkOptions {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.vlans.is_none()
    }

    /// What is here and there otherwise. What is not there at all does not count.
    pub fn differing(&self, now: &Self) -> Self {
        let differs = |(option, value): &(&LinkOption, &u32)| now.set.get(option).is_some_and(|there| there != *value);
        let vlans = self.vlans.as_ref().filter(|vlans| now.vlans.as_ref().is_some_and(|there| there != *vlans));
        let set = self.set.iter().filter(differs).map(|(option, value)| (*option, *value)).collect();
        Self { set, vlans: vlans.cloned() }
    }

    /// What is here of what is in the other one.
    pub fn of(&self, other: &Self) -> Self {
        let named = self.set.iter().filter(|(option, _)| other.set.contains_key(option));
        let set = named.map(|(option, value)| (*option, *value)).collect();
        Self { set, vlans: self.vlans.clone().filter(|_| other.vlans.is_some()) }
    }

    /// Takes over what is in the other one.
    pub fn merge(&mut self, newer: &Self) {
        self.set.extend(&newer.set);
        self.vlans = newer.vlans.clone().or(self.vlans.take());
    }

    /// Without what goes when the link, which is a port, leaves its bridge.
    pub fn leave_bridge(&mut self) {
        self.set.retain(|option, _| !option.is_ports());
        self.vlans = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_merged_compared_and_left_behind() {
        let vlans =
            |ids: &[u16]| Some(ids.iter().map(|id| BridgeVlan { id: *id, default: false, untagged: false }).collect());
        let mut one = LinkOptions { set: [(LinkOption::Ageing, 1), (LinkOption::UnicastFlood, 0)].into(), vlans: None };
        let other =
            LinkOptions { set: [(LinkOption::Ageing, 2), (LinkOption::Promiscuous, 1)].into(), vlans: vlans(&[3]) };
        assert_eq!(one.differing(&other), LinkOptions { set: [(LinkOption::Ageing, 1)].into(), vlans: None });
        assert_eq!(other.of(&one), LinkOptions { set: [(LinkOption::Ageing, 2)].into(), vlans: None });
        one.merge(&other);
        assert_eq!(one.set.len(), 3);
        assert_eq!(one.differing(&other), LinkOptions::default());
        one.leave_bridge();
        assert_eq!((one.set.len(), one.vlans), (2, None));
    }
}
