//! Packet filter and address translation.

use pontoon_sdk::ErrorKind::{Forbidden, InvalidArgument};
use std::net::{Ipv4Addr, Ipv6Addr};

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::Link;
use pontoon_sdk::nftables::Property::{
    Connection, Destination, DestinationLocal, DestinationPort, DestinationTranslated, InputLink, OutputLink, Protocol,
    Source, SourcePort,
};
use pontoon_sdk::nftables::Verdict::{Accept, DestinationNat, Drop, Masquerade, SourceNat};
use pontoon_sdk::nftables::{Chain, ConnectionStates, PortRange, Rule, Target, add, list, remove};
use pontoon_sdk::{Protocol as Ip, Result, ports};

use super::Stage;
use super::kernel::last_address;
use crate::check::{refused, same};

/// Leaves all rules but one behind.
pub(super) fn nftables(stage: &Stage) -> Result<()> {
    let bridge = stage.bridge()?;
    let before = list()?;
    for pool in stage.network.pools() {
        let any = if pool.addr().is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let port = ports::take_any(Ip::TCP, &[any])?;
        add(None, &translations(&bridge, pool, port))?;
        foreign_packets(pool, port)?;
    }
    let ids = add(None, &filters(&bridge))?;
    same(ids.len(), filters(&bridge).len(), "the number of ids from nftables.add")?;
    let mut with = list()?;
    remove(&ids[..1])?;
    remove(&ids[..1])?;
    with.retain(|id| *id != ids[0]);
    same(list()?, with.clone(), "nftables.list after remove")?;
    same(before.iter().all(|id| with.contains(id)), true, "nftables.list keeps the rules that were there")?;
    let namespace = pontoon_sdk::namespaces::add(&stage.link_name("nft-"))?;
    for pool in stage.network.pools() {
        add(Some(&namespace), &[Rule::new(Chain::NAT_POSTROUTING, Masquerade).when(Source(pool))])?;
    }
    packets(stage, &bridge)?;
    maps(stage)?;
    chains(stage, &bridge)?;
    frames(&bridge)?;
    mistakes(&bridge)
}

/// Leaves a set with rules that look into it behind.
fn packets(stage: &Stage, bridge: &Link) -> Result<()> {
    use pontoon_sdk::packets::{self, Action, Counter, Element, Field, PacketRule, Property, SetKind, Statement};

    let owner = if stage.is_endpoints() { "endpoint" } else { "network" };
    let names = ["seen", "ports"].map(|name| format!("{name}-{owner}-{}", stage.link_name("")));
    let [seen, of_ports] = &names;
    packets::add_set(None, seen, SetKind::Ipv4)?;
    packets::add_set(None, of_ports, SetKind::Ports)?;
    let there = packets::list_sets()?;
    same(names.iter().all(|name| there.contains(name)), true, "nftables.list-sets has both")?;
    let networks = ["192.0.2.0/25", "198.51.100.7/32"].map(|net| net.parse().map(Element::Network));
    let networks = networks.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
    packets::add_elements(seen, &networks)?;
    packets::add_elements(
        of_ports,
        &[Element::Ports(PortRange { first: 1, last: 1023 }), Element::Ports(8080.into())],
    )?;
    packets::remove_elements(seen, &networks[..1])?;
    packets::remove_elements(seen, &networks[..1])?;
    same(packets::list_elements(seen)?, networks[1..].to_vec(), "nftables.list-elements after remove")?;
    packets::add_elements(seen, &networks[..1])?;
    let counted = PacketRule::new(Chain::FORWARD, Action::Proceed)
        .when(InputLink(bridge))
        .when(Property::Member { field: Field::Destination, set: seen })
        .when(Protocol(Ip::UDP))
        .unless(Property::Member { field: Field::DestinationPort, set: of_ports })
        .and(Statement::Counter);
    let plain = PacketRule::new(Chain::FORWARD, Accept).when(InputLink(bridge));
    let ids = packets::add(None, &[counted, plain])?;
    same(packets::counters(&ids)?, vec![Some(Counter::default()), None], "nftables.read-counters")?;
    refused(packets::remove_set(seen), Forbidden, "nftables.remove-set of one that a rule looks into")?;
    remove(&ids)?;
    packets::remove_set(of_ports)?;
    packets::remove_set(of_ports)?;
    same(packets::list_sets()?.contains(of_ports), false, "nftables.list-sets after remove")
}

/// Leaves a map for each family behind, with a rule that looks it up.
fn maps(stage: &Stage) -> Result<()> {
    use pontoon_sdk::packets::{self, Action, Element, PacketRule, SetKind};

    let owner = if stage.is_endpoints() { "endpoint" } else { "network" };
    for pool in stage.network.pools() {
        let (kind, any) = match pool.addr().is_ipv4() {
            true => (SetKind::Ipv4HostPorts, Ipv4Addr::UNSPECIFIED.into()),
            false => (SetKind::Ipv6HostPorts, Ipv6Addr::UNSPECIFIED.into()),
        };
        let name = format!("{kind:?}-{owner}-{}", stage.link_name(""));
        packets::add_set(None, &name, kind)?;
        let taken = [ports::take_any(Ip::TCP, &[any])?, ports::take_any(Ip::TCP, &[any])?];
        let lead = |port, to| Element::HostPort { protocol: Ip::TCP, port, to: (last_address(pool), to).into() };
        let foreign = [lead(22, 22), Element::HostPort { protocol: Ip::TCP, port: taken[0], to: (any, 80).into() }];
        for element in foreign {
            refused(packets::add_elements(&name, &[element]), Forbidden, "nftables.add-elements for others' packets")?;
        }
        let mut there = taken.map(|port| lead(port, 80));
        packets::add_elements(&name, &there)?;
        let rule = |chain| PacketRule::new(chain, Action::DestinationNatBy(&name));
        packets::add(None, &[rule(Chain::NAT_PREROUTING), rule(Chain::NAT_OUTPUT)])?;
        packets::remove_elements(&name, &there[1..])?;
        there[1] = lead(taken[1], 8080);
        packets::add_elements(&name, &there[1..])?;
        there.sort_by_key(
            |element| matches!(element, Element::HostPort { port, .. } if *port == taken[0].max(taken[1])),
        );
        same(packets::list_elements(&name)?, there.to_vec(), "nftables.list-elements of a map")?;
        refused(packets::remove_set(&name), Forbidden, "nftables.remove-set of a map that a rule looks up")?;
    }
    Ok(())
}

/// Leaves a chain behind, with a rule in it and one that leads there.
fn chains(stage: &Stage, bridge: &Link) -> Result<()> {
    use pontoon_sdk::chains::{self, ChainRule};
    use pontoon_sdk::packets::{self, Action, PacketRule, Statement};

    let owner = if stage.is_endpoints() { "endpoint" } else { "network" };
    let names = ["inner", "outer"].map(|name| format!("{name}-{owner}-{}", stage.link_name("")));
    let [inner, outer] = &names;
    names.iter().try_for_each(|name| chains::add(None, name, Chain::FORWARD))?;
    let there = chains::list()?;
    same(names.iter().all(|name| there.contains(name)), true, "nftables.list-chains has both")?;
    let counted = ChainRule::new(Action::Return).when(Protocol(Ip::UDP)).and(Statement::Counter);
    let left = chains::add_rules(inner, &[counted, ChainRule::new(Drop).when(Protocol(Ip::SCTP))])?;
    let ids = chains::add_rules(outer, &[ChainRule::new(Action::Jump(inner)).unless(OutputLink(bridge))])?;
    let lead = |action| PacketRule::new(Chain::FORWARD, action).when(InputLink(bridge));
    let ways = packets::add(None, &[lead(Action::Goto(outer)), lead(Action::Jump(inner))])?;
    same(left.len(), 2, "the number of ids from nftables.add-chain-rules")?;
    refused(chains::remove(outer), Forbidden, "nftables.remove-chain of one that a rule leads to")?;
    remove(&[&ids[..], &ways[..1]].concat())?;
    chains::remove(outer)?;
    chains::remove(outer)?;
    same(chains::list()?.contains(outer), false, "nftables.list-chains after remove")
}

/// Leaves a rule at the bridge behind.
fn frames(bridge: &Link) -> Result<()> {
    use pontoon_sdk::frames::{self, FrameRule, Property};
    use pontoon_sdk::nftables::Hook;
    use pontoon_sdk::packets::{self, Action, Counter, Statement};

    let own = || FrameRule::new(Hook::Forward, 0, Drop).when(InputLink(bridge));
    let mac = pontoon_sdk::MacAddress([2, 0, 0, 0, 0, 1]);
    let counted = FrameRule::new(Hook::Forward, 0, Action::Proceed).when(OutputLink(bridge)).and(Statement::Counter);
    let rules = [
        own().unless(Property::EtherSource(mac)).when(Property::EtherType(0x0806)),
        counted.when(Property::EtherDestination(mac)).when(Protocol(Ip::UDP)).when(DestinationPort(53.into())),
    ];
    let ids = frames::add(None, &rules)?;
    same(packets::counters(&ids)?, vec![None, Some(Counter::default())], "nftables.read-counters of frames")?;
    same(
        ids.iter().all(|id| list().is_ok_and(|there| there.contains(id))),
        true,
        "nftables.list has rules for frames",
    )?;
    remove(&ids[1..])?;
    let untied = FrameRule::new(Hook::Forward, 0, Drop).when(Property::EtherSource(mac));
    refused(frames::add(None, &[untied]), InvalidArgument, "nftables.add-frame-rules of a rule for everybody")
}

fn filters(bridge: &Link) -> [Rule<'_>; 4] {
    let states = ConnectionStates { new: true, established: true, related: true, invalid: true };
    let some_ports = PortRange { first: 1000, last: 2000 };
    [
        Rule::new(Chain::FORWARD, Accept).when(InputLink(bridge)).when(Connection(states)),
        Rule::new(Chain::FORWARD, Drop)
            .when(OutputLink(bridge))
            .unless(InputLink(bridge))
            .unless(DestinationTranslated),
        Rule::new(Chain::FORWARD, Accept)
            .when(InputLink(bridge))
            .when(Protocol(Ip::UDP))
            .when(SourcePort(some_ports))
            .unless(DestinationPort(53.into())),
        Rule::new(Chain::RAW_PREROUTING, Drop).when(InputLink(bridge)).when(Protocol(Ip::SCTP)).when(DestinationLocal),
    ]
}

/// Packets that are nobody's, or somebody else's.
fn foreign_packets(pool: IpNet, port: u16) -> Result<()> {
    let redirect = || {
        let target = Target { address: last_address(pool), port: None };
        Rule::new(Chain::NAT_PREROUTING, DestinationNat(target))
    };
    let tcp = || redirect().when(DestinationLocal).when(Protocol(Ip::TCP));
    let range = PortRange { first: port, last: port.saturating_add(1) };
    let rules = [
        redirect(),
        redirect().when(DestinationLocal),
        tcp(),
        tcp().when(DestinationPort(22.into())),
        tcp().when(DestinationPort(range)),
        tcp().unless(DestinationPort(port.into())),
        redirect().when(DestinationLocal).when(Protocol(Ip::UDP)).when(DestinationPort(port.into())),
        redirect().when(Protocol(Ip::TCP)).when(DestinationPort(port.into())),
    ];
    for rule in rules {
        refused(add(None, &[rule]), Forbidden, "nftables.add that redirects what is not the network's")?;
    }
    Ok(())
}

fn translations(bridge: &Link, pool: IpNet, port: u16) -> [Rule<'_>; 5] {
    let address = last_address(pool);
    [
        Rule::new(Chain::NAT_POSTROUTING, Masquerade).when(Source(pool)).unless(OutputLink(bridge)),
        Rule::new(Chain::NAT_POSTROUTING, SourceNat(Target { address, port: None }))
            .when(Source(pool))
            .when(Destination(pool))
            .when(DestinationTranslated),
        Rule::new(Chain::NAT_PREROUTING, DestinationNat(Target { address, port: Some(80) }))
            .when(DestinationLocal)
            .when(Protocol(Ip::TCP))
            .when(DestinationPort(port.into())),
        Rule::new(Chain::NAT_OUTPUT, DestinationNat(Target { address, port: None }))
            .when(DestinationLocal)
            .when(Protocol(Ip::TCP))
            .when(DestinationPort(port.into())),
        Rule::new(Chain::NAT_PREROUTING, DestinationNat(Target { address, port: None })).when(InputLink(bridge)),
    ]
}

fn mistakes(bridge: &Link) -> Result<()> {
    let untied = Rule::new(Chain::FORWARD, Drop).when(Protocol(Ip::TCP));
    refused(add(None, &[untied]), InvalidArgument, "nftables.add of a rule for everybody")?;
    let wrong_chain = Rule::new(Chain::FORWARD, Masquerade).when(OutputLink(bridge));
    refused(add(None, &[wrong_chain]), InvalidArgument, "nftables.add of translation in a filter chain")?;
    let wrong_hook = Rule::new(Chain::NAT_PREROUTING, Masquerade).when(InputLink(bridge));
    refused(add(None, &[wrong_hook]), InvalidArgument, "nftables.add of masquerade before routing")
}
