//! How bridges and their ports pass packets on, and properties of any link.

use crate::Result;
use crate::component::Link;
use crate::component::wit::links as wit;
use crate::links::{BridgeOptions, BridgeVlan, Offloads, PortOptions, Properties};

fn vlans(vlans: &Option<Vec<BridgeVlan>>) -> Option<Vec<wit::BridgeVlan>> {
    let vlan = |vlan: &BridgeVlan| wit::BridgeVlan { id: vlan.id, default: vlan.default, untagged: vlan.untagged };
    vlans.as_ref().map(|vlans| vlans.iter().map(vlan).collect())
}

fn vlans_of(vlans: Option<Vec<wit::BridgeVlan>>) -> Option<Vec<BridgeVlan>> {
    let vlan = |vlan: wit::BridgeVlan| BridgeVlan { id: vlan.id, default: vlan.default, untagged: vlan.untagged };
    vlans.map(|vlans| vlans.into_iter().map(vlan).collect())
}

pub(crate) fn set_bridge(link: &Link, options: &BridgeOptions) -> Result<()> {
    let options = wit::BridgeOptions {
        vlan_filtering: options.vlan_filtering,
        vlans: vlans(&options.vlans),
        multicast_snooping: options.multicast_snooping,
        multicast_querier: options.multicast_querier,
        ageing: options.ageing,
    };
    Ok(wit::set_bridge(link, &options)?)
}

pub(crate) fn bridge(link: &Link) -> Result<BridgeOptions> {
    let options = wit::get_bridge(link)?;
    Ok(BridgeOptions {
        vlan_filtering: options.vlan_filtering,
        vlans: vlans_of(options.vlans),
        multicast_snooping: options.multicast_snooping,
        multicast_querier: options.multicast_querier,
        ageing: options.ageing,
    })
}

pub(crate) fn set_port(link: &Link, options: &PortOptions) -> Result<()> {
    let options = wit::PortOptions {
        unicast_flood: options.unicast_flood,
        multicast_flood: options.multicast_flood,
        broadcast_flood: options.broadcast_flood,
        vlans: vlans(&options.vlans),
    };
    Ok(wit::set_port(link, &options)?)
}

pub(crate) fn port(link: &Link) -> Result<PortOptions> {
    let options = wit::get_port(link)?;
    Ok(PortOptions {
        unicast_flood: options.unicast_flood,
        multicast_flood: options.multicast_flood,
        broadcast_flood: options.broadcast_flood,
        vlans: vlans_of(options.vlans),
    })
}

pub(crate) fn set_properties(link: &Link, properties: &Properties) -> Result<()> {
    let Properties { queue_length, promiscuous, all_multicast } = *properties;
    Ok(wit::set_properties(link, wit::LinkProperties { queue_length, promiscuous, all_multicast })?)
}

pub(crate) fn properties(link: &Link) -> Result<Properties> {
    let wit::LinkProperties { queue_length, promiscuous, all_multicast } = wit::get_properties(link)?;
    Ok(Properties { queue_length, promiscuous, all_multicast })
}

pub(crate) fn set_offloads(link: &Link, offloads: &Offloads) -> Result<()> {
    let Offloads { transmit_checksums, tcp_segmentation, generic_segmentation, receive_grouping } = *offloads;
    let offloads = wit::Offloads { transmit_checksums, tcp_segmentation, generic_segmentation, receive_grouping };
    Ok(wit::set_offloads(link, offloads)?)
}

pub(crate) fn offloads(link: &Link) -> Result<Offloads> {
    let wit::Offloads { transmit_checksums, tcp_segmentation, generic_segmentation, receive_grouping } =
        wit::get_offloads(link)?;
    Ok(Offloads { transmit_checksums, tcp_segmentation, generic_segmentation, receive_grouping })
}
