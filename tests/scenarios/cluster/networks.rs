//! Networks, pools and addresses: unique over hosts.

use std::collections::BTreeSet;

use pontoon_tests::{Daemon, Etcd, Namespace, driver, until};

use super::{attach, create, endpoint, rounds, state};

/// Runs a command line on each node at the same moment; which of them succeeded.
fn at_once<const N: usize>(nodes: &[Daemon; N], lines: [String; N]) -> Vec<bool> {
    let children: Vec<_> = nodes.iter().zip(lines).flat_map(|(node, line)| node.ask_in_background([line])).collect();
    children.into_iter().map(|mut child| child.wait().unwrap().success()).collect()
}

#[test]
fn a_network_is_on_every_host_and_goes_from_every_host() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    let id = create(&a, "n");
    until("b to hear of it", || state(&b, "n").is_some());
    assert!(state(&b, "n").unwrap().starts_with("elsewhere"), "made where it is used");
    let seen = b.json("network inspect n");
    assert_eq!((seen["id"].as_str().unwrap(), seen["scope"].as_str().unwrap()), (&*id, "global"));
    assert_eq!(seen["options"]["probe.allocated"], "yes", "as network-allocate left it on the other host");
    let refused = b.refused(5, "network create --scope global -d probe n");
    assert!(refused.contains("there is a network n in the cluster already: the node a made it"), "{refused}");
    let subnet = seen["pools"][0]["subnet"].as_str().unwrap().to_owned();
    let refused = b.refused(5, &format!("network create --scope global -d probe --subnet {subnet} m"));
    assert!(refused.contains(&format!("{subnet} overlaps")), "{refused}");
    let other = create(&b, "m");
    assert_ne!(b.json("network inspect m")["pools"][0]["subnet"], subnet.as_str(), "a free one of the cluster's");
    b.ok("network rm m");
    until("a to hear of its end", || state(&a, "m").is_none());
    assert_eq!(etcd.named(&other), Vec::<String>::new());

    let (c1, c2) = (Namespace::new("c1"), Namespace::new("c2"));
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    assert_eq!(state(&b, "n").unwrap(), "up");
    let addresses = [endpoint(&a, "n", "c1")["address"].clone(), endpoint(&b, "n", "c2")["address"].clone()];
    assert_ne!(addresses[0], addresses[1]);
    let taken = addresses[0].as_str().unwrap().split('/').next().unwrap();
    let refused = b.refused(5, &format!("endpoint attach n {} --name c3 --ip {taken}", c1.text()));
    assert!(refused.contains(&format!("{taken} is taken by the node a")), "{refused}");
    a.ok("endpoint detach n c1");
    let refused = a.refused(6, "network rm n");
    assert!(refused.contains("has 1 endpoints (c2 on b)"), "{refused}");
    b.ok(&format!("endpoint attach n {} --name c3 --ip {taken}", c1.text()));
    let nodes = a.json("node ls");
    assert_eq!(nodes.as_array().unwrap().len(), 2, "{nodes}");
    let of_b = nodes.as_array().unwrap().iter().find(|node| node["name"] == "b").unwrap();
    assert_eq!((of_b["address"].as_str(), of_b["endpoints"].as_u64()), (Some("192.0.2.2"), Some(2)), "{nodes}");
    assert!(a.ok("node ls").contains("a (here)"));
    b.ok("endpoint detach n c2");
    b.ok("endpoint detach n c3");
    a.ok("network rm n");
    until("it is gone on b", || state(&b, "n").is_none());
    assert_eq!(etcd.named("net"), Vec::<String>::new(), "nothing is left");
}

/// The number of a network on the wire, which its driver says is no other network's.
#[test]
fn of_two_that_want_one_number_one_gets_it() {
    let etcd = Etcd::start(1);
    let nodes: [Daemon; 2] = std::array::from_fn(|index| {
        let number = u8::try_from(index).unwrap() + 1;
        let mut node = etcd.node(&format!("n{number}"), number, "");
        node.run();
        node.ok(&format!("driver load {} --set address=192.0.2.{number}", driver("overlay").display()));
        node
    });
    let create = "network create --scope global -d overlay";
    for round in 0..rounds(20) {
        let vni = 100 + round;
        let lines = ["x", "y"].map(|name| format!("{create} -o vni={vni} {name}{round}"));
        let won = at_once(&nodes, lines);
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{vni}: {won:?}");
        let (winner, loser) = (usize::from(won[1]), usize::from(won[0]));
        let there = ["x", "y"][winner];
        let refused = nodes[loser].refused(5, &format!("{create} -o vni={vni} z"));
        let says = format!("vni=\"{vni}\" is the network {there}{round}'s, which the node n{} made", winner + 1);
        assert!(refused.contains(&says), "{refused}");
        nodes[loser].ok(&format!("network rm {there}{round}"));
    }
    // One is chosen that nobody has.
    nodes[0].ok(&format!("{create} x"));
    nodes[1].ok(&format!("{create} y"));
    let vni = |name: &str| nodes[0].json(&format!("network inspect {name}"))["options"]["vni"].clone();
    until("the other to be known", || state(&nodes[0], "y").is_some());
    assert_ne!(vni("x"), vni("y"));
}

#[test]
fn of_two_that_want_the_same_one_gets_it() {
    let etcd = Etcd::start(1);
    let nodes: [Daemon; 2] = etcd.nodes();
    let network = "network create --scope global -d probe --subnet 10.66.0.0/24 -o probe.links=no";
    nodes[0].ok(&format!("{network} n"));
    let places = [Namespace::new("c"), Namespace::new("c")];
    // So that both have it, and nothing but the address is new.
    places.iter().zip(&nodes).for_each(|(c, node)| attach(node, "n", c, "first"));
    let rounds = rounds(50);
    for round in 0..rounds {
        let name = format!("race{round}");
        let line = format!("network create --scope global -d probe --subnet 10.67.{}.0/24 {name}", round % 250);
        let won = at_once(&nodes, [line.clone(), line]);
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{name}: {won:?}");
        let maker = usize::from(won[1]);
        nodes[maker].ok(&format!("network rm {name}"));

        let address = format!("10.66.0.{}", 100 + round % 100);
        let lines = places.each_ref().map(|c| format!("endpoint attach n {} --name e{round} --ip {address}", c.text()));
        let won = at_once(&nodes, lines);
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{address}: {won:?}");
        nodes[usize::from(won[1])].ok(&format!("endpoint detach n e{round}"));
    }
    // Whatever is free, on both at once: never the same.
    let each = 20;
    let lines = |c: &Namespace| {
        let line = |i: usize| format!("endpoint attach n {} --name free{i}", c.text());
        (0..each).map(line).collect::<Vec<_>>()
    };
    let running: Vec<_> = nodes.iter().zip(&places).flat_map(|(node, c)| node.ask_in_background(lines(c))).collect();
    running.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    let addresses = nodes.iter().flat_map(|node| {
        let all = node.json("endpoint ls n");
        all.as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    let addresses: Vec<_> = addresses.collect();
    let different: BTreeSet<_> = addresses.iter().collect();
    assert_eq!((addresses.len(), different.len()), (2 + 2 * each, 2 + 2 * each), "{addresses:?}");
}
