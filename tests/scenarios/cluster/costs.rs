//! What a network of many hosts costs, all in one run: an endpoint beside one on a network of this host alone, the overlay's throughput beside a
//! tunnel made by hand, entries into a driver; and the same of Docker's own overlay, in a swarm of two dockerds. `make cluster` runs it; the figures are in ARCHITECTURE.md.

use std::time::Instant;

use pontoon_tests::{Machine, Namespace, Timings, median, send, until};

use super::overlay::Hosts;
use crate::overlay::by_hand;

/// Endpoints of each kind of network.
const ENDPOINTS: usize = 50;

/// Bytes of one stream, and streams of each kind.
const STREAM: (usize, usize) = (256 << 20, 7);

/// Entries of another host.
const ENTRIES: usize = 2_000;

/// Two dockerds in a swarm, and a container of each on an overlay of the swarm's own.
struct Swarm {
    machines: [Machine; 2],
    containers: [Namespace; 2],
    /// The second container's.
    address: String,
}

impl Swarm {
    fn start() -> Self {
        let mut machines = [Machine::new("26.1"), Machine::new("26.1")];
        let other = machines[1].host.text().to_owned();
        machines[0].host.run(&format!("ip link add eth0 type veth peer name eth0 netns {other}"));
        for (machine, own, other) in machines.iter_mut().zip([1, 2]).map(|(m, n)| (m, n, 3 - n)) {
            machine.host.run(&format!("ip address add 192.0.2.{own}/24 dev eth0"));
            machine.host.run("ip link set eth0 up");
            machine.host.run(&format!("ip route add default via 192.0.2.{other}"));
            machine.run_dockerd(&[]);
        }
        let [first, second] = &machines;
        first.docker("swarm init --advertise-addr 192.0.2.1 --listen-addr 192.0.2.1:2377");
        let token = first.docker("swarm join-token -q worker");
        let listen = "--advertise-addr 192.0.2.2 --listen-addr 192.0.2.2:2377";
        second.docker(&format!("swarm join --token {token} {listen} 192.0.2.1:2377"));
        first.docker("network create -d overlay --attachable --subnet 10.70.0.0/24 swarms");
        first.docker("network create plain");
        let containers = [(first, "one"), (second, "two")].map(|(machine, name)| {
            machine.docker(&format!("run -d --name {name} --network swarms bb:1 sleep 3600"));
            machine.container(name)
        });
        let address = second.address("two", "swarms", "IPAddress");
        until("the swarm's tunnel", || containers[0].pings(&address));
        first.docker("run -d --name third bb:1 sleep 3600");
        Self { machines, containers, address }
    }

    /// A running container gets another endpoint, and loses it.
    fn connect(&self, timings: &mut Timings, network: &str) {
        let docker = |what: &str| self.machines[0].docker(&format!("network {what} {network} third"));
        timings.time(&format!("connect, {network}"), || docker("connect"));
        timings.time(&format!("disconnect, {network}"), || docker("disconnect"));
    }
}

#[test]
#[ignore = "figures, not a test: it wants a quiet machine"]
fn what_many_hosts_cost() {
    let hosts = Hosts::<2>::new();
    let node = &hosts.nodes[0];
    let subnets = "--ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64";
    let id = node.ok(&format!("network create --scope global -d overlay {subnets} blue")).trim().to_owned();
    node.ok("network create -d overlay --ipv6 --subnet 10.60.0.0/24 --subnet fd60::/64 local");
    until("the other one to have it", || super::state(&hosts.nodes[1], "blue").is_some());
    let (a, b) = (hosts.attach(0, 11), hosts.attach(1, 12));
    until("both families", || a.pings("10.50.0.12") && a.pings("fd50::12"));

    let swarm = Swarm::start();
    let mut timings = Timings::new();
    let container = Namespace::new("c");
    for _ in 0..ENDPOINTS {
        for network in ["plain", "swarms"] {
            swarm.connect(&mut timings, network);
        }
        for network in ["local", "blue"] {
            let attach = format!("endpoint attach {network} {} --name one", container.text());
            timings.time(&format!("attach, {network}"), || node.ok(&attach));
            timings.time(&format!("detach, {network}"), || node.ok(&format!("endpoint detach {network} one")));
        }
    }
    let rows = [("attach", ["local", "blue"]), ("detach", ["local", "blue"])];
    for (what, networks) in rows.into_iter().chain(["connect", "disconnect"].map(|what| (what, ["plain", "swarms"]))) {
        let [local, global] = networks.map(|network| format!("{what}, {network}"));
        let [[lm, lw], [gm, gw]] = [local, global].map(|name| [0.5, 0.99].map(|part| timings.at(&name, part)));
        println!(
            "{what}: {lm:.1} ms on a network of this host, {gm:.1} ms on one of all hosts (99 of 100: {lw:.1}, {gw:.1})"
        );
    }

    let plain = by_hand();
    let [.., c, d] = &plain;
    until("the tunnel made by hand", || c.pings("10.50.0.12"));
    let [e, f] = &swarm.containers;
    let ways = [(&a, &b, "10.50.0.12"), (c, d, "10.50.0.12"), (e, f, &swarm.address)];
    let mut took = [const { Vec::new() }; 3];
    for _ in 0..STREAM.1 {
        for (took, (from, to, address)) in took.iter_mut().zip(ways) {
            let seconds = send(from, to, address, STREAM.0).as_secs_f64();
            took.push(STREAM.0 as f64 * 8.0 / 1e9 / seconds);
        }
    }
    for (name, took) in ["the overlay", "a vxlan made by hand", "Docker's overlay in a swarm"].iter().zip(&took) {
        println!("{name}: {:.2} Gbit/s (median of {})", median(took), took.len());
    }

    let before = hosts.known(0).len();
    let one = |number: usize| {
        let value = format!("x\n02:00:00:01:{:02x}:{:02x} 192.0.2.9 fd50::1:{number:x}", number >> 8, number & 255);
        (format!("net/{id}/table/peers/container-{number}"), value)
    };
    let all: Vec<_> = (0..ENTRIES).map(one).collect();
    let begin = Instant::now();
    hosts.etcd.put_all(&all);
    until("all of them in the kernel", || hosts.known(0).len() == before + 2 * ENTRIES);
    let rate = ENTRIES as f64 / begin.elapsed().as_secs_f64();
    println!("{rate:.0} entries a second from etcd through the driver into the kernel");
}
