//! Takes each check of the gate out in turn: the crate `grant` must not compile then, or one of its tests must fail. All are taken out, or
//! with `--ten` every so many that ten are, or those of the files that are named. Works on a copy, under `target/mutate`.
//!
//! - [`mutant`]: what is taken out, found in the source by its form, so that a new check is on the list by itself
//! - [`ground`]: the copy, and the verdict of its tests

mod ground;
mod mutant;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use ground::{Ground, Verdict};

/// How many `--ten` takes.
const TEN: usize = 10;

fn main() -> std::io::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ground = Ground::new(&root)?;
    let mut mutants = ground.mutants()?;
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.iter().any(|argument| argument == "--ten") {
        let step = mutants.len().div_ceil(TEN);
        mutants = mutants.into_iter().step_by(step.max(1)).collect();
    } else if !asked.is_empty() {
        mutants.retain(|mutant| asked.iter().any(|name| mutant.file.contains(name.as_str())));
    }
    if ground.test()? != Verdict::Passed {
        println!("the tests fail before anything is taken out");
        return Ok(ExitCode::FAILURE);
    }
    let (mut survivors, begin) = (Vec::new(), Instant::now());
    for mutant in &mutants {
        let whole = ground.text(&mutant.file)?;
        ground.put(&mutant.file, &mutant.text)?;
        let verdict = ground.test()?;
        println!("{verdict:<14} {mutant}");
        if verdict == Verdict::Passed {
            survivors.push(mutant.to_string());
        }
        ground.put(&mutant.file, &whole)?;
    }
    let (all, left) = (mutants.len(), survivors.len());
    println!("{all} checks taken out in {} s, {left} not noticed", begin.elapsed().as_secs());
    survivors.iter().for_each(|survivor| println!("not noticed: {survivor}"));
    Ok(if left == 0 && all > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
