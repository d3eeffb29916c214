//! Containers on three hosts and an etcd of three members: pings and TCP go on while etcd loses its leader and its majority and daemons are
//! killed, and come back after a host was dead or cut off. In the end every host knows the same, and nothing is left over. `make cluster` has the
//! long form: a minute without a majority, and 50 kills.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pontoon_tests::{Namespace, Pinging, at, same_at_last, until};

use super::overlay::Hosts;
use crate::overlay::send;

/// Bytes that are sent by TCP meanwhile, at least, and of one stream.
const BYTES: [usize; 2] = [100 << 20, 20 << 20];

/// How long hosts took to agree.
#[derive(Default)]
struct Took(Vec<f64>);

impl Took {
    /// Waits until all hosts know these containers, and no others; the time is each one's, from now on.
    fn agree(&mut self, hosts: &Hosts<3>, containers: &[(usize, u8)], of: &[usize]) {
        let begin = Instant::now();
        for host in of {
            hosts.agree(*host, containers);
            self.0.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn print(&self, after: &str) {
        let [half, most] = [0.5, 0.99].map(|part| at(&self.0, part));
        println!("{after}: a host agrees after {half:.0} ms, 99 of 100 after {most:.0} ms (n = {})", self.0.len());
    }
}

/// Pings by both families and TCP between containers, while something happens that they must not notice. The last ones may be under way.
fn undisturbed(containers: &[Namespace], work: impl FnOnce()) {
    let pairs = [(0, "10.50.0.12"), (1, "fd50::13"), (2, "10.50.0.11"), (0, "fd50::13")];
    let pings: Vec<_> = pairs.iter().map(|(from, to)| (to, Pinging::start(&containers[*from], to))).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let (mut sent, ways) = (0, [(0, 2, "10.50.0.13"), (2, 1, "[fd50::12]"), (1, 0, "10.50.0.11")]);
            for (from, to, address) in ways.iter().cycle() {
                send(&containers[*from], &containers[*to], address, BYTES[1]);
                sent += BYTES[1];
                if sent >= BYTES[0] && over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        work();
        over.store(true, Ordering::Relaxed);
        sending.join().unwrap();
    });
    for (to, ping) in pings {
        let (sent, received) = ping.stop();
        assert!(sent - received <= 3, "{to}: {received} of {sent} pings came back");
    }
}

/// Another container comes and goes; all hosts follow.
fn change(hosts: &Hosts<3>, took: &mut Took, all: &[(usize, u8)], at: usize) {
    let more = [all, &[(at, 20)]].concat();
    let container = Namespace::new("c20");
    let attach = hosts.attaching(20, &container);
    until("an attach", || hosts.nodes[at].cli(&attach).code == 0);
    took.agree(hosts, &more, &[0, 1, 2]);
    hosts.nodes[at].ok("endpoint detach blue c20");
    took.agree(hosts, all, &[0, 1, 2]);
}

/// Daemons are killed at any instant, while on their hosts containers come and go. What each then has all others know.
fn kill(hosts: &mut Hosts<3>, took: &mut Took, fixed: &[(usize, u8)]) {
    let spaces: Vec<_> = (0..3).map(|n| Namespace::new(&format!("c3{n}"))).collect();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..super::rounds(3) {
        let host = random.usize(0..3);
        let last = u8::try_from(30 + host).unwrap();
        let (attach, detach) = (hosts.attaching(last, &spaces[host]), format!("endpoint detach blue c{last}"));
        let line = if names(hosts, host).contains(&last) { detach } else { attach };
        let running = hosts.nodes[host].ask_in_background([line]);
        std::thread::sleep(Duration::from_millis(random.u64(0..150)));
        hosts.nodes[host].kill();
        running.into_iter().for_each(|mut child| drop(child.wait()));
        hosts.nodes[host].run();
        let there: Vec<_> =
            (0..3).flat_map(|host| names(hosts, host).into_iter().map(move |last| (host, last))).collect();
        assert!(fixed.iter().all(|one| there.contains(one)), "{there:?}");
        took.agree(hosts, &there, &[0, 1, 2]);
    }
    for host in 0..3 {
        for last in names(hosts, host).into_iter().filter(|last| *last >= 30) {
            hosts.nodes[host].ok(&format!("endpoint detach blue c{last}"));
        }
    }
    took.agree(hosts, fixed, &[0, 1, 2]);
}

/// The last parts of the addresses of a host's containers.
fn names(hosts: &Hosts<3>, host: usize) -> Vec<u8> {
    let all = hosts.nodes[host].json("endpoint ls blue");
    all.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()[1..].parse().unwrap()).collect()
}

/// The table as a host has it: keys and values.
fn table(hosts: &Hosts<3>, host: usize) -> Vec<[String; 2]> {
    let mut all: Vec<_> =
        super::entries(&hosts.nodes[host], "blue").into_iter().map(|[key, value, _]| [key, value]).collect();
    all.sort();
    all
}

#[test]
fn traffic_goes_on_whatever_fails() {
    let mut hosts = Hosts::<3>::new();
    let before: Vec<_> = hosts.nodes.iter().map(|node| node.host.settled()).collect();
    let subnets = "--ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64";
    hosts.nodes[0].ok(&format!("network create --scope global -d overlay {subnets} blue"));
    until("all to have the network", || hosts.nodes.iter().all(|node| super::state(node, "blue").is_some()));
    let all = [(0, 11), (1, 12), (2, 13)];
    let containers: Vec<Namespace> = all.iter().map(|(host, last)| hosts.attach(*host, *last)).collect();
    let [mut changes, mut etcd, mut kills, mut dead, mut cut] = [0; 5].map(|_| Took::default());
    changes.agree(&hosts, &all, &[0, 1, 2]);
    for container in &containers {
        let addresses = ["10.50.0.11", "10.50.0.12", "10.50.0.13", "fd50::11", "fd50::12", "fd50::13"];
        addresses.iter().for_each(|address| until(address, || container.pings(address)));
    }

    undisturbed(&containers, || {
        (0..3).for_each(|host| change(&hosts, &mut changes, &all, host));
        let leader = hosts.etcd.leader();
        hosts.etcd.kill(leader);
        change(&hosts, &mut etcd, &all, 1);
        hosts.etcd.run(leader);
        hosts.etcd.await_leader();
        // Longer than the nodes' leases.
        let without = Duration::from_secs(if super::rounds(0) > 0 { 60 } else { 5 });
        let two = [leader, (leader + 1) % 3];
        two.into_iter().for_each(|member| hosts.etcd.kill(member));
        std::thread::sleep(without);
        two.into_iter().for_each(|member| hosts.etcd.run(member));
        hosts.etcd.await_leader();
        etcd.agree(&hosts, &all, &[0, 1, 2]);
        change(&hosts, &mut etcd, &all, 2);
        kill(&mut hosts, &mut kills, &all);
    });

    // A host that dies: its entries go with its lease.
    hosts.nodes[1].kill();
    dead.agree(&hosts, &[all[0], all[2]], &[0, 2]);
    assert!(!containers[0].pings("10.50.0.12"), "nobody knows the way");
    hosts.nodes[1].run();
    cut.agree(&hosts, &all, &[0, 1, 2]);
    // One that is cut off: its containers go on.
    hosts.etcd.cut(2, true);
    dead.agree(&hosts, &[all[0], all[2]], &[0, 2]);
    hosts.etcd.cut(2, false);
    cut.agree(&hosts, &all, &[0, 1, 2]);
    undisturbed(&containers, || {});

    let tables: Vec<_> = (0..3).map(|host| table(&hosts, host)).collect();
    assert!(tables[0].len() == 3 && tables[0] == tables[1] && tables[1] == tables[2], "{tables:#?}");
    for (host, last) in all {
        hosts.nodes[host].ok(&format!("endpoint detach blue c{last}"));
    }
    changes.agree(&hosts, &[], &[0, 1, 2]);
    until("the network to be free", || hosts.nodes[0].cli("network rm blue").code == 0);
    for (node, before) in hosts.nodes.iter().zip(&before) {
        same_at_last(|| node.host.dump(), before);
    }
    until("nothing of it in etcd", || hosts.etcd.named("net/").is_empty());
    changes.print("a container came or went");
    etcd.print("etcd had no leader, or no majority");
    kills.print("a daemon was killed and started");
    dead.print("a host died or was cut off (its lease: 3 s)");
    cut.print("it was there again");
}
