//! What adds up where nobody looks at the sum: over links, in what a call removes again, in what is small.

use std::net::{IpAddr, Ipv4Addr};

use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkKind, LinkSpec, MacvlanMode, Master, VxlanOptions};
use pontoon_sdk::neighbours::{self, ForwardingEntry, Neighbour};
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Accept};
use pontoon_sdk::routes::Route;
use pontoon_sdk::{
    MacAddress, Protocol, Result, addresses, forwarding, namespaces, nftables, ports, routes, store, tables,
};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("many-neighbours", many_neighbours),
    ("many-forwarding-entries", many_forwarding_entries),
    ("neighbours-and-forwarding-entries", neighbours_and_forwarding_entries),
    ("neighbours-again-and-again", neighbours_again_and_again),
    ("addresses-over-many-links", addresses_over_many_links),
    ("addresses-of-many-new-links", addresses_of_many_new_links),
    ("routes-over-many-links", routes_over_many_links),
    ("rules-again-and-again", rules_again_and_again),
    ("forwarding-without-end", forwarding_without_end),
    ("many-namespaces", many_namespaces),
    ("namespaces-again-and-again", namespaces_again_and_again),
    ("many-ports-of-the-hosts-choice", many_ports_of_the_hosts_choice),
    ("ports-again-and-again", ports_again_and_again),
    ("ports-by-tunnels", ports_by_tunnels),
    ("many-short-keys", many_short_keys),
    ("large-entries", large_entries),
    ("long-names-of-entries", long_names_of_entries),
    ("bridge-a-macvlan", |stage| {
        bridge_what_is_on_a_parent(stage, |parent| LinkKind::Macvlan { parent, mode: MacvlanMode::Bridge })
    }),
    ("bridge-a-vlan", |stage| bridge_what_is_on_a_parent(stage, |parent| LinkKind::Vlan { parent, id: 5 })),
    ("bridge-a-macvlan-later", bridge_a_macvlan_later),
];

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// MAC addresses by number.
pub(crate) fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress([2, 0, a, b, c, d])
}

pub(crate) fn neighbour<'a>(stage: &Stage, link: &'a Link, number: u32) -> Neighbour<'a> {
    Neighbour { link, address: stage.address(2 + number), mac_address: mac(number) }
}

pub(crate) fn entry(link: &Link, number: u32) -> ForwardingEntry<'_> {
    ForwardingEntry { link, mac_address: mac(number), remote: None }
}

impl Stage {
    /// A bridge, and a link on it, which has forwarding entries.
    pub(crate) fn port(&self, name: &str) -> Result<[Link; 2]> {
        let bridge = self.link(name)?;
        let end = LinkEnd { master: Some(&bridge), ..LinkEnd::named(format!("{name}p")) };
        let port = links::add_one(LinkSpec::veth(end, LinkEnd::named(format!("{name}q"))))?.link;
        Ok([bridge, port])
    }
}

fn many_neighbours(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    (0..200).try_for_each(|number| neighbours::add(&[neighbour(stage, &link, number)]))
}

fn many_forwarding_entries(stage: &Stage) -> Result<()> {
    let [_, port] = &stage.port("hb")?;
    (0..200).try_for_each(|number| neighbours::add_forwarding(&[entry(port, number)]))
}

/// As many of each as there may be of both.
fn neighbours_and_forwarding_entries(stage: &Stage) -> Result<()> {
    let [bridge, port] = &stage.port("hb")?;
    neighbours::add(&(0..10).map(|number| neighbour(stage, bridge, number)).collect::<Vec<_>>())?;
    neighbours::add_forwarding(&(0..10).map(|number| entry(port, number)).collect::<Vec<_>>())
}

/// What a call removes is still there until it has ended.
fn neighbours_again_and_again(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    for number in 0..200 {
        neighbours::add(&[neighbour(stage, &link, number)])?;
        neighbours::remove(&[neighbour(stage, &link, number)])?;
    }
    Ok(())
}

fn addresses_over_many_links(stage: &Stage) -> Result<()> {
    for number in 0..10 {
        let link = stage.link(&format!("hb{number}"))?;
        addresses::add(&[1, 2].map(|n| LinkAddress { link: &link, address: stage.address(10 * number + n).into() }))?;
    }
    Ok(())
}

fn addresses_of_many_new_links(stage: &Stage) -> Result<()> {
    for number in 0..10 {
        let end = |n: u32| LinkEnd {
            addresses: vec![stage.address(10 * number + n).into()],
            ..LinkEnd::named(format!("h{n}v{number}"))
        };
        links::add_one(LinkSpec::veth(end(1), end(2)))?;
    }
    Ok(())
}

fn routes_over_many_links(stage: &Stage) -> Result<()> {
    for number in 0..10 {
        let link = stage.link(&format!("hb{number}"))?;
        routes::add(&[1, 2].map(|n| Route::new(&link, stage.address(10 * number + n).into())))?;
    }
    Ok(())
}

fn rules_again_and_again(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    for _ in 0..200 {
        let ids = nftables::add(None, &[Rule::new(Chain::FORWARD, Accept).when(InputLink(&link))])?;
        nftables::remove(&ids)?;
    }
    Ok(())
}

fn forwarding_without_end(stage: &Stage) -> Result<()> {
    let link = stage.link("hb")?;
    (0..200).try_for_each(|_| forwarding::allow(&link, true, true))
}

fn many_namespaces(_: &Stage) -> Result<()> {
    (0..20).try_for_each(|number| namespaces::add(&format!("n{number}")).map(drop))
}

fn namespaces_again_and_again(_: &Stage) -> Result<()> {
    (0..20).try_for_each(|number| namespaces::add(&format!("n{number}"))?.remove())
}

fn many_ports_of_the_hosts_choice(_: &Stage) -> Result<()> {
    (0..200).try_for_each(|_| ports::take_any(Protocol::TCP, &[LOOPBACK]).map(drop))
}

fn ports_again_and_again(_: &Stage) -> Result<()> {
    (20_000..20_200).try_for_each(|port| {
        ports::take(Protocol::TCP, &[LOOPBACK], port..=port)?;
        ports::release(Protocol::TCP, &[LOOPBACK], port)
    })
}

/// A vxlan has a UDP port on all addresses.
fn ports_by_tunnels(stage: &Stage) -> Result<()> {
    let parent = stage.link("hb")?;
    for number in 0..19_u16 {
        let (vni, port, parent) = (1 + u32::from(number), 20_000 + number, Some(&parent));
        let vxlan = VxlanOptions { vni, port, parent, local: None, remote: None, learning: false, proxy: false };
        links::add_one(LinkSpec { end: LinkEnd::named(format!("hx{number}")), kind: LinkKind::Vxlan(vxlan) })?;
    }
    Ok(())
}

/// Each takes more for its row than for itself.
fn many_short_keys(_: &Stage) -> Result<()> {
    (0..900).try_for_each(|number| store::set_bytes(&format!("{number}"), b""))
}

fn large_entries(_: &Stage) -> Result<()> {
    (0..10).try_for_each(|number| tables::put("own", &format!("{number}"), &[0; 60_000]))
}

fn long_names_of_entries(_: &Stage) -> Result<()> {
    (0..9).try_for_each(|number| tables::put("own", &format!("{number}{}", "x".repeat(250)), &[0; 20_000]))
}

/// The kernel makes the parent promiscuous.
fn bridge_what_is_on_a_parent(stage: &Stage, kind: for<'a> fn(&'a Link) -> LinkKind<'a>) -> Result<()> {
    let (parent, bridge) = (stage.link("hb")?, stage.link("hm")?);
    let end = LinkEnd { master: Some(&bridge), ..LinkEnd::named("hv") };
    links::add_one(LinkSpec { end, kind: kind(&parent) }).map(drop)
}

fn bridge_a_macvlan_later(stage: &Stage) -> Result<()> {
    let (parent, bridge) = (stage.link("hb")?, stage.link("hm")?);
    let kind = LinkKind::Macvlan { parent: &parent, mode: MacvlanMode::Private };
    let link = links::add_one(LinkSpec { end: LinkEnd::named("hv"), kind })?.link;
    link.set(&LinkChanges { master: Some(Master::Bridge(&bridge)), ..LinkChanges::default() })
}
