//! What an endpoint costs: the kernel's part alone beside Pontoon's whole, in one run, interleaved.
//!
//! - floor: one link pair into a namespace, its address and its default route, straight through the kernel layer
//! - its calls but for the host's part: what sandbox, gate, trace and transaction add to the kernel's work
//! - attach, detach: the whole operation in this process: four or three driver calls in fresh instances, gate, store
//! - the same by the command line: a process, HTTP over the unix socket, JSON
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

use std::time::Duration;

use kernel::{Change, Config, Kernel, LinkEnd, LinkKind, LinkSpec, Namespace as At, NewName, Outcome, Route};
use operation::driver::CallTrace;
use pontoon_tests::{Bench, Daemon, Namespace, Timings, attach, create};
use serde_json::json;
use words::LinkName;

/// Rounds: enough for a steady median, few enough for a minute.
const ROUNDS: usize = 60;

fn main() {
    let bench = Bench::new();
    bench.load("bridge", "bridge", &[]);
    bench.wait(bench.controller.create_network(create("n", "bridge", &json!({"ipv6": true})))).unwrap();
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let floor = Floor::new();
    let mut timings = Timings::of(&[
        "floor: make",
        "floor: delete",
        "attach",
        "its calls but for the host's part",
        "detach",
        "attach by command line",
        "detach by command line",
    ]);
    for _ in 0..ROUNDS {
        let [a, b, c] = ["a", "b", "c"].map(Namespace::new);
        let made = timings.time("floor: make", || floor.make(&a));
        timings.time("floor: delete", || floor.delete(&made));
        let request = attach(&b, &json!({}));
        let attached = timings.time("attach", || bench.wait(bench.controller.attach("n", request)).unwrap());
        timings.note("its calls but for the host's part", own_part(&attached.calls));
        timings.time("detach", || bench.wait(bench.controller.detach(Some("n"), b.text())).unwrap());
        timings.time("attach by command line", || daemon.ok(&format!("endpoint attach n {}", c.text())));
        timings.time("detach by command line", || daemon.ok(&format!("endpoint detach n {}", c.text())));
    }
    timings.print();
    println!(
        "attach is {:.1} times its floor; detach is {:.2} of the kernel's own delete",
        timings.median("attach") / timings.median("floor: make"),
        timings.median("detach") / timings.median("floor: delete")
    );
}

/// What an endpoint's three calls take beside what they ask of the host: a fresh sandbox each, the driver's own code, the gate's and the
/// trace's bookkeeping, and the transaction's commit.
fn own_part(calls: &[CallTrace]) -> Duration {
    let three = calls.iter().filter(|call| call.function != "endpoint-oper-info");
    let own = three.map(|call| call.micros.saturating_sub(call.host_calls.iter().map(|asked| asked.micros).sum()));
    Duration::from_micros(own.sum())
}

/// A bridge and what is asked of the kernel for one endpoint.
struct Floor {
    _host: Namespace,
    kernel: Kernel,
    bridge: u32,
}

impl Floor {
    fn new() -> Self {
        let host = Namespace::new("floor");
        let file = std::fs::File::open(host.path()).unwrap();
        let kernel = Kernel::new(Config {
            host: std::os::fd::OwnedFd::from(file).into(),
            instance: 1,
            run_folder: std::env::temp_dir(),
        })
        .unwrap();
        let addresses = vec!["10.9.0.1/24".parse().unwrap()];
        let spec = LinkSpec { end: LinkEnd { addresses, up: true, ..end(At::Host, "br0") }, kind: LinkKind::Bridge };
        let applied = kernel.apply(&[Change::AddLink(spec)]).unwrap();
        let Outcome::Link(bridge, _) = &applied[0].outcome else { panic!("no link") };
        Self { bridge: bridge.key.index, _host: host, kernel }
    }

    fn make(&self, sandbox: &Namespace) -> Change {
        let at = At::At(self.kernel.sandbox(sandbox.path()).unwrap());
        let peer = LinkEnd { addresses: vec!["10.9.0.2/24".parse().unwrap()], up: true, ..end(at, "eth0") };
        let first = LinkEnd { master: Some(self.bridge), up: true, ..end(At::Host, "veth0") };
        let applied = self
            .kernel
            .apply(&[Change::AddLink(LinkSpec { end: first, kind: LinkKind::Veth(Box::new(peer)) })])
            .unwrap();
        let Outcome::Link(host_end, Some(peer)) = &applied[0].outcome else { panic!("no pair") };
        let (destination, gateway) = ("0.0.0.0/0".parse().unwrap(), "10.9.0.1".parse().ok());
        let route = Route { link: peer.key.clone(), destination, gateway, source: None, table: None, metric: None };
        self.kernel.apply(&[Change::AddRoute(route)]).unwrap();
        Change::RemoveLink(host_end.key.clone())
    }

    fn delete(&self, made: &Change) {
        self.kernel.apply(std::slice::from_ref(made)).unwrap();
    }
}

fn end(namespace: At, name: &str) -> LinkEnd {
    let name = NewName::Exact(LinkName::new(name).unwrap());
    LinkEnd { namespace, name, mac: None, mtu: None, master: None, addresses: Vec::new(), up: false }
}
