//! What a driver's networks hold is counted as it is made and removed.

use super::*;
use grant::Limit;

fn own(network: &str, key: &str) -> Write {
    entry(network, key, OWN, "1")
}

/// What the networks of the driver hold, which is the sum of what each does.
fn held(store: &Store) -> [u64; 2] {
    let of_driver = "SELECT count(*) FROM (SELECT driver, kind, sum(count) FROM held JOIN networks ON networks.id = network GROUP BY driver, kind
                     EXCEPT SELECT * FROM driver_held)";
    assert_eq!(store.read(|c| query::count(c, of_driver, [])).unwrap(), 0);
    [Limit::Links, Limit::TableEntries].map(|limit| store.held(&name("bridge"), limit).unwrap())
}

fn filled(store: &Store) -> Vec<i64> {
    let networks = [("n1", "a"), ("n2", "b")].map(|(id, called)| Write::PutNetwork(network(id, called)));
    put(store, networks).unwrap();
    let links = [("n1", None), ("n1", Some("e1")), ("n2", None)];
    let ids = put(store, links.map(|(n, e)| Write::AddObject(link(n, e, Namespace::Host, 3, "x")))).unwrap();
    put(store, [own("n1", "a"), own("n1", "b"), entry("n1", "c", "other", "1"), own("n2", "a")]).unwrap();
    ids
}

#[test]
fn what_networks_hold_is_counted() {
    let store = scratch();
    let ids = filled(&store);
    assert_eq!(held(&store), [3, 3]);
    assert_eq!(store.held(&name("other"), Limit::Links).unwrap(), 0, "of another driver");
    put(&store, [own("n1", "a"), entry("n1", "c", OWN, "2"), entry("n1", "b", "other", "2")]).unwrap();
    assert_eq!(held(&store), [3, 3], "one replaced, one taken over, one lost");
    let remove = |key: &str| Write::RemoveEntry { network: id("n1"), table: "peers".into(), key: key.into() };
    put(&store, [Write::RemoveObject(ids[0]), Write::RemoveObject(ids[0]), remove("a"), remove("a")]).unwrap();
    assert_eq!(held(&store), [2, 2]);
    put(&store, [Write::RemoveEndpoint(id("n1"), id("e1")), Write::RemoveNetwork(id("n2"))]).unwrap();
    assert_eq!(held(&store), [0, 1]);
    put(&store, [Write::RemoveNetwork(id("n1"))]).unwrap();
    assert_eq!(store.read(|c| query::count(c, "SELECT count(*) FROM held", [])).unwrap(), 0, "nothing is left");
}

#[test]
fn what_is_made_before_its_network_is_counted_with_it() {
    let store = scratch();
    let links =
        || [("n1", 3), ("n1", 4)].map(|(n, index)| Write::AddObject(link(n, None, Namespace::Host, index, "x")));
    put(&store, links()).unwrap();
    assert_eq!(held(&store), [0, 0], "nobody's");
    put(&store, [Write::PutNetwork(network("n1", "a"))]).unwrap();
    assert_eq!(held(&store), [2, 0]);
    let [one, other] = links();
    put(&store, [one, other, Write::PutNetwork(network("n1", "b"))]).unwrap();
    assert_eq!(held(&store), [4, 0], "the network is not counted again");
    put(&store, [Write::RemoveNetwork(id("n1"))]).unwrap();
    assert_eq!(held(&store), [0, 0]);
    let kept = || store.read(|c| query::count(c, "SELECT count(*) FROM driver_held", [])).unwrap();
    assert_eq!(kept(), 1, "no more than one for each kind");
    put(&store, [Write::RemoveDriver(name("bridge"))]).unwrap();
    assert_eq!(kept(), 0);
}

#[test]
fn each_port_of_a_range_is_counted() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "a"))]).unwrap();
    let port = |port, more| {
        let thing = Thing::Port(kernel::HostPort { protocol: 17, port, more, address: "::".parse().unwrap() });
        Write::AddObject(Object { id: 0, network: id("n1"), endpoint: Some(id("e1")), thing })
    };
    let ids = put(&store, [port(80, 0), port(10_000, 2_000), port(1, 65_534)]).unwrap();
    let held = || store.held(&name("bridge"), Limit::Ports).unwrap();
    assert_eq!((held(), store.object_count(&id("n1")).unwrap()), (1 + 2_001 + 65_535, 3));
    put(&store, [Write::RemoveObject(ids[2]), Write::RemoveObject(ids[0])]).unwrap();
    assert_eq!((held(), store.object_count(&id("n1")).unwrap()), (2_001, 1));
    put(&store, [Write::RemoveEndpoint(id("n1"), id("e1"))]).unwrap();
    assert_eq!(held(), 0);
    put(&store, [port(10_000, 9), Write::RemoveNetwork(id("n1"))]).unwrap();
    assert_eq!(store.read(|c| query::count(c, "SELECT count(*) FROM held", [])).unwrap(), 0, "nothing is left");
}

fn part(link: i64, kind: &'static str, key: &str) -> Part {
    Part { link, kind, key: key.into() }
}

#[test]
fn what_is_on_a_link_is_counted_until_the_link_goes() {
    let store = scratch();
    let ids = filled(&store);
    let held = |limit| store.held(&name("bridge"), limit).unwrap();
    let all = || [Limit::Addresses, Limit::Routes, Limit::Neighbours, Limit::Ports].map(held);
    let add = |link: i64, kind, key| put(&store, [Write::PutPart(part(link, kind, key))]).unwrap();
    for kind in [Part::ADDRESS, Part::ROUTE, Part::NEIGHBOUR, Part::FORWARDING, Part::PORT] {
        add(ids[0], kind, "a");
        add(ids[0], kind, "a");
        add(ids[2], kind, "a");
        add(999, kind, "of a link that is gone");
    }
    add(ids[1], Part::ADDRESS, "b");
    assert_eq!(all(), [3, 2, 4, 2]);
    assert_eq!(store.object_count(&id("n1")).unwrap(), 2, "they are no objects");
    let shown = store.parts(&id("n1")).unwrap();
    assert!(shown.contains(&part(ids[0], Part::ROUTE, "a")) && shown.contains(&part(ids[1], Part::ADDRESS, "b")));
    assert!(shown.iter().all(|part| part.link != ids[2]), "of another network");
    let remove = |key| put(&store, [Write::RemovePart(part(ids[0], Part::ROUTE, key))]).unwrap();
    remove("b");
    assert_eq!(all(), [3, 2, 4, 2], "another one");
    remove("a");
    remove("a");
    assert_eq!(all(), [3, 1, 4, 2]);
    put(&store, [Write::RemoveObject(ids[0]), Write::RemoveEndpoint(id("n1"), id("e1"))]).unwrap();
    assert_eq!(all(), [1, 1, 2, 1]);
    put(&store, [Write::RemoveNetwork(id("n2"))]).unwrap();
    assert_eq!(all(), [0; 4]);
    assert_eq!(store.read(|c| query::count(c, "SELECT count(*) FROM parts", [])).unwrap(), 0, "nothing is left");
}

#[test]
fn bytes_of_tables_are_counted() {
    let store = scratch();
    filled(&store);
    let held = || store.held(&name("bridge"), Limit::TableBytes).unwrap();
    // Table and key are "peers" and one letter.
    assert_eq!(held(), 3 * 7);
    put(&store, [entry("n1", "a", OWN, "123"), entry("n1", "c", OWN, "12"), entry("n1", "b", "other", "1234")])
        .unwrap();
    assert_eq!(held(), 9 + 8 + 7, "one larger, one taken over, one lost");
    put(&store, [Write::RemoveEntry { network: id("n1"), table: "peers".into(), key: "a".into() }]).unwrap();
    assert_eq!(held(), 8 + 7);
    put(&store, [Write::RemoveNetwork(id("n1"))]).unwrap();
    assert_eq!(held(), 7);
}

#[test]
fn what_calls_have_that_are_not_committed_is_added_up() {
    let store = scratch();
    let claim = |driver: &str, before, now| store.claim(&name(driver), Limit::Links, before, now);
    assert_eq!(claim("a", 0, 5), 5);
    assert_eq!(claim("a", 0, 3), 8, "of another call");
    assert_eq!(claim("b", 0, 1), 1, "of another driver");
    assert_eq!(store.claim(&name("a"), Limit::Rules, 0, 2), 2, "of something else");
    assert_eq!(claim("a", 5, 6), 9);
    assert_eq!(claim("a", 6, 0), 3);
    assert_eq!(claim("a", 3, 0), 0);
}

#[test]
fn a_list_is_read_as_far_as_it_may_be_long() {
    let store = scratch();
    filled(&store);
    // Each has a key and a value of one byte, and counts for sixteen more.
    let table =
        |most| store.entry_list(&id("n1"), "peers", most).map(|(entries, version)| (entries.len(), version.count));
    assert_eq!(table(3 * 18).unwrap(), (3, 3));
    let refusal = table(3 * 18 - 1).unwrap_err();
    assert_eq!(refusal.to_string(), "table \"peers\" has more than 53 bytes: ask for less, or for one key at a time");
    assert!(matches!(refusal, Error::TooLong(_)));
    put(
        &store,
        ["a", "b"].map(|key| Write::SetState { driver: name("d"), key: key.into(), network: id("n1"), value: vec![1] }),
    )
    .unwrap();
    assert_eq!(store.state_list(&name("d"), "", 2 * 18).unwrap().0.len(), 2);
    assert!(store.state_list(&name("d"), "", 2 * 18 - 1).is_err());
}
