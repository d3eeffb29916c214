//! What a watching driver is told: each state once, in order, and the end of what it was told of.

use super::*;

fn watch(network: &str, object_type: u8) -> Write {
    Write::Watch { network: id(network), table: "peers".into(), object_type }
}

fn remove(key: &str) -> Write {
    Write::RemoveEntry { network: id("n1"), table: "peers".into(), key: key.into() }
}

/// Tombstones and entries.
fn rows(store: &Store) -> usize {
    store.read(|c| query::count(c, "SELECT count(*) FROM entries", [])).unwrap()
}

/// What is to be told, as `key previous>value`.
fn pending(store: &Store) -> Vec<String> {
    let text = |value: Option<Vec<u8>>| value.map_or("-".into(), |v| String::from_utf8(v).unwrap());
    let all = store.undelivered(&id("n1")).unwrap().into_iter();
    all.map(|u| format!("{} {}>{}", u.key, text(u.previous), text(u.value))).collect()
}

/// Tells all that is to be told.
fn deliver(store: &Store) {
    for u in store.undelivered(&id("n1")).unwrap() {
        put(store, [Write::Delivered { network: id("n1"), table: u.table, key: u.key, value: u.value }]).unwrap();
    }
    assert!(pending(store).is_empty());
}

#[test]
fn an_entry_is_told_from_its_making_to_its_end() {
    let store = scratch();
    put(&store, [entry("n1", "b", "o", "1"), entry("n1", "a", "o", "1"), entry("n2", "c", "o", "1")]).unwrap();
    assert!(pending(&store).is_empty(), "nobody watches");
    put(&store, [watch("n1", 1)]).unwrap();
    assert_eq!(pending(&store), ["a ->1", "b ->1"], "what was there before, too");
    deliver(&store);
    put(&store, [entry("n1", "a", "o", "2"), entry("n1", "b", "o", "1")]).unwrap();
    assert_eq!(pending(&store), ["a 1>2"], "the same value again is no event");
    put(&store, [entry("n1", "a", "o", "3")]).unwrap();
    assert_eq!(pending(&store), ["a 1>3"], "what was told last counts");
    deliver(&store);
    put(&store, [remove("a"), remove("b"), remove("nothing")]).unwrap();
    assert_eq!(pending(&store), ["a 3>-", "b 1>-"]);
    assert_eq!(store.entry(&id("n1"), "peers", "a").unwrap(), None);
    assert!(store.entries(&id("n1"), None).unwrap().0.is_empty());
    put(&store, [entry("n1", "b", "o", "9")]).unwrap();
    assert_eq!(pending(&store), ["a 3>-", "b 1>9"], "back again before the end was told");
    deliver(&store);
    assert_eq!(rows(&store), 2, "a's tombstone has gone: b and n2's entry are left");
}

#[test]
fn nobody_is_told_of_what_nobody_was_told_of() {
    let store = scratch();
    put(&store, [watch("n1", 1), entry("n1", "a", "o", "1"), remove("a"), entry("n1", "own", OWN, "1")]).unwrap();
    assert!(pending(&store).is_empty());
    put(&store, [remove("own")]).unwrap();
    assert_eq!(rows(&store), 0, "no tombstones");
}

#[test]
fn a_told_end_is_told_again_only_if_it_was_not_noted() {
    let store = scratch();
    put(&store, [watch("n1", 1), entry("n1", "a", "o", "1")]).unwrap();
    deliver(&store);
    put(&store, [entry("n1", "a", "o", "2"), remove("a")]).unwrap();
    assert_eq!(pending(&store), ["a 1>-"]);
    // The note of an update that was told before the end.
    put(
        &store,
        [Write::Delivered { network: id("n1"), table: "peers".into(), key: "a".into(), value: Some(b"2".into()) }],
    )
    .unwrap();
    assert_eq!(pending(&store), ["a 2>-"]);
    deliver(&store);
    assert_eq!(rows(&store), 0);
}

#[test]
fn an_entry_that_goes_while_it_is_told_is_told_to_its_end() {
    let store = scratch();
    put(&store, [watch("n1", 1), entry("n1", "a", "o", "1")]).unwrap();
    let told = store.undelivered(&id("n1")).unwrap().remove(0);
    put(&store, [remove("a")]).unwrap();
    let note = Write::Delivered { network: id("n1"), table: told.table, key: told.key, value: told.value };
    put(&store, [note.clone()]).unwrap();
    assert_eq!(pending(&store), ["a 1>-"]);
    assert_eq!(store.entry(&id("n1"), "peers", "a").unwrap(), None);
    deliver(&store);
    put(&store, [Write::RemoveNetwork(id("n1")), note]).unwrap();
    assert_eq!(rows(&store), 0, "the network goes while its driver is told");
}

#[test]
fn own_entries_are_not_there_to_a_watch() {
    let store = scratch();
    put(&store, [watch("n1", 1), entry("n1", "a", "o", "1")]).unwrap();
    deliver(&store);
    put(&store, [remove("a"), entry("n1", "a", OWN, "mine")]).unwrap();
    assert_eq!(pending(&store), ["a 1>-"], "another owner's ended");
    deliver(&store);
    assert_eq!(store.entry(&id("n1"), "peers", "a").unwrap().unwrap().0.value, b"mine");
    put(&store, [remove("a"), entry("n1", "a", "o", "2")]).unwrap();
    assert_eq!(pending(&store), ["a ->2"]);
}

#[test]
fn an_endpoints_entries_go_with_it() {
    let store = scratch();
    let of = |key: &str, endpoint| Write::PutEntry {
        network: id("n1"),
        table: "peers".into(),
        key: key.into(),
        owner: OWN.into(),
        endpoint: Some(id(endpoint)),
        value: Vec::new(),
    };
    put(&store, [of("a", "e1"), of("b", "e2"), entry("n1", "c", OWN, "")]).unwrap();
    assert_eq!(store.entry(&id("n1"), "peers", "a").unwrap().unwrap().0.endpoint, Some(id("e1")));
    put(&store, [Write::RemoveEndpoint(id("n1"), id("e1"))]).unwrap();
    let left: Vec<_> = store.entries(&id("n1"), Some("peers")).unwrap().0.into_iter().map(|e| e.key).collect();
    assert_eq!(left, ["b", "c"]);
    assert_eq!(rows(&store), 2);
}

#[test]
fn empty_values_are_values() {
    let store = scratch();
    put(&store, [watch("n1", 1), entry("n1", "a", "o", "")]).unwrap();
    assert_eq!(pending(&store), ["a ->"]);
    deliver(&store);
    put(&store, [remove("a")]).unwrap();
    assert_eq!(pending(&store), ["a >-"]);
}

#[test]
fn a_second_watch_replaces_the_object_type() {
    let store = scratch();
    put(&store, [watch("n1", 1), watch("n1", 3), watch("n2", 2)]).unwrap();
    assert_eq!(store.watches(&id("n1")).unwrap(), [("peers".to_owned(), 3)]);
    assert_eq!(store.watches(&id("n3")).unwrap(), []);
}

#[test]
fn entries_are_listed_by_table() {
    let store = scratch();
    let other = Write::PutEntry {
        network: id("n1"),
        table: "arp".into(),
        key: "z".into(),
        owner: "o".into(),
        endpoint: None,
        value: Vec::new(),
    };
    put(&store, [entry("n1", "b", "o", ""), entry("n1", "a", OWN, ""), other]).unwrap();
    let keys = |table| store.entries(&id("n1"), table).unwrap().0.into_iter().map(|e| e.key).collect::<Vec<_>>();
    assert_eq!(keys(None), ["z", "a", "b"]);
    assert_eq!(keys(Some("peers")), ["a", "b"]);
    assert!(keys(Some("pee")).is_empty());
}

#[test]
fn only_what_changed_is_looked_at() {
    let store = scratch();
    let plan =
        "EXPLAIN QUERY PLAN SELECT e.key FROM watches w CROSS JOIN entries e ON e.network = w.network AND e.tab = w.tab
                WHERE w.network = 'n' AND CASE e.owner WHEN 'self' THEN NULL ELSE e.value END IS NOT e.delivered
                ORDER BY w.tab, e.key";
    let steps = store.read(|c| query::all(c, plan, [], |row| Ok(row.get::<_, String>(3)?))).unwrap();
    assert!(steps.len() == 2 && steps[1].contains("entries_undelivered"), "{steps:?}");
}
