//! Every function of the interface is called, in both directions, through the probe: a driver that checks what it is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use grant::HostCall;
use operation::driver::{CallTrace, DriverDetails};
use operation::endpoint::Attached;
use operation::network::CreatedNetwork;
use operation::table::PutEntry;
use pontoon::answers::Fault;
use pontoon_tests::{Bench, Daemon, FakeBench, Namespace, attach, attach_path, create, same_at_last};
use serde_json::{Value, json};
use words::{Kind, Name};

use crate::plugin_socket::ask;

/// The network with these options, on the driver `probe`.
pub fn make(bench: &Bench, name: &str, more: &Value) -> CreatedNetwork {
    bench.wait(bench.controller.create_network(create(name, "probe", more))).unwrap()
}

/// An endpoint of it.
pub fn join(bench: &Bench, network: &str, namespace: &Namespace, more: &Value) -> Attached {
    bench.wait(bench.controller.attach(network, attach(namespace, more))).unwrap()
}

/// What was called, in order.
pub fn functions(calls: &[CallTrace]) -> Vec<&str> {
    calls.iter().map(|call| call.function.as_str()).collect()
}

/// A dump in which forwarding is on or off as it may be: it stays on, because others may rely on it by now.
pub fn but_forwarding(dump: &str) -> String {
    dump.replace("forward = 1", "forward = 0").replace("forwarding = 1", "forwarding = 0")
}

/// What the probe tells of a network's first endpoint: the lines of `probe.network` or `probe.endpoint`, or `probe.events`.
fn told(bench: &Bench, network: &str, key: &str) -> Vec<Value> {
    let details = bench.wait(bench.controller.network(network, true)).unwrap();
    serde_json::from_str(&details.attached[0].info[key]).unwrap()
}

/// How often each function was called since the start, less how often that failed.
fn went_well(details: &DriverDetails) -> BTreeMap<&str, u64> {
    details.calls.iter().map(|c| (c.function.as_str(), c.count - c.failed)).collect()
}

fn probe(bench: &Bench) -> DriverDetails {
    bench.wait(bench.controller.driver(&Name::new("probe").unwrap())).unwrap()
}

/// They need a kernel that has WireGuard, which many lack, and a way out that the probe is not granted: `wireguard`, and the kernel layer's tests.
/// (`add-macvtap` needs one that has macvtap, `take-device` a device: `devices`.)
const OF_TUNNELS: [HostCall; 7] = [
    HostCall::LinksTakeDevice,
    HostCall::LinksAddMacvtap,
    HostCall::LinksAddWireguard,
    HostCall::LinksReadPublicKey,
    HostCall::LinksSetPeers,
    HostCall::LinksRemovePeers,
    HostCall::LinksListPeers,
];

#[test]
fn every_import_is_called_and_does_what_the_wit_says() {
    let bench = Bench::new();
    let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
    let see = || (but_forwarding(&bench.host.dump()), a.dump(), b.dump(), c.dump());
    let before = see();
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes"), ("anything", "else")]);
    let bare_store = bench.stored();
    make(&bench, "n", &json!({"ipv6": true, "options": {"probe.do": "all"}}));
    join(&bench, "n", &a, &json!({"options": {"probe.do": "all"}}));
    // Only a network without pools can be given some,
    make(&bench, "given", &json!({"no_pools": true, "options": {"probe.do": "network-info"}}));
    let attached = join(&bench, "given", &b, &json!({}));
    assert_eq!(attached.endpoint.address.unwrap().to_string(), "192.0.2.2/24", "from the driver's own pool");
    // and only where there are none, addresses are the driver's to choose.
    make(&bench, "none", &json!({"no_pools": true}));
    let attached = join(&bench, "none", &c, &json!({"options": {"probe.do": "interface-info"}}));
    assert_eq!(attached.endpoint.address.unwrap().to_string(), "192.0.2.1/24", "the driver's own");
    assert!(c.run("ip -o -4 address").contains("192.0.2.1/24"));
    let details = probe(&bench);
    let calls = went_well(&details);
    let of_probe = HostCall::ALL.into_iter().filter(|call| !OF_TUNNELS.contains(call));
    let missing: Vec<_> = of_probe.map(|c| c.name()).filter(|name| calls.get(name).is_none_or(|n| *n == 0)).collect();
    assert!(missing.is_empty(), "no test calls these imports with success: {missing:?}");
    for (network, endpoint) in [("n", "a"), ("given", "b"), ("none", "c")] {
        bench.wait(bench.controller.detach(Some(network), endpoint)).unwrap();
        bench.wait(bench.controller.remove_network(network)).unwrap();
    }
    same_at_last(see, &before);
    assert_eq!(bench.stored(), bare_store);
}

/// Both kernels refuse what the SDK's host in memory refuses: the probe's own test goes through the same table.
#[test]
fn every_error_that_the_wit_documents_is_answered() {
    let options = json!({"options": {"probe.do": "errors"}});
    let network = create("n", "probe", &json!({"ipv6": true, "options": {"probe.do": "errors"}}));
    let (bench, a) = (Bench::new(), Namespace::new("a"));
    bench.load("probe", "test/probe", &[]);
    bench.wait(bench.controller.create_network(network.clone())).unwrap();
    join(&bench, "n", &a, &options);
    let fake = FakeBench::new();
    fake.load("probe", "test/probe");
    fake.wait(fake.controller().create_network(network)).unwrap();
    let sandbox = fake.sandbox("a");
    fake.wait(fake.controller().attach("n", attach_path(&sandbox, &options))).unwrap();
}

/// As the probe's own test has it on the SDK's host in memory.
#[test]
fn a_gateway_lies_where_the_endpoint_reaches_it() {
    let bench = Bench::new();
    bench.load("probe", "test/probe", &[]);
    let fake = FakeBench::new();
    fake.load("probe", "test/probe");
    let pools = json!({"ipv6": true, "pools": [{"subnet": "10.5.0.0/24"}, {"subnet": "fd05::/64"}]});
    let network = create("n", "probe", &pools);
    bench.wait(bench.controller.create_network(network.clone())).unwrap();
    fake.wait(fake.controller().create_network(network)).unwrap();
    let (a, sandbox) = (Namespace::new("a"), fake.sandbox("a"));
    for gateway in ["10.5.0.254", "fd05::fe", "fe80::1"] {
        let options = json!({"options": {"probe.gateway": gateway}});
        bench.wait(bench.controller.attach("n", attach(&a, &options))).unwrap();
        bench.wait(bench.controller.detach(Some("n"), "a")).unwrap();
        fake.wait(fake.controller().attach("n", attach_path(&sandbox, &options))).unwrap();
        fake.wait(fake.controller().detach(Some("n"), "a")).unwrap();
    }
    for gateway in ["192.0.2.1", "169.254.0.1", "fd99::1"] {
        let options = json!({"options": {"probe.gateway": gateway}});
        let real = bench.wait(bench.controller.attach("n", attach(&a, &options))).unwrap_err();
        let faked = fake.wait(fake.controller().attach("n", attach_path(&sandbox, &options))).unwrap_err();
        assert!(real.message.contains(&format!("gateway {gateway} is neither")), "{real}");
        assert_eq!((real.kind, faked.kind), (Kind::InvalidArgument, Kind::InvalidArgument));
    }
}

#[test]
fn every_export_is_called_when_it_should_be() {
    let bench = Bench::new();
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes"), ("scope", "global"), ("network-type", "other")]);
    bench.load("pools", "test/pools", &[]);
    let bare_store = bench.stored();
    let made =
        make(&bench, "n", &json!({"ipv6": true, "options": {"probe.do": "network-info", "probe.skip-ipv4": "yes"}}));
    assert_eq!(functions(&made.calls), ["skip-gateway-allocation", "network-allocate", "create-network"]);
    assert_eq!(made.network.options["probe.allocated"], "yes", "as network-allocate answered");
    let gateways: Vec<_> =
        made.network.pools.iter().map(|pool| (pool.subnet.addr().is_ipv4(), pool.gateway.is_some())).collect();
    assert_eq!(gateways, [(true, false), (false, true)], "no gateway of the family that the driver skips");

    let gateway = json!({"options": {"probe.do": "join-info"}, "ports": [{"protocol": "tcp", "container_port": 80, "host_port": 8080}]});
    let attached = join(&bench, "n", &a, &gateway);
    let connected = ["create-endpoint", "join", "program-external-connectivity", "endpoint-oper-info"];
    assert_eq!(functions(&attached.calls), connected);
    let lines = told(&bench, "n", "probe.endpoint");
    let says = |start: &str| lines.iter().any(|line| line.as_str().unwrap().starts_with(start));
    assert!(says("program-external-connectivity") && says("join") && says("create-endpoint"), "{lines:?}");
    let id = attached.endpoint.id.as_str();
    assert!(
        lines.iter().any(|l| l.as_str().unwrap().contains(&format!("[Some({id:?}), Some({id:?})] own [true, true]"))),
        "{lines:?}"
    );

    b.run("sysctl -w net.ipv6.conf.all.disable_ipv6=1");
    let attached = join(&bench, "n", &b, &json!({}));
    assert_eq!(functions(&attached.calls), ["create-endpoint", "release-ipv6", "join", "endpoint-oper-info"]);
    put(&bench, "k", "one");
    let entries = bench.wait(bench.controller.entries("n", Some("probe-table"))).unwrap();
    let entry = entries.iter().find(|entry| entry.key == "k").unwrap();
    assert_eq!((entry.title.as_deref(), entry.details["length"].as_str()), (Some("probe-table/k"), "3"));

    let detached = bench.wait(bench.controller.detach(Some("n"), "a")).unwrap();
    assert_eq!(functions(&detached.calls), ["revoke-external-connectivity", "leave", "delete-endpoint"]);
    bench.wait(bench.controller.detach(Some("n"), "b")).unwrap();
    let removed = bench.wait(bench.controller.remove_network("n")).unwrap();
    assert_eq!(functions(&removed.calls), ["delete-network", "network-free"]);

    let details = probe(&bench);
    assert_eq!(
        (details.driver.network_type.as_str(), format!("{:?}", details.driver.data_scope).as_str()),
        ("other", "Global"),
        "register"
    );
    let mut calls = went_well(&details);
    make(&bench, "m", &json!({"ipam": "pools"}));
    join(&bench, "m", &a, &json!({}));
    bench.wait(bench.controller.network("m", false)).unwrap();
    bench.wait(bench.controller.detach(Some("m"), "a")).unwrap();
    bench.wait(bench.controller.remove_network("m")).unwrap();
    let pools = bench.wait(bench.controller.driver(&Name::new("pools").unwrap())).unwrap();
    calls.extend(went_well(&pools));
    let exported = exports();
    assert!(exported.len() > 15, "{exported:?}");
    let missing: Vec<_> = exported
        .iter()
        .filter(|f| !f.starts_with("register") && calls.get(f.as_str()).is_none_or(|n| *n == 0))
        .collect();
    assert!(missing.is_empty(), "no test calls these exports with success: {missing:?}");
    assert_eq!(bench.stored(), bare_store, "also what network-free wrote is gone");
}

/// The functions that a driver with every part exports, as the WIT has them; but `migration`'s, which has tests of its own.
fn exports() -> Vec<String> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("complete")).unwrap();
    let functions = resolve.worlds[world].exports.values().flat_map(|item| match item {
        wit_parser::WorldItem::Interface { id, .. } => {
            let interface = &resolve.interfaces[*id];
            let is_migration = interface.name.as_deref() == Some("migration");
            interface.functions.keys().filter(|_| !is_migration).cloned().collect()
        }
        _ => Vec::new(),
    });
    functions.collect()
}

fn put(bench: &Bench, key: &str, value: &str) {
    let put = PutEntry { value: value.into(), owner: "operator".into() };
    bench.wait(bench.controller.put_entry("n", "probe-table", key, put)).unwrap();
}

fn rm(bench: &Bench, key: &str) {
    bench.wait(bench.controller.remove_entry("n", "probe-table", key)).unwrap();
}

#[test]
fn a_network_that_could_not_be_made_is_freed_again() {
    let bench = Bench::new();
    bench.load("probe", "test/probe", &[("scope", "global")]);
    let (store, host) = (bench.stored(), bench.host.dump());
    let refused = create("n", "probe", &json!({"options": {"probe.fail": "create-network"}}));
    let error = bench.wait(bench.controller.create_network(refused)).unwrap_err();
    assert!(error.message.contains("probe.fail=create-network"), "{error}");
    assert_eq!(went_well(&probe(&bench))["network-free"], 1);
    assert_eq!(bench.stored(), store);
    same_at_last(|| bench.host.dump(), &host);
}

#[test]
fn changed_entries_are_told_in_order_until_the_driver_takes_them() {
    let bench = Bench::new();
    let a = Namespace::new("a");
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes")]);
    make(&bench, "n", &json!({"options": {"probe.do": "network-info tables"}}));
    join(&bench, "n", &a, &json!({}));
    assert_eq!(told(&bench, "n", "probe.events"), Vec::<Value>::new(), "of its own entries it is told nothing");
    put(&bench, "k", "1");
    put(&bench, "k", "22");
    put(&bench, "other", "x");
    rm(&bench, "k");
    let (one, two, x) = (json!([49]), json!([50, 50]), json!([120]));
    let mut events = vec![
        json!(["probe-table", "k", "created", null, one]),
        json!(["probe-table", "k", "updated", one, two]),
        json!(["probe-table", "other", "created", null, x]),
        json!(["probe-table", "k", "deleted", two, null]),
    ];
    assert_eq!(told(&bench, "n", "probe.events"), events);

    // What it does not take is told again: what is true by then, against what it was told last.
    bench.controller.inject_into("event-notify", Fault::Error(1));
    put(&bench, "other", "1");
    put(&bench, "other", "22");
    put(&bench, "brief", "1");
    rm(&bench, "brief");
    bench.controller.inject_into("event-notify", Fault::Trap(1));
    put(&bench, "late", "1");
    assert_eq!(told(&bench, "n", "probe.events"), events);
    bench.controller.inject(None);
    assert_eq!(bench.wait(bench.controller.collect_garbage(None)).unwrap().events, 2);
    events.push(json!(["probe-table", "late", "created", null, one]));
    events.push(json!(["probe-table", "other", "updated", x, two]));
    assert_eq!(told(&bench, "n", "probe.events"), events);
    assert_eq!(bench.wait(bench.controller.collect_garbage(None)).unwrap().events, 0);

    // And by itself.
    bench.controller.inject_into("event-notify", Fault::Error(1));
    put(&bench, "late", "22");
    bench.controller.inject(None);
    let again = async { tokio::time::timeout(Duration::from_secs(3), bench.controller.tell_again()).await };
    assert!(bench.wait(again).is_err(), "it goes on for ever");
    events.push(json!(["probe-table", "late", "updated", one, two]));
    assert_eq!(told(&bench, "n", "probe.events"), events);

    let foreign = PutEntry { value: "y".into(), owner: "somebody".into() };
    let error = bench.wait(bench.controller.put_entry("n", "probe-table", "other", foreign)).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "{error}");
    // A table that it did not ask for is none of its business.
    let unwatched = PutEntry { value: "y".into(), owner: "operator".into() };
    bench.wait(bench.controller.put_entry("n", "another", "k", unwatched)).unwrap();
    assert_eq!(told(&bench, "n", "probe.events"), events);
}

/// `force-gateway-ipv4` is remembered: an endpoint without a gateway address becomes its namespace's way out when the first one goes.
#[test]
fn what_needs_no_gateway_address_is_elected_later() {
    let bench = Bench::new();
    let a = Namespace::new("a");
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes")]);
    make(&bench, "first", &json!({"options": {"probe.do": "join-info"}}));
    make(&bench, "second", &json!({"options": {"probe.do": "join-info", "probe.skip-ipv4": "yes"}}));
    let connected = || {
        let lines = told(&bench, "second", "probe.endpoint");
        lines.iter().any(|line| line.as_str().unwrap().starts_with("program-external-connectivity"))
    };
    join(&bench, "first", &a, &json!({}));
    let second = join(&bench, "second", &a, &json!({})).endpoint;
    assert_eq!((second.gateway, connected()), (None, false));
    bench.wait(bench.controller.detach(Some("first"), "a")).unwrap();
    assert!(connected());
}

#[test]
fn a_container_without_ipv6_gets_no_ipv6_address() {
    let bench = Bench::new();
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes")]);
    bench.load("bridge", "bridge", &[]);
    bench.load("null", "null", &[]);
    // The probe names an IPv6 gateway and routes all the same; null does not export the part.
    for (driver, releases) in [("probe", true), ("bridge", true), ("null", false)] {
        let a = Namespace::new("a");
        a.run("sysctl -w net.ipv6.conf.all.disable_ipv6=1");
        bench.wait(bench.controller.create_network(create(driver, driver, &json!({"ipv6": true})))).unwrap();
        let attached = join(&bench, driver, &a, &json!({"options": {"probe.do": "join-info"}}));
        assert_eq!(functions(&attached.calls).contains(&"release-ipv6"), releases, "{driver}");
        assert_eq!((attached.endpoint.address_ipv6, attached.endpoint.gateway_ipv6), (None, None), "{driver}");
        assert!(attached.endpoint.address.is_some(), "{driver}");
        assert_eq!(a.run("ip -6 -o address"), "", "{driver}");
        let leases = bench
            .stored()
            .lines()
            .filter(|l| l.starts_with("leases:") && l.contains(attached.endpoint.id.as_str()))
            .count();
        assert_eq!(leases, 1, "{driver}: the IPv6 address is free again");
        bench.wait(bench.controller.detach(Some(driver), "a")).unwrap();
        bench.wait(bench.controller.remove_network(driver)).unwrap();
    }
}

#[test]
fn the_command_line_shows_what_a_driver_tells() {
    let daemon = Daemon::start();
    let probe = pontoon_tests::driver("test/probe");
    daemon.ok(&format!("driver load {} --set probe.in-sandbox=yes", probe.display()));
    let a = Namespace::new("a");
    daemon.ok("network create n -d probe -o probe.do=network-info");
    let traced = daemon.ok(&format!("endpoint attach n {} -o probe.do=join-info --trace", a.text()));
    for line in [
        "create-endpoint",
        "links.add",
        "join",
        "capabilities.join-info.add-table-entry",
        "program-external-connectivity",
    ] {
        assert!(traced.contains(line), "{line} in {traced}");
    }
    daemon.ok("table put n probe-table k hello");
    let table = daemon.ok("table ls n probe-table");
    assert!(table.contains("hello") && table.contains("operator") && table.contains("probe-table/k"), "{table}");
    let verbose = daemon.json("network inspect n --verbose");
    let entries = verbose["entries"].as_array().unwrap();
    let entry = entries.iter().find(|e| e["key"] == "k").unwrap();
    assert_eq!((&entry["title"], &entry["details"]["length"]), (&json!("probe-table/k"), &json!("5")));
    assert_eq!(
        entries.iter().filter(|e| e["owner"] == "self").count(),
        1,
        "what the driver put when the endpoint joined"
    );
    assert!(
        verbose["objects"].as_array().unwrap().iter().any(|o| o.as_str().unwrap().starts_with("link pb")),
        "{verbose}"
    );
    daemon.ok("table rm n probe-table k");
    let info = &daemon.json("network inspect n")["attached"][0]["info"];
    assert!(info["probe.events"].as_str().unwrap().contains("deleted"), "{info}");
    daemon.refused(4, "table rm n probe-table k");
    let inspected = daemon.json("driver inspect probe");
    let imports: Vec<_> = inspected["imports"].as_array().unwrap().iter().map(|i| i.as_str().unwrap()).collect();
    for call in HostCall::ALL {
        let (interface, function) = call.name().split_once('.').unwrap();
        let import = |i: &&str| i.contains(&format!("/{interface}@")) && i.ends_with(function);
        assert!(imports.iter().any(import), "{} is not among the imports {imports:?}", call.name());
    }
    assert_eq!(inspected["exports"].as_array().unwrap().len(), 6, "{inspected}");
}

/// What dockerd asks on a driver's socket. The answer's body.
fn docks(daemon: &Daemon, driver: &str, method: &str, body: &Value) -> Value {
    let (status, answer) = ask(daemon, driver, method, &body.to_string());
    assert_eq!(status, 200, "{method}: {answer}");
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

/// A network on pools of a driver's own address management, and what takes an address of each family, the wanted one.
fn docks_network(daemon: &Daemon, driver: &str) -> [(String, &'static str); 2] {
    let take = |pool: &str, v6: bool| {
        let taken = docks(daemon, driver, "IpamDriver.RequestPool", &json!({"Pool": pool, "V6": v6}));
        taken["PoolID"].as_str().unwrap().to_owned()
    };
    let pools = [(take("10.40.0.0/24", false), "10.40.0.5"), (take("fd40::/64", true), "fd40::5")];
    let data = |pool: &str, gateway: &str| json!([{"AddressSpace": "PontoonLocal", "Pool": pool, "Gateway": gateway}]);
    let options = json!({"com.docker.network.enable_ipv6": true});
    let network = json!({"NetworkID": "n1", "Options": options, "IPv4Data": data("10.40.0.0/24", "10.40.0.1/24"), "IPv6Data": data("fd40::/64", "fd40::1/64")});
    docks(daemon, driver, "NetworkDriver.CreateNetwork", &network);
    pools
}

/// dockerd gives back what it took for an endpoint that was removed here already: by then a new endpoint may have it.
#[test]
fn a_late_release_does_not_free_what_a_new_endpoint_has() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name docks", pontoon_tests::driver("bridge").display()));
    let pools = docks_network(&daemon, "docks");
    let address = |(pool, address): &(String, &str)| json!({"PoolID": pool, "Address": address});
    let all = |method: &str| {
        pools.iter().for_each(|pool| drop(docks(&daemon, "docks", &format!("IpamDriver.{method}"), &address(pool))));
    };
    let refused = || {
        for pool in &pools {
            let (status, answer) = ask(&daemon, "docks", "IpamDriver.RequestAddress", &address(pool).to_string());
            assert!(status == 500 && answer.contains("is taken by endpoint"), "{pool:?}: {answer}");
        }
    };
    let key = |id: &str| json!({"NetworkID": "n1", "EndpointID": id});
    let make = |id: &str| {
        let interface = json!({"Address": "10.40.0.5/24", "AddressIPv6": "fd40::5/64"});
        let body = json!({"NetworkID": "n1", "EndpointID": id, "Interface": interface});
        docks(&daemon, "docks", "NetworkDriver.CreateEndpoint", &body);
        let body = json!({"NetworkID": "n1", "EndpointID": id, "SandboxKey": format!("/run/docker/netns/{id}")});
        let joined = docks(&daemon, "docks", "NetworkDriver.Join", &body);
        joined["InterfaceName"]["SrcName"].as_str().unwrap().to_owned()
    };
    all("RequestAddress");
    let dead = Namespace::new("dead");
    daemon.host.run(&format!("ip link set {} netns {}", make("old"), dead.text()));
    drop(dead);
    pontoon_tests::until("the kernel", || !daemon.host.run("ip -o link show type veth").contains("master"));
    // The new one gets them because the old one's container is gone.
    all("RequestAddress");
    make("new");
    docks(&daemon, "docks", "NetworkDriver.DeleteEndpoint", &key("old"));
    for _twice in 0..2 {
        all("ReleaseAddress");
        refused();
    }
    docks(&daemon, "docks", "NetworkDriver.DeleteEndpoint", &key("new"));
    all("ReleaseAddress");
    all("RequestAddress");
}

/// What libnetwork does with the id that decode-table-entry answers, for tables whose entries are about endpoints.
#[test]
fn an_entry_is_shown_with_the_endpoint_that_it_is_about() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --set probe.in-sandbox=yes", pontoon_tests::driver("test/probe").display()));
    let a = Namespace::new("a");
    daemon.ok("network create n -d probe -o probe.do=network-info");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    let pool = json!([{"Pool": "10.41.0.0/24", "Gateway": "10.41.0.1/24"}]);
    let options = json!({"com.docker.network.generic": {"probe.do": "network-info"}});
    docks(
        &daemon,
        "probe",
        "NetworkDriver.CreateNetwork",
        &json!({"NetworkID": "d", "IPv4Data": pool, "Options": options}),
    );
    let endpoint = json!({"NetworkID": "d", "EndpointID": "e1", "Interface": {"Address": "10.41.0.2/24"}});
    docks(&daemon, "probe", "NetworkDriver.CreateEndpoint", &endpoint);
    for network in ["n", "d"] {
        let of_network = daemon.json(&format!("endpoint ls {network}"));
        let [id, name] = ["id", "name"].map(|key| of_network[0][key].as_str().unwrap().to_owned());
        for (table, key, value) in [
            ("probe-endpoints", "here", id.as_str()),
            ("probe-endpoints", "away", "b0b"),
            ("probe-table", "opaque", &id),
        ] {
            daemon.ok(&format!("table put {network} {table} {key} {value}"));
        }
        let inspected = daemon.json(&format!("network inspect {network} --verbose"));
        let entry = |key: &str| inspected["entries"].as_array().unwrap().iter().find(|e| e["key"] == key).unwrap();
        assert_eq!((&entry("here")["endpoint"], &entry("here")["title"]), (&json!(name), &json!(id)));
        assert_eq!(entry("here")["details"]["length"], json!(id.len().to_string()));
        assert_eq!((&entry("away")["endpoint"], &entry("away")["title"]), (&Value::Null, &json!("b0b")));
        assert_eq!(entry("opaque")["endpoint"], Value::Null, "its table is about no endpoints");
        let table = daemon.ok(&format!("table ls {network} probe-endpoints"));
        assert!(table.contains(&format!("endpoint {name}")) && table.contains("b0b"), "{table}");
    }
}

/// dockerd's `--ipam-driver null` has no addresses: those of a pool that the driver chose are given out here.
#[test]
fn endpoints_of_docker_get_addresses_of_the_pool_that_their_driver_chose() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {}", pontoon_tests::driver("test/probe").display()));
    let network = |id: &str, data: Value| {
        let options = json!({"com.docker.network.generic": {"probe.do": "network-info"}});
        docks(
            &daemon,
            "probe",
            "NetworkDriver.CreateNetwork",
            &json!({"NetworkID": id, "IPv4Data": data, "Options": options}),
        );
    };
    network("chosen", json!([{"AddressSpace": "null", "Pool": "0.0.0.0/0"}]));
    let body = |network: &str, id: &str, options: Value| json!({"NetworkID": network, "EndpointID": id, "Interface": {}, "Options": options});
    let create = |id: &str| docks(&daemon, "probe", "NetworkDriver.CreateEndpoint", &body("chosen", id, json!({})));
    let address = |answer: &Value| answer["Interface"]["Address"].as_str().unwrap_or_default().to_owned();
    assert_eq!(address(&create("e1")), "192.0.2.2/24");
    let second = create("e2");
    assert_eq!(address(&second), "192.0.2.3/24");
    assert_eq!(create("e2"), second, "the same request again");
    // More than there are addresses: what fails keeps none.
    for _ in 0..254 {
        let fails = body("chosen", "e3", json!({"probe.fail": "create-endpoint"}));
        let (status, answer) = ask(&daemon, "probe", "NetworkDriver.CreateEndpoint", &fails.to_string());
        assert!(status == 500 && answer.contains("probe.fail"), "{answer}");
    }
    docks(&daemon, "probe", "NetworkDriver.DeleteEndpoint", &json!({"NetworkID": "chosen", "EndpointID": "e1"}));
    let third = address(&create("e3"));
    assert!(third.starts_with("192.0.2.") && third != address(&second), "{third}");
    // Of a network with pools dockerd chooses the addresses, also none.
    network("given", json!([{"AddressSpace": "LocalDefault", "Pool": "10.42.0.0/24", "Gateway": "10.42.0.1/24"}]));
    let answer = docks(&daemon, "probe", "NetworkDriver.CreateEndpoint", &body("given", "e1", json!({})));
    assert_eq!(address(&answer), "");
}

/// A gateway endpoint of one family hears which is the gateway of the other: when that one comes, goes, and comes back.
#[test]
fn gateway_endpoints_hear_of_each_other() {
    let bench = Bench::new();
    let a = Namespace::new("a");
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes")]);
    for (name, more) in
        [("four", json!({})), ("six", json!({"ipv4": false, "ipv6": true})), ("both", json!({"ipv6": true}))]
    {
        make(&bench, name, &more);
    }
    let gateway = json!({"probe.gateway": "yes"});
    let attach = |network: &str, priority: i32| {
        let attached =
            join(&bench, network, &a, &json!({"name": network, "gateway_priority": priority, "options": gateway}));
        attached.endpoint.id.to_string()
    };
    let was_told = |network: &str| {
        let lines = told(&bench, network, "probe.endpoint");
        let programmed =
            lines.iter().filter_map(|line| line.as_str().unwrap().strip_prefix("program-external-connectivity: "));
        let gateways = programmed.map(|line| line.split(" own").next().unwrap().to_owned());
        gateways.collect::<Vec<_>>()
    };
    let detach = |network: &str| drop(bench.wait(bench.controller.detach(Some(network), network)).unwrap());
    let four = attach("four", 0);
    let alone = format!("[Some({four:?}), None]");
    let six = attach("six", 0);
    let beside = format!("[Some({four:?}), Some({six:?})]");
    assert_eq!(was_told("six"), [beside.as_str()]);
    assert_eq!(was_told("four"), [alone.as_str(), &beside]);
    detach("six");
    assert_eq!(was_told("four").last().unwrap(), &alone);
    let six = attach("six", 0);
    let beside = format!("[Some({four:?}), Some({six:?})]");
    attach("both", 7);
    detach("both");
    for network in ["four", "six"] {
        assert_eq!(was_told(network).last().unwrap(), &beside, "both took its place for a while");
    }
    let calls = went_well(&probe(&bench))["program-external-connectivity"];
    detach("six");
    assert_eq!(went_well(&probe(&bench))["program-external-connectivity"], calls + 1, "who knows is not told again");
}

/// A port can be published to an address in the container other than the endpoint's: by dockerd, and by an operator's JSON.
#[test]
fn a_port_goes_to_the_address_that_its_binding_says() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name docks", pontoon_tests::driver("bridge").display()));
    let pool = json!([{"Pool": "10.43.0.0/24", "Gateway": "10.43.0.1/24"}]);
    docks(&daemon, "docks", "NetworkDriver.CreateNetwork", &json!({"NetworkID": "d", "IPv4Data": pool}));
    let endpoint = json!({"NetworkID": "d", "EndpointID": "e1", "Interface": {"Address": "10.43.0.2/24"}});
    docks(&daemon, "docks", "NetworkDriver.CreateEndpoint", &endpoint);
    let body = json!({"NetworkID": "d", "EndpointID": "e1", "SandboxKey": "/run/docker/netns/e1"});
    docks(&daemon, "docks", "NetworkDriver.Join", &body);
    let program = |address: &str| {
        let map = json!([{"Proto": 6, "IP": address, "Port": 80, "HostPort": 8080}]);
        let body = json!({"NetworkID": "d", "EndpointID": "e1", "Options": {"com.docker.network.portmap": map}});
        ask(&daemon, "docks", "NetworkDriver.ProgramExternalConnectivity", &body.to_string())
    };
    let (status, answer) = program("192.0.2.9");
    assert!(status == 500 && answer.contains("192.0.2.9"), "an address of nobody's: {answer}");
    for (address, target) in [("10.43.0.77", "10.43.0.77:80"), ("", "10.43.0.2:80")] {
        assert_eq!(program(address).0, 200);
        let rules = daemon.host.run("nft list ruleset");
        assert!(rules.contains(target), "{rules}");
    }

    let bench = Bench::new();
    let a = Namespace::new("a");
    bench.load("bridge", "bridge", &[]);
    bench
        .wait(bench.controller.create_network(create("n", "bridge", &json!({"pools": [{"subnet": "10.44.0.0/24"}]}))))
        .unwrap();
    let port = json!({"protocol": "tcp", "container_port": 80, "host_port": 8080, "container_address": "10.44.0.77"});
    join(&bench, "n", &a, &json!({"ports": [port]}));
    let rules = bench.host.run("nft list ruleset");
    assert!(rules.contains("10.44.0.77:80"), "{rules}");
}
