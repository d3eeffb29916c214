//! The driver on the SDK's host in memory.

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, NotFound};
use pontoon_sdk::{ErrorKind, Result, TableEvent, TableWatcher, fake, tables};

use super::Wireguard;
use crate::peers::{Peer, TABLE};

type Network = fake::Network<Wireguard>;

/// The public keys of two other hosts, and what they say of a container.
const ONE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const TWO: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

fn entry(key: &str, host: u8, addresses: &str) -> String {
    format!("{key} 192.0.2.{host}:51820 {addresses}")
}

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

/// The name of the only WireGuard link.
fn tunnel() -> String {
    fake::link_names().into_iter().find(|name| name.starts_with("wt-")).unwrap()
}

/// The link's peers: `KEY ENDPOINT ADDRESS…`, in order.
fn peers() -> Vec<String> {
    let one = |peer: pontoon_sdk::links::Peer| {
        let mut allowed: Vec<_> = peer.allowed.iter().map(|net| net.addr().to_string()).collect();
        allowed.sort();
        format!("{} {} {}", peer.key, peer.endpoint.unwrap(), allowed.join(" "))
    };
    let mut all: Vec<_> = fake::peers(&tunnel()).into_iter().map(one).collect();
    all.sort();
    all
}

/// The addresses that are routed to the WireGuard link.
fn routed() -> Vec<String> {
    let seen = fake::call("blue", None, || {
        let link = pontoon_sdk::links::get(None, &tunnel())?;
        pontoon_sdk::routes::list(&link)
    });
    let mut all: Vec<_> = seen.unwrap().iter().map(|route| route.destination.addr().to_string()).collect();
    all.sort();
    all
}

fn created(network: &Network, key: &str, value: &str) {
    network.notify(TABLE, key, &TableEvent::Created(value.into())).unwrap();
}

fn deleted(network: &Network, key: &str, value: &str) {
    network.notify(TABLE, key, &TableEvent::Deleted(value.into())).unwrap();
}

#[test]
fn a_network_is_a_tunnel_and_a_container_a_pair() {
    let network = network();
    network.create_watching().unwrap();
    assert_eq!(refused(network.create_watching()).0, AlreadyExists);
    let link = fake::link(&tunnel()).unwrap();
    assert_eq!((link.kind.as_str(), link.mtu, link.up), ("wireguard", 1420, true));
    assert_eq!(fake::forwards(&tunnel()), (true, true));
    assert!(network.watches(TABLE).is_some());
    let endpoint = network.endpoint("web").address("10.5.0.2/24").address("fd05::2/64");
    endpoint.create().unwrap();
    assert_eq!(refused(endpoint.create()).0, AlreadyExists);
    let joined = endpoint.join().unwrap();
    assert_eq!((joined.prefix.as_str(), joined.routes.len()), ("eth", 6));
    let table = fake::call("blue", None, || tables::list(TABLE)).unwrap();
    let said = Peer::read(&table[0].value).unwrap();
    assert_eq!((said.host.to_string().as_str(), said.addresses.len()), ("192.0.2.1:51820", 2));
    endpoint.leave().unwrap();
    endpoint.delete().unwrap();
    assert_eq!(refused(endpoint.join()).0, NotFound);
    network.delete().unwrap();
    assert_eq!((fake::link_names(), fake::rules()), (vec![], vec![]));
    assert!(fake::stored().is_empty(), "{:?}", fake::stored());
}

#[test]
fn what_other_hosts_say_is_in_the_kernel() {
    let network = network();
    network.create_watching().unwrap();
    for _ in 0..2 {
        created(&network, "a", &entry(ONE, 2, "10.5.0.9 fd05::9"));
        assert_eq!(peers(), [entry(ONE, 2, "10.5.0.9 fd05::9")]);
    }
    created(&network, "b", &entry(ONE, 2, "10.5.0.8"));
    created(&network, "c", &entry(TWO, 3, "10.5.0.7"));
    assert_eq!(peers(), [entry(ONE, 2, "10.5.0.8 10.5.0.9 fd05::9"), entry(TWO, 3, "10.5.0.7")]);
    assert_eq!(routed(), ["10.5.0.7", "10.5.0.8", "10.5.0.9", "fd05::9"]);
    // The host gets another address; another one's container goes.
    let moved =
        TableEvent::Updated { previous: entry(ONE, 2, "10.5.0.8").into(), value: entry(ONE, 4, "10.5.0.8").into() };
    network.notify(TABLE, "b", &moved).unwrap();
    deleted(&network, "c", &entry(TWO, 3, "10.5.0.7"));
    assert_eq!(peers(), [entry(ONE, 4, "10.5.0.8 10.5.0.9 fd05::9")]);
    for (key, addresses) in [("a", "10.5.0.9 fd05::9"), ("b", "10.5.0.8")] {
        deleted(&network, key, &entry(ONE, 4, addresses));
    }
    assert!(peers().is_empty() && routed().is_empty());
    network.delete().unwrap();
    assert!(fake::stored().is_empty(), "{:?}", fake::stored());
}

#[test]
fn the_last_one_that_was_heard_counts() {
    let network = network();
    network.create_watching().unwrap();
    created(&network, "here", &entry(ONE, 2, "10.5.0.9"));
    created(&network, "there", &entry(TWO, 3, "10.5.0.9"));
    assert_eq!(peers(), [entry(TWO, 3, "10.5.0.9")]);
    // Another container of the first host does not take it back.
    created(&network, "beside", &entry(ONE, 2, "10.5.0.8"));
    assert_eq!(peers(), [entry(ONE, 2, "10.5.0.8"), entry(TWO, 3, "10.5.0.9")]);
    deleted(&network, "there", &entry(TWO, 3, "10.5.0.9"));
    assert_eq!(peers(), [entry(ONE, 2, "10.5.0.8 10.5.0.9")]);
    assert_eq!(routed(), ["10.5.0.8", "10.5.0.9"]);
}

#[test]
fn what_can_not_be_is_left_out() {
    let network = network();
    network.create_watching().unwrap();
    for value in [
        "a container".to_owned(),
        entry(ONE, 2, "192.0.2.254"),
        format!("{ONE} 127.0.0.1:51820 10.5.0.9"),
        format!("{ONE} 192.0.2.2:0 10.5.0.9"),
        format!("{ONE} 192.0.2.2:1 10.5.0.9 10.5.0.8 10.5.0.7"),
    ] {
        created(&network, "odd", &value);
        assert!(peers().is_empty(), "{value}");
    }
    network.notify("others", "far", &TableEvent::Created(entry(ONE, 2, "10.5.0.9").into())).unwrap();
    assert!(peers().is_empty(), "another table's");
    let (title, details) = Wireguard::decode_table_entry(TABLE, "a", entry(ONE, 2, "10.5.0.9").as_bytes()).unwrap();
    assert_eq!((title.as_str(), details.get("host")), ("a", Some("192.0.2.2:51820")));
}

#[test]
fn options_are_checked() {
    for (key, value) in [("address", "10.5.0"), ("address", "127.0.0.1"), ("port", "0"), ("port", "70000")] {
        let (kind, message) = refused(network().option(key, value).create_watching());
        assert_eq!(kind, InvalidArgument);
        assert!(message.contains(&format!("{key}=\"{value}\"")), "{message}");
    }
    let blue = network();
    blue.create_watching().unwrap();
    let (kind, message) = refused(another("red").option("port", "51820").create_watching());
    assert_eq!(kind, AlreadyExists);
    assert!(message.contains("port=51820"), "{message}");
    another("red").option("port", "51821").create_watching().unwrap();
    // Of those that nobody names, the first that is free.
    another("green").create_watching().unwrap();
    let (kind, _) = refused(another("late").option("port", "51822").create_watching());
    assert_eq!(kind, AlreadyExists);
    assert_eq!(refused(another("gone").endpoint("web").create()).0, NotFound);
}

#[test]
fn an_internal_network_leads_to_other_hosts_alone() {
    let network = network().internal();
    network.create_watching().unwrap();
    assert!(fake::rules().iter().all(|rule| !rule.contains("asquerade")), "{:?}", fake::rules());
    let endpoint = network.endpoint("web").address("10.5.0.2/24");
    endpoint.create().unwrap();
    assert_eq!(endpoint.join().unwrap().gateway, None);
}
