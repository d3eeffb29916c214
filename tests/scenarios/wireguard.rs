//! The driver `wireguard`, and what a driver can do with such links. Packets need a kernel that has them: `make vm` runs these tests on Debian's.

use std::path::Path;

use grant::Range;
use kernel::HostPort;
use pontoon_tests::{Daemon, FakeBench, Namespace, command, create, driver, pontoon, same_at_last, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use words::Name;

use crate::author::ok;
use crate::conformance::Run;

fn passes(more: &[&str]) {
    let (component, grant) = (driver("wireguard"), driver("wireguard").with_extension("grant.toml"));
    let run = Run::of(&component, &[&["--grant", grant.to_str().unwrap()], more].concat());
    let failed: Vec<_> = run.ended("failed").collect();
    assert!(failed.is_empty() && run.code == Some(0), "{more:?}: {failed:#?} {}", run.err);
}

#[test]
fn it_passes_on_the_kernel_in_memory() {
    passes(&["--fake", "--set", "address=192.0.2.1"]);
    passes(&["--fake", "--set", "address=2001:db8::1", "--check", "life-dual", "--check", "tidy"]);
}

#[test]
fn it_asks_for_no_more_than_it_needs() {
    let folder = TempDir::new().unwrap();
    let recorded = folder.path().join("grant.toml");
    let mut record = command(pontoon());
    record.args(["driver", "grant"]).arg(driver("wireguard")).args([
        "--record",
        "--fake",
        "--set",
        "address=192.0.2.1",
        "--to",
    ]);
    ok(record.arg(&recorded));
    let read = |path: &Path| pontoon::serve::folder::read_grant(path).unwrap();
    assert_eq!(read(&recorded), read(&driver("wireguard").with_extension("grant.toml")));
}

/// What every attack has to pass before it is refused for what it is: the grant has a way out.
#[test]
fn what_a_driver_asks_of_tunnels_is_bounded() {
    let bench = FakeBench::new();
    bench.load("hostile", "test/hostile");
    let name = Name::new("hostile").unwrap();
    let mut grant = bench.wait(bench.controller().driver(&name)).unwrap().grant;
    grant.parents.insert("*".into());
    bench.wait(bench.controller().set_grant(&name, grant.clone())).unwrap();
    let dns = HostPort { protocol: 17, port: 53, more: 0, address: "0.0.0.0".parse().unwrap() };
    let _dns = bench.fake.take_port(dns).unwrap();
    let network = |attack: &str| {
        let more = json!({"pools": [{"subnet": "10.78.0.0/24"}], "options": {"attack": attack}});
        bench.wait(bench.controller().create_network(create("h", "hostile", &more)))
    };
    let before = bench.fake.state();
    for (attack, says) in [
        ("tunnel-on-a-port-that-is-taken", "in use"),
        ("tunnel-under-a-foreign-name", "wg0 is a name that a container engine or an interface of the host may have"),
        ("many-tunnels", "links.add-wireguard: the driver's grant allows 10 (limits: ports)"),
        ("tunnel-as-a-port", "a WireGuard link has no MAC address, and is nobody's port"),
        ("peer-for-everything", "0.0.0.0/0 is wider than the network's pools"),
        ("peer-for-half-of-everything", "::/1 lies in none of the network's pools"),
        ("peer-for-the-lan", "192.0.2.0/24 lies in none of the network's pools"),
        ("peer-of-another-network", "10.77.0.2/32 lies in none of the network's pools"),
        ("peer-with-endless-networks", "a peer has at most 1024 allowed networks"),
        ("peers-without-end", "links.set-peers: the driver's grant allows 10 (limits: neighbours)"),
        ("peers-again-and-again", "links.set-peers: the driver's grant allows 10 (limits: neighbours)"),
        ("peer-on-the-host-itself", "127.0.0.1 port 53 is no endpoint of another host's"),
        ("peer-with-its-own-key", "is the link's own key"),
        ("peers-of-another-kind", "WireGuard link"),
        ("trap-after-a-peer", "create-network trapped"),
    ] {
        let error = network(attack).unwrap_err();
        assert!(error.message.contains(says), "{attack}: {error}");
        // A link is put out of the way at once, and deleted by the reaper.
        same_at_last(|| bench.fake.state(), &before);
    }
    // What is granted goes through, and goes with its network.
    grant.addresses.insert(Range::Net("192.0.2.0/24".parse().unwrap()));
    bench.wait(bench.controller().set_grant(&name, grant)).unwrap();
    network("peer-for-the-lan").unwrap();
    assert!(bench.fake.state().contains("192.0.2.0/24"), "{}", bench.fake.state());
    bench.wait(bench.controller().remove_network("h")).unwrap();
    same_at_last(|| bench.fake.state(), &before);
}

/// A host on a network of hosts, with the driver.
fn host(lan: &Namespace, number: usize) -> Option<Daemon> {
    let daemon = Daemon::start();
    let host = &daemon.host;
    if !host.try_run("ip link add wg-try type wireguard").status.success() {
        println!("skipped: this kernel has no WireGuard");
        return None;
    }
    host.run("ip link del wg-try");
    lan.run(&format!("ip link add port{number} master br0 type veth peer name eth0 netns {}", host.text()));
    lan.run(&format!("ip link set port{number} up"));
    // It stays on when networks go.
    host.run("sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1");
    host.run("ip link set eth0 addrgenmode none up");
    host.run(&format!("ip address add 192.0.2.{number}/24 dev eth0"));
    daemon.ok(&format!("driver load {} --set address=192.0.2.{number}", driver("wireguard").display()));
    Some(daemon)
}

fn attach(daemon: &Daemon, last: u8) -> Namespace {
    let container = Namespace::new(&format!("w{last}"));
    daemon.ok(&format!("endpoint attach blue {} --ip 10.50.0.{last} --ip6 fd50::{last}", container.text()));
    container
}

/// Tells a host what another one's driver has in the table.
fn carry(from: &Daemon, to: &Daemon) {
    let table: Value = from.json("table ls blue peers");
    for entry in table.as_array().unwrap().iter().filter(|entry| entry["owner"] == "self") {
        let mut put = command(pontoon());
        let text = |key: &str| entry[key].as_str().unwrap();
        put.env("PONTOON_SOCKET", to.socket());
        put.args(["table", "put", "blue", "peers", text("key"), "--owner", "other", text("value")]);
        ok(&mut put);
    }
}

#[test]
fn containers_on_two_hosts_reach_each_other_unseen() {
    let lan = Namespace::new("lan");
    lan.run("ip link add br0 type bridge");
    lan.run("ip link set br0 up");
    // What passes between the hosts.
    lan.run("nft add table bridge watch");
    lan.run("nft add chain bridge watch seen { type filter hook forward priority 0 ; }");
    for what in ["ip daddr 10.50.0.0/24", "ip6 daddr fd50::/64", "udp dport 51820"] {
        lan.run(&format!("nft add rule bridge watch seen {what} counter"));
    }
    let Some(one) = host(&lan, 1) else { return };
    let two = host(&lan, 2).unwrap();
    let before = [&one, &two].map(|daemon| daemon.host.settled());
    for daemon in [&one, &two] {
        daemon.ok("network create -d wireguard --ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64 blue");
    }
    let (a, b) = (attach(&one, 11), attach(&two, 12));
    assert!(!a.pings("10.50.0.12"), "nobody has said where it is");
    carry(&one, &two);
    carry(&two, &one);
    for (from, to) in [(&a, "10.50.0.12"), (&a, "fd50::12"), (&b, "10.50.0.11"), (&b, "fd50::11")] {
        until(to, || from.pings(to));
    }
    let seen = lan.run("nft list chain bridge watch seen");
    let plain = seen.lines().filter(|line| line.contains("counter packets 0 bytes 0")).count();
    assert!(plain == 2 && seen.contains("udp dport 51820 counter packets"), "{seen}");
    // A daemon that is killed leaves the link with its key and its peers, and the next one finds it.
    let mut two = two;
    let link = two.host.run("ip -o link show type wireguard");
    two.kill();
    two.run();
    assert_eq!(two.host.run("ip -o link show type wireguard"), link);
    assert!(a.pings("10.50.0.12"), "a daemon that was killed");
    for (daemon, container) in [(&one, &a), (&two, &b)] {
        daemon.ok(&format!("endpoint detach blue {}", container.text()));
        daemon.ok("network rm blue");
    }
    for (daemon, before) in [&one, &two].into_iter().zip(&before) {
        same_at_last(|| daemon.host.dump(), before);
        assert!(!daemon.stored().contains("state: "), "{}", daemon.stored());
    }
}
