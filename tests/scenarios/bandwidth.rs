//! How fast containers of the bridge may send and receive: counted, and beside the CNI plugin `bandwidth`. Here alone a time is part of the matter.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace, cni, driver};
use serde_json::json;

use crate::packets::address;

/// What is asked for, in bytes a second, and as labels.
const RATE: f64 = 1_250_000.0;
const INGRESS: &str = "-o pontoon.bandwidth.ingress=10mbit";
const EGRESS: &str = "-o pontoon.bandwidth.egress=10mbit";

/// A host with the bridge driver, which may limit links, and a network.
fn setting() -> Daemon {
    let daemon = Daemon::start();
    let grant = daemon.file("bridge.toml");
    let text = std::fs::read_to_string(driver("bridge").with_extension("grant.toml")).unwrap();
    std::fs::write(&grant, text.replace("\"store\"]", "\"store\", \"shaping\"]")).unwrap();
    daemon.ok(&format!("driver load {} --grant {}", driver("bridge").display(), grant.display()));
    daemon.ok("network create --subnet 10.30.0.0/24 n");
    daemon
}

fn attach(daemon: &Daemon, name: &str, options: &str) -> (Namespace, String) {
    let container = Namespace::new(name);
    daemon.ok(&format!("endpoint attach n {} --name {name} {options}", container.text()));
    let found = address(daemon, "n", name, "address");
    (container, found)
}

/// Bytes a second that one sends and the other receives, when the burst has gone.
fn measured(from: &Namespace, (to, address): (&Namespace, &str)) -> f64 {
    let listener = to.enter(|| TcpListener::bind("0.0.0.0:9000").unwrap()).join().unwrap();
    let address = format!("{address}:9000");
    let sender = from.enter(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        while stream.write_all(&[0; 1 << 14]).is_ok() {}
    });
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut count = |time: Duration| {
        let (begin, mut bytes, mut buffer) = (Instant::now(), 0, [0; 1 << 14]);
        while begin.elapsed() < time {
            bytes += stream.read(&mut buffer).unwrap();
        }
        bytes as f64 / begin.elapsed().as_secs_f64()
    };
    count(Duration::from_secs(1));
    let rate = count(Duration::from_secs(2));
    drop(stream);
    sender.join().unwrap();
    rate
}

/// A loaded machine sends less, and for a while there is more on the way.
fn is_limited(rate: f64) -> bool {
    (RATE * 0.5..RATE * 1.5).contains(&rate)
}

#[test]
fn a_container_sends_and_receives_as_fast_as_it_may() {
    let mut daemon = setting();
    let container = Namespace::new("c");
    let refused =
        daemon.refused(7, &format!("endpoint attach n {} -o pontoon.bandwidth.ingress=fast", container.text()));
    assert!(refused.contains("pontoon.bandwidth.ingress=\"fast\""), "{refused}");
    let ((slow, at_slow), (fast, at_fast)) =
        (attach(&daemon, "slow", &format!("{INGRESS} {EGRESS}")), attach(&daemon, "fast", ""));
    let qdiscs = || daemon.host.run("tc qdisc show");
    let limits = |text: &str| text.matches("rate 10Mbit").count();
    assert_eq!((limits(&qdiscs()), qdiscs().matches("qdisc ingress").count()), (2, 1), "{}", qdiscs());
    let received = measured(&fast, (&slow, &at_slow));
    let sent = measured(&slow, (&fast, &at_fast));
    assert!(is_limited(received) && is_limited(sent), "{received} and {sent} bytes a second");
    // What an operator has removed is back after a restart, and what the driver removed stays away.
    let link = daemon.host.run("tc qdisc show").lines().find(|line| line.contains("ingress")).unwrap().to_owned();
    let link = link.split_whitespace().skip_while(|word| *word != "dev").nth(1).unwrap().to_owned();
    daemon.host.run(&format!("tc qdisc del dev {link} root"));
    daemon.host.run(&format!("tc qdisc del dev {link} ingress"));
    assert_eq!(limits(&daemon.host.run("tc qdisc show")), 1);
    daemon.restart();
    pontoon_tests::until("the limits are back", || {
        let text = daemon.host.run("tc qdisc show");
        limits(&text) == 2 && text.contains("qdisc ingress")
    });
    let links = daemon.host.run("ip -o link show type ifb");
    let ifb = links.split(": ").nth(1).unwrap();
    daemon.host.run(&format!("ip link del {ifb}"));
    pontoon_tests::until("what the container sends goes through another one", || {
        let text = daemon.host.run("tc qdisc show");
        limits(&text) == 2 && daemon.host.run(&format!("tc filter show dev {link} parent ffff:")).contains(ifb)
    });
    assert!(slow.pings(&at_fast));
    daemon.ok("endpoint detach n slow");
    pontoon_tests::until("the limits are gone", || {
        let links = daemon.host.run("ip -o link show");
        limits(&daemon.host.run("tc qdisc show")) == 0 && !links.contains(": ifb")
    });
    let (again, at_again) = attach(&daemon, "again", "");
    let unlimited = measured(&fast, (&again, &at_again));
    assert!(unlimited > RATE * 3.0, "{unlimited} bytes a second without a limit");
}

/// The same by hand, with the plugin that has the names of these options.
#[test]
fn the_cni_plugin_limits_as_much() {
    let (host, container) = (Namespace::new("host"), Namespace::new("c"));
    host.run(&format!("ip link add v0 type veth peer name eth0 netns {}", container.text()));
    for (space, link, address) in [(&host, "v0", "10.30.0.1/24"), (&container, "eth0", "10.30.0.2/24")] {
        space.run(&format!("ip address add {address} dev {link}"));
        space.run(&format!("ip link set {link} up"));
    }
    let links = json!([{ "name": "v0" }, { "name": "eth0", "sandbox": container.text() }]);
    let config = json!({
        "type": "bandwidth",
        "ingressRate": 10_000_000,
        "ingressBurst": 524_800,
        "egressRate": 10_000_000,
        "egressBurst": 524_800,
        "prevResult": { "cniVersion": "0.4.0", "ips": [], "interfaces": links },
    });
    cni("ADD", &host, &container, config);
    let received = measured(&host, (&container, "10.30.0.2"));
    let sent = measured(&container, (&host, "10.30.0.1"));
    assert!(is_limited(received) && is_limited(sent), "{received} and {sent} bytes a second");
}
