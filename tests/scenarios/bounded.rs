//! No call goes on after its deadline, whatever heap its driver made: what a host call does is bounded, and so is what takes a failed call back.
//! Links that wait for their deletion are counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use grant::Limit;
use pontoon_tests::{Bench, create, same_at_last};
use serde_json::json;
use words::limit::DEADLINE;
use words::{Error, Name};

/// How long after its deadline a call may answer. On a quiet machine it takes a tenth; but the kernel has one lock for all links of all
/// namespaces, and other tests hold it, too.
const AFTER: Duration = Duration::from_secs(10);

/// Limits under which the heaps of `hostile` go to their ends.
const ROOM: [(Limit, u64); 2] = [(Limit::Links, 4_096), (Limit::Rules, 16_384)];

/// A bench with the hostile driver, which may have so much.
pub fn bench(limits: &[(Limit, u64)]) -> Bench {
    let bench = Bench::new();
    bench.load("hostile", "test/hostile", &[]);
    let driver = Name::new("hostile").unwrap();
    let mut grant = bench.wait(bench.controller.driver(&driver)).unwrap().grant;
    grant.limits.extend(BTreeMap::from_iter(limits.iter().copied()));
    bench.wait(bench.controller.set_grant(&driver, grant)).unwrap();
    bench
}

fn attack(bench: &Bench, name: &str) -> (Error, Duration) {
    let more = json!({"pools": [{"subnet": "10.78.0.0/24"}], "options": {"attack": name}});
    let begin = Instant::now();
    let error = bench.wait(bench.controller.create_network(create("h", "hostile", &more))).unwrap_err();
    (error, begin.elapsed())
}

fn links(bench: &Bench) -> usize {
    bench.host.run("ip -o link").lines().count()
}

/// Which ends how, and nothing is left of it.
fn ends_in_time(name: &str, how: &str) {
    let bench = bench(&ROOM);
    let before = (bench.host.dump(), bench.stored());
    let (error, took) = attack(&bench, name);
    println!("{name}: {took:?}: {error}");
    // On a slow machine the deadline comes first.
    assert!([how, "deadline"].iter().any(|how| error.message.contains(how)), "{name}: {error}");
    assert!(took < DEADLINE + AFTER, "{name} took {took:?}");
    same_at_last(|| (bench.host.dump(), bench.stored()), &before);
}

#[test]
fn removing_what_is_not_there() {
    ends_in_time("remove-what-is-not-there", "it went to its end");
}

#[test]
fn removing_without_end() {
    ends_in_time("remove-neighbours-without-end", "one call removes at most 10000 things from the kernel");
}

#[test]
fn a_heap_of_rules() {
    ends_in_time("a-heap-of-rules-one-by-one", "it went to its end");
}

#[test]
fn a_heap_of_links() {
    ends_in_time("a-heap-of-links", "it went to its end");
}

#[test]
fn a_namespace_full_of_links() {
    ends_in_time("a-namespace-full-of-links", "it went to its end");
}

/// Calls that fail one after the other: what the last ones left counts, until the kernel has deleted it.
#[test]
fn the_kernel_never_holds_more_links_than_the_grant_allows() {
    let bench = bench(&[(Limit::Links, 300)]);
    let before = links(&bench);
    let (mut most, begin) = (0, Instant::now());
    for attacks in 0..8 {
        let name = if attacks % 2 == 0 { "links-again-and-again" } else { "pairs-again-and-again" };
        let (error, took) = attack(&bench, name);
        let ends = ["the driver's grant allows 300 (limits: links)", "deadline"];
        assert!(ends.iter().any(|how| error.message.contains(how)), "{error}");
        assert!(took < DEADLINE + AFTER, "{name} took {took:?}");
        most = most.max(links(&bench) - before);
    }
    println!("8 attacks in {:?}, {most} links at most", begin.elapsed());
    // The reaper begins while they are counted.
    assert!(most <= 300, "{most} links");
    same_at_last(|| links(&bench), &before);
}
