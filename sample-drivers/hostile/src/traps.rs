//! A trap in the middle of each kind of change: nothing of it may be left.

use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Accept};
use pontoon_sdk::routes::{Path, Route, Way};
use pontoon_sdk::sysctls::{LinkSysctl, set_link};
use pontoon_sdk::{
    MacAddress, Protocol, Result, addresses, forwarding, namespaces, neighbours, nftables, ports, routes, rules, store,
    tables,
};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("trap-after-a-link", |stage| trap(stage.link("hb").map(drop))),
    ("trap-after-an-address", |stage| {
        let (link, address) = (stage.link("hb")?, stage.address(9).into());
        trap(addresses::add(&[LinkAddress { link: &link, address }]))
    }),
    ("trap-after-a-route", |stage| {
        let link = stage.link("hb")?;
        trap(routes::add(&[Route::new(&link, stage.address(9).into())]))
    }),
    ("trap-after-a-path", |stage| trap(routes::add_paths(None, &[Path::new(stage.pool, Way::Blackhole)]))),
    ("trap-after-an-answer", |stage| {
        let link = stage.link("hb")?;
        trap(neighbours::add_proxies(&[neighbours::Proxy { link: &link, address: stage.address(9) }]))
    }),
    ("trap-after-a-set", |stage| {
        use pontoon_sdk::packets::{self, SetKind};
        packets::add_set(None, "s", SetKind::Ipv4)?;
        trap(packets::add_elements("s", &[stage.pool.into()]))
    }),
    ("trap-after-a-policy-rule", |stage| {
        let source = Some(stage.pool);
        let rule = rules::Rule { priority: 7, source, destination: None, input_link: None, mark: None, table: 9 };
        trap(rules::add(None, &[rule]))
    }),
    ("trap-after-a-neighbour", |stage| {
        let (link, mac_address) = (stage.link("hb")?, MacAddress::random());
        trap(neighbours::add(&[neighbours::Neighbour { link: &link, address: stage.address(9), mac_address }]))
    }),
    ("trap-after-a-packet-rule", |stage| {
        let link = stage.link("hb")?;
        trap(nftables::add(None, &[Rule::new(Chain::FORWARD, Accept).when(InputLink(&link))]).map(drop))
    }),
    ("trap-after-a-setting", |stage| trap(set_link(&stage.link("hb")?, LinkSysctl::Ipv4ProxyArp, 1))),
    ("trap-after-forwarding", |stage| trap(forwarding::allow(&stage.link("hb")?, true, true))),
    ("trap-after-a-namespace", |_| trap(namespaces::add("own").map(drop))),
    ("trap-after-a-port", |_| trap(ports::take(Protocol::TCP, &["0.0.0.0".parse()?], 20_000..=20_000).map(drop))),
    ("trap-after-state", |_| trap(store::set_bytes("left", b"x"))),
    ("trap-after-an-entry", |_| trap(tables::put("own", "left", b"x"))),
    ("remove-then-trap", remove_then_trap),
];

/// Traps if all went well up to here.
pub(crate) fn trap(result: Result<()>) -> Result<()> {
    result?;
    panic!("in the middle")
}

fn remove_then_trap(_: &Stage) -> Result<()> {
    for (key, _) in store::list_bytes("")? {
        store::remove(&key)?;
    }
    trap(Ok(()))
}
