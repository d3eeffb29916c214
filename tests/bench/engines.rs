//! What it costs that drivers' code runs in processes of its own, beside the same in one process. On a kernel in memory, but for the endpoint.
//!
//! - round trip: a host call, from the driver to the host and back
//! - call: an instance is made, asked for its registration, and dropped
//! - attach, detach: a whole endpoint of the bridge, on the machine's own kernel
//! - first call: of a driver that has no process; and the memory of that process
//! - a hundred drivers that are loaded and have no calls

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ask::Arguments;
use engine::Call;
use pontoon::driver::admit::admit;
use pontoon::driver::code::{Code, Engines};
use pontoon::driver::components::Components;
use pontoon::place::{Host, Place};
use pontoon_tests::{
    Bench, FakeBench, ForRuntimes, Namespace, Report, Table, Timings, attach, children, create, driver, launcher,
    pontoon, rounds,
};
use serde_json::json;
use words::limit::{DEADLINE, HOST_CALLS, MEMORY};

const ROUNDS: usize = 200;
const COLD: usize = 20;
const IDLE_DRIVERS: usize = 100;
const LANGUAGES: [(&str, &str); 3] = [("rust", "bridge"), ("go", "bridge-go"), ("python", "bridge-python")];

pub fn run() {
    let mut report = Report::of("engines");
    let mut table = Table::new("drivers' code in this process, and in one apart", &["here", "apart"]);
    table.row("a host call, microseconds", &[round_trip(&FakeBench::new()), round_trip(&FakeBench::apart())]);
    table.row("a call without host calls, microseconds", &calls());
    for (name, times) in endpoints() {
        table.row(name, &times);
    }
    report.table(table);
    let columns = ["first call ms", "second ms", "own KiB", "shared KiB"];
    let mut table = Table::new("calls of a driver that has no process, and that process", &columns);
    for (language, file) in LANGUAGES {
        first_calls(&mut table, language, file);
    }
    report.table(table);
    idle_drivers();
    report.save();
}

fn calls() -> [f64; 2] {
    let (here, apart) = (Ready::new(false), Ready::new(true));
    let mut timings = Timings::new();
    let codes = [("call here", here.code("bridge")), ("call apart", apart.code("bridge"))];
    for _ in 0..rounds(ROUNDS) {
        for (name, code) in &codes {
            timings.time(name, || registers(code));
        }
    }
    ["call here", "call apart"].map(|name| timings.median(name) * 1000.0)
}

fn endpoints() -> [(&'static str, [f64; 2]); 2] {
    let mut timings = Timings::new();
    let mut benches =
        [("attach here", "detach here", Bench::new()), ("attach apart", "detach apart", Bench::apart(&pontoon()))];
    for (_, _, bench) in &benches {
        bench.load("bridge", "bridge", &[]);
        bench.wait(bench.controller.create_network(create("n", "bridge", &json!({})))).unwrap();
    }
    for _ in 0..rounds(ROUNDS) {
        // The second of two finds the kernel warm.
        benches.reverse();
        for (attaches, detaches, bench) in &benches {
            let namespace = Namespace::new("container");
            let attached = bench.controller.attach("n", attach(&namespace, &json!({})));
            timings.time(attaches, || bench.wait(attached)).unwrap();
            let endpoint = namespace.path().file_name().unwrap().to_str().unwrap();
            timings.time(detaches, || bench.wait(bench.controller.detach(Some("n"), endpoint))).unwrap();
        }
    }
    let times = |names: [&str; 2]| names.map(|name| timings.median(name));
    [("attach, ms", times(["attach here", "attach apart"])), ("detach, ms", times(["detach here", "detach apart"]))]
}

/// Of a driver that has no process, and what that process then has of its own.
fn first_calls(table: &mut Table, language: &str, file: &str) {
    if !driver("bridge").with_file_name(format!("{file}.wasm")).exists() {
        return println!("{language}: skipped, it is not built here");
    }
    let apart = Ready::new(true);
    let mut timings = Timings::new();
    let mut memory = (0, 0);
    for _ in 0..rounds(COLD) {
        // With the code goes its process.
        let code = apart.code(file);
        timings.time("first", || registers(&code));
        timings.time("second", || registers(&code));
        memory = engine_memory();
    }
    let [first, second] = ["first", "second"].map(|name| timings.median(name));
    table.row(language, &[first, second, memory.0 as f64, memory.1 as f64]);
}

/// That many are loaded and have no calls: their processes have ended.
fn idle_drivers() {
    let bench = Bench::apart(&pontoon());
    let before = own_memory("self");
    let begin = Instant::now();
    for number in 0..rounds(IDLE_DRIVERS) {
        bench.load(&format!("bridge{number}"), "bridge", &[]);
    }
    println!(
        "{} drivers: loaded in {:.2} s, {} engine processes at once, {} KiB more in this process",
        rounds(IDLE_DRIVERS),
        begin.elapsed().as_secs_f64(),
        engines().len(),
        own_memory("self").0 - before.0
    );
    std::thread::sleep(words::limit::IDLE + words::limit::IDLE / 5);
    println!("after {:?} without calls: {} engine processes", words::limit::IDLE, engines().len());
}

/// Grandchildren: what launchers have started.
fn engines() -> Vec<u32> {
    children(std::process::id()).into_iter().flat_map(children).collect()
}

/// KiB of the last engine process: its own pages, and those that it shares.
fn engine_memory() -> (u64, u64) {
    own_memory(&engines().last().unwrap().to_string())
}

fn own_memory(process: &str) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let sum = |name: &str| -> u64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
    };
    (sum("Private_"), sum("Shared_"))
}

/// What one host call takes of a driver that asks for the time until it may not.
fn round_trip(bench: &FakeBench) -> f64 {
    bench.load("probe", "test/probe");
    let asks = || create("p", "probe", &json!({"options": {"probe.exceed": "host-calls"}}));
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let error = bench.wait(bench.controller().create_network(asks())).unwrap_err();
        assert!(error.message.contains("host calls in one call"), "{error}");
        least = least.min(begin.elapsed() / HOST_CALLS);
    }
    least.as_secs_f64() * 1e6
}

/// What makes code ready to be called.
struct Ready {
    engines: Engines,
    components: Arc<Components>,
    _folder: tempfile::TempDir,
}

impl Ready {
    fn new(apart: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path().join("state"), folder.path().join("run"), Host::Own);
        let place = Place { compiler: pontoon(), ..place };
        let components = Arc::new(Components::new(&place).unwrap());
        let engines = Engines::new(apart.then(|| launcher(&pontoon()))).unwrap();
        Self { engines, components, _folder: folder }
    }

    fn code(&self, file: &str) -> Code {
        let component = std::fs::read(driver(file)).unwrap();
        let digest = words::file::digest(&component);
        self.components.keep(&digest, &component).unwrap();
        self.engines.code(&self.components, &digest, &admit(&component).unwrap().parts).unwrap()
    }
}

fn registers(code: &Code) {
    let (deadline, host) = (Instant::now() + DEADLINE, Arc::new(Mutex::new(ForRuntimes)));
    code.call(Call { deadline, memory: MEMORY, host }, Arguments::Register).unwrap();
}
