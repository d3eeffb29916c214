//! What can a driver reach? Two drivers with random grants make random host calls in random transactions, and an oracle that shares nothing
//! with the gate says after each what of the machine is not as before, and what is there that no operator wrote.
//!
//! - `machine`: a host with what an operator has on it; `stage`: drivers and their calls on it
//! - `chance`: random grants and host calls; `newer`: those of 0.1.1; `chains` and `options`: of these, and what there is to say of them
//! - `seen`: what the machine has; `packet_rule`: a packet rule of it; `mapped`: what is in maps
//! - `judge`: the oracle
//!
//! A sequence is known by its seed: `PONTOON_ORACLE=SEED` repeats one, `SEED-SEED` many, `PONTOON_ORACLE_REAL` those on the real kernel.
//! `make oracle` runs more.
//!
//! Whether it would find a fault is tried by taking a check out of `Gate::missing` in `host/grant/src/gate.rs`. The items are those of issue 12:
//!
//! | item | instead of the check | the first seeds that fail |
//! |---|---|---|
//! | 1: only the address, never the length | `Object::Address(net) => self.outside(net.addr().into(), …)` | 1, 4, 7 |
//! | 2: a driver chooses pools | `Object::Pool(_) => None` | 83, 95, 136 |
//! | 6: a parent is changed | `Object::Also(Permission::ChangedParents, _) => None` | 7, 8, 52 |
//! | 7: a UDP port is taken | `Object::Also(Permission::HostPorts, _) => None` | 4, 8, 13 |
//!
//! Items 3 (rules outlive links: 37, 39, 85), 4 (forwarding: 93, 204) and 5 (ports: 191, 417) were found before their mends, which are more
//! than a check. What is chosen at random decides which seeds these are: a change in `chance` makes others of them. These are of before `newer`.

mod chains;
mod chance;
mod judge;
mod machine;
mod mapped;
mod newer;
mod options;
mod packet_rule;
mod seen;
mod stage;

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::property::{run, seeds};
use machine::Machine;
use stage::{ALLOWED, ASKED, Stage};

/// Sequences in an ordinary test run.
const SEQUENCES: u64 = 1_000;
const ON_REAL: u64 = 100;

fn sequence(stage: &mut Stage, seed: u64) {
    if !stage.sequence(seed) {
        *stage = Stage::new(if stage.is_fake() { Machine::fake() } else { Machine::real() });
    }
}

fn tell(begin: Instant) {
    let [asked, allowed] = [&ASKED, &ALLOWED].map(|count| count.load(Ordering::Relaxed));
    eprintln!("{asked} host calls, {allowed} of them allowed, in {} s", begin.elapsed().as_secs());
}

#[test]
fn on_a_kernel_in_memory() {
    let begin = Instant::now();
    run(seeds("PONTOON_ORACLE", SEQUENCES), 2, || Stage::new(Machine::fake()), sequence);
    tell(begin);
}

#[test]
fn on_the_real_kernel() {
    let begin = Instant::now();
    run(seeds("PONTOON_ORACLE_REAL", ON_REAL), 2, || Stage::new(Machine::real()), sequence);
    tell(begin);
}
