//! How far this process and its helpers are confined, asked of the kernel.

use std::fs::{File, read_dir, read_to_string};
use std::io;

/// How far a process is confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The bounding set of capabilities: what it and what it starts can ever have.
    pub capabilities: u64,
    /// Nothing that it starts gets more rights than it has.
    pub no_new_privileges: bool,
    /// System calls are filtered.
    pub seccomp: bool,
    /// It runs as this user.
    pub user: u32,
    /// It has other mounts than this process has, and no network.
    pub apart: bool,
}

/// Asks about a process, by its name in /proc.
pub fn facts(process: &str) -> io::Result<Facts> {
    let read = |file: &str| read_to_string(format!("/proc/{process}/{file}"));
    let status = read("status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).ok_or_else(|| io::Error::other(format!("/proc/{process}/status has no {name}")))
    };
    let user = field("Uid")?.split_whitespace().next().unwrap_or_default();
    // Below two lines of heading, one for each link.
    let has_network = read("net/dev")?.lines().skip(2).any(|line| !line.trim_start().starts_with("lo:"));
    let mut capabilities = 0;
    for set in ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"] {
        capabilities |= u64::from_str_radix(field(set)?, 16).map_err(io::Error::other)?;
    }
    Ok(Facts {
        capabilities,
        no_new_privileges: field("NoNewPrivs")? == "1",
        seccomp: field("Seccomp")? == "2",
        user: user.parse().map_err(io::Error::other)?,
        apart: !has_network && read("mountinfo")? != read_to_string("/proc/self/mountinfo")?,
    })
}

/// Whether Landlock keeps files out of this process's reach that root could read. Tried: the kernel tells it nowhere.
pub fn has_landlock() -> bool {
    File::open("/").is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied)
}

/// The processes that a process has started from this program under a subcommand, by their names in /proc.
pub fn started_by(parent: &str, subcommand: &str) -> io::Result<Vec<String>> {
    let is_it = |process: &String| {
        let read = |file: &str| read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
        read("status").lines().any(|line| line.strip_prefix("PPid:").is_some_and(|of| of.trim() == parent))
            && read("cmdline").split('\0').nth(1) == Some(subcommand)
    };
    let all = read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(all.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).filter(is_it).collect())
}
