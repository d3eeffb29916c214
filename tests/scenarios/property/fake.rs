//! On a kernel in memory.

use std::collections::BTreeSet;

use fastrand::Rng;
use pontoon::answers::Fault;
use pontoon_tests::{FakeBench, attach_path, create};
use serde_json::json;
use words::Result;

use super::seen::{Seen, agree, differ, rest};
use super::{NETWORKS, SANDBOXES, run, seeds};

/// Operations in a sequence.
const STEPS: usize = 10;
/// Sequences in an ordinary test run.
const SEQUENCES: u64 = 150;
/// A driver makes about so many host calls in one call.
const HOST_CALLS: u32 = 14;

/// What there is.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    networks: BTreeSet<&'static str>,
    /// Network and sandbox.
    endpoints: BTreeSet<(&'static str, &'static str)>,
    /// Whose published port it is.
    port: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// With IPv6, internal, of the probe.
    Create {
        network: &'static str,
        ipv6: bool,
        internal: bool,
        probe: bool,
    },
    Remove {
        network: &'static str,
    },
    /// With the one port that they all publish.
    Attach {
        network: &'static str,
        sandbox: &'static str,
        port: bool,
    },
    Detach {
        network: &'static str,
        sandbox: &'static str,
    },
    /// The container ends, and another one begins in its place.
    EndSandbox {
        sandbox: &'static str,
    },
    Collect,
    Restart,
}

/// What else happens.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    None,
    /// At this host call of each of the driver's calls.
    Fault(Fault),
    /// At one of the moments.
    Kill(usize),
}

impl Operation {
    fn random(random: &mut Rng) -> Self {
        let (network, sandbox) = (NETWORKS[random.usize(..NETWORKS.len())], SANDBOXES[random.usize(..SANDBOXES.len())]);
        match random.usize(..16) {
            0..=3 => {
                let [ipv6, internal, probe] = [2, 4, 3].map(|n| random.u32(..n) == 0);
                Self::Create { network, ipv6, internal, probe }
            }
            4 | 5 => Self::Remove { network },
            6..=10 => Self::Attach { network, sandbox, port: random.bool() },
            11 | 12 => Self::Detach { network, sandbox },
            13 => Self::EndSandbox { sandbox },
            14 => Self::Collect,
            _ => Self::Restart,
        }
    }

    /// Two networks of one container can publish the port between them, each for one family. The model knows of one owner.
    fn that_is_modelled(self, model: &Model) -> Self {
        match self {
            Self::Attach { network, sandbox, port: true } if model.port.is_some_and(|(_, owner)| owner == sandbox) => {
                Self::Attach { network, sandbox, port: false }
            }
            operation => operation,
        }
    }

    /// What is asked of the controller.
    fn run(self, bench: &FakeBench) -> Result<()> {
        let controller = bench.controller();
        match self {
            Self::Create { network, ipv6, internal, probe } => {
                let acts = "store tables links addresses routes rules neighbours nftables sysctls namespaces";
                let driver = if probe { "probe" } else { "bridge" };
                let more = json!({"ipv6": ipv6, "internal": internal, "options": {"probe.do": acts}});
                bench.wait(controller.create_network(create(network, driver, &more))).map(drop)
            }
            Self::Remove { network } => bench.wait(controller.remove_network(network)).map(drop),
            Self::Attach { network, sandbox, port } => {
                let ports =
                    json!([{"protocol": "tcp", "container_port": 80, "host_port": 8080, "host_port_end": 8080}]);
                let more = if port { json!({"ports": ports}) } else { json!({}) };
                bench.wait(controller.attach(network, attach_path(&path(sandbox), &more))).map(drop)
            }
            Self::Detach { network, sandbox } => bench.wait(controller.detach(Some(network), sandbox)).map(drop),
            Self::Collect => bench.wait(controller.collect_garbage(None)).map(drop),
            Self::EndSandbox { .. } | Self::Restart => Ok(()),
        }
    }

    /// Ports are published only for a namespace's gateway, on a network with a way out.
    fn may_fail(self) -> bool {
        matches!(self, Self::Attach { port: true, .. })
    }

    /// What there is when it has gone well; none: it can't.
    fn after(self, model: &Model, ended: &BTreeSet<&'static str>) -> Option<Model> {
        let mut after = model.clone();
        let done = match self {
            Self::Create { network, .. } => after.networks.insert(network),
            Self::Remove { network } => {
                !model.endpoints.iter().any(|(n, _)| *n == network) && after.networks.remove(network)
            }
            Self::Attach { network, sandbox, port } => {
                if port && after.port.replace((network, sandbox)).is_some() {
                    return None;
                }
                model.networks.contains(network) && after.endpoints.insert((network, sandbox))
            }
            Self::Detach { network, sandbox } => {
                after.port = after.port.filter(|owner| *owner != (network, sandbox));
                after.endpoints.remove(&(network, sandbox))
            }
            Self::Collect => {
                after.endpoints.retain(|(_, sandbox)| !ended.contains(sandbox));
                after.port = after.port.filter(|owner| after.endpoints.contains(owner));
                true
            }
            Self::EndSandbox { .. } | Self::Restart => true,
        };
        done.then_some(after)
    }
}

fn path(sandbox: &str) -> String {
    format!("/fake/{sandbox}")
}

/// A controller, and what should be there.
struct Stage {
    bench: FakeBench,
    model: Model,
    /// Sandboxes that ended and began again under endpoints that nobody has collected yet.
    ended: BTreeSet<&'static str>,
    story: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let bench = FakeBench::new();
        bench.load("bridge", "bridge");
        bench.load("probe", "test/probe");
        SANDBOXES.iter().for_each(|sandbox| drop(bench.sandbox(sandbox)));
        // The switches for forwarding stay on once a network asked for them.
        let forwarding = create("first", "bridge", &json!({"ipv6": true}));
        bench.wait(bench.controller().create_network(forwarding)).unwrap();
        bench.wait(bench.controller().remove_network("first")).unwrap();
        Self { bench, model: Model::default(), ended: BTreeSet::new(), story: Vec::new() }
    }

    fn step(&mut self, random: &mut Rng) {
        let operation = Operation::random(random).that_is_modelled(&self.model);
        let mishap = match random.usize(..6) {
            0 => Mishap::Fault(Fault::Error(random.u32(1..=HOST_CALLS))),
            1 => Mishap::Fault(Fault::Trap(random.u32(1..=HOST_CALLS))),
            2 => Mishap::Kill(random.usize(..1000)),
            _ => Mishap::None,
        };
        self.story.push(format!("{operation:?} {mishap:?}"));
        let wanted = operation.after(&self.model, &self.ended);
        let before = rest(&self.bench);
        match (operation, mishap) {
            (Operation::EndSandbox { sandbox }, _) => {
                self.bench.kill(&path(sandbox));
                self.bench.sandbox(sandbox);
                if self.model.endpoints.iter().any(|(_, s)| *s == sandbox) {
                    self.ended.insert(sandbox);
                }
                return self.collect_if_ended();
            }
            (Operation::Restart, _) => {
                self.bench.restart();
                assert_eq!(differ(&before, &rest(&self.bench)), "", "a restart changes nothing: {}", self.story());
            }
            (_, Mishap::Kill(moment)) => self.kill_in(operation, moment, &before, wanted),
            (_, mishap) => {
                if let Mishap::Fault(fault) = mishap {
                    self.bench.controller().inject(Some(fault));
                }
                let done = operation.run(&self.bench);
                self.bench.controller().inject(None);
                self.judge(operation, done, mishap, &before, wanted);
            }
        }
        self.is_as_modelled();
    }

    /// The kernel has removed something of the store's: that is for the collection alone.
    fn collect_if_ended(&mut self) {
        if let Some(wanted) = Operation::Collect.after(&self.model, &self.ended) {
            Operation::Collect.run(&self.bench).unwrap();
            self.model = wanted;
        }
        self.ended.clear();
        self.is_as_modelled();
    }

    fn judge(&mut self, operation: Operation, done: Result<()>, mishap: Mishap, before: &Seen, wanted: Option<Model>) {
        match (done, wanted) {
            (Ok(()), Some(wanted)) => self.model = wanted,
            (Ok(()), None) => panic!("it can't have gone well: {}", self.story()),
            (Err(error), wanted) => {
                let told = || format!("{error}: {}", self.story());
                let may = wanted.is_none() || operation.may_fail() || matches!(mishap, Mishap::Fault(_));
                assert!(may, "{}", told());
                assert_eq!(differ(before, &rest(&self.bench)), "", "what failed has changed something: {}", told());
            }
        }
    }

    fn kill_in(&mut self, operation: Operation, moment: usize, before: &Seen, wanted: Option<Model>) {
        let ((done, after), lefts) = self.bench.watch(|| {
            let done = operation.run(&self.bench);
            (done, rest(&self.bench))
        });
        let wanted = wanted.filter(|_| done.is_ok() || !operation.may_fail());
        assert_eq!(done.is_ok(), wanted.is_some(), "{done:?}: {}", self.story());
        self.bench.restart_on(&lefts[moment % lefts.len()]);
        let now = rest(&self.bench);
        let [to_before, to_after] = [before, &after].map(|seen| differ(seen, &now));
        if to_before.is_empty() {
            return;
        }
        let which = format!("moment {} of {}", moment % lefts.len(), lefts.len());
        assert_eq!(to_after, "", "neither before{to_before}\nnor after, {which}: {}", self.story());
        self.model = wanted.unwrap_or_else(|| self.model.clone());
    }

    /// Kernel, store and model have the same.
    fn is_as_modelled(&self) {
        agree(&self.bench, &rest(&self.bench));
        let controller = self.bench.controller();
        let networks = self.bench.wait(controller.networks()).unwrap();
        let networks: BTreeSet<String> = networks.into_iter().map(|n| n.name.to_string()).collect();
        let endpoints = self.bench.wait(controller.endpoints(None)).unwrap();
        let endpoints: BTreeSet<(String, String)> =
            endpoints.into_iter().map(|e| (e.network.to_string(), e.name.to_string())).collect();
        let story = || self.story();
        assert_eq!(networks, self.model.networks.iter().map(ToString::to_string).collect(), "{}", story());
        let modelled = self.model.endpoints.iter().map(|(n, s)| ((*n).to_owned(), (*s).to_owned()));
        assert_eq!(endpoints, modelled.collect(), "{}", story());
    }

    fn story(&self) -> String {
        self.story.iter().map(|step| format!("\n  {step}")).collect()
    }
}

fn sequence(stage: &mut Stage, seed: u64) {
    stage.story = vec![format!("seed {seed}")];
    let empty = rest(&stage.bench);
    let mut random = Rng::with_seed(seed);
    for _ in 0..STEPS {
        stage.step(&mut random);
    }
    for (network, sandbox) in std::mem::take(&mut stage.model.endpoints) {
        Operation::Detach { network, sandbox }.run(&stage.bench).unwrap();
    }
    for network in std::mem::take(&mut stage.model.networks) {
        Operation::Remove { network }.run(&stage.bench).unwrap();
    }
    stage.model = Model::default();
    assert_eq!(differ(&empty, &rest(&stage.bench)), "", "left: {}", stage.story());
}

#[test]
fn on_a_kernel_in_memory() {
    run(seeds("PONTOON_PROPERTY", SEQUENCES), 2, Stage::new, sequence);
}
