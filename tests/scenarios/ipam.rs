//! A driver manages the addresses: of an operator's networks and of dockerd's, and whatever it answers, nobody gets what somebody else has.

use pontoon_tests::{Bench, Daemon, Namespace, attach, create, driver, same_at_last};
use serde_json::{Value, json};
use words::{Error, Name};

/// Exit codes.
const FORBIDDEN: i32 = 6;
const EXISTS: i32 = 5;
const INVALID: i32 = 7;
const NOT_IMPLEMENTED: i32 = 8;

fn started() -> Daemon {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok(&format!("driver load {}", driver("test/pools").display()));
    daemon
}

fn address(daemon: &Daemon, network: &str, endpoint: &str) -> String {
    let attached = daemon.json(&format!("network inspect {network}"))["attached"].clone();
    let found = attached.as_array().unwrap().iter().find(|e| e["name"] == endpoint).unwrap().clone();
    found["address"].as_str().unwrap().to_owned()
}

fn usage(daemon: &Daemon, network: &str) -> Value {
    daemon.json(&format!("network inspect {network}"))["usage"].clone()
}

/// A trace has the calls of both drivers, in their order.
#[test]
fn a_trace_shows_who_gave_the_addresses() {
    let daemon = started();
    let functions = |answer: &Value| -> Vec<String> {
        let calls = answer["calls"].as_array().unwrap().iter();
        calls
            .map(|call| call["function"].as_str().unwrap().to_owned())
            .filter(|name| !name.contains("gateway"))
            .collect()
    };
    let created = functions(&daemon.json("network create n --ipam pools"));
    assert_eq!(created, ["request-pool", "request-address", "create-network"]);
    let a = Namespace::new("a");
    let attached = functions(&daemon.json(&format!("endpoint attach n {} --ip 10.80.0.9", a.text())));
    assert_eq!(attached[..3], ["request-address", "create-endpoint", "join"]);
    assert_eq!(functions(&daemon.json("endpoint detach n a")).last().unwrap(), "release-address");
    assert!(daemon.ok("network rm n --trace").contains("release-pool"));
}

#[test]
fn an_operators_network_has_its_addresses_of_a_driver() {
    let daemon = started();
    let made = daemon.json("network create n --ipam pools --ipv6 --ipam-opt reserve=10.80.0.2");
    let subnets: Vec<_> = made["pools"].as_array().unwrap().iter().map(|pool| pool["subnet"].clone()).collect();
    assert_eq!(subnets, ["10.80.0.0/24", "fd00:80::/64"]);
    assert_eq!((&made["ipam"], &made["pools"][0]["gateway"]), (&"pools".into(), &"10.80.0.1".into()));
    assert_eq!(made["pools"][0]["aux_addresses"], json!({"driver": "10.80.0.2"}));
    let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
    daemon.ok(&format!("endpoint attach n {} --ip 10.80.0.9", a.text()));
    assert_eq!(address(&daemon, "n", "a"), "10.80.0.9/24");
    assert!(a.pings("10.80.0.1"), "the driver of the network knows the pool and its gateway");
    // What it gives next is reserved by itself: the host looks.
    let refusal = daemon.refused(EXISTS, &format!("endpoint attach n {}", b.text()));
    assert!(refusal.contains("10.80.0.2 is the auxiliary address \"driver\""), "{refusal}");
    daemon.ok(&format!("endpoint attach n {} --ip 10.80.0.7", b.text()));
    let refusal = daemon.refused(EXISTS, &format!("endpoint attach n {} --ip 10.80.0.9", c.text()));
    assert!(refusal.contains("10.80.0.9 is given"), "{refusal}");
    let refusal = daemon.refused(INVALID, &format!("endpoint attach n {} --ip 10.81.0.9", c.text()));
    assert!(refusal.contains("lies in no subnet"), "{refusal}");
    assert_eq!(usage(&daemon, "n")[0], json!({"subnet": "10.80.0.0/24", "in_use": 3, "available": 251}));
    daemon.ok("endpoint detach n a");
    assert_eq!(usage(&daemon, "n")[0]["in_use"], 2, "the lease goes with the endpoint");
    daemon.ok(&format!("endpoint attach n {} --ip 10.80.0.9", c.text()));
    for (kind, line) in [(FORBIDDEN, "driver rm pools"), (INVALID, "network create m --ipam bridge")] {
        daemon.refused(kind, line);
    }
    let refusal = daemon.refused(NOT_IMPLEMENTED, "network create m --driver pools");
    assert!(refusal.contains("does not export driver"), "{refusal}");
    daemon.ok("endpoint detach n b");
    daemon.ok("endpoint detach n c");
    daemon.ok("network rm n");
    let stored = daemon.stored();
    assert!(!["pools: ", "leases: ", "state: "].iter().any(|table| stored.contains(table)), "{stored}");
    daemon.ok("driver rm pools");
}

#[test]
fn gateways_and_reserved_addresses_are_asked_for() {
    let daemon = started();
    let range = "--subnet 10.80.5.0/24 --gateway 10.80.5.254 --aux-address printer=10.80.5.9";
    let made = daemon.json(&format!("network create n --ipam pools {range}"));
    let pool = json!({"subnet": "10.80.5.0/24", "gateway": "10.80.5.254", "aux_addresses": {"printer": "10.80.5.9"}});
    assert_eq!(made["pools"][0], pool);
    assert_eq!(usage(&daemon, "n")[0]["in_use"], 2);
    let refusal = daemon.refused(EXISTS, "network create m --ipam pools --subnet 10.80.5.128/25");
    assert!(refusal.contains("10.80.5.128/25 overlaps with 10.80.5.0/24 of network \"n\""), "{refusal}");
    let refusal = daemon.refused(FORBIDDEN, "network create m --ipam pools --subnet 10.99.0.0/24");
    assert!(refusal.contains("the driver's grant lacks pools: 10.99.0.0/24"), "{refusal}");
    // Pontoon's own pools and a driver's are kept apart, whoever comes first.
    daemon.ok("network create o --subnet 10.80.0.0/24");
    assert_eq!(daemon.json("network create p --ipam pools")["pools"][0]["subnet"], "10.80.1.0/24");
    daemon.refused(EXISTS, "network create q --subnet 10.80.1.0/25");
}

#[test]
fn a_driver_that_needs_macs_gets_them() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok(&format!("driver load {} --set requires-mac-address=yes", driver("test/pools").display()));
    daemon.ok("network create n --ipam pools");
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    let mac = daemon.json("network inspect n")["attached"][0]["mac_address"].as_str().unwrap().to_owned();
    let hex: String = format!("\"{mac}\"").bytes().map(|b| format!("{b:02x}")).collect();
    assert!(daemon.stored().contains(&hex), "it was told {mac}: {}", daemon.stored());
    assert!(a.run("ip -o link show eth0").contains(&mac));
    daemon.ok("endpoint detach n a");
    daemon.ok("network rm n");
}

fn docks(daemon: &Daemon, method: &str, body: &Value) -> (u16, Value) {
    let (status, text) = crate::plugin_socket::ask(daemon, "pools", method, &body.to_string());
    (status, serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap())
}

#[test]
fn dockers_requests_go_to_the_driver() {
    let daemon = started();
    let nothing = json!({});
    assert_eq!(docks(&daemon, "Plugin.Activate", &nothing).1, json!({"Implements": ["IpamDriver"]}));
    let spaces = json!({"LocalDefaultAddressSpace": "PoolsLocal", "GlobalDefaultAddressSpace": "PoolsGlobal"});
    assert_eq!(docks(&daemon, "IpamDriver.GetDefaultAddressSpaces", &nothing).1, spaces);
    let capabilities = json!({"RequiresMACAddress": false, "RequiresRequestReplay": false});
    assert_eq!(docks(&daemon, "IpamDriver.GetCapabilities", &nothing).1, capabilities);
    let (status, taken) = docks(&daemon, "IpamDriver.RequestPool", &json!({"AddressSpace": "PoolsLocal"}));
    assert_eq!((status, &taken["Pool"]), (200, &"10.80.0.0/24".into()), "{taken}");
    let (_, second) = docks(&daemon, "IpamDriver.RequestPool", &json!({"AddressSpace": "PoolsLocal", "V6": true}));
    assert_eq!(second["Pool"], "fd00:80::/64");
    let id = &taken["PoolID"];
    let gateway = json!({"PoolID": id, "Options": {"RequestAddressType": "com.docker.network.gateway"}});
    assert_eq!(docks(&daemon, "IpamDriver.RequestAddress", &gateway).1["Address"], "10.80.0.1/24");
    let any = json!({"PoolID": id});
    assert_eq!(docks(&daemon, "IpamDriver.RequestAddress", &any).1["Address"], "10.80.0.2/24");
    let wanted = json!({"PoolID": id, "Address": "10.80.0.2"});
    let (status, answer) = docks(&daemon, "IpamDriver.RequestAddress", &wanted);
    assert!(status == 500 && answer["Err"].as_str().unwrap().contains("10.80.0.2 is given"), "{answer}");
    assert_eq!(docks(&daemon, "IpamDriver.ReleaseAddress", &wanted).0, 200);
    assert_eq!(docks(&daemon, "IpamDriver.RequestAddress", &wanted).0, 200);
    let body = json!({"PoolID": "nobody", "Address": "10.80.0.2"});
    assert_eq!(docks(&daemon, "IpamDriver.ReleaseAddress", &body).0, 200, "what is not there is free");
    for pool in [id, &second["PoolID"], &"nobody".into()] {
        assert_eq!(docks(&daemon, "IpamDriver.ReleasePool", &json!({"PoolID": pool})).0, 200);
    }
    let stored = daemon.stored();
    assert!(!["pools: ", "leases: ", "state: "].iter().any(|table| stored.contains(table)), "{stored}");
}

/// A bridge with a network that the driver would like to have, and the driver.
fn scene() -> Bench {
    let bench = Bench::with_deadline(std::time::Duration::from_secs(2));
    bench.host.run("ip link add eth0 type veth peer name far0");
    bench.host.run("ip address add 192.0.2.1/24 dev eth0");
    bench.host.run("ip link set eth0 up");
    bench.load("bridge", "bridge", &[]);
    bench.load("pools", "test/pools", &[]);
    let victim = json!({"pools": [{"subnet": "10.77.0.0/24"}]});
    bench.wait(bench.controller.create_network(create("victim", "bridge", &victim))).unwrap();
    bench
}

fn create_with(bench: &Bench, attack: &str, more: &Value) -> Result<(), Error> {
    let mut options = json!({"ipam": "pools", "ipam_options": {"attack": attack}});
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.wait(bench.controller.create_network(create("n", "bridge", &options))).map(drop)
}

/// What a driver does in the place of giving a pool, and what is said of it.
const OF_POOLS: &[(&str, &str)] = &[
    ("overlap", "10.77.0.0/25 overlaps with 10.77.0.0/24 of network \"victim\""),
    ("swallow", "10.77.0.0/16 overlaps with 10.77.0.0/24 of network \"victim\""),
    ("not-granted", "the driver's grant lacks pools: 10.81.0.0/24"),
    ("wider-than-granted", "the driver's grant lacks pools: 10.80.0.0/15"),
    ("everything", "0.0.0.0/0 is not the driver's to choose"),
    ("host-bits", "10.80.0.7/24 has host bits set"),
    ("multicast", "224.1.0.0/24 can't be a pool"),
    ("the-hosts-own", "192.0.2.0/24 is a network that the host itself reaches"),
    ("other-family", "fd00:80::/64, which is of the other family"),
    ("many-reserved", "it reserves 257 addresses: at most 256"),
    ("many-thousand-reserved", "too much data"),
    // By its memory or by its time, whichever ends first.
    ("a-million-reserved", "request-pool "),
    ("reserved-outside", "it reserves 10.80.1.1: the name has to be"),
    ("reserved-nameless", "it reserves 10.80.0.1: the name has to be"),
    ("make-a-link", "a call for address management gets no kernel and no tables"),
    ("write-a-table", "a call for address management gets no kernel and no tables"),
    ("trap", "request-pool trapped"),
    ("spin", "request-pool ran past its deadline of 2 s"),
];

#[test]
fn a_pool_that_can_not_be_given_is_not() {
    let bench = scene();
    let before = (bench.host.settled(), bench.stored());
    for (attack, says) in OF_POOLS {
        let error = create_with(&bench, attack, &json!({})).expect_err(attack);
        assert!(error.message.contains(says), "{attack}: {error}");
        same_at_last(|| (bench.host.settled(), bench.stored()), &before);
    }
    let wanted = json!({"pools": [{"subnet": "10.80.3.0/24"}]});
    let error = create_with(&bench, "another-pool", &wanted).unwrap_err();
    assert!(error.message.contains("it gave 10.80.9.0/24, and 10.80.3.0/24 was asked for"), "{error}");
    same_at_last(|| (bench.host.settled(), bench.stored()), &before);
    let audit = bench.wait(bench.controller.audit(&Name::new("pools").unwrap())).unwrap();
    assert!(audit.refused.iter().any(|refused| refused.why.contains("lacks pools: 10.81.0.0/24")), "{audit:?}");
}

/// The same of an endpoint's address.
const OF_ADDRESSES: &[(&str, &str)] = &[
    ("address-outside", "10.80.200.1 is not in 10.80.0.0/24"),
    ("address-twice", "10.80.0.1 is taken"),
    ("address-of-the-pool", "10.80.0.0 is no host's address in 10.80.0.0/24"),
    ("address-of-broadcast", "10.80.0.255 is no host's address in 10.80.0.0/24"),
    ("address-of-the-other-family", "fd00:80::5 is not in 10.80.0.0/24"),
    ("address-reserved", "10.80.0.9 is the auxiliary address \"driver\" of 10.80.0.0/24"),
    ("address-trap", "request-address trapped"),
];

#[test]
fn an_address_that_can_not_be_given_is_not() {
    let bench = scene();
    let namespace = Namespace::new("a");
    for (attack, says) in OF_ADDRESSES {
        create_with(&bench, attack, &json!({"ipam_options": {"attack": attack, "reserve": "10.80.0.9"}})).unwrap();
        let before = (bench.host.settled(), bench.stored());
        let error = bench.wait(bench.controller.attach("n", attach(&namespace, &json!({})))).expect_err(attack);
        assert!(error.message.contains(says), "{attack}: {error}");
        same_at_last(|| (bench.host.settled(), bench.stored()), &before);
        bench.wait(bench.controller.remove_network("n")).unwrap();
    }
    create_with(&bench, "another-address", &json!({})).unwrap();
    let wanted = json!({"address": "10.80.0.5"});
    let error = bench.wait(bench.controller.attach("n", attach(&namespace, &wanted))).unwrap_err();
    assert!(error.message.contains("it gave 10.80.0.77, and 10.80.0.5 was asked for"), "{error}");
}

#[test]
fn a_driver_can_keep_nothing() {
    let bench = scene();
    let before = bench.stored();
    let namespace = Namespace::new("a");
    create_with(&bench, "keep-the-address", &json!({})).unwrap();
    let made = bench.stored();
    bench.wait(bench.controller.attach("n", attach(&namespace, &json!({})))).unwrap();
    bench.wait(bench.controller.detach(Some("n"), "a")).unwrap();
    let leases = |text: &str| text.lines().filter(|line| line.starts_with("leases: ")).count();
    assert_eq!(leases(&bench.stored()), leases(&made), "free all the same");
    bench.wait(bench.controller.remove_network("n")).unwrap();
    create_with(&bench, "keep-the-pool", &json!({})).unwrap();
    bench.wait(bench.controller.remove_network("n")).unwrap();
    assert_eq!(bench.stored(), before);
}

/// What was given outlives restarts of the daemon, and a reboot but for the endpoints, which are gone.
#[test]
fn what_was_given_is_kept() {
    let mut daemon = started();
    daemon.ok("network create n --ipam pools");
    let [a, b] = ["a", "b"].map(Namespace::new);
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    daemon.kill();
    daemon.run();
    assert_eq!(usage(&daemon, "n")[0]["in_use"], 2);
    daemon.ok(&format!("endpoint attach n {}", b.text()));
    assert_eq!(address(&daemon, "n", "b"), "10.80.0.3/24");
    assert_eq!(daemon.json("network create m --ipam pools")["pools"][0]["subnet"], "10.80.1.0/24");
    daemon.reboot();
    daemon.run();
    assert_eq!(usage(&daemon, "n")[0]["in_use"], 1, "the gateway");
}

#[test]
fn a_component_may_have_no_more_than_that_part() {
    let daemon = started();
    let shown = daemon.json("driver inspect pools");
    assert_eq!((&shown["parts"], &shown["network_type"]), (&json!(["ipam"]), &"pools".into()));
    assert_eq!(shown["ipam"]["local_address_space"], "PoolsLocal");
    let refusal = daemon.refused(INVALID, &format!("driver upgrade pools {}", driver("null").display()));
    assert!(refusal.contains("registers its address management otherwise"), "{refusal}");
}

#[test]
fn the_suite_has_checks_for_the_part() {
    let daemon = Daemon::stopped();
    let said = daemon.ok(&format!("driver test --fake --strict {}", driver("test/pools").display()));
    let line = |check: &str| said.lines().find(|line| line.starts_with(check)).unwrap().to_owned();
    for check in ["pools ", "pools-wanted", "addresses", "pools-unknown", "faults-pools"] {
        assert!(line(check).contains(" ok "), "{said}");
    }
    assert!(line("life-ipv4").contains("the driver does not export driver"), "{said}");
}

/// The sample driver, which is not in Rust.
#[test]
#[cfg_attr(skips = "javascript", ignore = "TypeScript's tools can't be had here")]
fn addresses_follow_a_plan() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    let ranges =
        "--set range.default=10.90.0.0/16 --set range.lab=10.90.128.0/20 --set range.default-ipv6=fd00:90::/48";
    let plan = format!("{ranges} --set mac.02:42:00:00:00:07=10.90.128.50,fd00:90::7");
    let said = daemon.ok(&format!("driver test --fake --strict {plan} {}", driver("ipam-ranges").display()));
    assert!(said.contains(" 0 failed"), "{said}");
    daemon.ok(&format!("driver load {plan} {}", driver("ipam-ranges").display()));
    let made = daemon.json("network create n --ipv6 --no-ipv4 --ipam ipam-ranges");
    assert_eq!(made["pools"][0]["subnet"], "fd00:90::/64");
    daemon.ok("network rm n");
    let lab = "--ipam ipam-ranges --ipam-opt range=lab";
    assert_eq!(daemon.json(&format!("network create n {lab}"))["pools"][0]["subnet"], "10.90.128.0/24");
    assert_eq!(daemon.json(&format!("network create m {lab}"))["pools"][0]["subnet"], "10.90.129.0/24");
    let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    assert_eq!(address(&daemon, "n", "a"), "10.90.128.2/24", "in order, after the gateway");
    let refusal = daemon.refused(FORBIDDEN, &format!("endpoint attach n {} --ip 10.90.128.50", b.text()));
    assert!(refusal.contains("10.90.128.50 is reserved for another MAC"), "{refusal}");
    daemon.ok(&format!("endpoint attach n {} --mac-address 02:42:00:00:00:07", b.text()));
    assert_eq!(address(&daemon, "n", "b"), "10.90.128.50/24");
    daemon.ok("endpoint detach n a");
    daemon.ok(&format!("endpoint attach n {}", c.text()));
    assert_eq!(address(&daemon, "n", "c"), "10.90.128.2/24", "the first that nobody has");
    assert_eq!(usage(&daemon, "n")[0], json!({"subnet": "10.90.128.0/24", "in_use": 3, "available": 251}));
    let refusal = daemon.refused(4, "network create o --ipam ipam-ranges --ipam-opt range=none");
    assert!(refusal.contains("there is no range none"), "{refusal}");
    let refusal = daemon.refused(FORBIDDEN, "network create o --ipam ipam-ranges --subnet 10.91.0.0/24");
    assert!(refusal.contains("the driver's grant lacks pools: 10.91.0.0/24"), "{refusal}");
}
