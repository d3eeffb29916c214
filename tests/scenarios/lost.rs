//! The state folder is not what it was: an older copy, nothing at all, a full disk. No container is cut off, and one line says what to do.

use std::path::Path;
use std::process::Command;

use pontoon_tests::{Daemon, Namespace, until};

/// A daemon with two networks, each with a container: the second is newer than the copy of the store.
struct Scene {
    daemon: Daemon,
    older: Namespace,
    newer: Namespace,
}

impl Scene {
    fn new() -> Self {
        let mut daemon = Daemon::start();
        let [older, newer] = ["older", "newer"].map(Namespace::new);
        daemon.load("bridge");
        daemon.ok("network create older --subnet 10.91.0.0/24");
        daemon.ok(&format!("endpoint attach older {}", older.text()));
        daemon.stop();
        copy(&daemon.file("state"), &daemon.file("copy"));
        daemon.run();
        daemon.ok("network create newer --subnet 10.92.0.0/24");
        daemon.ok(&format!("endpoint attach newer {}", newer.text()));
        let scene = Self { daemon, older, newer };
        scene.both_work();
        scene
    }

    fn both_work(&self) {
        assert!(self.older.pings("10.91.0.1") && self.newer.pings("10.92.0.1"), "a container is cut off");
    }

    /// Ends the daemon by a kill, and starts it on another state folder.
    fn restart_on(&mut self, state: Option<&str>) {
        self.daemon.kill();
        std::fs::remove_dir_all(self.daemon.file("state")).unwrap();
        if let Some(state) = state {
            copy(&self.daemon.file(state), &self.daemon.file("state"));
        }
        self.daemon.run();
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn an_older_copy_of_the_store_cuts_no_container_off() {
    let mut scene = Scene::new();
    scene.restart_on(Some("copy"));
    scene.both_work();
    let networks = scene.daemon.json("network ls");
    assert_eq!(networks.as_array().unwrap().len(), 1, "{networks:#}");
    let findings = scene.daemon.json("doctor");
    assert!(findings.to_string().contains("gc --orphans"), "{findings:#}");
    // Nor does what it does from now on, or another start.
    scene.daemon.ok("network create third --subnet 10.93.0.0/24");
    scene.daemon.ok("gc");
    scene.daemon.restart();
    scene.both_work();
    // Until somebody says so.
    let collected = scene.daemon.ok("gc --orphans");
    assert!(collected.contains("link "), "{collected}");
    until("the newer network to go", || !scene.newer.pings("10.92.0.1"));
    assert!(scene.older.pings("10.91.0.1"));
}

#[test]
fn the_newest_store_comes_back() {
    let mut scene = Scene::new();
    scene.daemon.stop();
    copy(&scene.daemon.file("state"), &scene.daemon.file("newest"));
    scene.daemon.run();
    scene.restart_on(None);
    scene.both_work();
    assert_eq!(scene.daemon.json("network ls").as_array().unwrap().len(), 0);
    scene.restart_on(Some("newest"));
    scene.both_work();
    assert_eq!(scene.daemon.json("network ls").as_array().unwrap().len(), 2);
}

/// A small file system that goes with the test.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn new(at: &'a Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).status();
        assert!(mount.unwrap().success());
        Self(at)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_start_on_a_full_disk_adds_nothing() {
    let mut daemon = Daemon::stopped();
    let state = daemon.file("state");
    let disk = Disk::new(&state);
    daemon.run();
    daemon.stop();
    // As much as fits.
    let _ = std::fs::write(state.join("fill"), vec![0; 4 << 20]);
    // What is there already it can read: only what adds to it is refused.
    daemon.run();
    let load = format!("driver load {}", pontoon_tests::driver("bridge").display());
    let ran = daemon.cli(&load);
    let names_the_disk = ran.err.contains("room left on its disk") || ran.err.contains("No space left on device");
    assert!(ran.code != 0 && names_the_disk, "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert_eq!(daemon.json("driver ls"), serde_json::json!([]));
    daemon.stop();
    std::fs::remove_file(state.join("fill")).unwrap();
    daemon.run();
    daemon.stop();
    drop(disk);
}
