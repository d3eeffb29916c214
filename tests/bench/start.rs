//! What a start takes until the daemon answers, and what memory it then has, with many drivers that were compiled before: equal ones have one
//! component, distinct ones differ in a byte that no code is made of. And what compiling takes, which a start does without, beside loading what was
//! compiled.

use engine::Engine;
use pontoon::driver::cache::Cache;
use pontoon::driver::compile::Compiler;
use pontoon_tests::{
    Daemon, Report, Table, Timings, at_once, bridge_code, driver, interleaved, is_short, pontoon, rounds,
};
use words::file::digest;

const ROUNDS: usize = 20;
/// Starts with more than a few drivers.
const ROUNDS_OF_MANY: usize = 5;
const FEW: usize = 10;
const MANY: usize = 1_000;
/// Loads at once.
const WORKERS: usize = 4;
/// How often a component is compiled, and loaded from the cache: the largest takes the compiler seconds.
const COMPILES: usize = 3;
const LOADS: usize = 30;

struct Kind {
    name: String,
    drivers: usize,
    daemon: Daemon,
    peak: f64,
    memory: f64,
}

pub fn run() {
    let many = if is_short() { 20 } else { MANY };
    let mut timings = Timings::new();
    let mut few = [(0, false), (FEW, true)].map(|(drivers, is_distinct)| Kind::new(drivers, is_distinct));
    let mut crowds = [(many, false), (many, true)].map(|(drivers, is_distinct)| Kind::new(drivers, is_distinct));
    interleaved(rounds(ROUNDS), &mut few, |kind| kind.start(&mut timings));
    interleaved(rounds(ROUNDS_OF_MANY), &mut crowds, |kind| kind.start(&mut timings));
    let mut kinds: Vec<&Kind> = few.iter().chain(&crowds).collect();
    kinds.sort_by_key(|kind| (kind.drivers, kind.name.contains("distinct")));
    let columns = ["start ms", "p95", "memory MB", "peak MB"];
    let mut table = Table::new("a daemon's start (median), its memory after it", &columns);
    for kind in &kinds {
        table.row(&kind.name, &[timings.median(&kind.name), timings.at(&kind.name, 0.95), kind.memory, kind.peak]);
    }
    let mut report = Report::of("start");
    report.table(table);
    let bars: Vec<_> = kinds.iter().map(|kind| (kind.name.clone(), timings.median(&kind.name))).collect();
    report.bars("start", "A daemon's start (median)", "ms", &bars);
    let [none, few, equal, distinct] = &*kinds else { panic!("four kinds") };
    report.at_most("start with ten drivers, ms", timings.median(&few.name), 60.0);
    let slowest = timings.median(&distinct.name).max(timings.median(&equal.name));
    report.at_most(&format!("start with {many} drivers, ms"), slowest, 2_000.0);
    report.at_most(&format!("memory of {many} distinct drivers, MB"), distinct.memory - none.memory, 1_024.0);
    report.at_most(&format!("memory of {many} equal drivers, MB"), equal.memory - none.memory, 150.0);
    report.table(cold());
    report.save();
}

/// The same driver in Rust and, where that is built, in Python, which is the largest.
fn cold() -> Table {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::shared(folder.path().to_owned(), Compiler::Program(pontoon())).unwrap();
    let (engine, mut timings) = (Engine::new().unwrap(), Timings::new());
    let read = |(name, file): (&'static str, &str)| Some((name, std::fs::read(driver(file)).ok()?));
    let components = [("the bridge in Rust", "bridge"), ("the bridge in Python", "bridge-python")];
    let mut components: Vec<_> = components.into_iter().filter_map(read).collect();
    interleaved(rounds(COMPILES), &mut components, |(name, component)| {
        timings.time(&format!("{name}, compiled"), || cache.compile(&digest(component), component).unwrap());
    });
    interleaved(rounds(LOADS), &mut components, |(name, component)| {
        let digest = digest(component);
        timings.time(name, || bridge_code(&engine, &cache.cached(&digest).unwrap()));
    });
    components.sort_by_key(|(_, component)| component.len());
    let columns = ["size kB", "compiled ms", "from cache ms"];
    let mut table = Table::new("a component's code, ready to run (median)", &columns);
    for (name, component) in &components {
        let compiled = timings.median(&format!("{name}, compiled"));
        table.row(name, &[component.len() as f64 / 1e3, compiled, timings.median(name)]);
    }
    table
}

impl Kind {
    fn new(drivers: usize, is_distinct: bool) -> Self {
        let mut daemon = Daemon::start();
        let component = std::fs::read(driver("bridge")).unwrap();
        let grant = driver("bridge").with_extension("grant.toml");
        let line = |number: usize| {
            let file = if is_distinct {
                // A custom section of a component: its id, its size, the length of its name, its name, its content (Binary.md).
                let section = [&[0, 6, 1, b'n'][..], &(number as u32).to_le_bytes()].concat();
                let file = daemon.file(&format!("d{number}.wasm"));
                std::fs::write(&file, [&component[..], &section].concat()).unwrap();
                file
            } else {
                driver("bridge")
            };
            format!("driver load {} --grant {} --name d{number}", file.display(), grant.display())
        };
        at_once(WORKERS, 0..drivers, |number| drop(daemon.ok(&line(number))));
        daemon.stop();
        let name = match (drivers, is_distinct) {
            (0, _) => "no driver".to_owned(),
            (_, true) => format!("{drivers} distinct drivers"),
            (_, false) => format!("{drivers} equal drivers"),
        };
        Self { name, drivers, daemon, peak: 0.0, memory: 0.0 }
    }

    fn start(&mut self, timings: &mut Timings) {
        let taken = self.daemon.run_timed();
        timings.note(&self.name, taken);
        self.memory = self.daemon.memory();
        self.peak = self.daemon.processes().iter().map(|process| process.peak()).fold(0.0, f64::max);
        let loaded = self.daemon.json("driver ls").as_array().unwrap().len();
        assert_eq!(loaded, self.drivers, "{}", self.name);
        self.daemon.stop();
    }
}
