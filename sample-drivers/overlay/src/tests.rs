//! The driver on the SDK's host in memory.

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, NotFound, NotImplemented};
use pontoon_sdk::neighbours::{self, ForwardingInfo, NeighbourInfo};
use pontoon_sdk::{ErrorKind, Protocol, Result, TableEvent, TableWatcher, fake, links, store, tables};

use super::Overlay;
use crate::peers::{Peer, TABLE};

type Network = fake::Network<Overlay>;

/// A network of both families on a new host, 192.0.2.1.
fn network() -> Network {
    fake::reset();
    fake::configure([("address", "192.0.2.1")].into());
    another("blue")
}

fn another(id: &str) -> Network {
    Network::new(id).pool("10.5.0.0/24").pool("fd05::/64")
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.message)
}

/// The name of the only vxlan link.
fn vxlan() -> String {
    fake::link_names().into_iter().find(|name| name.starts_with("ox-")).unwrap()
}

/// What the kernel has of other hosts' containers: `ADDRESS MAC` and `MAC HOST`, in order.
fn entries() -> Vec<String> {
    let seen = fake::call("blue", None, || {
        let link = links::get(None, &vxlan())?;
        let near = |n: NeighbourInfo| format!("{} {}", n.address, n.mac_address);
        let far = |f: ForwardingInfo| format!("{} {}", f.mac_address, f.remote.unwrap());
        let near = neighbours::list(&link)?.into_iter().map(near);
        Ok(near.chain(neighbours::list_forwarding(&link)?.into_iter().map(far)).collect::<Vec<_>>())
    });
    let mut seen = seen.unwrap();
    seen.sort();
    seen
}

fn created(network: &Network, key: &str, value: &str) {
    network.notify(TABLE, key, &TableEvent::Created(value.into())).unwrap();
}

fn deleted(network: &Network, key: &str, value: &str) {
    network.notify(TABLE, key, &TableEvent::Deleted(value.into())).unwrap();
}

/// A container on 192.0.2.2, the same on 192.0.2.3, and what the kernel has of each.
const ON_2: &str = "02:42:0a:05:00:09 192.0.2.2 10.5.0.9 fd05::9";
const ON_3: &str = "02:42:0a:05:00:09 192.0.2.3 10.5.0.9 fd05::9";

fn at(host: &str) -> [String; 3] {
    let mac = "02:42:0a:05:00:09";
    [format!("{mac} {host}"), format!("10.5.0.9 {mac}"), format!("fd05::9 {mac}")]
}

#[test]
fn a_network_is_a_bridge_and_a_vxlan_link() {
    let network = network();
    network.create_watching().unwrap();
    assert_eq!(refused(network.create_watching()).0, AlreadyExists);
    let names = fake::link_names();
    let bridge = names.iter().find(|name| name.starts_with("ov-")).unwrap();
    assert_eq!((fake::link(bridge).unwrap().mtu, fake::addresses(bridge).len()), (1450, 2));
    let link = fake::link(&vxlan()).unwrap();
    assert_eq!((link.kind.as_str(), link.mtu, link.master.as_ref()), ("vxlan", 1450, Some(bridge)));
    assert!(network.watches(TABLE).is_some());

    let endpoint =
        network.endpoint("web").address("10.5.0.2/24").address("fd05::2/64").publish(Protocol::TCP, 8080, 80);
    endpoint.create().unwrap();
    assert_eq!(refused(endpoint.create()).0, AlreadyExists);
    let joined = endpoint.join().unwrap();
    assert_eq!((joined.prefix.as_str(), joined.routes.len()), ("eth", 0));
    endpoint.program(true, true).unwrap();
    assert_eq!(fake::host_ports().len(), 2);
    let table = || fake::call("blue", None, || tables::list(TABLE)).unwrap();
    assert_eq!(table()[0].value, b"02:42:0a:05:00:02 192.0.2.1 10.5.0.2 fd05::2");
    endpoint.leave().unwrap();
    assert!(fake::host_ports().is_empty());
    endpoint.delete().unwrap();
    assert_eq!(refused(endpoint.join()).0, NotFound);
    network.delete().unwrap();
    network.free().unwrap();
    assert_eq!((fake::link_names(), fake::rules()), (vec![], vec![]));
    assert!(fake::stored().is_empty() && fake::swept().is_empty(), "{:?} {:?}", fake::stored(), fake::swept());
}

#[test]
fn all_subnets_are_on_one_wire() {
    let network = network().pool("10.6.0.0/24");
    network.create_watching().unwrap();
    let endpoint = network.endpoint("web").address("10.6.0.2/24");
    endpoint.create().unwrap();
    let joined = endpoint.join().unwrap();
    assert_eq!(joined.routes, [("10.5.0.0/24".parse().unwrap(), None)]);
    assert_eq!((joined.gateway, joined.gateway_ipv6), (Some([10, 6, 0, 1].into()), None));
}

#[test]
fn an_internal_network_leads_to_other_hosts_alone() {
    let network = network().internal();
    network.create_watching().unwrap();
    let bridge = fake::link_names().into_iter().find(|name| name.starts_with("ov-")).unwrap();
    assert!(fake::addresses(&bridge).is_empty());
    let endpoint = network.endpoint("web").address("10.5.0.2/24").publish(Protocol::TCP, 8080, 80);
    endpoint.create().unwrap();
    assert_eq!(endpoint.join().unwrap().gateway, None);
    endpoint.program(true, true).unwrap();
    assert!(fake::host_ports().is_empty());
}

#[test]
fn what_other_hosts_say_is_in_the_kernel() {
    let network = network();
    network.create_watching().unwrap();
    for _ in 0..2 {
        created(&network, "far", ON_2);
        assert_eq!(entries(), at("192.0.2.2"));
    }
    let moved = TableEvent::Updated { previous: ON_2.into(), value: b"02:42:0a:05:00:09 192.0.2.3 10.5.0.9".into() };
    for _ in 0..2 {
        network.notify(TABLE, "far", &moved).unwrap();
        assert_eq!(entries(), at("192.0.2.3")[..2], "it has no IPv6 any more");
    }
    for _ in 0..2 {
        deleted(&network, "far", "02:42:0a:05:00:09 192.0.2.3 10.5.0.9");
        assert!(entries().is_empty());
    }
    network.notify("others", "far", &TableEvent::Created(ON_2.into())).unwrap();
    assert!(entries().is_empty(), "another table's");
}

#[test]
fn of_two_owners_the_last_one_counts_and_the_survivor_stays() {
    for first_goes_first in [true, false] {
        let network = network();
        network.create_watching().unwrap();
        created(&network, "old", ON_2);
        created(&network, "new", ON_3);
        assert_eq!(entries(), at("192.0.2.3"));
        created(&network, "old", ON_2);
        assert_eq!(entries(), at("192.0.2.3"), "told again, which is nothing new");
        let (gone, value, rest) =
            if first_goes_first { ("old", ON_2, "192.0.2.3") } else { ("new", ON_3, "192.0.2.2") };
        deleted(&network, gone, value);
        assert_eq!(entries(), at(rest));
    }
}

#[test]
fn a_container_comes_here_and_goes() {
    let network = network();
    network.create_watching().unwrap();
    created(&network, "there", ON_2);
    // Here before it is gone there.
    let endpoint = network.endpoint("here").address("10.5.0.9/24").address("fd05::9/64");
    endpoint.create().unwrap();
    endpoint.join().unwrap();
    assert!(entries().is_empty(), "it is here: {:?}", entries());
    deleted(&network, "there", ON_2);
    // And there again, before it is gone here.
    created(&network, "there again", ON_3);
    assert_eq!(entries(), at("192.0.2.3"));
    endpoint.delete().unwrap();
    assert_eq!(entries(), at("192.0.2.3"));
    deleted(&network, "there again", ON_3);
    let stored = fake::stored();
    assert!(entries().is_empty() && !stored.keys().any(|key| key.starts_with("at/")), "{stored:?}");
}

#[test]
fn what_can_be_nobodys_is_left_out() {
    let network = network();
    network.create_watching().unwrap();
    for value in [
        "nonsense",
        "02:42:0a:05:00:09",
        "01:42:0a:05:00:09 192.0.2.2 10.5.0.9",
        "00:00:00:00:00:00 192.0.2.2 10.5.0.9",
        "02:42:0a:05:00:09 192.0.2.1 10.5.0.9",
        "02:42:0a:05:00:09 224.0.0.1 10.5.0.9",
        "02:42:0a:05:00:09 2001:db8::2 10.5.0.9",
        "02:42:0a:05:00:09 192.0.2.2 10.6.0.9",
        "02:42:0a:05:00:09 192.0.2.2 10.5.0.1",
        "02:42:0a:05:00:09 192.0.2.2 10.5.0.9 10.5.0.10 10.5.0.11",
    ] {
        created(&network, "far", value);
        assert!(entries().is_empty(), "{value}");
        assert!(fake::logged().pop().unwrap().1.contains("the entry far is left out"), "{value}");
        deleted(&network, "far", value);
    }
    let unknown = another("red").notify(TABLE, "far", &TableEvent::Created(ON_2.into()));
    assert_eq!(refused(unknown).0, NotFound, "it comes again");
}

#[test]
fn entries_are_explained() {
    let (about, details) = Overlay::decode_table_entry(TABLE, "far", ON_2.as_bytes()).unwrap();
    assert_eq!((about.as_str(), details.get("host")), ("far", Some("192.0.2.2")));
    assert_eq!(details.get("addresses"), Some("10.5.0.9 fd05::9"));
    assert_eq!(refused(Overlay::decode_table_entry(TABLE, "far", &[0xff])).0, InvalidArgument);
    assert_eq!(Peer::read(ON_2.as_bytes()).unwrap().to_string(), ON_2);
}

#[test]
fn a_number_is_one_networks() {
    network();
    let mut blue = another("blue");
    blue.allocate().unwrap();
    blue.create_watching().unwrap();
    let vni = blue.options.generic.get("vni").unwrap().to_owned();
    assert!(vni.parse::<u32>().unwrap() >= 4096);
    let red = Network::new("red").pool("10.6.0.0/24").option("vni", &vni);
    let (kind, message) = refused(red.create_watching());
    assert!(kind == AlreadyExists && message.contains(&vni), "{message}");
    blue.delete().unwrap();
    blue.free().unwrap();
    red.create_watching().unwrap();
    // Chosen beside it: the next.
    let mut again = another("blue");
    again.allocate().unwrap();
    let next = vni.parse::<u32>().unwrap() + 1;
    assert_eq!(again.options.generic.get("vni"), Some(next.to_string().as_str()));
    assert_eq!(again.options.generic.get("pontoon.unique"), Some("vni"));
    // What another host's network has: the next but one.
    let mut third = another("blue").option("pontoon.taken", &format!("colour=1 vni={next}"));
    third.allocate().unwrap();
    assert_eq!(third.options.generic.get("vni"), Some((next + 1).to_string().as_str()));
    let kept = fake::call("blue", None, || store::list::<String>("vni/")).unwrap();
    assert_eq!(kept, [(vni, "red".to_owned())]);
}

#[test]
fn what_can_not_be() {
    for (key, value, kind) in [
        ("vni", "0", InvalidArgument),
        ("vni", "16777216", InvalidArgument),
        ("vni", "many", InvalidArgument),
        ("address", "0.0.0.0", InvalidArgument),
        ("address", "eth0", InvalidArgument),
        ("parent", "eth9", NotFound),
        ("encrypted", "", NotImplemented),
        ("secure", "true", NotImplemented),
        ("com.docker.network.driver.overlay.vxlanid_list", "4097,4098", NotImplemented),
        ("com.docker.network.driver.mtu", "large", InvalidArgument),
    ] {
        let (is, message) = refused(network().option(key, value).create_watching());
        assert!(is == kind && message.contains(key), "{key}={value}: {is:?} {message}");
    }
    network();
    fake::configure([("parent", "eth9")].into());
    assert!(refused(another("blue").create_watching()).1.contains("--set address="));
}

#[test]
fn the_mtu_is_what_the_underlay_leaves() {
    for (address, label, mtu) in [("192.0.2.1", "", 1450), ("2001:db8::1", "", 1430), ("2001:db8::1", "1300", 1300)] {
        let network = network().option("address", address);
        let network = if label.is_empty() { network } else { network.option("com.docker.network.driver.mtu", label) };
        network.create_watching().unwrap();
        assert_eq!(fake::link(&vxlan()).unwrap().mtu, mtu, "{address}");
    }
}
