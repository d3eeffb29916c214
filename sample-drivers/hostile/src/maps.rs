//! Maps that lead from the host's ports to where packets go, and from addresses to marks: for what is others', under names of others, and too many.

use std::net::{IpAddr, SocketAddr};

use pontoon_sdk::nftables::{self, Chain};
use pontoon_sdk::packets::{self, Action, Element, Field, PacketRule, Property, SetKind, Statement};
use pontoon_sdk::{Error, Protocol, Result, ports};

use crate::{Attack, Stage};

const PORT: u16 = 20_070;

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("map-a-port-to-the-host", |_| lead(PORT, "192.0.2.1:22")),
    ("map-a-port-to-a-loopback-address", |_| lead(PORT, "127.0.0.1:22")),
    ("map-a-port-to-another-network", |_| lead(PORT, "10.250.0.9:80")),
    ("map-the-hosts-ssh", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        packets::add_elements("m", &[element(22, to(stage, 80))])
    }),
    ("map-a-port-of-another-protocol", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        take()?;
        packets::add_elements("m", &[Element::HostPort { protocol: Protocol::UDP, port: PORT, to: to(stage, 80) }])
    }),
    ("map-a-port-of-one-address-for-all", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        ports::take(Protocol::TCP, &["192.0.2.1".parse()?], PORT..=PORT)?;
        packets::add_elements("m", &[element(PORT, to(stage, 80))])
    }),
    ("release-a-mapped-port", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        take()?;
        packets::add_elements("m", &[element(PORT, to(stage, 80))])?;
        look_up(Action::DestinationNatBy("m"))?;
        release()
    }),
    ("map-by-the-name-of-a-set", |_| {
        packets::add_set(None, "m", SetKind::Ipv4)?;
        map(SetKind::Ipv4HostPorts)
    }),
    ("set-for-a-map", |_| {
        packets::add_set(None, "m", SetKind::Ports)?;
        look_up(Action::DestinationNatBy("m"))
    }),
    ("map-for-a-set", |stage| {
        map(SetKind::Ipv4Marks)?;
        let link = stage.link("hb")?;
        let rule = PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::InputLink(&link));
        add(rule.when(Property::Member { field: Field::Source, set: "m" }))
    }),
    ("map-of-another-network", |_| look_up(Action::DestinationNatBy("theirs"))),
    ("map-of-a-port-chain", |_| look_up(Action::DestinationNatBy("nat-prerouting-dstnat/ports"))),
    ("map-in-a-filter-chain", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        let link = stage.link("hb")?;
        let rule = PacketRule::new(Chain::FORWARD, Action::DestinationNatBy("m"));
        add(rule.when(nftables::Property::InputLink(&link)))
    }),
    ("map-to-marks-that-are-not-granted", |stage| {
        map(SetKind::Ipv4Marks)?;
        packets::add_elements("m", &[Element::Mark { network: stage.pool, mark: 0x100 }])
    }),
    ("mark-all-bits-by-a-map", |stage| {
        map(SetKind::Ipv4Marks)?;
        mark_by(stage, u32::MAX)
    }),
    ("mark-everybodys-packets-by-a-map", |_| {
        map(SetKind::Ipv4Marks)?;
        let statement = Statement::SetMarkBy { field: Field::Source, map: "m", mask: 0 };
        add(PacketRule::new(Chain::FORWARD, Action::Proceed).and(statement))
    }),
    ("mark-by-a-port", |stage| {
        map(SetKind::Ipv4Marks)?;
        let link = stage.link("hb")?;
        let rule = PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::InputLink(&link));
        add(rule.and(Statement::SetMarkBy { field: Field::SourcePort, map: "m", mask: 0 }))
    }),
    ("a-port-twice-in-a-map", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        take()?;
        packets::add_elements("m", &[element(PORT, to(stage, 80)), element(PORT, to(stage, 81))])
    }),
    ("elements-of-a-map-without-end", |_| {
        map(SetKind::Ipv4Marks)?;
        (0..99).try_for_each(|host| {
            let network = IpAddr::from([10, 250, 0, host]).into();
            packets::add_elements("m", &[Element::Mark { network, mark: 0 }])
        })
    }),
    ("remove-a-map-in-use", |_| {
        map(SetKind::Ipv4HostPorts)?;
        look_up(Action::DestinationNatBy("m"))?;
        packets::remove_set("m")
    }),
    ("fail-after-a-map", |stage| {
        map(SetKind::Ipv4HostPorts)?;
        take()?;
        packets::add_elements("m", &[element(PORT, to(stage, 80))])?;
        look_up(Action::DestinationNatBy("m"))?;
        Err(Error::internal("gave up with a map in the kernel"))
    }),
];

fn map(kind: SetKind) -> Result<()> {
    packets::add_set(None, "m", kind)
}

fn to(stage: &Stage, port: u16) -> SocketAddr {
    SocketAddr::new(stage.address(2), port)
}

fn element(port: u16, to: SocketAddr) -> Element {
    Element::HostPort { protocol: Protocol::TCP, port, to }
}

fn take() -> Result<()> {
    ports::take(Protocol::TCP, &["0.0.0.0".parse()?], PORT..=PORT).map(drop)
}

fn release() -> Result<()> {
    ports::release(Protocol::TCP, &["0.0.0.0".parse()?], PORT)
}

/// A port that it has taken leads there.
fn lead(port: u16, to: &str) -> Result<()> {
    map(SetKind::Ipv4HostPorts)?;
    take()?;
    let to = to.parse().map_err(|_| Error::internal("no address and port"))?;
    packets::add_elements("m", &[element(port, to)])
}

fn look_up(action: Action) -> Result<()> {
    add(PacketRule::new(Chain::NAT_PREROUTING, action))
}

fn mark_by(stage: &Stage, mask: u32) -> Result<()> {
    let link = stage.link("hb")?;
    let rule = PacketRule::new(Chain::FORWARD, Action::Proceed).when(nftables::Property::InputLink(&link));
    add(rule.and(Statement::SetMarkBy { field: Field::Source, map: "m", mask }))
}

fn add(rule: PacketRule) -> Result<()> {
    packets::add(None, &[rule]).map(drop)
}
