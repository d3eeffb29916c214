//! The driver `overlay`: networks that span hosts. Here hosts are daemons in namespaces of their own, and the test carries the entries of their
//! tables from one to the others.

use std::time::Instant;

use pontoon_tests::{
    Daemon, Namespace, Ran, command, driver, fetch, listen_tcp, median, pontoon, same_at_last, send, until,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::author::ok;
use crate::conformance::Run;

fn passes(more: &[&str]) {
    let (component, grant) = (driver("overlay"), driver("overlay").with_extension("grant.toml"));
    let run = Run::of(&component, &[&["--grant", grant.to_str().unwrap()], more].concat());
    let failed: Vec<_> = run.ended("failed").collect();
    assert!(failed.is_empty() && run.code == Some(0), "{more:?}: {failed:#?} {}", run.err);
}

#[test]
fn it_passes_on_both_kernels() {
    passes(&["--set", "address=192.0.2.1"]);
    passes(&["--fake", "--set", "address=192.0.2.1"]);
    passes(&["--fake", "--set", "address=2001:db8::1"]);
    let parent = ["--fake", "--set", "address=192.0.2.1", "--set", "parent=eth0", "--parent", "eth0"];
    passes(&[&parent[..], &["--check", "life-internal", "--check", "mtu"]].concat());
}

#[test]
fn it_asks_for_no_more_than_it_needs() {
    let folder = TempDir::new().unwrap();
    let recorded = folder.path().join("grant.toml");
    let mut record = command(pontoon());
    record.args(["driver", "grant"]).arg(driver("overlay")).args(["--record", "--set", "address=192.0.2.1", "--to"]);
    ok(record.arg(&recorded));
    let read = |path: &std::path::Path| pontoon::serve::folder::read_grant(path).unwrap();
    assert_eq!(read(&recorded), read(&driver("overlay").with_extension("grant.toml")));
}

/// Hosts on one network, each with the driver: the first is 192.0.2.1 and 2001:db8::1. The network's own machine is 192.0.2.254 and 2001:db8::fe.
struct Hosts {
    hosts: Vec<Daemon>,
    lan: Namespace,
}

impl Hosts {
    fn new(count: usize) -> Self {
        let lan = Namespace::new("lan");
        lan.run("ip link add br0 type bridge");
        lan.run("ip link set br0 up");
        lan.run("ip address add 192.0.2.254/24 dev br0");
        lan.run("ip address add 2001:db8::fe/64 dev br0 nodad");
        let hosts = (1..=count).map(|number| Self::host(&lan, number)).collect();
        Self { hosts, lan }
    }

    fn host(lan: &Namespace, number: usize) -> Daemon {
        let daemon = Daemon::start();
        let host = &daemon.host;
        lan.run(&format!("ip link add port{number} master br0 type veth peer name eth0 netns {}", host.text()));
        lan.run(&format!("ip link set port{number} up"));
        // It stays on when networks go.
        host.run("sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1");
        host.run("ip link set eth0 addrgenmode none up");
        host.run(&format!("ip address add 192.0.2.{number}/24 dev eth0"));
        host.run(&format!("ip address add 2001:db8::{number}/64 dev eth0 nodad"));
        let address = format!("--set address=192.0.2.{number}");
        daemon.ok(&format!("driver load {} {address}", driver("overlay").display()));
        daemon
    }

    /// The network `blue` on each host.
    fn create(&self, more: &str, by_ipv6: bool) {
        for (number, daemon) in (1..).zip(&self.hosts) {
            let underlay = if by_ipv6 { format!("-o address=2001:db8::{number}") } else { String::new() };
            let subnets = "--ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64";
            daemon.ok(&format!("network create -d overlay {subnets} -o vni=77 {underlay} {more} blue"));
        }
    }

    /// A container on a host, counted from 1, with the addresses 10.50.0.LAST and fd50::LAST.
    fn attach(&self, host: usize, last: u8, more: &str) -> Namespace {
        let container = Namespace::new(&format!("c{last}"));
        let addresses = format!("--ip 10.50.0.{last} --ip6 fd50::{last}");
        self.hosts[host - 1].ok(&format!("endpoint attach blue {} {addresses} {more}", container.text()));
        container
    }

    fn detach(&self, host: usize, container: &Namespace) {
        self.hosts[host - 1].ok(&format!("endpoint detach blue {}", container.text()));
        self.carry();
    }

    /// Tells each host what the others' drivers have in the table.
    fn carry(&self) {
        let tables: Vec<Value> = self.hosts.iter().map(|daemon| daemon.json("table ls blue peers")).collect();
        let of = |table: usize, owner: &str| -> Vec<(String, String)> {
            let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
            let entries = tables[table].as_array().unwrap().iter().filter(|entry| entry["owner"] == owner);
            entries.map(|entry| (text(entry, "key"), text(entry, "value"))).collect()
        };
        for (to, daemon) in self.hosts.iter().enumerate() {
            for from in (0..self.hosts.len()).filter(|from| *from != to) {
                let owner = format!("host-{}", from + 1);
                let (wanted, there) = (of(from, "self"), of(to, &owner));
                for (key, _) in there.iter().filter(|(key, _)| !wanted.iter().any(|(other, _)| other == key)) {
                    daemon.ok(&format!("table rm blue peers {key}"));
                }
                for (key, value) in wanted.iter().filter(|entry| !there.contains(entry)) {
                    put(daemon, key, &owner, value);
                }
            }
        }
    }

    /// What a host's kernel has of the others' containers.
    fn entries(&self, host: usize) -> Vec<String> {
        let host = &self.hosts[host - 1].host;
        let links = host.run("ip -o link show type vxlan");
        let Some(link) = links.split(": ").nth(1) else { return Vec::new() };
        let seen = ["ip neighbour show nud permanent dev ", "bridge fdb show dev "];
        let seen = seen.map(|command| host.run(&format!("{command}{link}"))).concat();
        let mut seen: Vec<_> =
            seen.lines().filter(|l| l.contains("lladdr") || l.contains("dst")).map(str::to_owned).collect();
        seen.sort();
        seen
    }

    fn is_known(&self, host: usize, last: u8, at: &str) -> bool {
        let mac = format!("02:42:0a:32:00:{last:02x}");
        let wanted = [
            format!("{mac} dst {at} "),
            format!("10.50.0.{last} lladdr {mac} "),
            format!("fd50::{last} lladdr {mac} "),
        ];
        let entries = self.entries(host);
        wanted.iter().all(|wanted| entries.iter().any(|entry| entry.starts_with(wanted)))
    }
}

fn put(daemon: &Daemon, key: &str, owner: &str, value: &str) {
    let mut put = command(pontoon());
    put.env("PONTOON_SOCKET", daemon.socket()).args(["table", "put", "blue", "peers", key, "--owner", owner, value]);
    let ran = Ran::of(&mut put);
    assert_eq!(ran.code, 0, "{key} {value}: {ran:?}");
}

fn containers_on_two_hosts_reach_each_other(by_ipv6: bool) {
    let hosts = Hosts::new(2);
    let before: Vec<_> = hosts.hosts.iter().map(|daemon| daemon.host.settled()).collect();
    hosts.create("", by_ipv6);
    let (a, b, c) = (hosts.attach(1, 11, ""), hosts.attach(2, 12, ""), hosts.attach(2, 13, ""));
    assert!(!a.pings("10.50.0.12"), "nobody has said where it is");
    hosts.carry();
    let [first, second] = if by_ipv6 { ["2001:db8::1", "2001:db8::2"] } else { ["192.0.2.1", "192.0.2.2"] };
    until("the entries", || {
        hosts.is_known(1, 12, second) && hosts.is_known(1, 13, second) && hosts.is_known(2, 11, first)
    });
    assert_eq!((hosts.entries(1).len(), hosts.entries(2).len()), (6, 3));
    let mtu = if by_ipv6 { 1430 } else { 1450 };
    assert!(a.run("ip link show eth0").contains(&format!("mtu {mtu} ")));
    for (from, to) in [(&a, "10.50.0.12"), (&a, "fd50::13"), (&b, "fd50::11"), (&c, "10.50.0.11"), (&b, "10.50.0.13")] {
        until(to, || from.pings(to));
    }
    // As large as it may be, in one piece.
    until("a large packet", || {
        a.try_run(&format!("ping -n -q -c 1 -W 2 -M do -s {} 10.50.0.12", mtu - 28)).status.success()
    });
    assert!(!a.try_run(&format!("ping -n -q -c 1 -W 1 -M do -s {} 10.50.0.12", mtu - 27)).status.success());
    for (from, to, address) in [(&a, &b, "10.50.0.12"), (&b, &a, "[fd50::11]")] {
        send(from, to, address, 8 << 20);
    }
    // A person sees which of them are where.
    let verbose = hosts.hosts[0].ok("network inspect blue --verbose");
    assert!(
        verbose.contains(&format!("host={second}")) && verbose.contains("addresses=10.50.0.12 fd50::12"),
        "{verbose}"
    );
    // What is said no more is not there any more.
    hosts.detach(2, &b);
    until("no entries of what is gone", || hosts.entries(1).len() == 3 && !hosts.is_known(1, 12, second));
    assert!(!a.pings("10.50.0.12"));
    until("the other one", || a.pings("10.50.0.13"));
    hosts.detach(2, &c);
    hosts.detach(1, &a);
    until("no entries at all", || hosts.entries(1).is_empty() && hosts.entries(2).is_empty());
    for (daemon, before) in hosts.hosts.iter().zip(&before) {
        daemon.ok("network rm blue");
        same_at_last(|| daemon.host.dump(), before);
        assert!(!daemon.stored().contains("state: "), "{}", daemon.stored());
    }
}

#[test]
fn over_an_ipv4_underlay() {
    containers_on_two_hosts_reach_each_other(false);
}

#[test]
fn over_an_ipv6_underlay() {
    containers_on_two_hosts_reach_each_other(true);
}

/// With its addresses, and before the host that it leaves has said so.
#[test]
fn a_container_moves_to_another_host() {
    let hosts = Hosts::new(3);
    hosts.create("", false);
    let (there, neighbour, far) = (hosts.attach(1, 11, ""), hosts.attach(2, 12, ""), hosts.attach(3, 13, ""));
    hosts.carry();
    until("the entries", || hosts.is_known(2, 11, "192.0.2.1") && hosts.is_known(3, 11, "192.0.2.1"));
    until("both families", || neighbour.pings("10.50.0.11") && far.pings("10.50.0.11") && far.pings("fd50::11"));
    let here = hosts.attach(2, 11, "");
    hosts.carry();
    until("the new host is known", || hosts.is_known(3, 11, "192.0.2.2"));
    assert!(!hosts.is_known(2, 11, "192.0.2.1"), "it is here: {:?}", hosts.entries(2));
    hosts.detach(1, &there);
    let begin = Instant::now();
    for address in ["10.50.0.11", "fd50::11"] {
        until("those who knew it find it", || neighbour.pings(address) && far.pings(address));
    }
    println!("a container that moved is found by those who knew it within {:.1} s", begin.elapsed().as_secs_f64());
    assert!(hosts.is_known(1, 11, "192.0.2.2") && hosts.is_known(3, 11, "192.0.2.2"));
    until("those whom it knew", || here.pings("10.50.0.13") && here.pings("10.50.0.12"));
    // A daemon that was killed knows what it knew; what was said meanwhile it is told.
    let Hosts { mut hosts, lan } = hosts;
    hosts[2].kill();
    hosts[2].run();
    let hosts = Hosts { hosts, lan };
    until("the container, after the daemon's end", || far.pings("10.50.0.11"));
    // And gone.
    hosts.detach(2, &here);
    until("nobody knows it", || hosts.entries(3).len() == 3 && !far.pings("10.50.0.11"));
}

/// Entries that can be nobody's, and one that says that it is on this very host.
#[test]
fn what_other_hosts_say_is_checked() {
    let hosts = Hosts::new(1);
    hosts.create("", false);
    let daemon = &hosts.hosts[0];
    for (key, value) in [
        ("own", "02:00:00:00:00:09 192.0.2.1 10.50.0.9"),
        ("multicast", "02:00:00:00:00:09 224.0.0.1 10.50.0.9"),
        ("elsewhere", "02:00:00:00:00:09 192.0.2.9 192.0.2.254"),
        ("gateway", "02:00:00:00:00:09 192.0.2.9 10.50.0.1"),
        ("nonsense", "a container"),
    ] {
        put(daemon, key, "host-9", value);
    }
    put(daemon, "good", "host-9", "02:00:00:00:00:08 192.0.2.9 10.50.0.8");
    until("the good one", || hosts.entries(1).len() == 2);
    assert!(hosts.entries(1).iter().all(|entry| entry.contains("02:00:00:00:00:08")), "{:?}", hosts.entries(1));
    let shown = daemon.ok("table ls blue");
    assert!(shown.contains("can't be explained"), "{shown}");
}

#[test]
fn containers_leave_by_their_own_host_and_publish_ports_on_it() {
    let hosts = Hosts::new(2);
    hosts.create("", false);
    let (a, b) = (hosts.attach(1, 11, ""), hosts.attach(2, 12, "-p 8080:80"));
    hosts.carry();
    listen_tcp(&b, 80, "hello");
    for target in ["192.0.2.2:8080", "[2001:db8::2]:8080"] {
        until("the published port", || fetch(&hosts.lan, target) == "hello");
        assert_eq!(fetch(&a, target), "hello", "{target} from a neighbour on another host");
        assert_eq!(fetch(&b, target), "hello", "{target} from itself");
    }
    assert_eq!(fetch(&hosts.hosts[1].host, "127.0.0.1:8080"), "hello");
    until("masquerade", || a.pings("192.0.2.254") && b.pings("2001:db8::fe"));
    hosts.lan.run("ip route add 10.50.0.0/24 via 192.0.2.2");
    assert_eq!(fetch(&hosts.lan, "10.50.0.12:80"), "", "only by the port");
    hosts.detach(2, &b);
    assert_eq!(fetch(&hosts.lan, "192.0.2.2:8080"), "");
}

#[test]
fn an_internal_network_leads_to_other_hosts_alone() {
    let hosts = Hosts::new(2);
    hosts.create("--internal", false);
    let (a, b) = (hosts.attach(1, 11, ""), hosts.attach(2, 12, ""));
    hosts.carry();
    listen_tcp(&b, 80, "hello");
    until("the neighbour", || a.pings("10.50.0.12") && a.pings("fd50::12"));
    a.run("ip route add default dev eth0");
    for closed in ["192.0.2.254", "192.0.2.1", "10.50.0.1"] {
        assert!(!a.pings(closed), "{closed}");
    }
    hosts.lan.run("ip route add 10.50.0.0/24 via 192.0.2.2");
    assert_eq!(fetch(&hosts.lan, "10.50.0.12:80"), "");
}

/// The subnets of a network are on one wire, an internal one's, too.
#[test]
fn a_network_has_several_subnets() {
    let hosts = Hosts::new(2);
    hosts.create("--internal --subnet 10.51.0.0/24", false);
    let (a, b) = (hosts.attach(1, 11, ""), Namespace::new("b"));
    hosts.hosts[1].ok(&format!("endpoint attach blue {} --ip 10.51.0.12", b.text()));
    hosts.carry();
    until("the neighbour in another subnet", || a.pings("10.51.0.12") && b.pings("10.50.0.11"));
}

#[test]
fn numbers_are_chosen_and_kept_apart() {
    let hosts = Hosts::new(1);
    let daemon = &hosts.hosts[0];
    hosts.create("", false);
    let refused = daemon.refused(5, "network create -d overlay --subnet 10.52.0.0/24 -o vni=77 red");
    assert!(refused.contains("vni=\"77\": another network has it"), "{refused}");
    for name in ["red", "green"] {
        daemon.ok(&format!("network create -d overlay {name}"));
    }
    let links = daemon.host.run("ip -d -o link show type vxlan");
    let mut numbers: Vec<_> =
        links.lines().map(|line| line.split("vxlan id ").nth(1).unwrap().split(' ').next().unwrap()).collect();
    numbers.sort();
    numbers.dedup();
    assert!(numbers.len() == 3 && numbers.contains(&"77"), "{links}");
    assert!(links.contains("nolearning proxy") || (links.contains("nolearning") && links.contains("proxy")), "{links}");
    for (label, says) in [("encrypted=true", "nothing is encrypted"), ("address=nowhere", "address=\"nowhere\"")] {
        let ran = daemon.cli(&format!("network create -d overlay -o {label} white"));
        assert!(ran.code != 0 && ran.err.contains(says), "{ran:?}");
    }
    // A link that lies on the parent, whose packets are larger.
    daemon.host.run("ip link set eth0 mtu 9000");
    daemon.ok("network create -d overlay -o parent=eth0 large");
    assert_eq!(daemon.host.run("ip -o link show type vxlan").matches("mtu 8950").count(), 1);
}

/// A tunnel made by hand, between two containers, as the overlay's is: a bridge, a vxlan link and static entries on each host.
pub fn by_hand() -> [Namespace; 5] {
    let [lan, first, second, a, b] = ["lan", "first", "second", "a", "b"].map(Namespace::new);
    lan.run("ip link add br0 type bridge");
    lan.run("ip link set br0 up");
    for (number, host, container) in [(1, &first, &a), (2, &second, &b)] {
        let other = 3 - number;
        lan.run(&format!("ip link add port{number} master br0 type veth peer name eth0 netns {}", host.text()));
        lan.run(&format!("ip link set port{number} up"));
        for line in [
            "ip link set eth0 up",
            &format!("ip address add 192.0.2.{number}/24 dev eth0"),
            "ip link add br0 mtu 1450 type bridge",
            "ip link set br0 up",
            &format!(
                "ip link add vx master br0 mtu 1450 type vxlan id 77 dstport 4789 nolearning proxy local 192.0.2.{number}"
            ),
            "ip link set vx up",
            &format!("ip neighbour add 10.50.0.1{other} lladdr 02:42:0a:32:00:1{other} dev vx"),
            &format!("bridge fdb add 02:42:0a:32:00:1{other} dev vx dst 192.0.2.{other}"),
            &format!(
                "ip link add port master br0 mtu 1450 type veth peer name eth0 mtu 1450 address 02:42:0a:32:00:1{number} netns {}",
                container.text()
            ),
            "ip link set port up",
        ] {
            host.run(line);
        }
        container.run("ip link set eth0 up");
        container.run(&format!("ip address add 10.50.0.1{number}/24 dev eth0"));
    }
    [lan, first, second, a, b]
}

/// What the overlay carries beside a tunnel made by hand, in turn: `--ignored --nocapture`.
#[test]
#[ignore = "a figure, not a test: it wants a quiet machine"]
fn throughput() {
    const BYTES: usize = 256 << 20;
    let hosts = Hosts::new(2);
    hosts.create("", false);
    let (a, b) = (hosts.attach(1, 11, ""), hosts.attach(2, 12, ""));
    hosts.carry();
    let plain = by_hand();
    let [.., c, d] = &plain;
    until("both", || a.pings("10.50.0.12") && c.pings("10.50.0.12"));
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..7 {
        for (took, (from, to)) in took.iter_mut().zip([(&a, &b), (c, d)]) {
            let seconds = send(from, to, "10.50.0.12", BYTES).as_secs_f64();
            took.push(BYTES as f64 * 8.0 / 1e9 / seconds);
        }
    }
    for (name, took) in ["the overlay", "vxlan by hand"].iter().zip(&mut took) {
        println!("{name}: {:.2} Gbit/s (median of {}, {took:.2?})", median(took), took.len());
    }
}

/// How fast entries of other hosts come into the driver and go: `--ignored --nocapture`.
#[test]
#[ignore = "a figure, not a test: it wants a quiet machine"]
fn entries_a_second() {
    const ENTRIES: usize = 2_000;
    let hosts = Hosts::new(1);
    hosts.create("", false);
    let daemon = &hosts.hosts[0];
    let timed = |what: &str, work: &dyn Fn(usize)| {
        let begin = Instant::now();
        (0..ENTRIES).for_each(work);
        println!("{what}: {:.0} entries a second", ENTRIES as f64 / begin.elapsed().as_secs_f64());
    };
    let path = |number: usize| format!("/networks/blue/tables/peers/container-{number}");
    timed("come", &|number| {
        let value = format!("02:00:00:01:{:02x}:{:02x} 192.0.2.9 fd50::1:{number:x}", number >> 8, number & 255);
        let body = serde_json::json!({"value": value, "owner": "host-9"});
        daemon.ask(&format!("PUT {}", path(number)), &body.to_string());
    });
    until("all of them", || hosts.entries(1).len() == 2 * ENTRIES);
    timed("go", &|number| daemon.ask(&format!("DELETE {}", path(number)), ""));
    until("none of them", || hosts.entries(1).is_empty());
}
