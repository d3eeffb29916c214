//! What a network of many hosts costs, all in one run: an endpoint beside one on a network of this host alone, the overlay's throughput beside a
//! tunnel made by hand, entries into a driver. `make cluster` runs it; the figures are in ARCHITECTURE.md.

use std::time::Instant;

use pontoon_tests::{Namespace, Timings, median, send, until};

use super::overlay::Hosts;
use crate::overlay::by_hand;

/// Endpoints of each kind of network.
const ENDPOINTS: usize = 50;

/// Bytes of one stream, and streams of each kind.
const STREAM: (usize, usize) = (256 << 20, 7);

/// Entries of another host.
const ENTRIES: usize = 2_000;

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

    let mut timings = Timings::new();
    let container = Namespace::new("c");
    for _ in 0..ENDPOINTS {
        for network in ["local", "blue"] {
            let attach = format!("endpoint attach {network} {} --name one", container.text());
            timings.time(&format!("attach, {network}"), || node.ok(&attach));
            timings.time(&format!("detach, {network}"), || node.ok(&format!("endpoint detach {network} one")));
        }
    }
    for what in ["attach", "detach"] {
        let [local, global] = ["local", "blue"].map(|network| format!("{what}, {network}"));
        let [[lm, lw], [gm, gw]] = [local, global].map(|name| [0.5, 0.99].map(|part| timings.at(&name, part)));
        println!(
            "{what}: {lm:.1} ms on a network of this host, {gm:.1} ms on one of all hosts (99 of 100: {lw:.1}, {gw:.1})"
        );
    }

    let plain = by_hand();
    let [.., c, d] = &plain;
    until("the tunnel made by hand", || c.pings("10.50.0.12"));
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..STREAM.1 {
        for (took, (from, to)) in took.iter_mut().zip([(&a, &b), (c, d)]) {
            let seconds = send(from, to, "10.50.0.12", STREAM.0).as_secs_f64();
            took.push(STREAM.0 as f64 * 8.0 / 1e9 / seconds);
        }
    }
    for (name, took) in ["the overlay", "a vxlan made by hand"].iter().zip(&took) {
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
