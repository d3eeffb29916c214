//! What giving a container a network asks of the machine, by each of the ways, in figures that another run finds again: system calls and bytes
//! written to files, counted by strace; processor time of all processes that work for it. What the kernel does later counts for nobody.

use std::path::Path;
use std::time::Duration;

use pontoon_tests::{Counts, Daemon, Namespace, Report, Table, Totals, interleaved, processor_time, rounds, traced};

use crate::peer::{Made, Peer, WAYS, Way};

/// Operations that are traced, of which the least counts.
const TRACED: usize = 3;
/// All but the clock of engine processes, which ticks until they end.
const CALLS: Option<&str> = Some("!clock_nanosleep");
/// Operations whose processor time is taken together: the kernel tells it in hundredths of a second.
const BLOCK: usize = 30;
const BLOCKS: usize = 10;
/// What was put off is done by then: links that are condemned, checkpoints.
const AFTER: Duration = Duration::from_millis(300);

pub fn run() {
    let mut report = Report::of("counts");
    // The command line is a process beside the socket's.
    let mut peers: Vec<Peer> = WAYS.into_iter().filter(|(_, way)| *way != Way::CommandLine).map(Peer::new).collect();
    for peer in &peers {
        let sandbox = Namespace::new("warm");
        let made = peer.setup(&sandbox, 0);
        peer.teardown(&sandbox, made);
    }
    let folder = tempfile::tempdir().unwrap();
    let traces: Vec<_> = peers.iter().map(|peer| totals(peer, &folder.path().join("trace"))).collect();
    let mut times: Vec<_> = peers.iter().map(|peer| (peer.name, [0.0; 2])).collect();
    let blocks = rounds(BLOCKS);
    interleaved(blocks, &mut peers, |peer| {
        let taken = block(peer);
        let (_, sum) = times.iter_mut().find(|(name, _)| *name == peer.name).unwrap();
        sum.iter_mut().zip(taken).for_each(|(sum, taken)| *sum += taken);
    });
    let columns = ["calls: setup", "teardown", "KiB written: setup", "teardown", "CPU ms: setup", "teardown"];
    let mut table = Table::new(&format!("what is asked of the machine (CPU: mean of {})", blocks * BLOCK), &columns);
    for ((name, seconds), totals) in times.iter().zip(&traces) {
        let calls = totals.map(|totals| totals.calls as f64);
        let written = totals.map(|totals| totals.written as f64 / 1024.0);
        let each = seconds.map(|seconds| seconds * 1000.0 / (blocks * BLOCK) as f64);
        table.row(name, &[calls, written, each].concat());
    }
    report.table(table);
    bounded(&mut report, folder.path());
    report.save();
}

/// What one setup and one teardown take in all.
fn totals(peer: &Peer, file: &Path) -> [Totals; 2] {
    let one = |number| {
        let (sandbox, mut made) = (Namespace::new("c"), None);
        let setup = trace(peer, file, |file| made = Some(peer.setup_under(&sandbox, number, file)));
        let teardown = trace(peer, file, |file| peer.teardown_under(&sandbox, made.take().unwrap(), file));
        [setup, teardown]
    };
    (2..=TRACED).fold(one(1), |[setup, teardown], number| {
        let next = one(number);
        [setup.least(next[0]), teardown.least(next[1])]
    })
}

/// Of a daemon, its processes are traced; of a program of others, that program; else the thread in which the work is done.
fn trace(peer: &Peer, file: &Path, work: impl FnOnce(Option<&Path>) + Send) -> Totals {
    match peer.way {
        Way::Kernel => {
            let worker = || std::thread::scope(|scope| scope.spawn(|| work(None)).join().unwrap());
            let own = std::process::id();
            let text = traced(&[own], file, CALLS, worker);
            let others = text.lines().filter(|line| !line.starts_with(&format!("{own} ")));
            Totals::of(&others.map(|line| format!("{line}\n")).collect::<String>())
        }
        Way::Socket | Way::CommandLine => {
            let processes: Vec<u32> = peer.daemon().unwrap().processes().iter().map(|process| process.number).collect();
            Totals::of(&traced(&processes, file, CALLS, || work(None)))
        }
        Way::Cni { .. } | Way::Netavark(_) => {
            work(Some(file));
            Totals::of(&std::fs::read_to_string(file).unwrap())
        }
    }
}

/// Seconds of processor time of many setups, and of as many teardowns.
fn block(peer: &Peer) -> [f64; 2] {
    let sandboxes: Vec<Namespace> = (0..BLOCK).map(|_| Namespace::new("c")).collect();
    let numbered = || sandboxes.iter().zip(1..);
    let mut made: Vec<Made> = Vec::new();
    let setup = taken(peer, || made = numbered().map(|(sandbox, number)| peer.setup(sandbox, number)).collect());
    let teardown =
        taken(peer, || made.drain(..).zip(&sandboxes).for_each(|(made, sandbox)| peer.teardown(sandbox, made)));
    [setup, teardown]
}

fn taken(peer: &Peer, work: impl FnOnce()) -> f64 {
    let now = || match peer.daemon() {
        Some(daemon) => daemon.processes().iter().map(|p| processor_time(&p.number.to_string())).sum(),
        None => processor_time("self"),
    };
    let before: f64 = now();
    work();
    std::thread::sleep(AFTER);
    now() - before
}

/// What `scenarios/counts.rs` holds an attach with a published port to, beside what it is to come to.
fn bounded(report: &mut Report, folder: &Path) {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let mut least: Option<[Counts; 2]> = None;
    for _ in 0..=TRACED {
        let sandbox = Namespace::new("c");
        let attach = format!("endpoint attach n {} -p 8080:80", sandbox.text());
        let detach = format!("endpoint detach n {}", sandbox.text());
        let now = [attach, detach].map(|line| {
            let file = folder.join("counts");
            Counts::of(&traced(&[daemon.pid()], &file, Some(Counts::CALLS), || drop(daemon.ok(&line))))
        });
        least = Some(least.map_or(now, |least| [least[0].least(now[0]), least[1].least(now[1])]));
    }
    let columns = ["setns", "sockets", "datagrams", "threads", "store"];
    let mut table = Table::new("system calls of the daemon, with a published port", &columns);
    let least = least.unwrap();
    for (name, c) in ["attach", "detach"].iter().zip(least) {
        table.row(name, &[c.setns, c.sockets, c.datagrams, c.threads, c.store].map(|count| count as f64));
    }
    report.table(table);
    let [attach, _] = least;
    for (what, figure, most) in [
        ("setns in an attach", attach.setns, 4.0),
        ("sockets in an attach", attach.sockets, 3.0),
        ("datagrams in an attach", attach.datagrams, 8.0),
        ("the store's system calls in an attach", attach.store, 25.0),
    ] {
        report.at_most(what, figure as f64, most);
    }
}
