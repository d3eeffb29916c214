//! The driver `routed`: containers that are reached by routes alone.

use pontoon_tests::{Daemon, Namespace, cni, cni_addresses, command, driver, pontoon, same_at_last};
use serde_json::json;
use tempfile::TempDir;

use crate::author::ok;
use crate::conformance::Run;
use crate::packets::address;

fn passes(more: &[&str]) {
    let (component, grant) = (driver("routed"), driver("routed").with_extension("grant.toml"));
    let run = Run::of(&component, &[&["--grant", grant.to_str().unwrap()], more].concat());
    let failed: Vec<_> = run.ended("failed").collect();
    assert!(failed.is_empty() && run.code == Some(0), "{more:?}: {failed:#?} {}", run.err);
}

#[test]
fn it_passes_on_both_kernels() {
    passes(&[]);
    passes(&["--fake"]);
    passes(&["--fake", "-o", "routed.policy=open"]);
}

#[test]
fn it_asks_for_no_more_than_it_needs() {
    let folder = TempDir::new().unwrap();
    let recorded = folder.path().join("grant.toml");
    let mut record = command(pontoon());
    record.args(["driver", "grant"]).arg(driver("routed")).args(["--record", "--to"]).arg(&recorded);
    ok(&mut record);
    let read = |path: &std::path::Path| pontoon::serve::folder::read_grant(path).unwrap();
    assert_eq!(read(&recorded), read(&driver("routed").with_extension("grant.toml")));
}

/// A daemon whose host has the link `eth0`, and the machines beyond it.
fn on_a_lan() -> (Daemon, Namespace) {
    let (daemon, lan) = (Daemon::start(), Namespace::new("lan"));
    daemon.host.run(&format!("ip link add eth0 type veth peer name eth0 netns {}", lan.text()));
    for (side, last) in [(&daemon.host, 2), (&lan, 7)] {
        side.run("ip link set lo up");
        side.run("ip link set eth0 addrgenmode none up");
        side.run(&format!("ip address add 192.0.2.{last}/24 dev eth0"));
        side.run(&format!("ip address add fd09::{last}/64 dev eth0 nodad"));
    }
    daemon.load("routed");
    (daemon, lan)
}

fn network(daemon: &Daemon, name: &str, third: u8, more: &str) {
    let subnets = format!("--ipv6 --subnet 10.5.{third}.0/24 --subnet fd05:{third}::/64");
    daemon.ok(&format!("network create -d routed {subnets} {more} {name}"));
}

#[test]
fn containers_reach_what_their_networks_policy_lets_them() {
    let (daemon, lan) = on_a_lan();
    for (family, by) in [("", "192.0.2.2"), ("-6", "fd09::2")] {
        let subnet = if family.is_empty() { "10.5.0.0/16" } else { "fd05::/16" };
        lan.run(&format!("ip {family} route add {subnet} via {by}"));
    }
    let before = left(&daemon);
    let [a, b, c, d] = ["a", "b", "c", "d"].map(Namespace::new);
    network(&daemon, "blue", 1, "");
    network(&daemon, "green", 2, "-o routed.policy=open");
    network(&daemon, "red", 3, "-o routed.policy=open");
    for (network, container) in [("blue", &a), ("blue", &b), ("green", &c), ("red", &d)] {
        daemon.ok(&format!("endpoint attach {network} {}", container.text()));
    }
    let routes = a.run("ip route") + &a.run("ip -6 route");
    assert!(routes.contains("default via 169.254.1.1 dev eth0"), "{routes}");
    assert!(routes.contains("10.5.1.128/25 via 169.254.1.1 dev eth0"), "{routes}");
    assert!(routes.contains("default via fe80::1 dev eth0"), "{routes}");
    for family in ["address", "address_ipv6"] {
        let of = |network: &str, name: &str| address(&daemon, network, name, family);
        assert!(a.pings(&of("blue", "b")), "{family}: one network");
        assert!(lan.pings(&of("blue", "a")), "{family}: from beyond");
        assert!(a.pings(if family == "address" { "192.0.2.7" } else { "fd09::7" }), "{family}: to beyond");
        assert!(c.pings(&of("red", "d")), "{family}: both are open");
        assert!(!a.pings(&of("green", "c")) && !c.pings(&of("blue", "a")), "{family}: one of the two is closed");
    }
    for (network, container) in [("blue", "a"), ("blue", "b"), ("green", "c"), ("red", "d")] {
        daemon.ok(&format!("endpoint detach {network} {container}"));
    }
    ["blue", "green", "red"].iter().for_each(|network| drop(daemon.ok(&format!("network rm {network}"))));
    same_at_last(|| left(&daemon), &before);
}

/// What the driver makes on the host. Forwarding, and what the host closes for it, stay when it was wished for once.
fn left(daemon: &Daemon) -> String {
    let commands = ["ip -br link", "ip route", "ip -6 route", "ip neigh show proxy"];
    let all: Vec<_> = commands
        .iter()
        .flat_map(|command| daemon.host.run(command).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    all.into_iter().filter(|line| !line.contains("fe80::")).collect::<Vec<_>>().join("\n")
}

/// By a parent: the subnets of other hosts, and answers for containers that have addresses of the LAN.
#[test]
fn other_hosts_are_reached_by_a_parent() {
    let (daemon, lan) = on_a_lan();
    let grant = daemon.file("routed.toml");
    let text = std::fs::read_to_string(driver("routed").with_extension("grant.toml")).unwrap();
    let text = text.replace("\"store\"]", "\"store\", \"parent-routes\"]");
    let text = text.replace(
        "routes = [\"network\"]",
        "routes = [\"network\", \"10.6.0.0/16\", \"192.0.2.0/24\"]\nparents = [\"eth0\"]",
    );
    std::fs::write(&grant, text).unwrap();
    let peers =
        "-o routed.parent=eth0 -o routed.peers=10.6.0.0/24=192.0.2.7,10.6.1.0/24=192.0.2.7,10.6.1.0/24=192.0.2.8";
    let refused = daemon.refused(4, &format!("network create -d routed --subnet 10.5.1.0/24 {peers} blue"));
    assert!(refused.contains("routed.parent=\"eth0\""), "{refused}");
    daemon.ok(&format!("driver grant routed --grant {}", grant.display()));
    let before = left(&daemon);
    // Another host, with a container's address.
    lan.run("ip address add 10.6.0.9/32 dev lo");
    lan.run("ip route add 10.5.1.0/24 via 192.0.2.2");
    daemon.ok(&format!("network create -d routed --subnet 10.5.1.0/24 {peers} blue"));
    let routes = daemon.host.run("ip route");
    assert!(routes.contains("10.6.0.0/24 via 192.0.2.7 dev eth0"), "{routes}");
    assert!(routes.contains("nexthop via 192.0.2.8 dev eth0 weight 1"), "{routes}");
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach blue {}", a.text()));
    assert!(a.pings("10.6.0.9"));
    daemon.ok("endpoint detach blue a");
    daemon.ok("network rm blue");

    // A part of the LAN's own subnet: who is on it asks for the address on its own link.
    daemon.ok("network create -d routed --subnet 192.0.2.128/28 -o routed.parent=eth0 -o routed.answer=true near");
    let b = Namespace::new("b");
    daemon.ok(&format!("endpoint attach near {}", b.text()));
    assert!(daemon.host.run("ip neigh show proxy").contains("192.0.2.1"));
    assert!(lan.pings(&address(&daemon, "near", "b", "address")));
    daemon.ok("endpoint detach near b");
    daemon.ok("network rm near");
    same_at_last(|| left(&daemon), &before);
}

/// The CNI plugin that does the like: each container has a link to the host, which has a route to it.
#[test]
fn it_does_as_the_cni_plugin_ptp() {
    let (daemon, lan) = on_a_lan();
    lan.run("ip route add 10.5.0.0/16 via 192.0.2.2");
    let before = left(&daemon);
    let (ours, theirs) = (Namespace::new("ours"), Namespace::new("theirs"));
    network(&daemon, "blue", 1, "");
    daemon.ok(&format!("endpoint attach blue {}", ours.text()));
    let config = || {
        let mut addresses = cni_addresses(&[("10.5.2.2/24", "10.5.2.1")]);
        addresses["routes"] = json!([{ "dst": "0.0.0.0/0" }]);
        json!({ "type": "ptp", "ipam": addresses })
    };
    cni("ADD", &daemon.host, &theirs, config());
    let found = address(&daemon, "blue", "ours", "address");
    for (space, own, other) in [(&ours, found.as_str(), "10.5.2.2"), (&theirs, "10.5.2.2", &found)] {
        assert!(space.pings("192.0.2.7") && lan.pings(own), "{own} and beyond");
        assert!(space.pings(other), "{own} and {other}");
        let routes = space.run("ip route");
        assert!(routes.contains("default via "), "{routes}");
        let routes = daemon.host.run(&format!("ip route show {own}"));
        assert_eq!(routes.matches(" dev ").count(), 1, "{routes}");
    }
    cni("DEL", &daemon.host, &theirs, config());
    daemon.ok("endpoint detach blue ours");
    daemon.ok("network rm blue");
    same_at_last(|| left(&daemon), &before);
}
