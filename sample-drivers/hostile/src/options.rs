//! How bridges pass packets on, their VLANs, and properties of links: of others, and in ways that can't be.

use pontoon_sdk::Result;
use pontoon_sdk::links::{
    self, BridgeOptions, BridgeVlan, Link, LinkEnd, LinkKind, LinkSpec, MacvlanMode, Offloads, PortOptions, Properties,
};

use crate::traps::trap;
use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("listen-on-eth0", |_| links::get(None, "eth0")?.set_properties(&LISTENING)),
    ("listen-on-the-victim", |_| links::get(None, "victim")?.set_properties(&LISTENING)),
    ("listen-by-a-link-on-eth0", listen_by_a_link_on_eth0),
    ("tap-on-eth0", |_| links::add_macvtap(&LinkEnd::named("hm"), &links::get(None, "eth0")?, PASSTHRU).map(drop)),
    ("tap-under-the-victims-name", |stage| {
        links::add_macvtap(&LinkEnd::named("victim"), &stage.link("hb")?, MacvlanMode::Bridge).map(drop)
    }),
    ("tap-as-a-port", |stage| {
        let (bridge, below) = (stage.link("hb")?, stage.link("hp")?);
        let end = LinkEnd { master: Some(&bridge), ..LinkEnd::named("hm") };
        links::add_macvtap(&end, &below, MacvlanMode::Bridge).map(drop)
    }),
    ("listen-on-what-was-removed", |stage| {
        let link = stage.link("hb")?;
        link.remove()?;
        link.set_properties(&LISTENING)
    }),
    ("forget-at-once-on-the-victim", |_| links::get(None, "victim")?.set_bridge(&ageing(0))),
    ("filter-on-eth0", |_| {
        links::get(None, "eth0")?.set_bridge(&BridgeOptions { vlan_filtering: Some(true), ..BridgeOptions::default() })
    }),
    ("flood-the-victims-port", |_| links::get(None, "victim")?.set_port(&UNFLOODED)),
    ("a-bridge-that-is-none", |stage| port(stage)?.set_bridge(&ageing(1))),
    ("a-port-that-is-none", |stage| stage.link("hb")?.set_port(&UNFLOODED)),
    ("remember-for-ever", |stage| stage.link("hb")?.set_bridge(&ageing(u32::MAX))),
    ("queue-without-end", |stage| queue(stage, u32::MAX)),
    ("queue-of-nothing", |stage| queue(stage, 0)),
    ("vlans-without-end", |stage| port(stage)?.set_port(&vlans((1..=1_025).map(BridgeVlan::tagged)))),
    ("vlan-of-13-bits", |stage| port(stage)?.set_port(&vlans([BridgeVlan::tagged(4_097)]))),
    ("vlan-0", |stage| port(stage)?.set_port(&vlans([BridgeVlan::tagged(0)]))),
    ("vlan-that-is-kept-for-the-kernel", |stage| port(stage)?.set_port(&vlans([BridgeVlan::tagged(4_095)]))),
    ("vlan-twice", |stage| port(stage)?.set_port(&vlans([BridgeVlan::tagged(7), BridgeVlan::access(7)]))),
    ("two-default-vlans", |stage| port(stage)?.set_port(&vlans([BridgeVlan::access(7), BridgeVlan::access(8)]))),
    ("options-again-and-again", |stage| {
        let bridge = stage.link("hb")?;
        loop {
            bridge.set_bridge(&ageing(1))?;
            bridge.set_bridge(&ageing(2))?;
        }
    }),
    ("offload-what-eth0-does", |_| links::get(None, "eth0")?.set_offloads(&WITHOUT)),
    ("offload-what-the-victim-does", |_| links::get(None, "victim")?.set_offloads(&WITHOUT)),
    ("offload-what-was-removed", |stage| {
        let link = stage.link("hb")?;
        link.remove()?;
        link.set_offloads(&WITHOUT)
    }),
    ("offload-what-is-the-parents", |stage| {
        // The other end of a port is none itself, so that something can be built on it.
        port(stage)?;
        let kind = LinkKind::Macvlan { parent: &links::get(None, "hy")?, mode: MacvlanMode::Bridge };
        links::add_one(LinkSpec { end: LinkEnd::named("hm"), kind })?.link.set_offloads(&WITHOUT)
    }),
    ("trap-after-offloads", |stage| trap(port(stage)?.set_offloads(&WITHOUT))),
    ("trap-after-options", |stage| {
        let port = port(stage)?;
        port.set_port(&UNFLOODED)?;
        trap(port.set_properties(&LISTENING))
    }),
];

const LISTENING: Properties = Properties { queue_length: None, promiscuous: Some(true), all_multicast: Some(true) };
const WITHOUT: Offloads = Offloads {
    transmit_checksums: Some(false),
    tcp_segmentation: None,
    generic_segmentation: None,
    receive_grouping: None,
};
const PASSTHRU: MacvlanMode = MacvlanMode::Passthru;
const UNFLOODED: PortOptions =
    PortOptions { unicast_flood: Some(false), multicast_flood: Some(false), broadcast_flood: Some(false), vlans: None };

fn ageing(seconds: u32) -> BridgeOptions {
    BridgeOptions { ageing: Some(seconds), ..BridgeOptions::default() }
}

fn vlans(vlans: impl IntoIterator<Item = BridgeVlan>) -> PortOptions {
    PortOptions { vlans: Some(vlans.into_iter().collect()), ..PortOptions::default() }
}

fn queue(stage: &Stage, length: u32) -> Result<()> {
    stage.link("hb")?.set_properties(&Properties { queue_length: Some(length), ..Properties::default() })
}

/// A port of a bridge of its own.
fn port(stage: &Stage) -> Result<Link> {
    let bridge = stage.link("hb")?;
    let port = LinkEnd { master: Some(&bridge), ..LinkEnd::named("hx") };
    Ok(links::add_one(LinkSpec::veth(port, LinkEnd::named("hy")))?.link)
}

/// Under a grant that names eth0 as a parent and says nothing of changing it.
fn listen_by_a_link_on_eth0(_: &Stage) -> Result<()> {
    let parent = links::get(None, "eth0")?;
    let kind = LinkKind::Macvlan { parent: &parent, mode: MacvlanMode::Bridge };
    links::add_one(LinkSpec { end: LinkEnd::named("hm"), kind })?.link.set_properties(&LISTENING)
}
