//! Endpoints come and go: `PONTOON_LIVES` of them (100,000). And what the daemon has of memory, descriptors and files over that time. Nothing may grow.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pontoon_tests::{Axis, Daemon, Line, Namespace, Report, Role, Table, is_short, median};
use serde_json::json;

const LIVES: usize = 100_000;
const LIVES_IN_SHORT: usize = 2_000;
/// So often is looked.
const LOOKS: usize = 40;
/// Clients at once, each with a sandbox of its own.
const CLIENTS: usize = 4;
const NAMES: [&str; 4] = ["memory, MB", "descriptors", "state folder, MB", "lives a second"];
const FOLDER: usize = 2;

pub fn run() {
    let usual = if is_short() { LIVES_IN_SHORT } else { LIVES };
    let lives = std::env::var("PONTOON_LIVES").map_or(usual, |text| text.parse().unwrap());
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let sandboxes: Vec<Namespace> = (0..CLIENTS).map(|_| Namespace::new("s")).collect();
    let each = lives.div_ceil(LOOKS);
    let seen: Vec<[f64; 4]> = (0..LOOKS).map(|_| live(&daemon, &sandboxes, each)).collect();
    let mut report = Report::of("soak");
    let mut table = Table::new(&format!("{} lives of endpoints", LOOKS * each), &["early", "late", "highest"]);
    // What is kept at hand comes to its size in the beginning. The store's log grows and starts over: its highest size counts.
    let quarter = |of: usize, column: usize| {
        let values: Vec<f64> = seen[of * LOOKS / 4..(of + 1) * LOOKS / 4].iter().map(|row| row[column]).collect();
        if column == FOLDER { values.into_iter().fold(0.0, f64::max) } else { median(&values) }
    };
    for (column, name) in NAMES.iter().enumerate() {
        let highest = seen.iter().map(|row| row[column]).fold(0.0, f64::max);
        table.row(name, &[quarter(1, column), quarter(3, column), highest]);
    }
    report.table(table);
    let line = |column: usize| -> Line {
        let points = seen.iter().zip(1..).map(|(row, at)| ((at * each) as f64, row[column] / seen[0][column]));
        (NAMES[column].split(',').next().unwrap().to_owned(), points.collect())
    };
    let title = "Over the lives of many endpoints (1: after the first)";
    report.lines("soak", title, Axis::Linear("endpoints that came and went"), "times", &[0, 1, 2, 3].map(line));
    for (column, name) in NAMES.iter().enumerate().take(3) {
        let grown = quarter(3, column) / quarter(1, column);
        report.at_most(&format!("{name} over {} lives: the last quarter, times the second", LOOKS * each), grown, 1.05);
    }
    report.save();
}

/// So many come and go; then the daemon is looked at.
fn live(daemon: &Daemon, sandboxes: &[Namespace], lives: usize) -> [f64; 4] {
    let (begin, next) = (Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for (client, sandbox) in sandboxes.iter().enumerate() {
            let next = &next;
            scope.spawn(move || {
                let body = json!({"namespace": sandbox.text(), "name": format!("e{client}")}).to_string();
                while next.fetch_add(1, Ordering::Relaxed) < lives {
                    daemon.ask("POST /networks/n/endpoints", &body);
                    daemon.ask(&format!("DELETE /networks/n/endpoints/e{client}"), "");
                }
            });
        }
    });
    let rate = lives as f64 / begin.elapsed().as_secs_f64();
    let descriptors: usize = daemon.those(Role::Daemon).iter().map(|process| process.descriptors()).sum();
    [daemon.memory(), descriptors as f64, size(&daemon.file("state")) as f64 / 1e6, rate]
}

/// Bytes of a folder's files.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    // A file may go meanwhile.
    entries
        .map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |m| m.len()) })
        .sum()
}
