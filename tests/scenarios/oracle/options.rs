//! Options of bridges, of their ports and of any link: host calls for them, and what the judge says of links that listen.
//!
//! Whose link has an option is seen where whatever has changed is looked at: of another's, or the host's, it is a trespass.

use ask::Ask;
use ask::links::{BridgeOptions, BridgeVlan, LinkProperties, PortOptions};
use grant::Permission;
use kernel::LinkInfo;

use super::chance::Asking;
use super::judge::Judge;
use super::seen::Space;

impl Asking<'_> {
    pub(super) fn option(&mut self) -> Ask {
        let link = if self.percent(85) { self.link() } else { self.link_or_parent() };
        match self.random.u8(..7) {
            0 | 1 => Ask::LinksSetBridge {
                link,
                options: BridgeOptions {
                    vlan_filtering: self.maybe(15, Self::either),
                    vlans: self.maybe(15, Self::vlans),
                    multicast_snooping: self.maybe(40, Self::either),
                    multicast_querier: self.maybe(40, Self::either),
                    ageing: self.maybe(40, |a| a.one(&[0, 60, 300, 1_000_001])),
                },
            },
            2 | 3 => Ask::LinksSetPort {
                link,
                options: PortOptions {
                    unicast_flood: self.maybe(50, Self::either),
                    multicast_flood: self.maybe(30, Self::either),
                    broadcast_flood: self.maybe(30, Self::either),
                    vlans: self.maybe(15, Self::vlans),
                },
            },
            _ => Ask::LinksSetProperties {
                link,
                properties: LinkProperties {
                    queue_length: self.maybe(40, |a| a.one(&[0, 1, 500, 1_000])),
                    promiscuous: self.maybe(50, Self::either),
                    all_multicast: self.maybe(40, Self::either),
                },
            },
        }
    }

    fn either(&mut self) -> bool {
        self.percent(50)
    }

    fn vlans(&mut self) -> Vec<BridgeVlan> {
        self.some(2, |a| BridgeVlan { id: a.one(&[1, 7, 4_095]), default: a.percent(30), untagged: a.percent(50) })
    }
}

/// Kinds that have the link below them listen as they do (`ndo_change_rx_flags`).
const ON_PARENTS: [&str; 4] = ["macvlan", "macvtap", "ipvlan", "vlan"];

impl Judge<'_> {
    /// What takes in packets that are for others, or is a bridge's port, has its parent do so, too. `known`: that is one of the host's.
    pub(super) fn listens(&mut self, number: usize, space: &Space, info: &LinkInfo, known: bool) {
        let listens = space.listening.contains(&info.index) || info.master.is_some();
        let changes = ON_PARENTS.contains(&info.kind.as_str()) && known && listens;
        let may = !changes || self.drivers[number].may(Permission::ChangedParents);
        self.must(number, may, || format!("the {} {} has its parent take in all packets", info.kind, info.name));
    }
}
