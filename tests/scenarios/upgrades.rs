//! Versions of a driver come and go while its networks carry packets. One that is not fit changes nothing, and the reason stands in one line.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pontoon_tests::{Daemon, Namespace, Pinging, command, driver, pontoon, until};
use serde_json::Value;

use crate::limits::by_hand;

/// A driver `d` that serves the network `n` with the endpoint `a`.
pub struct Served {
    pub daemon: Daemon,
    a: Namespace,
}

/// All that an upgrade could have changed.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub store: String,
    pub history: Value,
    shown: Value,
    pub components: Vec<String>,
    compiled: Vec<String>,
    host: String,
}

fn served() -> Served {
    served_by("test/probe")
}

pub fn served_by(component: &str) -> Served {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name d", driver(component).display()));
    daemon.ok("network create n -d d --subnet 10.61.0.0/24");
    let a = Namespace::new("a");
    daemon.ok(&attach(&a));
    daemon.host.settled();
    Served { daemon, a }
}

pub fn attach(namespace: &Namespace) -> String {
    format!("endpoint attach n {}", namespace.text())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl Served {
    pub fn seen(&self) -> Seen {
        let mut shown = self.daemon.json("driver inspect d");
        // It counts whatever is called.
        shown.as_object_mut().unwrap().remove("calls");
        Seen {
            store: self.daemon.stored(),
            history: self.daemon.json("driver history d"),
            shown,
            components: names(&self.daemon.file("state/components")),
            compiled: names(&self.daemon.file("state/compiled")),
            host: self.daemon.host.dump(),
        }
    }

    /// A file in the daemon's folder.
    pub fn component(&self, name: &str, bytes: &[u8]) -> String {
        let file = self.daemon.file(name);
        std::fs::write(&file, bytes).unwrap();
        file.display().to_string()
    }

    /// Runs a line that is refused: with this code, in one line that says this, and nothing has changed.
    pub fn refuses(&self, code: i32, line: &str, says: &str) {
        let before = self.seen();
        let ran = self.daemon.cli(line);
        let complaints: Vec<_> = ran.err.lines().filter(|line| line.starts_with("pontoon: ")).collect();
        let [why] = complaints[..] else { panic!("pontoon {line}: {ran:?}") };
        assert!(ran.code == code && why.contains(says), "pontoon {line}: {says:?} is missing in {ran:?}");
        assert_eq!(self.seen(), before, "pontoon {line}");
    }

    /// The driver serves: an endpoint comes and goes.
    pub fn serves(&self) {
        let b = Namespace::new("b");
        self.daemon.ok(&attach(&b));
        self.daemon.ok("endpoint detach n b");
    }
}

/// The same driver with other bytes.
pub fn build(component: &Path, number: u8) -> Vec<u8> {
    let section = [0, 7, 5, b'b', b'u', b'i', b'l', b'd', number];
    [std::fs::read(component).unwrap().as_slice(), &section].concat()
}

/// How each version ended, the oldest first; the last one serves.
pub fn ends(daemon: &Daemon, name: &str) -> Vec<String> {
    let history = daemon.json(&format!("driver history {name}"));
    let how = |version: &Value| version["ended"]["how"].as_str().unwrap_or("serves").to_owned();
    history.as_array().unwrap().iter().rev().map(how).collect()
}

#[test]
fn what_is_no_fit_component_changes_nothing() {
    let served = served();
    let probe = std::fs::read(driver("test/probe")).unwrap();
    let half = probe.len() / 2;
    let damaged = [&probe[..half], &[0xff; 64], &probe[half + 64..]].concat();
    let files: [(&str, Vec<u8>, &str); 8] = [
        ("text", b"hello, this is a driver".to_vec(), "no WebAssembly"),
        ("core", b"\0asm\x01\0\0\0".to_vec(), "core module"),
        ("cut", probe[..half].to_vec(), "damaged or cut off"),
        ("damaged", damaged, "the component is "),
        ("world", b"\0asm\x0d\0\x01\0".to_vec(), "does not export pontoon:driver/driver@"),
        ("wasi", wat::parse_str("(component (import \"wasi:io/poll@0.2.0\" (instance)))").unwrap(), "wasi:io/poll"),
        ("memory", by_hand("(memory 2049)", "(core instance (instantiate $m))"), "memory"),
        ("types", by_hand("(memory 1)", "(core instance (instantiate $m))"), "type"),
    ];
    for (name, bytes, says) in files {
        let file = served.component(&format!("{name}.wasm"), &bytes);
        served.refuses(7, &format!("driver upgrade d {file}"), says);
    }
    served.refuses(7, &format!("driver upgrade d {}", driver("null").display()), "does not export");
    served.refuses(4, &format!("driver upgrade gone {}", driver("null").display()), "there is no driver gone");
    served.refuses(5, &format!("driver load {} --name d", driver("null").display()), "pontoon driver upgrade");
    served.serves();
}

/// The configuration makes the new version do what the old one does not.
#[test]
fn what_registers_or_answers_otherwise_changes_nothing() {
    let served = served();
    let probe = driver("test/probe");
    let fails = "fails its probe, about a on the network n";
    for (code, set, says) in [
        (7, "probe.trap=register", "first call"),
        (7, "probe.spin=register", "first call"),
        (7, "scope=global", "another scope"),
        (7, "network-type=a/b", "network type"),
        (1, "probe.trap=endpoint-oper-info", fails),
        (1, "probe.fail=endpoint-oper-info", fails),
        (9, "probe.spin=endpoint-oper-info", fails),
        (1, "probe.allocate=endpoint-oper-info", fails),
    ] {
        served.refuses(code, &format!("driver upgrade d {} --set {set}", probe.display()), says);
    }
    served.serves();
    // An endpoint that was there goes as it came.
    served.daemon.ok("endpoint detach n a");
    drop(served.a);
}

#[test]
fn what_asks_for_more_than_its_grant_has_changes_nothing() {
    let served = served();
    let manifest = served.component(
        "asks.toml",
        b"name = 'probe'\nversion = '2.0.0'\n[asks]\npermissions = ['links', 'changed-parents']\nparents = ['eth7']\n",
    );
    let asking = served.daemon.file("asking.wasm");
    let mut pack = command(pontoon());
    pack.args(["driver", "pack"]).arg(driver("test/probe")).args(["--manifest", &manifest, "-o"]).arg(&asking);
    assert!(pack.status().unwrap().success());
    let upgrade = format!("driver upgrade d {}", asking.display());
    served.refuses(6, &upgrade, "which lacks permissions: changed-parents, parents: eth7: add that to the grant");
    let less = served.component("less.toml", b"permissions = ['links']");
    served.refuses(6, &format!("{upgrade} --grant {less}"), "lacks");
    served.serves();
}

/// Where the component can't be kept, as on a full disk: a folder has its name.
#[test]
fn what_can_not_be_kept_changes_nothing() {
    let served = served();
    let next = build(&driver("test/probe"), 2);
    let file = served.component("next.wasm", &next);
    let taken = served.daemon.file(&format!("state/components/{}.wasm", words::file::digest(&next)));
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("x"), "").unwrap();
    served.refuses(1, &format!("driver upgrade d {file}"), ".wasm");
    std::fs::remove_dir_all(&taken).unwrap();
    served.daemon.ok(&format!("driver upgrade d {file}"));
    served.serves();
}

#[test]
fn of_upgrades_at_once_each_comes_whole_or_not_at_all() {
    let served = served();
    let files: Vec<_> = (1..=4)
        .map(|number| served.component(&format!("{number}.wasm"), &build(&driver("test/probe"), number)))
        .collect();
    let lines = files.iter().map(|file| format!("driver upgrade d {file}"));
    let running = served.daemon.ask_in_background(lines);
    let won = running.into_iter().filter_map(|mut child| child.wait().ok()).filter(|status| status.success()).count();
    let ends = ends(&served.daemon, "d");
    assert!(won >= 1 && ends.len() == won + 1 && ends[won] == "serves", "{won}: {ends:?}");
    // Of those that were refused, nothing is left.
    assert_eq!(names(&served.daemon.file("state/components")).len(), won + 1);
    served.serves();
}

/// An upgrade waits for its turn on a network; what the operator says meanwhile is not overwritten.
#[test]
fn a_grant_that_is_replaced_in_between_holds() {
    let served = served();
    let busy = Namespace::new("busy");
    let mut slow = served.daemon.ask_in_background([format!("{} -o probe.spin=create-endpoint", attach(&busy))]);
    std::thread::sleep(Duration::from_secs(1));
    let file = served.component("next.wasm", &build(&driver("test/probe"), 2));
    let log = served.daemon.file("upgrade.log");
    let mut upgrade = command(pontoon());
    upgrade.env("PONTOON_SOCKET", served.daemon.socket()).args(["driver", "upgrade", "d", &file]);
    let mut upgrade = upgrade.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    until("the upgrade to wait for its turn", || names(&served.daemon.file("state/components")).len() == 2);
    std::thread::sleep(Duration::from_millis(500));
    let grant = std::fs::read_to_string(driver("test/probe").with_extension("grant.toml")).unwrap();
    let less = served.component("less.toml", grant.replace("    \"forwarding\",\n", "").as_bytes());
    served.daemon.ok(&format!("driver grant d --grant {less}"));
    let before = served.daemon.json("driver inspect d")["grant"].clone();
    assert!(!upgrade.wait().unwrap().success() && !slow[0].wait().unwrap().success());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("was loaded, changed or removed meanwhile") && said.lines().count() == 1, "{said}");
    assert_eq!(served.daemon.json("driver inspect d")["grant"], before);
    assert_eq!(ends(&served.daemon, "d"), ["serves"]);
    served.serves();
}

/// At whichever moment the daemon is killed, one version serves afterwards.
#[test]
fn a_daemon_that_is_killed_has_one_version_afterwards() {
    let mut served = served();
    let builds: Vec<_> = (0..6)
        .map(|number| served.component(&format!("{number}.wasm"), &build(&driver("test/probe"), number)))
        .collect();
    for (number, file) in (0..).zip(&builds) {
        let before = ends(&served.daemon, "d").len();
        let mut upgrade = served.daemon.ask_in_background([format!("driver upgrade d {file}")]);
        std::thread::sleep(Duration::from_millis(20 + 150 * number));
        served.daemon.kill();
        upgrade[0].wait().unwrap();
        served.daemon.run();
        let drivers = served.daemon.json("driver ls");
        assert!(drivers.as_array().unwrap().len() == 1 && drivers[0]["state"] == "ready", "{drivers}");
        let after = ends(&served.daemon, "d");
        assert!(after.len() == before || after.len() == before + 1, "{after:?}");
        assert_eq!(after.iter().filter(|end| *end == "serves").count(), 1, "{after:?}");
        // What a broken-off upgrade had kept is gone.
        assert_eq!(names(&served.daemon.file("state/components")).len(), after.len());
        served.serves();
    }
}

#[test]
fn a_rollback_brings_the_version_before_back() {
    let mut served = served();
    served.refuses(7, "driver rollback d", "no version to go back to");
    let first = served.daemon.json("driver inspect d")["digest"].clone();
    let file = served.component("next.wasm", &build(&driver("test/probe"), 2));
    let state = |served: &Served| {
        let stored = served.daemon.stored();
        stored.lines().filter(|line| !line.starts_with("drivers: ")).map(|line| format!("{line}\n")).collect::<String>()
    };
    let before = state(&served);
    served.daemon.ok(&format!("driver upgrade d {file} --set a=b"));
    assert_ne!(served.daemon.json("driver inspect d")["digest"], first);
    served.daemon.ok("driver rollback d");
    assert_eq!((&served.daemon.json("driver inspect d")["digest"], state(&served)), (&first, before));
    assert!(served.daemon.json("driver inspect d")["configuration"].as_object().unwrap().is_empty());
    served.refuses(7, "driver rollback d", "no version to go back to");
    // One that has changed something goes only if the operator says so, and without its file.
    served.daemon.ok(&format!("driver upgrade d {file}"));
    served.serves();
    served.refuses(6, "driver rollback d", "--keep-state");
    std::fs::remove_file(&file).unwrap();
    served.daemon.restart();
    served.refuses(6, "driver rollback d", "--keep-state");
    served.daemon.ok("driver rollback d --keep-state");
    assert_eq!(served.daemon.json("driver inspect d")["digest"], first);
    served.serves();
    let ended =
        ["replaced by version 2", "rolled back to version 1", "replaced by version 4", "rolled back to version 3"];
    assert_eq!(ends(&served.daemon, "d"), [&ended[..], &["serves"]].concat());
    let versions = served.daemon.json("driver history d");
    assert_eq!((&versions[1]["by"], &versions[1]["from"]), (&Value::from(0), &Value::from(file)));
    assert_eq!((versions[1]["digest"] == first, &versions[3]["configuration"]["a"]), (false, &Value::from("b")));
    let table = served.daemon.ok("driver history d");
    assert!(table.lines().count() == 6 && table.contains("user 0") && table.contains("version 3"), "{table}");
}

/// There is nothing to compare with, and nothing to go back to.
#[test]
fn a_driver_that_could_not_be_loaded_is_mended() {
    let mut served = served();
    let [file] = &names(&served.daemon.file("state/components"))[..] else { panic!("one component") };
    served.daemon.stop();
    std::fs::write(served.daemon.file("state/components").join(file), "damaged").unwrap();
    served.daemon.run();
    served.daemon.refused(7, "driver rollback d");
    let next = served.component("next.wasm", &build(&driver("test/probe"), 2));
    served.daemon.ok(&format!("driver upgrade d {next}"));
    served.refuses(1, "driver rollback d", "the component was changed");
    served.serves();
}

/// What the operator has taken away since does not come back with an earlier version.
#[test]
fn a_rollback_keeps_a_grant_that_was_given_since() {
    let served = served();
    let file = served.component("next.wasm", &build(&driver("test/probe"), 2));
    let grant = std::fs::read_to_string(driver("test/probe").with_extension("grant.toml")).unwrap();
    let less = served.component("less.toml", grant.replace("    \"forwarding\",\n", "").as_bytes());
    let may = || served.daemon.json("driver inspect d")["grant"].clone();
    let first = may();
    served.daemon.ok(&format!("driver upgrade d {file} --grant {less}"));
    assert_ne!(may(), first);
    served.daemon.ok("driver rollback d");
    assert_eq!(may(), first, "its own");
    served.daemon.ok(&format!("driver upgrade d {file}"));
    served.daemon.ok(&format!("driver grant d --grant {less}"));
    let given = may();
    served.daemon.ok("driver rollback d");
    assert_eq!(may(), given, "the operator's last word");
}

#[test]
fn a_version_whose_first_calls_trap_is_rolled_back_by_itself() {
    let served = served();
    let (first, b) = (served.seen(), Namespace::new("b"));
    let next = served.component("next.wasm", &build(&driver("test/probe"), 2));
    served.daemon.ok(&format!("driver upgrade d {next} --set probe.trap=create-endpoint"));
    let state = |seen: &str| seen.lines().filter(|l| l.starts_with("state: ")).map(str::to_owned).collect::<Vec<_>>();
    for _ in 0..3 {
        assert_ne!(served.daemon.json("driver inspect d")["digest"], first.shown["digest"]);
        let refused = served.daemon.cli(&attach(&b));
        assert!(refused.code != 0 && refused.err.contains("create-endpoint"), "{refused:?}");
    }
    let now = served.seen();
    assert_eq!((&now.shown["digest"], &now.shown["grant"]), (&first.shown["digest"], &first.shown["grant"]));
    assert_eq!((state(&now.store), now.host), (state(&first.store), first.host));
    let ends = ends(&served.daemon, "d");
    assert!(
        ends[1].starts_with("rolled back by itself: 3 of its first ") && ends[1].contains("create-endpoint"),
        "{ends:?}"
    );
    assert!(ends.len() == 3 && now.history[0]["by"].is_null(), "{}", now.history);
    served.serves();
    // One that has changed something stays, and its function is put aside as ever.
    served.daemon.ok(&format!("driver upgrade d {next} --set probe.trap=leave"));
    served.daemon.ok(&attach(&b));
    for _ in 0..4 {
        served.daemon.cli("endpoint detach n b");
    }
    assert_ne!(served.daemon.json("driver inspect d")["digest"], first.shown["digest"]);
}

/// Of many versions the oldest are forgotten, with their components.
#[test]
fn so_many_versions_are_kept() {
    let daemon = Daemon::start();
    let null = driver("null");
    daemon.ok(&format!("driver load {} --grant-asked", null.display()));
    for number in 0..10 {
        let file = daemon.file("null.wasm");
        std::fs::write(&file, build(&null, number)).unwrap();
        daemon.ok(&format!("driver upgrade null {}", file.display()));
    }
    let history = daemon.json("driver history null");
    let numbers: Vec<_> =
        history.as_array().unwrap().iter().map(|version| version["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (3..=11).rev().collect::<Vec<_>>());
    assert_eq!(names(&daemon.file("state/components")).len(), 9);
    assert_eq!(names(&daemon.file("state/compiled")).len(), 9);
    // Each rollback is a version, too, and takes the place of one that no rollback leads to.
    (0..8).for_each(|_| drop(daemon.ok("driver rollback null")));
    let gone = daemon.refused(4, "driver rollback null");
    assert!(gone.contains("version 2 is not kept any more"), "{gone}");
    assert_eq!(daemon.json("driver history null").as_array().unwrap().len(), 9);
    daemon.ok("driver rm null");
    assert_eq!(names(&daemon.file("state/components")).len() + names(&daemon.file("state/compiled")).len(), 0);
}

/// A rollback to what is kept goes on; its code is made again.
#[test]
fn earlier_versions_are_forgotten() {
    let daemon = Daemon::start();
    let null = driver("null");
    daemon.ok(&format!("driver load {} --grant-asked", null.display()));
    for number in 0..4 {
        let file = daemon.file("null.wasm");
        std::fs::write(&file, build(&null, number)).unwrap();
        daemon.ok(&format!("driver upgrade null {}", file.display()));
    }
    let files = || (names(&daemon.file("state/components")).len(), names(&daemon.file("state/compiled")).len());
    assert_eq!(files(), (5, 5));
    let forgot = daemon.json("driver gc null --keep 2");
    assert_eq!((forgot[0]["versions"].clone(), files()), (2.into(), (3, 1)));
    assert!(forgot[0]["bytes"].as_u64().unwrap() > 1000, "{forgot}");
    let again = daemon.json("driver gc");
    assert_eq!((again[0]["versions"].clone(), again[0]["bytes"].clone()), (0.into(), 0.into()));
    daemon.ok("driver rollback null");
    daemon.ok("driver rollback null");
    assert!(daemon.refused(4, "driver rollback null").contains("not kept any more"));
    assert!(daemon.ok("driver gc --keep 0").contains("null"));
    assert_eq!((files(), ends(&daemon, "null")), ((1, 1), vec!["serves".to_owned()]));
    daemon.refused(4, "driver gc gone");
}

/// Back and forth under a steady load: no request fails, and no ping between attached namespaces is lost.
#[test]
fn back_and_forth_under_load_no_request_fails() {
    const UPGRADES: u8 = 20;
    let daemon = Daemon::start();
    let bridge = driver("bridge");
    daemon.load("bridge");
    let files = [1, 2].map(|number| {
        let file = daemon.file(&format!("{number}.wasm"));
        std::fs::write(&file, build(&bridge, number)).unwrap();
        file.display().to_string()
    });
    ["n", "m"].iter().for_each(|network| drop(daemon.ok(&format!("network create {network}"))));
    let [a, b] = ["a", "b"].map(Namespace::new);
    let address = [&a, &b].map(|namespace| {
        let attached = daemon.json(&attach(namespace));
        attached["address"].as_str().unwrap().split('/').next().unwrap().to_owned()
    });
    assert!(a.pings(&address[1]));
    let (pinging, before) = (Pinging::start(&a, &address[1]), daemon.objects().len());
    let (done, lives) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for (client, network) in ["n", "n", "m"].iter().enumerate() {
            let (daemon, done, lives) = (&daemon, &done, &lives);
            scope.spawn(move || {
                let namespace = Namespace::new(&format!("c{client}"));
                let body = format!("{{\"namespace\": \"{}\"}}", namespace.text());
                while !done.load(Ordering::Relaxed) {
                    daemon.ask(&format!("POST /networks/{network}/endpoints"), &body);
                    daemon.ask(&format!("DELETE /networks/{network}/endpoints/c{client}"), "");
                    lives.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let end = StopAtEnd(&done);
        for number in 0..UPGRADES {
            let began = lives.load(Ordering::Relaxed);
            daemon.ok(&format!("driver upgrade bridge {}", files[usize::from(number % 2)]));
            until("some lives with this version", || lives.load(Ordering::Relaxed) > began + 3);
        }
        drop(end);
    });
    let (sent, came) = pinging.stop();
    println!("{} lives, {came} of {sent} pings", lives.load(Ordering::Relaxed));
    // The last one may be on its way.
    assert!(came + 1 >= sent && sent > 100, "{came} of {sent} pings came back");
    assert_eq!(daemon.objects().len(), before);
    assert_eq!(daemon.json("endpoint ls").as_array().unwrap().len(), 2);
    let history = daemon.json("driver history bridge");
    assert_eq!(history[0]["number"], u64::from(UPGRADES) + 1);
    assert!(
        history
            .as_array()
            .unwrap()
            .iter()
            .skip(1)
            .all(|version| version["ended"]["how"].as_str().unwrap().starts_with("replaced by"))
    );
}

/// Ends what runs beside, also where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
