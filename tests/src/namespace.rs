//! Network namespaces of a test's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use tempfile::TempDir;

/// A network namespace, its loopback up. It is gone with this value.
pub struct Namespace {
    path: PathBuf,
    _folder: TempDir,
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
        let namespace = Self { path, _folder: folder };
        namespace.run("ip link set lo up");
        namespace
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
    /// Pontoon can reach. Counters and clocks are left out.
    pub fn dump(&self) -> String {
        let mut all = String::new();
        for command in [
            "ip -o link show",
            "ip -o address show",
            "ip -4 route show table all",
            "ip -6 route show table all",
            "ip -4 rule show",
            "ip -6 rule show",
            "bridge fdb show",
            "nft list ruleset",
        ] {
            all += &format!("# {command}\n{}", sorted(&self.run(command)));
        }
        let settings = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"];
        for setting in settings {
            all += &self.run(&format!("sysctl {setting}"));
        }
        all
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = unmount(&self.path, UnmountFlags::DETACH);
    }
}

#[expect(unsafe_code, reason = "rustix calls unsharing unsafe because of CLONE_FILES; a new network namespace takes no file away")]
fn make_namespace() {
    // SAFETY: only the network namespace of this thread changes.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
}

/// The lines in order, without what changes by itself.
fn sorted(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(|l| l.split("valid_lft").next().unwrap_or(l).trim_end().to_owned()).collect();
    lines.sort();
    lines.iter().map(|l| format!("{l}\n")).collect()
}
