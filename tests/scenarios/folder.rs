//! The drivers folder while the daemon runs: what comes, changes and goes there.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use pontoon_tests::{Daemon, Namespace, driver, until};
use serde_json::Value;

use crate::upgrades::{attach, build, ends};

/// A daemon whose folder has the probe as `d`, which serves the network `n`.
struct Watched {
    daemon: Daemon,
    folder: PathBuf,
}

fn watched() -> Watched {
    let mut daemon = Daemon::stopped();
    let folder = daemon.file("drivers");
    fs::create_dir(&folder).unwrap();
    let probe = driver("test/probe");
    fs::copy(&probe, folder.join("d.wasm")).unwrap();
    fs::copy(probe.with_extension("grant.toml"), folder.join("d.grant.toml")).unwrap();
    run(&mut daemon);
    daemon.ok("network create n -d d --subnet 10.62.0.0/24");
    Watched { daemon, folder }
}

/// Starts the daemon with its log in a file.
fn run(daemon: &mut Daemon) {
    let mut serve = daemon.serve();
    let log = File::options().create(true).append(true).open(daemon.file("log")).unwrap();
    serve.stderr(log);
    daemon.run_as(serve);
}

impl Watched {
    /// Lines of the log that say this.
    fn said(&self, what: &str) -> usize {
        let log = fs::read_to_string(self.daemon.file("log")).unwrap();
        log.lines().filter(|line| line.contains(what)).count()
    }

    /// Puts bytes there in one step.
    fn put(&self, name: &str, bytes: &[u8]) {
        let beside = self.daemon.file("beside");
        fs::write(&beside, bytes).unwrap();
        fs::rename(&beside, self.folder.join(name)).unwrap();
    }

    fn shown(&self, name: &str) -> Value {
        let drivers = self.daemon.json("driver ls");
        drivers.as_array().unwrap().iter().find(|driver| driver["name"] == name).cloned().unwrap_or_default()
    }

    /// Waits until a driver has this component.
    fn has(&self, name: &str, component: &[u8]) {
        let digest = words::file::digest(component);
        until(&format!("{name} with another component"), || self.shown(name)["digest"] == digest.as_str());
    }

    fn serves(&self) {
        let namespace = Namespace::new("b");
        self.daemon.ok(&attach(&namespace));
        self.daemon.ok("endpoint detach n b");
    }
}

#[test]
fn what_is_put_there_is_loaded_and_takes_its_place() {
    let watched = watched();
    let next = build(&driver("test/probe"), 2);
    watched.put("d.wasm", &next);
    watched.has("d", &next);
    assert_eq!(ends(&watched.daemon, "d"), ["replaced by version 2", "serves"]);
    let history = watched.daemon.json("driver history d");
    assert_eq!(history[0]["from"], watched.folder.join("d.wasm").display().to_string());
    assert!(history[0]["by"].is_null());
    watched.serves();
    // A new one, its grant before it; and a grant alone.
    let null = fs::read(driver("null")).unwrap();
    let grant = fs::read_to_string(driver("null").with_extension("grant.toml")).unwrap();
    watched.put("other.grant.toml", grant.as_bytes());
    watched.put("other.wasm", &null);
    watched.has("other", &null);
    until("its plugin socket", || watched.daemon.file("plugins/other.sock").exists());
    watched.put("other.grant.toml", b"permissions = ['store']\nlimits = { store-bytes = 5000 }\n");
    let limit = || watched.daemon.json("driver inspect other")["grant"]["limits"]["store-bytes"].clone();
    until("its other grant", || limit() == 5000);
    // What served before serves again, if somebody puts it there.
    let first = fs::read(driver("test/probe")).unwrap();
    watched.put("d.wasm", &first);
    watched.has("d", &first);
    assert_eq!((ends(&watched.daemon, "d").len(), watched.said("ERROR")), (3, 0));
}

/// The daemon makes the folder, so that it can watch it and may read it.
#[test]
fn a_folder_that_was_not_there_is_watched() {
    let daemon = Daemon::start();
    let (folder, null) = (daemon.file("drivers"), fs::read(driver("null")).unwrap());
    fs::create_dir_all(&folder).unwrap();
    fs::copy(driver("null").with_extension("grant.toml"), folder.join("a.grant.toml")).unwrap();
    fs::write(folder.join("a.wasm"), &null).unwrap();
    let watched = Watched { daemon, folder };
    watched.has("a", &null);
}

#[test]
fn what_is_written_slowly_is_taken_when_it_is_whole() {
    let watched = watched();
    let before = watched.shown("d");
    let next = build(&driver("test/probe"), 2);
    let mut file = File::create(watched.folder.join("d.wasm")).unwrap();
    for part in next.chunks(next.len() / 3 + 1) {
        file.write_all(part).unwrap();
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(watched.shown("d"), before);
    }
    drop(file);
    watched.has("d", &next);
    assert_eq!(watched.said("ERROR"), 0);
    watched.serves();
}

#[test]
fn what_is_not_fit_is_told_once_and_shown() {
    let watched = watched();
    let (before, first) = (ends(&watched.daemon, "d"), watched.shown("d")["digest"].clone());
    watched.put("d.wasm", b"hello");
    until("the refusal", || !watched.shown("d")["not_loaded"].is_null());
    let shown = watched.shown("d");
    let why = shown["not_loaded"].as_str().unwrap();
    assert!(why.contains("d.wasm is not loaded: ") && why.contains("no WebAssembly"), "{why}");
    assert!(watched.daemon.ok("driver ls").contains("ready; "));
    let out = watched.daemon.cli("--output json doctor").out;
    assert!(out.contains("is not loaded"), "{out}");
    assert_eq!((shown["digest"].clone(), ends(&watched.daemon, "d"), watched.said("ERROR")), (first, before, 1));
    // A grant that can't be read, and a name that is none.
    watched.put("d.grant.toml", b"permissions = [");
    until("the second refusal", || watched.said("ERROR") == 2);
    watched.put("a b.wasm", b"x");
    until("the third refusal", || watched.said("ERROR") == 3);
    watched.serves();
    let next = build(&driver("test/probe"), 2);
    fs::remove_file(watched.folder.join("d.grant.toml")).unwrap();
    watched.put("d.wasm", &next);
    watched.has("d", &next);
    until("the end of the complaint", || watched.shown("d")["not_loaded"].is_null());
    watched.serves();
}

#[test]
fn a_driver_outlives_its_file() {
    let mut watched = watched();
    let (at, component) = (|name: &str| watched.folder.join(name), fs::read(driver("test/probe")).unwrap());
    fs::rename(at("d.grant.toml"), at("e.grant.toml")).unwrap();
    fs::rename(at("d.wasm"), at("e.wasm")).unwrap();
    watched.has("e", &component);
    assert_eq!(watched.shown("d")["state"], "ready");
    watched.serves();
    fs::remove_file(at("e.wasm")).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    watched.daemon.stop();
    run(&mut watched.daemon);
    let names: Vec<_> =
        watched.daemon.json("driver ls").as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
    assert_eq!((names, watched.said("ERROR")), (vec!["d".into(), "e".into()], 0));
    watched.serves();
}

/// The operator has upgraded by hand: what the folder has is an earlier version.
#[test]
fn a_start_leaves_a_newer_version_alone() {
    let mut watched = watched();
    let next = watched.daemon.file("next.wasm");
    fs::write(&next, build(&driver("test/probe"), 2)).unwrap();
    watched.daemon.ok(&format!("driver upgrade d {}", next.display()));
    let before = watched.daemon.json("driver history d");
    watched.daemon.stop();
    run(&mut watched.daemon);
    assert_eq!((watched.daemon.json("driver history d"), watched.said("ERROR")), (before, 0));
    // One that came while nobody looked takes its place at the start.
    watched.daemon.stop();
    let third = build(&driver("test/probe"), 3);
    watched.put("d.wasm", &third);
    run(&mut watched.daemon);
    watched.has("d", &third);
    assert_eq!((ends(&watched.daemon, "d").len(), watched.said("ERROR")), (3, 0));
    watched.serves();
}
