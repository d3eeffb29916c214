//! Packets cross a sandboxed driver: between containers, to the outside, and in by published ports.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use pontoon_tests::{Daemon, Namespace, ask_udp, fetch, listen_tcp, listen_udp, outside, same_at_last, until};

/// An address of an endpoint, without its prefix length.
pub fn address(daemon: &Daemon, network: &str, endpoint: &str, key: &str) -> String {
    let endpoints = daemon.json(&format!("endpoint ls {network}"));
    let of = endpoints.as_array().unwrap().iter().find(|e| e["name"] == endpoint).unwrap();
    of[key].as_str().unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn the_path_of_the_demo() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    // Forwarding stays on when a network goes, because others may rely on it by then; so it is on before.
    daemon
        .host
        .run("sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1");
    let before = daemon.host.dump();
    daemon.load("bridge");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    let bare = a.dump();
    daemon.ok("network create --ipv6 n");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    daemon.ok(&format!("endpoint attach n {} -p 8080:80 -p 5353:53/udp", b.text()));
    for key in ["address", "address_ipv6"] {
        assert!(a.pings(&address(&daemon, "n", "b", key)), "{key}");
        assert!(b.pings(&address(&daemon, "n", "a", key)), "{key}");
    }
    assert!(a.pings("192.0.2.2"), "masqueraded to the outside");
    assert!(a.pings("2001:db8::2"), "masqueraded to the outside by IPv6");
    assert!(!outside.pings(&address(&daemon, "n", "a", "address")), "nobody outside routes into the network");
    listen_tcp(&b, 80, "hello");
    listen_udp(&b, 53, "answer");
    for target in ["192.0.2.1:8080", "[2001:db8::1]:8080"] {
        assert_eq!(fetch(&outside, target), "hello", "{target} from outside");
    }
    assert_eq!(ask_udp(&outside, 4, "192.0.2.1:5353"), "answer");
    assert_eq!(ask_udp(&outside, 6, "[2001:db8::1]:5353"), "answer");
    assert_eq!(fetch(&daemon.host, "127.0.0.1:8080"), "hello", "from the host itself");
    assert_eq!(fetch(&a, "192.0.2.1:8080"), "hello", "from a neighbour");
    assert_eq!(fetch(&b, "192.0.2.1:8080"), "hello", "from the container itself");
    daemon.ok(&format!("endpoint detach n {}", a.text()));
    daemon.ok(&format!("endpoint detach n {}", b.text()));
    daemon.ok("network rm n");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "");
    same_at_last(|| daemon.host.dump(), &before);
    same_at_last(|| a.dump(), &bare);
}

#[test]
fn an_internal_network_has_no_way_out() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok("network create --ipv6 --internal n");
    for namespace in [&a, &b] {
        daemon.ok(&format!("endpoint attach n {}", namespace.text()));
    }
    assert!(a.pings(&address(&daemon, "n", "b", "address")));
    assert!(a.pings(&address(&daemon, "n", "b", "address_ipv6")));
    assert_eq!(a.run("ip route show default"), "");
    a.run("ip route add default via 10.201.0.1");
    assert!(!a.pings("192.0.2.2"), "not even for one who sets a route");
    let c = Namespace::new("c");
    let refusal = daemon.refused(7, &format!("endpoint attach n {} -p 80", c.text()));
    assert!(refusal.contains("internal"), "{refusal}");
    drop(outside);
}

#[test]
fn options_are_heeded() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    let (a, b, c) = (Namespace::new("a"), Namespace::new("b"), Namespace::new("c"));
    daemon.ok("network create n --subnet 10.5.0.0/24 --gateway 10.5.0.7 --ip-range 10.5.0.128/25 --aux-address x=10.5.0.129 \
        -o com.docker.network.bridge.name=mybridge -o com.docker.network.driver.mtu=1400 -o com.docker.network.bridge.enable_icc=false");
    daemon.ok(&format!("endpoint attach n {} --mac-address 02:00:00:00:00:07 --interface net7", a.text()));
    daemon.ok(&format!("endpoint attach n {} --ip 10.5.0.9", b.text()));
    let link = a.run("ip -o link show net7");
    assert!(link.contains("mtu 1400") && link.contains("02:00:00:00:00:07"), "{link}");
    assert!(a.run("ip -o -4 address show net7").contains("10.5.0.128/24"), "the range's first address");
    assert!(a.run("ip route show default").contains("via 10.5.0.7"));
    assert!(daemon.host.run("ip -o address show mybridge").contains("10.5.0.7/24"));
    assert!(b.run("ip -o -4 address").contains("10.5.0.9/24"));
    assert!(a.pings("10.5.0.7") && !a.pings("10.5.0.9"), "isolated from each other, not from the gateway");
    let taken = daemon.refused(5, &format!("endpoint attach n {} --ip 10.5.0.9", c.text()));
    assert!(taken.contains("10.5.0.9"), "{taken}");
    daemon.refused(7, &format!("endpoint attach n {} --ip 10.6.0.9", c.text()));
    daemon.refused(7, "network create m --subnet 10.7.0.1/24");
    daemon.refused(7, "network create m -o com.docker.network.driver.mtu=lots");
}

#[test]
fn two_networks_of_one_namespace_have_one_gateway() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    let a = Namespace::new("a");
    for network in ["one", "two"] {
        daemon.ok(&format!("network create --ipv6 {network}"));
        daemon.ok(&format!("endpoint attach {network} {}", a.text()));
    }
    assert_eq!(a.run("ip route show default").lines().count(), 1);
    assert!(a.pings("192.0.2.2"));
    daemon.ok(&format!("endpoint detach one {}", a.text()));
    assert_eq!(a.run("ip route show default").lines().count(), 1, "the other network took over");
    assert!(a.pings("192.0.2.2") && a.pings("2001:db8::2"));
    daemon.ok(&format!("endpoint detach two {}", a.text()));
    drop(outside);
}

#[test]
fn networks_are_kept_apart() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok("network create one");
    daemon.ok("network create two");
    daemon.ok(&format!("endpoint attach one {}", a.text()));
    daemon.ok(&format!("endpoint attach two {}", b.text()));
    assert!(!a.pings(&address(&daemon, "two", "b", "address")));
}

/// Snooping without a querier forgets a member after the membership interval, 260 s where nobody changes it, if the bridge then drops what
/// nobody has joined.
#[test]
fn multicast_goes_on_after_the_membership_interval() {
    const INTERVAL: Duration = Duration::from_secs(3);
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    for namespace in [&a, &b] {
        daemon.ok(&format!("endpoint attach n {}", namespace.text()));
    }
    let bridges = daemon.host.run("ip -o link show type bridge");
    let bridge = bridges.split(": ").nth(1).unwrap();
    let hundredths = INTERVAL.as_millis() / 10;
    daemon.host.run(&format!("ip link set {bridge} type bridge mcast_membership_interval {hundredths}"));
    let group = Ipv4Addr::new(239, 1, 1, 1);
    let (to_a, to_b) = (address(&daemon, "n", "a", "address"), address(&daemon, "n", "b", "address"));
    let heard = a.enter(move || {
        let socket = UdpSocket::bind(("0.0.0.0", 5_000)).unwrap();
        socket.join_multicast_v4(&group, &to_a.parse().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
        let mut last = 0;
        while last < 8 {
            let mut byte = [0];
            let Ok(1) = socket.recv(&mut byte) else { break };
            last = byte[0];
        }
        last
    });
    let sent = b.enter(move || {
        let socket = UdpSocket::bind((to_b.as_str(), 0)).unwrap();
        for number in 1..=8 {
            std::thread::sleep(Duration::from_secs(1));
            socket.send_to(&[number], (group, 5_000)).unwrap();
        }
    });
    sent.join().unwrap();
    assert_eq!(heard.join().unwrap(), 8);
}

/// By the host's address, as its public name says. The server has a shorter way back than the one by which it was asked; where bridge-nf is off,
/// and for datagrams, nothing on that way would translate the answer.
#[test]
fn a_port_of_a_container_on_two_networks_answers_neighbours_of_both() {
    let daemon = Daemon::start();
    let _outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 one");
    daemon.ok("network create --ipv6 -o com.docker.network.bridge.enable_ip_masquerade=false two");
    let (server, a, b) = (Namespace::new("server"), Namespace::new("a"), Namespace::new("b"));
    daemon.ok(&format!("endpoint attach one {} -p 8080:80 -p 8053:53/udp", server.text()));
    daemon.ok(&format!("endpoint attach two {}", server.text()));
    daemon.ok(&format!("endpoint attach one {}", a.text()));
    daemon.ok(&format!("endpoint attach two {}", b.text()));
    listen_tcp(&server, 80, "server");
    listen_udp(&server, 53, "server");
    for bridge_nf in [1, 0] {
        daemon.host.run(&format!(
            "sysctl -q net.bridge.bridge-nf-call-iptables={bridge_nf} net.bridge.bridge-nf-call-ip6tables={bridge_nf}"
        ));
        for (family, host) in [(4, "192.0.2.1"), (6, "[2001:db8::1]")] {
            for (who, from) in [("a neighbour", &a), ("one of the other network", &b), ("itself", &server)] {
                let case = format!("{who} by IPv{family}, bridge-nf {bridge_nf}");
                until(&case, || fetch(from, &format!("{host}:8080")) == "server");
                until(&case, || ask_udp(from, family, &format!("{host}:8053")) == "server");
            }
        }
    }
}
