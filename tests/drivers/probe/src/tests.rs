//! The probe on the SDK's host in memory: what it expects of a host is what that one does.

use pontoon_sdk::{Capability, ErrorKind, ObjectType, Protocol, Scope, TableEvent, TableWatcher, TextMap, fake};

use super::*;

fn network() -> fake::Network<Probe> {
    fake::reset();
    fake::Network::new("n").pool("10.5.0.0/24").pool("fd05::/64")
}

#[test]
fn every_action_goes_through() {
    let network = network().option("probe.do", "all");
    network.create_watching().unwrap();
    assert_eq!(network.watches("probe-table"), Some(ObjectType::Opaque));
    let endpoint = network.endpoint("e").option("probe.do", "all").publish(Protocol::TCP, 80, 80);
    let (mac_address, addresses) = endpoint.create().unwrap();
    assert!(mac_address.is_some());
    assert_eq!(addresses, ["10.5.0.253/24".parse().unwrap(), "fd05::ffff:ffff:ffff:fffd/64".parse().unwrap()]);
    let joined = endpoint.join().unwrap();
    assert_eq!(joined.gateway, Some("10.5.0.1".parse().unwrap()));
    assert_eq!(joined.routes.len(), 2);
    assert!(joined.disables_gateway_service && joined.forces_gateway_ipv4 && joined.forces_gateway_ipv6);
    endpoint.program(true, false).unwrap();
    let told = endpoint.oper_info().unwrap();
    assert!(told.get("probe.network").unwrap().contains("done: nftables"));
    assert!(told.get("probe.endpoint").unwrap().contains("done: join-info"));
    endpoint.delete().unwrap();
    network.delete().unwrap();
    let swept = fake::swept();
    for left in
        ["namespace left-", "link pbl", "rule nat postrouting", "rule RuleInfo", "host port 4241/tcp", "key left/n"]
    {
        assert!(swept.iter().any(|name| name.starts_with(left)), "{left} was not swept: {swept:?}");
    }
    assert!(fake::link_names().is_empty() && fake::rules().is_empty() && fake::stored().is_empty());
    assert!(fake::host_ports().is_empty());
}

#[test]
fn makes_links_in_a_sandbox_if_told_to() {
    let network = network().option("probe.in-sandbox", "yes");
    network.create().unwrap();
    let endpoint = network.endpoint("e").sandbox("container");
    endpoint.create().unwrap();
    assert_eq!(endpoint.join().unwrap().link.unwrap(), fake::links_in_sandbox("container")[0]);
}

#[test]
fn an_unknown_action_is_refused() {
    let error = network().option("probe.do", "links nonsense").create().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument);
    assert!(fake::link_names().is_empty());
}

#[test]
fn fails_where_it_is_told_to() {
    let network = network().option("probe.fail", "join leave");
    network.create().unwrap();
    let endpoint = network.endpoint("e");
    endpoint.create().unwrap();
    let before = fake::stored();
    assert_eq!(endpoint.join().unwrap_err().message, "probe.fail=join");
    assert_eq!(fake::stored(), before);
    assert_eq!(endpoint.leave().unwrap_err().message, "probe.fail=leave");
    endpoint.delete().unwrap();
    network.delete().unwrap();
    assert_eq!(fake::swept(), [""; 0]);
}

#[test]
#[should_panic(expected = "probe.trap=create-endpoint")]
fn traps_where_it_is_told_to() {
    let network = network();
    network.create().unwrap();
    drop(network.endpoint("e").option("probe.trap", "create-endpoint").create());
}

#[test]
fn registers_as_configured() {
    fake::reset();
    assert_eq!(Probe::register(), Registration::new("probe"));
    fake::configure(TextMap::from([("scope", "global"), ("network-type", "other")]));
    let registration = Probe::register();
    assert_eq!(registration.network_type, "other");
    assert_eq!(registration.capability, Capability { data_scope: Scope::Global, connectivity_scope: Scope::Global });
}

#[test]
fn remembers_events_and_explains_entries() {
    let network = network();
    network.create().unwrap();
    network.notify("t", "k", &TableEvent::Created(vec![1])).unwrap();
    network.notify("t", "k", &TableEvent::Updated { previous: vec![1], value: vec![2] }).unwrap();
    network.notify("t", "k", &TableEvent::Deleted(vec![2])).unwrap();
    let endpoint = network.endpoint("e");
    endpoint.create().unwrap();
    let events = r#"[["t","k","created",null,[1]],["t","k","updated",[1],[2]],["t","k","deleted",[2],null]]"#;
    assert_eq!(endpoint.oper_info().unwrap().get("probe.events"), Some(events));
    let (title, details) = Probe::decode_table_entry("t", "k", b"abc").unwrap();
    assert_eq!((title.as_str(), details.get("length")), ("t/k", Some("3")));
}

#[test]
fn allocates_by_an_echo() {
    let mut network = network().option("a", "b");
    network.allocate().unwrap();
    assert_eq!(network.options.generic, TextMap::from([("a", "b"), ("probe.allocated", "yes")]));
}

#[test]
fn gives_a_network_without_pools_its_own() {
    fake::reset();
    let network = fake::Network::<Probe>::new("n").option("probe.do", "network-info links");
    network.create_watching().unwrap();
    network.delete().unwrap();
}
