//! The bridge on hosts as they are: the way out is itself a bridge, a firewall drops what is forwarded, the host learns its way out from a router,
//! or did not forward before.

use pontoon_tests::{Daemon, Namespace, fetch, listen_tcp, outside, until};

use crate::packets::address;

fn attached(daemon: &Daemon, network: &str, name: &str) -> Namespace {
    let namespace = Namespace::new(name);
    daemon.ok(&format!("endpoint attach {network} {}", namespace.text()));
    namespace
}

/// FORWARD drops, and bridge-nf sends there what bridges pass on: dockerd's doing.
fn forward_drops(host: &Namespace) {
    host.run("sysctl -q net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1");
    ["iptables-nft", "ip6tables-nft"].iter().for_each(|program| drop(host.run(&format!("{program} -P FORWARD DROP"))));
}

#[test]
fn the_way_out_is_a_bridge() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    let host = &daemon.host;
    for line in [
        "ip link add br-up type bridge",
        "ip link set br-up up",
        "ip address flush dev eth0",
        "ip link set eth0 master br-up",
        "ip address add 192.0.2.1/24 dev br-up",
        "ip address add 2001:db8::1/64 dev br-up nodad",
    ] {
        host.run(line);
    }
    forward_drops(host);
    // A bridge that somebody's rules keep from others, as dockerd does.
    host.run("ip link add docker0 type bridge");
    host.run("ip link set docker0 up");
    host.run("ip address add 10.77.0.1/24 dev docker0");
    let container = Namespace::new("container");
    host.run("ip link add port type veth peer name inside");
    host.run(&format!("ip link set inside netns {}", container.text()));
    host.run("ip link set port master docker0 up");
    for line in
        ["ip address add 10.77.0.2/24 dev inside", "ip link set inside up", "ip route add default via 10.77.0.1"]
    {
        container.run(line);
    }
    host.run("iptables-nft -N DOCKER");
    host.run("iptables-nft -A FORWARD -o docker0 -j DOCKER");
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = attached(&daemon, "n", "a");
    until("the way out", || a.pings("192.0.2.2") && a.pings("2001:db8::2"));
    assert!(!a.pings("10.77.0.2"), "docker's containers are for docker's networks");
    listen_tcp(&outside, 80, "outside");
    assert_eq!(fetch(&a, "192.0.2.2:80"), "outside");
    // A network that docker makes later.
    host.run("iptables-nft -F FORWARD");
    until("nothing keeps docker0", || a.pings("10.77.0.2"));
    host.run("iptables-nft -A FORWARD -o docker0 -j DOCKER");
    until("docker0 is kept again", || !a.pings("10.77.0.2"));
    assert!(a.pings("192.0.2.2"));
}

#[test]
fn neighbours_of_an_internal_network_reach_each_other_where_forward_drops() {
    let daemon = Daemon::start();
    let _outside = outside(&daemon.host);
    forward_drops(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --internal --ipv6 n");
    let (a, b) = (attached(&daemon, "n", "a"), attached(&daemon, "n", "b"));
    let reach = || a.pings(&address(&daemon, "n", "b", "address")) && b.pings(&address(&daemon, "n", "a", "address"));
    until("neighbours", reach);
    let rules = daemon.host.run("iptables-nft -S FORWARD");
    assert_eq!(rules.matches("pontoon-").count(), 1, "one rule, for what stays inside: {rules}");
    assert!(!a.pings("192.0.2.2"));
    daemon.ok("endpoint detach n a");
    daemon.ok("endpoint detach n b");
    daemon.ok("network rm n");
    until("no rule is left", || !daemon.host.run("iptables-nft -S FORWARD").contains("pontoon-"));
}

#[test]
fn a_host_that_did_not_forward_stays_closed_between_its_own_links() {
    let mut daemon = Daemon::start();
    let first = outside(&daemon.host);
    let second = Namespace::new("second");
    let host = &daemon.host;
    host.run("ip link add eth1 type veth peer name cable");
    host.run(&format!("ip link set cable netns {}", second.text()));
    for (namespace, link, number) in [(host, "eth1", 1), (&second, "cable", 2)] {
        namespace.run(&format!("ip address add 198.51.100.{number}/24 dev {link}"));
        namespace.run(&format!("ip address add 2001:db8:1::{number}/64 dev {link} nodad"));
        namespace.run(&format!("ip link set {link} up"));
    }
    first.run("ip route add 198.51.100.0/24 via 192.0.2.1");
    second.run("ip route add default via 198.51.100.1");
    first.run("ip route add 2001:db8:1::/64 via 2001:db8::1");
    second.run("ip route add default via 2001:db8:1::1");
    host.run("sysctl -q net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = attached(&daemon, "n", "a");
    until("the way out", || a.pings("192.0.2.2") && a.pings("198.51.100.2") && a.pings("2001:db8::2"));
    assert_eq!(host.run("sysctl -n net.ipv4.ip_forward").trim(), "1");
    let closed = || !first.pings("198.51.100.2") && !first.pings("2001:db8:1::2") && !second.pings("192.0.2.2");
    assert!(closed());
    host.run("nft flush ruleset");
    until("the rules are back", || host.run("nft list ruleset").contains("closed-4"));
    assert!(closed());
    daemon.restart();
    assert!(closed());
    // What comes later is for whoever brings it.
    let later = Namespace::new("later");
    daemon.host.run("ip link add tun9 type veth peer name cable");
    daemon.host.run(&format!("ip link set cable netns {}", later.text()));
    daemon.host.run("ip address add 203.0.113.1/24 dev tun9");
    daemon.host.run("ip link set tun9 up");
    for line in
        ["ip address add 203.0.113.2/24 dev cable", "ip link set cable up", "ip route add default via 203.0.113.1"]
    {
        later.run(line);
    }
    first.run("ip route add 203.0.113.0/24 via 192.0.2.1");
    until("a link that is new", || first.pings("203.0.113.2"));
}

#[test]
fn a_host_that_forwarded_goes_on() {
    let daemon = Daemon::start();
    let first = outside(&daemon.host);
    let second = Namespace::new("second");
    let host = &daemon.host;
    host.run("sysctl -q net.ipv4.ip_forward=1");
    host.run("ip link add eth1 type veth peer name cable");
    host.run(&format!("ip link set cable netns {}", second.text()));
    for (namespace, link, number) in [(host, "eth1", 1), (&second, "cable", 2)] {
        namespace.run(&format!("ip address add 198.51.100.{number}/24 dev {link}"));
        namespace.run(&format!("ip link set {link} up"));
    }
    first.run("ip route add 198.51.100.0/24 via 192.0.2.1");
    second.run("ip route add default via 198.51.100.1");
    daemon.load("bridge");
    daemon.ok("network create n");
    until("between its links", || first.pings("198.51.100.2"));
}

/// Frames of its own that came back to a container.
fn own_frames(container: &Namespace) -> u32 {
    let counter = container.run("nft list counter netdev seen own");
    counter.split("packets ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// Broadcasts and multicasts of both families: for an address that nobody has, to all, and whether somebody has one's own.
fn speak_to_all(container: &Namespace, last: u8) {
    assert!(!container.pings(&format!("10.200.0.{last}")));
    let _ = container.try_run("ping -6 -n -q -c 1 -W 1 ff02::1%eth0");
    container.run(&format!("ip address add fd00:77::{last}/64 dev eth0"));
    until("duplicates were looked for", || !container.run("ip -6 address show dev eth0").contains("tentative"));
    assert!(!container.run("ip -6 address show dev eth0").contains("dadfailed"));
    container.run(&format!("ip address del fd00:77::{last}/64 dev eth0"));
}

/// With bridge-nf a port has to be in hairpin mode, or a container could not reach itself by the port that it publishes.
#[test]
fn nobody_hears_his_own_broadcasts() {
    let daemon = Daemon::start();
    let _outside = outside(&daemon.host);
    forward_drops(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 --subnet 10.200.0.0/24 n");
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    let b = attached(&daemon, "n", "b");
    listen_tcp(&a, 80, "a");
    let link = a.run("ip -o link show eth0");
    let mac = link.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    a.run("nft add table netdev seen");
    a.run("nft add counter netdev seen own");
    a.run("nft add chain netdev seen arrived { type filter hook ingress device eth0 priority 0 ; }");
    a.run(&format!("nft add rule netdev seen arrived ether saddr {} meta pkttype != host counter name own", mac));
    speak_to_all(&a, 77);
    assert_eq!(own_frames(&a), 0);
    for target in ["192.0.2.1:8080", "[2001:db8::1]:8080"] {
        until("itself by its port", || fetch(&a, target) == "a");
        assert_eq!(fetch(&b, target), "a");
    }
    assert!(b.pings(&address(&daemon, "n", "a", "address")), "others hear it");
    daemon.host.run("nft flush ruleset");
    until("the rules are back", || daemon.host.run("nft list tables").contains("bridge pontoon-"));
    // What it said by itself while they were not there came back.
    let opening = own_frames(&a);
    speak_to_all(&a, 78);
    assert_eq!(own_frames(&a), opening, "after a flush");
    // What would come without that: a port that is not marked as Pontoon's.
    let port = daemon.host.run("ip -o link show type veth");
    let port = port.lines().filter(|line| line.contains("master br-"));
    for port in port.map(|line| line.split(": ").nth(1).unwrap().split('@').next().unwrap()) {
        daemon.host.run(&format!("ip link set {port} group default"));
    }
    daemon.host.run("nft flush ruleset");
    until("the rules are back", || daemon.host.run("nft list tables").contains("bridge pontoon-"));
    let opening = own_frames(&a);
    assert!(!a.pings("10.200.0.79"));
    assert!(own_frames(&a) > opening);
}

#[test]
fn the_table_for_bridges_goes_with_the_last_bridge() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --internal n");
    assert!(daemon.host.run("nft list tables").contains("bridge pontoon-"));
    daemon.ok("network rm n");
    until("it is gone", || !daemon.host.run("nft list tables").contains("bridge pontoon-"));
}

#[test]
fn the_way_out_that_a_router_advertised_stays() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    let host = &daemon.host;
    host.run("sysctl -q net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.accept_ra=1");
    let route = || host.run("ip -6 route show default");
    let learnt = || {
        assert!(outside.try_run_script(pontoon_tests::ADVERTISE).status.success());
        route().contains("proto ra")
    };
    until("the advertisement", learnt);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    assert_eq!(host.run("sysctl -n net.ipv6.conf.all.forwarding").trim(), "1");
    assert!(route().contains("proto ra"), "{}", route());
    host.run("ip -6 route flush proto ra");
    until("the next advertisement", learnt);
}
