//! Chains of a network's own, in a daemon's kernel.

use pontoon_tests::{Daemon, until};

/// The probe leaves a chain behind, with a rule in it and one that leads there.
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
    for says in ["chain filter-forward-0/own/inner-", "jump filter-forward-0/own/inner-", "udp counter packets 0"] {
        assert!(before.iter().any(|line| line.contains(says)), "{says}: {before:#?}");
    }
    let tables = daemon.host.run("nft list tables inet");
    let table = tables.lines().find(|line| line.contains("pontoon-")).unwrap();
    for loss in ["flush ruleset".to_owned(), format!("delete {table}"), format!("flush {table}")] {
        daemon.host.run(&format!("nft {loss}"));
        until(&loss, || rules(&daemon) == before);
    }
    daemon.restart();
    assert_eq!(rules(&daemon), before, "a start takes nothing away");
    daemon.ok("network rm n");
    until("all is gone", || daemon.host.run("nft list tables") == at_first);
}
