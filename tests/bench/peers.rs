//! What giving a container a network costs, beside what other programs take for the same, in one run, interleaved: alone, and many at once.

use std::time::{Duration, Instant};

use pontoon_tests::{Namespace, Report, Table, Timings, interleaved, is_short, rounds};

use crate::peer::{Made, Peer, WAYS, Way};

const ROUNDS: usize = 30;
/// As many containers start at once: a pod's or a small compose file's, and a node's after a boot.
const TOGETHER: [(usize, &str, usize); 2] = [(16, "16 at once", 5), (200, "200 at once", 2)];
/// Teardowns of many are not measured.
const WORKERS: usize = 8;
/// The kernel takes namespaces and links away for a while after they are gone, and keeps others from their links meanwhile: what one leaves is
/// not to be in the next one's time.
const AFTER_ONE: Duration = Duration::from_millis(150);
/// After many, until so many changes of a link in a row took no longer than this, program included.
const QUICK: (u32, Duration) = (10, Duration::from_millis(10));
const PAUSE: Duration = Duration::from_millis(100);

pub fn run() {
    let mut peers = WAYS.map(Peer::new);
    let [mut setups, mut teardowns] = [Timings::new(), Timings::new()];
    // The first finds nothing warm.
    interleaved(1, &mut peers, |peer| one(peer, 0, &mut [&mut Timings::new(), &mut Timings::new()]));
    let mut number = 0;
    interleaved(rounds(ROUNDS), &mut peers, |peer| {
        number += 1;
        one(peer, number, &mut [&mut setups, &mut teardowns]);
    });
    let together = TOGETHER.map(|(count, _, rounds)| {
        let (count, rounds) = if is_short() { (count.min(20), 2) } else { (count, rounds) };
        let mut timings = Timings::new();
        interleaved(rounds, &mut peers, |peer| {
            number += count;
            many(peer, number, count, &mut timings);
        });
        timings
    });
    let mut report = Report::of("peers");
    let columns = ["setup", "p95", "teardown", "p95", TOGETHER[0].1, TOGETHER[1].1];
    let mut table = Table::new(&format!("a container's network (ms, median of {})", rounds(ROUNDS)), &columns);
    for (name, _) in WAYS {
        let pairs = [&setups, &teardowns].map(|timings| [timings.median(name), timings.at(name, 0.95)]);
        table.row(name, &[pairs.concat(), together.iter().map(|timings| timings.median(name)).collect()].concat());
    }
    report.table(table);
    let bars = |timings: &Timings| WAYS.map(|(name, _)| (name.to_owned(), timings.median(name)));
    report.bars("setup", "A container gets a network (median)", "ms", &bars(&setups));
    report.bars("teardown", "A container's network goes (median)", "ms", &bars(&teardowns));
    report.bars("together", "16 containers at once get a network (median)", "ms", &bars(&together[0]));
    report.bars("burst", "200 containers at once get a network (median)", "ms", &bars(&together[1]));
    goals(&mut report, [&setups, &teardowns, &together[0]]);
    report.save();
}

fn goals(report: &mut Report, [setups, teardowns, together]: [&Timings; 3]) {
    let name = |way: Way| WAYS.iter().find(|(_, known)| *known == way).unwrap().0;
    let [kernel, pontoon] = [Way::Kernel, Way::Socket].map(name);
    let times = |timings: &Timings, way: Way| timings.median(name(way)) / timings.median(pontoon);
    let (cni, netavark) = (Way::Cni { masquerades: true }, Way::Netavark("nftables"));
    report.at_most("attach, times the kernel alone", setups.median(pontoon) / setups.median(kernel), 2.0);
    let detach = teardowns.median(pontoon) / teardowns.median(kernel);
    report.at_most("detach as its caller sees it, times the kernel's delete", detach, 0.05);
    report.at_least("attach, times as fast as CNI with ipMasq", times(setups, cni), 12.0);
    report.at_least("attach, times as fast as netavark with nftables", times(setups, netavark), 15.0);
    report.at_least("detach, times as fast as CNI with ipMasq", times(teardowns, cni), 30.0);
    report.at_least("detach, times as fast as netavark with nftables", times(teardowns, netavark), 30.0);
    report.at_most("16 attaches at once, times one", together.median(pontoon) / setups.median(pontoon), 6.0);
}

fn one(peer: &Peer, number: usize, [setups, teardowns]: &mut [&mut Timings; 2]) {
    let sandbox = Namespace::new("c");
    std::thread::sleep(AFTER_ONE);
    let made = setups.time(peer.name, || peer.setup(&sandbox, number));
    assert!(sandbox.run("ip -4 -brief address show dev eth0").contains('/'), "{}: no address", peer.name);
    std::thread::sleep(AFTER_ONE);
    teardowns.time(peer.name, || peer.teardown(&sandbox, made));
}

/// Until nobody waits for the kernel any more who changes a link.
fn wait_for_rest(sandbox: &Namespace) {
    let mut quick = 0;
    while quick < QUICK.0 {
        std::thread::sleep(PAUSE);
        let begin = Instant::now();
        sandbox.run("ip link set lo mtu 65535");
        quick = if begin.elapsed() < QUICK.1 { quick + 1 } else { 0 };
    }
}

/// Containers with the numbers below this one.
fn many(peer: &Peer, number: usize, count: usize, timings: &mut Timings) {
    let sandboxes: Vec<Namespace> = (0..count).map(|_| Namespace::new("c")).collect();
    wait_for_rest(&sandboxes[0]);
    let made: Vec<Made> = timings.time(peer.name, || {
        std::thread::scope(|scope| {
            let begin = |(at, sandbox)| scope.spawn(move || peer.setup(sandbox, number - at));
            let all: Vec<_> = sandboxes.iter().enumerate().map(begin).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        })
    });
    let all = std::sync::Mutex::new(made.into_iter().zip(&sandboxes));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((made, sandbox)) = all.lock().unwrap().next() else { return };
                    peer.teardown(sandbox, made);
                }
            });
        }
    });
}
