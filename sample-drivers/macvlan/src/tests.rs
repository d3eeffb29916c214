//! The driver on the SDK's host in memory.

use pontoon_sdk::ErrorKind::{AlreadyExists, Forbidden, InvalidArgument, NotFound};
use pontoon_sdk::links::{self, LinkEnd, LinkKind, LinkSpec};
use pontoon_sdk::{ErrorKind, Result, fake};

use super::Macvlan;

type Network = fake::Network<Macvlan>;

/// A network on a new host, which has eth0.
fn network() -> Network {
    fake::reset();
    let parent = || links::add_one(LinkSpec { end: LinkEnd::named("eth0"), kind: LinkKind::Dummy });
    fake::call("host", None, parent).unwrap();
    another("blue").option("parent", "eth0")
}

fn another(id: &str) -> Network {
    Network::new(id).pool("10.5.0.0/24").pool("fd05::/64")
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

#[test]
fn a_container_gets_a_link_on_the_parent() {
    let network = network();
    network.create().unwrap();
    assert_eq!(refused(network.create()), AlreadyExists);
    let endpoint = network.endpoint("web").address("10.5.0.2/24").address("fd05::2/64");
    let (mac_address, _) = endpoint.create().unwrap();
    assert_eq!(refused(endpoint.create()), AlreadyExists);
    assert_eq!(mac_address.unwrap().0[0] & 3, 2, "local, for one");
    let joined = endpoint.join().unwrap();
    assert_eq!(joined.prefix, "eth");
    endpoint.delete().unwrap();
    assert_eq!(refused(endpoint.join()), NotFound);
    network.delete().unwrap();
    assert_eq!(fake::link_names(), ["eth0"]);
    assert!(fake::stored().is_empty());
}

#[test]
fn a_vlan_is_made_and_goes() {
    let network = network().option("parent", "eth0.10");
    network.create().unwrap();
    assert_eq!(fake::link("eth0.10").unwrap().kind, "vlan");
    assert_eq!(refused(another("red").option("parent", "eth0.10").create()), Forbidden, "it would go with the first");
    network.endpoint("web").create().unwrap();
    network.endpoint("web").delete().unwrap();
    network.delete().unwrap();
    assert_eq!(fake::link_names(), ["eth0"]);
}

#[test]
fn without_a_parent_nothing_leaves() {
    network();
    let network = another("blue");
    network.create().unwrap();
    let made: Vec<_> = fake::link_names().into_iter().filter(|name| name.starts_with("dm-")).collect();
    assert_eq!(fake::link(&made[0]).unwrap().kind, "dummy");
    network.delete().unwrap();
    assert_eq!(fake::link_names(), ["eth0"]);
}

#[test]
fn a_parent_in_passthru_mode_is_alone() {
    let first = network();
    first.create().unwrap();
    another("red").option("parent", "eth0").option("macvlan_mode", "private").create().unwrap();
    let alone = another("green").option("parent", "eth0").option("macvlan_mode", "passthru");
    assert_eq!(refused(alone.create()), Forbidden);
    first.delete().unwrap();
    another("red").delete().unwrap();
    alone.create().unwrap();
    assert_eq!(refused(first.create()), Forbidden);
}

#[test]
fn what_can_not_be() {
    let network = network();
    for (parent, kind) in [("lo", InvalidArgument), ("eth1", NotFound), ("eth0.4095", NotFound), ("eth1.4", NotFound)] {
        assert_eq!(refused(another("red").option("parent", parent).create()), kind, "{parent}");
    }
    assert_eq!(refused(another("red").option("macvlan_mode", "source").create()), InvalidArgument);
    assert_eq!(refused(network.endpoint("web").create()), NotFound);
}
