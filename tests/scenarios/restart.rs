//! The daemon goes and comes back, and the machine does: networks stay, packets go on.

use pontoon_tests::{Daemon, Namespace, Pinging, fetch, outside, same_at_last, until};

use crate::packets::address;

/// Pings may be lost only by the kernel's own doing: none are, between ports of a bridge.
fn none_lost(pinging: Pinging) {
    let (sent, received) = pinging.stop();
    assert!(sent > 0);
    assert!(sent - received <= 1, "{received} of {sent} pings came back; the last one may be on its way");
}

/// All that the host's namespace has when the network `n` has no endpoints. A bridge gets its link-local address with its first port.
pub fn used_once(daemon: &Daemon) -> String {
    let first = Namespace::new("first");
    daemon.ok(&format!("endpoint attach n {}", first.text()));
    // A moment after the port's first sign of life.
    until("the bridge", || daemon.host.run("ip -o -6 address show type bridge").contains("fe80"));
    daemon.ok(&format!("endpoint detach n {}", first.text()));
    while daemon.host.run("ip -o link show type bridge").contains("state UP") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.host.dump()
}

#[test]
fn stopped_and_started_between_any_two_steps_while_pings_go_on() {
    let mut daemon = Daemon::start();
    let (a, b, c) = (Namespace::new("a"), Namespace::new("b"), Namespace::new("c"));
    daemon.load("bridge");
    daemon.restart();
    daemon.ok("network create --ipv6 n");
    daemon.restart();
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    daemon.restart();
    daemon.ok(&format!("endpoint attach n {}", b.text()));
    let pinging = Pinging::start(&a, &address(&daemon, "n", "b", "address"));
    let pinging_ipv6 = Pinging::start(&b, &address(&daemon, "n", "a", "address_ipv6"));
    daemon.restart();
    daemon.ok(&format!("endpoint attach n {}", c.text()));
    daemon.stop();
    std::thread::sleep(std::time::Duration::from_millis(200));
    daemon.run();
    daemon.ok(&format!("endpoint detach n {}", c.text()));
    daemon.kill();
    daemon.run();
    none_lost(pinging);
    none_lost(pinging_ipv6);
    daemon.ok(&format!("endpoint detach n {}", a.text()));
    daemon.restart();
    daemon.ok(&format!("endpoint detach n {}", b.text()));
    daemon.restart();
    daemon.ok("network rm n");
    daemon.restart();
    daemon.ok("driver rm bridge");
    assert_eq!(daemon.host.run("ip -o link show").lines().count(), 1, "only the loopback");
}

#[test]
fn after_a_reboot_the_networks_are_back_before_the_socket_opens() {
    let mut daemon = Daemon::start();
    let a = Namespace::new("a");
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n -o com.docker.network.bridge.name=mybridge");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    let before = daemon.json("network inspect n");
    daemon.reboot();
    assert_eq!(daemon.host.run("ip -o link show").lines().count(), 1, "a fresh namespace");
    daemon.run();
    assert!(daemon.host.run("ip -o address show mybridge").contains("10.201.0.1/24"), "the bridge is back");
    let after = daemon.json("network inspect n");
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["pools"], before["pools"]);
    assert_eq!(after["state"], "up");
    assert_eq!(after["attached"].as_array().unwrap().len(), 0, "endpoints die with the machine");
    let outside = outside(&daemon.host);
    let b = Namespace::new("b");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", b.text()));
    assert!(b.pings("192.0.2.2"));
    pontoon_tests::listen_tcp(&b, 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello");
}

#[test]
fn what_a_kill_leaves_is_removed_by_the_next_start() {
    let mut daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let bare = used_once(&daemon);
    let namespaces: Vec<_> = (0..4).map(|i| Namespace::new(&format!("a{i}"))).collect();
    for round in 0..8_u64 {
        let attaching = daemon.ask_in_background(namespaces.iter().map(|n| format!("endpoint attach n {}", n.text())));
        std::thread::sleep(std::time::Duration::from_millis(3 * round));
        daemon.kill();
        attaching.into_iter().for_each(|mut child| drop(child.wait()));
        daemon.run();
        let endpoints = daemon.json("endpoint ls n");
        let count = endpoints.as_array().unwrap().len();
        let links = daemon.host.run("ip -o link show type veth");
        assert_eq!(links.lines().count(), count, "round {round}: a pair for each endpoint, {links}");
        for endpoint in endpoints.as_array().unwrap() {
            assert!(daemon.host.pings(endpoint["address"].as_str().unwrap().split('/').next().unwrap()), "{endpoint}");
            daemon.ok(&format!("endpoint detach {}", endpoint["id"].as_str().unwrap()));
        }
        same_at_last(|| daemon.host.dump(), &bare);
    }
}

#[test]
fn garbage_is_collected() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let bare = used_once(&daemon);
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    drop(a);
    let collected = daemon.json("gc");
    assert_eq!(collected["endpoints"].as_array().unwrap().len(), 1, "{collected}");
    assert_eq!(daemon.json("endpoint ls").as_array().unwrap().len(), 0);
    same_at_last(|| daemon.host.dump(), &bare);
    let again = daemon.json("gc");
    assert_eq!(again["objects"].as_array().unwrap().len(), 0, "{again}");
}

/// A runtime that was killed detaches nobody. Whatever its containers held, their successors get without `pontoon gc`.
#[test]
fn what_dead_namespaces_hold_is_free_when_it_is_wanted() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n --subnet 10.9.0.0/28 --ipv6 --subnet fd00:9::/124");
    let living = Namespace::new("living");
    daemon.ok(&format!("endpoint attach n {}", living.text()));
    let die = |options: &str| {
        let namespace = Namespace::new("dead");
        daemon.ok(&format!("endpoint attach n {} {options}", namespace.text()));
    };
    for number in 0..20 {
        die(&format!("--name e{number}"));
    }
    for wanted in ["--ip 10.9.0.9", "--ip6 fd00:9::9", "-p 8080:80", "-p 8080:80/udp"] {
        die(&format!("{wanted} --name a"));
        die(&format!("{wanted} --name b"));
    }
    assert!(living.pings("10.9.0.1"), "who lives keeps what it has");
    let names = daemon.json("endpoint ls n");
    assert!(names.to_string().contains("living"), "{names}");
    let all: Vec<Namespace> = (0..12).map(|n| Namespace::new(&format!("full{n}"))).collect();
    all.iter().for_each(|namespace| drop(daemon.ok(&format!("endpoint attach n {}", namespace.text()))));
    let one_more = Namespace::new("more");
    let refused = daemon.refused(9, &format!("endpoint attach n {}", one_more.text()));
    assert!(refused.contains("no address is free in 10.9.0.0/28"), "{refused}");
}
