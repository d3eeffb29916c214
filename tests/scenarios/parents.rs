//! The drivers whose networks lie on a link of the host's: `macvlan` and `ipvlan`. What this kernel has no links for is tested on the kernel in
//! memory here, and by `make vm` on Debian's.

use pontoon_tests::{Daemon, Namespace, cni, cni_addresses, command, driver, pontoon, same_at_last};
use serde_json::json;
use tempfile::TempDir;

use crate::author::ok;
use crate::conformance::Run;
use crate::packets::address;

const ON_ETH0: [&str; 4] = ["--set", "parent=eth0", "--parent", "eth0"];

/// The whole suite, with these labels, under the grant that is written beside the driver. What it skips are parts that the driver does not export,
/// and packets on the fake kernel.
fn passes(name: &str, more: &[&str]) {
    let (component, grant) = (driver(name), driver(name).with_extension("grant.toml"));
    let run = Run::of(&component, &[&["--grant", grant.to_str().unwrap()], more].concat());
    let failed: Vec<_> = run.ended("failed").collect();
    assert!(failed.is_empty() && run.code == Some(0), "{name} {more:?}: {failed:#?} {}", run.err);
}

#[test]
fn each_passes_with_each_of_its_options() {
    passes("macvlan", &ON_ETH0);
    passes("macvlan", &["--fake"]);
    for mode in ["private", "vepa"] {
        passes("macvlan", &[&ON_ETH0[..], &["--fake", "-o", &format!("macvlan_mode={mode}")]].concat());
    }
    passes("macvlan", &["--fake", "--parent", "eth0", "-o", "parent=eth0.10", "--check", "life-dual"]);
    passes("ipvlan", &["--fake"]);
    for label in ["ipvlan_mode=l3", "ipvlan_mode=l3s", "ipvlan_flag=private", "ipvlan_flag=vepa"] {
        passes("ipvlan", &[&ON_ETH0[..], &["--fake", "-o", label]].concat());
    }
}

/// The parent's name aside, which the operator knows.
#[test]
fn each_asks_for_no_more_than_it_needs() {
    for (name, labels) in [("macvlan", &[][..]), ("ipvlan", &["-o", "ipvlan_mode=l3"])] {
        let folder = TempDir::new().unwrap();
        let recorded = folder.path().join("grant.toml");
        let mut record = command(pontoon());
        record.args(["driver", "grant"]).arg(driver(name)).args(["--record", "--fake"]).args(ON_ETH0).args(labels);
        ok(record.arg("--to").arg(&recorded));
        let written = std::fs::read_to_string(driver(name).with_extension("grant.toml")).unwrap();
        let written: Vec<_> = written.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            std::fs::read_to_string(&recorded).unwrap().replace("\"eth0\"", "\"*\"").trim_end(),
            written.join("\n")
        );
    }
}

/// A daemon whose host has the link `eth0`, and the network beyond it.
fn on_a_lan() -> (Daemon, Namespace) {
    let (daemon, lan) = (Daemon::start(), Namespace::new("lan"));
    daemon.host.run(&format!("ip link add eth0 type veth peer name eth0 netns {}", lan.text()));
    // Without an address of its own, which would come later.
    daemon.host.run("ip link set eth0 addrgenmode none up");
    lan.run("ip link set eth0 up");
    for address in ["10.9.0.1/24", "fd09::1/64"] {
        lan.run(&format!("ip address add {address} dev eth0 nodad"));
    }
    daemon.load("macvlan");
    (daemon, lan)
}

const SUBNETS: &str = "--ipv6 --subnet 10.9.0.0/24 --subnet fd09::/64 --gateway 10.9.0.1";

#[test]
fn containers_are_on_the_lan() {
    let (daemon, lan) = on_a_lan();
    let before = daemon.host.dump();
    for (mode, reach_each_other) in [("bridge", true), ("private", false)] {
        let (a, b) = (Namespace::new("a"), Namespace::new("b"));
        daemon.ok(&format!("network create -d macvlan -o parent=eth0 -o macvlan_mode={mode} {SUBNETS} n"));
        for container in [&a, &b] {
            daemon.ok(&format!("endpoint attach n {}", container.text()));
        }
        for family in ["address", "address_ipv6"] {
            let to = address(&daemon, "n", "b", family);
            assert!(lan.pings(&to), "{mode} {family}");
            assert_eq!(a.pings(&to), reach_each_other, "{mode} {family}");
        }
        assert!(a.run("ip route").contains("default via 10.9.0.1 dev eth0"), "the gateway that was named");
        assert!(!a.run("ip -6 route").contains("default"), "of the other family there was none");
        for line in ["endpoint detach n a", "endpoint detach n b", "network rm n"] {
            daemon.ok(line);
        }
        same_at_last(|| daemon.host.dump(), &before);
    }
}

/// A container of the CNI plugin of this name and one of the driver's are neighbours, on links of one kind.
fn does_as_the_cni_plugin(name: &str, mode: &str) {
    let (daemon, lan) = on_a_lan();
    if !daemon.host.try_run(&format!("ip link add link eth0 name probe type {name}")).status.success() {
        println!("skipped: this kernel has no links of kind {name}");
        return;
    }
    daemon.host.run("ip link del probe");
    if name != "macvlan" {
        daemon.load(name);
    }
    let before = daemon.host.dump();
    let (ours, theirs) = (Namespace::new("ours"), Namespace::new("theirs"));
    daemon.ok(&format!("network create -d {name} -o parent=eth0 {SUBNETS} n"));
    daemon.ok(&format!("endpoint attach n {}", ours.text()));
    let addresses = || cni_addresses(&[("10.9.0.200/24", "10.9.0.1"), ("fd09::200/64", "fd09::1")]);
    let config = || json!({ "type": name, "master": "eth0", "mode": mode, "ipam": addresses() });
    cni("ADD", &daemon.host, &theirs, config());
    let kinds = [&ours, &theirs].map(|space| {
        let link = space.run("ip -d link show dev eth0");
        let (mtu, kind) = (link.split("mtu ").nth(1).unwrap(), link.split(&format!("{name} ")).nth(1).unwrap());
        let first = |text: &str, words: usize| text.split_whitespace().take(words).collect::<Vec<_>>().join(" ");
        (first(mtu, 1), first(kind, 2))
    });
    assert_eq!(kinds[0], kinds[1]);
    for (family, other, beyond) in [("address", "10.9.0.200", "10.9.0.1"), ("address_ipv6", "fd09::200", "fd09::1")] {
        let own = address(&daemon, "n", "ours", family);
        assert!(ours.pings(other) && theirs.pings(&own), "{name} {family}: neighbours");
        assert!(ours.pings(beyond) && theirs.pings(beyond) && lan.pings(&own), "{name} {family}: beyond");
    }
    cni("DEL", &daemon.host, &theirs, config());
    for line in ["endpoint detach n ours", "network rm n"] {
        daemon.ok(line);
    }
    same_at_last(|| daemon.host.dump(), &before);
}

#[test]
fn macvlan_does_as_the_cni_plugin() {
    does_as_the_cni_plugin("macvlan", "bridge");
}

#[test]
fn ipvlan_does_as_the_cni_plugin() {
    does_as_the_cni_plugin("ipvlan", "l2");
}

/// The driver asks for links of the operator's choice, and gets those that he names.
#[test]
fn the_operator_names_the_parents() {
    let (daemon, _lan) = on_a_lan();
    daemon.host.run("ip link add eth1 type veth peer name cable");
    daemon.ok("driver rm macvlan");
    let folder = TempDir::new().unwrap();
    let grant = folder.path().join("grant.toml");
    let load = format!("driver load {} --grant {}", driver("macvlan").display(), grant.display());
    let granted = |parents: &str| {
        let text = "permissions = ['links', 'store']\nnamespaces = ['host', 'container']\n";
        std::fs::write(&grant, format!("{text}parents = [{parents}]\n")).unwrap();
    };
    granted("");
    let ran = daemon.cli(&load);
    assert!(ran.code == 6 && ran.err.contains("lacks parents: *"), "{ran:?}");
    granted("'eth0'");
    daemon.ok(&load);
    let refused = daemon.refused(4, &format!("network create -d macvlan -o parent=eth1 {SUBNETS} n"));
    assert!(refused.contains("parent=\"eth1\""), "{refused}");
    daemon.ok(&format!("network create -d macvlan -o parent=eth0 {SUBNETS} n"));
}

/// In passthru mode a driver changes its parent, which is a permission of its own.
#[test]
fn a_parent_is_changed_with_a_permission_of_its_own() {
    let (daemon, _lan) = on_a_lan();
    let container = Namespace::new("c");
    daemon.ok(&format!("network create -d macvlan -o parent=eth0 -o macvlan_mode=passthru {SUBNETS} n"));
    let refused = daemon.refused(6, &format!("endpoint attach n {}", container.text()));
    assert!(refused.contains("changed-parents"), "{refused}");
}
