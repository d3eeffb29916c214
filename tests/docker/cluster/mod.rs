//! dockerds on several hosts, and not in a swarm: their networks are one of the cluster, by its name.
//!
//! - here: what joins, what is refused, and addresses that no two hosts have
//! - `traffic`: what fails under containers of three dockerds

mod traffic;

use pontoon_tests::{Etcd, Machine, driver, same_at_last, until};

use crate::containers::pings;

/// The subnets, as Pontoon and Docker are told them.
const SUBNETS: &str = "--ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64";
const CREATE: &str = "network create -d pontoon-overlay -o pontoon.network=blue";
/// What has Pontoon give the addresses.
const IPAM: &str = "--ipam-driver pontoon-overlay --ipam-opt pontoon.network=blue";

/// A host with a dockerd, and a Pontoon that is a node.
fn host(etcd: &Etcd, number: u8) -> Machine {
    let mut machine = Machine::new("26.1");
    let name = char::from(b'`' + number).to_string();
    std::fs::write(machine.file("config.toml"), etcd.settings(&name, number, "")).unwrap();
    connect(etcd, &mut machine, number);
    let load = format!("driver load {} --name pontoon-overlay", driver("overlay").display());
    machine.pontoon(&format!("{load} --set address=192.0.2.{number}"));
    machine.run_dockerd(&[]);
    machine
}

/// Lays its cable, and starts Pontoon.
fn connect(etcd: &Etcd, machine: &mut Machine, number: u8) {
    etcd.connect(&machine.host, number);
    machine.host.run("ip link set cable addrgenmode none");
    // It stays on when networks go.
    let forwarding = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1";
    machine.host.run(&format!("sysctl -q {forwarding}"));
    run_pontoon(machine);
}

fn run_pontoon(machine: &mut Machine) {
    let mut serve = machine.serve();
    serve.arg("--config").arg(machine.file("config.toml"));
    machine.run_pontoon_as(serve);
}

fn refused(machine: &Machine, line: &str, why: &str) {
    let refusal = machine.try_docker(line).unwrap_err();
    assert!(refusal.contains(why), "docker {line}: {refusal}");
}

fn addresses(machine: &Machine, container: &str) -> [String; 2] {
    ["IPAddress", "GlobalIPv6Address"].map(|key| machine.address(container, "blue", key))
}

fn reach(from: &Machine, container: &str, to: &[String]) {
    for address in to {
        until(&format!("{container} to reach {address}"), || pings(from, container, address));
    }
}

/// Nothing of containers is left, here and in etcd; then the network goes.
fn clear(etcd: &Etcd, machines: &[Machine], before: &[String]) {
    let left = || [etcd.named("/endpoint/"), etcd.named("/address/"), etcd.named("/table/")].concat();
    same_at_last(left, &Vec::new());
    machines[0].pontoon("network rm blue");
    for (machine, before) in machines.iter().zip(before) {
        until("the network to go", || machine.pontoon_json("network ls") == serde_json::json!([]));
        same_at_last(|| machine.host.dump(), before);
    }
    assert_eq!(etcd.named("net"), Vec::<String>::new());
}

#[test]
fn networks_of_two_dockerds_are_one_of_the_cluster() {
    let etcd = Etcd::start(1);
    let mut machines = [1, 2].map(|number| host(&etcd, number));
    let before = machines.each_ref().map(|machine| machine.host.dump());
    let [a, b] = &mut machines;
    refused(a, &format!("{CREATE} {SUBNETS} {IPAM} blue"), "the cluster has no network \"blue\": make it first");
    a.pontoon(&format!("network create --scope global -d pontoon-overlay {SUBNETS} blue"));
    let own = "say --subnet 10.50.0.0/24 --subnet fd50::/64";
    for (more, why) in [
        (format!("{SUBNETS} {IPAM} --internal"), "is not internal: leave out --internal"),
        (format!("{SUBNETS} {IPAM} -o vni=7"), "leave out -o vni"),
        (IPAM.to_owned(), own),
        (format!("{IPAM} --subnet 10.51.0.0/24"), own),
        (format!("{IPAM} --subnet 10.50.0.0/24 --gateway 10.50.0.9"), "no gateway 10.50.0.9: leave out --gateway"),
        (format!("{IPAM} --subnet 10.50.0.0/24 --ip-range 10.50.0.128/25"), "leave out --ip-range"),
        ("--subnet 10.51.0.0/24".to_owned(), own),
        (format!("{SUBNETS} --ip-range 10.50.0.128/25"), "say --gateway 10.50.0.1"),
        (format!("{IPAM} --subnet 10.50.0.0/24"), "has IPv6 addresses: add --ipv6"),
    ] {
        refused(b, &format!("{CREATE} {more} n"), why);
    }
    for machine in [&*a, &*b] {
        machine.docker(&format!("{CREATE} {SUBNETS} {IPAM} blue"));
    }
    refused(a, &format!("{CREATE} {SUBNETS} {IPAM} again"), "joined the network blue as its");
    a.docker("run -d --name c1 --network blue bb:1 sleep 1d");
    b.docker("run -d --name c2 --restart always --network blue -p 8080:80 bb:1 sleep 1d");
    let (at_a, at_b) = (addresses(a, "c1"), addresses(b, "c2"));
    assert!(at_a.iter().zip(&at_b).all(|(one, other)| one != other), "{at_a:?} {at_b:?}");
    reach(a, "c1", &at_b);
    reach(b, "c2", &at_a);
    let taken = format!("{} is taken by", at_a[0]);
    refused(b, &format!("run --name c0 --network blue --ip {} bb:1 true", at_a[0]), &taken);
    b.docker("rm -f c0");
    refused(a, "network rm blue", "has active endpoints");
    assert!(a.try_pontoon("network rm blue").err.contains("endpoints"), "it is in use");

    // Both daemons of a host are started again, under a container that runs, and another that comes back.
    b.end_pontoon("KILL");
    run_pontoon(b);
    reach(b, "c2", &at_a);
    b.docker("run --rm --network blue bb:1 true");
    b.end_dockerd("TERM");
    b.run_dockerd(&[]);
    until("c2 to be back", || addresses(b, "c2").iter().all(|address| !address.is_empty()));
    let at_b = addresses(b, "c2");
    reach(b, "c2", &at_a);
    b.docker("rm -f c2");
    a.docker(&format!("run -d --name c3 --network blue --ip {} bb:1 sleep 1d", at_b[0]));
    a.docker("restart -t 0 c3");
    assert_eq!(addresses(a, "c3")[0], at_b[0], "it was asked for by name");
    a.docker("rm -f c3");

    // Docker chooses the addresses, from a part of the subnet that is this host's alone. The other host's containers go on.
    b.docker("network rm blue");
    reach(a, "c1", &["10.50.0.1".to_owned()]);
    b.docker(&format!("{CREATE} {SUBNETS} --gateway 10.50.0.1 --ip-range 10.50.0.128/25 blue"));
    refused(b, &format!("run --name c0 --network blue --ip {} --ip6 fd50::99 bb:1 true", at_a[0]), &taken);
    b.docker("rm -f c0");
    b.docker("run -d --name c4 --network blue --ip6 fd50::4 bb:1 sleep 1d");
    reach(b, "c4", &at_a);
    reach(a, "c1", &addresses(b, "c4"));
    a.remove("c1");
    b.remove("c4");
    for machine in &machines {
        machine.docker("network rm blue");
    }
    clear(&etcd, &machines, &before);
}

/// In a swarm containers have the networks of the cluster, and services have none of a plugin's.
#[test]
#[ignore = "seconds for what dockerd refuses: `make cluster`"]
fn what_a_swarm_takes() {
    let etcd = Etcd::start(1);
    let (a, b) = (host(&etcd, 1), host(&etcd, 2));
    a.docker("swarm init --advertise-addr 192.0.2.1");
    let token = a.docker("swarm join-token -q worker");
    b.docker(&format!("swarm join --token {token} 192.0.2.1:2377"));
    a.pontoon(&format!("network create --scope global -d pontoon-overlay {SUBNETS} blue"));
    let legacy = "legacy plugin pontoon-overlay of type NetworkDriver is not supported in swarm mode";
    refused(&a, &format!("{CREATE} {SUBNETS} {IPAM} --scope swarm --attachable blue"), legacy);
    for (machine, container) in [(&a, "c1"), (&b, "c2")] {
        machine.docker(&format!("{CREATE} {SUBNETS} {IPAM} blue"));
        machine.docker(&format!("run -d --name {container} --network blue bb:1 sleep 1d"));
    }
    reach(&a, "c1", &addresses(&b, "c2"));
    reach(&b, "c2", &addresses(&a, "c1"));
    refused(&a, "service create --detach --network blue bb:1 sleep 1d", "network blue not found");
    for (machine, container) in [(&a, "c1"), (&b, "c2")] {
        machine.remove(container);
        machine.docker("network rm blue");
        machine.docker("swarm leave --force");
    }
}
