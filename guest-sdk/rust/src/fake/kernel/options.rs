//! How bridges and their ports pass packets on, and properties of any link.

use std::collections::BTreeSet;

use super::with_link;
use crate::fake::state::Link as State;
use crate::fake::sys::Link;
use crate::links::{BridgeOptions, BridgeVlan, Offloads, PortOptions, Properties};
use crate::{Error, ErrorKind, Result};

/// What a link has of it. VLANs are in order.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub bridge: BridgeOptions,
    pub port: PortOptions,
    pub properties: Properties,
    /// None: as at first, which depends on the kind.
    pub offloads: Option<Offloads>,
}

impl Default for Options {
    fn default() -> Self {
        let vlans = Some(vec![BridgeVlan::access(1)]);
        Self {
            bridge: BridgeOptions {
                vlan_filtering: Some(false),
                vlans: vlans.clone(),
                multicast_snooping: Some(true),
                multicast_querier: Some(false),
                ageing: Some(300),
            },
            port: PortOptions {
                unicast_flood: Some(true),
                multicast_flood: Some(true),
                broadcast_flood: Some(true),
                vlans,
            },
            properties: Properties { queue_length: Some(1_000), promiscuous: Some(false), all_multicast: Some(false) },
            offloads: None,
        }
    }
}

fn with_bridge<T>(link: &Link, work: impl FnOnce(&mut BridgeOptions) -> T) -> Result<T> {
    let found =
        with_link(link.0, |link: &mut State| (link.info.kind == "bridge").then(|| work(&mut link.options.bridge)))?;
    found.ok_or_else(|| Error::invalid_argument("it is no bridge"))
}

fn with_port<T>(link: &Link, work: impl FnOnce(&mut PortOptions) -> T) -> Result<T> {
    let found = with_link(link.0, |link: &mut State| link.master.is_some().then(|| work(&mut link.options.port)))?;
    found.ok_or_else(|| Error::invalid_argument("it is no port of a bridge"))
}

fn vlans(wanted: &Option<Vec<BridgeVlan>>) -> Result<Option<Vec<BridgeVlan>>> {
    let Some(mut vlans) = wanted.clone() else { return Ok(None) };
    vlans.sort_unstable();
    let ids: BTreeSet<u16> = vlans.iter().map(|vlan| vlan.id).filter(|id| (1..=4094).contains(id)).collect();
    if vlans.len() > 1_024 || ids.len() < vlans.len() || vlans.iter().filter(|vlan| vlan.default).count() > 1 {
        return Err(Error::invalid_argument("VLANs of 1 to 4094, each once, one default, and at most 1024"));
    }
    Ok(Some(vlans))
}

pub(crate) fn set_bridge(link: &Link, options: &BridgeOptions) -> Result<()> {
    let vlans = vlans(&options.vlans)?;
    if options.ageing.is_some_and(|seconds| seconds > 1_000_000) {
        return Err(Error::invalid_argument("an ageing time of more than 1000000 s"));
    }
    with_bridge(link, |now| {
        *now = BridgeOptions {
            vlan_filtering: options.vlan_filtering.or(now.vlan_filtering),
            vlans: vlans.or(now.vlans.take()),
            multicast_snooping: options.multicast_snooping.or(now.multicast_snooping),
            multicast_querier: options.multicast_querier.or(now.multicast_querier),
            ageing: options.ageing.or(now.ageing),
        }
    })
}

pub(crate) fn bridge(link: &Link) -> Result<BridgeOptions> {
    with_bridge(link, |now| now.clone())
}

pub(crate) fn set_port(link: &Link, options: &PortOptions) -> Result<()> {
    let vlans = vlans(&options.vlans)?;
    with_port(link, |now| {
        *now = PortOptions {
            unicast_flood: options.unicast_flood.or(now.unicast_flood),
            multicast_flood: options.multicast_flood.or(now.multicast_flood),
            broadcast_flood: options.broadcast_flood.or(now.broadcast_flood),
            vlans: vlans.or(now.vlans.take()),
        }
    })
}

pub(crate) fn port(link: &Link) -> Result<PortOptions> {
    with_port(link, |now| now.clone())
}

pub(crate) fn set_properties(link: &Link, wanted: &Properties) -> Result<()> {
    if let Some(length) = wanted.queue_length.filter(|length| !(1..=16_384).contains(length)) {
        return Err(Error::invalid_argument(format!("a queue of {length} packets: 1 to 16384")));
    }
    with_link(link.0, |link| {
        let now = &mut link.options.properties;
        now.queue_length = wanted.queue_length.or(now.queue_length);
        now.promiscuous = wanted.promiscuous.or(now.promiscuous);
        now.all_multicast = wanted.all_multicast.or(now.all_multicast);
    })
}

pub(crate) fn properties(link: &Link) -> Result<Properties> {
    with_link(link.0, |link| link.options.properties.clone())
}

/// A new link's.
fn first(kind: &str) -> Offloads {
    let is_on_parent = ["macvlan", "macvtap", "ipvlan"].contains(&kind);
    let of_device = (!is_on_parent).then_some(true);
    Offloads {
        transmit_checksums: of_device,
        tcp_segmentation: of_device,
        generic_segmentation: Some(true),
        receive_grouping: Some(kind != "veth"),
    }
}

pub(crate) fn set_offloads(link: &Link, wanted: &Offloads) -> Result<()> {
    let mut now = offloads(link)?;
    let pairs = [
        (&mut now.transmit_checksums, wanted.transmit_checksums),
        (&mut now.tcp_segmentation, wanted.tcp_segmentation),
        (&mut now.generic_segmentation, wanted.generic_segmentation),
        (&mut now.receive_grouping, wanted.receive_grouping),
    ];
    for (now, wanted) in pairs {
        if wanted.is_some() && now.is_none() {
            return Err(Error::new(ErrorKind::NotImplemented, "it can't be changed of this link"));
        }
        *now = wanted.or(*now);
    }
    with_link(link.0, |link| link.options.offloads = Some(now))
}

pub(crate) fn offloads(link: &Link) -> Result<Offloads> {
    with_link(link.0, |link| link.options.offloads.clone().unwrap_or_else(|| first(&link.info.kind)))
}
