//! What an endpoint and a network cost with many others on the host, beside what the kernel alone takes in the same host's namespace.
//!
//! Endpoints are in networks of their own, [`IN_A_NETWORK`] in each: a bridge has 1,023 ports, a network of /24 253 addresses. As many sandboxes as
//! that have one endpoint in each of these networks.

use pontoon_tests::{Axis, Daemon, Floor, Line, Namespace, Report, Timings, at_once, driver, is_short, rounds};
use serde_json::json;

const ROUNDS: usize = 40;
/// Endpoints that are there meanwhile: `PONTOON_GROWTH` is the largest number.
const ENDPOINTS: [usize; 4] = [10, 100, 1_000, 10_000];
const NETWORKS: [usize; 3] = [10, 100, 1_000];
const IN_A_NETWORK: usize = 250;
/// Clients that add them.
const WORKERS: usize = 8;
/// The kernel's and Pontoon's, in turn.
const OPERATIONS: [&str; 4] = ["attach", "detach", "network create", "network rm"];

pub fn run() {
    let largest =
        std::env::var("PONTOON_GROWTH").map_or(if is_short() { 100 } else { 10_000 }, |text| text.parse().unwrap());
    let mut report = Report::of("growth");
    let mut host = Host::new();
    grow(&mut report, "endpoints", ENDPOINTS.iter().filter(|n| **n <= largest), |from, to| host.endpoints(from, to));
    let mut host = Host::new();
    grow(&mut report, "networks", NETWORKS.iter().filter(|n| **n <= largest), |from, to| host.networks(from, to));
    report.save();
}

/// Measures with so many and so many there.
fn grow<'a>(
    report: &mut Report,
    things: &'static str,
    numbers: impl Iterator<Item = &'a usize>,
    mut add: impl FnMut(usize, usize) -> Timings,
) {
    let (mut before, mut all) = (0, Vec::new());
    for number in numbers {
        let timings = add(before, *number);
        before = *number;
        report.table(timings.table(&format!("beside {number} {things}")));
        all.push((*number as f64, timings));
    }
    let line = |name: &String| -> Line {
        (name.clone(), all.iter().map(|(number, timings)| (*number, timings.median(name))).collect())
    };
    let axis = Axis::Logarithmic(if things == "endpoints" { "endpoints on the host" } else { "networks on the host" });
    let names = |of: &[&str]| of.iter().flat_map(|name| [kernels(name), ours(name)]).collect::<Vec<_>>();
    for (title, operations) in [("An endpoint", &OPERATIONS[..2]), ("A network", &OPERATIONS[2..])] {
        let plot = format!("{things}-{}", operations[0].replace(' ', "-"));
        let lines: Vec<Line> = names(operations).iter().map(line).collect();
        report.lines(&plot, &format!("{title} beside other {things} (median)"), axis, "ms", &lines);
    }
    let ((first, few), (last, many)) = (all.first().unwrap(), all.last().unwrap());
    for operation in OPERATIONS {
        let grown = |name: &str| many.median(name) / few.median(name);
        let what = format!("{operation} beside {last} {things}, times beside {first}, by the kernel's own growth");
        report.at_most(&what, grown(&ours(operation)) / grown(&kernels(operation)), 1.1);
    }
}

fn kernels(operation: &str) -> String {
    format!("the kernel alone: {operation}")
}

fn ours(operation: &str) -> String {
    format!("Pontoon: {operation}")
}

/// A daemon with a crowd.
struct Host {
    daemon: Daemon,
    floor: Floor,
    sandboxes: Vec<Namespace>,
}

impl Host {
    fn new() -> Self {
        let daemon = Daemon::start();
        // As every host has one: without, the MTU of its networks' bridges is that of its links, each of which is looked at.
        for line in [
            "link add out type veth peer name out-end",
            "link set out-end up",
            "link set out up",
            "address add 192.0.2.2/24 dev out",
            "route add default via 192.0.2.1",
        ] {
            daemon.host.run(&format!("ip {line}"));
        }
        let (grant, component) = (daemon.file("grant.toml"), driver("bridge"));
        let usual = std::fs::read_to_string(component.with_extension("grant.toml")).unwrap();
        // Enough for the largest crowd; by default it is for a thousand endpoints.
        let more =
            "limits = { links = 65536, addresses = 65536, routes = 65536, rules = 65536, store-bytes = 268435456, ";
        std::fs::write(&grant, usual.replace("limits = { ", more)).unwrap();
        daemon.ok(&format!("driver load {} --grant {}", component.display(), grant.display()));
        daemon.ok("network create n");
        Self { floor: Floor::at(&daemon.host), daemon, sandboxes: Vec::new() }
    }

    fn endpoints(&mut self, from: usize, to: usize) -> Timings {
        while self.sandboxes.len() < to.min(IN_A_NETWORK) {
            self.sandboxes.push(Namespace::new("o"));
        }
        for network in from.div_ceil(IN_A_NETWORK)..to.div_ceil(IN_A_NETWORK) {
            self.network(network);
        }
        at_once(WORKERS, from..to, |number| {
            let sandbox = &self.sandboxes[number % IN_A_NETWORK];
            let body = json!({"namespace": sandbox.text(), "name": format!("o{number}")}).to_string();
            self.daemon.ask(&format!("POST /networks/other{}/endpoints", number / IN_A_NETWORK), &body);
        });
        self.measure()
    }

    fn networks(&mut self, from: usize, to: usize) -> Timings {
        // Networks that are made at once ask for the same free pool, and are overtaken by each other.
        (from..to).for_each(|number| self.network(number));
        self.measure()
    }

    fn network(&self, number: usize) {
        let body = json!({"name": format!("other{number}"), "driver": "bridge"}).to_string();
        self.daemon.ask("POST /networks", &body);
    }

    fn measure(&self) -> Timings {
        let (daemon, floor, mut timings) = (&self.daemon, &self.floor, Timings::new());
        for round in 0..=rounds(ROUNDS) {
            let [a, b] = ["a", "b"].map(Namespace::new);
            // The first finds nothing warm.
            let (mut first, is_first) = (Timings::new(), round == 0);
            let timings = if is_first { &mut first } else { &mut timings };
            let pair = timings.time(&kernels("attach"), || floor.make(&a));
            timings.time(&kernels("detach"), || floor.delete(&pair));
            let body = json!({"namespace": b.text(), "name": "e"}).to_string();
            timings.time(&ours("attach"), || daemon.ask("POST /networks/n/endpoints", &body));
            timings.time(&ours("detach"), || daemon.ask("DELETE /networks/n/endpoints/e", ""));
            let bridge = timings.time(&kernels("network create"), || floor.make_bridge());
            timings.time(&kernels("network rm"), || floor.delete(&bridge));
            let body = r#"{"name":"m","driver":"bridge"}"#;
            timings.time(&ours("network create"), || daemon.ask("POST /networks", body));
            timings.time(&ours("network rm"), || daemon.ask("DELETE /networks/m", ""));
        }
        timings
    }
}
