//! The driver `overlay` on a network that hosts share through etcd: where each container is, its driver puts into the network's table, and the
//! drivers of the other hosts hear of it.

use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Etcd, Namespace, driver, peers, same_at_last, send, until};

/// Hosts of an etcd of three members, each with the driver: 192.0.2.1 and on.
pub struct Hosts<const N: usize> {
    pub etcd: Etcd,
    pub nodes: [Daemon; N],
}

impl<const N: usize> Hosts<N> {
    pub fn new() -> Self {
        let etcd = Etcd::start(3);
        let nodes = std::array::from_fn(|index| {
            let number = u8::try_from(index).unwrap() + 1;
            let mut node = etcd.node(&char::from(b'`' + number).to_string(), number, "");
            // It stays on when networks go.
            let forwarding = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1";
            node.host.run(&format!("sysctl -q {forwarding}"));
            node.host.run("ip link set cable addrgenmode none");
            node.run();
            node.ok(&format!("driver load {} --set address=192.0.2.{number}", driver("overlay").display()));
            node
        });
        Self { etcd, nodes }
    }

    /// A container with the addresses 10.50.0.LAST and fd50::LAST.
    pub fn attach(&self, host: usize, last: u8) -> Namespace {
        let container = Namespace::new(&format!("c{last}"));
        self.nodes[host].ok(&self.attaching(last, &container));
        container
    }

    pub fn attaching(&self, last: u8, container: &Namespace) -> String {
        format!("endpoint attach blue {} --name c{last} --ip 10.50.0.{last} --ip6 fd50::{last}", container.text())
    }

    /// What a host's kernel has of the containers of others: hosts by forwarding entries, addresses by neighbours.
    pub fn known(&self, host: usize) -> Vec<String> {
        peers(&self.nodes[host].host)
    }

    /// Waits until a host knows the containers with these last parts on these hosts, and no others. Answers how long that took.
    pub fn agree(&self, host: usize, containers: &[(usize, u8)]) -> Duration {
        let begin = Instant::now();
        let mut wanted: Vec<String> = containers
            .iter()
            .filter(|(at, _)| *at != host)
            .flat_map(|(at, last)| [format!("192.0.2.{}", at + 1), format!("10.50.0.{last}"), format!("fd50::{last}")])
            .collect();
        wanted.sort();
        until(&format!("host {host} to know {wanted:?}"), || self.known(host) == wanted);
        begin.elapsed()
    }
}

#[test]
fn containers_on_three_hosts_reach_each_other_whatever_dies() {
    let mut hosts = Hosts::<3>::new();
    let before: Vec<_> = hosts.nodes.iter().map(|node| node.host.settled()).collect();
    let subnets = "--ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64";
    hosts.nodes[0].ok(&format!("network create --scope global -d overlay {subnets} blue"));
    let mut all = vec![(0, 11), (1, 12), (2, 13)];
    until("all to have the network", || hosts.nodes.iter().all(|node| super::state(node, "blue").is_some()));
    let containers: Vec<Namespace> = all.iter().map(|(host, last)| hosts.attach(*host, *last)).collect();
    for host in 0..3 {
        hosts.agree(host, &all);
    }
    let reach = |from: usize, to: &[u8]| {
        for last in to {
            for address in [format!("10.50.0.{last}"), format!("fd50::{last}")] {
                assert!(containers[from].pings(&address), "{from} to {address}");
            }
        }
    };
    reach(0, &[12, 13]);
    reach(1, &[11, 13]);
    send(&containers[0], &containers[2], "10.50.0.13", 8 << 20);
    send(&containers[2], &containers[1], "[fd50::12]", 8 << 20);
    // One that moves keeps its address, and the others follow.
    hosts.nodes[2].ok("endpoint detach blue c13");
    let attach = hosts.attaching(13, &containers[2]);
    until("its address to be let go of", || hosts.nodes[1].cli(&attach).code == 0);
    all[2].0 = 1;
    let took = hosts.agree(0, &all).max(hosts.agree(2, &all));
    println!("a container moved, and the others knew within {} ms", took.as_millis());
    reach(0, &[13]);
    // A host that dies: after its lease nobody sends there any more. Its containers stay, and are reached again.
    hosts.nodes[1].kill();
    hosts.agree(0, &all[..1]);
    hosts.nodes[1].run();
    hosts.agree(0, &all);
    hosts.agree(1, &all);
    reach(0, &[12, 13]);
    // One that is cut off: what runs there goes on. Meanwhile etcd's leader dies, and elsewhere something is attached.
    hosts.etcd.cut(2, true);
    hosts.agree(0, &all[..1]);
    reach(1, &[13]);
    let leader = hosts.etcd.leader();
    hosts.etcd.kill(leader);
    let late = Namespace::new("c14");
    let attach = hosts.attaching(14, &late);
    until("another leader", || hosts.nodes[2].cli(&attach).code == 0);
    all.push((2, 14));
    hosts.agree(0, &[all[0], all[3]]);
    assert!(late.pings("10.50.0.11"));
    hosts.etcd.cut(2, false);
    hosts.etcd.run(leader);
    for host in 0..3 {
        hosts.agree(host, &all);
    }
    reach(0, &[12, 13, 14]);
    reach(1, &[14]);
    for (host, last) in &all {
        hosts.nodes[*host].ok(&format!("endpoint detach blue c{last}"));
    }
    for host in 0..3 {
        hosts.agree(host, &[]);
    }
    until("the network to be free", || hosts.nodes[0].cli("network rm blue").code == 0);
    for (node, before) in hosts.nodes.iter().zip(&before) {
        same_at_last(|| node.host.dump(), before);
    }
    until("nothing of it in etcd", || hosts.etcd.named("net/").is_empty());
}
