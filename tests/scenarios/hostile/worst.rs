//! The worst that each attack does to others: to another driver's calls, to whoever waits for the answer, to whoever stops the daemon.
//!
//! What is measured is printed; only the order of its size is held here, because the machine may be busy. `make hostile` goes through all attacks.

use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace};

use super::{ATTACKS, ENDLESS, JOINS, Scene, ends};
use words::limit::DEADLINE;

/// What the links of an attack before this one, not deleted yet, may make of it.
const LINKS: &str = "(limits: links)";

/// What an ordinary test run tries: the attacks that have more to do than to be refused.
const HEAVY: [&str; 10] = [
    "spin",
    "wait-in-the-host",
    "allocate",
    "flood-the-log",
    "flood-the-host",
    "many-ports",
    "pairs-again-and-again",
    "remove-what-is-not-there",
    "remove-neighbours-without-end",
    "a-heap-of-rules-one-by-one",
];

/// How long one attack is repeated.
const LONG: Duration = Duration::from_millis(300);

/// How much later than the deadline something may happen on a machine on which much else happens.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much later than its calls' deadline the daemon ends.
const ENDS: Duration = Duration::from_secs(3);

/// All attacks, or the heavy ones.
fn attacks() -> Vec<&'static str> {
    match std::env::var_os("PONTOON_ATTACKS") {
        Some(_) => ATTACKS.iter().chain(JOINS).map(|(name, _)| *name).collect(),
        None => HEAVY.to_vec(),
    }
}

/// The other driver's calls answer all the while.
#[test]
fn for_another_drivers_calls() {
    let scene = Scene::new();
    let namespace = Namespace::new("well-behaved");
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let alone = median((0..30).map(|_| scene.work(&namespace)).collect());
    println!("an endpoint of another driver comes and goes in {alone:?}; under attack, times that, median and worst:");
    let mut ratios = Vec::new();
    for name in attacks() {
        let mut times = Vec::new();
        std::thread::scope(|scope| {
            let attacks = scope.spawn(|| {
                let begin = Instant::now();
                while begin.elapsed() < LONG {
                    let error = scene.attack(name);
                    // What the last one made may wait for its deletion yet; and what traps again and again in a join is suspended.
                    let how = [ends(name), LINKS, "put aside"];
                    assert!(how.iter().any(|how| error.message.contains(how)), "{name}: {error}");
                    // It does not trap, so that the driver is not put aside.
                    scene.attack("huge-key");
                }
            });
            while !attacks.is_finished() {
                times.push(scene.work(&namespace));
            }
        });
        let times_alone = |time: Duration| time.as_secs_f64() / alone.as_secs_f64();
        let (worst, rounds) = (times_alone(*times.iter().max().unwrap()), times.len());
        let median = times_alone(median(times));
        println!("{name:40} {median:6.2} {worst:6.2}   of {rounds}");
        ratios.push((median, name));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("worst median: {:?}", ratios.last());
}

/// Past its deadline a call is ended, and what it did is taken back, before whoever asked has the answer.
#[test]
fn for_whoever_waits() {
    let scene = Scene::new();
    let most = Duration::from_millis(500);
    scene.allow_milliseconds("hostile", Some(500));
    let mut late = Vec::new();
    for name in attacks() {
        let begin = Instant::now();
        let error = scene.attack_now(name);
        let took = begin.elapsed();
        assert!([ends(name), "deadline", LINKS].iter().any(|how| error.message.contains(how)), "{name}: {error}");
        late.push((took.saturating_sub(most), name));
        scene.attack_now("huge-key");
    }
    late.sort();
    println!("latest answers after a deadline of {most:?}: {:?}", late.iter().rev().take(5).collect::<Vec<_>>());
    assert!(late.iter().all(|(late, _)| *late < PATIENCE), "{late:?}");
}

/// SIGTERM comes in the middle.
#[test]
fn for_whoever_stops_the_daemon() {
    let mut daemon = Daemon::start();
    daemon.load("test/hostile");
    let namespace = Namespace::new("joins");
    let mut taken = Vec::new();
    for name in attacks() {
        let create = "network create h -d hostile --subnet 10.78.0.0/24";
        let joins = JOINS.iter().any(|(known, _)| *known == name);
        let line = if joins {
            daemon.ok(create);
            format!("endpoint attach h {} -o attack={name}", namespace.text())
        } else {
            format!("{create} -o attack={name}")
        };
        let mut asking = daemon.ask_in_background([line]);
        std::thread::sleep(Duration::from_millis(if ENDLESS.contains(&name) { 300 } else { 40 }));
        let begin = Instant::now();
        daemon.stop();
        taken.push((begin.elapsed(), name));
        for child in &mut asking {
            child.wait().unwrap();
        }
        daemon.run();
        // That of a join, and of an attack that finds nobody here to attack or was told that the daemon ends.
        daemon.cli("network rm h");
    }
    taken.sort();
    println!("longest from SIGTERM to the exit: {:?}", taken.iter().rev().take(5).collect::<Vec<_>>());
    assert!(taken.iter().all(|(taken, _)| *taken < DEADLINE + ENDS), "{taken:?}");
}
