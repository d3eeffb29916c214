//! Real dockerds use Pontoon: each in a machine of its own, with the driver `pontoon-bridge` between them.
//!
//! - `cluster`: dockerds on several hosts have one network, whatever fails
//! - `containers`: what users do with containers and networks
//! - `restarts`: either daemon goes and comes back, by every signal, while containers run
//! - `replaced`: another Pontoon takes the place of the one that runs
//! - `failures`: a driver whose every method fails in turn
//! - `ipam`: addresses of a driver
//! - `languages`: drivers that are not written in Rust carry packets
//! - `chaos`: everything around is changed while they run
//! - `doctor`: what `pontoon doctor` says of them
//! - `variants`: hosts of every kind
//! - `record`: what dockerds send, and that they still send it
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod chaos;
mod cluster;
mod containers;
mod doctor;
mod failures;
mod ipam;
mod languages;
mod parents;
mod record;
mod replaced;
mod restarts;
mod variants;

/// Makes each function a test with every dockerd: Debian 12's and Debian 13's.
macro_rules! with_every_dockerd {
    ($($name:ident),+ $(,)?) => {
        mod with_20_10 { $(#[test] fn $name() { super::$name("20.10"); })+ }
        mod with_26_1 { $(#[test] fn $name() { super::$name("26.1"); })+ }
    };
}
pub(crate) use with_every_dockerd;
