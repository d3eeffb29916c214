//! Recorded calls: `driver trace`, `driver replay` and `driver dev`, as commands.

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pontoon_tests::{Daemon, Namespace, Ran, command, driver, pontoon, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::author::{ok, repository};

/// A command that runs until it is interrupted, at the end at the latest.
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub fn start(daemon: &Daemon, folder: &Path, line: &str) -> Self {
        let mut command = command(pontoon());
        command.env("PONTOON_SOCKET", daemon.socket()).args(line.split_whitespace()).current_dir(folder);
        // What `driver dev` builds with: the crates that are here already, and no others.
        command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", repository().join("target/wasm"));
        Self::of(&mut command, folder)
    }

    /// A command, and a folder for what it says.
    pub fn of(command: &mut Command, folder: &Path) -> Self {
        let (out, err) = (folder.join("out"), folder.join("err"));
        let to = |path: &Path| Stdio::from(File::create(path).unwrap());
        let child = command.stdin(Stdio::null()).stdout(to(&out)).stderr(to(&err)).spawn().unwrap();
        Self { child, out, err }
    }

    pub fn out(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    pub fn err(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    pub fn interrupt(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.err());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn replay(line: &str) -> Ran {
    Ran::of(command(pontoon()).args(["driver", "replay"]).args(line.split_whitespace()))
}

pub fn recordings(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// A daemon and a driver whose calls are recorded into the folder.
fn recorded(name: &str, file: &str, work: impl FnOnce(&Daemon)) -> TempDir {
    let (daemon, folder) = (Daemon::start(), tempfile::tempdir().unwrap());
    daemon.ok(&format!("driver load {} --name {name}", driver(file).display()));
    let mut tracing = Running::start(&daemon, folder.path(), &format!("driver trace {name} --to calls"));
    until("the trace", || tracing.err().contains("recording the calls of"));
    work(&daemon);
    let last = "network-free";
    until(last, || tracing.out().contains(last) || tracing.out().contains("delete-network"));
    tracing.interrupt();
    folder
}

/// Every function of the interface, with values of every kind.
#[test]
fn every_host_call_is_answered_again_as_it_was() {
    let folder = recorded("probe", "test/probe", |daemon| {
        let a = Namespace::new("a");
        daemon.ok("network create n -d probe --ipv6 -o probe.do=all");
        daemon.ok(&format!("endpoint attach n {} -o probe.do=all -p 8080:80", a.text()));
        daemon.ok(&format!("endpoint detach n {}", a.text()));
        daemon.ok("network rm n");
    });
    let files = recordings(&folder.path().join("calls"));
    let mut functions: Vec<_> = files.iter().map(|file| read(file)["function"].as_str().unwrap().to_owned()).collect();
    functions.sort();
    functions.dedup();
    assert!(functions.len() >= 9, "{functions:?}");
    let mut host_calls = 0;
    for file in &files {
        let ran = replay(&format!("{} --output json", file.display()));
        let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
        assert!(ran.code == 0 && report["same"] == true, "{}: {}", file.display(), report["verdict"]);
        host_calls += report["host_calls"].as_array().unwrap().len();
    }
    assert!(host_calls > 100, "{host_calls} host calls");
}

#[test]
fn another_component_differs_where_it_does_something_else() {
    let folder = recorded("bridge-a", "bridge", |daemon| {
        for line in ["network create n -d bridge-a", "network rm n"] {
            daemon.ok(line);
        }
    });
    let files = recordings(&folder.path().join("calls"));
    let file = files.into_iter().find(|file| read(file)["function"] == "create-network").unwrap();
    let ran = replay(&file.display().to_string());
    assert!(ran.code == 0 && ran.out.contains("the same as recorded") && ran.out.contains("links.add"), "{ran:?}");
    let ran = replay(&format!("{} --with {}", file.display(), driver("null").display()));
    assert!(ran.code == 10 && ran.err.contains("it does not go as recorded"), "{ran:?}");
    for says in ["host call 1 differs", "recorded store.get(", "now      store.list("] {
        assert!(ran.out.contains(says), "{says}: {ran:?}");
    }

    let spoilt = folder.path().join("spoilt.json");
    let mut recording = read(&file);
    let mut write = |key: &str, value: Value| {
        recording = read(&file);
        recording[key] = value;
        std::fs::write(&spoilt, recording.to_string()).unwrap();
    };
    let table = [
        ("component", json!("00"), "the component that was recorded is not beside the recording"),
        ("interface", json!("pontoon:driver@9.9.9"), "the recording is of pontoon:driver@9.9.9"),
        ("cut", json!(true), "the recording is not whole"),
        ("arguments", json!({"join": {}}), "is no recording"),
        ("end", json!(7), "is no recording"),
    ];
    for (key, value, says) in table {
        write(key, value);
        let with = if key == "component" { String::new() } else { format!(" --with {}", driver("bridge").display()) };
        let ran = replay(&format!("{}{with}", spoilt.display()));
        assert!([4, 7].contains(&ran.code) && ran.err.contains(says), "{key}: {ran:?}");
    }
}

/// What was compiled for a test is used again for a replay, although the component was packed with another manifest meanwhile.
#[test]
fn packing_again_compiles_nothing() {
    let folder = recorded("null", "null", |daemon| {
        for line in ["network create n -d null", "network rm n"] {
            daemon.ok(line);
        }
    });
    let [cache, packed, manifest] = ["cache", "null.wasm", "pontoon.toml"].map(|name| folder.path().join(name));
    std::fs::copy(driver("null"), &packed).unwrap();
    let run = |line: &str| {
        let line = format!("driver {line}");
        ok(command(pontoon()).env("XDG_CACHE_HOME", &cache).args(line.split_whitespace()).current_dir(&folder))
    };
    let kept = || {
        let files = std::fs::read_dir(cache.join("pontoon")).unwrap().map(|entry| entry.unwrap());
        files.map(|file| (file.path(), file.metadata().unwrap().ino())).collect::<Vec<_>>()
    };
    run("test null.wasm --fake --check life-ipv4");
    let first = kept();
    let before = std::fs::read(&packed).unwrap();
    std::fs::write(manifest, "name = 'null'\nversion = '9.9.9'\nwithout = ['interface', 'records']\n").unwrap();
    run("pack null.wasm");
    assert_ne!(std::fs::read(&packed).unwrap(), before);
    for file in recordings(&folder.path().join("calls")) {
        // The component that was recorded, whose manifest is the first one, and the packed one.
        for with in ["", "--with null.wasm"] {
            assert!(run(&format!("replay {} {with}", file.display())).contains("the same as recorded"));
        }
    }
    run("test null.wasm --fake --check life-ipv4");
    assert_eq!((first.len(), kept()), (1, first), "compiled again");
}

#[test]
fn what_is_too_large_to_keep_is_cut_and_said_so() {
    let folder = recorded("probe", "test/probe", |daemon| {
        // Some thousand times 4 KiB of random bytes.
        daemon.cli("network create m -d probe -o probe.exceed=deadline");
        daemon.ok("network create n -d probe");
        daemon.ok("network rm n");
    });
    let files = recordings(&folder.path().join("calls"));
    let cut = files.iter().find(|file| read(file)["cut"] == true).expect("one is cut");
    assert!(std::fs::metadata(cut).unwrap().len() < 8 << 20, "most of it is gone");
    let ran = replay(&cut.display().to_string());
    assert!(ran.code == 7 && ran.err.contains("the recording is not whole"), "{ran:?}");
}

/// `driver new`, then `driver dev`: a change is built and loaded while its author watches; a trap is recorded, happens again without root,
/// and is gone with the mended driver.
#[test]
fn the_loop_of_an_author() {
    let (daemon, folder) = (Daemon::start(), tempfile::tempdir().unwrap());
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let new = ["driver", "new", "my-red"];
    ok(command(pontoon()).args(new).current_dir(&folder));
    let project = folder.path().join("my-red");
    let source = project.join("src/lib.rs");
    let sound = std::fs::read_to_string(&source).unwrap();
    let digest = || daemon.cli("--output json driver inspect my-red").out;
    let digest = || serde_json::from_str::<Value>(&digest()).map_or(Value::Null, |details| details["digest"].clone());

    let mut dev = Running::start(&daemon, folder.path(), "driver dev my-red");
    until("the first component", || digest() != Value::Null);
    until("the author's view", || {
        // Before it looks, nothing is recorded.
        drop(daemon.cli("network create -d my-red n"));
        drop(daemon.cli("network rm n"));
        dev.out().contains("create-network") && dev.out().contains("links.add")
    });
    let first = digest();

    let trapping = sound.replacen("_: &NetworkOptions", "options: &NetworkOptions", 1).replacen(
        "let addresses",
        "assert!(!options.internal, \"no way in\");\n        let addresses",
        1,
    );
    assert_ne!(trapping, sound);
    std::fs::write(&source, trapping).unwrap();
    until("the second component", || digest() != first);
    let second = digest();
    std::fs::copy(project.join("my-red.wasm"), folder.path().join("trapping.wasm")).unwrap();
    let refused = daemon.refused(1, "network create --internal -d my-red m");
    assert!(refused.contains("create-network trapped"), "{refused}");
    until("the author's view of the trap", || {
        dev.out().contains("create-network trapped") && dev.out().contains("no way in")
    });

    let calls = folder.path().join("calls");
    daemon.ok(&format!("driver trace my-red --trapped --to {}", calls.display()));
    let [file] = &recordings(&calls)[..] else { panic!("{:?}", recordings(&calls)) };
    assert_eq!(read(file)["component"], second);
    // Nobody's rights are enough, and no daemon is there.
    let program = folder.path().join("pontoon");
    std::fs::copy(pontoon(), &program).unwrap();
    std::fs::set_permissions(&calls, Permissions::from_mode(0o777)).unwrap();
    let coredump = calls.join("core");
    let mut nobody = Command::new(&program);
    nobody.args(["driver", "replay"]).arg(file).arg("--coredump").arg(&coredump).uid(65534).gid(65534);
    let ran = Ran::of(nobody.env_clear().current_dir("/"));
    assert!(
        ran.code == 0 && ran.out.contains("now:      create-network trapped") && ran.out.contains("    at "),
        "{ran:?}"
    );
    assert!(ran.out.contains("the same as recorded"), "{ran:?}");
    assert!(std::fs::read(&coredump).unwrap().starts_with(b"\0asm"));

    // A build that fails leaves the driver that runs.
    std::fs::write(&source, "this is no Rust").unwrap();
    until("the failed build", || dev.err().contains("waiting for a change"));
    assert_eq!(digest(), second);
    std::fs::write(&source, &sound).unwrap();
    until("the third component", || digest() != second);
    let with = |component: &Path| replay(&format!("{} --with {}", file.display(), component.display()));
    let ran = with(&project.join("my-red.wasm"));
    assert!(ran.code == 0 && ran.out.contains("it goes on where the recording ends"), "{ran:?}");
    let ran = with(&folder.path().join("trapping.wasm"));
    let says = "the other component traps as the recorded one did";
    assert!(ran.code == 10 && ran.out.contains("the same as recorded") && ran.err.contains(says), "{ran:?}");
    dev.interrupt();
    daemon.ok("network create --internal -d my-red m");
}
