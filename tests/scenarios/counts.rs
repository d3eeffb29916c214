//! What an attach and a detach ask of the kernel and of the store's files, as numbers: times depend on the machine, these do not. `strace` counts
//! the daemon's system calls; engine processes and the keyholder are others.
//!
//! The bounds are what it takes today. Whoever brings one down writes the lower number here; one that grows needs a reason.
//!
//! The datagrams of an attach, which each need the answer of the one before or go to another socket:
//!
//! 1. host: the bridge, which the driver finds by its name
//! 2. host: the pair is made
//! 3. sandbox: which name the kernel gave its end there
//! 4. host: the port's settings, which the kernel takes of a link that is there, and the driver sets by a call of its own
//! 5. sandbox: addresses, up, routes
//! 6. host: what it has learnt of the addresses, and whether the port runs
//! 7. sandbox: whether the end there runs
//! 8. packet rules
//! 9. connections that were tracked before, by a thread
//!
//! Those of a detach:
//!
//! 1. packet rules go
//! 2. host: the pair, which the driver finds by its name
//! 3. sandbox: its end there, whose mark is looked at before it is changed
//! 4. and 5. host and sandbox: the pair is put out of the way
//! 6. host: the pair is deleted, by a thread
//! 7. connections, by a thread; 8. once more, because a detach under `strace` takes longer than the thread waits for more

use pontoon_tests::{Counts, Daemon, Namespace, traced};

/// Operations, of which the least counts: a carrier that comes late is asked for again. On a machine under load what came before goes on for
/// longer, so that where that is not enough there are more.
const ROUNDS: usize = 3;
const MOST_ROUNDS: usize = 15;

/// Endpoints that are there beside the one that is counted.
const CROWD: usize = 60;
/// What the answers may be longer: numbers in the comments of packet rules grow. What is told of each of [`CROWD`] endpoints is much longer.
const LONGER: usize = 1024;
/// Pages of the store that may be written more, twice each: they are full now and then.
const FULLER: usize = 24;

/// At most these.
fn is_within(counts: Counts, most: Counts) -> bool {
    counts == counts.least(most)
}

/// What a daemon does while something is done with it.
fn counted(daemon: &Daemon, work: impl FnOnce()) -> Counts {
    Counts::of(&traced(&[daemon.pid()], &daemon.file("trace"), Some(Counts::CALLS), work))
}

/// Attaches and detaches with a published port, and counts, until it is `few` enough.
fn endpoint(daemon: &Daemon, network: &str, few: impl Fn(Counts, Counts) -> bool) -> (Counts, Counts) {
    let mut least: Option<(Counts, Counts)> = None;
    for round in 0..MOST_ROUNDS {
        if round >= ROUNDS && least.is_some_and(|(attached, detached)| few(attached, detached)) {
            break;
        }
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
        let attach = Counts { setns: 4, sockets: 3, datagrams: 9, answers: usize::MAX, threads: 1, store: 94 };
        let detach = Counts { setns: 2, sockets: 1, datagrams: 8, answers: usize::MAX, threads: 1, store: 90 };
        let found = endpoint(&warm(ipv6), "n", |a, d| is_within(a, attach) && is_within(d, detach));
        println!("{ipv6} attach {:?}\n{ipv6} detach {:?}", found.0, found.1);
        assert!(is_within(found.0, attach), "an attach takes more than it did: {:?}, at most {attach:?}", found.0);
        assert!(is_within(found.1, detach), "a detach takes more than it did: {:?}, at most {detach:?}", found.1);
    }
}

#[test]
fn it_takes_no_more_beside_many_endpoints() {
    let daemon = warm("--ipv6");
    daemon.ok("network create --ipv6 other");
    let few = endpoint(&daemon, "n", |_, _| true);
    let crowd: Vec<Namespace> = (0..CROWD).map(|i| Namespace::new(&format!("c{i}"))).collect();
    for (i, container) in crowd.iter().enumerate() {
        let network = ["n", "other"][i % 2];
        daemon.ok(&format!("endpoint attach {network} {}", container.text()));
    }
    let [attach, detach] =
        [few.0, few.1].map(|few| Counts { answers: few.answers + LONGER, store: few.store + FULLER, ..few });
    let many = endpoint(&daemon, "n", |a, d| is_within(a, attach) && is_within(d, detach));
    for (most, many, what) in [(attach, many.0, "an attach"), (detach, many.1, "a detach")] {
        println!("{what} beside {CROWD}: {many:?}; beside none it may take {most:?}");
        assert!(
            is_within(many, most),
            "{what} takes more beside {CROWD} endpoints than beside none: {many:?}, {most:?}"
        );
    }
}
