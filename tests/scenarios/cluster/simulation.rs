//! A hundred nodes in one process, with a real etcd of three members: how many entries a second go in, how long each node takes to know one, what a
//! node holds in memory, and how long one takes that joins. `make cluster` runs it; the figures are in ARCHITECTURE.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pontoon::cluster::{Access, Cluster, Key, Outcome, Wanted, owned};
use pontoon::config::cluster::Cluster as Settings;
use pontoon::config::{Config, Written};
use pontoon_tests::{Etcd, at, at_once, memory, until};
use words::Name;

const NODES: usize = 100;

/// Entries of all nodes together.
const ENTRIES: usize = 10_000;

/// Entries whose way to every node is timed.
const PROBES: usize = 100;

fn start(settings: &Settings, number: usize) -> Cluster {
    let settings = Settings { node: Name::new(&format!("node-{number}")).unwrap(), ..settings.clone() };
    Cluster::start(Arc::new(Access::read(&settings).unwrap()), format!("host-{number}"), None).unwrap()
}

fn put(node: &Cluster, keys: &[String]) {
    // A container's addresses, as the overlay writes them.
    let value = owned(node.node().as_str(), b"02:42:0a:32:00:0b 192.0.2.1 10.50.0.11 fd50::11");
    let wanted: Vec<_> =
        keys.iter().map(|key| Wanted { key: key.clone(), value: Some(value.clone()), leased: true }).collect();
    assert_eq!(node.write("n", &wanted).unwrap(), Outcome::Done);
}

fn key(node: &Cluster, name: &str) -> String {
    node.keys().of(&Key::Entry { network: "n", table: "peers", key: name })
}

fn known(node: &Cluster) -> usize {
    node.mirror().below(node.keys().all()).count()
}

/// All of it, in the namespace of this thread: those that it starts are there, too.
fn simulate(settings: &Settings) {
    let (begin, before) = (Instant::now(), memory("self"));
    let nodes: Vec<Cluster> = (0..NODES).map(|number| start(settings, number)).collect();
    let have_joined = || nodes.iter().all(|node| node.health().joined && node.health().followed);
    until("all to join", have_joined);
    println!(
        "{NODES} nodes have joined after {:.1} s, {:.0} MiB",
        begin.elapsed().as_secs_f64(),
        memory("self") - before
    );
    let (empty, begin) = (memory("self"), Instant::now());
    at_once(8, 0..ENTRIES, |number| {
        let node = &nodes[number % NODES];
        put(node, &[key(node, &format!("endpoint-{number}"))]);
    });
    let took = begin.elapsed().as_secs_f64();
    println!("{ENTRIES} entries, one in a transaction: {:.0} a second", ENTRIES as f64 / took);
    until("all to know all", || nodes.iter().all(|node| known(node) >= ENTRIES));
    println!("all know all after another {:.1} s", begin.elapsed().as_secs_f64() - took);
    let each = (memory("self") - empty) * 1024.0 * 1024.0 / (NODES * ENTRIES) as f64;
    println!("{each:.0} bytes of memory for an entry on a node");

    // While others write, how long until each node knows.
    let over = AtomicBool::new(false);
    let lags = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
                let node = &nodes[number % NODES];
                put(node, &[key(node, &format!("busy-{number}"))]);
            }
        });
        let lags: Vec<f64> = (0..PROBES).flat_map(|number| lag(&nodes, number)).collect();
        over.store(true, Ordering::Relaxed);
        lags
    });
    assert_eq!(lags.len(), PROBES * NODES, "every node knows every one");
    let [half, most] = [0.5, 0.99].map(|part| at(&lags, part));
    println!("an entry is known to a node after {half:.1} ms, 99 of 100 after {most:.1} ms (n = {})", lags.len());

    let (begin, alone) = (Instant::now(), memory("self"));
    let last = start(settings, NODES);
    until("the last one", || known(&last) >= ENTRIES);
    let (took, more) = (begin.elapsed().as_secs_f64(), memory("self") - alone);
    println!("one that joins knows {} keys after {took:.2} s: {more:.1} MiB", known(&last));
}

/// How long each node takes to know one entry, in milliseconds, from the call on.
fn lag(nodes: &[Cluster], number: usize) -> Vec<f64> {
    let writer = &nodes[number % NODES];
    let name = key(writer, &format!("probe-{number}"));
    let mut open: Vec<&Cluster> = nodes.iter().collect();
    let (begin, mut lags) = (Instant::now(), Vec::new());
    put(writer, std::slice::from_ref(&name));
    while !open.is_empty() && begin.elapsed() < Duration::from_secs(60) {
        open.retain(|node| {
            let knows = node.mirror().get(&name).is_some();
            if knows {
                lags.push(begin.elapsed().as_secs_f64() * 1000.0);
            }
            !knows
        });
        std::thread::sleep(Duration::from_micros(200));
    }
    lags
}

#[test]
#[ignore = "figures, not a test: it wants a quiet machine"]
fn a_hundred_nodes() {
    let etcd = Etcd::start(3);
    etcd.put("net/n/name", b"n");
    let place = etcd.node("a", 1, "ttl = 30\n");
    let written = Written { config: Some(place.file("config.toml")), ..Written::default() };
    let settings = Config::load(written).unwrap().cluster.unwrap();
    place.host.enter(move || simulate(&settings)).join().unwrap();
}
