//! What an endpoint costs with many others on the host, in other networks, beside what the kernel alone takes in the same host's namespace.
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

use std::collections::BTreeMap;

use pontoon_tests::{Daemon, Floor, Line, Namespace, Timings, lines, save};
use serde_json::json;

const ROUNDS: usize = 40;
/// Endpoints that are there meanwhile: `PONTOON_GROWTH` is the largest.
const PRESENT: [usize; 4] = [10, 100, 1_000, 10_000];
const LARGEST: usize = 1_000;
/// A bridge has 1,023 ports; a network of /24, 253 addresses.
const IN_A_NETWORK: usize = 250;
const NAMES: [&str; 4] = ["the kernel alone", "the kernel alone: teardown", "Pontoon", "Pontoon: teardown"];

fn main() {
    let largest = std::env::var("PONTOON_GROWTH").map_or(LARGEST, |text| text.parse().unwrap());
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let (floor, mut others, mut plot, mut figures) =
        (Floor::at(&daemon.host), Vec::new(), NAMES.map(|name| (name, Vec::new())), BTreeMap::new());
    for present in PRESENT.into_iter().filter(|present| *present <= largest) {
        while others.len() < present {
            others.push(add(&daemon, others.len()));
        }
        let mut timings = Timings::of(&NAMES);
        for _ in 0..ROUNDS {
            let [a, b] = ["a", "b"].map(Namespace::new);
            let made = timings.time(NAMES[0], || floor.make(&a));
            timings.time(NAMES[1], || floor.delete(&made));
            let body = json!({"namespace": b.text(), "name": "e"}).to_string();
            timings.time(NAMES[2], || daemon.ask("POST /networks/n/endpoints", &body));
            timings.time(NAMES[3], || daemon.ask("DELETE /networks/n/endpoints/e", ""));
        }
        println!("\n{present} endpoints in {} other networks", present.div_ceil(IN_A_NETWORK));
        timings.print();
        plot.iter_mut().for_each(|(name, points): &mut Line| points.push((present as f64, timings.median(name))));
        figures.insert(present, timings.all().iter().cloned().collect::<BTreeMap<_, _>>());
    }
    let grown = |line: usize| {
        let medians = &plot[line].1;
        medians.last().unwrap().1 / medians[0].1
    };
    println!(
        "\nof {} with {}: attach {:.2} (the kernel alone {:.2}), detach {:.2} ({:.2})",
        PRESENT[0],
        others.len(),
        grown(2),
        grown(0),
        grown(3),
        grown(1)
    );
    lines("growth", "An endpoint beside others (median)", ("endpoints on the host", "ms"), &plot);
    save("growth", json!(figures));
}

/// One more endpoint, in a network for it and those next to it.
fn add(daemon: &Daemon, number: usize) -> Namespace {
    let network = format!("other{}", number / IN_A_NETWORK);
    if number.is_multiple_of(IN_A_NETWORK) {
        daemon.ok(&format!("network create {network}"));
    }
    let sandbox = Namespace::new("o");
    let body = json!({"namespace": sandbox.text(), "name": format!("o{number}")}).to_string();
    daemon.ask(&format!("POST /networks/{network}/endpoints"), &body);
    sandbox
}
