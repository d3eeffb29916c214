//! Chains and maps of a network's own, in a daemon's kernel.

use pontoon_tests::{Daemon, until};

/// The probe leaves a chain behind, with a rule in it and one that leads there, and a map that rules look up.
#[test]
fn chains_come_back_after_a_flush_and_go_with_their_network() {
    let mut daemon = Daemon::start();
    daemon.load("test/probe");
    let at_first = daemon.host.run("nft list tables");
    daemon.ok("network create n -d probe -o probe.do=nftables");
    let rules = |daemon: &Daemon| {
        let mut lines: Vec<_> = daemon.host.run("nft -t list ruleset").lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let before = rules(&daemon);
    // In no certain order.
    let mapped = |daemon: &Daemon| {
        let listed = daemon.host.run("nft list maps");
        let mut words: Vec<_> =
            listed.split(char::is_whitespace).map(|word| word.trim_end_matches(',').to_owned()).collect();
        words.sort();
        words
    };
    let leads = mapped(&daemon);
    for says in [
        "table bridge pontoon-",
        "ether saddr != 02:00:00:00:00:01",
        "chain filter-forward-0/own/inner-",
        "jump filter-forward-0/own/inner-",
        "udp counter packets 0",
        "type inet_proto . inet_service : ipv4_addr . inet_service",
        "fib daddr type local dnat ip to meta l4proto . th dport map @Ipv4HostPorts-network-",
    ] {
        assert!(before.iter().any(|line| line.contains(says)), "{says}: {before:#?}");
    }
    let table_of = |family: &str, name: &str| {
        let tables = daemon.host.run(&format!("nft list tables {family}"));
        tables.lines().find(|line| line.contains(name)).map(str::to_owned).unwrap()
    };
    let (table, frames) = (table_of("inet", "pontoon-"), table_of("bridge", "-frames"));
    let losses =
        [format!("delete {table}"), format!("flush {table}"), format!("delete {frames}"), format!("flush {frames}")];
    for loss in losses.into_iter().chain(["flush ruleset".to_owned()]) {
        daemon.host.run(&format!("nft {loss}"));
        until(&loss, || rules(&daemon) == before && mapped(&daemon) == leads);
    }
    daemon.restart();
    assert_eq!((rules(&daemon), mapped(&daemon)), (before, leads), "a start takes nothing away");
    daemon.ok("network rm n");
    until("all is gone", || daemon.host.run("nft list tables") == at_first);
}
