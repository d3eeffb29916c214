//! Network namespaces of a test's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use tempfile::TempDir;

use crate::until;

/// How long the kernel may take to be as it was.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network namespace, its loopback up. One that is a test's own is gone with this value.
pub struct Namespace {
    path: PathBuf,
    folder: Option<TempDir>,
}

impl Namespace {
    /// A new one. The file that it is bound to has this name.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let path = folder.path().join(name);
        File::create(&path).unwrap();
        let target = path.clone();
        std::thread::spawn(move || {
            make_namespace();
            mount_bind("/proc/thread-self/ns/net", &target).unwrap();
        })
        .join()
        .unwrap();
        let namespace = Self { path, folder: Some(folder) };
        namespace.run("ip link set lo up");
        namespace
    }

    /// One that somebody else keeps.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), folder: None }
    }

    /// Where it is bound.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its path as text.
    pub fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Runs a command in it, and gives back what it said.
    pub fn try_run(&self, command: &str) -> Output {
        let mut words = command.split_whitespace();
        let mut nsenter = Command::new("nsenter");
        nsenter.arg(format!("--net={}", self.path.display())).arg("--").args(&mut words);
        nsenter.output().unwrap()
    }

    /// Runs a line of shell in it.
    pub fn try_run_script(&self, script: &str) -> Output {
        let mut nsenter = Command::new("nsenter");
        nsenter.arg(format!("--net={}", self.path.display())).args(["--", "sh", "-c", script]).output().unwrap()
    }

    /// Runs a command in it that has to succeed, and gives back its standard output.
    pub fn run(&self, command: &str) -> String {
        let output = self.try_run(command);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// Runs code in it, on a thread of its own.
    pub fn enter<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
        let path = self.path.clone();
        let entered = move || {
            let file = File::open(&path).unwrap();
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        std::thread::spawn(entered)
    }

    /// Whether an address answers pings.
    pub fn pings(&self, address: &str) -> bool {
        self.try_run(&format!("ping -n -q -c 1 -W 2 {address}")).status.success()
    }

    /// Everything that the kernel has here: links, addresses, routes, rules, neighbours, nftables, and the settings that
    /// Pontoon can reach. Counters and clocks are left out. Condemned links are gone for everyone but `ip link` for some 30 ms: this
    /// waits for the reaper.
    pub fn dump(&self) -> String {
        let begin = Instant::now();
        loop {
            let dump = self.look();
            if !dump.contains(": pc") || begin.elapsed() > PATIENCE {
                return dump;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The same once the kernel has come to rest: carriers and link-local addresses follow a moment after their links.
    pub fn settled(&self) -> String {
        let mut dump = self.dump();
        until("the kernel to come to rest", || {
            std::thread::sleep(Duration::from_secs(1));
            let before = std::mem::replace(&mut dump, self.dump());
            dump == before && !dump.contains("tentative")
        });
        dump
    }

    fn look(&self) -> String {
        // One shell and few programs: tests compare often.
        let commands = [
            "printf 'link show\\naddress show\\nroute show table all\\nrule show\\nneighbour show nud permanent\\nneighbour show proxy\\n' | ip -o -batch -",
            "printf 'route show table all\\nrule show\\n' | ip -o -6 -batch -",
            "bridge fdb show",
            "nft -s -t list ruleset",
            "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.default.forwarding",
        ];
        let script: String =
            commands.iter().zip(1..).map(|(command, number)| format!("echo '# {number}'\n{command}\n")).collect();
        let output = self.try_run_script(&format!("set -e\n{script}"));
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        let sections = text.split_inclusive('\n').fold(Vec::new(), |mut sections: Vec<String>, line| {
            if line.starts_with("# ") || sections.is_empty() {
                sections.push(String::new());
            }
            if let Some(section) = sections.last_mut() {
                section.push_str(line);
            }
            sections
        });
        sections.iter().map(|section| sorted(section)).collect()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.folder.is_some() {
            let _ = unmount(&self.path, UnmountFlags::DETACH);
        }
    }
}

#[expect(
    unsafe_code,
    reason = "rustix calls unsharing unsafe because of CLONE_FILES; a new network namespace takes no file away"
)]
fn make_namespace() {
    // SAFETY: only the network namespace of this thread changes.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
}

/// The lines in order, without what changes by itself.
fn sorted(text: &str) -> String {
    let mut lines: Vec<String> =
        text.lines().map(|l| l.split("valid_lft").next().unwrap_or(l).trim_end().to_owned()).collect();
    lines.sort();
    lines.iter().map(|l| format!("{l}\n")).collect()
}

/// Looks until what is seen is the same as before: the kernel takes some things away a little later. Fails with the difference.
pub fn same_at_last<T: PartialEq + std::fmt::Debug>(see: impl Fn() -> T, before: &T) {
    let begin = Instant::now();
    loop {
        let now = see();
        if now == *before {
            return;
        }
        if begin.elapsed() > PATIENCE {
            let [now, before] = [format!("{now:#?}"), format!("{before:#?}")].map(|text| text.replace("\\n", "\n"));
            let only = |one: &str, other: &str| {
                one.lines().filter(|l| !other.lines().any(|o| o == *l)).map(|l| format!("  {l}\n")).collect::<String>()
            };
            panic!("not as before.\nNew:\n{}Missing:\n{}", only(&now, &before), only(&before, &now));
        }
        // Looking takes the kernel's lock from what is waited for.
        std::thread::sleep((begin.elapsed() / 10).clamp(Duration::from_millis(20), Duration::from_millis(500)));
    }
}
