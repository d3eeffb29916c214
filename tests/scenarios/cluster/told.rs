//! What an operator is told of a cluster: which node has what on a network, how far a node is behind etcd, and numbers for whoever draws curves.

use pontoon_tests::until;
use serde_json::Value;

use super::overlay::Hosts;

/// The value of a metric; none: it is not told.
fn number(metrics: &str, name: &str) -> Option<i64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(&format!("pontoon_{name} ")));
    value.map(|value| value.parse().unwrap())
}

#[test]
fn nodes_are_told_by_network_and_in_numbers() {
    let mut hosts = Hosts::<2>::new();
    let subnets = "--ipv6 --subnet 10.50.0.0/24 --subnet fd50::/64";
    hosts.nodes[0].ok(&format!("network create --scope global -d overlay {subnets} blue"));
    let all = [(0, 11), (1, 12)];
    until("both to have the network", || super::state(&hosts.nodes[1], "blue").is_some());
    let elsewhere = hosts.nodes[1].json("network inspect --verbose blue");
    assert_eq!(elsewhere["peers"], Value::Array(Vec::new()), "it is made there only when something is attached");
    let _containers = all.map(|(host, last)| hosts.attach(host, last));
    for host in 0..2 {
        hosts.agree(host, &all);
    }

    let (a, b) = (&hosts.nodes[0], &hosts.nodes[1]);
    let peers = a.json("network inspect --verbose blue")["peers"].clone();
    let [own, other] = [&peers[0], &peers[1]];
    assert_eq!((own["node"].as_str(), own["here"].as_bool()), (Some("a"), Some(true)), "{peers}");
    assert_eq!((other["node"].as_str(), other["address"].as_str()), (Some("b"), Some("192.0.2.2")), "{peers}");
    let endpoint = &other["endpoints"][0];
    assert_eq!((endpoint["name"].as_str(), peers[2].is_null()), (Some("c12"), true), "{peers}");
    assert_eq!(endpoint["addresses"], serde_json::json!(["10.50.0.12", "fd50::12"]), "{peers}");
    assert!(endpoint["details"].to_string().contains("192.0.2.2"), "explained by its driver: {peers}");
    let shown = a.ok("network inspect --verbose blue");
    assert!(shown.contains("a (here)") && shown.contains("c12"), "{shown}");
    assert!(a.json("network inspect blue")["peers"].is_null());

    until("a to know all", || a.json("node inspect a")["node"]["lag"] == 0);
    let nodes = b.json("node ls");
    assert!(nodes[0]["lag"].is_null() && nodes[1]["lag"].is_u64(), "each knows its own: {nodes}");
    let metrics = b.ok("metrics");
    for (name, value) in [("networks", 1), ("endpoints", 1), ("drivers", 1), ("cluster_healthy", 1)] {
        assert_eq!(number(&metrics, name), Some(value), "{name}: {metrics}");
    }
    for name in ["cluster_nodes", "cluster_endpoints", "cluster_entries"] {
        assert_eq!(number(&metrics, name), Some(2), "{name}: {metrics}");
    }
    assert!(number(&metrics, "cluster_lag_revisions").is_some_and(|lag| lag < 100), "{metrics}");
    assert!(!metrics.contains('{'), "no series has a label: {metrics}");
    assert!(b.json("metrics")["text"].as_str().unwrap().ends_with("# EOF\n"));

    let faults = number(&metrics, "cluster_faults_total").unwrap();
    hosts.etcd.kill(0);
    hosts.etcd.kill(1);
    until("it to be noticed", || number(&hosts.nodes[1].ok("metrics"), "cluster_healthy") == Some(0));
    let metrics = hosts.nodes[1].ok("metrics");
    assert!(number(&metrics, "cluster_faults_total").unwrap() > faults, "{metrics}");
    assert_eq!(number(&metrics, "cluster_lag_revisions"), None, "{metrics}");
    assert!(hosts.nodes[1].json("node ls")[1]["lag"].is_null());
}
