//! Who keeps the daemon busy, and knows what was answered.

use fastrand::Rng;
use pontoon_tests::{Daemon, Namespace};
use serde_json::{Value, json};

use super::client::{Outcome, Sockets};

/// One who asks for one thing after the other.
pub trait Worker: Send {
    /// Asks for something, and answers what became of it.
    fn step(&mut self, sockets: &Sockets, random: &mut Rng) -> Outcome;
    /// After a kill: what was answered is so. What was not answered is learnt now.
    fn check(&mut self, daemon: &Daemon, sockets: &Sockets);
    /// Removes what it has.
    fn tidy(&mut self, sockets: &Sockets);
    /// What it has done.
    fn tell(&self) -> String;
}

/// Whether something is there, as far as anybody was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    Yes,
    No,
    Maybe,
}

impl Known {
    /// After it was to be made, or to be removed. Nothing stays of what could not be made; what could not be removed goes at the next start,
    /// if anything of it has gone.
    pub fn after(making: bool, outcome: &Outcome) -> Self {
        match (making, outcome) {
            (true, Outcome::Done) => Self::Yes,
            (true, Outcome::Cut) | (false, Outcome::Done) => Self::No,
            (_, Outcome::Unknown) | (false, Outcome::Cut) => Self::Maybe,
        }
    }

    /// After a kill. Answers what it is from now on.
    pub fn found(self, what: &str, there: bool) -> Self {
        match self {
            Self::Yes => assert!(there, "{what} was made, and is lost"),
            Self::No => assert!(!there, "{what} was removed, and is there"),
            Self::Maybe => {}
        }
        if there { Self::Yes } else { Self::No }
    }
}

/// Attaches and detaches namespaces of one network, some with a published port.
pub struct Endpoints {
    network: &'static str,
    namespaces: Vec<(Namespace, Known)>,
    done: usize,
}

impl Endpoints {
    pub fn new(daemon: &Daemon, network: &'static str, count: usize) -> Self {
        daemon.ok(&format!("network create --ipv6 {network}"));
        let namespaces: Vec<_> = (0..count).map(|i| (Namespace::new(&format!("{network}-{i}")), Known::No)).collect();
        // A bridge gets its link-local address with its first port.
        daemon.ok(&format!("endpoint attach {network} {}", namespaces[0].0.text()));
        pontoon_tests::until("the bridge", || {
            daemon.host.run("ip -o -6 address show type bridge").matches("fe80").count() > 1
        });
        daemon.ok(&format!("endpoint detach {network} {network}-0"));
        pontoon_tests::until("the bridge to rest", || {
            !daemon
                .host
                .run("ip -o link show type bridge")
                .lines()
                .any(|l| l.contains("LOWER_UP") && l.contains("state DOWN"))
        });
        Self { network, namespaces, done: 0 }
    }
}

impl Worker for Endpoints {
    fn step(&mut self, sockets: &Sockets, random: &mut Rng) -> Outcome {
        let number = random.usize(..self.namespaces.len());
        let (network, (namespace, known)) = (self.network, &mut self.namespaces[number]);
        let attaching = *known == Known::No;
        let answer = if attaching {
            let port = 9000 + number;
            let ports = json!([{"protocol": "tcp", "container_port": 80, "host_port": port, "host_port_end": port}]);
            let ports = if number == 0 { ports } else { json!([]) };
            let body = json!({"namespace": namespace.text(), "ports": ports});
            sockets.admin("POST", &format!("/networks/{network}/endpoints"), &body)
        } else {
            sockets.admin("DELETE", &format!("/networks/{network}/endpoints/{network}-{number}"), &Value::Null)
        };
        let outcome = Outcome::of(answer, if attaching { "attaching" } else { "detaching" });
        *known = Known::after(attaching, &outcome);
        self.done += usize::from(matches!(outcome, Outcome::Done));
        outcome
    }

    fn check(&mut self, daemon: &Daemon, _: &Sockets) {
        let endpoints = daemon.json(&format!("endpoint ls {}", self.network));
        for (number, (namespace, known)) in self.namespaces.iter_mut().enumerate() {
            let name = format!("{}-{number}", self.network);
            let found = endpoints.as_array().unwrap().iter().find(|e| e["name"] == name.as_str());
            *known = known.found(&name, found.is_some());
            let links = namespace.run("ip -o link").lines().count();
            assert_eq!(links, if found.is_some() { 2 } else { 1 }, "links in {name}");
            if let Some(endpoint) = found {
                let address = endpoint["address"].as_str().unwrap().split('/').next().unwrap();
                assert!(daemon.host.pings(address), "{endpoint} does not answer");
            }
        }
    }

    fn tidy(&mut self, sockets: &Sockets) {
        for (number, (_, known)) in self.namespaces.iter().enumerate() {
            if *known == Known::Yes {
                let path = format!("/networks/{0}/endpoints/{0}-{number}", self.network);
                assert_eq!(sockets.admin("DELETE", &path, &Value::Null).unwrap().0, 200);
            }
        }
    }

    fn tell(&self) -> String {
        format!("{} attaches and detaches", self.done)
    }
}

/// Makes and removes a network, always under the same name, with the same bridge and subnet.
pub struct Networks {
    driver: &'static str,
    /// What the probe does.
    acts: &'static str,
    known: Known,
    done: usize,
}

impl Networks {
    pub fn new(driver: &'static str, acts: &'static str) -> Self {
        Self { driver, acts, known: Known::No, done: 0 }
    }

    fn name(&self) -> String {
        format!("net-{}", self.driver)
    }
}

impl Worker for Networks {
    fn step(&mut self, sockets: &Sockets, _: &mut Rng) -> Outcome {
        let (making, name, driver) = (self.known == Known::No, self.name(), self.driver);
        let answer = if making {
            let subnet = if driver == "probe" { "10.77.1.0/24" } else { "10.77.0.0/24" };
            let options = json!({"com.docker.network.bridge.name": "crash0", "probe.do": self.acts});
            let body = json!({"name": name, "driver": driver, "pools": [{"subnet": subnet}], "options": options});
            sockets.admin("POST", "/networks", &body)
        } else {
            sockets.admin("DELETE", &format!("/networks/{name}"), &Value::Null)
        };
        let outcome = Outcome::of(answer, if making { "making a network" } else { "removing a network" });
        self.known = Known::after(making, &outcome);
        self.done += usize::from(matches!(outcome, Outcome::Done));
        outcome
    }

    fn check(&mut self, daemon: &Daemon, _: &Sockets) {
        let (name, networks) = (self.name(), daemon.json("network ls"));
        let there = networks.as_array().unwrap().iter().any(|n| n["name"] == name.as_str());
        self.known = self.known.found(&name, there);
    }

    fn tidy(&mut self, sockets: &Sockets) {
        if self.known == Known::Yes {
            let path = format!("/networks/{}", self.name());
            assert_eq!(sockets.admin("DELETE", &path, &Value::Null).unwrap().0, 200);
        }
    }

    fn tell(&self) -> String {
        format!("{} creates and removes of {}'s networks", self.done, self.driver)
    }
}
