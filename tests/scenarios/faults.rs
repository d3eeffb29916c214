//! A driver that fails or traps at each of its host calls in turn leaves kernel, store and tables as they were.
//!
//! The failures are injected by the host: for each exported function of an operation, at its first host call, its second, and so on until
//! the operation comes through. What is deleted in spite of the driver must be gone.

use std::cell::Cell;
use std::net::{TcpListener, UdpSocket};

use operation::driver::CallTrace;
use pontoon::answers::Fault;
use pontoon_tests::{Bench, Namespace, attach, create, same_at_last};
use serde_json::{Value, json};
use words::Result;

/// The settings that `forwarding.allow` switches on for the whole host.
const FORWARDING: [&str; 3] =
    ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"];

/// A host with a driver and two sandboxes.
struct Stage {
    bench: Bench,
    sandbox: Namespace,
    /// Attached all the time: a bridge gets its IPv6 addresses with its first port.
    neighbour: Namespace,
    driver: &'static str,
    /// Whether there is a network to attach it to.
    reaches_sandbox: Cell<bool>,
    /// Options of the network.
    network: Value,
    /// Options of the endpoint.
    endpoint: Value,
}

/// All that must be as it was.
type Seen = (String, Option<String>, String);

impl Stage {
    fn new(driver: &'static str, file: &str, network: Value, endpoint: Value) -> Self {
        let bench = Bench::new();
        let configuration: &[_] = if driver == "probe" { &[("probe.in-sandbox", "yes")] } else { &[] };
        bench.load(driver, file, configuration);
        // Forwarding stays on once it was allowed: it is on before.
        bench.host.run(&format!("sysctl -w {}", FORWARDING.map(|setting| format!("{setting}=1")).join(" ")));
        let [sandbox, neighbour] = ["sandbox", "neighbour"].map(Namespace::new);
        Self { bench, sandbox, neighbour, driver, reaches_sandbox: Cell::new(false), network, endpoint }
    }

    fn probe(network: &str, endpoint: &str) -> Self {
        let network = json!({"ipv6": true, "options": {"probe.do": network}});
        Self::new("probe", "test/probe", network, json!({"options": {"probe.do": endpoint}}))
    }

    fn see(&self) -> Seen {
        // Before there is a network, nothing reaches into the sandbox.
        let sandbox = self.reaches_sandbox.get().then(|| self.sandbox.dump());
        let host = format!("{}# ports\n{:?}\n", self.bench.host.dump(), taken_ports(&self.bench.host));
        (host, sandbox, self.bench.stored())
    }

    /// What is there once the kernel has come to rest.
    fn rest(&self) -> Seen {
        for _ in 0..200 {
            let seen = self.see();
            if !seen.0.contains("tentative") && seen == self.see() {
                return seen;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the kernel does not come to rest");
    }

    fn create(&self) -> Result<Vec<CallTrace>> {
        let create = create("n", self.driver, &self.network);
        self.bench.wait(self.bench.controller.create_network(create)).map(|created| created.calls)
    }

    fn attach(&self) -> Result<Vec<CallTrace>> {
        let attach = attach(&self.sandbox, &self.endpoint);
        self.bench.wait(self.bench.controller.attach("n", attach)).map(|attached| attached.calls)
    }

    fn attach_neighbour(&self) {
        self.bench.wait(self.bench.controller.attach("n", attach(&self.neighbour, &json!({})))).unwrap();
    }

    fn detach(&self) -> Result<Vec<CallTrace>> {
        self.bench.wait(self.bench.controller.detach(Some("n"), "sandbox")).map(|removed| removed.calls)
    }

    fn remove(&self) -> Result<Vec<CallTrace>> {
        self.bench.wait(self.bench.controller.remove_network("n")).map(|removed| removed.calls)
    }

    fn fault(&self, function: &'static str, fault: Fault) {
        self.bench.controller.inject_into(function, fault);
    }

    fn no_fault(&self) {
        self.bench.controller.inject(None);
    }

    /// Fails at every host call of a function in turn: each time, all is as before. Answers how many there were. In the end the operation
    /// has come through.
    fn fail_each(
        &self,
        function: &'static str,
        operation: impl Fn() -> Result<Vec<CallTrace>>,
        back: impl Fn(),
    ) -> u32 {
        let before = self.rest();
        let mut number = 0;
        loop {
            number += 1;
            for fault in [Fault::Error(number), Fault::Trap(number)] {
                self.fault(function, fault);
                let ended = operation();
                self.no_fault();
                if let Ok(calls) = ended {
                    if host_calls(&calls, function) < number {
                        return number - 1;
                    }
                    // The driver took an error in its stride, and may.
                    assert_eq!(fault, Fault::Error(number), "{function} went well after a trap");
                    back();
                }
                eprintln!("{function}: {fault:?}");
                same_at_last(|| self.see(), &before);
            }
        }
    }

    /// The same for what is removed in spite of its driver: it is made each time, and afterwards all of it must be gone, but for
    /// what the driver remembers: that belongs to the network, and goes with it.
    fn remove_each(
        &self,
        function: &'static str,
        make: impl Fn() -> Result<Vec<CallTrace>>,
        remove: impl Fn() -> Result<Vec<CallTrace>>,
    ) -> u32 {
        let see = || {
            let (host, sandbox, store) = self.see();
            let remembered = |line: &&str| sandbox.is_some() && line.starts_with("state: ");
            let store: Vec<_> = store.lines().filter(|l| !remembered(l)).map(str::to_owned).collect();
            (host, sandbox, store)
        };
        self.rest();
        let before = see();
        let mut number = 0;
        loop {
            number += 1;
            for fault in [Fault::Error(number), Fault::Trap(number)] {
                make().unwrap();
                self.fault(function, fault);
                let ended = remove();
                self.no_fault();
                eprintln!("{function}: {fault:?}");
                same_at_last(see, &before);
                if host_calls(&ended.unwrap(), function) < number {
                    return number - 1;
                }
            }
        }
    }

    /// Every exported function of a network's and an endpoint's life.
    fn whole_life(&self) {
        let empty = self.rest();
        let mut count = self.fail_each("create-network", || self.create(), || drop(self.remove()));
        assert!(count > 3, "create-network made {count} host calls");
        self.attach_neighbour();
        self.reaches_sandbox.set(true);
        let quiet = self.rest();
        for function in ["create-endpoint", "join", "program-external-connectivity", "endpoint-oper-info"] {
            count += self.fail_each(function, || self.attach(), || drop(self.detach()));
            self.detach().unwrap();
            same_at_last(|| self.see(), &quiet);
        }
        for function in ["revoke-external-connectivity", "leave", "delete-endpoint"] {
            count += self.remove_each(function, || self.attach(), || self.detach());
        }
        self.bench.wait(self.bench.controller.detach(Some("n"), "neighbour")).unwrap();
        self.remove().unwrap();
        self.reaches_sandbox.set(false);
        same_at_last(|| self.see(), &empty);
        count += self.remove_each("delete-network", || self.create(), || self.remove());
        eprintln!("{count} host calls");
    }
}

/// Those of the ports that a driver takes here which no program of the host could bind: no dump shows a socket that does nothing.
fn taken_ports(host: &Namespace) -> Vec<u16> {
    const ALL: [&str; 2] = ["0.0.0.0", "::"];
    // A process that another test starts has copies of this one's sockets for a moment, until it executes its program.
    let stays = |taken: &dyn Fn() -> bool| {
        let still = |_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            taken()
        };
        taken() && (0..20).all(still)
    };
    let is_taken = move |port: &u16| stays(&|| ALL.iter().any(|all| TcpListener::bind((*all, *port)).is_err()));
    let is_taken_udp = move |port: &u16| stays(&|| ALL.iter().any(|all| UdpSocket::bind((*all, *port)).is_err()));
    let ports = || (4240..4260).chain([8080]);
    host.enter(move || ports().filter(is_taken).chain(ports().filter(is_taken_udp)).collect()).join().unwrap()
}

fn host_calls(calls: &[CallTrace], function: &str) -> u32 {
    let of = calls.iter().filter(|call| call.function == function).map(|call| call.host_calls.len());
    u32::try_from(of.max().unwrap_or(0)).unwrap()
}

#[test]
fn bridge() {
    let ports = json!([{"protocol": "tcp", "container_port": 80, "host_port": 8080}]);
    let stage = Stage::new("bridge", "bridge", json!({"ipv6": true}), json!({"ports": ports}));
    stage.whole_life();
}

/// The probe's own part of each call; its actions have tests of their own.
#[test]
fn probe() {
    Stage::probe("network-info", "interface-info join-info").whole_life();
}

/// One action of the probe, in `create-network`, and removed with what it leaves behind.
fn action(name: &str) {
    let stage = Stage::probe(name, "");
    let empty = stage.rest();
    let count = stage.fail_each("create-network", || stage.create(), || drop(stage.remove()));
    assert!(count > 5, "{name} made {count} host calls");
    stage.remove().unwrap();
    same_at_last(|| stage.see(), &empty);
}

/// At the same time: most of the time is the kernel's, which waits when links are deleted.
#[test]
fn every_action_of_the_probe() {
    let actions = [
        "store tables",
        "log clock random configuration",
        "namespaces",
        "links",
        "kinds",
        "addresses",
        "routes",
        "rules",
        "neighbours",
        "nftables",
        "sysctls",
        "ports",
    ];
    let running = actions.map(|name| (name, std::thread::spawn(move || action(name))));
    let failed: Vec<_> = running.into_iter().filter_map(|(name, thread)| thread.join().err().map(|_| name)).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Here it is off before, and a failed call leaves it so.
#[test]
fn forwarding() {
    let stage = Stage::probe("forwarding", "");
    stage.bench.host.run(&format!("sysctl -w {}", FORWARDING.map(|setting| format!("{setting}=0")).join(" ")));
    let count = stage.fail_each("create-network", || stage.create(), || drop(stage.remove()));
    assert!(count > 5, "forwarding made {count} host calls");
}
