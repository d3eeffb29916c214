//! What a container's start costs with dockerd: without a network, on dockerd's own bridge, on Pontoon's, and on that of a plugin in Go
//! (`bench/plugin`), in one run, interleaved. `docker run --rm` starts a container, waits for it, and removes it.

use std::path::Path;
use std::process::Stdio;

use pontoon_tests::{KilledAtEnd, Machine, Report, Table, Timings, at, interleaved, median, rounds, until};

const ROUNDS: usize = 100;
const ROUNDS_OF_NETWORKS: usize = 20;
/// Each dockerd, and what a container on Pontoon may take of what it takes on dockerd's own bridge, both beyond one without a network.
const VERSIONS: [(&str, f64); 2] = [("20.10", 0.7), ("26.1", 0.5)];
/// Name and network of each run.
const RUNS: [(&str, &str); 4] = [
    ("run: none", "none"),
    ("run: dockerd's bridge", "dockers"),
    ("run: Pontoon's bridge", "pontoons"),
    ("run: a plugin in Go", "gos"),
];
const NETWORKS: [(&str, &str, &str); 2] =
    [("dockerd's bridge", "bridge", "10.40.0.0/24"), ("Pontoon's bridge", "pontoon-bridge", "10.41.0.0/24")];
/// Samples for the confidence interval.
const SAMPLES: usize = 2_000;

pub fn run() {
    let mut report = Report::of("docker");
    let columns = ["ratio", "95 %: from", "to"];
    let mut ratios = Table::new("docker run beyond none: Pontoon's bridge, times dockerd's own", &columns);
    for (version, most) in VERSIONS {
        let machine = Machine::start(version);
        machine.docker("network create --subnet 10.30.0.0/24 dockers");
        machine.docker("network create -d pontoon-bridge --subnet 10.31.0.0/24 pontoons");
        let mut timings = Timings::new();
        let plugin = plugin(&machine);
        if plugin.is_some() {
            machine.docker("network create -d go-bridge --subnet 10.32.0.0/24 gos");
        }
        let mut runs = RUNS[..if plugin.is_some() { 4 } else { 3 }].to_vec();
        let run = |network: &str| machine.docker(&format!("run --rm --network {network} bb:1 true"));
        // The first finds nothing warm.
        runs.iter().for_each(|(_, network)| drop(run(network)));
        interleaved(rounds(ROUNDS), &mut runs, |(name, network)| drop(timings.time(name, || run(network))));
        interleaved(rounds(ROUNDS_OF_NETWORKS), &mut NETWORKS.clone(), |(name, driver, subnet)| {
            let create = format!("network create -d {driver} --subnet {subnet} a");
            timings.time(&format!("network create: {name}"), || machine.docker(&create));
            timings.time(&format!("network rm: {name}"), || machine.docker("network rm a"));
        });
        report.table(timings.table(&format!("dockerd {version}")));
        let runs = [0, 1, 2].map(|at| timings.all(RUNS[at].0));
        let all: Vec<usize> = (0..runs[0].len()).collect();
        let sampled = resampled(runs);
        let (found, from, to) = (ratio(runs, &all), at(&sampled, 0.025), at(&sampled, 0.975));
        ratios.row(&format!("dockerd {version}"), &[found, from, to]);
        report.at_most(&format!("docker run beyond none, times dockerd's own bridge, {version}"), found, most);
        let bars = timings.medians();
        report.bars(&format!("docker-{version}"), &format!("dockerd {version} (median)"), "ms", &bars);
    }
    report.table(ratios);
    report.save();
}

/// The plugin in Go in a machine, if it was built.
fn plugin(machine: &Machine) -> Option<KilledAtEnd> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/go-bridge");
    if !program.exists() {
        println!("no plugin in Go: tests/bench/peers-setup builds it where there is a Go");
        return None;
    }
    let mut enter = machine.enter();
    enter.arg(program).arg("/run/docker/plugins/go-bridge.sock").arg(machine.file("go-bridge"));
    let plugin = KilledAtEnd(enter.stdout(Stdio::null()).spawn().unwrap());
    until("the plugin in Go", || machine.plugin("go-bridge").exists());
    Some(plugin)
}

/// What Pontoon's runs take beyond none, times what dockerd's take, in these rounds.
fn ratio(runs: [&[f64]; 3], rounds: &[usize]) -> f64 {
    let [none, dockers, pontoons] = runs.map(|times| median(&rounds.iter().map(|at| times[*at]).collect::<Vec<_>>()));
    (pontoons - none) / (dockers - none)
}

/// The same of rounds that are drawn from all of them (bootstrap): a round's three runs stay together.
fn resampled(runs: [&[f64]; 3]) -> Vec<f64> {
    let (mut random, number) = (fastrand::Rng::with_seed(1), runs[0].len());
    (0..SAMPLES).map(|_| ratio(runs, &(0..number).map(|_| random.usize(..number)).collect::<Vec<_>>())).collect()
}
