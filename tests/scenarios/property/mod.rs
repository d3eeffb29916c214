//! Random operations with random failures and kills, against a model. After each step kernel, store and model have the same; what failed has
//! changed nothing; of what was killed all is there or nothing.
//!
//! - `fake`: on a kernel in memory, killed between any two messages; `seen`: what is compared there
//! - `real`: on the real kernel, killed at any time
//!
//! A sequence is known by its seed: `PONTOON_PROPERTY=SEED` repeats one, `SEED-SEED` many; `make property` runs the full number.

mod fake;
mod real;
pub mod seen;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The networks that there can be.
const NETWORKS: [&str; 3] = ["n0", "n1", "n2"];
/// The sandboxes. No id begins like one of them, or it would be found by that name.
const SANDBOXES: [&str; 3] = ["x", "y", "z"];

/// The seeds that are asked for, or so many.
pub fn seeds(variable: &str, count: u64) -> Range<u64> {
    let Ok(text) = std::env::var(variable) else { return 1..count + 1 };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    first.parse().unwrap()..last.parse::<u64>().unwrap() + 1
}

/// Runs sequences, some at a time, each worker on a stage of its own; one that failed leaves its stage to nobody.
pub fn run<S>(
    seeds: Range<u64>,
    at_a_time: usize,
    stage: impl Fn() -> S + Sync,
    sequence: impl Fn(&mut S, u64) + Sync,
) {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let worker = || {
        let mut own = stage();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if catch_unwind(AssertUnwindSafe(|| sequence(&mut own, seed))).is_err() {
                eprintln!("the seed {seed} failed");
                failed.lock().unwrap().push(seed);
                own = stage();
            }
        }
    };
    std::thread::scope(|scope| (0..at_a_time).for_each(|_| drop(scope.spawn(worker))));
    eprintln!("{} sequences", seeds.end - seeds.start);
    assert_eq!(*failed.lock().unwrap(), [0; 0], "the seeds that failed");
}
