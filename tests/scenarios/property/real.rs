//! On the real kernel, with a daemon that is killed.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use pontoon_tests::{Daemon, Namespace, same_at_last, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{NETWORKS, SANDBOXES, run, seeds};
use crate::crash::{Known, Sockets, agree};

/// Operations in a sequence.
const STEPS: usize = 8;
/// Sequences in an ordinary test run.
const SEQUENCES: u64 = 4;
/// A daemon is killed within this of a request.
const LONGEST: Duration = Duration::from_millis(25);

/// A network, or an endpoint: network and sandbox.
type Thing = (&'static str, Option<&'static str>);

struct Stage {
    daemon: Daemon,
    sockets: Sockets,
    sandboxes: BTreeMap<&'static str, Namespace>,
    empty: String,
    story: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let daemon = Daemon::start();
        daemon.ok(&format!("driver load {} --name probe", pontoon_tests::driver("test/probe").display()));
        let sandboxes = SANDBOXES.map(|name| (name, Namespace::new(name))).into();
        let (sockets, empty) = (Sockets::of(&daemon), daemon.host.dump());
        Self { daemon, sockets, sandboxes, empty, story: Vec::new() }
    }

    /// Asks for what makes or removes a thing; none: nobody knows.
    fn ask(&self, (network, sandbox): Thing, making: bool, options: &Value) -> Option<(u16, String)> {
        let number = NETWORKS.iter().position(|n| *n == network).unwrap();
        match (sandbox, making) {
            (None, true) => {
                let pools = json!([{"subnet": format!("10.88.{number}.0/24")}]);
                let body = json!({"name": network, "driver": "probe", "pools": pools, "options": options});
                self.sockets.admin("POST", "/networks", &body)
            }
            (None, false) => self.sockets.admin("DELETE", &format!("/networks/{network}"), &Value::Null),
            (Some(sandbox), true) => {
                let body = json!({"namespace": self.sandboxes[sandbox].text(), "options": options});
                self.sockets.admin("POST", &format!("/networks/{network}/endpoints"), &body)
            }
            (Some(sandbox), false) => {
                self.sockets.admin("DELETE", &format!("/networks/{network}/endpoints/{sandbox}"), &Value::Null)
            }
        }
    }

    /// One operation; it may fail where `failing` says so, and be killed.
    fn step(&mut self, model: &mut BTreeMap<Thing, Known>, random: &mut Rng) {
        let network = NETWORKS[random.usize(..NETWORKS.len())];
        let sandbox = if random.u32(..3) == 0 { None } else { Some(SANDBOXES[random.usize(..SANDBOXES.len())]) };
        let (thing, is) =
            ((network, sandbox), |model: &BTreeMap<Thing, Known>, thing| model.get(&thing) == Some(&Known::Yes));
        let making = !is(model, thing);
        let used = sandbox.is_none() && SANDBOXES.iter().any(|s| is(model, (network, Some(*s))));
        let fits = if making { sandbox.is_none() || is(model, (network, None)) } else { !used };
        let (options, failing) = mischief(sandbox.is_some(), random);
        let kill = (random.u32(..3) == 0).then(|| LONGEST.mul_f64(random.f64()));
        self.story.push(format!("{} {thing:?} {options} {kill:?}", if making { "make" } else { "remove" }));
        let answer = std::thread::scope(|scope| {
            let asking = scope.spawn(|| self.ask(thing, making, &options));
            if let Some(moment) = kill {
                std::thread::sleep(moment);
                let pid = Pid::from_raw(self.daemon.pid() as i32).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
            }
            asking.join().unwrap()
        });
        if kill.is_some() {
            self.daemon.kill();
            self.daemon.run();
        }
        let story = || self.story.iter().map(|step| format!("\n  {step}")).collect::<String>();
        let done = match answer {
            None => {
                assert!(kill.is_some(), "no answer: {}", story());
                Known::Maybe
            }
            Some((status, text)) => {
                let well = fits && !(making && failing);
                assert_eq!(status < 300, well, "{status} {text}: {}", story());
                if (status < 300) == making { Known::Yes } else { Known::No }
            }
        };
        // What failed is as it was.
        let done = if done != Known::Maybe && !fits { if making { Known::No } else { Known::Yes } } else { done };
        model.insert(thing, done);
        self.check(model, &story());
    }

    fn check(&self, model: &mut BTreeMap<Thing, Known>, story: &str) {
        agree(&self.daemon, &[], story);
        let list = |what: &str| self.daemon.json(what).as_array().unwrap().clone();
        let (networks, endpoints) = (list("network ls"), list("endpoint ls"));
        for ((network, sandbox), known) in model {
            let there = match sandbox {
                None => networks.iter().any(|n| n["name"] == *network),
                Some(sandbox) => endpoints.iter().any(|e| e["name"] == *sandbox && e["network"] == *network),
            };
            *known = known.found(&format!("{network} {sandbox:?}: {story}"), there);
        }
    }
}

/// Options by which the driver fails or traps in one of its functions, or does not; and whether that fails what makes the thing.
fn mischief(endpoint: bool, random: &mut Rng) -> (Value, bool) {
    let how = if random.bool() { "probe.fail" } else { "probe.trap" };
    // `join-info` has a route that a namespace can have only once.
    let acts = if endpoint { "interface-info" } else { "links addresses routes rules nftables namespaces" };
    let functions = match endpoint {
        true => ["create-endpoint", "join", "leave", "delete-endpoint"].as_slice(),
        false => ["create-network", "delete-network"].as_slice(),
    };
    let function = functions[random.usize(..functions.len())];
    if !random.bool() {
        return (json!({"probe.do": acts}), false);
    }
    let failing = ["create-endpoint", "join", "create-network"].contains(&function);
    (json!({"probe.do": acts, how: function}), failing)
}

fn sequence(stage: &mut Stage, seed: u64) {
    stage.story = vec![format!("seed {seed}")];
    let (mut random, mut model) = (Rng::with_seed(seed), BTreeMap::new());
    for _ in 0..STEPS {
        stage.step(&mut model, &mut random);
    }
    let there = |model: &BTreeMap<Thing, Known>| {
        let mut all: Vec<Thing> =
            model.iter().filter(|(_, known)| **known == Known::Yes).map(|(thing, _)| *thing).collect();
        // Endpoints first.
        all.sort_by_key(|(_, sandbox)| sandbox.is_none());
        all
    };
    for thing in there(&model) {
        let (status, text) = stage.ask(thing, false, &Value::Null).unwrap();
        assert!(status < 300, "{thing:?}: {status} {text}: {:?}", stage.story);
    }
    until("the reaper", || !stage.daemon.host.run("ip -o link").contains(": pc"));
    same_at_last(|| stage.daemon.host.dump(), &stage.empty);
}

#[test]
fn on_the_real_kernel() {
    run(seeds("PONTOON_PROPERTY_REAL", SEQUENCES), 4, Stage::new, sequence);
}
