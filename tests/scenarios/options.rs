//! Docker's options, as `sample-drivers/bridge/OPTIONS.md` has them: each row's value works, and does what the row says; the other is refused.

use pontoon_tests::{Daemon, Namespace, fetch, listen_tcp, outside, until};

use crate::packets::address;

const TABLE: &str = include_str!("../../sample-drivers/bridge/OPTIONS.md");
const BRIDGE: &str = "com.docker.network.bridge.";
const IFNAME: &str = "com.docker.network.endpoint.ifname";

/// A row: the option, the value that works, and the one that is refused.
type Row = (&'static str, Option<&'static str>, Option<&'static str>);

fn rows() -> Vec<Row> {
    let cell = |text: &'static str| Some(text.trim().trim_matches('`')).filter(|value| !value.is_empty());
    let row = |line: &'static str| {
        let cells: Vec<_> = line.split('|').collect();
        (cells[1].trim().trim_matches('`'), cell(cells[3]), cell(cells[4]))
    };
    TABLE.lines().filter(|line| line.starts_with("| `com.docker.")).map(row).collect()
}

/// A host with the bridge driver, an uplink with two addresses of each family, and who is outside.
fn setting() -> (Daemon, Namespace) {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.host.run("ip address add 192.0.2.9/24 dev eth0");
    daemon.host.run("ip address add 2001:db8::9/64 dev eth0 nodad preferred_lft 0");
    daemon.load("bridge");
    (daemon, outside)
}

/// A container on the network `n`, which publishes 8080 and answers there.
fn container(daemon: &Daemon, options: &str) -> Namespace {
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {} --name a -p 8080:80 {options}", a.text()));
    listen_tcp(&a, 80, "hello");
    a
}

/// Whether what the row says has come true.
fn is_heeded(daemon: &Daemon, outside: &Namespace, a: &Namespace, option: &str) -> bool {
    let links = || a.run("ip -o link show");
    match option.strip_prefix(BRIDGE).or(option.strip_prefix("com.docker.network.")).unwrap() {
        "name" => daemon.host.run("ip -o link show type bridge").contains(" br-mine: "),
        "enable_icc" => {
            let b = Namespace::new("b");
            daemon.ok(&format!("endpoint attach n {}", b.text()));
            let is_kept = |key| !b.pings(&address(daemon, "n", "a", key));
            is_kept("address") && is_kept("address_ipv6") && b.pings("192.0.2.2")
        }
        "enable_ip_masquerade" => source(a, outside, "192.0.2.2") == address(daemon, "n", "a", "address"),
        "host_binding_ipv4" => {
            fetch(&daemon.host, "127.0.0.1:8080") == "hello" && fetch(outside, "192.0.2.1:8080").is_empty()
        }
        // The bridges of the rows before go in the background.
        "inhibit_ipv4" => {
            until("no address of the network's", || !daemon.host.run("ip -o -4 address").contains(" 10."));
            true
        }
        "driver.mtu" => links().contains("mtu 1400"),
        "container_iface_prefix" => links().contains(" lan0@"),
        "host_ipv4" => source(a, outside, "192.0.2.2") == "192.0.2.9",
        "host_ipv6" => source(a, outside, "2001:db8::2") == "2001:db8::9",
        "endpoint.ifname" => links().contains(" lan7@"),
        // What is so anyway.
        "gateway_mode_ipv4" | "enable_ipv4" | "default_bridge" => source(a, outside, "192.0.2.2") == "192.0.2.1",
        "gateway_mode_ipv6" | "enable_ipv6" | "internal" => source(a, outside, "2001:db8::2") == "2001:db8::1",
        "advertise_addr_nmsgs" | "advertise_addr_ms" => a.pings("192.0.2.2"),
        other => panic!("what does {other} do?"),
    }
}

/// The source address that somebody outside sees.
fn source(from: &Namespace, outside: &Namespace, to: &str) -> String {
    let (family, number, target) =
        if to.contains(':') { ("ip6", 6, format!("[{to}]:9")) } else { ("ip", 4, format!("{to}:9")) };
    outside.run("nft add table inet seen");
    outside.run(&format!("nft add set inet seen sources {{ type ipv{number}_addr ; flags dynamic ; }}"));
    outside.run("nft add chain inet seen arrived { type filter hook input priority 0 ; }");
    outside.run(&format!("nft add rule inet seen arrived meta l4proto tcp add @sources {{ {family} saddr }}"));
    // Nobody listens: the first packet is enough.
    fetch(from, &target);
    let seen = outside.run("nft list set inet seen sources");
    outside.run("nft delete table inet seen");
    let elements = seen.split_once("elements = {").map(|(_, rest)| rest.split_once('}').unwrap().0.trim());
    elements.unwrap_or_default().to_owned()
}

#[test]
fn each_is_heeded_or_refused() {
    let (daemon, outside) = setting();
    let (rows, other) = (rows(), Namespace::new("other"));
    assert!(rows.len() > 15, "{rows:?}");
    for (option, works, refused) in rows {
        let of_endpoint = option.starts_with("com.docker.network.endpoint.");
        let words = |value: &str| match of_endpoint {
            true => (String::new(), format!("-o {option}={value}")),
            false => (format!("-o {option}={value}"), String::new()),
        };
        if let Some(value) = works {
            let (of_network, of_endpoint) = words(value);
            daemon.ok(&format!("network create --ipv6 n {of_network}"));
            let a = container(&daemon, &of_endpoint);
            assert!(is_heeded(&daemon, &outside, &a, option), "{option}={value}");
            for endpoint in daemon.json("endpoint ls n").as_array().unwrap() {
                daemon.ok(&format!("endpoint detach n {}", endpoint["name"].as_str().unwrap()));
            }
            daemon.ok("network rm n");
        }
        if let Some(value) = refused {
            let (of_network, of_endpoint) = words(value);
            let line = match of_endpoint.is_empty() {
                true => format!("network create --ipv6 n {of_network}"),
                false => {
                    daemon.ok("network create --ipv6 n");
                    format!("endpoint attach n {} {of_endpoint}", other.text())
                }
            };
            let ran = daemon.cli(&line);
            assert!(ran.code != 0 && ran.err.contains(option) && ran.err.contains(value), "{line}: {ran:?}");
            daemon.cli("network rm n");
        }
    }
}

#[test]
fn one_that_is_not_in_the_table_is_refused() {
    let (daemon, _outside) = setting();
    for option in ["com.docker.network.bridge.enable_iccc=false", "com.docker.network.mtu=1400"] {
        let said = daemon.refused(7, &format!("network create n -o {option}"));
        let (key, value) = option.split_once('=').unwrap();
        assert!(said.contains(&format!("{key}=\"{value}\"")) && said.contains("mistyped"), "{said}");
    }
    daemon.ok("network create n -o com.example.color=green -o mtu=1400");
    let a = Namespace::new("a");
    let said = daemon.refused(7, &format!("endpoint attach n {} -o {IFNAME}s=lan7", a.text()));
    assert!(said.contains(&format!("{IFNAME}s=\"lan7\"")), "{said}");
}

#[test]
fn the_source_stays_over_a_flush_and_a_restart() {
    let (mut daemon, outside) = setting();
    daemon.ok(
        "network create --ipv6 n -o com.docker.network.host_ipv4=192.0.2.9 -o com.docker.network.host_ipv6=2001:db8::9",
    );
    let a = container(&daemon, "");
    let is_so =
        || source(&a, &outside, "192.0.2.2") == "192.0.2.9" && source(&a, &outside, "2001:db8::2") == "2001:db8::9";
    assert!(is_so());
    daemon.host.run("nft flush ruleset");
    until("the rules are back", is_so);
    daemon.restart();
    assert!(is_so());
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "published ports answer from where they were asked");
    assert_eq!(fetch(&outside, "192.0.2.9:8080"), "hello");
}

/// Two who are outside, one of them allowed: in a set of each family, over a restart and a flush, and gone with the network.
#[test]
fn only_who_is_allowed_begins_connections() {
    let (mut daemon, outside) = setting();
    outside.run("ip address add 192.0.2.77/24 dev cable");
    outside.run("ip address add 2001:db8::77/64 dev cable nodad");
    let refused = daemon.refused(7, "network create n -o pontoon.policy.allow-from=192.0.2.300");
    assert!(refused.contains("pontoon.policy.allow-from=\"192.0.2.300\""), "{refused}");
    daemon.ok("network create --ipv6 n -o pontoon.policy.allow-from=192.0.2.77,198.51.100.0/24,2001:db8::77");
    let a = container(&daemon, "");
    let asked = |source: &str, to: &str| fetch(&outside, &format!("{to}:8080,bind={source}")) == "hello";
    let holds = || {
        asked("192.0.2.77", "192.0.2.1")
            && asked("[2001:db8::77]", "[2001:db8::1]")
            && !asked("192.0.2.2", "192.0.2.1")
            && !asked("[2001:db8::2]", "[2001:db8::1]")
    };
    assert!(holds());
    assert!(a.pings("192.0.2.2"), "what a container begins is answered");
    daemon.restart();
    assert!(holds());
    daemon.host.run("nft flush ruleset");
    until("the rules and their sets are back", holds);
    daemon.ok("endpoint detach n a");
    daemon.ok("network rm n");
    assert!(!daemon.host.run("nft list ruleset").contains("allow-from"));
}
