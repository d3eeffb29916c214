//! What a driver that broke out of wasmtime could still do: the daemon and its helpers give up what they don't need, before they see anything
//! foreign and while they have one thread. SECURITY.md tells what is left.
//!
//! - [`daemon`], [`launcher`], [`without_rights`], [`engine_at`], [`compiler`], [`keyholder`]: what each process gives up
//! - `capabilities`, `system_calls`, `files`: the kernel's means
//! - [`facts`], [`has_landlock`], [`started_by`]: what holds for this process and its helpers, as the kernel sees it

mod capabilities;
mod facts;
mod files;
mod system_calls;

use std::fmt::Display;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid, Pid, Resource, Rlimit, Signal, Uid, getppid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::thread::{CapabilitySet, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use seccompiler::SeccompAction;

use crate::config::Config;
use engine::Stage;
use words::limit::{DRIVER_CALLS, INSTANCES, MEMORY, PROCESSES};

pub use facts::{Facts, facts, has_landlock, started_by};

/// Links, addresses, routes and rules; entering network namespaces; ports below 1024.
const DAEMON: CapabilitySet =
    CapabilitySet::NET_ADMIN.union(CapabilitySet::SYS_ADMIN).union(CapabilitySet::NET_BIND_SERVICE);

/// Mounts; looking into the processes and folders of other users, where their namespaces are.
const KEYHOLDER: CapabilitySet =
    CapabilitySet::SYS_ADMIN.union(CapabilitySet::SYS_PTRACE).union(CapabilitySet::DAC_READ_SEARCH);

/// A system call that is not in a list: a library that tries one goes on without it.
const REFUSED: SeccompAction = SeccompAction::Errno(libc::EPERM as u32);

/// To give up what an engine process has not, and to end it.
const LAUNCHER: CapabilitySet =
    CapabilitySet::SETUID.union(CapabilitySet::SETGID).union(CapabilitySet::SETPCAP).union(CapabilitySet::KILL);

/// The users that processes of launchers run as, one each: nobody in systemd's table of users has one from here to 2^31.
const USERS: Range<u32> = 0x7000_0000..0x8000_0000;

/// Bytes of memory of an engine process, beside what the launcher has mapped: of all its calls, and its code twice, as it is read and as it runs.
const ENGINE_MEMORY: u64 = DRIVER_CALLS as u64 * MEMORY as u64 + (1 << 30);

/// Bytes of writable memory of a process that compiles: a Python component needs about 1.5 GiB.
pub const COMPILER_MEMORY: u64 = 4 << 30;

/// Seconds of processor time of a process that compiles: a Python component takes 6 to 20.
pub const COMPILER_SECONDS: u64 = 120;

/// A process of the launcher's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Runs a driver's calls.
    Engine,
    /// Compiles a component.
    Compiler,
}

/// Confines the daemon. What this kernel lacks is told in a warning, and the rest holds.
pub fn daemon(config: &Config) {
    attempt("capabilities", capabilities::keep(DAEMON));
    attempt("Landlock", files::only_those_of_the_daemon(config));
    attempt("seccomp", system_calls::allow(system_calls::daemon(), REFUSED));
}

/// Confines a child that compiles for whoever started it as a program: it reads its standard input and writes its standard output.
pub fn compiler() -> rustix::io::Result<()> {
    for (resource, limit) in [
        (Resource::As, COMPILER_MEMORY),
        (Resource::Cpu, COMPILER_SECONDS),
        (Resource::Nofile, 16),
        (Resource::Core, 0),
    ] {
        at_most(resource, limit)?;
    }
    attempt("capabilities", capabilities::keep(CapabilitySet::empty()));
    attempt("Landlock", files::none());
    compiler_calls();
    Ok(())
}

/// Leaves a process that compiles the few system calls that this takes.
pub fn compiler_calls() {
    attempt("seccomp", system_calls::allow(system_calls::compiler(), REFUSED));
}

/// Confines the process that opens and binds namespaces. Landlock would forbid it to mount.
pub fn keyholder() {
    attempt("capabilities", capabilities::keep(KEYHOLDER));
    attempt("seccomp", system_calls::allow(system_calls::keyholder(), REFUSED));
}

/// Confines the process that starts engines, and with it these: no network, no file, nothing to see of the host.
pub fn launcher(folder: &Path) {
    attempt("namespaces", kernel::leave_the_host(folder));
    attempt("capabilities", capabilities::keep(LAUNCHER));
    attempt("Landlock", files::none());
    attempt("seccomp", system_calls::allow(system_calls::launcher(), REFUSED));
}

/// The first of the users of a launcher's processes, by lot: other launchers may be in other namespaces of processes, and not be seen.
pub fn first_user() -> rustix::io::Result<u32> {
    let mut lot = [0; 4];
    getrandom(&mut lot, GetRandomFlags::empty())?;
    let launchers = USERS.len() as u32 / PROCESSES as u32;
    Ok(USERS.start + u32::from_ne_bytes(lot) % launchers * PROCESSES as u32)
}

/// Takes every right from a process that the launcher has just split off: it becomes this user, who has no other process, and ends with the
/// launcher. `mapped`: bytes that the launcher has mapped, most of them room for the memories of instances.
pub fn without_rights(kind: Kind, number: u32, launcher: Pid, mapped: u64) -> rustix::io::Result<()> {
    capabilities::bound(CapabilitySet::empty())?;
    set_thread_groups(&[])?;
    let (group, owner) = (Gid::from_raw(number), Uid::from_raw(number));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(owner, owner, owner)?;
    capabilities::keep(CapabilitySet::empty())?;
    let of_a_kind: &[_] = match kind {
        Kind::Engine => &[
            (Resource::Data, ENGINE_MEMORY),
            // What is mapped and not writable takes tables of pages.
            (Resource::As, mapped + ENGINE_MEMORY),
            (Resource::Nproc, DRIVER_CALLS as u64 + 2),
            // A file in memory for the first contents of each of a component's memories.
            (Resource::Nofile, DRIVER_CALLS as u64 + 16 + INSTANCES as u64),
            (Resource::Fsize, MEMORY as u64),
        ],
        Kind::Compiler => &[
            (Resource::Data, COMPILER_MEMORY),
            (Resource::As, mapped + COMPILER_MEMORY),
            (Resource::Cpu, COMPILER_SECONDS),
            (Resource::Nproc, 1),
            (Resource::Nofile, 16),
            (Resource::Fsize, 0),
        ],
    };
    let of_all = [(Resource::Core, 0), (Resource::Msgqueue, 0), (Resource::Memlock, 0)];
    of_a_kind.iter().chain(&of_all).try_for_each(|(resource, limit)| at_most(*resource, *limit))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // After the change of user, which forgets it; and if the launcher has ended before, nobody is told.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == Some(launcher) { Ok(()) } else { Err(Errno::SRCH) }
}

/// Leaves an engine process the few system calls that its work takes; another one ends it. When all its threads are there.
pub fn engine_at(stage: Stage) {
    let calls = match stage {
        Stage::Loads => system_calls::loading(),
        Stage::Runs => system_calls::running(),
    };
    attempt("seccomp", system_calls::allow(calls, SeccompAction::KillProcess));
}

/// What is limited already stays so.
fn at_most(resource: Resource, limit: u64) -> rustix::io::Result<()> {
    let limit = Some(getrlimit(resource).maximum.map_or(limit, |already| limit.min(already)));
    setrlimit(resource, Rlimit { current: limit, maximum: limit })
}

fn attempt<E: Display>(means: &str, done: Result<(), E>) {
    if let Err(error) = done {
        let text = format!("not confined by {means}: {error}");
        // The daemon's helpers have its standard error, and no log.
        if tracing::dispatcher::has_been_set() {
            tracing::warn!("{text}");
        } else {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}
