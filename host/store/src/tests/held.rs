//! What a driver's networks hold is counted as it is made and removed.

use super::*;

fn own(network: &str, key: &str) -> Write {
    entry(network, key, OWN, "1")
}

fn held(store: &Store) -> [u64; 2] {
    [&["Link"], &[ENTRY]].map(|kinds| store.held(&name("bridge"), kinds).unwrap())
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
    assert_eq!(store.held(&name("other"), &["Link"]).unwrap(), 0, "of another driver");
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
