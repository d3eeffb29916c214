//! An author's first hour: from nothing to a ping through a driver of one's own, in each language, with that language's toolchain and
//! `pontoon` on PATH and nothing else. `make hour` does it without caches, and shows what each command took.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace, command, driver, pontoon, until};
use tempfile::TempDir;

use crate::author::{ok, repository};
use crate::packets::address;
use crate::recordings::Running;

/// What every machine has, and `make`.
const MACHINE: &str =
    "sh bash env make awk basename cat chmod cp dirname dpkg grep head ls mkdir mv readlink rm sed tr uname";

/// What all of it takes at most, on a machine under load that has nothing yet.
const LONGEST: Duration = Duration::from_secs(900);

/// A language's toolchain, and where it keeps what it fetched and built before.
pub struct Toolchain {
    pub language: &'static str,
    programs: &'static str,
    /// Read only where the time is not to be taken cold.
    caches: &'static [(&'static str, &'static str)],
}

/// The linker and the compiler for macros are the machine's.
pub const RUST: Toolchain = Toolchain {
    language: "rust",
    programs: "cargo rustc rustup cc ld as ar",
    caches: &[("CARGO_TARGET_DIR", "target/wasm"), ("CARGO_NET_OFFLINE", "")],
};
pub const GO: Toolchain = Toolchain { language: "go", programs: "go", caches: &[("GOCACHE", "target/author/go")] };
/// It has no cache: it is always cold.
pub const C: Toolchain = Toolchain { language: "c", programs: "clang-16 wasm-ld-16", caches: &[] };
pub const PYTHON: Toolchain = Toolchain { language: "python", programs: "python3 componentize-py", caches: &[] };
pub const JAVASCRIPT: Toolchain = Toolchain { language: "javascript", programs: "node npm", caches: &[] };

impl Toolchain {
    /// What is on PATH: its programs, `pontoon` and what every machine has.
    pub fn only(&self) -> TempDir {
        only(self.programs)
    }

    /// Runs a line that has to succeed as a person types it in this folder.
    pub fn run(&self, line: &str, place: &Path, programs: &Path) -> String {
        ok(&mut self.typed(line, place, programs))
    }

    /// The same, to be run. With PONTOON_COLD nothing is there that was fetched or built before.
    fn typed(&self, line: &str, place: &Path, programs: &Path) -> Command {
        let mut command = typed(line, place, programs);
        let caches = self.caches.iter().map(|(name, value)| match *value {
            "" => (name, "true".into()),
            folder => (name, repository().join(folder)),
        });
        match std::env::var_os("PONTOON_COLD").is_some() {
            true => command.env("GOCACHE", programs.join("cache")),
            false => command.envs(caches),
        };
        command
    }
}

/// A folder with these programs and no others, for PATH.
fn only(programs: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tools = repository().join("target/tools/bin");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    for program in MACHINE.split(' ').chain(programs.split(' ')) {
        let found = std::env::split_paths(&path).map(|place| place.join(program)).find(|file| file.is_file());
        if let Some(file) = found {
            symlink(file, folder.path().join(program)).unwrap();
        }
    }
    symlink(std::fs::canonicalize(pontoon()).unwrap(), folder.path().join("pontoon")).unwrap();
    folder
}

/// This line as a person types it in this folder, with these programs only: without what cargo and make tell the tests, which says where
/// programs lie that are not on PATH.
fn typed(line: &str, place: &Path, programs: &Path) -> Command {
    let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut command = command(programs.join(program));
    command.args(rest.split_whitespace()).current_dir(place).env("PATH", programs);
    for name in ["CARGO", "RUSTC", "MAKEFLAGS", "MAKELEVEL"] {
        command.env_remove(name);
    }
    command
}

fn from_nothing_to_a_ping(toolchain: &Toolchain) {
    let (folder, programs) = (tempfile::tempdir().unwrap(), toolchain.only());
    let mut steps: Vec<(String, Duration)> = Vec::new();
    let daemon = Daemon::start();
    let mut timed = |line: &str, step: &dyn Fn()| {
        let start = Instant::now();
        step();
        steps.push((line.to_owned(), start.elapsed()));
    };
    let new = format!("pontoon driver new mine --language {}", toolchain.language);
    timed(&new, &|| drop(toolchain.run(&new, folder.path(), programs.path())));
    // Two commands, and the author's driver has been built, loaded and pinged through.
    let line = "pontoon driver dev mine --try";
    timed(line, &|| {
        let start = Instant::now();
        let mut command = toolchain.typed(line, folder.path(), programs.path());
        let mut dev = Running::of(command.env("PONTOON_SOCKET", daemon.socket()), folder.path());
        // As long as it takes to fetch and build without caches.
        while dev.err().matches("one container reaches the other at").count() < 2 {
            assert!(start.elapsed() < LONGEST, "{}", dev.err());
            std::thread::sleep(Duration::from_millis(50));
        }
        until("the end of the trial", || dev.out().contains("delete-network"));
        dev.interrupt();
    });
    // It stays loaded, for whoever wants to look closer.
    timed("pontoon network create -d mine n", &|| drop(daemon.ok("network create -d mine n")));
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    for (name, namespace) in [("A", &a), ("B", &b)] {
        let attach = format!("endpoint attach n {}", namespace.text());
        timed(&format!("pontoon endpoint attach n {name}"), &|| drop(daemon.ok(&attach)));
    }
    timed("ping", &|| assert!(a.pings(&address(&daemon, "n", "b", "address"))));
    let all: Duration = steps.iter().map(|(_, time)| *time).sum();
    for (line, time) in &steps {
        println!("{:10} {:7.1} s  {line}", toolchain.language, time.as_secs_f64());
    }
    println!("{:10} {:7.1} s  in all", toolchain.language, all.as_secs_f64());
    for line in ["endpoint detach n a", "endpoint detach n b", "network rm n", "driver rm mine"] {
        daemon.ok(line);
    }
}

#[test]
fn rust() {
    from_nothing_to_a_ping(&RUST);
}

macro_rules! languages {
    ($($language:literal $name:ident: $toolchain:ident),+) => {$(
        #[test]
        #[cfg_attr(skips = $language, ignore = "the language's tools can't be had here")]
        fn $name() { from_nothing_to_a_ping(&$toolchain); }
    )+};
}

languages!("go" go: GO, "c" c: C);

#[test]
#[ignore = "`make hour`: what is built on the way takes a minute, and languages::python builds it, too"]
fn python() {
    from_nothing_to_a_ping(&PYTHON);
}

#[test]
#[ignore = "`make hour`: what is built on the way takes a minute, and languages::javascript builds it, too"]
fn javascript() {
    from_nothing_to_a_ping(&JAVASCRIPT);
}

/// `make` names what is missing, and the one command that gets it.
#[test]
fn a_missing_toolchain_is_named() {
    let cases = [
        ("rust", "https://rustup.rs"),
        ("go", "https://go.dev/dl"),
        ("c", "apt-get install clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32"),
        ("python", "apt-get install python3 python3-venv"),
        ("javascript", "apt-get install nodejs npm"),
    ];
    let (folder, programs) = (tempfile::tempdir().unwrap(), only(""));
    let run = |line: &str, place: &Path| pontoon_tests::Ran::of(&mut typed(line, place, programs.path()));
    for (language, says) in cases {
        assert_eq!(run(&format!("pontoon driver new {language}-one --language {language}"), folder.path()).code, 0);
        let made = run("make", &folder.path().join(format!("{language}-one")));
        assert!(made.code != 0 && made.err.contains(says), "{language}: {made:?}");
    }
}

/// What a trial says of drivers that do not do it, and that it takes all of it back, also where its author interrupts it.
#[test]
fn a_trial_says_what_is_wrong_and_leaves_nothing() {
    let (daemon, folder) = (Daemon::start(), tempfile::tempdir().unwrap());
    std::fs::copy(driver("test/faulty"), folder.path().join("built")).unwrap();
    std::fs::write(folder.path().join("Makefile"), "driver:\n\tcp built f.wasm\n\t$(PONTOON) driver pack f.wasm\n")
        .unwrap();
    let asks = std::fs::read_to_string(repository().join("tests/drivers/faulty/grant.toml")).unwrap();
    std::fs::write(folder.path().join("pontoon.toml"), format!("name = 'f'\nversion = '1.0.0'\n[asks]\n{asks}"))
        .unwrap();
    let before = daemon.host.settled();
    for (fault, says, ends) in [
        ("none", "one container reaches the other at 10.", false),
        ("forgets-bridge", "one container does NOT reach the other at 10.", false),
        ("names-after-network", "the trial failed: the driver f: create-endpoint: ", false),
        ("refuses-ipv6", "the trial failed: the driver f: create-network: no IPv6", false),
        ("none", "building in", true),
    ] {
        let line = format!("driver dev --try --set fault={fault}");
        let mut dev = Running::start(&daemon, folder.path(), &line);
        until(says, || dev.err().contains(says));
        if ends {
            until("the trial's network", || daemon.json("network ls") != serde_json::json!([]));
        } else {
            until("the end of the trial", || daemon.json("network ls") == serde_json::json!([]));
        }
        dev.interrupt();
        assert_eq!(daemon.json("network ls"), serde_json::json!([]), "{fault}: {}", dev.err());
    }
    daemon.ok("driver rm f");
    pontoon_tests::same_at_last(|| daemon.host.dump(), &before);
}
