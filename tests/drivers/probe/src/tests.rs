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

#[test]
fn refuses_what_the_host_refuses() {
    let network = network().option("probe.do", "errors");
    network.create_watching().unwrap();
    let endpoint = network.endpoint("e").address("10.5.0.2/24").option("probe.do", "errors");
    endpoint.create().unwrap();
    endpoint.join().unwrap();
}

/// As in the host's test of the same name.
#[test]
fn a_gateway_lies_where_the_endpoint_reaches_it() {
    let network = network();
    network.create().unwrap();
    let join = |gateway: &str| {
        let endpoint = network.endpoint(gateway).address("10.5.0.2/24").address("fd05::2/64");
        let endpoint = endpoint.option("probe.gateway", gateway);
        endpoint.create().unwrap();
        endpoint.join().map_err(|error| error.kind)
    };
    for gateway in ["10.5.0.254", "fd05::fe", "fe80::1"] {
        assert!(join(gateway).is_ok(), "{gateway}");
    }
    for gateway in ["192.0.2.1", "169.254.0.1", "fd99::1"] {
        assert_eq!(join(gateway), Err(ErrorKind::InvalidArgument), "{gateway}");
    }
}

#[test]
fn a_mac_is_one_endpoints() {
    let network = network();
    network.create().unwrap();
    let mac_address = pontoon_sdk::MacAddress([2, 0, 0, 0, 0, 7]);
    network.endpoint("a").mac_address(mac_address).create().unwrap();
    let set = || {
        let endpoint = network.endpoint("b").option("probe.mac", "02:00:00:00:00:07");
        endpoint.create().map_err(|error| error.kind)
    };
    assert_eq!(set(), Err(ErrorKind::AlreadyExists));
    network.endpoint("a").delete().unwrap();
    assert!(set().is_ok());
}

/// Errors that the table leaves out, and why.
const LEFT_OUT: [(&str, &str, &str); 33] = [
    ("capabilities.network-info.table-event-register", "not-implemented", "the probe has a table-watcher"),
    ("capabilities.interface-info.set-mac-address", "already-exists", "a_mac_is_one_endpoints"),
    ("capabilities.join-info.add-static-route", "invalid-argument", "the SDK's types can't say it"),
    ("capabilities.join-info.add-static-route", "unavailable", "probe.do=limits"),
    ("links.link.set", "forbidden", "parents are a grant's: the host's tests of grants"),
    ("links.link.remove", "forbidden", "the same"),
    ("links.add", "not-implemented", "probe.do=kinds"),
    ("links.add-macvtap", "not-implemented", "probe.do=kinds"),
    ("links.set-bridge", "not-implemented", "a kernel without VLANs of bridges: the kernel layer's tests"),
    ("links.set-port", "not-implemented", "the same"),
    ("links.set-offloads", "not-implemented", "a link on a parent: the host's tests of attacks"),
    ("links.take-device", "already-exists", "parents are a grant's: the host's tests of devices"),
    ("links.take-device", "forbidden", "the same"),
    ("links.take-device", "not-found", "the same"),
    ("links.take-device", "unavailable", "the same"),
    ("nftables.add-frame-rules", "forbidden", "marks are a grant's: host/grant/src/gate/tests/frames.rs"),
    ("shaping.set-rate", "already-exists", "a qdisc of somebody else: the kernel layer's tests"),
    ("shaping.redirect", "already-exists", "the same"),
    ("shaping.set-rate", "not-implemented", "a kernel without tbf"),
    ("shaping.redirect", "not-implemented", "a kernel without ingress"),
    ("shaping.add-ifb", "not-implemented", "a kernel without ifb"),
    ("shaping.add-ifb", "forbidden", "names of engines: the host's tests of attacks"),
    ("links.add-wireguard", "not-implemented", "the same"),
    ("links.add-wireguard", "already-exists", "host/kernel/src/tests/wireguard.rs"),
    ("links.add-wireguard", "forbidden", "host/grant/src/gate/tests/wireguard.rs"),
    ("links.set-peers", "forbidden", "the same"),
    ("links.set-peers", "unavailable", "the same"),
    ("sysctls.set-link", "not-found", "a kernel without IPv6: the host's tests"),
    ("ports.take", "not-found", "the SDK's host has every address"),
    ("ports.take-range", "unavailable", "as with take"),
    ("ports.take-range", "not-found", "the same"),
    ("tables.put", "forbidden", "another host's entry: the host's tests of tables"),
    ("tables.remove", "forbidden", "the same"),
];

/// Errors that nobody can have from the SDK's host, which has no grant: of all of these functions, and why.
const LEFT_OUT_OF_ALL: [(&str, &str, &[&str]); 5] = [
    (
        "forbidden",
        "a link that is a parent, which a grant names: host/grant/src/gate/tests/calls.rs",
        &[
            "links.set-bridge",
            "links.get-bridge",
            "links.set-port",
            "links.get-port",
            "links.set-properties",
            "links.get-properties",
            "links.set-offloads",
            "links.get-offloads",
            "links.read-public-key",
            "links.remove-peers",
            "links.list-peers",
            "addresses.remove",
            "addresses.list",
            "routes.remove",
            "rules.add-of-family",
            "rules.remove",
            "rules.remove-of-family",
            "neighbours.remove",
            "neighbours.list",
            "neighbours.add-forwarding",
            "neighbours.remove-forwarding",
            "neighbours.list-forwarding",
            "shaping.set-rate",
            "shaping.get-rate",
            "shaping.redirect",
            "forwarding.allow",
            "forwarding.disallow",
        ],
    ),
    (
        "forbidden",
        "a namespace, setting or table that a grant names: host/grant/src/gate/tests",
        &[
            "links.list",
            "rules.list",
            "rules.list-whole",
            "routes.remove-paths",
            "nftables.add-set",
            "nftables.add-chain",
            "sysctls.get-link",
            "sysctls.set-link",
            "sysctls.get-neighbour",
            "sysctls.set-neighbour",
            "sysctls.get-namespace",
            "sysctls.set-namespace",
            "tables.get",
            "tables.list",
            "capabilities.network-info.table-event-register",
            "capabilities.join-info.add-table-entry",
        ],
    ),
    (
        "unavailable",
        "a number that a grant names: host/grant/src/gate/tests/limits.rs",
        &[
            "links.add-wireguard",
            "links.add-macvtap",
            "namespaces.add",
            "links.add",
            "addresses.add",
            "routes.add",
            "routes.add-paths",
            "rules.add",
            "rules.add-of-family",
            "neighbours.add",
            "neighbours.add-forwarding",
            "neighbours.add-proxies",
            "shaping.add-ifb",
            "nftables.add",
            "nftables.add-set",
            "nftables.add-elements",
            "nftables.add-chain",
            "nftables.add-chain-rules",
            "nftables.add-frame-rules",
            "nftables.add-packet-rules",
            "forwarding.allow",
            "store.set",
            "tables.put",
            "capabilities.join-info.add-table-entry",
        ],
    ),
    (
        "invalid-argument",
        "most settings take any number; a prefix length is in the SDK's type",
        &[
            "sysctls.set-link",
            "sysctls.set-neighbour",
            "sysctls.set-namespace",
            "capabilities.interface-info.set-ip-address",
        ],
    ),
    (
        "not-found",
        "a kernel that lacks a setting of a whole namespace: the host's tests",
        &["sysctls.get-namespace", "sysctls.set-namespace"],
    ),
];

/// Function and kind of each error that the WIT lists in a line of its own.
fn documented() -> Vec<(String, String)> {
    let files = ["capabilities", "kernel", "state"].map(|name| {
        std::fs::read_to_string(format!("{}/../../../wit/{name}.wit", env!("CARGO_MANIFEST_DIR"))).unwrap()
    });
    let (mut found, mut kinds) = (Vec::new(), Vec::new());
    let (mut interface, mut resource) = (String::new(), String::new());
    let lines = files.iter().flat_map(|file| file.lines());
    for line in lines {
        let text = line.trim();
        if let Some(name) = text.strip_prefix("interface ") {
            (interface, resource) = (name.trim_end_matches(" {").to_owned(), String::new());
        } else if let Some(name) = text.strip_prefix("resource ") {
            resource = format!("{}.", name.trim_end_matches(" {"));
        } else if line == "  }" {
            resource.clear();
        } else if let Some(said) = text.strip_prefix("/// - `") {
            let kind = |word: &str| word.trim_matches([' ', ',', '`']).to_owned();
            kinds.extend(said.split(':').next().unwrap_or_default().split("`, `").map(kind));
        } else if let Some((name, _)) = text.split_once(": func(") {
            let call = format!("{interface}.{resource}{}", name.trim_start_matches('%'));
            found.extend(kinds.drain(..).map(|kind| (call.clone(), kind)));
        } else if !text.starts_with("///") && !text.starts_with("@since(") {
            kinds.clear();
        }
    }
    found
}

#[test]
fn every_error_that_the_wit_documents_is_in_the_table() {
    use crate::actions::errors::{ENDPOINT, ENTRIES, JOIN, LINKS, NETWORK, PACKETS, STATE};
    let of_stage = [LINKS, ENTRIES, PACKETS, STATE].into_iter().flatten().map(|case| (case.0, case.1));
    let of_calls = NETWORK.iter().map(|case| (case.0, case.1)).chain(ENDPOINT.iter().map(|case| (case.0, case.1)));
    let tried = of_stage.chain(of_calls).chain(JOIN.iter().map(|case| (case.0, case.1)));
    let mut known: Vec<_> = tried.map(|(call, kind)| (call.to_owned(), words(kind))).collect();
    known.extend(LEFT_OUT.map(|(call, kind, _)| (call.to_owned(), kind.to_owned())));
    for (kind, _, calls) in LEFT_OUT_OF_ALL {
        known.extend(calls.iter().map(|call| ((*call).to_owned(), kind.to_owned())));
    }
    let documented = documented();
    assert!(documented.len() > 100, "{documented:?}");
    let missing: Vec<_> = documented.iter().filter(|one| !known.contains(one)).collect();
    assert!(missing.is_empty(), "no case has these errors of the WIT: {missing:?}");
}

/// A kind as the WIT writes it.
fn words(kind: ErrorKind) -> String {
    let debug = format!("{kind:?}");
    let hyphen = |(at, letter): (usize, char)| {
        if at > 0 && letter.is_uppercase() { format!("-{letter}") } else { letter.to_string() }
    };
    debug.char_indices().map(hyphen).collect::<String>().to_lowercase()
}
