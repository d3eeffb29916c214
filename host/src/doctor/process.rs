//! What the daemon's process has given up, as the kernel sees it.

use std::io;

use super::unknown;
use crate::confine::{Facts, facts};
use operation::finding::Finding;

/// Of these a host of network drivers needs none: whoever breaks out of a driver must not find them.
const ALL: u64 = (1 << 41) - 1;

/// Looks at this process.
pub fn look() -> Vec<Finding> {
    found(facts())
}

fn found(facts: io::Result<Facts>) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(e) => return vec![unknown("process", &e, e.raw_os_error())],
    };
    let some = facts.capabilities & ALL != ALL && facts.no_new_privileges;
    let kept = format!("it can have {} of them, and what it starts no more", facts.capabilities.count_ones());
    vec![
        one("process capabilities", some, &kept, "serve as root of the machine"),
        one("process system calls", facts.seccomp, "filtered by seccomp", "use a kernel with CONFIG_SECCOMP_FILTER"),
        one(
            "process files",
            facts.landlock,
            "only its own, by Landlock",
            "use a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or newer) and landlock among its lsm=",
        ),
    ]
}

fn one(check: &str, holds: bool, found: &str, advice: &str) -> Finding {
    match holds {
        true => Finding::ok(check, found),
        false => {
            let why = "not limited: whoever breaks out of a driver has all that root has";
            Finding::warning(check, why, format!("{advice}; the daemon's log says what failed"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::finding::Status;

    #[test]
    fn what_is_not_given_up_is_a_warning() {
        let statuses = |facts| found(Ok(facts)).iter().map(|f| f.status).collect::<Vec<_>>();
        let confined = Facts { capabilities: 0x201400, no_new_privileges: true, seccomp: true, landlock: true };
        assert_eq!(statuses(confined.clone()), [Status::Ok; 3]);
        assert!(found(Ok(confined.clone()))[0].found.contains("it can have 3 of them"));
        let free = Facts { capabilities: ALL, no_new_privileges: false, seccomp: false, landlock: false };
        assert_eq!(statuses(free), [Status::Warning; 3]);
        assert_eq!(statuses(Facts { landlock: false, ..confined })[2], Status::Warning);
    }

    #[test]
    fn this_process_is_asked() {
        // A test's process has given up nothing.
        assert!(!facts().unwrap().landlock);
        assert_eq!(look().len(), 3);
    }
}
