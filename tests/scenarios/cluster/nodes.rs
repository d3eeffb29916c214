//! Nodes: what each has, and nodes that take no new endpoints.

use std::net::UdpSocket;

use pontoon_tests::{Daemon, Etcd, Namespace, driver, until};

use super::{attach, attaching, create, endpoint, finding};

#[test]
fn a_node_is_inspected_and_drained() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    let id = create(&a, "n");
    let (c1, c2) = (Namespace::new("c1"), Namespace::new("c2"));
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    let one = endpoint(&a, "n", "c1");
    let address = one["address"].as_str().unwrap().split('/').next().unwrap();
    let is_told = || b.json("node inspect a")["attached"][0]["endpoints"][0]["addresses"][0] == address;
    until("b to know of a's endpoint", is_told);
    let told = b.json("node inspect a");
    let (node, network) = (&told["node"], &told["attached"][0]);
    assert_eq!(
        (node["address"].as_str(), node["availability"].as_str()),
        (Some("192.0.2.1"), Some("active")),
        "{told}"
    );
    assert_eq!((network["name"].as_str(), network["id"].as_str()), (Some("n"), Some(&*id)), "{told}");
    assert_eq!(network["endpoints"][0]["id"], one["id"], "{told}");
    assert!(!told["lease"].as_str().unwrap().is_empty(), "{told}");
    let shown = b.ok("node inspect a");
    assert!(shown.contains("c1") && shown.contains(address) && !shown.contains("c2"), "{shown}");
    assert!(b.refused(4, "node inspect x").contains("the cluster has no node x"));
    assert!(b.refused(4, "node drain x").contains("the cluster has no node x"));

    b.ok("node drain a");
    until("a to hear of it", || a.json("node inspect a")["node"]["availability"] == "drain");
    let refused = a.refused(9, &attaching("n", &c1, "c3"));
    assert!(refused.contains("the node a is drained") && refused.contains("pontoon node activate a"), "{refused}");
    attach(&b, "n", &c2, "c3");
    assert_eq!(a.json("endpoint ls n").as_array().unwrap().len(), 1, "what it has stays");
    assert!(a.ok("node ls").contains("drain"));
    a.ok("network create -d probe -o probe.links=no here");
    a.ok("endpoint detach n c1");
    a.ok("node activate a");
    until("it to be active", || a.json("node inspect a")["node"]["availability"] == "active");
    attach(&a, "n", &c1, "c3");
}

/// What is detached is free for others when that is answered.
#[test]
fn a_detached_address_is_free_at_once() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    a.ok("network create --scope global -d probe -o probe.links=no --subnet 10.66.0.0/24 n");
    let c = Namespace::new("c");
    attach(&b, "n", &c, "first");
    for round in 0..super::rounds(20).min(100) {
        let (from, to) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        from.ok(&format!("endpoint attach n {} --name c{round} --ip 10.66.0.77", c.text()));
        from.ok(&format!("endpoint detach n c{round}"));
        to.ok(&format!("endpoint attach n {} --name d{round} --ip 10.66.0.77", c.text()));
        to.ok(&format!("endpoint detach n d{round}"));
    }
    assert_eq!(etcd.named("/address/").len(), 1);
}

#[test]
fn what_stands_between_nodes_is_said() {
    let etcd = Etcd::start(1);
    let mut node: Daemon = etcd.node("a", 1, "");
    node.run();
    node.ok(&format!("driver load {} --set address=192.0.2.1", driver("overlay").display()));
    until("all is well", || finding(&node, "clock").starts_with("\"ok\" \"it is etcd's"));
    assert!(finding(&node, "underlay").starts_with("\"ok\" \"cable has 192.0.2.1, and carries 1500 bytes"));
    assert!(finding(&node, "VXLAN port").starts_with("\"ok\""));
    let socket = node.host.enter(|| UdpSocket::bind("0.0.0.0:4789").unwrap()).join().unwrap();
    assert!(finding(&node, "VXLAN port").starts_with("\"problem\" \"UDP port 4789 belongs to"));
    drop(socket);
    node.ok("network create --scope global -d overlay blue");
    assert!(finding(&node, "VXLAN port").starts_with("\"ok\""), "a VXLAN link has it");
    assert!(finding(&node, "underlay").starts_with("\"ok\""));
    node.host.run("nft add table inet a");
    node.host.run("nft add chain inet a in { type filter hook input priority 0 ; policy drop ; }");
    let dropped = finding(&node, "VXLAN firewall");
    let says = "the chain inet a in drops by its policy what other nodes send to UDP port 4789 by cable";
    let advice = "nft insert rule inet a in iifname cable udp dport 4789 accept";
    assert!(dropped.contains(says) && dropped.contains(advice), "{dropped}");
    node.host.run(advice);
    assert_eq!(finding(&node, "VXLAN firewall"), "null null null");
    node.host.run("ip link set cable mtu 1400");
    let wide = finding(&node, "underlay");
    assert!(wide.starts_with("\"warning\"") && wide.contains("wrapped packets of blue are larger"), "{wide}");
    node.host.run("ip address del 192.0.2.1/24 dev cable");
    node.host.run("ip address add 192.0.2.9/24 dev cable");
    let lost = finding(&node, "underlay");
    assert!(lost.starts_with("\"problem\"") && lost.contains("no link of this host has 192.0.2.1"), "{lost}");
}
