//! What was compiled once is loaded from the cache: a start with ten drivers compiles nothing, and what was changed on the disk does not run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Instant;

use engine::Engine;
use pontoon::driver::cache::Cache;
use pontoon::driver::compile::Compiler;
use pontoon_tests::{Daemon, Process, Role, Timings, bridge_code, children, driver, until};

use crate::upgrades::build;

/// The drivers, all of them distinct.
const TEN: u8 = 10;

/// How often code is loaded from the cache, for a median.
const LOADS: usize = 5;

/// Bytes of the line at the end of a file of compiled code, `compiled COMPATIBILITY COMPONENT CODE`.
const SEAL: usize = 9 + 16 + 1 + 64 + 1 + 64;

/// Starts a daemon with its log in a file.
fn run(daemon: &mut Daemon) {
    let mut serve = daemon.serve();
    serve.stderr(File::options().create(true).append(true).open(daemon.file("log")).unwrap());
    daemon.run_as(serve);
}

/// Loads a component of these bytes as `dNUMBER`. Answers its digest.
fn load(daemon: &Daemon, number: u8, component: &[u8]) -> String {
    let file = daemon.file("component.wasm");
    fs::write(&file, component).unwrap();
    daemon.ok(&format!("driver load {} --name d{number} --grant-asked", file.display()));
    words::file::digest(component)
}

/// The files of compiled code, each with its inode: what is compiled again is another file.
fn compiled(daemon: &Daemon) -> BTreeMap<String, u64> {
    let files = fs::read_dir(daemon.file("state/compiled")).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().ino())).collect()
}

/// Whether the process that starts those that compile and those that run code has ever started one: the kernel counts the faults of those that
/// have ended (proc_pid_stat(5): cminflt).
fn has_started_some(launcher: Process) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", launcher.number)).unwrap();
    let faults = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(8).unwrap();
    faults != "0" || !children(launcher.number).is_empty()
}

fn one(daemon: &Daemon, role: Role) -> Process {
    let [process] = daemon.those(role)[..] else { panic!("one {role:?}: {:?}", daemon.processes()) };
    process
}

/// The code that an engine process can run and that is no program's: what is in its memory, without the zeros that fill the last page.
fn mapped(engine: Process) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", engine.number)).unwrap();
    let memory = File::open(format!("/proc/{}/mem", engine.number)).unwrap();
    let code = maps.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_code = fields[1].contains('x') && fields.get(5).is_none();
        let (from, to) = fields[0].split_once('-').filter(|_| is_code)?;
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.read_exact_at(&mut bytes, from).unwrap();
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(length);
        Some(bytes)
    });
    code.max_by_key(Vec::len).unwrap()
}

/// Milliseconds for reading, hashing and making ready what a daemon's cache has of a component.
fn from_cache(daemon: &Daemon, digest: &str) -> f64 {
    let cache = Cache::new(daemon.file("state/compiled"), Compiler::Program("/nonexistent".into())).unwrap();
    let (engine, mut timings) = (Engine::new().unwrap(), Timings::new());
    for _ in 0..LOADS {
        timings.time("load", || bridge_code(&engine, &cache.cached(digest).unwrap()));
    }
    timings.median("load")
}

/// Nine builds of the bridge, and the one in Python, which is the largest driver by far.
#[test]
fn a_start_with_ten_known_drivers_compiles_nothing() {
    let mut daemon = Daemon::stopped();
    run(&mut daemon);
    let python = fs::read(driver("bridge-python"));
    let of = |number: u8| match &python {
        Ok(python) if number == 0 => python.clone(),
        _ => build(&driver("bridge"), number),
    };
    let mut rows = Vec::new();
    for number in 0..TEN {
        let (component, begin) = (of(number), Instant::now());
        let digest = load(&daemon, number, &component);
        rows.push((component.len() as f64 / 1e3, begin.elapsed().as_secs_f64() * 1e3, digest));
    }
    assert!(has_started_some(one(&daemon, Role::Launcher)), "this test does not see what is started");
    let before = compiled(&daemon);
    assert_eq!(before.len(), usize::from(TEN));
    daemon.stop();
    let start = daemon.run_timed().as_secs_f64() * 1e3;
    let shown = daemon.json("driver ls");
    let ready = shown.as_array().unwrap().iter().filter(|driver| driver["state"] == "ready").count();
    assert_eq!(ready, usize::from(TEN), "{shown}");
    assert!(!has_started_some(one(&daemon, Role::Launcher)), "a process was started that compiles, or runs code");
    println!("{:>24} {:>10} {:>22} {:>16}", "component", "kB", "loaded, compiled, ms", "from cache, ms");
    for (name, (size, load, digest)) in [("bridge-python", &rows[0]), ("bridge", &rows[1])] {
        match (name, &python) {
            ("bridge-python", Err(_)) => println!("{name:>24} is not built here"),
            _ => println!("{name:>24} {size:10.0} {load:22.1} {:16.2}", from_cache(&daemon, digest)),
        }
    }
    println!("a start with {TEN} drivers: {start:.1} ms");
    // The first call of each loads what there is.
    ["d0", "d1"].iter().for_each(|name| drop(daemon.ok(&format!("network create {name} -d {name}"))));
    assert_eq!(compiled(&daemon), before);
}

/// A flipped byte of compiled code would load and run.
#[test]
fn what_runs_is_what_was_hashed() {
    let mut daemon = Daemon::stopped();
    run(&mut daemon);
    let digests = [1, 2].map(|number| load(&daemon, number, &build(&driver("bridge"), number)));
    let files = digests.map(|digest| daemon.file(&format!("state/compiled/{digest}.cwasm")));
    daemon.stop();
    run(&mut daemon);
    daemon.ok("network create n -d d1");
    let whole = fs::read(&files[0]).unwrap();
    let (code, seal) = whole.split_at(whole.len() - SEAL);
    assert!(seal.ends_with(words::file::digest(code).as_bytes()), "the hash at the end is of all before it");
    let mapped = mapped(one(&daemon, Role::Engine));
    assert!(mapped.len() > 100_000 && code.windows(64).any(|some| some == &mapped[..64]));
    let place = code.windows(64).position(|some| some == &mapped[..64]).unwrap();
    assert!(code[place..].starts_with(&mapped), "what the engine has mapped is another code");
    // Changed while the daemon runs, and while it does not.
    let other = fs::read(&files[1]).unwrap();
    let flip = |file: &std::path::Path| {
        let mut bytes = fs::read(file).unwrap();
        bytes[place + mapped.len() / 2] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    flip(&files[1]);
    daemon.ok("network create m -d d2");
    daemon.stop();
    flip(&files[0]);
    run(&mut daemon);
    daemon.ok("network create o -d d1");
    until("what was changed is compiled again", || {
        [&whole, &other].iter().zip(&files).all(|(whole, file)| fs::read(file).unwrap() == **whole)
    });
    let log = fs::read_to_string(daemon.file("log")).unwrap();
    assert_eq!(log.matches("the compiled code was changed; it is compiled again").count(), 2, "{log}");
}
