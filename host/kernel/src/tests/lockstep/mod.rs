//! The fake and the real kernel in lockstep: the same random operations on both, and after each the same outcome, the same errno, and the same
//! answers to every question that the layer can ask.
//!
//! - `random`: numbers from a seed, and what operations speak of: few names and addresses, so that they meet
//! - `operation`: the operations; `step` and `value`: what is in them
//! - `side`: one of the kernels, and all that it tells
//!
//! A sequence is known by its seed: `PONTOON_LOCKSTEP=SEED cargo test --release lockstep` repeats one, `SEED-SEED` many. A test run makes the
//! same few everywhere; `make lockstep` makes many.

mod operation;
mod random;
mod side;
mod step;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::tests::*;
use operation::Operation;
use random::Random;
use side::Side;

/// Operations in a sequence.
const STEPS: usize = 15;
/// Sequences of a test run.
const SEQUENCES: u64 = 60;
/// How many at a time: the real kernel waits more than it works.
const AT_A_TIME: usize = 6;
/// How long the real kernel may take for what the fake does at once.
const SETTLES: Duration = Duration::from_secs(5);

#[test]
fn the_fake_answers_as_the_real_kernel_does() {
    let asked = std::env::var("PONTOON_LOCKSTEP").ok();
    let seeds = asked.as_deref().map_or(1..SEQUENCES + 1, range);
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            // It has said which seed it was.
            let done = catch_unwind(AssertUnwindSafe(|| in_real(|world| sequence(world, seed))));
            if done.is_err() {
                failed.lock().unwrap().push(seed);
            }
        }
    };
    thread::scope(|scope| (0..AT_A_TIME).for_each(|_| drop(scope.spawn(worker))));
    println!("{} sequences", next.load(Ordering::Relaxed).min(seeds.end) - seeds.start);
    assert_eq!(*failed.lock().unwrap(), [0; 0], "the seeds that failed");
}

fn range(text: &str) -> std::ops::Range<u64> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse().unwrap()..last.parse::<u64>().unwrap() + 1
}

fn sequence(world: &World, seed: u64) {
    let fake = World::new(Some(Fake::new()));
    let (mut real, mut fake) = (Side::new(world), Side::new(&fake));
    let mut random = Random::new(seed);
    let mut history = Vec::new();
    for number in 0..STEPS {
        let operation = match number {
            0 => Operation::stage(),
            1 => Operation::PlugIn,
            _ => Operation::random(&mut random, &fake),
        };
        history.push(format!("{operation:?}"));
        let (one, other) = (real.run(&operation), fake.run(&operation));
        let story = || format!("seed {seed}:\n{}", history.join("\n"));
        assert_eq!(one, other, "the outcome, real and fake, of the last of {}", story());
        same_told(&real, &fake, &story);
    }
}

/// Some of what follows from a change comes a moment later on the real kernel.
fn same_told(real: &Side, fake: &Side, story: &dyn Fn() -> String) {
    let (begin, wanted) = (Instant::now(), fake.told());
    assert!(wanted.is_ok(), "{wanted:?} {}", story());
    loop {
        let told = real.told();
        if told == wanted {
            return;
        }
        let (told, wanted) = (told.unwrap_or_default(), wanted.as_deref().unwrap_or_default());
        if begin.elapsed() > SETTLES {
            let only = |these: &[String], those: &[String]| {
                these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>()
            };
            let (real, fake) = (only(&told, wanted), only(wanted, &told));
            panic!("{}\nonly real: {real:#?}\nonly fake: {fake:#?}", story());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
