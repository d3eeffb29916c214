//! A version brings the state that another one left into its own form, or nothing of it changes: `tests/drivers/migrating`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use operation::driver::{Granting, LoadDriver, Signed, Source};
use pontoon_tests::{Daemon, FakeBench, Namespace, attach_path, create, driver};
use serde_json::json;
use words::Name;

use crate::upgrades::{Served, attach, ends, served_by};

/// What a driver keeps, without the numbers of the commits.
fn state(stored: &str) -> Vec<String> {
    let rows =
        stored.lines().filter(|line| line.starts_with("state: ")).map(|line| line.split(" | ").collect::<Vec<_>>());
    let mut rows: Vec<_> = rows.map(|columns| [columns[1], columns[2], columns[3], columns[5]].join(" | ")).collect();
    rows.sort();
    rows
}

/// The schemas that each endpoint's record had.
fn schemas(daemon: &Daemon) -> Vec<String> {
    let shown = daemon.json("network inspect n");
    let endpoints = shown["attached"].as_array().unwrap();
    endpoints.iter().map(|endpoint| endpoint["info"]["schemas"].as_str().unwrap().to_owned()).collect()
}

fn upgrade(schema: u32, more: &str) -> String {
    format!("driver upgrade d {} --set schema={schema} {more}", driver("test/migrating").display())
}

#[test]
fn a_thousand_endpoints_go_to_another_schema_and_back() {
    const ENDPOINTS: usize = 1000;
    let bench = FakeBench::new();
    bench.load("migrating", "test/migrating");
    let name = Name::new("migrating").unwrap();
    for network in ["n", "m"] {
        bench
            .wait(bench.controller().create_network(create(network, "migrating", &json!({"no_pools": true}))))
            .unwrap();
    }
    let add = |number: usize| {
        let sandbox = bench.sandbox(&number.to_string());
        let network = ["n", "m"][number % 2];
        bench.wait(bench.controller().attach(network, attach_path(&sandbox, &json!({})))).unwrap();
    };
    (0..ENDPOINTS).for_each(add);
    let first = state(&bench.stored());
    assert_eq!(first.len(), ENDPOINTS + 2);
    let file = driver("test/migrating");
    let component = std::fs::read(&file).unwrap();
    let to = |schema: &str| {
        let configuration = BTreeMap::from([("schema".to_owned(), schema.to_owned())]);
        let (name, component, grant) = (name.clone(), component.clone(), Granting::Unsaid);
        let (source, signed, allow_unsigned) = (Source::default(), Signed::default(), false);
        let load = LoadDriver { name, component, configuration, grant, source, signed, allow_unsigned };
        let begun = Instant::now();
        bench.wait(bench.controller().upgrade_driver(load)).unwrap();
        println!("to schema {schema}: {:?}", begun.elapsed());
    };
    let back = || bench.wait(bench.controller().roll_back_driver(&name, false, None)).map(drop);
    let told = || {
        let mut all = BTreeMap::new();
        for network in ["n", "m"] {
            let details = bench.wait(bench.controller().network(network, false)).unwrap();
            for attached in details.attached {
                *all.entry(attached.info["schemas"].clone()).or_insert(0) += 1;
            }
        }
        all
    };
    to("2");
    assert_eq!(told(), BTreeMap::from([("[1, 2]".to_owned(), ENDPOINTS)]));
    back().unwrap();
    assert_eq!(state(&bench.stored()), first, "as it was");
    to("2");
    let second = state(&bench.stored());
    assert!(second.iter().all(|row| row.contains("v2/")) && second.len() == first.len());
    // It writes: what was before does not come back as it was.
    add(ENDPOINTS);
    back().unwrap();
    let both_ways = BTreeMap::from([("[1, 2, 1]".to_owned(), ENDPOINTS), ("[2, 1]".to_owned(), 1)]);
    assert_eq!(told(), both_ways);
    to("2");
    let again = BTreeMap::from([("[1, 2, 1, 2]".to_owned(), ENDPOINTS), ("[2, 1, 2]".to_owned(), 1)]);
    assert_eq!(told(), again);
    let calls = bench.wait(bench.controller().driver(&name)).unwrap().calls;
    let count = |function: &str| calls.iter().find(|call| call.function == function).unwrap().count as usize;
    assert_eq!((count("migrate-network"), count("migrate-endpoint")), (8, 4 * ENDPOINTS + 2));
}

#[test]
fn one_that_fails_leaves_all_as_it_was() {
    let served = served_by("test/migrating");
    let (network, endpoint) =
        ("can't migrate its state, of the network n", "can't migrate its state, of a on the network n");
    let little = served.component("little.toml", b"permissions = ['store']\nlimits = { store-bytes = 40000 }\n");
    let little = |fill: u32| format!("--set fill={fill} --grant {little}");
    let lines: [(i32, String, &str); 12] = [
        (7, "--set trap=schema".into(), "first call"),
        (1, "--set trap=migrate-network".into(), network),
        (1, "--set trap=migrate-endpoint".into(), endpoint),
        (9, "--set spin=migrate-network".into(), "migrate-network ran past its deadline of 2 s"),
        (9, "--set spin=migrate-endpoint".into(), endpoint),
        (1, "--set allocate=migrate-endpoint".into(), "memory"),
        (1, "--set fail=migrate-network".into(), "fail=migrate-network"),
        (1, "--set fail=migrate-endpoint".into(), "fail=migrate-endpoint"),
        (6, "--set change=table".into(), "may not change anything but the driver's state: tables.put"),
        (6, "--set change=link".into(), "may not change anything but the driver's state: links.add"),
        (9, little(50_000), network),
        (9, little(30_000), "more than the 40000 bytes that its grant allows (store-bytes)"),
    ];
    for (code, more, says) in lines {
        served.refuses(code, &upgrade(2, &more), says);
    }
    served.refuses(4, &upgrade(2, "--set forget=yes"), "fails its probe, about a on the network n");
    let null = driver("null");
    served.refuses(7, &format!("driver upgrade d {} --grant-asked", null.display()), "does not export migration");
    served.serves();
}

/// An endpoint that comes meanwhile waits, and comes.
#[test]
fn the_drivers_operations_wait_for_a_migration() {
    let served = served_by("test/migrating");
    let mut running = served.daemon.ask_in_background([upgrade(2, "--set spin=migrate-endpoint")]);
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    served.serves();
    assert!(begun.elapsed() > Duration::from_millis(300), "{:?}", begun.elapsed());
    assert!(!running[0].wait().unwrap().success());
    assert_eq!((ends(&served.daemon, "d"), schemas(&served.daemon)), (vec!["serves".into()], vec!["[1]".into()]));
}

#[test]
fn a_daemon_that_is_killed_in_a_migration_has_the_version_before() {
    let mut served = served_by("test/migrating");
    let before = served.seen();
    let mut running = served.daemon.ask_in_background([upgrade(2, "--set spin=migrate-endpoint")]);
    std::thread::sleep(Duration::from_secs(1));
    served.daemon.kill();
    running[0].wait().unwrap();
    served.daemon.run();
    served.daemon.host.settled();
    let after = served.seen();
    assert_eq!((after.store, after.history, after.components), (before.store, before.history, before.components));
    served.serves();
    served.daemon.ok(&upgrade(2, ""));
    assert_eq!(schemas(&served.daemon), ["[1, 2]"]);
}

#[test]
fn a_version_whose_first_calls_trap_gives_the_state_back() {
    let served = served_by("test/migrating");
    let (before, b) = (state(&served.seen().store), Namespace::new("b"));
    served.daemon.ok(&upgrade(2, "--set trap=create-endpoint"));
    assert_eq!(schemas(&served.daemon), ["[1, 2]"]);
    (0..3).for_each(|_| assert_ne!(served.daemon.cli(&attach(&b)).code, 0));
    assert_eq!(state(&served.seen().store), before);
    assert!(ends(&served.daemon, "d")[1].starts_with("rolled back by itself"));
    served.serves();
}

/// A version without the part can't take over what one with it has written; the schema outlives the daemon.
#[test]
fn who_can_read_the_state_comes_back() {
    let mut served = served_by("null");
    let first = state(&served.seen().store);
    served.daemon.ok(&upgrade(1, ""));
    assert_eq!(schemas(&served.daemon), ["[1]"]);
    served.daemon.ok("driver rollback d");
    assert_eq!(state(&served.seen().store), first);
    served.daemon.ok(&upgrade(1, ""));
    written_and_refused(&served);
    served.daemon.ok(&upgrade(2, ""));
    served.daemon.restart();
    served.daemon.ok("driver rollback d");
    assert_eq!(schemas(&served.daemon), ["[1, 2, 1]"]);
    served.daemon.ok(&upgrade(1, ""));
    served.daemon.ok("driver rollback d");
    assert_eq!(schemas(&served.daemon), ["[1, 2, 1]"], "the same schema");
    written_and_refused(&served);
    served.daemon.ok("driver rollback d --keep-state");
    assert_eq!(schemas_or_none(&served.daemon), 1);
}

fn written_and_refused(served: &Served) {
    served.serves();
    served.refuses(6, "driver rollback d", "--keep-state");
}

/// `null` tells nothing of its endpoints.
fn schemas_or_none(daemon: &Daemon) -> usize {
    let shown = daemon.json("network inspect n");
    shown["attached"].as_array().unwrap().iter().filter(|endpoint| endpoint["info"]["schemas"].is_null()).count()
}
