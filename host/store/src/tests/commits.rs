//! Checks: a commit that was overtaken writes nothing; one that was not goes through.

use super::*;
use grant::Limit;

fn state_check(key: &str, version: Option<i64>) -> Check {
    Check::State { driver: name("d"), key: key.into(), version }
}

fn version(store: &Store, key: &str) -> Option<i64> {
    store.state(&name("d"), key).unwrap().map(|(_, version)| version)
}

/// Commits a mark under a check, and says whether the check held; the mark must be there exactly then.
fn holds(store: &Store, check: Check) -> bool {
    put(store, [Write::RemoveState { driver: name("mark"), key: "m".into() }]).unwrap();
    let answer =
        store.commit(Batch { checks: vec![check], writes: vec![set("mark", "m", "n1", "")], ..Batch::default() });
    let written = store.state(&name("mark"), "m").unwrap().is_some();
    match answer {
        Ok(_) => assert!(written),
        Err(Error::Conflict(_)) => assert!(!written),
        Err(other) => panic!("{other}"),
    }
    written
}

#[test]
fn a_key_that_was_read_is_checked() {
    let store = scratch();
    assert!(holds(&store, state_check("k", None)));
    put(&store, [set("d", "k", "n1", "1")]).unwrap();
    let first = version(&store, "k");
    assert!(!holds(&store, state_check("k", None)), "inserted");
    assert!(holds(&store, state_check("k", first)));
    put(&store, [set("d", "other", "n1", "1"), set("e", "k", "n1", "1")]).unwrap();
    assert!(holds(&store, state_check("k", first)), "another key, another driver");
    put(&store, [set("d", "k", "n1", "1")]).unwrap();
    assert!(!holds(&store, state_check("k", first)), "the same value again");
    let second = version(&store, "k");
    put(&store, [Write::RemoveState { driver: name("d"), key: "k".into() }]).unwrap();
    assert!(!holds(&store, state_check("k", second)), "removed");
    put(&store, [set("d", "k", "n1", "1")]).unwrap();
    assert!(!holds(&store, state_check("k", second)), "removed and inserted");
}

#[test]
fn a_range_that_was_read_is_checked() {
    let store = scratch();
    let list = || store.state_list(&name("d"), "a/", usize::MAX).unwrap().1;
    let check = |version| Check::StateList { driver: name("d"), prefix: "a/".into(), version };
    let remove = |key: &str| Write::RemoveState { driver: name("d"), key: key.into() };
    put(&store, ["a/1", "a/2", "a", "a0", "b/1"].map(|key| set("d", key, "n1", "v"))).unwrap();
    let changes: [(&str, Vec<Write>, bool); 8] = [
        ("outside", vec![set("d", "a", "n1", "w"), set("d", "a0", "n1", "w"), remove("b/1")], true),
        ("another driver", vec![set("e", "a/1", "n1", "w")], true),
        ("updated", vec![set("d", "a/1", "n1", "v")], false),
        ("inserted", vec![set("d", "a/3", "n1", "v")], false),
        ("removed the newest", vec![remove("a/3")], false),
        ("removed one and inserted another", vec![remove("a/1"), set("d", "a/9", "n1", "v")], false),
        ("removed and inserted the same", vec![remove("a/9"), set("d", "a/9", "n1", "v")], false),
        ("cleared with its network", vec![Write::ClearState { network: id("n1") }], false),
    ];
    for (what, writes, expected) in changes {
        let before = list();
        assert!(holds(&store, check(before)), "before {what}");
        store.commit(Batch { writes, ..Batch::default() }).unwrap();
        assert_eq!(holds(&store, check(before)), expected, "{what}");
    }
    assert!(holds(&store, check(ListVersion::default())), "an empty range");
}

#[test]
fn a_table_that_was_read_is_checked() {
    let store = scratch();
    let key = |version| Check::Entry { network: id("n1"), table: "peers".into(), key: "k".into(), version };
    let list = |version| Check::EntryList { network: id("n1"), table: "peers".into(), version };
    let remove = || Write::RemoveEntry { network: id("n1"), table: "peers".into(), key: "k".into() };
    let versions = || {
        let one = store.entry(&id("n1"), "peers", "k").unwrap().map(|(_, version)| version);
        (one, store.entries(&id("n1"), Some("peers")).unwrap().1)
    };
    let empty = versions();
    assert_eq!(empty, (None, ListVersion::default()));
    let watch = Write::Watch { network: id("n1"), table: "peers".into(), object_type: 1 };
    put(&store, [entry("n1", "k", "o", "1"), watch]).unwrap();
    let first = versions();
    assert!(!holds(&store, key(empty.0)) && !holds(&store, list(empty.1)));
    put(&store, [entry("n2", "k", "o", "2")]).unwrap();
    // Told: for those who read the table nothing has changed.
    let told = Write::Delivered { network: id("n1"), table: "peers".into(), key: "k".into(), value: Some(b"1".into()) };
    put(&store, [told]).unwrap();
    assert!(holds(&store, key(first.0)) && holds(&store, list(first.1)));
    put(&store, [remove()]).unwrap();
    assert!(!holds(&store, key(first.0)) && !holds(&store, list(first.1)));
    assert!(holds(&store, key(None)) && holds(&store, list(ListVersion::default())), "a tombstone is no entry");
    put(&store, [entry("n1", "k", "o", "1")]).unwrap();
    assert!(!holds(&store, key(first.0)) && !holds(&store, list(first.1)));
}

#[test]
fn an_error_in_the_middle_writes_nothing() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "a"))]).unwrap();
    let before = store.state_list(&name("d"), "", usize::MAX).unwrap();
    let batch =
        [Write::PutNetwork(network("n2", "b")), set("d", "k", "n2", "v"), Write::PutNetwork(network("n3", "a"))];
    assert!(matches!(put(&store, batch), Err(Error::Exists(_))));
    assert_eq!(store.networks().unwrap().len(), 1);
    assert_eq!(store.state_list(&name("d"), "", usize::MAX).unwrap(), before);
    assert_eq!(store.held(&name("d"), Limit::StoreBytes).unwrap(), 0);
    assert!(store.commit(Batch::default()).unwrap().is_empty());
}

#[test]
fn numbers_are_given_in_order() {
    let store = scratch();
    let object = || Write::AddObject(link("n1", None, Namespace::Host, 1, "a"));
    let given =
        put(&store, [object(), Write::PutNetwork(network("n1", "a")), Write::PutNetwork(network("n1", "a")), object()]);
    assert_eq!(given.unwrap(), [1, 1, 2]);
}

#[test]
fn a_state_is_listed_in_order_and_its_size_is_known() {
    let store = scratch();
    assert_eq!(store.held(&name("d"), Limit::StoreBytes).unwrap(), 0);
    put(
        &store,
        [set("d", "b", "n1", "22"), set("d", "a%", "n1", ""), set("d", "ab", "n2", "4444"), set("e", "a", "n1", "1")],
    )
    .unwrap();
    let keys = |prefix| {
        store.state_list(&name("d"), prefix, usize::MAX).unwrap().0.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys(""), ["a%", "ab", "b"]);
    assert_eq!(keys("a"), ["a%", "ab"]);
    assert_eq!(keys("a%"), ["a%"]);
    assert!(keys("_").is_empty() && keys("ba").is_empty());
    assert_eq!(store.state(&name("d"), "ab").unwrap().unwrap().0, b"4444");
    assert_eq!(store.held(&name("d"), Limit::StoreBytes).unwrap(), 3 * 256 + 1 + 2 + 2 + 2 + 4);
    put(&store, [set("d", "b", "n2", "7777777"), Write::ClearState { network: id("n1") }]).unwrap();
    assert_eq!(
        store.held(&name("d"), Limit::StoreBytes).unwrap(),
        2 * 256 + 1 + 7 + 2 + 4,
        "a key belongs to who wrote it last"
    );
    assert_eq!(store.held(&name("e"), Limit::StoreBytes).unwrap(), 0);
    put(&store, [Write::RemoveDriver(name("d"))]).unwrap();
    assert!(keys("").is_empty());
    assert_eq!(store.held(&name("d"), Limit::StoreBytes).unwrap(), 0);
}

#[test]
fn of_two_that_read_the_same_one_wins() {
    let store = scratch();
    put(&store, [set("d", "k", "n1", "0")]).unwrap();
    let won = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while won.load(Ordering::SeqCst) < 100 {
                    let since = store.version();
                    let (value, version) = store.state(&name("d"), "k").unwrap().unwrap();
                    let next = String::from_utf8(value).unwrap().parse::<u32>().unwrap() + 1;
                    let writes = vec![set("d", "k", "n1", &next.to_string())];
                    let checks = vec![state_check("k", Some(version))];
                    match store.commit(Batch { since, checks, writes, ..Batch::default() }) {
                        Ok(_) => won.fetch_add(1, Ordering::SeqCst),
                        Err(Error::Conflict(_)) => 0,
                        Err(other) => panic!("{other}"),
                    };
                }
            });
        }
    });
    let count = won.load(Ordering::SeqCst).to_string();
    assert_eq!(store.state(&name("d"), "k").unwrap().unwrap().0, count.as_bytes());
}

#[test]
fn what_was_read_is_not_looked_at_again_while_nothing_was_committed() {
    let store = scratch();
    let wrong = || vec![state_check("k", Some(99))];
    let commit = |since, writes| store.commit(Batch { since, checks: wrong(), writes, ..Batch::default() }).is_ok();
    let since = store.version();
    assert!(commit(since, Vec::new()) && !commit(0, Vec::new()), "nothing is written, and nothing was");
    assert!(commit(since, vec![set("d", "k", "n1", "1")]));
    assert!(store.version() > since);
    assert!(!commit(since, vec![set("d", "k", "n1", "2")]) && !commit(since, Vec::new()), "something was committed");
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    put(&store, [set("d", "k", "n1", "1")]).unwrap();
    let newest = version(&store, "k").unwrap();
    drop(store);
    let store = Store::open(&folder.0).unwrap();
    assert!(store.version() > newest, "numbers go on where they were");
}

#[test]
fn a_limit_is_of_what_there_is_with_the_writes() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "a"))]).unwrap();
    let links = |most| Check::Held { driver: name("bridge"), limit: Limit::Links, most };
    let add = |most, count| {
        let writes = (0..count).map(|index| Write::AddObject(link("n1", None, Namespace::Host, index, "x"))).collect();
        store.commit(Batch { since: store.version(), checks: vec![links(most)], writes, ..Batch::default() })
    };
    add(2, 2).unwrap();
    assert!(matches!(add(2, 1), Err(Error::Conflict(_))));
    assert!(matches!(add(3, 2), Err(Error::Conflict(_))));
    add(3, 1).unwrap();
    assert_eq!(store.held(&name("bridge"), Limit::Links).unwrap(), 3);
    let bytes = |most, value: &str| {
        let checks = vec![Check::Held { driver: name("d"), limit: Limit::StoreBytes, most: 256_u64 + most }];
        store.commit(Batch { checks, writes: vec![set("d", "k", "n1", value)], ..Batch::default() })
    };
    bytes(5, "1234").unwrap();
    assert!(matches!(bytes(5, "12345"), Err(Error::Conflict(_))));
    bytes(6, "12345").unwrap();
}
