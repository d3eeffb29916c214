//! What each call of a driver costs: the same lives of networks and endpoints again and again, of several drivers in turn.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::Part;
use super::cast::Net;
use super::stop::{Checked, Failure, Stop};
use super::suite::{Plan, Suite};
use super::world::World;
use operation::driver::CallTrace;
use operation::endpoint::Protocol;
use operation::engine::Request;
use operation::table::PutEntry;
use words::{Error, Result};

/// Rounds before the first that counts.
const WARM: usize = 3;

/// What one exported function of one driver costs on one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// The driver.
    pub driver: String,
    /// The kernel in memory, and not the real one.
    pub fake: bool,
    /// The exported function.
    pub function: String,
    /// How often it was called.
    pub calls: usize,
    /// Microseconds of half of the calls, from the instance's start to the commit's end.
    pub p50: u64,
    /// Microseconds of 95 % of the calls.
    pub p95: u64,
    /// What a call asks of the host.
    pub host_calls: usize,
}

/// Runs the lives of all plans in turn, so that all of them see the same machine. `stop` ends it between two rounds.
pub fn bench(plans: &[Plan], rounds: usize, stop: &AtomicBool) -> Result<Vec<Cost>> {
    let suites = plans.iter().map(Suite::load).collect::<Result<Vec<_>>>()?;
    let worlds = suites.iter().map(World::new).collect::<Result<Vec<_>>>()?;
    let mut traces: Vec<Vec<CallTrace>> = vec![Vec::new(); worlds.len()];
    for round in 0..WARM + rounds {
        for (world, traces) in worlds.iter().zip(&mut traces) {
            let lived = life(world).map_err(|ended| broken(world, ended))?;
            traces.extend(lived.into_iter().filter(|_| round >= WARM));
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(plans.iter().zip(traces).flat_map(|(plan, traces)| costs(plan, &traces)).collect())
}

/// A network with an endpoint, and all that there is to call of them.
fn life(world: &World<'_>) -> Checked<Vec<CallTrace>> {
    let net = world.create(&world.net("n", 1)?)?;
    let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
    world.bring_up(&end)?;
    world.expect("endpoint-oper-info", Request::EndpointInfo(end.key()))?;
    let entries = entries(world, &net)?;
    world.disconnect(&end)?;
    world.leave(&end)?;
    world.remove(&end)?;
    let mut traces = world.take_traces();
    traces.extend(entries);
    if world.suite.exports(Part::Ipv6Releaser) {
        let end = net.end("b", 3)?;
        world.add(&end)?;
        world.works("release-ipv6", &net, Some(&end), "of an endpoint")?;
        traces.extend(world.take_own("release-ipv6")?);
        world.remove(&end)?;
    }
    world.take_traces();
    world.delete(&net)?;
    traces.extend(world.take_traces());
    Ok(traces)
}

/// An entry of another host's comes, is looked at, and goes.
fn entries(world: &World<'_>, net: &Net) -> Checked<Vec<CallTrace>> {
    let controller = world.controller()?;
    let network = &net.create.network;
    let watched = controller.store().watches(network)?.into_iter().next();
    let sample = watched.and_then(|(table, _)| world.suite.samples(&table).into_iter().next());
    let Some(sample) = sample else { return Ok(Vec::new()) };
    let (table, key, put) =
        (&sample.table, &sample.key, PutEntry { value: sample.value.clone(), owner: "other-host".into() });
    controller.take_calls();
    world.wait(controller.put_entry(network.as_str(), table, key, put))?;
    let mut traces = world.take_own("event-notify")?;
    world.wait(controller.entries(network.as_str(), Some(table)))?;
    traces.extend(world.take_own("decode-table-entry")?);
    world.wait(controller.remove_entry(network.as_str(), table, key))?;
    controller.take_calls();
    Ok(traces)
}

fn broken(world: &World<'_>, ended: Stop) -> Error {
    let driver = &world.suite.driver;
    match ended {
        Stop::Failed(failure) => {
            let Failure { call, got, .. } = *failure;
            Error::invalid(format!("{driver}: {call}: {got}: `pontoon driver test` tells more"))
        }
        Stop::Skipped(why) => Error::invalid(format!("{driver}: {why}")),
        Stop::Broken(error) => error,
    }
}

/// In the order in which the functions were called.
fn costs(plan: &Plan, traces: &[CallTrace]) -> Vec<Cost> {
    let mut functions: Vec<&str> = Vec::new();
    for trace in traces {
        if !functions.contains(&trace.function.as_str()) {
            functions.push(&trace.function);
        }
    }
    let cost = |function: &str| {
        let of = || traces.iter().filter(|trace| trace.function == function);
        let mut micros: Vec<u64> = of().map(|trace| trace.micros).collect();
        let mut host_calls: Vec<usize> = of().map(|trace| trace.host_calls.len()).collect();
        micros.sort_unstable();
        host_calls.sort_unstable();
        Cost {
            driver: plan.name.to_string(),
            fake: plan.fake,
            function: function.to_owned(),
            calls: micros.len(),
            p50: at(&micros, 50),
            p95: at(&micros, 95),
            host_calls: at(&host_calls, 50),
        }
    };
    functions.into_iter().map(cost).collect()
}

/// The value that so many of a hundred do not exceed.
fn at<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!((at(&hundred, 50), at(&hundred, 95)), (50, 95));
        assert_eq!((at(&[7u64], 50), at(&[7u64], 95), at::<u64>(&[], 50)), (7, 7, 0));
    }
}
