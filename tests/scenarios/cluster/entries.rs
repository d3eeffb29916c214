//! A driver's entries become events on the other hosts: NetworkDB's behaviours that a replacement has to honour.

use std::time::Instant;

use pontoon_tests::{Etcd, Namespace, until};

use super::{attach, create, endpoint, entries, events};

#[test]
fn entries_are_told_to_other_hosts_and_not_to_their_own() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    let id = create(&a, "n");
    let (c1, c2, c3) = (Namespace::new("c1"), Namespace::new("c2"), Namespace::new("c3"));
    attach(&a, "n", &c1, "c1");
    let key = format!("left-{id}/{}", endpoint(&a, "n", "c1")["id"].as_str().unwrap());
    assert_eq!(etcd.keys().iter().find(|(name, _)| name.ends_with(&key)).unwrap().1, "a\nleft", "before it is told");
    // Who joins later is told of all that is there.
    attach(&b, "n", &c2, "c2");
    until("b's driver to be told", || events(&b, "n") == [format!("{key} created >left")]);
    let own = format!("left-{id}/{}", endpoint(&b, "n", "c2")["id"].as_str().unwrap());
    until("a's driver to be told", || events(&a, "n") == [format!("{own} created >left")]);
    let mut expected = [[&*key, "left", "node:a"], [&*own, "left", "self"]].map(|e| e.map(str::to_owned));
    expected.sort();
    assert_eq!(entries(&b, "n"), expected);
    let refused = b.refused(6, "table put n probe-table k v");
    assert!(refused.contains("of global scope: its entries come from the nodes"), "{refused}");

    // Changes of one key, in order: each is told from what was told last.
    let name = format!("net/{id}/table/probe-table/k");
    for value in 0..50 {
        etcd.put(&name, format!("x\n{value}").as_bytes());
    }
    etcd.remove(&name);
    etcd.put(&name, b"x\nlast");
    until("the last value", || events(&b, "n").last().is_some_and(|last| last.ends_with(">last")));
    let of_k = events(&b, "n").into_iter().filter(|event| event.starts_with("k "));
    let (mut before, mut newest) = (String::new(), -1);
    for event in of_k {
        let (previous, value) = event.rsplit(' ').next().unwrap().split_once('>').unwrap();
        assert_eq!(previous, before, "{event}");
        let number = value.parse::<i64>().unwrap_or(newest + 1);
        assert!(number > newest, "{event} comes after {newest}");
        (before, newest) = (value.to_owned(), number);
    }
    etcd.remove(&name);
    until("its end", || events(&b, "n").last().is_some_and(|last| last == "k deleted last>"));

    // What is no entry of anybody's does nothing.
    etcd.put(&format!("net/{id}/table/probe-table/odd"), b"no owner");
    etcd.put(&format!("net/{id}/table/probe-table/big"), &[&b"x\n"[..], &[0; 70_000]].concat());
    etcd.put(&format!("net/{id}/table/probe-table/tab\t"), b"x\nv");
    etcd.put("net/nobody/table/t/k", b"x\nv");
    etcd.put("something/else", b"x");

    attach(&a, "n", &c3, "c3");
    until("one more", || entries(&b, "n").len() == 3);
    a.ok("endpoint detach n c1");
    until("its end", || events(&b, "n").contains(&format!("{key} deleted left>")));
    assert!(!entries(&b, "n").iter().any(|entry| entry[0] == "odd" || entry[0] == "big"), "{:?}", entries(&b, "n"));
}

#[test]
fn a_host_that_joins_is_told_of_thousands() {
    let etcd = Etcd::start(1);
    let [a] = etcd.nodes();
    a.ok(&format!("driver load {}", pontoon_tests::driver("test/faulty").display()));
    let id = a.ok("network create --scope global -d faulty --subnet 10.66.0.0/16 n").trim().to_owned();
    let many = super::rounds(300) as u64;
    let all = (0..many).map(|n| (format!("net/{id}/table/neighbours/k{n}"), format!("x\n{n}")));
    let begin = Instant::now();
    etcd.put_all(&all.collect::<Vec<_>>());
    let heard = || {
        let driver = a.json("driver inspect faulty");
        let calls = driver["calls"].as_array().unwrap().clone();
        calls.iter().find(|call| call["function"] == "event-notify").map_or(0, |call| call["count"].as_u64().unwrap())
    };
    // Meanwhile the network serves.
    let c = Namespace::new("c");
    a.ok(&format!("endpoint attach n {}", c.text()));
    (100..=many).step_by(100).for_each(|some| until("a hundred more to be told", || heard() >= some));
    let rate = many as f64 / begin.elapsed().as_secs_f64();
    println!("{many} entries: {rate:.0} a second, from etcd into the driver, while an endpoint was made");
    // The driver's own entry is there, too, and is not told to it.
    assert_eq!((heard(), entries(&a, "n").len() as u64), (many, many + 1), "each once");
}
