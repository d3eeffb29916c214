//! The host's limits: what is one more than allowed is refused, and the call goes on.

use std::net::{IpAddr, Ipv4Addr};

use pontoon_sdk::ErrorKind::{InvalidArgument, Unavailable};
use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkKind, LinkSpec, VxlanOptions};
use pontoon_sdk::neighbours::{ForwardingEntry, Neighbour};
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Accept};
use pontoon_sdk::routes::Route;
use pontoon_sdk::{
    Error, ErrorKind, JoinInfo, MacAddress, Protocol, Result, StaticRoute, addresses, log, namespaces, neighbours,
    nftables, ports, routes, rules, store, tables,
};

use super::Stage;
use super::kernel::last_address;
use crate::check::{ensure, refused, same};

/// Items of a list.
const ITEMS: usize = 1000;

pub(super) fn limits(stage: &Stage) -> Result<()> {
    let bridge = stage.bridge()?;
    texts(stage)?;
    numbers(&bridge)?;
    lists(stage, &bridge)?;
    host_ports(stage)?;
    bytes_in_all(stage)?;
    keys_in_all(stage)
}

/// A thousand static routes are many.
pub(super) fn static_routes(info: &JoinInfo) -> Result<()> {
    let route = |number: u32| IpNet::from(std::net::IpAddr::from((0xa9fe_0000_u32 + number).to_be_bytes()));
    for number in 0..1000 {
        info.add_static_route(route(number), StaticRoute::Connected)?;
    }
    refused(info.add_static_route(route(1000), StaticRoute::Connected), Unavailable, "a route more than 1000")
}

/// Three hundred lines, the first one too long.
pub(super) fn flood(_: &Stage) -> Result<()> {
    log::warn(format!("line 0 {}", "x".repeat(2000)));
    (1..300).for_each(|number| log::warn(format!("line {number}")));
    Ok(())
}

fn texts(stage: &Stage) -> Result<()> {
    let longest = format!("limits/{}/{}", stage.owner, "k".repeat(256));
    let longest = &longest[..256];
    let value = vec![7; 64 << 10];
    store::set_bytes(longest, &value)?;
    same(store::get_bytes(longest)?.map(|v| v.len()), Some(64 << 10), "the longest value of the longest key")?;
    store::remove(longest)?;
    let (key, value) = (format!("{longest}k"), [value.as_slice(), &[7]].concat());
    refused(store::set_bytes(&key, b""), InvalidArgument, "a key of 257 bytes")?;
    refused(store::get_bytes(&key), InvalidArgument, "a key of 257 bytes")?;
    refused(store::list_bytes(&key), InvalidArgument, "a prefix of 257 bytes")?;
    refused(store::set_bytes("k", &value), InvalidArgument, "a value of 64 KiB and a byte")?;
    let (name, longer) = ("t".repeat(128), "t".repeat(129));
    tables::put(&name, longest, b"")?;
    tables::remove(&name, longest)?;
    refused(tables::put(&longer, "k", b""), InvalidArgument, "a table's name of 129 bytes")?;
    refused(tables::put("t", &key, b""), InvalidArgument, "an entry's key of 257 bytes")?;
    refused(tables::put("t", "k", &value), InvalidArgument, "an entry's value of 64 KiB and a byte")?;
    refused(namespaces::add(&"n".repeat(33)).map(drop), InvalidArgument, "a namespace's name of 33 bytes")
}

fn numbers(bridge: &Link) -> Result<()> {
    for mtu in [67, 65_536] {
        let changes = LinkChanges { mtu: Some(mtu), ..LinkChanges::default() };
        refused(bridge.set(&changes), InvalidArgument, "an MTU that no link has")?;
    }
    for id in [0, 4095] {
        refused_kind(LinkKind::Vlan { parent: bridge, id }, "a VLAN id that there is not")?;
    }
    for vni in [0, 1 << 24] {
        let (port, proxy, learning) = (4789, false, false);
        let options = VxlanOptions { vni, port, parent: None, local: None, remote: None, learning, proxy };
        refused_kind(LinkKind::Vxlan(options), "a VXLAN network identifier that there is not")?;
    }
    for priority in [0, 32_766] {
        let rule = rule(bridge, priority);
        refused(rules::add(None, &[rule]), InvalidArgument, "a rule's priority that nobody may have")?;
    }
    Ok(())
}

fn refused_kind(kind: LinkKind, what: &str) -> Result<()> {
    refused(links::add_one(LinkSpec { end: LinkEnd::named("pbz"), kind }), InvalidArgument, what)
}

fn rule(bridge: &Link, priority: u32) -> rules::Rule<'_> {
    rules::Rule { priority, source: None, destination: None, input_link: Some(bridge), mark: None, table: 1 }
}

/// A list that is one too long is refused whole.
fn lists(stage: &Stage, bridge: &Link) -> Result<()> {
    let too_many = |result: Result<()>| refused(result, InvalidArgument, "a list that is too long");
    let specs: Vec<_> = (0..257).map(|number| LinkSpec::bridge(LinkEnd::named(format!("pbz{number}")))).collect();
    too_many(links::add(&specs).map(drop))?;
    let pool = stage.network.pools().next().ok_or_else(|| Error::invalid_argument("the limits need a pool"))?;
    let mac_address = MacAddress::random();
    let address = [LinkAddress { link: bridge, address: pool }; ITEMS + 1];
    too_many(addresses::add(&address))?;
    too_many(addresses::remove(&address))?;
    let route = [Route::new(bridge, pool); ITEMS + 1];
    too_many(routes::add(&route))?;
    too_many(routes::remove(&route))?;
    let policy = [rule(bridge, 7); ITEMS + 1];
    too_many(rules::add(None, &policy))?;
    too_many(rules::remove(None, &policy))?;
    let neighbour = [Neighbour { link: bridge, address: last_address(pool), mac_address }; ITEMS + 1];
    too_many(neighbours::add(&neighbour))?;
    too_many(neighbours::remove(&neighbour))?;
    let entry = [ForwardingEntry { link: bridge, mac_address, remote: None }; ITEMS + 1];
    too_many(neighbours::add_forwarding(&entry))?;
    too_many(neighbours::remove_forwarding(&entry))?;
    let accept = || Rule::new(Chain::FORWARD, Accept).when(InputLink(bridge));
    too_many(nftables::add(None, &vec![accept(); ITEMS + 1]).map(drop))?;
    let ids = nftables::add(None, &[accept()])?;
    too_many(nftables::remove(&ids.repeat(ITEMS + 1)))?;
    let long = (0..16).fold(accept(), |rule, _| rule.when(InputLink(bridge)));
    too_many(nftables::add(None, &[long]).map(drop))
}

/// The grant says 1,024 ports, each counted once for each address.
fn host_ports(stage: &Stage) -> Result<()> {
    let addresses: Vec<IpAddr> = (1..=8).map(|number| Ipv4Addr::new(127, 0, 0, number).into()).collect();
    let first = if stage.is_endpoints() { 6000 } else { 5000 };
    // The network and the endpoint share them.
    let range = || first..=first + 29;
    (0..2).try_for_each(|n| ports::take_range(Protocol::UDP, &addresses, first + n * 30..=first + n * 30 + 29))?;
    let more = ports::take_range(Protocol::TCP, &addresses, first..=first + 127);
    refused(more, Unavailable, "more ports than 1024")?;
    ports::take(Protocol::TCP, &addresses, first..=first)?;
    ports::release_range(Protocol::UDP, &addresses, range())?;
    ports::release_range(Protocol::UDP, &addresses, first + 30..=first + 59)?;
    ports::release(Protocol::TCP, &addresses, first)
}

/// One call writes 4 MiB.
fn bytes_in_all(stage: &Stage) -> Result<()> {
    let value = vec![7; 64 << 10];
    let mut written = 0;
    while fits(store::set_bytes(&format!("limits/{}/{written}", stage.owner), &value))? {
        written += 1;
    }
    // What the driver noted before is not much.
    ensure((60..=64).contains(&written), &format!("{written} values of 64 KiB, where 4 MiB are allowed"))?;
    (0..written).try_for_each(|number| store::remove(&format!("limits/{}/{number}", stage.owner)))
}

/// One call writes a thousand keys.
fn keys_in_all(stage: &Stage) -> Result<()> {
    let mut written = 100;
    while fits(store::set_bytes(&format!("limits/{}/{written}", stage.owner), b"x"))? {
        written += 1;
    }
    ensure((900..1100).contains(&written), &format!("{written} keys where 1000 are allowed"))?;
    refused(tables::put("t", "k", b""), Unavailable, "an entry after the last key")
}

fn fits(result: Result<()>) -> Result<bool> {
    match result {
        Err(Error { kind: ErrorKind::Unavailable, .. }) => Ok(false),
        other => other.map(|()| true),
    }
}
