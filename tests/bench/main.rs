//! The benches, in one program: `cargo bench -p pontoon-tests --bench costs -- NAME...`. Several names run one after the other, each in a process
//! of its own. `make bench` runs those that make the figures of `results`.
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

mod attach;
mod beside;
mod counts;
mod docker;
mod engines;
mod goals;
mod growth;
mod languages;
mod parts;
mod peer;
mod peers;
mod soak;
mod start;
mod traffic;

use std::process::{Command, ExitCode};
use std::time::Instant;

const BENCHES: [(&str, fn()); 13] = [
    ("peers", peers::run),
    ("counts", counts::run),
    ("traffic", traffic::run),
    ("docker", docker::run),
    ("start", start::run),
    ("attach", attach::run),
    ("parts", parts::run),
    ("engines", engines::run),
    ("soak", soak::run),
    ("growth", growth::run),
    ("languages", languages::run),
    ("beside", beside::run),
    ("goals", goals::run),
];

fn main() -> ExitCode {
    // Cargo says `--bench`, too.
    let names: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let known = |name: &String| BENCHES.iter().find(|(known, _)| known == name);
    if names.is_empty() || !names.iter().all(|name| known(name).is_some()) {
        eprintln!("names of benches: {}", BENCHES.map(|(name, _)| name).join(" "));
        return ExitCode::FAILURE;
    }
    if let [name] = &*names {
        known(name).unwrap().1();
        return ExitCode::SUCCESS;
    }
    let mut failed = Vec::new();
    for name in &names {
        println!("\n== {name}");
        let begin = Instant::now();
        let ended = Command::new(std::env::current_exe().unwrap()).arg(name).status().unwrap();
        println!("\n-- {name}: {:.0} s", begin.elapsed().as_secs_f64());
        failed.extend((!ended.success()).then_some(name.as_str()));
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!("failed: {}", failed.join(" "));
            ExitCode::FAILURE
        }
    }
}
