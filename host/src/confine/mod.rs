//! What a driver that broke out of wasmtime could still do: the daemon and its helpers give up what they don't need, before they see anything
//! foreign and while they have one thread. SECURITY.md tells what is left.
//!
//! - [`daemon`], [`compiler`], [`keyholder`]: what each process gives up
//! - `capabilities`, `system_calls`, `files`: the kernel's means
//! - [`facts`]: what holds for this process, as the kernel sees it

mod capabilities;
mod facts;
mod files;
mod system_calls;

use std::fmt::Display;

use rustix::thread::CapabilitySet;

use crate::config::Config;

pub use facts::{Facts, facts};

/// Links, addresses, routes and rules; entering network namespaces; ports below 1024.
const DAEMON: CapabilitySet =
    CapabilitySet::NET_ADMIN.union(CapabilitySet::SYS_ADMIN).union(CapabilitySet::NET_BIND_SERVICE);

/// Mounts; looking into the processes and folders of other users, where their namespaces are.
const KEYHOLDER: CapabilitySet =
    CapabilitySet::SYS_ADMIN.union(CapabilitySet::SYS_PTRACE).union(CapabilitySet::DAC_READ_SEARCH);

/// Confines the daemon. What this kernel lacks is told in a warning, and the rest holds.
pub fn daemon(config: &Config) {
    attempt("capabilities", capabilities::keep(DAEMON));
    attempt("Landlock", files::only_those_of_the_daemon(config));
    attempt("seccomp", system_calls::allow(system_calls::daemon()));
}

/// Confines the child that compiles: it reads its standard input and writes its standard output.
pub fn compiler() {
    attempt("capabilities", capabilities::keep(CapabilitySet::empty()));
    attempt("Landlock", files::none());
    attempt("seccomp", system_calls::allow(system_calls::compiler()));
}

/// Confines the process that opens and binds namespaces. Landlock would forbid it to mount.
pub fn keyholder() {
    attempt("capabilities", capabilities::keep(KEYHOLDER));
    attempt("seccomp", system_calls::allow(system_calls::keyholder()));
}

fn attempt<E: Display>(means: &str, done: Result<(), E>) {
    if let Err(error) = done {
        tracing::warn!("not confined by {means}: {error}");
    }
}
