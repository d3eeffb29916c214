//! `pontoon driver bench`: what each call of a component costs, in this process. It needs no daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Failure;
use super::output::{Format, Session, table};
use super::plan::{Setting, bare, compiled};
use crate::conformance::{self, Cost, Plan};
use words::{Error, Kind, Name, Result};

/// Where an operator keeps drivers, and the sample bridge.
const SAMPLE: &str = "/etc/pontoon/drivers/bridge.wasm";

/// Measures each call of a driver on the kernel in memory and on the real one, in turn with another driver.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Times are of this process. A daemon calls a driver in a process of its own, which adds some µs to each host call."
)]
pub struct Bench {
    /// The component
    file: PathBuf,
    /// The component to measure it beside, in the same run [default: the sample bridge, /etc/pontoon/drivers/bridge.wasm, if it is there]
    #[arg(long, value_name = "COMPONENT")]
    beside: Option<PathBuf>,
    /// How often each driver makes and removes a network with an endpoint, on each kernel
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    rounds: u16,
    #[command(flatten)]
    setting: Setting,
}

impl Bench {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let (mut plans, rounds) = (self.plans()?, usize::from(self.rounds));
        let compiled = compiled(session);
        plans.iter_mut().for_each(|plan| plan.compiled.clone_from(&compiled));
        let alone = plans.iter().all(|plan| plan.name == plans[0].name);
        let stop = Arc::new(AtomicBool::new(false));
        let mut run = {
            let stop = stop.clone();
            // The suite has a runtime of its own, which can't be started on this one.
            tokio::task::spawn_blocking(move || conformance::bench(&plans, rounds, &stop))
        };
        let costs = loop {
            tokio::select! {
                ended = &mut run => break ended.map_err(|e| Error::internal(format!("the measurement panicked: {e}")))??,
                _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
            }
        };
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Unavailable, "interrupted").into());
        }
        if alone {
            session.note(&format!("there is no {SAMPLE} to measure it beside: name one with --beside"));
        }
        match session.format {
            Format::Table => session.print(&show(&costs)),
            Format::Json => {
                let text = serde_json::to_string(&costs).map_err(|e| Error::internal(e.to_string()))?;
                session.json(&text)
            }
        }
    }

    /// The driver and the one beside it, on each kernel.
    fn plans(&self) -> Result<Vec<Plan>> {
        let sample = Path::new(SAMPLE);
        let beside = self.beside.as_deref().or_else(|| sample.exists().then_some(sample));
        let mut plans = Vec::new();
        for fake in [true, false].into_iter().filter(|fake| *fake || !self.setting.fake) {
            let of = Plan { fake, ..self.setting.plan(&self.file)? };
            let other = beside.map(bare).transpose()?;
            let mut other = other.map(|other| Plan { fake, ..other });
            if let Some(other) = other.as_mut().filter(|other| other.name == of.name) {
                other.name = Name::new(&format!("{:.57}-beside", other.name.as_str()))?;
            }
            plans.push(of);
            plans.extend(other);
        }
        Ok(plans)
    }
}

fn show(costs: &[Cost]) -> String {
    let rows = costs.iter().map(|cost| {
        let kernel = if cost.fake { "in memory" } else { "real" }.to_owned();
        let numbers = [cost.calls as u64, cost.p50, cost.p95, cost.host_calls as u64].map(|number| number.to_string());
        let [calls, p50, p95, host_calls] = numbers;
        [kernel, cost.driver.clone(), cost.function.clone(), calls, p50, p95, host_calls]
    });
    table(["KERNEL", "DRIVER", "CALL", "CALLS", "P50 µs", "P95 µs", "HOST CALLS"], rows)
}
