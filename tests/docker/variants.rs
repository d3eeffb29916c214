//! Containers on hosts of every kind. Some of them here; `make hosts` takes all.

use pontoon_tests::Variant::{self, *};
use pontoon_tests::{Machine, Namespace, PORTS, Site, until};

/// The hardest for dockerd and Pontoon together: each of the two changes firewall and forwarding.
const HARDEST: [Variant; 2] = [Firewalld, UplinkBridge];

/// A machine of this kind with a dockerd, a Pontoon and a site.
fn start(variant: Variant) -> (Machine, Site) {
    let mut machine = Machine::new("26.1");
    let outside = variant.prepare(&machine.host);
    machine.run_pontoon_with_bridge();
    machine.run_dockerd(&[]);
    let dual = |number: u8| match variant.has_ipv6() {
        true => format!("--ipv6 --subnet 10.7{number}.0.0/24 --subnet fd00:7{number}::/64"),
        false => format!("--subnet 10.7{number}.0.0/24"),
    };
    for (network, number) in [("n", 1), ("m", 2), ("--internal shut", 3)] {
        machine.docker(&format!("network create -d pontoon-bridge {} {network}", dual(number)));
    }
    let container = |network: &str, name: &str, ports: &str| {
        machine.docker(&format!("run -d --name {name} --network {network} {ports} bb:1 sleep 1d"));
        machine.container(name)
    };
    let site = Site {
        variant,
        host: Namespace::at(machine.host.path()),
        outside,
        a: container("n", "c1", PORTS),
        b: container("n", "c2", ""),
        c: container("m", "c3", ""),
        shut: [container("shut", "c4", ""), container("shut", "c5", "")],
    };
    (machine, site.open())
}

#[test]
fn containers_on_hosts_of_every_kind() {
    let all = std::env::var("PONTOON_HOSTS").is_ok_and(|which| which == "all");
    let variants = if all { &Variant::ALL[..] } else { &HARDEST };
    let fails = |variant: &&Variant| {
        println!("-- {variant:?}");
        std::panic::catch_unwind(|| works(**variant)).is_err()
    };
    let failed: Vec<_> = variants.iter().filter(fails).collect();
    assert!(failed.is_empty(), "it failed on {failed:?}, for the reasons above");
}

fn works(variant: Variant) {
    let (mut machine, site) = start(variant);
    site.all_is_well();
    machine.host.run("nft flush ruleset");
    // dockerd's own chains are dockerd's to put back, and nothing here needs them.
    site.all_is_well();
    machine.restart_pontoon("KILL");
    site.all_is_well();
    machine.remove("c1 c2 c3 c4 c5");
    ["n", "m", "shut"].iter().for_each(|network| drop(machine.docker(&format!("network rm {network}"))));
    until("no rule is left", || machine.host.run("nft list tables").matches("pontoon-").count() <= 1);
    machine.agree();
}
