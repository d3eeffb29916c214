//! How bridges and their ports pass packets on, and properties of links.

use pontoon_sdk::links::{self, BridgeOptions, BridgeVlan, LinkEnd, LinkSpec, Offloads, PortOptions, Properties};
use pontoon_sdk::{Result, log};

use super::Stage;
use crate::check::{ensure, same};

/// Sets all of a bridge and a port of it, and leaves both behind: `pbob...` and `pboa...`.
pub(super) fn options(stage: &Stage) -> Result<()> {
    let [bridge, near, far] = ["pbob", "pboa", "pboc"].map(|prefix| stage.link_name(prefix));
    let bridge = links::add_one(LinkSpec::bridge(LinkEnd { up: true, ..LinkEnd::named(bridge) }))?.link;
    let near = LinkEnd { master: Some(&bridge), up: true, ..LinkEnd::named(near) };
    let port = links::add_one(LinkSpec::veth(near, LinkEnd::named(far)))?.link;
    let first = bridge.bridge_options()?;
    let seen = (first.vlan_filtering, first.multicast_snooping, first.multicast_querier, first.ageing);
    same(seen, (Some(false), Some(true), Some(false), Some(300)), "links.get-bridge of a new bridge")?;
    let has_vlans = first.vlans.is_some();
    let of_bridge = [BridgeVlan::tagged(7), BridgeVlan::access(20)].to_vec();
    let of_port = [BridgeVlan::access(7), BridgeVlan::tagged(8), BridgeVlan::tagged(9)].to_vec();
    if !has_vlans {
        log::info("this kernel has no VLANs of bridges");
    }
    let of_bridge = BridgeOptions {
        vlan_filtering: Some(has_vlans),
        vlans: has_vlans.then_some(of_bridge),
        multicast_snooping: Some(false),
        multicast_querier: Some(true),
        ageing: Some(60),
    };
    bridge.set_bridge(&of_bridge)?;
    same(bridge.bridge_options()?, of_bridge, "links.get-bridge after set-bridge")?;
    bridge.set_bridge(&BridgeOptions { multicast_snooping: Some(true), ..BridgeOptions::default() })?;
    let now = bridge.bridge_options()?;
    same((now.multicast_snooping, now.ageing), (Some(true), Some(60)), "what set-bridge was not given")?;
    let flooded = |on: bool| PortOptions {
        unicast_flood: Some(on),
        multicast_flood: Some(on),
        broadcast_flood: Some(on),
        vlans: None,
    };
    same(PortOptions { vlans: None, ..port.port_options()? }, flooded(true), "links.get-port of a new port")?;
    let of_port = PortOptions { vlans: has_vlans.then_some(of_port), ..flooded(false) };
    port.set_port(&of_port)?;
    same(port.port_options()?, of_port, "links.get-port after set-port")?;
    let first = port.properties()?;
    ensure(
        first.promiscuous == Some(false) && first.queue_length == Some(1_000),
        "links.get-properties of a new link",
    )?;
    let listening = Properties { queue_length: Some(77), promiscuous: Some(true), all_multicast: Some(true) };
    port.set_properties(&listening)?;
    same(port.properties()?, listening, "links.get-properties after set-properties")?;
    let all = |on: bool| Offloads {
        transmit_checksums: Some(on),
        tcp_segmentation: Some(on),
        generic_segmentation: Some(on),
        receive_grouping: Some(on),
    };
    same(bridge.offloads()?, all(true), "links.get-offloads of a new bridge")?;
    let of_pair = Offloads { receive_grouping: Some(false), ..all(true) };
    same(port.offloads()?, of_pair.clone(), "links.get-offloads of a new pair")?;
    bridge.set_offloads(&all(false))?;
    same(bridge.offloads()?, all(false), "links.get-offloads after set-offloads")?;
    port.set_offloads(&Offloads { transmit_checksums: Some(false), ..Offloads::default() })?;
    let now = Offloads { transmit_checksums: Some(false), ..of_pair };
    same(port.offloads()?, now, "what set-offloads was not given")
}
