//! What an attach and a detach ask of the kernel and of the store's files, as numbers: times depend on the machine, these do not. `strace` counts
//! the daemon's system calls; engine processes and the keyholder are others.
//!
//! The bounds are what it takes today. Whoever brings one down writes the lower number here; one that grows needs a reason.

use pontoon_tests::{Counts, Daemon, Namespace, traced};

/// Operations, of which the least counts: a carrier that comes late is asked for again.
const ROUNDS: usize = 3;

/// Endpoints that are there beside the one that is counted.
const CROWD: usize = 60;
/// What an answer may be longer: numbers in the comments of packet rules grow. The shortest answer about one link more is longer.
const LONGER: usize = 256;
/// Pages of the store that may be written more, twice each: they are full now and then.
const FULLER: usize = 24;

/// At most these, but for the bytes.
#[track_caller]
fn are_within(counts: Counts, most: Counts, what: &str) {
    let within = counts.least(Counts { answers: counts.answers, ..most });
    assert_eq!(counts, within, "{what} takes more than it did: at most {most:?}");
}

/// What a daemon does while something is done with it.
fn counted(daemon: &Daemon, work: impl FnOnce()) -> Counts {
    Counts::of(&traced(&[daemon.pid()], &daemon.file("trace"), Some(Counts::CALLS), work))
}

/// Attaches and detaches with a published port, and counts.
fn endpoint(daemon: &Daemon, network: &str) -> (Counts, Counts) {
    let mut least: Option<(Counts, Counts)> = None;
    for _ in 0..ROUNDS {
        let container = Namespace::new("c");
        let attached =
            counted(daemon, || drop(daemon.ok(&format!("endpoint attach {network} {} -p 8080:80", container.text()))));
        let detached = counted(daemon, || drop(daemon.ok(&format!("endpoint detach {network} {}", container.text()))));
        least = Some(least.map_or((attached, detached), |(a, d)| (a.least(attached), d.least(detached))));
    }
    least.unwrap()
}

/// A daemon that has attached and detached before, so that nothing is opened or planned for the first time.
fn warm(network: &str) -> Daemon {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok(&format!("network create {network} n"));
    for _ in 0..2 {
        let container = Namespace::new("w");
        daemon.ok(&format!("endpoint attach n {} -p 8080:80", container.text()));
        daemon.ok(&format!("endpoint detach n {}", container.text()));
    }
    daemon
}

#[test]
fn an_endpoint_takes_no_more_system_calls_than_it_did() {
    for ipv6 in ["", "--ipv6"] {
        let (attach, detach) = endpoint(&warm(ipv6), "n");
        println!("{ipv6} attach {attach:?}\n{ipv6} detach {detach:?}");
        let most = Counts { setns: 4, sockets: 3, datagrams: 21, answers: 0, threads: 1, store: 94 };
        are_within(attach, most, "an attach");
        let most = Counts { setns: 4, sockets: 2, datagrams: 15, answers: 0, threads: 1, store: 90 };
        are_within(detach, most, "a detach");
    }
}

#[test]
fn it_takes_no_more_beside_many_endpoints() {
    let daemon = warm("--ipv6");
    daemon.ok("network create --ipv6 other");
    let few = endpoint(&daemon, "n");
    let crowd: Vec<Namespace> = (0..CROWD).map(|i| Namespace::new(&format!("c{i}"))).collect();
    for (i, container) in crowd.iter().enumerate() {
        let network = ["n", "other"][i % 2];
        daemon.ok(&format!("endpoint attach {network} {}", container.text()));
    }
    let many = endpoint(&daemon, "n");
    for (few, many, what) in [(few.0, many.0, "an attach"), (few.1, many.1, "a detach")] {
        println!("{what} beside none {few:?}, beside {CROWD} {many:?}");
        let most = Counts { answers: few.answers + LONGER, store: few.store + FULLER, ..few };
        assert_eq!(many, many.least(most), "{what} takes more beside {CROWD} endpoints than beside none: {few:?}");
    }
}
