//! Time, memory and whatever else a call has.

use std::hint::black_box;

use pontoon_sdk::{Error, Result, clock, links, log, namespaces, random};

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("spin", spin),
    ("wait-in-the-host", wait_in_the_host),
    ("allocate", allocate),
    ("recurse", recurse),
    ("flood-the-log", flood_the_log),
    ("flood-the-host", flood_the_host),
    ("leak-handles", leak_handles),
    ("random-bytes", random_bytes),
    ("large-message", large_message),
];

fn spin(_: &Stage) -> Result<()> {
    loop {
        black_box(0);
    }
}

/// The deadline passes in host calls.
fn wait_in_the_host(stage: &Stage) -> Result<()> {
    let names: Vec<_> = (0..15).map(|number| format!("hb{number}")).collect();
    let _links = names.iter().map(|name| stage.link(name)).collect::<Result<Vec<_>>>()?;
    (0..9_000).try_for_each(|_| links::list(None).map(drop))
}

fn allocate(_: &Stage) -> Result<()> {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![1_u8; 1 << 20]);
        black_box(&taken);
    }
}

fn recurse(_: &Stage) -> Result<()> {
    fn deeper(depth: u64) -> u64 {
        let room = black_box([depth; 64]);
        if room[0] == u64::MAX { 0 } else { deeper(depth + 1) + room[1] }
    }
    black_box(deeper(0));
    Ok(())
}

fn flood_the_log(_: &Stage) -> Result<()> {
    (0..5_000).for_each(|number| log::error(format!("{number} {}", "x".repeat(2_000))));
    Err(Error::internal("the log was flooded"))
}

fn flood_the_host(_: &Stage) -> Result<()> {
    loop {
        clock::now();
    }
}

fn leak_handles(_: &Stage) -> Result<()> {
    black_box((0..100_000).map(|_| namespaces::host()).collect::<Vec<_>>());
    Ok(())
}

fn random_bytes(_: &Stage) -> Result<()> {
    black_box(random::bytes(1 << 30));
    Ok(())
}

fn large_message(_: &Stage) -> Result<()> {
    log::info("x".repeat(8 << 20));
    Ok(())
}
