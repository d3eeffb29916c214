//! What holds for this process, asked of the kernel.

use std::fs::File;
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
    /// Files are out of reach that root could read. Tried: the kernel tells it nowhere.
    pub landlock: bool,
}

/// Asks.
pub fn facts() -> io::Result<Facts> {
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).ok_or_else(|| io::Error::other(format!("/proc/thread-self/status has no {name}")))
    };
    let capabilities = u64::from_str_radix(field("CapBnd")?, 16).map_err(io::Error::other)?;
    let landlock = File::open("/").is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
    Ok(Facts {
        capabilities,
        no_new_privileges: field("NoNewPrivs")? == "1",
        seccomp: field("Seccomp")? == "2",
        landlock,
    })
}
