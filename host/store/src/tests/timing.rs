//! What it costs, printed with `--ignored --nocapture`: machines differ, so nothing is asserted.

use std::time::{Duration, Instant};

use super::*;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn time(count: usize, mut step: impl FnMut(usize)) -> Duration {
    let once = |i| {
        let start = Instant::now();
        step(i);
        start.elapsed()
    };
    median((0..count).map(once).collect())
}

#[test]
#[ignore = "prints costs"]
fn print_costs() {
    let store = scratch();
    for durability in [Durability::Process, Durability::Power] {
        let cost = time(300, |i| {
            let e = endpoint("n1", &format!("{durability:?}{i}"), &format!("{durability:?}{i}"));
            let object = link("n1", Some("e"), Namespace::Host, 1, "veth0");
            let writes = vec![Write::PutEndpoint(e), Write::AddObject(object), set("d", &format!("k{i}"), "n1", "v")];
            store.commit(Batch { writes, durability, ..Batch::default() }).unwrap();
        });
        println!("commit of endpoint, object and key, {durability:?}: {cost:?}");
    }
    let key = time(300, |_| drop(put(&store, [set("d", "k", "n1", "v")])));
    println!("commit of one key, Process: {key:?}");
    println!("commit of one text, Process: {:?}", time(300, |_| store.set_meta("a", "b").unwrap()));
    let flips = time(50, |i| {
        let durability = if i % 2 == 0 { Durability::Process } else { Durability::Power };
        store.commit(Batch { writes: vec![set("d", "k", "n1", "v")], durability, ..Batch::default() }).unwrap();
    });
    println!("commit of one key, turn and turn about: {flips:?}");
    let big = pool("10.0.0.0/8");
    let lease = |count| time(count, |_| assert!(take(&store, "n1", &big, None, "e").is_ok()));
    println!("lease 1 to 20: {:?}", lease(20));
    lease(9980);
    println!("lease 10,000 to 10,020: {:?}", lease(20));
    println!("read of one key: {:?}", time(300, |_| drop(store.state(&name("d"), "k").unwrap())));
    println!("owner of a link: {:?}", time(300, |_| drop(store.owner_of_link(&Namespace::Host, 1).unwrap())));
    for i in 0..100 {
        let writes = (0..100).map(|j| entry("n1", &format!("{i}/{j}"), "o", "v")).collect();
        store.commit(Batch { writes, ..Batch::default() }).unwrap();
    }
    println!(
        "undelivered of 10,000 entries, none watched: {:?}",
        time(20, |_| drop(store.undelivered(&id("n1")).unwrap()))
    );
    println!(
        "overlap of pools: {:?}",
        time(300, |i| drop(
            store.claim_pools(&id(&format!("n{i}")), &[format!("10.{}.{}.0/24", i / 250, i % 250).parse().unwrap()])
        ))
    );
}

#[test]
#[ignore = "prints costs"]
fn print_cost_of_opening() {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    let all = (0..10_000).flat_map(|i| {
        let object =
            |index, name: &str| Write::AddObject(link("n1", Some(&format!("e{i}")), Namespace::Host, index, name));
        [Write::PutEndpoint(endpoint("n1", &format!("e{i}"), &format!("e{i}"))), object(i, "a"), object(i, "b")]
    });
    store.commit(Batch { writes: all.collect(), ..Batch::default() }).unwrap();
    drop(store);
    let start = Instant::now();
    let store = Store::open(&folder.0).unwrap();
    println!("opening with 10,000 endpoints: {:?}", start.elapsed());
    println!("reading them: {:?}", time(3, |_| drop(store.endpoints(None).unwrap())));
    println!("counting them: {:?}", time(10, |_| drop(store.endpoint_counts().unwrap())));
}
