//! A daemon's processes, as the kernel tells of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

/// A child that does not outlive this.
pub struct KilledAtEnd(pub Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process of a daemon's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves.
    Daemon,
    /// It opens and binds namespaces.
    Keyholder,
    /// It starts engine processes.
    Launcher,
    /// It runs a driver's code.
    Engine,
}

/// A process of a daemon's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub number: u32,
    /// What it is for.
    pub role: Role,
}

impl Process {
    /// Those that run, of a daemon with this folder: it stands on their command lines. An engine process has its launcher's.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let folder = folder.to_string_lossy();
        let of = |number: u32| {
            // One that has ended has none.
            let line = std::fs::read_to_string(format!("/proc/{number}/cmdline")).ok()?;
            let role = match line.split('\0').nth(1)? {
                "serve" => Role::Daemon,
                "keyholder" => Role::Keyholder,
                "launcher" => Role::Launcher,
                _ => return None,
            };
            line.contains(&*folder).then_some(Self { number, role })
        };
        let mut all: Vec<_> = numbers().into_iter().filter_map(of).collect();
        let launchers: Vec<_> = all.iter().filter(|p| p.role == Role::Launcher).map(|p| p.number).collect();
        for process in &mut all {
            if parent(process.number).is_some_and(|parent| launchers.contains(&parent)) {
                process.role = Role::Engine;
            }
        }
        all
    }

    /// Kills it, if it has not ended.
    pub fn kill(self) {
        let _ = kill_process(Pid::from_raw(self.number.cast_signed()).unwrap(), Signal::KILL);
    }

    /// Whether it is there, be it as a zombie.
    pub fn is_there(self) -> bool {
        Path::new(&format!("/proc/{}", self.number)).exists()
    }

    /// Whether it has not ended. One whose parent has ended waits for init to collect it, which does so when it likes.
    pub fn runs(self) -> bool {
        self.status().get("State").is_some_and(|state| !state.starts_with(['Z', 'X']))
    }

    /// The most memory that it ever had, in MB, with pages that it shares.
    pub fn peak(self) -> f64 {
        self.status().get("VmHWM").map_or(0.0, |value| kilobytes(value) / 1024.0)
    }

    /// Its open files.
    pub fn descriptors(self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.number)).map_or(0, Iterator::count)
    }

    /// The kernel's table of it. Empty: it has ended.
    pub fn status(self) -> BTreeMap<String, String> {
        status(&format!("/proc/{}/status", self.number))
    }
}

/// A status file of /proc. Empty: whatever it was of has ended.
pub fn status(path: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect()
}

/// Seconds of processor time that a process has had, with those that it started and that have ended. In hundredths.
pub fn processor_time(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before may contain anything (proc_pid_stat(5)): utime, stime, cutime and cstime are 14 to 17.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(4).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// MB of a process: its own pages, and its share of those that others have, too.
pub fn memory(process: &str) -> f64 {
    status(&format!("/proc/{process}/smaps_rollup")).get("Pss").map_or(0.0, |value| kilobytes(value) / 1024.0)
}

/// A number of KiB as /proc writes it.
fn kilobytes(value: &str) -> f64 {
    value.trim_end_matches(" kB").trim().parse().unwrap()
}

/// The processes that a process has started.
pub fn children(process: u32) -> Vec<u32> {
    numbers().into_iter().filter(|number| parent(*number) == Some(process)).collect()
}

fn numbers() -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn parent(process: u32) -> Option<u32> {
    status(&format!("/proc/{process}/status")).get("PPid")?.parse().ok()
}
