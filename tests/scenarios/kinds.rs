//! Other kinds of drivers than a bridge, in each language: one whose links lie on a link of the host's, and one that other hosts tell where
//! their containers are. Each goes the way that its author would: a new project, the driver's source over the template's, built, tested,
//! its grant recorded, packed, loaded under that grant, used, and its calls made again. Every language passes here, every kind twice at
//! least; `make kinds` does all of it, with the whole suite on both kernels, and says what each step took.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use pontoon_tests::{Daemon, Namespace, Ran, command, pontoon, until};
use serde_json::Value;
use tempfile::TempDir;

use crate::author::{ok, repository};
use crate::conformance::Run;
use crate::hour::{C, GO, JAVASCRIPT, PYTHON, RUST, Toolchain};
use crate::packets::address;
use crate::recordings::{Running, recordings, replay};

/// What is run on the kernel itself, unless everything is.
const CHECKS: &[&str] = &["life-dual", "attach", "reach", "events", "events-apart"];

/// A kind of driver.
struct Kind {
    /// The folder of its sources.
    folder: &'static str,
    /// The driver's name.
    name: &'static str,
    /// What its tests are told: its labels and parents, and its configuration by key.
    options: &'static str,
    configuration: Option<&'static str>,
    /// The smallest grant, the same in each language.
    grant: &'static str,
    /// The function of which a recorded call is made again.
    replayed: &'static str,
    /// What can be seen of it while two containers are attached to its network.
    seen: fn(&Daemon, &Namespace),
}

const MACVLAN: Kind = Kind {
    folder: "macvlan",
    name: "lan",
    options: "--parent eth0 -o parent=eth0",
    configuration: None,
    grant: "\
permissions = [\"links\", \"store\"]
namespaces = [\"host\", \"container\"]
parents = [\"eth0\"]
",
    replayed: "create-endpoint",
    seen: a_link_of_its_own,
};

const OVERLAY: Kind = Kind {
    folder: "overlay",
    name: "mesh",
    options: "",
    configuration: Some("address=192.0.2.1"),
    grant: "\
permissions = [\"links\", \"host-ports\", \"store\", \"tables\"]
namespaces = [\"host\"]
addresses = [\"network\"]
parents = [\"*\"]
tables = [\"peers\"]
",
    replayed: "event-notify",
    seen: another_hosts_container,
};

impl Kind {
    /// What its tests are told.
    fn options(&self) -> Vec<&'static str> {
        let configuration = self.configuration.into_iter().flat_map(|pair| ["--set", pair]);
        self.options.split_whitespace().chain(configuration).collect()
    }
}

/// A project of its author's.
struct Project {
    folder: TempDir,
    programs: TempDir,
    toolchain: &'static Toolchain,
    kind: &'static Kind,
}

impl Project {
    /// As `pontoon driver new` makes it, with the driver's source over the template's if there is no template of this kind.
    fn new(kind: &'static Kind, toolchain: &'static Toolchain) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), programs: toolchain.only(), toolchain, kind };
        let sources = repository().join("tests/kinds").join(kind.folder);
        let own = sources.join(toolchain.language);
        // Where the language has a template of this kind, that is the source.
        let template = if own.exists() { "bridge" } else { kind.folder };
        let new = format!("pontoon driver new {} --language {} --template {template}", kind.name, toolchain.language);
        toolchain.run(&new, project.folder.path(), project.programs.path());
        if !own.exists() {
            return project;
        }
        ok(Command::new("cp").arg("-r").arg(own.join(".")).arg(project.path()));
        std::fs::copy(sources.join("pontoon.toml"), project.file("pontoon.toml")).unwrap();
        // The template's cases are a bridge's.
        std::fs::remove_file(project.file("cases.toml")).unwrap();
        // In Rust a macro says which parts a driver exports.
        let world = project.file("wit/world.wit");
        if world.exists() && sources.join("world.wit").exists() {
            std::fs::copy(sources.join("world.wit"), world).unwrap();
        }
        project
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.kind.name)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn component(&self) -> PathBuf {
        self.file(&format!("{}.wasm", self.kind.name))
    }

    fn run(&self, line: &str) {
        self.toolchain.run(line, &self.path(), self.programs.path());
    }

    /// Does a step, and says what it took.
    fn timed(&self, step: &str, work: impl FnOnce(&Self)) {
        let start = Instant::now();
        work(self);
        let took = start.elapsed().as_secs_f64();
        println!("{:8} {:10} {took:7.1} s  {step}", self.kind.folder, self.toolchain.language);
    }

    /// The suite, of which nothing may fail, and nothing be skipped but parts that the driver does not export and packets on the fake.
    fn passes(&self, more: &[&str]) {
        let flags: Vec<_> = self.kind.options().into_iter().chain(more.iter().copied()).collect();
        let run = Run::of(&self.component(), &flags);
        let failed: Vec<_> = run.ended("failed").collect();
        assert!(run.code == Some(0) && failed.is_empty(), "{flags:?}: {failed:#?} {}", run.err);
        let reason = |line: &Value| line["reason"].as_str().unwrap_or_default().to_owned();
        let is_fine = |reason: &str| reason.contains("does not export") || reason.contains("no packets");
        let skipped: Vec<_> = run.ended("skipped").map(reason).filter(|reason| !is_fine(reason)).collect();
        assert!(skipped.is_empty(), "{flags:?}: {skipped:?}");
    }

    /// Records the grant that it needs, has the manifest ask for it, and packs again.
    fn recorded(&self) {
        let mut command = command(pontoon());
        command.args(["driver", "grant"]).arg(self.component()).args(["--record", "--fake", "--asks", "pontoon.toml"]);
        ok(command.args(["--to", "grant.toml"]).args(self.kind.options()).current_dir(self.path()));
        assert_eq!(std::fs::read_to_string(self.file("grant.toml")).unwrap(), self.kind.grant);
        self.run(&format!("pontoon driver pack {}.wasm", self.kind.name));
    }

    /// Loaded under the grant that was recorded, two containers reach each other; the recorded calls go the same again; nothing stays.
    fn used(&self) {
        let daemon = Daemon::start();
        for line in ["ip link add eth0 type veth peer name cable", "ip link set eth0 up", "ip link set cable up"] {
            daemon.host.run(line);
        }
        let (before, name) = (daemon.host.settled(), self.kind.name);
        let configuration = self.kind.configuration.map(|pair| format!("--set {pair}")).unwrap_or_default();
        let [component, grant] = [self.component(), self.file("grant.toml")].map(|file| file.display().to_string());
        daemon.ok(&format!("driver load {component} --grant {grant} {configuration}"));
        let mut trace = Running::start(&daemon, self.folder.path(), &format!("driver trace {name} --to calls"));
        until("the trace", || trace.err().contains("recording the calls of"));
        // The suite's labels are the network's; the parents are there.
        let labels = self.kind.options.split_once("-o ").map(|(_, label)| format!("-o {label}")).unwrap_or_default();
        daemon.ok(&format!("network create n -d {name} --subnet 10.5.0.0/24 {labels}"));
        let (a, b) = (Namespace::new("a"), Namespace::new("b"));
        for namespace in [&a, &b] {
            daemon.ok(&format!("endpoint attach n {}", namespace.text()));
        }
        assert!(a.pings(&address(&daemon, "n", "b", "address")), "{}: no ping", self.toolchain.language);
        (self.kind.seen)(&daemon, &a);
        for line in ["endpoint detach n a", "endpoint detach n b", "network rm n"] {
            daemon.ok(line);
        }
        until("the last call", || trace.out().contains("delete-network"));
        trace.interrupt();
        daemon.ok(&format!("driver rm {name}"));
        pontoon_tests::same_at_last(|| daemon.host.dump(), &before);
        self.replayed(&self.folder.path().join("calls"));
    }

    /// A call that was recorded goes the same again.
    fn replayed(&self, folder: &Path) {
        let files = recordings(folder);
        let of = |file: &&PathBuf| file.to_string_lossy().ends_with(&format!("-{}.json", self.kind.replayed));
        let file = files.iter().find(of).unwrap_or_else(|| panic!("no {} in {files:?}", self.kind.replayed));
        let Ran { code, out, err } = replay(&file.display().to_string());
        assert!(code == 0 && out.contains("the same as recorded"), "{}: {out}{err}", file.display());
    }
}

/// The container's link is a macvlan on the parent, under the name that containers' links have. Wrong options are refused with their values.
fn a_link_of_its_own(daemon: &Daemon, container: &Namespace) {
    let link = container.run("ip -d link show eth0");
    assert!(link.contains("macvlan mode bridge"), "{link}");
    let table = [
        ("", "no parent: say which link of the host's with -o parent=LINK"),
        ("-o parent=none", "parent=\"none\": "),
        ("-o parent=eth0 -o mode=loud", "mode=\"loud\": it is bridge, private or vepa"),
    ];
    for (options, says) in table {
        let ran = daemon.cli(&format!("network create m -d lan --subnet 10.6.0.0/24 {options}"));
        assert!(ran.code != 0 && ran.err.contains(says), "{options}: {ran:?}");
    }
}

/// What another host says of a container of its own is in the kernel, and explained to people, as long as it says so.
fn another_hosts_container(daemon: &Daemon, _: &Namespace) {
    let mut put = command(pontoon());
    put.env("PONTOON_SOCKET", daemon.socket()).args(["table", "put", "n", "peers", "far", "--owner", "other-host"]);
    ok(put.arg("02:77:00:00:00:09 192.0.2.9 10.5.0.9"));
    let link = daemon.host.run("ip -o link show type vxlan");
    let vxlan = link.split(": ").nth(1).unwrap().to_owned();
    let entries = || {
        let shown = ["ip neighbour show dev ", "bridge fdb show dev "].map(|line| format!("{line}{vxlan}"));
        shown.map(|line| daemon.host.run(&line)).join("")
    };
    until("the entries", || entries().contains("02:77:00:00:00:09 dst 192.0.2.9"));
    assert!(entries().contains("10.5.0.9 lladdr 02:77:00:00:00:09"), "{}", entries());
    let verbose = daemon.ok("network inspect n --verbose");
    for says in ["a container on 192.0.2.9", "a container on 192.0.2.1"] {
        assert!(verbose.contains(says), "{says}: {verbose}");
    }
    daemon.ok("table rm n peers far");
    until("no entries", || !entries().contains("02:77:00:00:00:09"));
}

/// One kind, or both if all is asked for.
fn from_new_to_used(toolchain: &'static Toolchain, kind: &'static Kind) {
    let all = std::env::var_os("PONTOON_KINDS").is_some();
    let kinds = [&MACVLAN, &OVERLAY].into_iter().filter(|one| all || one.name == kind.name);
    for kind in kinds {
        let project = Project::new(kind, toolchain);
        project.timed("make", |project| project.run("make"));
        let checks: Vec<_> = CHECKS.iter().flat_map(|check| ["--check", *check]).collect();
        if all {
            project.timed("driver test --fake", |project| project.passes(&["--fake"]));
        }
        project.timed("driver test", |project| project.passes(if all { &[] } else { &checks }));
        // The suite as a whole, on the fake kernel.
        project.timed("driver grant --record, driver pack", Project::recorded);
        project.timed("load, attach, ping, replay", Project::used);
        if all {
            let grant = project.file("grant.toml").display().to_string();
            project.timed("driver test --grant", |project| project.passes(&["--grant", &grant]));
        }
    }
}

#[test]
fn rust() {
    from_new_to_used(&RUST, &OVERLAY);
}

macro_rules! languages {
    ($($language:literal $name:ident: $toolchain:ident $kind:ident),+) => {$(
        #[test]
        #[cfg_attr(skips = $language, ignore = "the language's tools can't be had here")]
        fn $name() { from_new_to_used(&$toolchain, &$kind); }
    )+};
}

languages!("go" go: GO OVERLAY, "c" c: C MACVLAN, "python" python: PYTHON MACVLAN, "javascript" javascript: JAVASCRIPT OVERLAY);
