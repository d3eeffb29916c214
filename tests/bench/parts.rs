//! What Pontoon puts around a driver's work on an endpoint, part by part, each beside the same without it. On a kernel in memory, so that
//! nothing else is in the way.
//!
//! - sandbox: an instance is made, called and dropped, once for each of the three calls; without it there is nothing
//! - way, gate, audit: host calls as many as the bridge's three calls make: out of the sandbox, past the gate, into the recording, and back
//! - transaction: what the three calls change, each through a transaction, and straight through kernel and store

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Code, Engine};
use grant::gate::links::{Wanted, WantedKind};
use grant::{Gate, Policy};
use kernel::{
    Change, Config, Fake, Kernel, LinkEnd, LinkKey, LinkKind, LinkSpec, Namespace, NewLink, NewName, Outcome,
};
use operation::origin::Origin;
use pontoon::capability::{Facts, NetworkFacts};
use pontoon::driver::compile::Compiler;
use pontoon::firewall::Firewall;
use pontoon::reaper::Reaper;
use pontoon::serve::folder::grant_beside;
use pontoon::transaction::{Owner, Transaction};
use pontoon_tests::{FakeBench, Report, Timings, attach_path, bridge_code, create, driver, pontoon, registers, rounds};
use serde_json::json;
use store::{Batch, Durability, Endpoint, Object as Made, Store, Thing, Write};
use words::LinkName;
use words::{Id, Name, now};

const ROUNDS: usize = 400;
/// What one trial of a driver that asks for the time asks at most.
const ASKED: u32 = words::limit::HOST_CALLS;

pub fn run() {
    let mut timings = Timings::new();
    let (bench, code, mut books) = (FakeBench::new(), code(), Books::new());
    bench.load("bridge", "bridge");
    bench.load("probe", "test/probe");
    bench.wait(bench.controller().create_network(create("n", "bridge", &json!({"ipv6": true})))).unwrap();
    for round in 0..rounds(ROUNDS) {
        let host_calls = endpoint(&bench, round, &mut timings);
        timings.time("sandbox", || {
            (0..3).for_each(|_| {
                assert!(registers(&code, words::limit::MEMORY));
            })
        });
        if round % (rounds(ROUNDS) / 8) == 0 {
            timings.note("way, gate, audit", host_call(&bench) * host_calls);
        }
        // The second of two finds the way warm.
        for with in [round % 2 == 0, round % 2 == 1] {
            timings.note(if with { "with a transaction" } else { "without" }, books.endpoint(with));
        }
    }
    let mut report = Report::of("parts");
    report.table(timings.table("an endpoint on a kernel in memory"));
    let transaction = timings.median("with a transaction") - timings.median("without");
    let sum = timings.median("sandbox") + timings.median("way, gate, audit") + transaction;
    println!(
        "sandbox, way, gate, audit and transaction: {:.0} microseconds an endpoint, {:.2} of its changes in kernel and store without them",
        sum * 1000.0,
        sum / timings.median("without")
    );
    report.save();
}

/// Attaches and detaches. Answers how many host calls the three calls made.
fn endpoint(bench: &FakeBench, round: usize, timings: &mut Timings) -> u32 {
    let sandbox = bench.sandbox(&format!("s{round}"));
    let attached = bench.wait(bench.controller().attach("n", attach_path(&sandbox, &json!({})))).unwrap();
    let three: Vec<_> = attached.calls.iter().filter(|call| call.function != "endpoint-oper-info").collect();
    let host_calls = || three.iter().flat_map(|call| &call.host_calls);
    let parts: [(&str, u64); 3] = [
        ("three calls", three.iter().map(|call| call.micros).sum()),
        ("of these, host calls", host_calls().map(|asked| asked.micros).sum()),
        ("of these, commits", three.iter().map(|call| call.commit_micros).sum()),
    ];
    parts.iter().for_each(|(name, micros)| timings.note(name, Duration::from_micros(*micros)));
    bench.wait(bench.controller().detach(Some("n"), &sandbox)).unwrap();
    bench.kill(&sandbox);
    bench.reaped();
    u32::try_from(host_calls().count()).unwrap()
}

fn code() -> Code {
    let compiled = Compiler::Program(pontoon()).compile(&std::fs::read(driver("bridge")).unwrap()).unwrap();
    bridge_code(&Engine::new().unwrap(), &compiled)
}

/// What one host call takes of a driver that asks for the time until it may not.
fn host_call(bench: &FakeBench) -> Duration {
    let asks = create("p", "probe", &json!({"options": {"probe.exceed": "host-calls"}}));
    let begin = Instant::now();
    let error = bench.wait(bench.controller().create_network(asks)).unwrap_err();
    assert!(error.message.contains("host calls in one call"), "{error}");
    begin.elapsed() / ASKED
}

/// A kernel and a store, with a network in it.
struct Books {
    kernel: Arc<Kernel>,
    reaper: Arc<Reaper>,
    firewall: Arc<Firewall>,
    store: Arc<Store>,
    facts: Facts,
    policy: Arc<Policy>,
    _folder: tempfile::TempDir,
}

impl Books {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&folder.path().join("state")).unwrap());
        let config = Config { host: Fake::new().into(), instance: 1, run_folder: folder.path().to_owned() };
        let kernel = Arc::new(Kernel::new(config).unwrap());
        let reaper = Arc::new(Reaper::start(kernel.clone()).unwrap());
        let firewall = Arc::new(Firewall::start(kernel.clone(), store.clone()));
        let id = Id::random().unwrap();
        let network = NetworkFacts { id: id.clone(), nft_table: "t".into(), pools: Vec::new() };
        let facts = Facts {
            for_addresses: false,
            driver: Name::new("bridge").unwrap(),
            function: "create-endpoint".into(),
            network: Some(network),
            endpoint: Some(Id::random().unwrap()),
            configuration: Arc::new(BTreeMap::new()),
            watches_tables: false,
        };
        let grant = grant_beside(&driver("bridge")).unwrap().unwrap();
        let policy = Arc::new(Policy::new(grant, None));
        let books = Self { kernel, reaper, firewall, store, facts, policy, _folder: folder };
        let remembered = "x".repeat(400).into_bytes();
        books.write(vec![books.state("network", remembered)]);
        books
    }

    /// What the bridge's three calls read and change, and how long it took.
    fn endpoint(&mut self, with: bool) -> Duration {
        let begin = Instant::now();
        let link = match with {
            true => self.with(),
            false => self.without(),
        };
        let taken = begin.elapsed();
        self.kernel.apply(&[Change::RemoveLink(link)]).unwrap();
        let (network, endpoint) = self.ids();
        let state = Write::RemoveState { driver: self.facts.driver.clone(), key: "endpoint".into() };
        self.write(vec![Write::RemoveEndpoint(network, endpoint), state]);
        taken
    }

    fn with(&self) -> LinkKey {
        let mut call = self.transaction();
        call.state("endpoint").unwrap();
        call.state("network").unwrap();
        let LinkSpec { end, kind: LinkKind::Veth(peer) } = spec() else { panic!("no pair") };
        let kind = WantedKind::Veth(Box::new((*peer).into()));
        let pair = self.gate().add_links(&mut call, vec![Wanted { end: end.into(), kind }]).unwrap();
        let (first, _) = call.add_links(pair).unwrap().remove(0);
        self.set_state(&mut call);
        call.commit(vec![Write::PutEndpoint(self.record())], Durability::Process).unwrap();
        for writes in [false, true] {
            let mut call = self.transaction();
            call.state("network").unwrap();
            call.state("endpoint").unwrap();
            if writes {
                self.set_state(&mut call);
            }
            call.commit(vec![Write::PutEndpoint(self.record())], Durability::Process).unwrap();
        }
        first.key
    }

    fn without(&self) -> LinkKey {
        let read = |key: &str| drop(self.store.state(&self.facts.driver, key).unwrap());
        ["endpoint", "network"].iter().for_each(|key| read(key));
        let applied = self.kernel.apply(&[pair()]).unwrap();
        let Outcome::Link(first, Some(peer)) = &applied[0].outcome else { panic!("no pair") };
        let (network, endpoint) = self.ids();
        let made = |end| {
            let id = self.store.new_object_id();
            Write::AddObject(Made { id, network: network.clone(), endpoint: Some(endpoint.clone()), thing: thing(end) })
        };
        let [one, other] = [made(first), made(peer)];
        let set = || self.state("endpoint", vec![b'x'; 400]);
        self.write(vec![set(), one, other, Write::PutEndpoint(self.record())]);
        for writes in [false, true] {
            ["network", "endpoint"].iter().for_each(|key| read(key));
            self.write(writes.then(set).into_iter().chain([Write::PutEndpoint(self.record())]).collect());
        }
        first.key.clone()
    }

    fn transaction(&self) -> Transaction {
        let (network, endpoint) = self.ids();
        let owner = Owner { driver: self.facts.driver.clone(), network, endpoint: Some(endpoint) };
        let (reaper, firewall) = (self.reaper.clone(), self.firewall.clone());
        Transaction::new(self.kernel.clone(), reaper, firewall, self.store.clone(), owner)
    }

    fn gate(&self) -> Gate {
        self.facts.gate(self.policy.clone())
    }

    fn set_state(&self, call: &mut Transaction) {
        let state = self.gate().set_state(call, "endpoint".into(), vec![b'x'; 400]).unwrap();
        call.set_state(state);
    }

    fn ids(&self) -> (Id, Id) {
        (self.facts.network.as_ref().unwrap().id.clone(), self.facts.endpoint.clone().unwrap())
    }

    fn state(&self, key: &str, value: Vec<u8>) -> Write {
        let network = self.ids().0;
        Write::SetState { driver: self.facts.driver.clone(), key: key.to_owned(), network, value }
    }

    fn write(&self, writes: Vec<Write>) {
        self.store.commit(Batch { writes, ..Batch::default() }).unwrap();
    }

    fn record(&self) -> Endpoint {
        let (network, id) = self.ids();
        serde_json::from_value(json!({
            "id": id, "network": network, "name": "e", "is_gateway": false, "is_gateway_ipv6": false,
            "ports": [], "options": {}, "attached": false, "created": now(), "origin": Origin::Native,
        }))
        .unwrap()
    }
}

fn pair() -> Change {
    Change::AddLink(spec())
}

fn spec() -> LinkSpec {
    let end = |name: &str, up| LinkEnd {
        namespace: Namespace::Host,
        name: NewName::Exact(LinkName::new(name).unwrap()),
        mac: None,
        mtu: None,
        master: None,
        addresses: Vec::new(),
        up,
    };
    LinkSpec { end: end("veth0", true), kind: LinkKind::Veth(Box::new(end("veth1", false))) }
}

fn thing(end: &NewLink) -> Thing {
    Thing::Link {
        namespace: Namespace::Host,
        index: end.key.index,
        name: end.name.to_string(),
        peer: None,
        parent: None,
        again: None,
    }
}
