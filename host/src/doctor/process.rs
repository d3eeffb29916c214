//! What the daemon and its helpers have given up, as the kernel sees it.

use std::io;

use super::unknown;
use crate::confine::{Facts, facts, has_landlock, started_by};
use crate::launcher::SUBCOMMAND as LAUNCHER;
use kernel::KEYHOLDER;
use operation::finding::Finding;

/// Of these a host of network drivers needs none: whoever breaks out of a driver must not find them.
const ALL: u64 = (1 << 41) - 1;

/// What helps where capabilities or system calls are not limited.
const AS_ROOT: &str = "serve as root of the machine";
const FILTER: &str = "use a kernel with CONFIG_SECCOMP_FILTER";

/// What a helper gives up beside capabilities and system calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Helper {
    /// Nothing: it opens what is on the host.
    Keyholder,
    /// The host's files and networks.
    Launcher,
    /// These, every capability, and root.
    Engine,
}

/// Looks at this process and its helpers.
pub fn look() -> Vec<Finding> {
    let mut all = found(facts("thread-self"), has_landlock());
    let daemon = std::process::id().to_string();
    let launchers = started_by(&daemon, LAUNCHER);
    // What it splits off has its command line.
    let engines = launchers.as_ref().ok().and_then(|launchers| launchers.first());
    let engines = engines.map_or_else(|| Ok(Vec::new()), |launcher| started_by(launcher, LAUNCHER));
    all.push(processes("process keyholder", Helper::Keyholder, started_by(&daemon, KEYHOLDER)));
    all.push(processes("process launcher", Helper::Launcher, launchers));
    all.push(processes("process engine", Helper::Engine, engines));
    all
}

fn found(facts: io::Result<Facts>, has_landlock: bool) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(e) => return vec![unknown("process", &e, e.raw_os_error())],
    };
    let some = facts.has_few_rights();
    let kept = format!("it can have {} of them, and what it starts no more", facts.capabilities.count_ones());
    vec![
        one("process capabilities", some, &kept, AS_ROOT),
        one("process system calls", facts.seccomp, "filtered by seccomp", FILTER),
        one(
            "process files",
            has_landlock,
            "only its own, by Landlock",
            "use a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or newer) and landlock among its lsm=",
        ),
    ]
}

fn one(check: &str, holds: bool, found: &str, advice: &str) -> Finding {
    match holds {
        true => Finding::ok(check, found),
        false => {
            let why = "not limited: whoever takes the daemon over has all that root has";
            Finding::warning(check, why, format!("{advice}; the daemon's log says what failed"))
        }
    }
}

/// The processes of a kind: the first that lacks something, or what all have.
fn processes(check: &str, helper: Helper, numbers: io::Result<Vec<String>>) -> Finding {
    let numbers = match numbers {
        Ok(numbers) => numbers,
        Err(e) => return unknown(check, &e, e.raw_os_error()),
    };
    // One that has ended meanwhile can't be asked.
    let all: Vec<_> = numbers.iter().filter_map(|number| facts(number).ok()).collect();
    if all.is_empty() {
        return match helper {
            Helper::Engine => Finding::ok(check, "none runs: no driver was called for a while"),
            _ => Finding::unknown(check, "it can't be seen", "mount /proc without hidepid="),
        };
    }
    let lacking = all.iter().map(|facts| lacks(helper, facts)).find(|lacks| !lacks.is_empty());
    match lacking {
        None => Finding::ok(check, has(helper, &all)),
        Some(lacks) => {
            let (open, advice): (Vec<_>, Vec<_>) = lacks.into_iter().unzip();
            let advice = format!("{}; the daemon's log says what failed", advice.join("; "));
            Finding::warning(check, open.join("; "), advice)
        }
    }
}

fn has(helper: Helper, all: &[Facts]) -> String {
    let kept = all.iter().map(|facts| facts.capabilities.count_ones()).max().unwrap_or_default();
    let more = match helper {
        Helper::Keyholder => "",
        Helper::Launcher => ", no file or network of the host's",
        Helper::Engine => ", no file or network of the host's, a user of its own",
    };
    let count = if helper == Helper::Engine { format!("{} run: ", all.len()) } else { String::new() };
    format!("{count}{kept} capabilities, system calls filtered by seccomp{more}")
}

/// What is open that should not be, and what helps.
fn lacks(helper: Helper, facts: &Facts) -> Vec<(&'static str, &'static str)> {
    let engine = helper == Helper::Engine;
    let all = [
        (facts.has_few_rights(), ("its capabilities are not limited: whoever takes it over has root's", AS_ROOT)),
        (
            !engine || (facts.capabilities == 0 && facts.user != 0),
            ("it has rights: so has whoever breaks out of wasmtime", AS_ROOT),
        ),
        (facts.seccomp, ("its system calls are not filtered: holes of the kernel's are in reach", FILTER)),
        (
            helper == Helper::Keyholder || facts.apart,
            ("it sees the host's files and networks", "serve where mount, network, IPC and UTS namespaces can be made"),
        ),
    ];
    all.into_iter().filter(|(holds, _)| !holds).map(|(_, lacks)| lacks).collect()
}

impl Facts {
    /// Not all capabilities, and no more by starting a program.
    fn has_few_rights(&self) -> bool {
        self.capabilities & ALL != ALL && self.no_new_privileges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::finding::Status;

    fn confined() -> Facts {
        Facts { capabilities: 0x201400, no_new_privileges: true, seccomp: true, user: 0, apart: false }
    }

    fn free() -> Facts {
        Facts { capabilities: ALL, no_new_privileges: false, seccomp: false, ..confined() }
    }

    #[test]
    fn what_is_not_given_up_is_a_warning() {
        let statuses = |facts, landlock| found(Ok(facts), landlock).iter().map(|f| f.status).collect::<Vec<_>>();
        assert_eq!(statuses(confined(), true), [Status::Ok; 3]);
        assert!(found(Ok(confined()), true)[0].found.contains("it can have 3 of them"));
        assert_eq!(statuses(free(), false), [Status::Warning; 3]);
        assert_eq!(statuses(confined(), false)[2], Status::Warning);
    }

    #[test]
    fn helpers_are_told_of_by_what_they_lack() {
        let count = |helper, facts: Facts| lacks(helper, &facts).len();
        assert_eq!((count(Helper::Keyholder, confined()), count(Helper::Keyholder, free())), (0, 2));
        let apart = Facts { apart: true, ..confined() };
        assert_eq!((count(Helper::Launcher, apart.clone()), count(Helper::Launcher, free())), (0, 3));
        let engine = Facts { capabilities: 0, user: 0x7000_0000, ..apart.clone() };
        assert_eq!((count(Helper::Engine, engine.clone()), count(Helper::Engine, free())), (0, 4));
        assert_eq!(count(Helper::Engine, Facts { user: 0, ..engine.clone() }), 1);
        assert_eq!(count(Helper::Engine, Facts { capabilities: 1, ..engine }), 1);
    }

    #[test]
    fn this_process_is_asked() {
        // A test's process has given up nothing, and has no helpers.
        assert!(!has_landlock());
        assert_eq!(look().len(), 6);
    }
}
