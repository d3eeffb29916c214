//! What an endpoint costs: the kernel's part alone beside Pontoon's whole, in one run, interleaved.
//!
//! - floor: one link pair into a namespace, its address and its default route, straight through the kernel layer
//! - its calls but for the host's part: what sandbox, gate, trace and transaction add to the kernel's work
//! - attach, detach: the whole operation in this process: four or three driver calls in fresh instances, gate, store
//! - the same by the command line: a process, HTTP over the unix socket, JSON

use std::time::Duration;

use operation::driver::CallTrace;
use pontoon_tests::{Bench, Daemon, Floor, Namespace, Report, Timings, attach, create, rounds};
use serde_json::json;

/// Rounds: enough for a steady median, few enough for a minute.
const ROUNDS: usize = 60;

pub fn run() {
    let bench = Bench::new();
    bench.load("bridge", "bridge", &[]);
    bench.wait(bench.controller.create_network(create("n", "bridge", &json!({"ipv6": true})))).unwrap();
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let host = Namespace::new("floor");
    let floor = Floor::at(&host);
    let mut timings = Timings::new();
    for _ in 0..rounds(ROUNDS) {
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
    let mut report = Report::of("attach");
    report.table(timings.table("an endpoint, with IPv6, in this process"));
    println!(
        "attach is {:.1} times its floor; detach is {:.2} of the kernel's own delete",
        timings.median("attach") / timings.median("floor: make"),
        timings.median("detach") / timings.median("floor: delete")
    );
    report.save();
}

/// What an endpoint's three calls take beside what they ask of the host: a fresh sandbox each, the driver's own code, the gate's and the
/// trace's bookkeeping, and the transaction's commit.
fn own_part(calls: &[CallTrace]) -> Duration {
    let three = calls.iter().filter(|call| call.function != "endpoint-oper-info");
    let own = three.map(|call| call.micros.saturating_sub(call.host_calls.iter().map(|asked| asked.micros).sum()));
    Duration::from_micros(own.sum())
}
