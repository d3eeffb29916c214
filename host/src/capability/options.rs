//! `links`: how bridges and their ports pass packets on, and properties of any link.

use std::collections::BTreeSet;

use super::handle::{self, LinkHandle};
use super::{Answer, CallState};
use ask::{HostCall, Refusal, links as wit};
use kernel::{BridgeVlan, LinkOption, LinkOptions};

/// VLANs of one bridge or port: the kernel keeps a few hundred bytes for each.
const VLANS: usize = 1_024;
/// IEEE 802.1Q, 8.8.3.
const MOST_AGEING: u32 = 1_000_000;
/// The kernel keeps a place for each packet: three of 8 bytes in its usual queueing discipline.
const QUEUES: std::ops::RangeInclusive<u32> = 1..=16_384;
/// USER_HZ, in which the kernel has ageing times.
const HUNDREDTHS: u32 = 100;

pub(super) fn set_bridge(call: &mut CallState, link: LinkHandle, wanted: wit::BridgeOptions) -> Answer<()> {
    if let Some(seconds) = wanted.ageing.filter(|seconds| *seconds > MOST_AGEING) {
        return Err(Refusal::invalid(format!("an ageing time of {seconds} s: 0 to {MOST_AGEING}")));
    }
    let options = options(
        [
            (LinkOption::VlanFiltering, wanted.vlan_filtering.map(u32::from)),
            (LinkOption::MulticastSnooping, wanted.multicast_snooping.map(u32::from)),
            (LinkOption::MulticastQuerier, wanted.multicast_querier.map(u32::from)),
            (LinkOption::Ageing, wanted.ageing.map(|seconds| seconds * HUNDREDTHS)),
        ],
        wanted.vlans,
    )?;
    let link = handle::link(call, link)?;
    let (gate, transaction) = call.parts()?;
    Ok(transaction.change(gate.set_bridge(transaction, &link, options)?)?)
}

pub(super) fn get_bridge(call: &mut CallState, link: LinkHandle) -> Answer<wit::BridgeOptions> {
    let found = read(call, HostCall::LinksGetBridge, link)?;
    let on = |option| found.set.get(&option).map(|value| *value != 0);
    Ok(wit::BridgeOptions {
        vlan_filtering: on(LinkOption::VlanFiltering),
        vlans: vlans_to_wit(found.vlans.clone()),
        multicast_snooping: on(LinkOption::MulticastSnooping),
        multicast_querier: on(LinkOption::MulticastQuerier),
        ageing: found.set.get(&LinkOption::Ageing).map(|hundredths| hundredths / HUNDREDTHS),
    })
}

pub(super) fn set_port(call: &mut CallState, link: LinkHandle, wanted: wit::PortOptions) -> Answer<()> {
    let options = options(
        [
            (LinkOption::UnicastFlood, wanted.unicast_flood.map(u32::from)),
            (LinkOption::MulticastFlood, wanted.multicast_flood.map(u32::from)),
            (LinkOption::BroadcastFlood, wanted.broadcast_flood.map(u32::from)),
        ],
        wanted.vlans,
    )?;
    let link = handle::link(call, link)?;
    let (gate, transaction) = call.parts()?;
    Ok(transaction.change(gate.set_port(transaction, &link, options)?)?)
}

pub(super) fn get_port(call: &mut CallState, link: LinkHandle) -> Answer<wit::PortOptions> {
    let found = read(call, HostCall::LinksGetPort, link)?;
    let on = |option| found.set.get(&option).map(|value| *value != 0);
    Ok(wit::PortOptions {
        unicast_flood: on(LinkOption::UnicastFlood),
        multicast_flood: on(LinkOption::MulticastFlood),
        broadcast_flood: on(LinkOption::BroadcastFlood),
        vlans: vlans_to_wit(found.vlans.clone()),
    })
}

pub(super) fn set_properties(call: &mut CallState, link: LinkHandle, wanted: wit::LinkProperties) -> Answer<()> {
    if let Some(length) = wanted.queue_length.filter(|length| !QUEUES.contains(length)) {
        let (least, most) = QUEUES.into_inner();
        return Err(Refusal::invalid(format!("a queue of {length} packets: {least} to {most}")));
    }
    let options = options(
        [
            (LinkOption::QueueLength, wanted.queue_length),
            (LinkOption::Promiscuous, wanted.promiscuous.map(u32::from)),
            (LinkOption::AllMulticast, wanted.all_multicast.map(u32::from)),
        ],
        None,
    )?;
    let link = handle::link(call, link)?;
    let (gate, transaction) = call.parts()?;
    Ok(transaction.change(gate.set_properties(transaction, &link, options)?)?)
}

pub(super) fn get_properties(call: &mut CallState, link: LinkHandle) -> Answer<wit::LinkProperties> {
    let found = read(call, HostCall::LinksGetProperties, link)?;
    let on = |option| found.set.get(&option).map(|value| *value != 0);
    Ok(wit::LinkProperties {
        queue_length: found.set.get(&LinkOption::QueueLength).copied(),
        promiscuous: on(LinkOption::Promiscuous),
        all_multicast: on(LinkOption::AllMulticast),
    })
}

pub(super) fn set_offloads(call: &mut CallState, link: LinkHandle, wanted: wit::Offloads) -> Answer<()> {
    let options = options(
        [
            (LinkOption::TransmitChecksums, wanted.transmit_checksums.map(u32::from)),
            (LinkOption::TcpSegmentation, wanted.tcp_segmentation.map(u32::from)),
            (LinkOption::GenericSegmentation, wanted.generic_segmentation.map(u32::from)),
            (LinkOption::ReceiveGrouping, wanted.receive_grouping.map(u32::from)),
        ],
        None,
    )?;
    let link = handle::link(call, link)?;
    let (gate, transaction) = call.parts()?;
    Ok(transaction.change(gate.set_offloads(transaction, &link, options)?)?)
}

pub(super) fn get_offloads(call: &mut CallState, link: LinkHandle) -> Answer<wit::Offloads> {
    let found = read(call, HostCall::LinksGetOffloads, link)?;
    let on = |option| found.set.get(&option).map(|value| *value != 0);
    Ok(wit::Offloads {
        transmit_checksums: on(LinkOption::TransmitChecksums),
        tcp_segmentation: on(LinkOption::TcpSegmentation),
        generic_segmentation: on(LinkOption::GenericSegmentation),
        receive_grouping: on(LinkOption::ReceiveGrouping),
    })
}

/// What a link has of what this call reads.
fn read(call: &mut CallState, which: HostCall, link: LinkHandle) -> Answer<LinkOptions> {
    let link = handle::link(call, link)?;
    let (gate, transaction) = call.parts()?;
    let found = transaction.options(&gate.read_options(which, transaction, &link)?)?;
    let lacks = match which {
        HostCall::LinksGetBridge if !found.set.contains_key(&LinkOption::Ageing) => "is no bridge",
        HostCall::LinksGetPort if !found.set.contains_key(&LinkOption::UnicastFlood) => "is no port of a bridge",
        _ => return Ok(found),
    };
    Err(Refusal::invalid(format!("{} {lacks}", link.name)))
}

fn options<const N: usize>(
    wanted: [(LinkOption, Option<u32>); N],
    vlans: Option<Vec<wit::BridgeVlan>>,
) -> Answer<LinkOptions> {
    let set = wanted.into_iter().filter_map(|(option, value)| Some((option, value?))).collect();
    Ok(LinkOptions { set, vlans: vlans.map(self::vlans).transpose()? })
}

fn vlans(wanted: Vec<wit::BridgeVlan>) -> Answer<Vec<BridgeVlan>> {
    if wanted.len() > VLANS {
        return Err(Refusal::invalid(format!("at most {VLANS} VLANs; these are {}", wanted.len())));
    }
    let mut ids = BTreeSet::new();
    for vlan in &wanted {
        if !(1..=4094).contains(&vlan.id) {
            return Err(Refusal::invalid(format!("{} is no VLAN id: 1 to 4094", vlan.id)));
        }
        if !ids.insert(vlan.id) {
            return Err(Refusal::invalid(format!("VLAN {} is given twice", vlan.id)));
        }
    }
    if wanted.iter().filter(|vlan| vlan.default).count() > 1 {
        return Err(Refusal::invalid("packets without a tag are of one VLAN: two are the default one"));
    }
    let vlan = |vlan: wit::BridgeVlan| BridgeVlan { id: vlan.id, default: vlan.default, untagged: vlan.untagged };
    let mut vlans: Vec<BridgeVlan> = wanted.into_iter().map(vlan).collect();
    vlans.sort_unstable();
    Ok(vlans)
}

fn vlans_to_wit(vlans: Option<Vec<BridgeVlan>>) -> Option<Vec<wit::BridgeVlan>> {
    let vlan = |vlan: BridgeVlan| wit::BridgeVlan { id: vlan.id, default: vlan.default, untagged: vlan.untagged };
    vlans.map(|vlans| vlans.into_iter().map(vlan).collect())
}
