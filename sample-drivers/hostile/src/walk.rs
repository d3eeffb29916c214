//! Every import, one after the other, whatever the host answers: under a small grant the host's audit says what was refused.

use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::links::{
    self, BridgeOptions, LinkChanges, LinkEnd, LinkSpec, MacvlanMode, Offloads, PortOptions, Properties,
};
use pontoon_sdk::neighbours::{self, ForwardingEntry, Neighbour};
use pontoon_sdk::nftables::{Chain, Property::InputLink, Rule, Verdict::Accept};
use pontoon_sdk::packets::{self, SetKind};
use pontoon_sdk::routes::{self, Route};
use pontoon_sdk::sysctls::{self, LinkSysctl, NamespaceSysctl, NeighbourSysctl};
use pontoon_sdk::{
    Error, IpamData, MacAddress, NetworkInfo, ObjectType, Protocol, Result, addresses, chains, clock, configuration,
    forwarding, frames, log, namespaces, nftables, ports, random, rules, shaping, store, tables,
};

/// Calls them. The answers are in the host's audit.
pub(crate) fn walk(info: &NetworkInfo) -> Result<()> {
    log::info("walks");
    clock::now();
    random::bytes(1);
    configuration::all();
    configuration::get("a");
    let _ = info.update_ipam_config(&[IpamData::default()]);
    let _ = info.table_event_register("own", ObjectType::Opaque);
    let _ = (store::get_bytes("a"), store::list_bytes("a"), store::set_bytes("a", b""), store::remove("a"));
    let _ = (tables::get("own", "a"), tables::list("own"), tables::put("own", "a", b""), tables::remove("own", "a"));
    let loopback = ["127.0.0.1".parse()?];
    let _ = (ports::take_any(Protocol::TCP, &loopback), ports::release(Protocol::TCP, &loopback, 1));
    let range = || 1..=3;
    let _ =
        (ports::take_range(Protocol::TCP, &loopback, range()), ports::release_range(Protocol::TCP, &loopback, range()));
    let _ = (nftables::add(None, &[Rule::new(Chain::FORWARD, Accept)]), nftables::list(), nftables::remove(&[]));
    let _ = (packets::add_set(None, "s", SetKind::Ports), packets::list_sets(), packets::remove_set("s"));
    let _ = (packets::add_elements("s", &[]), packets::list_elements("s"), packets::remove_elements("s", &[]));
    let _ = (packets::add(None, &[]), packets::counters(&[]));
    let _ = frames::add(None, &[]);
    let _ = (chains::add(None, "c", Chain::FORWARD), chains::list(), chains::add_rules("c", &[]), chains::remove("c"));
    let (source, destination, input_link, mark) = (Some("192.0.2.0/24".parse()?), None, None, None);
    let rule = [rules::Rule { priority: 7, source, destination, input_link, mark, table: 9 }];
    let _ = (rules::add(None, &rule), rules::list(None), rules::remove(None, &rule));
    let family = rules::Family::Ipv4;
    let _ = (rules::add_of_family(family, None, &rule), rules::remove_of_family(family, None, &rule));
    let _ = rules::list_whole(None);
    let _ = (namespaces::add("own").map(|namespace| namespace.remove()), namespaces::get("own").map(drop));
    let _ = (addresses::add(&[]), addresses::remove(&[]), routes::add(&[]), routes::remove(&[]));
    let _ = (neighbours::add(&[]), neighbours::remove(&[]));
    let _ = (routes::add_paths(None, &[]), routes::remove_paths(None, &[]));
    let _ = (neighbours::add_proxies(&[]), neighbours::remove_proxies(&[]));
    let _ = (neighbours::add_forwarding(&[]), neighbours::remove_forwarding(&[]));
    let _ = shaping::add_ifb(None, "hi").map(drop);
    let _ = links::add_wireguard(&LinkEnd::named("hw"), 51_820).map(drop);
    let _ = (links::get(None, "eth0").map(drop), links::list(None));
    // Without the permission, nobody has a link, and what takes one can't be called.
    if let Ok(link) = links::add_one(LinkSpec::bridge(LinkEnd::named("hb"))) {
        with_a_link(&link.link)?;
    }
    Err(Error::internal("walked"))
}

fn with_a_link(link: &links::Link) -> Result<()> {
    let (address, mac_address) = ("192.0.2.1/32".parse()?, MacAddress::random());
    let _ = (link.info(), link.set(&LinkChanges::default()));
    let _ = (addresses::list(link), addresses::add(&[LinkAddress { link, address }]));
    let _ = (link.public_key(), link.peers(), link.set_peers(&[]), link.remove_peers(&[]));
    let _ = links::add_macvtap(&LinkEnd::named("ht"), link, MacvlanMode::Bridge).map(drop);
    let _ = (link.bridge_options().map(drop), link.set_bridge(&BridgeOptions::default()));
    let _ = (link.port_options().map(drop), link.set_port(&PortOptions::default()));
    let _ = (link.properties().map(drop), link.set_properties(&Properties::default()));
    let _ = (link.offloads().map(drop), link.set_offloads(&Offloads::default()), link.take_device());
    let _ = routes::list_whole(link);
    let _ = (routes::list(link), routes::add(&[Route::new(link, address)]));
    let _ = (neighbours::list(link), neighbours::add(&[Neighbour { link, address: address.addr(), mac_address }]));
    let _ = neighbours::list_forwarding(link);
    let _ = neighbours::add_forwarding(&[ForwardingEntry { link, mac_address, remote: None }]);
    let _ = nftables::add(None, &[Rule::new(Chain::FORWARD, Accept).when(InputLink(link))]);
    let _ = (sysctls::get_link(link, LinkSysctl::Ipv4ProxyArp), sysctls::set_link(link, LinkSysctl::Ipv4ProxyArp, 1));
    let _ = (shaping::get_rate(link), shaping::set_rate(link, None), shaping::redirect(link, None));
    let delay = NeighbourSysctl::Ipv4ProxyDelay;
    let _ = (sysctls::get_neighbour(link, delay), sysctls::set_neighbour(link, delay, 0));
    let host = namespaces::host();
    host.same(&host);
    let _ = host.remove();
    let _ = sysctls::get_namespace(&host, NamespaceSysctl::Ipv4Forwarding);
    let _ = sysctls::set_namespace(&host, NamespaceSysctl::Ipv4Forwarding, 1);
    let _ = (forwarding::allow(link, true, true), forwarding::disallow(link));
    link.remove()
}
