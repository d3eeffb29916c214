//! The driver on the SDK's host in memory.

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, NotFound};
use pontoon_sdk::{ErrorKind, Result, fake};

use super::Routed;

type Network = fake::Network<Routed>;

fn network(id: &str, pool: &str) -> Network {
    Network::new(id).pool(pool)
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

#[test]
fn a_container_gets_a_pair_and_a_way_by_the_host() {
    fake::reset();
    let network = network("blue", "10.5.0.0/24").pool("fd05::/64");
    network.create().unwrap();
    assert_eq!(refused(network.create()), AlreadyExists);
    let endpoint = network.endpoint("web").address("10.5.0.2/24").address("fd05::2/64");
    endpoint.create().unwrap();
    assert_eq!(refused(endpoint.create()), AlreadyExists);
    let names = fake::link_names();
    let host_link = names.iter().find(|name| name.starts_with("rt-")).unwrap();
    assert_eq!(fake::addresses(host_link).len(), 2);
    assert_eq!(fake::forwards(host_link), (true, true));
    assert_eq!(fake::rules().len(), 2, "{:?}", fake::rules());
    let joined = endpoint.join().unwrap();
    assert_eq!(joined.prefix, "eth");
    assert_eq!(joined.routes.len(), 6, "a gateway and two halves of each family");
    endpoint.delete().unwrap();
    assert_eq!(refused(endpoint.join()), NotFound);
    network.delete().unwrap();
    assert_eq!((fake::link_names(), fake::rules()), (vec![], vec![]));
    // The container's rules go with its pair.
    assert!(
        fake::stored().is_empty() && fake::swept().iter().all(|what| what.contains(" iif rt-")),
        "{:?}",
        fake::swept()
    );
}

#[test]
fn networks_are_kept_apart_unless_both_are_open() {
    fake::reset();
    let (blue, red, green) =
        (network("blue", "10.5.0.0/24"), network("red", "10.6.0.0/24"), network("green", "10.7.0.0/24"));
    let open = |network: Network| network.option("routed.policy", "open");
    open(blue).create().unwrap();
    assert_eq!(fake::rules().len(), 0);
    open(red).create().unwrap();
    assert_eq!(fake::rules().len(), 0, "both are open");
    green.create().unwrap();
    assert_eq!(fake::rules().len(), 4, "{:?}", fake::rules());
    green.delete().unwrap();
    assert_eq!(fake::rules().len(), 0);
}

#[test]
fn what_can_not_be() {
    fake::reset();
    let network = || network("blue", "10.5.0.0/24");
    assert_eq!(refused(network().option("routed.policy", "shut").create()), InvalidArgument);
    assert_eq!(refused(network().option("routed.peers", "10.6.0.0/24").create()), InvalidArgument);
    assert_eq!(refused(network().option("routed.peers", "10.6.0.0/24=192.0.2.12").create()), InvalidArgument);
    assert_eq!(refused(network().option("routed.answer", "true").create()), InvalidArgument);
    assert_eq!(refused(network().option("routed.parent", "eth1").option("routed.answer", "true").create()), NotFound);
    assert_eq!(refused(network().endpoint("web").create()), NotFound);
}
