//! Landlock: which files a process can reach. It forbids all mounts, too, and to look into or signal processes that are not its own children.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

use crate::config::Config;

/// The newest version whose every restriction is wanted: the one after it also stands between the daemon and dockerd's socket. On an older
/// kernel, what that has.
const VERSION: ABI = ABI::V6;

/// This program, for the compiler child, and its libraries. An upgrade replaces the program under its name, so it is named as what runs.
const PROGRAMS: [&str; 6] = ["/proc/self/exe", "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.preload"];

/// What the kernel tells of itself and of this process, and how many processors a control group may use.
const READ: [&str; 3] = ["/proc", "/sys/fs/cgroup", "/dev/urandom"];

/// The daemon reaches its own folders, settings of the network, what it is made of, and nothing else. It connects to no TCP port.
pub(super) fn only_those_of_the_daemon(config: &Config) -> Result<(), String> {
    let rules = || {
        let write = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::ReadDir;
        let folder = write | AccessFs::MakeReg | AccessFs::MakeSock | AccessFs::MakeDir | AccessFs::RemoveFile;
        let program = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
        let socket = config.socket.parent().unwrap_or(&config.run);
        ruleset()?
            .add_rules(path_beneath_rules([&*config.state, &config.run, socket, &config.plugins], folder))?
            .add_rules(path_beneath_rules([&config.drivers], AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(PROGRAMS, program))?
            .add_rules(path_beneath_rules(READ, AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(["/proc/sys/net", "/dev/null"], write))
    };
    restrict(rules)
}

/// No file at all.
pub(super) fn none() -> Result<(), String> {
    restrict(ruleset)
}

/// Everything that Landlock can forbid.
fn ruleset() -> Result<RulesetCreated, RulesetError> {
    let all: BitFlags<AccessFs> = AccessFs::from_all(VERSION);
    // A port of the host is held by a socket that is bound.
    Ruleset::default()
        .handle_access(all)?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::from_all(VERSION))?
        .create()
}

fn restrict(rules: impl FnOnce() -> Result<RulesetCreated, RulesetError>) -> Result<(), String> {
    let status = rules().and_then(RulesetCreated::restrict_self).map_err(|e| e.to_string())?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("this kernel has none, or it is switched off (lsm=)".to_owned()),
        // An older kernel restricts what it can.
        _ => Ok(()),
    }
}
