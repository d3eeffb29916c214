//! What a driver sets of its bridges, their ports and its links stays so, whatever somebody else does to them.

use pontoon_tests::{Daemon, until};

/// What the kernel says of a link that the probe made, by the beginning of its name.
fn shown(daemon: &Daemon, begins: &str, wanted: &[&str]) -> (String, Vec<String>) {
    let all = daemon.host.run("ip -o -d link show");
    let line = all.lines().find(|line| line.split(": ").nth(1).is_some_and(|name| name.starts_with(begins)));
    let Some(line) = line else { return Default::default() };
    let name = line.split([' ', '@', ':']).find(|word| word.starts_with(begins)).unwrap().to_owned();
    let words: Vec<&str> = line.split(['<', '>', ',', ' ', '\\']).filter(|word| !word.is_empty()).collect();
    let value = |of: &&str| {
        let place = words.iter().position(|word| word == of);
        place.map_or_else(String::new, |place| words[place..].iter().take(2).copied().collect::<Vec<_>>().join(" "))
    };
    (name, wanted.iter().map(value).collect())
}

#[test]
fn a_bridge_comes_back_with_all_that_was_set() {
    let mut daemon = Daemon::start();
    daemon.load("test/probe");
    daemon.ok("network create -d probe -o probe.do=options n");
    let bridge =
        |daemon: &Daemon| shown(daemon, "pbob", &["ageing_time", "mcast_snooping", "mcast_querier", "vlan_filtering"]);
    let port = |daemon: &Daemon| {
        shown(daemon, "pboa", &["flood", "mcast_flood", "bcast_flood", "qlen", "PROMISC", "ALLMULTI"])
    };
    let before = (bridge(&daemon), port(&daemon));
    let (name, set) = &before.0;
    assert_eq!(set[..3], ["ageing_time 6000", "mcast_snooping 1", "mcast_querier 1"]);
    assert_eq!(before.1.1[..4], ["flood off", "mcast_flood off", "bcast_flood off", "qlen 77"]);
    assert!(before.1.1[4..].iter().all(|flag| !flag.is_empty()), "{before:?}");
    let vlans = |daemon: &Daemon| daemon.host.run("bridge vlan show");
    let vlans_before = vlans(&daemon);
    let shown = daemon.ok("network inspect --verbose n");
    for line in ["ageing in 1/100 s 6000", "flooding of broadcasts 0", "promiscuous 1"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // What the device does for the kernel, as ethtool's own messages have it: the probe's second look.
    let shown = daemon.ok("network inspect --verbose n");
    assert!(shown.contains("transmit checksums 0") && shown.contains("receive grouping 0"), "{shown}");
    let is_back = |daemon: &Daemon| (bridge(daemon), port(daemon)) == before && vlans(daemon) == vlans_before;
    for harm in [format!("ip link del {name}"), format!("ip link set {} nomaster", before.1.0)] {
        daemon.host.run(&harm);
        until(&format!("it is as it was after {harm}"), || is_back(&daemon));
    }
    daemon.kill();
    daemon.host.run(&format!("ip link del {name}"));
    daemon.host.run(&format!("ip link set {} txqueuelen 5 promisc off", before.1.0));
    daemon.run();
    until("it is as it was after a start", || is_back(&daemon));
    daemon.ok("network rm n");
    until("nothing is left", || !daemon.host.run("ip -o link").contains("pbo"));
}
