//! Subnets, addresses and MACs: nobody gets what somebody else has, and neighbours hear of a change.

use pontoon_tests::{Daemon, Namespace, fetch, listen_tcp, outside};
use serde_json::{Value, json};

/// Exit codes.
const EXISTS: i32 = 5;
const INVALID: i32 = 7;

fn started() -> Daemon {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon
}

/// With a socket for dockerd: `docks`.
fn started_for_docker() -> Daemon {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name docks", pontoon_tests::driver("bridge").display()));
    daemon
}

/// An answer of that socket's.
fn docks(daemon: &Daemon, method: &str, body: &Value) -> (u16, String) {
    crate::plugin_socket::ask(daemon, "docks", method, &body.to_string())
}

/// The subnets of a new network, which is removed again.
fn subnets(daemon: &Daemon, options: &str) -> Vec<String> {
    let made = daemon.json(&format!("network create {options} n"));
    daemon.ok("network rm n");
    made["pools"].as_array().unwrap().iter().map(|pool| pool["subnet"].as_str().unwrap().to_owned()).collect()
}

fn mac(namespace: &Namespace) -> String {
    let line = namespace.run("ip -o link show eth0");
    line.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

fn mtu(namespace: &Namespace, link: &str) -> u32 {
    let line = namespace.run(&format!("ip -o link show {link}"));
    line.split("mtu ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_automatic_subnet_is_none_that_the_host_reaches() {
    let daemon = started();
    let _outside = outside(&daemon.host);
    let host = |command: &str| drop(daemon.host.run(command));
    host("ip route add default via 192.0.2.2");
    host("ip -6 route add default via 2001:db8::2");
    assert_eq!(subnets(&daemon, "")[0], "10.201.0.0/24", "a default route leads to everywhere");
    assert_eq!(subnets(&daemon, "")[0], "10.201.0.0/24", "neither does what a network has left count");
    host("ip address add 10.201.0.77/16 dev eth0");
    assert_eq!(subnets(&daemon, "")[0], "10.202.0.0/24", "the host's LAN");
    host("ip route add 10.202.0.0/24 via 192.0.2.2");
    host("ip route add 10.202.1.128/25 via 192.0.2.2 table 77");
    host("ip route add blackhole 10.202.2.1");
    assert_eq!(subnets(&daemon, "")[0], "10.202.3.0/24", "routes, in other tables, too, and to nowhere");
    let ours = &subnets(&daemon, "--ipv6")[1];
    host(&format!("ip -6 route add {ours} via 2001:db8::2"));
    let others = &subnets(&daemon, "--ipv6")[1];
    assert!(ours != others && others.ends_with("::/64"), "{ours} {others}");
    daemon.ok("network create --subnet 10.201.5.0/24 n");
}

#[test]
fn dockers_automatic_subnet_is_none_that_the_host_reaches() {
    let daemon = started_for_docker();
    let _outside = outside(&daemon.host);
    daemon.host.run("ip address add 10.201.0.77/16 dev eth0");
    let (status, answer) = docks(&daemon, "IpamDriver.RequestPool", &json!({}));
    assert!(status == 200 && answer.contains("10.202.0.0/24"), "{answer}");
}

#[test]
fn macs_are_unique_in_a_network() {
    let daemon = started();
    daemon.ok("network create n --subnet 10.9.0.0/24 --ipv6");
    daemon.ok("network create m --subnet 10.8.0.0/24");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(Namespace::new);
    daemon.ok(&format!("endpoint attach n {} --ip 10.9.0.2", a.text()));
    let derived = mac(&a);
    assert_eq!(derived, "02:42:0a:09:00:02");
    daemon.ok("endpoint detach n a");
    daemon.ok(&format!("endpoint attach n {} --ip 10.9.0.9 --mac-address {derived}", b.text()));
    daemon.ok(&format!("endpoint attach n {} --ip 10.9.0.2", c.text()));
    assert_ne!(mac(&b), mac(&c));
    for address in ["10.9.0.2", "10.9.0.9"] {
        daemon.host.run(&format!("ping -n -q -c 3 -i 0.2 -W 1 {address}"));
    }
    let refusal = daemon.refused(EXISTS, &format!("endpoint attach n {} --mac-address {derived}", d.text()));
    assert!(refusal.contains(&format!("the MAC address {derived} is that of the endpoint b")), "{refusal}");
    daemon.ok(&format!("endpoint attach m {} --mac-address {derived}", d.text()));
    daemon.ok("endpoint detach m d");
    for odd in ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"] {
        let refusal = daemon.refused(INVALID, &format!("endpoint attach n {} --mac-address {odd}", d.text()));
        assert!(refusal.contains("it is a multicast or all-zero address"), "{refusal}");
    }
    daemon.ok("endpoint detach n b");
    daemon.ok(&format!("endpoint attach n {} --mac-address {derived}", d.text()));
}

/// The same by the plugin protocol, where only an id is known.
#[test]
fn macs_are_unique_in_a_network_of_dockers() {
    let daemon = started_for_docker();
    let ask = |method: &str, body: Value| docks(&daemon, method, &body);
    let pool = json!({"Pool": "10.9.0.0/24", "Gateway": "10.9.0.1/24"});
    assert_eq!(ask("NetworkDriver.CreateNetwork", json!({"NetworkID": "n1", "IPv4Data": [pool]})).0, 200);
    let create = |id: &str, address: &str, mac: &str| {
        let mut interface = json!({"Address": address});
        if !mac.is_empty() {
            interface["MacAddress"] = mac.into();
        }
        let body = json!({"NetworkID": "n1", "EndpointID": id, "Interface": interface});
        ask("NetworkDriver.CreateEndpoint", body)
    };
    assert_eq!(create("e1", "10.9.0.9/24", "02:42:0a:09:00:02").0, 200);
    let (status, answer) = create("e2", "10.9.0.2/24", "");
    assert!(status == 200 && answer.contains("MacAddress") && !answer.contains("02:42:0a:09:00:02"), "{answer}");
    let (status, answer) = create("e3", "10.9.0.3/24", "02:42:0a:09:00:02");
    assert!(status != 200 && answer.contains("is that of the endpoint"), "{answer}");
    let (status, answer) = create("e3", "10.9.0.3/24", "01:00:5e:00:00:01");
    assert!(status != 200 && answer.contains("it is a multicast or all-zero address"), "{answer}");
}

/// The neighbour's entry is REACHABLE, and the kernel would believe it for half a minute.
#[test]
fn neighbours_hear_of_a_new_mac() {
    let daemon = started();
    daemon.ok("network create n --subnet 10.9.0.0/24 --ipv6 --subnet fd00:9::/64");
    let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
    daemon.ok(&format!("endpoint attach n {}", b.text()));
    let one = "--ip 10.9.0.99 --ip6 fd00:9::99";
    daemon.ok(&format!("endpoint attach n {} {one} --mac-address 02:00:00:00:00:0a", a.text()));
    let answers = |from: &Namespace| {
        for target in ["10.9.0.99", "fd00:9::99"] {
            // Under load the first one may be lost on its way; a stale entry loses all for half a minute.
            let ping = from.try_run(&format!("ping -n -q -c 2 -i 0.3 -W 1 {target}"));
            let known = [&b, &daemon.host].map(|at| at.run("ip neighbour"));
            assert!(ping.status.success(), "{target} from {}: {known:?}", from.text());
        }
    };
    [&b, &daemon.host].into_iter().for_each(answers);
    daemon.ok("endpoint detach n a");
    daemon.ok(&format!("endpoint attach n {} {one} --mac-address 02:00:00:00:00:0c", c.text()));
    [&b, &daemon.host].into_iter().for_each(answers);
    daemon.ok("endpoint detach n c");
    daemon.ok(&format!("endpoint attach n {} {one}", a.text()));
    [&b, &daemon.host].into_iter().for_each(answers);
}

/// The same where an engine moves the link after the join.
#[test]
fn neighbours_hear_of_a_new_mac_of_dockers() {
    let daemon = started_for_docker();
    let ask = |method: &str, body: Value| {
        let (status, answer) = docks(&daemon, method, &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let ipv4 = json!({"Pool": "10.9.0.0/24", "Gateway": "10.9.0.1/24"});
    let ipv6 = json!({"Pool": "fd00:9::/64", "Gateway": "fd00:9::1/64"});
    ask(
        "NetworkDriver.CreateNetwork",
        json!({"NetworkID": "n1", "IPv4Data": [ipv4], "IPv6Data": [ipv6],
        "Options": {"com.docker.network.enable_ipv6": true}}),
    );
    let start = |id: &str, container: &Namespace, number: &str, mac: &str| {
        let (address, address_ipv6) = (format!("10.9.0.{number}/24"), format!("fd00:9::{number}/64"));
        let interface = json!({"Address": address, "AddressIPv6": address_ipv6, "MacAddress": mac});
        ask("NetworkDriver.CreateEndpoint", json!({"NetworkID": "n1", "EndpointID": id, "Interface": interface}));
        let joined = ask(
            "NetworkDriver.Join",
            json!({"NetworkID": "n1", "EndpointID": id, "SandboxKey": format!("/run/docker/netns/{id}")}),
        );
        let link = joined.split("\"SrcName\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        daemon.host.run(&format!("ip link set {link} netns {}", container.text()));
        container.run(&format!("ip link set {link} name eth0"));
        container.run(&format!("ip address add {address} dev eth0"));
        container.run(&format!("ip address add {address_ipv6} dev eth0 nodad"));
        container.run("ip link set eth0 up");
        pontoon_tests::until("its port", || daemon.host.pings(&format!("10.9.0.{number}")));
    };
    let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
    start("eb", &b, "7", "02:00:00:00:00:0b");
    start("ea", &a, "99", "02:00:00:00:00:0a");
    let answers = || ["10.9.0.99", "fd00:9::99"].map(|target| b.run(&format!("ping -n -q -c 1 -W 1 {target}")));
    answers();
    for method in ["NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint"] {
        ask(method, json!({"NetworkID": "n1", "EndpointID": "ea"}));
    }
    start("ec", &c, "99", "02:00:00:00:00:0c");
    answers();
}

#[test]
fn links_have_the_mtu_of_the_way_out() {
    let daemon = started();
    let _outside = outside(&daemon.host);
    let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
    daemon.ok("network create wide");
    daemon.ok(&format!("endpoint attach wide {}", a.text()));
    assert_eq!(mtu(&a, "eth0"), 1500, "as much as the way out has");
    daemon.host.run("ip link set eth0 mtu 1400");
    daemon.ok("network create --ipv6 n");
    daemon.ok(&format!("endpoint attach n {}", b.text()));
    assert_eq!(mtu(&b, "eth0"), 1400, "no default route: the smallest of the others");
    daemon.host.run("ip link add far type veth peer name farther");
    daemon.host.run("ip link set far mtu 1300 up");
    daemon.host.run("ip address add 198.51.100.1/24 dev far");
    daemon.host.run("ip route add default via 192.0.2.2");
    daemon.ok("network create m");
    daemon.ok(&format!("endpoint attach m {}", c.text()));
    assert_eq!(mtu(&c, "eth0"), 1400, "the way out's");
    for network in ["n", "m"] {
        let id = daemon.json(&format!("network inspect {network}"))["id"].as_str().unwrap().to_owned();
        let bridges = daemon.host.run("ip -o link show type bridge");
        assert!(bridges.lines().filter(|line| line.contains("mtu 1400")).count() == 2, "{id} {bridges}");
    }
    assert!(daemon.host.run("ip -o link show type veth").lines().filter(|l| l.contains("mtu 1400")).count() >= 2);
    daemon.ok("endpoint detach m c");
    daemon.host.run("ip -6 route add default via 2001:db8::2");
    daemon.host.run("ip link set eth0 mtu 1280");
    daemon.ok(&format!("endpoint attach n {} --name later", c.text()));
    assert_eq!(mtu(&c, "eth0"), 1400, "its bridge's");
    daemon.ok("endpoint detach n later");
    daemon.ok("network create -o com.docker.network.driver.mtu=1450 o");
    daemon.ok(&format!("endpoint attach o {}", c.text()));
    assert_eq!(mtu(&c, "eth0"), 1450, "what the user wants");
}

/// The endpoint with the highest priority is the way out, whichever came first, and the namespace's ports go with it.
#[test]
fn the_gateway_is_the_endpoint_with_the_highest_priority() {
    let daemon = started();
    let outside = outside(&daemon.host);
    for (network, number) in [("one", 1), ("two", 2), ("three", 3)] {
        daemon.ok(&format!("network create {network} --subnet 10.9.{number}.0/24 --ipv6"));
    }
    daemon.ok("network create --internal shut --subnet 10.9.4.0/24 --ipv6");
    let a = Namespace::new("a");
    listen_tcp(&a, 80, "hello");
    let attach = |line: &str| drop(daemon.ok(&format!("endpoint attach {line} {}", a.text())));
    let is_gateway = |number: u8| {
        let (ipv4, ipv6) = (a.run("ip route show default"), a.run("ip -6 route show default"));
        assert!(ipv4.lines().count() == 1 && ipv4.contains(&format!("10.9.{number}.1")), "{number}: {ipv4}");
        let dev = ipv4.split("dev ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(ipv6.lines().count() == 1 && ipv6.contains(dev), "{dev}: {ipv6}");
        assert!(a.pings("192.0.2.2") && a.pings("2001:db8::2"), "{number}");
        for target in ["192.0.2.1:8080", "[2001:db8::1]:8080", "192.0.2.1:8081"] {
            assert_eq!(fetch(&outside, target), "hello", "{target} by {number}");
        }
    };
    attach("one -p 8080:80 -p 8081:80");
    is_gateway(1);
    attach("two");
    is_gateway(1);
    attach("three --gateway-priority 5 -p 8082:80");
    is_gateway(3);
    assert_eq!(fetch(&outside, "192.0.2.1:8082"), "hello");
    attach("shut --gateway-priority 9");
    is_gateway(3);
    daemon.ok("endpoint detach two a");
    // One that can't be: nothing has changed.
    daemon.refused(EXISTS, &format!("endpoint attach two --gateway-priority 9 -p 8080:80 {}", a.text()));
    is_gateway(3);
    attach("two --gateway-priority -1");
    is_gateway(3);
    daemon.ok("endpoint detach three a");
    is_gateway(1);
    assert_eq!(fetch(&outside, "192.0.2.1:8082"), "", "it went with its endpoint");
    daemon.ok("endpoint detach two a");
    attach("two --gateway-priority 1");
    is_gateway(2);
    daemon.ok("endpoint detach one a");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "", "they are another's, and went with it");
    assert!(a.pings("192.0.2.2"));
    assert_eq!(daemon.json("endpoint ls two")[0]["gateway_priority"], 1);
}

/// An administrator's bridge, with a network card in it, is no network's to change and remove.
#[test]
fn a_bridge_of_the_administrators_is_not_adopted() {
    let daemon = started();
    for command in
        ["ip link add br-lan type bridge", "ip link set br-lan up", "ip address add 198.51.100.1/24 dev br-lan"]
    {
        daemon.host.run(command);
    }
    let before = daemon.host.settled();
    let named = "-o com.docker.network.bridge.name=br-lan";
    for options in ["--subnet 198.51.100.0/24 --gateway 198.51.100.1", "", "--ipv6"] {
        let refusal = daemon.refused(EXISTS, &format!("network create n {options} {named}"));
        let says = "the host has a link br-lan already, which is not this driver's, and a network can't adopt it: choose another name";
        assert!(refusal.contains(says), "{refusal}");
    }
    assert_eq!(daemon.host.settled(), before);
}

/// What has a subnet or an address is named as a list shows it, and not by an id that nobody has seen.
#[test]
fn whose_it_is_is_told_by_a_name() {
    let daemon = started_for_docker();
    let ask = |method: &str, body: Value| docks(&daemon, method, &body);
    let (_, pool) = ask("IpamDriver.RequestPool", json!({"Pool": "10.40.0.0/24"}));
    let pool = pool.split("\"PoolID\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let overlaps = || daemon.refused(EXISTS, "network create n --driver docks --subnet 10.40.0.0/16");
    let refusal = overlaps();
    assert!(refusal.contains("overlaps with 10.40.0.0/24, which a container engine took") && !refusal.contains(&pool));
    assert!(refusal.contains("pontoon gc"), "{refusal}");
    let data = json!({"AddressSpace": "PontoonLocal", "Pool": "10.40.0.0/24", "Gateway": "10.40.0.1/24"});
    assert_eq!(ask("NetworkDriver.CreateNetwork", json!({"NetworkID": "n1", "IPv4Data": [data]})).0, 200);
    let network = daemon.json("network ls")[0]["name"].as_str().unwrap().to_owned();
    let refusal = overlaps();
    assert!(refusal.contains(&format!("overlaps with 10.40.0.0/24 of network \"{network}\"")), "{refusal}");
    let address = json!({"PoolID": pool, "Address": "10.40.0.5"});
    assert_eq!(ask("IpamDriver.RequestAddress", address.clone()).0, 200);
    let (_, refusal) = ask("IpamDriver.RequestAddress", address.clone());
    assert!(
        refusal.contains("10.40.0.5 is taken by a container engine") && refusal.contains("pontoon gc"),
        "{refusal}"
    );
    let endpoint = json!({"NetworkID": "n1", "EndpointID": "e1", "Interface": {"Address": "10.40.0.5/24"}});
    assert_eq!(ask("NetworkDriver.CreateEndpoint", endpoint).0, 200);
    let name = daemon.json("endpoint ls")[0]["name"].as_str().unwrap().to_owned();
    let (_, refusal) = ask("IpamDriver.RequestAddress", address);
    let says = format!("10.40.0.5 is taken by endpoint \\\"{name}\\\" of network \\\"{network}\\\"");
    assert!(refusal.contains(&says), "{refusal}");
}

/// dockerd asks again when an answer was lost on its way: the same request has the same answer, another one is refused.
#[test]
fn a_repeated_request_has_the_same_answer() {
    let mut daemon = started_for_docker();
    let pool = json!({"Pool": "10.9.0.0/24", "Gateway": "10.9.0.1/24"});
    let network = json!({"NetworkID": "n1", "IPv4Data": [pool], "Options": {"com.docker.network.generic": {"a": "b"}}});
    let other_network = json!({"NetworkID": "n1", "IPv4Data": [pool]});
    let endpoint = |address: &str, options: Value| json!({"NetworkID": "n1", "EndpointID": "e1", "Interface": {"Address": address}, "Options": options});
    let ports = json!({"com.docker.network.portmap": [{"Proto": 6, "Port": 80, "HostPort": 8080}]});
    let body =
        |(status, answer): (u16, String)| (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned());
    for _ in 0..2 {
        let ask = |method: &str, asked: &Value| body(docks(&daemon, method, asked));
        assert_eq!(ask("NetworkDriver.CreateNetwork", &network).0, 200);
        let (status, answer) = ask("NetworkDriver.CreateNetwork", &other_network);
        assert!(status != 200 && answer.contains("is there already"), "{answer}");
        let same = endpoint("10.9.0.2/24", ports.clone());
        let first = ask("NetworkDriver.CreateEndpoint", &same);
        assert!(first.0 == 200 && first.1.contains("02:42:0a:09:00:02"), "{first:?}");
        assert_eq!(ask("NetworkDriver.CreateEndpoint", &same), first);
        for other in [endpoint("10.9.0.3/24", ports.clone()), endpoint("10.9.0.2/24", json!({}))] {
            let (status, answer) = ask("NetworkDriver.CreateEndpoint", &other);
            assert!(status != 200 && answer.contains("is there already"), "{answer}");
        }
        assert_eq!(daemon.json("endpoint ls").as_array().unwrap().len(), 1);
        daemon.restart();
    }
    let joined = json!({"NetworkID": "n1", "EndpointID": "e1", "SandboxKey": "/run/docker/netns/e1"});
    assert_eq!(docks(&daemon, "NetworkDriver.Join", &joined).0, 200);
    let (status, answer) = docks(&daemon, "NetworkDriver.CreateEndpoint", &endpoint("10.9.0.2/24", ports));
    assert!(status != 200 && answer.contains("is there already"), "it is in use: {answer}");
}

/// At a boot the dynamic ones may come first.
#[test]
fn a_fixed_address_beside_a_range_is_nobody_elses() {
    let mut daemon = started();
    daemon.ok("network create --subnet 10.36.0.0/24 --ip-range 10.36.0.128/29 n");
    let dynamic: Vec<_> = (0..8).map(|number| Namespace::new(&format!("d{number}"))).collect();
    for round in 0..3 {
        for namespace in &dynamic {
            daemon.ok(&format!("endpoint attach n {}", namespace.text()));
            let endpoints = daemon.json("endpoint ls n");
            let taken = |e: &Value| e["address"].as_str().unwrap().starts_with("10.36.0.1");
            assert!(endpoints.as_array().unwrap().iter().all(|e| taken(e) || e["name"] == "fixed"), "{endpoints}");
        }
        let fixed = Namespace::new("fixed");
        daemon.ok(&format!("endpoint attach n {} --ip 10.36.0.9", fixed.text()));
        let more = Namespace::new("more");
        daemon.refused(9, &format!("endpoint attach n {}", more.text()));
        let taken = daemon.refused(EXISTS, &format!("endpoint attach n {} --ip 10.36.0.9", more.text()));
        assert!(taken.contains("fixed"), "{taken}");
        if round == 1 {
            daemon.restart();
        }
        for namespace in dynamic.iter().chain([&fixed]) {
            daemon.ok(&format!("endpoint detach n {}", namespace.text()));
        }
    }
}
