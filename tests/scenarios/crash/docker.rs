//! What dockerd does: it chooses the ids, moves the links into its sandboxes, and removes what it does not know of.

use fastrand::Rng;
use pontoon_tests::{Daemon, Namespace};
use serde_json::{Value, json};

use super::client::{Outcome, Sockets};
use super::load::{Known, Worker};

/// An id as Docker has them: the first digits are what names are made of.
fn id(number: usize) -> String {
    format!("{number:012x}{:052x}", 0)
}

fn network(number: usize, subnet: &str) -> Value {
    let (pool, gateway) = (format!("{subnet}.0/24"), format!("{subnet}.1/24"));
    json!({
        "NetworkID": id(number),
        "Options": {"com.docker.network.enable_ipv6": false, "com.docker.network.generic": {}},
        "IPv4Data": [{"AddressSpace": "LocalDefault", "Gateway": gateway, "Pool": pool}],
        "IPv6Data": [],
    })
}

fn endpoint(network: usize, number: usize, more: Value) -> Value {
    let mut body = json!({"NetworkID": id(network), "EndpointID": id(number)});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// The steps in the life of a network with one endpoint.
const STEPS: [&str; 8] = [
    "CreateNetwork",
    "CreateEndpoint",
    "Join",
    "ProgramExternalConnectivity",
    "RevokeExternalConnectivity",
    "Leave",
    "DeleteEndpoint",
    "DeleteNetwork",
];
/// The step out of the sandbox.
const LEAVE: usize = 5;

/// A network with one endpoint, made and removed again and again.
pub struct Docker {
    subnet: String,
    port: usize,
    /// Of this life; the endpoint has the next one. Ids do not come again.
    network: usize,
    /// How many steps were answered.
    answered: usize,
    known: [Known; 2],
    done: usize,
}

impl Docker {
    pub fn new(first: usize) -> Self {
        let subnet = format!("10.78.{}", first >> 8);
        Self { subnet, port: 9100 + (first >> 8), network: first << 16, answered: 0, known: [Known::No; 2], done: 0 }
    }

    fn body(&self, step: &str) -> Value {
        let port = json!([{"Proto": 6, "Port": 80, "HostPort": self.port, "HostPortEnd": self.port}]);
        let more = match step {
            "CreateNetwork" => return network(self.network, &self.subnet),
            "DeleteNetwork" => return json!({"NetworkID": id(self.network)}),
            "CreateEndpoint" => {
                let address = format!("{}.2/24", self.subnet);
                json!({"Interface": {"Address": address, "AddressIPv6": "", "MacAddress": ""}, "Options": {}})
            }
            "Join" => json!({"SandboxKey": "/var/run/docker/netns/none", "Options": {}}),
            "ProgramExternalConnectivity" => json!({"Options": {"com.docker.network.portmap": port}}),
            _ => json!({}),
        };
        endpoint(self.network, self.network + 1, more)
    }

    fn next_life(&mut self) {
        self.network += 2;
        self.answered = 0;
        self.known = [Known::No; 2];
    }
}

impl Worker for Docker {
    fn step(&mut self, sockets: &Sockets, _: &mut Rng) -> Outcome {
        let step = STEPS[self.answered];
        let answer = sockets.docker(&format!("NetworkDriver.{step}"), &self.body(step));
        let outcome = Outcome::of(answer, step);
        match step {
            "CreateNetwork" | "DeleteNetwork" => self.known[0] = Known::after(step == "CreateNetwork", &outcome),
            "CreateEndpoint" | "DeleteEndpoint" => self.known[1] = Known::after(step == "CreateEndpoint", &outcome),
            _ => {}
        }
        match (&outcome, step) {
            (Outcome::Unknown, _) => {}
            (Outcome::Done, "DeleteNetwork") => self.next_life(),
            (Outcome::Done, _) => self.answered += 1,
            // What can't be made is taken back, from where it has come to; what fails on the way out is passed over.
            (Outcome::Cut, "CreateNetwork") => self.next_life(),
            (Outcome::Cut, "CreateEndpoint" | "Join" | "ProgramExternalConnectivity") => self.answered = LEAVE,
            (Outcome::Cut, "RevokeExternalConnectivity" | "Leave") => self.answered += 1,
            (Outcome::Cut, _) => {}
        }
        self.done += usize::from(matches!(outcome, Outcome::Done));
        outcome
    }

    fn check(&mut self, daemon: &Daemon, sockets: &Sockets) {
        let find = |list: Value, id: String| list.as_array().unwrap().iter().any(|n| n["id"] == id.as_str());
        let there = find(daemon.json("network ls"), id(self.network));
        self.known[0] = self.known[0].found("Docker's network", there);
        let there = find(daemon.json("endpoint ls"), id(self.network + 1));
        self.known[1] = self.known[1].found("Docker's endpoint", there);
        // What got no answer dockerd takes for failed: a removal is over for it, and what was to be made it takes back.
        self.tidy(sockets);
        self.next_life();
    }

    fn tidy(&mut self, sockets: &Sockets) {
        for step in ["Leave", "DeleteEndpoint", "DeleteNetwork"] {
            let (status, text) = sockets.docker(&format!("NetworkDriver.{step}"), &self.body(step)).unwrap();
            assert_eq!(status, 200, "{step}: {text}");
        }
    }

    fn tell(&self) -> String {
        format!("{} requests of Docker's", self.done)
    }
}

/// A container that stays: its end of the pair is in its sandbox, as dockerd has it.
pub struct Container {
    pub namespace: Namespace,
    pub address: String,
    /// The index that its link had on the host.
    pub link: u64,
}

impl Container {
    /// Two of one network.
    pub fn pair(daemon: &Daemon, sockets: &Sockets) -> Vec<Self> {
        let ask = |method: &str, body: &Value| -> Value {
            let (status, text) = sockets.docker(&format!("NetworkDriver.{method}"), body).unwrap();
            assert_eq!(status, 200, "{method}: {text}");
            serde_json::from_str(&text).unwrap()
        };
        ask("CreateNetwork", &network(1, "10.79.0"));
        let start = |number: usize| {
            let address = format!("10.79.0.{number}");
            let interface = json!({"Address": format!("{address}/24"), "AddressIPv6": "", "MacAddress": ""});
            ask("CreateEndpoint", &endpoint(1, number, json!({"Interface": interface, "Options": {}})));
            let namespace = Namespace::new(&format!("container-{number}"));
            let joined = ask("Join", &endpoint(1, number, json!({"SandboxKey": namespace.text(), "Options": {}})));
            let link = joined["InterfaceName"]["SrcName"].as_str().unwrap();
            let shown: Value = serde_json::from_str(&daemon.host.run(&format!("ip -j link show {link}"))).unwrap();
            let index = shown[0]["ifindex"].as_u64().unwrap();
            daemon.host.run(&format!("ip link set {link} netns {}", namespace.text()));
            namespace.run(&format!("ip link set {link} name eth0"));
            namespace.run(&format!("ip address add {address}/24 dev eth0"));
            namespace.run("ip link set eth0 up");
            let ready = || namespace.run("ip -o -6 address show dev eth0").contains("fe80");
            pontoon_tests::until("the container's interface", ready);
            Self { namespace, address, link: index }
        };
        [2, 3].map(start).into()
    }
}
