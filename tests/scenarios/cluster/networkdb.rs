//! What libnetwork's own tables (NetworkDB) do, and what has their place has to do, too. Where each is tested:
//!
//! | NetworkDB | here | test |
//! |---|---|---|
//! | an entry is made only where there is none that lives; over a deleted one, or one of a node that failed, it may be | etcd's transaction says so | `an_entry_is_made_only_where_none_lives` |
//! | an entry belongs to one node: no other one changes or deletes it; what is absent can't be deleted | the owner is in its value; to delete what is absent changes nothing | `an_entry_belongs_to_one_node` |
//! | a watcher is told of all that is there, none missed and none twice, then of each change | rows of SQLite, told until they are taken | `entries::entries_are_told_to_other_hosts_and_not_to_their_own`, `entries::a_host_that_joins_is_told_of_thousands` |
//! | a node's own entries are not told to it | the same | the same |
//! | what is older than what is known is dropped | etcd's revisions have the place of clocks | `mirror::what_is_known_is_no_change` |
//! | a change of what was not known is told as made, a deletion of it is not told | the table here is compared, not the change | `failures::a_host_that_is_cut_off_serves_and_catches_up`, `what_came_and_went_unheard_is_not_told` |
//! | a deletion has the value that was told last | the same | `entries::entries_are_told_to_other_hosts_and_not_to_their_own` |
//! | no order over keys: a new owner may come before the old one goes | the same: the driver bears it | `overlay::a_container_moves_to_another_host` (of the driver) |
//! | a node is told only of networks that it joined | it joins with its first endpoint there; it stays in until the network is removed | `a_node_is_told_only_of_networks_that_it_joined` |
//! | who leaves a network takes its entries along | with its endpoints | `who_leaves_takes_its_entries_along` |
//! | a node that leaves or fails loses its entries; if it comes back in time nobody is told of either | its lease ends; a daemon that is started again takes up the lease it had | `failures::a_host_that_dies_loses_its_entries_and_keeps_its_addresses` |
//! | one that was cut off for longer puts its entries again | under its next lease | `failures::a_host_that_is_cut_off_serves_and_catches_up` |
//! | a node that begins anew under its name has nothing of what it had | refused until the lease of the one before has ended; what that one left goes with the first endpoint of the network | `a_host_that_begins_anew_has_nothing_of_what_it_had` |
//! | timers: tombstones, reapers, gossip, periodic synchronization | none: etcd orders all changes | |

use std::time::Duration;

use pontoon::cluster::{Key, Outcome, Wanted, owned};
use pontoon_tests::{Daemon, Etcd, Namespace, until};

use super::linear::Node;
use super::{attach, attaching, create, endpoint, entries, events};

/// Two nodes without daemons, and the network `n`.
fn two(etcd: &Etcd) -> [Node; 2] {
    etcd.put("net/n/name", b"n");
    let nodes = [1, 2].map(|number| Node::start(etcd, number));
    nodes.iter().for_each(Node::await_joined);
    nodes
}

/// What comes of a value under a key; none: it is deleted.
fn write(node: &Node, key: &str, value: Option<&str>) -> Outcome {
    let cluster = &node.cluster;
    let key = cluster.keys().of(&Key::Entry { network: "n", table: "t", key });
    let value = value.map(|value| owned(cluster.node().as_str(), value.as_bytes()));
    let (cluster, wanted) = (cluster.clone(), Wanted { key, value, leased: true });
    node.place.host.enter(move || cluster.write("n", &[wanted]).unwrap()).join().unwrap()
}

#[test]
fn an_entry_is_made_only_where_none_lives() {
    let etcd = Etcd::start(1);
    let [a, b] = two(&etcd);
    assert_eq!(write(&a, "k", Some("1")), Outcome::Done);
    let taken = write(&b, "k", Some("2"));
    assert!(matches!(&taken, Outcome::Taken { node, .. } if node == "a"), "{taken:?}");
    assert_eq!(write(&a, "k", None), Outcome::Done);
    assert_eq!(write(&b, "k", Some("2")), Outcome::Done, "over one that was deleted");
    etcd.cut(2, true);
    until("b's lease to end", || write(&a, "k", Some("3")) == Outcome::Done);
    etcd.cut(2, false);
    b.await_joined();
    until("b to know it", || b.cluster.mirror().below("/test/net/n/table/").any(|(_, kept)| &*kept.value == b"a\n3"));
    assert_ne!(write(&b, "k", Some("4")), Outcome::Done, "it is a's now");
}

#[test]
fn an_entry_belongs_to_one_node() {
    let etcd = Etcd::start(1);
    let [a, b] = two(&etcd);
    assert_eq!((write(&b, "k", None), etcd.named("table/")), (Outcome::Done, vec![]), "what is absent");
    write(&a, "k", Some("1"));
    assert_eq!((write(&b, "k", None), etcd.named("table/").len()), (Outcome::Done, 1), "what is another's");
    assert_eq!((write(&a, "k", Some("2")), write(&a, "k", Some("2"))), (Outcome::Done, Outcome::Done));
    let is_as = |value: &str| etcd.keys().iter().any(|(key, has)| key.ends_with("table/t/k") && has == value);
    assert!(is_as("a\n2"));
    assert_eq!((write(&a, "k", None), etcd.named("table/")), (Outcome::Done, vec![]));
}

/// How often a node's driver was told of something.
fn told(node: &Daemon) -> u64 {
    let driver = node.json("driver inspect probe");
    let calls = driver["calls"].as_array().unwrap();
    calls.iter().find(|call| call["function"] == "event-notify").map_or(0, |call| call["count"].as_u64().unwrap())
}

#[test]
fn a_node_is_told_only_of_networks_that_it_joined() {
    let etcd = Etcd::start(1);
    let [a, b, c] = etcd.nodes();
    create(&a, "n");
    let [c1, c2, c3] = ["c1", "c2", "c3"].map(Namespace::new);
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    until("b to be told", || told(&b) == 1 && told(&a) == 1);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(told(&c), 0);
    attach(&c, "n", &c3, "c3");
    until("c to be told of both", || told(&c) == 2);
}

#[test]
fn who_leaves_takes_its_entries_along() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    let id = create(&a, "n");
    let [c1, c2] = ["c1", "c2"].map(Namespace::new);
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    let key = format!("left-{id}/{}", endpoint(&b, "n", "c2")["id"].as_str().unwrap());
    until("a to be told", || events(&a, "n") == [format!("{key} created >left")]);
    b.ok("endpoint detach n c2");
    until("a to be told of its end", || events(&a, "n").last() == Some(&format!("{key} deleted left>")));
    // When the network goes, what it had of others goes too.
    a.ok("endpoint detach n c1");
    until("nobody has an entry", || entries(&a, "n").is_empty() && entries(&b, "n").is_empty());
    b.ok("network rm n");
    until("it is gone on both", || [&a, &b].iter().all(|node| super::state(node, "n").is_none()));
    assert!(!a.stored().contains("left-") && !b.stored().contains("left-"));
}

#[test]
fn what_came_and_went_unheard_is_not_told() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    let id = create(&a, "n");
    let c = Namespace::new("c");
    attach(&b, "n", &c, "c");
    etcd.cut(2, true);
    // It gives up its watch.
    std::thread::sleep(Duration::from_secs(6));
    let [short, long] = ["short", "long"].map(|key| format!("net/{id}/table/probe-table/{key}"));
    etcd.put(&short, b"x\n1");
    etcd.remove(&short);
    etcd.put(&long, b"x\n1");
    etcd.compact();
    etcd.cut(2, false);
    until("b to be told", || events(&b, "n") == ["long created >1"]);
}

#[test]
fn a_host_that_begins_anew_has_nothing_of_what_it_had() {
    let etcd = Etcd::start(1);
    let [mut a, b] = etcd.nodes();
    let id = create(&b, "n");
    let [c1, c2, c3] = ["c1", "c2", "c3"].map(Namespace::new);
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    let old = endpoint(&a, "n", "c1")["id"].as_str().unwrap().to_owned();
    until("b to be told", || entries(&b, "n").len() == 2);
    let mut new = etcd.node("a", 3, "");
    new.run();
    new.load("test/probe");
    let attach = attaching("n", &c3, "c3");
    let refused = new.refused(9, &attach);
    assert!(refused.contains("the node a is another host already"), "{refused}");
    a.kill();
    until("its lease to end", || new.cli(&attach).code == 0);
    until("nothing of the one before", || etcd.named(&old).is_empty());
    let key = format!("left-{id}/{old}");
    until("b to be told", || entries(&b, "n").len() == 2 && events(&b, "n").contains(&format!("{key} deleted left>")));
    let of_a =
        |kind: &str| etcd.keys().iter().filter(|(key, has)| key.contains(kind) && has.starts_with("a\n")).count();
    until("one of each", || ["/table/", "/endpoint/", "/address/"].map(of_a) == [1; 3]);
}
