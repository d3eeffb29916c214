//! What a grant allows, from the file to the refusal: nothing named, nothing allowed.

use std::collections::BTreeSet;

use grant::Audited;
use grant::{Grant, HostCall, Permission};
use operation::engine::{
    CreateEndpoint, CreateNetwork, EndpointKey, EndpointOptions, Interface, Labels, NetworkOptions, PoolData, Request,
};
use operation::origin::Origin;
use pontoon_tests::{Bench, Daemon, FakeBench, Namespace, create, driver, same_at_last};
use serde_json::json;
use words::{Id, Name};

/// A daemon, and the bridge without a grant beside it.
fn bare() -> (Daemon, String) {
    let daemon = Daemon::start();
    let component = daemon.file("bridge.wasm");
    std::fs::copy(driver("bridge"), &component).unwrap();
    let path = component.display().to_string();
    (daemon, path)
}

#[test]
fn a_driver_gets_what_its_operator_names_and_keeps_it() {
    let (mut daemon, path) = bare();
    let refused = daemon.cli(&format!("driver load {path}"));
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.lines().any(|l| l.starts_with("permissions: links ") && l.ends_with("NO")), "{refused:?}");
    let says = "the driver bridge asks for what it is not granted: permissions: links, permissions: link-settings,";
    assert!(refused.err.contains(says) && refused.err.contains("--grant-asked"), "{refused:?}");
    let grant = daemon.file("bridge.grant.toml");
    let whole = std::fs::read_to_string(driver("bridge").with_extension("grant.toml")).unwrap();
    std::fs::write(&grant, whole.replace("\"host-ports\", ", "")).unwrap();
    let refused = daemon.cli(&format!("driver load {path}"));
    assert!(refused.err.contains("its grant has, which lacks permissions: host-ports: add that"), "{refused:?}");
    std::fs::write(&grant, whole.replace("prerouting", "perouting")).unwrap();
    let refused = daemon.refused(7, &format!("driver load {path}"));
    assert!(refused.contains("bridge.grant.toml:") && refused.contains("unknown variant `perouting`"), "{refused}");
    assert_eq!(daemon.ok("driver ls").lines().count(), 1, "nothing is loaded");
    std::fs::write(&grant, &whole).unwrap();
    daemon.ok(&format!("driver load {path}"));
    let shown = daemon.ok("driver grant bridge");
    let parsed = |text: &str| grant::file::read("g", text.as_bytes()).unwrap();
    assert_eq!(parsed(&shown), parsed(&whole));

    // Less of it: from the next call on, and over a restart.
    daemon.ok("network create n");
    std::fs::write(daemon.file("less.toml"), whole.replace("\"network\"", "\"10.200.0.0/16\"")).unwrap();
    let set = daemon.cli(&format!("driver grant bridge --grant {}", daemon.file("less.toml").display()));
    assert!(set.code == 0 && set.err.contains("asks for more than it may: addresses: network"), "{set:?}");
    for _ in 0..2 {
        let host = daemon.host.dump();
        let refused = daemon.refused(6, "network create m --subnet 10.99.0.0/24");
        assert!(
            refused.contains("is an address of the network; the driver's grant lacks addresses: network"),
            "{refused}"
        );
        same_at_last(|| daemon.host.dump(), &host);
        daemon.restart();
    }
    daemon.ok("network create --subnet 10.200.1.0/24 within");
    let audit = daemon.json("driver audit bridge");
    let refused: Vec<_> = audit["refused"].as_array().unwrap().iter().map(|r| r["why"].as_str().unwrap()).collect();
    assert_eq!(refused, [] as [&str; 0], "the audit begins with the daemon");
    daemon.refused(6, "network create m --subnet 10.99.0.0/24");
    let audit = daemon.ok("driver audit bridge");
    assert!(
        audit.contains("links.add: 10.99.0.1/24 is an address of the network; the driver's grant lacks"),
        "{audit}"
    );
    daemon.ok("driver grant bridge --grant-asked");
    daemon.ok("network create m --subnet 10.99.0.0/24");
}

#[test]
fn refusals_are_in_the_log() {
    let mut daemon = Daemon::stopped();
    let (log, less) = (daemon.file("log"), daemon.file("less.toml"));
    let mut serve = daemon.serve();
    serve.stderr(std::fs::File::create(&log).unwrap());
    daemon.run_as(serve);
    daemon.load("bridge");
    let whole = std::fs::read_to_string(driver("bridge").with_extension("grant.toml")).unwrap();
    std::fs::write(&less, whole.replace("\"network\"", "\"10.200.0.0/16\"")).unwrap();
    daemon.ok(&format!("driver grant bridge --grant {}", less.display()));
    daemon.refused(6, "network create m --subnet 10.99.0.0/24");
    let text = std::fs::read_to_string(&log).unwrap();
    let says = "refused: links.add: 10.99.0.1/24 is an address of the network; the driver's grant lacks";
    assert!(text.contains(says), "{text}");
}

#[test]
fn what_a_driver_asks_for_can_be_granted_as_it_stands() {
    let (daemon, path) = bare();
    let loaded = daemon.cli(&format!("driver load {path} --grant-asked"));
    assert!(loaded.code == 0 && loaded.err.contains("hooks: forward 0") && !loaded.err.contains("NO"), "{loaded:?}");
    daemon.ok("network create n");
    let asked = daemon.json("driver inspect bridge");
    assert_eq!(asked["grant"], asked["manifest"]["asks"]);
}

#[test]
fn the_smallest_grant_is_recorded_and_does() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("needed.toml");
    let mut record = pontoon_tests::command(pontoon_tests::pontoon());
    record.args(["driver", "grant", "--record", "--to"]).arg(&to).arg(driver("bridge"));
    assert!(record.status().unwrap().success());
    let read = |path: &std::path::Path| pontoon::serve::folder::read_grant(path).unwrap();
    let (needed, shipped) = (read(&to), read(&driver("bridge").with_extension("grant.toml")));
    // How many ports users publish, no recording finds.
    let shipped = grant::Grant { limits: Default::default(), ..shipped };
    assert_eq!(needed, shipped, "the sample's grant is the smallest");
    let mut test = pontoon_tests::command(pontoon_tests::pontoon());
    test.args(["driver", "test", "--fake", "--grant"]).arg(&to).arg(driver("bridge"));
    assert!(test.status().unwrap().success());
}

/// A hostile driver that calls every import under a grant.
fn walked(grant: Grant) -> Audited {
    let bench = Bench::new();
    bench.load("hostile", "test/hostile", &[]);
    bench.host.run("ip link add eth0 type veth peer name far0");
    let name = Name::new("hostile").unwrap();
    bench.wait(bench.controller.set_grant(&name, grant)).unwrap();
    let (host, stored) = (bench.host.dump(), bench.stored());
    for (walk, says) in [("all", "walked"), ("host", "")] {
        let create = create("n", "hostile", &json!({"options": {"walk": walk}}));
        let error = bench.wait(bench.controller.create_network(create)).unwrap_err();
        assert!(error.message.contains(says), "{error}");
    }
    same_at_last(|| (bench.host.dump(), bench.stored()), &(host, stored));
    bench.wait(bench.controller.audit(&name)).unwrap()
}

fn names(calls: impl IntoIterator<Item = HostCall>) -> BTreeSet<&'static str> {
    calls.into_iter().map(HostCall::name).collect()
}

#[test]
fn without_a_grant_every_import_outside_of_the_table_is_refused() {
    let audit = walked(Grant::default());
    let refused: BTreeSet<_> = audit.calls.iter().filter(|c| c.refused > 0).map(|c| c.function.as_str()).collect();
    let allowed: BTreeSet<_> = audit.calls.iter().filter(|c| c.allowed > 0).map(|c| c.function.as_str()).collect();
    let of_everybody = names(HostCall::ALL.into_iter().filter(|call| Permission::of(*call).is_none()));
    assert!(allowed.is_subset(&of_everybody), "allowed: {:?}", allowed.difference(&of_everybody));
    // The rest takes a link or a namespace, and without a grant nobody has one.
    let out_of_reach = names([
        HostCall::CapabilitiesJoinInfoAddTableEntry,
        HostCall::LinksLinkInfo,
        HostCall::LinksLinkSet,
        HostCall::LinksLinkRemove,
        HostCall::LinksAddMacvtap,
        HostCall::LinksSetOffloads,
        HostCall::LinksGetOffloads,
        HostCall::LinksTakeDevice,
        HostCall::LinksSetBridge,
        HostCall::LinksGetBridge,
        HostCall::LinksSetPort,
        HostCall::LinksGetPort,
        HostCall::LinksSetProperties,
        HostCall::LinksGetProperties,
        HostCall::LinksReadPublicKey,
        HostCall::LinksSetPeers,
        HostCall::LinksRemovePeers,
        HostCall::LinksListPeers,
        HostCall::AddressesList,
        HostCall::NeighboursList,
        HostCall::NeighboursListForwarding,
        HostCall::RoutesList,
        HostCall::RoutesListWhole,
        HostCall::ShapingSetRate,
        HostCall::ShapingGetRate,
        HostCall::ShapingRedirect,
        HostCall::NamespacesNamespaceRemove,
        HostCall::SysctlsGetLink,
        HostCall::SysctlsSetLink,
        HostCall::SysctlsGetNeighbour,
        HostCall::SysctlsSetNeighbour,
        HostCall::SysctlsGetNamespace,
        HostCall::SysctlsSetNamespace,
        HostCall::ForwardingAllow,
        HostCall::ForwardingDisallow,
    ]);
    let others = names(HostCall::ALL.into_iter().filter(|call| Permission::of(*call).is_some()));
    let reached: BTreeSet<_> = others.difference(&out_of_reach).copied().collect();
    assert_eq!(refused, reached);
}

#[test]
fn with_links_alone_everything_else_is_refused() {
    let grant = grant::file::read("g", b"permissions = ['links']\nnamespaces = ['host']").unwrap();
    let audit = walked(grant);
    let refused: BTreeSet<_> = audit.calls.iter().filter(|c| c.refused > 0).map(|c| c.function.as_str()).collect();
    let allowed: BTreeSet<_> = audit.calls.iter().filter(|c| c.allowed > 0).map(|c| c.function.as_str()).collect();
    let may = |call: &HostCall| matches!(Permission::of(*call), None | Some(Permission::Links));
    assert!(allowed.is_subset(&names(HostCall::ALL.into_iter().filter(may))), "{allowed:?}");
    let others = names(HostCall::ALL.into_iter().filter(|call| !may(call)));
    let missing: Vec<_> = others.difference(&refused).collect();
    assert_eq!(missing, [&HostCall::CapabilitiesJoinInfoAddTableEntry.name()], "of a join");
}

#[test]
fn a_parent_is_built_on_and_not_changed() {
    let bench = Bench::new();
    bench.host.run("ip link add eth0 type veth peer name far0");
    bench.host.run("ip link set eth0 up");
    bench.load("hostile", "test/hostile", &[]);
    let name = Name::new("hostile").unwrap();
    let mut grant = bench.wait(bench.controller.driver(&name)).unwrap().grant;
    grant.parents.insert("eth0".into());
    bench.wait(bench.controller.set_grant(&name, grant)).unwrap();
    let network = |attack: &str| {
        let more = json!({"pools": [{"subnet": "10.78.0.0/24"}], "options": {"attack": attack}});
        bench.wait(bench.controller.create_network(create("h", "hostile", &more)))
    };
    let host = bench.host.dump();
    let error = network("take-eth0").unwrap_err();
    assert!(error.message.contains("eth0 is not the driver's own"), "{error}");
    same_at_last(|| bench.host.dump(), &host);
    for attack in ["slow-eth0", "receive-what-eth0-does", "send-through-eth0", "listen-on-eth0", "filter-on-eth0"] {
        let error = network(attack).unwrap_err();
        assert!(error.message.contains("eth0 is not the driver's own"), "{attack}: {error}");
        same_at_last(|| bench.host.dump(), &host);
    }
    for attack in ["build-on-eth0", "tap-on-eth0", "listen-by-a-link-on-eth0"] {
        let error = network(attack).unwrap_err();
        assert!(error.message.contains("the driver's grant lacks permissions: changed-parents"), "{error}");
        same_at_last(|| bench.host.dump(), &host);
    }
    let mut grant = bench.wait(bench.controller.driver(&name)).unwrap().grant;
    grant.permissions.insert(Permission::ChangedParents);
    bench.wait(bench.controller.set_grant(&name, grant)).unwrap();
    network("build-on-eth0").unwrap();
    assert!(bench.host.run("ip -d link show hm").contains("macvlan mode passthru"), "{}", bench.host.dump());
    bench.wait(bench.controller.remove_network("h")).unwrap();
    same_at_last(|| bench.host.dump(), &host);
    network("listen-by-a-link-on-eth0").unwrap();
    assert!(bench.host.run("ip -d link show hm").contains("PROMISC"), "{}", bench.host.dump());
    bench.wait(bench.controller.remove_network("h")).unwrap();
    same_at_last(|| bench.host.dump(), &host);
}

/// By an interface that the grant names, with a permission of its own: beside what the host does there itself.
#[test]
fn a_parent_is_routed_by_beside_the_host() {
    let bench = Bench::new();
    bench.host.run("ip link add eth0 type veth peer name far0");
    // Without addresses of their own, which would come later.
    bench.host.run("ip link set far0 addrgenmode none up");
    bench.host.run("ip link set eth0 addrgenmode none up");
    bench.host.run("ip address add 192.0.2.2/24 dev eth0");
    bench.host.run("ip route add default via 192.0.2.1");
    bench.load("hostile", "test/hostile", &[]);
    let name = Name::new("hostile").unwrap();
    let mut grant = bench.wait(bench.controller.driver(&name)).unwrap().grant;
    grant.parents.insert("eth0".into());
    grant.addresses.insert(grant::Range::Net("192.0.2.0/24".parse().unwrap()));
    grant.routes.insert(grant::Range::Net("192.0.2.0/24".parse().unwrap()));
    let set = |grant: &Grant| bench.wait(bench.controller.set_grant(&name, grant.clone())).unwrap();
    let network = |attack: &str| {
        let more = json!({"pools": [{"subnet": "10.78.0.0/24"}], "options": {"attack": attack}});
        bench.wait(bench.controller.create_network(create("h", "hostile", &more)))
    };
    set(&grant);
    let host = bench.host.settled();
    let refuses = |attack: &str, says: &str| {
        let error = network(attack).unwrap_err();
        assert!(error.message.contains(says), "{attack}: {error}");
        same_at_last(|| bench.host.dump(), &host);
    };
    refuses("path-by-a-parent", "the driver's grant lacks permissions: parent-routes");
    refuses("answer-for-the-router", "the driver's grant lacks permissions: parent-routes");
    grant.permissions.insert(Permission::ParentRoutes);
    set(&grant);
    refuses("path-over-the-lan", "192.0.2.0/25 overlaps with 192.0.2.");
    refuses("path-before-the-hosts", "192.0.2.0/24 overlaps with 192.0.2.");
    refuses("path-for-everything-by-a-parent", "a default route is a permission of its own");
    refuses("path-by-a-foreign-gateway", "the driver's grant lacks routes: 198.51.100.1/32");
    refuses("answer-for-the-router", "192.0.2.1 is a router that routes of this host go by");
    refuses("answer-for-the-host-on-the-lan", "192.0.2.2 is an address of this host's");
    refuses("answer-for-nobody-on-the-lan", "169.254.1.1/32 lies in none of the network's pools");
    grant.routes.insert(grant::Range::Default);
    set(&grant);
    refuses("path-for-everything-by-a-parent", "0.0.0.0/0 overlaps with ");
    // What is granted is there, and goes with its network.
    network("path-by-a-parent").unwrap();
    let routes = bench.host.run("ip route show 10.78.0.0/24");
    assert!(routes.contains("via 192.0.2.7 dev eth0"), "{routes}");
    bench.wait(bench.controller.remove_network("h")).unwrap();
    same_at_last(|| bench.host.dump(), &host);
}

/// What a rule does beside its verdict that others notice: with the words for it, and gone with its network.
#[test]
fn marks_and_a_log_are_granted_by_words_of_their_own() {
    let bench = Bench::new();
    bench.load("hostile", "test/hostile", &[]);
    let name = Name::new("hostile").unwrap();
    let mut grant = bench.wait(bench.controller.driver(&name)).unwrap().grant;
    let network = |attack: &str| {
        let more = json!({"pools": [{"subnet": "10.78.0.0/24"}], "options": {"attack": attack}});
        bench.wait(bench.controller.create_network(create("h", "hostile", &more)))
    };
    let host = bench.host.settled();
    for (attack, says) in [("mark-its-packets", "lacks mark-bits: 0x0000ff00"), ("log-without-leave", "packet-log")] {
        let error = network(attack).unwrap_err();
        assert!(error.message.contains(says), "{attack}: {error}");
    }
    grant.mark_bits = grant::MarkBits(0xff00);
    grant.permissions.insert(Permission::PacketLog);
    bench.wait(bench.controller.set_grant(&name, grant)).unwrap();
    for (attack, says) in [
        ("mark-its-packets", "meta mark set meta mark & 0xffff05ff | 0x00000500"),
        ("map-to-marks-that-are-not-granted", "10.78.0.0/24 : 0x00000100"),
        ("log-without-leave", "limit rate 1/second log prefix \"pontoon hostile: h \""),
    ] {
        network(attack).unwrap();
        let rules = bench.host.run("nft list ruleset");
        assert!(rules.contains(says), "{rules}");
        bench.wait(bench.controller.remove_network("h")).unwrap();
    }
    same_at_last(|| bench.host.dump(), &host);
    let error = network("mark-everybodys-packets").unwrap_err();
    assert!(error.message.contains("lacks mark-bits: 0xffffffff"), "{error}");
}

/// A container engine can leave an endpoint's address to the driver. The probe tries one that is not the network's before it takes one that is.
#[test]
fn an_address_that_a_driver_chooses_is_its_networks() {
    let bench = FakeBench::new();
    bench.load("probe", "test/probe");
    let driver = Name::new("probe").unwrap();
    let ask =
        |request| bench.wait(bench.controller().request(&Origin::Docker { api: None }, &driver, request)).unwrap();
    let (network, endpoint) = (Id::new("n1").unwrap(), Id::new("e1").unwrap());
    let (generic, other) = (Labels::new(), Labels::new());
    let options = NetworkOptions { ipv4: true, ipv6: false, internal: false, generic, other };
    let pool = Some("10.31.0.0/24".parse().unwrap());
    let pool = PoolData { address_space: "local".into(), pool, gateway: None, aux_addresses: [].into() };
    let (ipv4, ipv6) = (vec![pool], vec![]);
    ask(Request::CreateNetwork(CreateNetwork { network: network.clone(), options, ipv4, ipv6 }));
    let generic = [("probe.do".to_owned(), "interface-info".to_owned())].into();
    let options = EndpointOptions { generic, ..EndpointOptions::default() };
    let (key, interface) = (EndpointKey { network, endpoint }, Interface::default());
    ask(Request::CreateEndpoint(CreateEndpoint { key, interface, options }));
    let address = bench.wait(bench.controller().endpoints(None)).unwrap()[0].address.unwrap();
    assert_eq!(address.to_string(), "10.31.0.253/24");
}

/// A driver that takes the place of another keeps what it may do, its configuration, and what was counted and refused; the table says so.
#[test]
fn a_replacement_keeps_grant_configuration_counts_and_audit() {
    let (daemon, path) = bare();
    daemon.ok(&format!("driver load {path} --grant-asked --set a=b"));
    daemon.ok("network create n");
    let calls = |line: &str| daemon.ok(line).lines().map(str::to_owned).collect::<Vec<_>>();
    let audit = calls("driver audit bridge");
    assert!(audit.iter().any(|line| line.starts_with("links.add")), "{audit:?}");
    let replaced = daemon.cli(&format!("driver upgrade bridge {path}"));
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert!(!replaced.err.contains(" NO") && replaced.err.contains("permissions: links "), "{replaced:?}");
    assert!(replaced.err.contains("it keeps its configuration: a=b (--set replaces all of it)"), "{replaced:?}");
    assert_eq!(calls("driver audit bridge"), audit);
    let shown = daemon.ok("driver inspect bridge");
    assert!(shown.lines().any(|line| line.starts_with("create-network ") && line.contains(" 1 ")), "{shown}");
    let replaced = daemon.cli(&format!("driver upgrade bridge {path} --set c=d"));
    assert!(replaced.code == 0 && !replaced.err.contains("keeps its configuration"), "{replaced:?}");
    daemon.ok("network rm n");
}

/// An interface that was forgotten is said aloud; one that a driver does not give is nothing to say.
#[test]
fn an_attach_without_an_interface_is_a_warning() {
    let daemon = Daemon::start();
    let faulty = driver("test/faulty");
    daemon.ok(&format!("driver load {} --set fault=names-nothing", faulty.display()));
    daemon.ok(&format!("driver load {} --grant-asked", driver("null").display()));
    for (name, warns) in [("faulty", true), ("null", false)] {
        daemon.ok(&format!("network create n-{name} --driver {name}"));
        let namespace = Namespace::new(name);
        let attached = daemon.cli(&format!("endpoint attach n-{name} {}", namespace.path().display()));
        assert_eq!((attached.code, attached.err.contains("WARNING: ")), (0, warns), "{attached:?}");
        assert_eq!(
            attached.err.contains(&format!("{name} named no link in join (`set-names`)")),
            warns,
            "{attached:?}"
        );
        daemon.ok(&format!("endpoint detach n-{name} {}", namespace.path().display()));
        daemon.ok(&format!("network rm n-{name}"));
    }
}
