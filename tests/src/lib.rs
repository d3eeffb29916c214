//! The harness: network namespaces, daemons and command lines of a test's own, which leave nothing behind, also when the test fails.
//!
//! - [`Namespace`]: a network namespace, bound in a temporary folder
//! - [`dump`](Namespace::dump): all that the kernel has in one, to compare before and after
//! - [`Daemon`]: `pontoon serve` in a namespace of its own; [`Process`]: one of its processes
//! - [`command`]: a command that is the program under test, or may start it
//! - [`Bench`]: a controller in this process, in a namespace of its own
//! - [`FakeBench`]: the same on a kernel in memory, without root
//! - [`Machine`]: a dockerd and a Pontoon, in namespaces of their own
//! - [`Variant`]: what a host is like before Pontoon comes; [`Site`]: containers on it, and what has to be so for them
//! - [`LANGUAGES`]: those other than Rust that drivers are written in
//! - [`Timings`]: what things take, for the benches; [`Floor`]: what the kernel alone takes; [`traced`]: what processes ask of the kernel
//! - [`Registry`]: Debian's docker-registry in a daemon's namespace, and a command line that asks it; [`Tokens`]: a server of tokens for it
//! - [`Etcd`]: Debian's etcd in a namespace, and daemons that are nodes of a cluster
//! - [`Report`]: what a bench found
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a harness fails the test that it is for")]

mod bench;
mod chart;
mod cni;
mod daemon;
mod etcd;
mod fake_bench;
mod floor;
mod language;
mod left;
mod machine;
mod namespace;
mod packets;
mod process;
mod program;
mod registry;
mod report;
mod site;
mod timings;
mod tokens;
mod trace;
mod variant;

use std::path::PathBuf;

pub use bench::{Bench, ForRuntimes, attach, attach_path, bridge_code, create, launcher, registers};
pub use chart::{Axis, Line};
pub use cni::{cni, cni_addresses};
pub use daemon::{Daemon, Ran};
pub use etcd::{Etcd, PREFIX, read_here};
pub use fake_bench::FakeBench;
pub use floor::Floor;
pub use language::{LANGUAGES, with_tools};
pub use left::Left;
pub use machine::{Machine, OLD_ENOUGH, until};
pub use namespace::{Namespace, same_at_last};
pub use packets::{Pinging, ask_udp, fetch, listen_tcp, listen_udp, outside, peers, send};
pub use process::{KilledAtEnd, Process, Role, children, memory, processor_time, status};
pub use program::command;
pub use registry::{PASSWORD, Registry, Seen, USER};
pub use report::{Report, Table, at_once, file, interleaved, is_short, rounds};
pub use site::{PORTS, Site};
pub use timings::{Timings, at, median};
pub use tokens::Tokens;
pub use trace::{Counts, Totals, strace, traced};
pub use variant::{ADVERTISE, FAR, Variant};

/// The program under test.
pub fn pontoon() -> PathBuf {
    built("release/pontoon", "make build")
}

/// A driver that `make drivers` or `make languages` built.
pub fn driver(name: &str) -> PathBuf {
    built(&format!("drivers/{name}.wasm"), "make drivers languages")
}

/// Where all is that was built.
fn target() -> PathBuf {
    std::fs::canonicalize(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target")).unwrap()
}

fn built(file: &str, with: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target").join(file);
    assert!(path.exists(), "{} is not there: run `{with}`, or all with `make test`", path.display());
    path
}
