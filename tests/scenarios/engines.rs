//! The processes in which drivers' code runs: /proc tells of them while a call runs, and when they go.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use pontoon_tests::{Daemon, Process, Role, at_once, driver, until};
use words::limit::{DRIVER_CALLS, ENGINES, INSTANCES, MEMORY};

use crate::confine::is_confined;

/// The users of engine processes.
const USERS: std::ops::Range<u32> = 0x7000_0000..0x8000_0000;

/// A file of /proc.
fn read(process: Process, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/{file}", process.number)).unwrap()
}

/// What its open files are.
fn open(process: Process) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.number)).into_iter().flatten().flatten();
    let mut open: Vec<_> =
        files.filter_map(|file| Some(std::fs::read_link(file.path()).ok()?.display().to_string())).collect();
    open.sort();
    open
}

/// Its mappings with these rights that are of no file and not the kernel's.
fn anonymous(process: Process, rights: &str) -> Vec<String> {
    let maps = read(process, "maps");
    let is_it = |line: &&str| {
        let mut fields = line.split_whitespace();
        let granted = fields.nth(1).unwrap();
        let path = fields.nth(3).unwrap_or_default();
        let known = path.starts_with('/') && !path.starts_with("/memfd:") || ["[vdso]", "[vsyscall]"].contains(&path);
        rights.chars().all(|right| granted.contains(right)) && !known
    };
    maps.lines().filter(is_it).map(str::to_owned).collect()
}

/// Processor time that it has had.
fn ticks(process: Process) -> u64 {
    let stat = read(process, "stat");
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn namespaces(process: Process) -> [PathBuf; 4] {
    ["net", "mnt", "ipc", "uts"].map(|kind| std::fs::read_link(format!("/proc/{}/ns/{kind}", process.number)).unwrap())
}

fn one(daemon: &Daemon, role: Role) -> Process {
    let [process] = daemon.those(role)[..] else { panic!("one {role:?}: {:?}", daemon.processes()) };
    process
}

/// Two drivers whose calls run, and their processes.
fn two_that_spin() -> (Daemon, [Process; 2]) {
    let daemon = Daemon::start();
    daemon.load("test/hostile");
    daemon.load("test/probe");
    let spinning = [
        "network create h -d hostile -o attack=spin".to_owned(),
        "network create p -d probe -o probe.links=no -o probe.spin=create-network".to_owned(),
    ];
    daemon.ask_in_background(spinning);
    let [one, other] = daemon.those(Role::Engine)[..] else { panic!("two: {:?}", daemon.processes()) };
    let engines = [one, other];
    for engine in engines {
        let before = ticks(engine);
        until("its call to run", || ticks(engine) > before + 10);
    }
    (daemon, engines)
}

#[test]
fn while_a_call_runs() {
    let (daemon, engines) = two_that_spin();
    let [serving, keyholder, launcher] = [Role::Daemon, Role::Keyholder, Role::Launcher].map(|role| one(&daemon, role));
    for process in [serving, keyholder, launcher] {
        assert_eq!(anonymous(process, "x"), [""; 0], "code that came from no file, in {process:?}");
    }
    for engine in engines {
        assert!(!anonymous(engine, "x").is_empty(), "its driver's code is in {engine:?}");
        assert_eq!(anonymous(engine, "wx"), [""; 0], "what it can write it can't run");
        is_confined(engine.number, 0);
        is_nobody_else(engine);
        has_limits(engine);
        sees_nothing(engine, serving);
        has_no_way_out(&daemon, engine, serving);
    }
    let users = engines.map(|engine| engine.status()["Uid"].clone());
    assert_ne!(users[0], users[1], "they can't signal or trace each other");
    sees_nothing(launcher, serving);
    assert_ne!(namespaces(serving)[0], namespaces(launcher)[0]);
    assert_eq!(namespaces(engines[0]), namespaces(launcher));
}

/// A user and a group of its own, no other groups; root alone may look into it.
fn is_nobody_else(engine: Process) {
    let status = engine.status();
    for ids in ["Uid", "Gid"] {
        let ids: Vec<u32> = status[ids].split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert!(ids.len() == 4 && ids.iter().all(|id| *id == ids[0] && USERS.contains(id)), "{ids:?}");
    }
    assert_eq!(status["Groups"], "");
    // Those of a process that can be traced are its user's.
    assert_eq!(std::fs::metadata(format!("/proc/{}/maps", engine.number)).unwrap().uid(), 0, "it is dumpable");
}

fn has_limits(engine: Process) {
    let text = read(engine, "limits");
    let limits: BTreeMap<_, _> = text
        .lines()
        .map(|line| {
            let (name, values) = line.split_at(26);
            (name.trim_end(), values.split_whitespace().take(2).collect::<Vec<_>>())
        })
        .collect();
    let files = DRIVER_CALLS as usize + 16 + INSTANCES;
    let data = DRIVER_CALLS as usize * MEMORY + (1 << 30);
    for (name, limit) in [
        ("Max data size", data),
        ("Max file size", MEMORY),
        ("Max processes", DRIVER_CALLS as usize + 2),
        ("Max open files", files),
        ("Max core file size", 0),
        ("Max locked memory", 0),
        ("Max msgqueue size", 0),
    ] {
        assert_eq!(limits[name], [limit.to_string(), limit.to_string()], "{name}");
    }
}

/// No namespace of the daemon's, and a root in which there is nothing.
fn sees_nothing(process: Process, serving: Process) {
    let (own, theirs) = (namespaces(process), namespaces(serving));
    assert!(own.iter().zip(&theirs).all(|(own, theirs)| own != theirs), "{own:?} {theirs:?}");
    for folder in ["root", "cwd"] {
        let seen = std::fs::read_dir(format!("/proc/{}/{folder}", process.number)).unwrap();
        assert_eq!(seen.count(), 0, "{folder}");
    }
}

/// Its open files are nothing, its lines to the daemon, and files in memory: of code, and of memories' first contents.
fn has_no_way_out(daemon: &Daemon, engine: Process, serving: Process) {
    let files = open(engine);
    let (sockets, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.starts_with("socket:"));
    let (memory, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|file| file.starts_with("/memfd:"));
    assert_eq!(others, ["/dev/null"; 3], "{files:?}");
    assert_eq!(sockets.len(), DRIVER_CALLS as usize, "{files:?}");
    assert!(memory.len() <= 1 + INSTANCES, "{files:?}");
    // Each has its other end in the daemon, and no third process has one of the two.
    let number = |socket: &str| socket.trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
    let table = daemon.host.run("ss -x -a -n -H");
    let ends: BTreeMap<_, _> = table
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            (fields[5].to_owned(), fields[7].to_owned())
        })
        .collect();
    let other_ends: BTreeSet<_> = sockets.iter().map(|socket| ends[&number(socket)].clone()).collect();
    let of_the_daemon: BTreeSet<_> = open(serving).iter().map(|file| number(file)).collect();
    assert!(other_ends.is_subset(&of_the_daemon), "{other_ends:?} {of_the_daemon:?}");
    let is_third = |process: &Process| ![engine, serving].contains(process);
    for third in daemon.processes().into_iter().filter(is_third) {
        let shared =
            open(third).into_iter().any(|file| sockets.contains(&&file) || other_ends.contains(&number(&file)));
        assert!(!shared, "{third:?} has {:?}", open(third));
    }
}

#[test]
fn one_that_nobody_calls_any_more_goes() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.load("test/probe");
    let [first, second] = daemon.those(Role::Engine)[..] else { panic!("{:?}", daemon.processes()) };
    daemon.ok(&format!("driver upgrade bridge {}", driver("bridge").display()));
    until("the replaced driver's process to end", || !first.is_there() || !second.is_there());
    daemon.ok("network create n -d bridge");
    let engines = daemon.those(Role::Engine);
    assert_eq!(engines.len(), 2, "{engines:?}");
    daemon.ok("driver rm probe");
    until("the removed driver's process to end", || daemon.those(Role::Engine).len() == 1);
    until("both to end", || !first.is_there() && !second.is_there());
    daemon.ok("network rm n");
    daemon.ok("driver rm bridge");
    until("the last one to end", || daemon.those(Role::Engine).is_empty());
}

#[test]
fn a_call_sees_nothing_that_another_one_left() {
    let daemon = Daemon::start();
    daemon.load("test/probe");
    let engine = one(&daemon, Role::Engine);
    let create = |number| format!("network create n{number} -d probe -o probe.links=no -o probe.do=memory");
    (0..20).for_each(|number| drop(daemon.ok(&create(number))));
    // Of those at the same time each has a memory of its own; the next ones have these again.
    for from in [20, 20 + DRIVER_CALLS] {
        let all = daemon.ask_in_background((from..from + DRIVER_CALLS).map(create));
        all.into_iter().for_each(|mut one| assert!(one.wait().unwrap().success()));
    }
    assert_eq!(one(&daemon, Role::Engine), engine, "it was the same process all the time");
}

#[test]
fn there_are_not_more_than_so_many() {
    let daemon = Daemon::start();
    at_once(4, 0..ENGINES + 12, |number| {
        daemon.ok(&format!("driver load {} --name d{number}", driver("null").display()));
        assert!(daemon.those(Role::Engine).len() <= ENGINES);
    });
    assert!(daemon.those(Role::Engine).len() > ENGINES / 2, "{:?}", daemon.processes());
    // Whose process went gets another one.
    for number in [0, 1, ENGINES + 2] {
        daemon.ok(&format!("network create n{number} -d d{number}"));
    }
    assert!(daemon.those(Role::Engine).len() <= ENGINES);
}
