//! The important scenarios on hosts of every kind. Each runs on those where it is hardest; `make hosts` runs each on all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pontoon_tests::Variant::{self, *};
use pontoon_tests::{Daemon, Namespace, PORTS, Site, until};

/// A daemon on such a host, and a site.
struct Scene {
    daemon: Daemon,
    site: Site,
}

impl Scene {
    fn new(variant: Variant) -> Self {
        let daemon = Daemon::start();
        let outside = variant.prepare(&daemon.host);
        daemon.load("bridge");
        let ipv6 = if variant.has_ipv6() { "--ipv6" } else { "" };
        for network in ["n", "m", "shut --internal"] {
            daemon.ok(&format!("network create {ipv6} {network}"));
        }
        let attach = |network: &str, name: &str, ports: &str| {
            let container = Namespace::new(name);
            daemon.ok(&format!("endpoint attach {network} {} {ports}", container.text()));
            container
        };
        let site = Site {
            variant,
            host: Namespace::at(daemon.host.path()),
            outside,
            a: attach("n", "a", PORTS),
            b: attach("n", "b", ""),
            c: attach("m", "c", ""),
            shut: [attach("shut", "s", ""), attach("shut", "t", "")],
        };
        Self { daemon, site: site.open() }
    }
}

/// Runs a scenario on these hosts, or on all: `PONTOON_HOSTS=all`. Tells of each that failed.
fn run(scenario: fn(&mut Scene), variants: &[Variant]) {
    let all = std::env::var("PONTOON_HOSTS").is_ok_and(|which| which == "all");
    let variants = if all { &Variant::ALL } else { variants };
    let fails = |variant: &&Variant| {
        println!("-- {variant:?}");
        catch_unwind(AssertUnwindSafe(|| scenario(&mut Scene::new(**variant)))).is_err()
    };
    let failed: Vec<_> = variants.iter().filter(fails).collect();
    assert!(failed.is_empty(), "it failed on {failed:?}, for the reasons above");
}

/// Makes each row of the table a test.
macro_rules! scenarios {
    ($($name:ident: [$($variant:ident),+ $(,)?]),+ $(,)?) => {
        mod on {
            use super::*;
            $(#[test] fn $name() { run(super::$name, &[$($variant),+]); })+
        }
        const TABLE: &[&[Variant]] = &[$(&[$($variant),+]),+];
    };
}

scenarios! {
    neighbours: [ForwardDrop, BridgeNf],
    the_way_out: [RouterAdvertisement, Mtu1400, UplinkBridge],
    published_ports: [TimeWait, OldConnections, TwoUplinks],
    an_internal_network: [LegacyIptables, NoBridgeNf],
    networks_apart: [Ufw, NftPolicy],
    a_flush: [Firewalld, NotForwarding],
    a_restart: [Plain, NoIpv6, Subinterface],
}

#[test]
fn each_kind_of_host_is_in_the_table() {
    for variant in Variant::ALL {
        assert!(TABLE.iter().any(|row| row.contains(&variant)), "{variant:?} is in no row of the table");
    }
}

fn neighbours(scene: &mut Scene) {
    scene.site.neighbours_reach_each_other();
}

fn the_way_out(scene: &mut Scene) {
    scene.site.there_is_a_way_out();
}

fn published_ports(scene: &mut Scene) {
    scene.site.published_ports_answer();
}

fn an_internal_network(scene: &mut Scene) {
    scene.site.what_is_internal_stays_closed();
}

fn networks_apart(scene: &mut Scene) {
    scene.site.networks_are_apart();
}

/// Within a second all is as it was.
fn a_flush(scene: &mut Scene) {
    let rules = || {
        let rules = scene.site.host.run("nft -t list ruleset");
        rules
            .split("table ")
            .filter(|table| table.contains("pontoon-"))
            .map(|table| table.lines().count())
            .sum::<usize>()
    };
    let before = rules();
    scene.site.host.run("nft flush ruleset");
    let begin = Instant::now();
    until("the rules", || rules() == before);
    assert!(begin.elapsed() < Duration::from_secs(1), "the rules came back after {:?}", begin.elapsed());
    scene.site.all_is_well();
}

fn a_restart(scene: &mut Scene) {
    scene.daemon.restart();
    scene.site.all_is_well();
    scene.daemon.kill();
    scene.site.host.run("nft flush ruleset");
    scene.daemon.run();
    scene.site.all_is_well();
}
