//! What an attach and a detach ask of the kernel and of the store's files, as numbers: times depend on the machine, these do not. `strace` counts
//! the daemon's system calls; engine processes and the keyholder are others.
//!
//! The bounds are what it takes today. Whoever brings one down writes the lower number here; one that grows needs a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pontoon_tests::{Daemon, KilledAtEnd, Namespace, until};
use rustix::process::{Pid, Signal, kill_process};

/// System calls of which one of these numbers is made, and those that tell files from each other.
const TRACED: &str = "trace=setns,socket,sendto,sendmsg,recvfrom,?clone,clone3,fcntl,pread64,pwrite64,fsync,fdatasync,\
                      ftruncate,fstat,?newfstatat,statx,?unlink,openat,?open";
/// What the daemon still does after its answer has ended when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(150);
/// Operations, of which the least counts: a carrier that comes late is asked for again. On a machine under load what came before goes on for
/// longer than [`QUIET`], so that where that is not enough there are more.
const ROUNDS: usize = 3;
const MOST_ROUNDS: usize = 15;

/// Endpoints that are there beside the one that is counted.
const CROWD: usize = 60;
/// What the answers may be longer: numbers in the comments of packet rules grow. What is told of each of [`CROWD`] endpoints is much longer.
const LONGER: usize = 1024;
/// Pages of the store that may be written more, twice each: they are full now and then.
const FULLER: usize = 24;

/// What one operation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    /// Moves into a namespace.
    setns: usize,
    /// Sockets that were opened, those that hold published ports included.
    sockets: usize,
    /// What was sent to the kernel over netlink.
    datagrams: usize,
    /// Bytes of its answers.
    answers: usize,
    /// Threads that were started.
    threads: usize,
    /// System calls on the store's files.
    store: usize,
}

impl Counts {
    /// The least of each.
    fn least(self, other: Self) -> Self {
        Self {
            setns: self.setns.min(other.setns),
            sockets: self.sockets.min(other.sockets),
            datagrams: self.datagrams.min(other.datagrams),
            answers: self.answers.min(other.answers),
            threads: self.threads.min(other.threads),
            store: self.store.min(other.store),
        }
    }

    /// At most these.
    fn is_within(self, most: Self) -> bool {
        self == self.least(most)
    }

    /// From what strace wrote down.
    fn of(trace: &str) -> Self {
        let mut counts = Self { setns: 0, sockets: 0, datagrams: 0, answers: 0, threads: 0, store: 0 };
        // Threads whose call another one's came between; what came in, by socket; and those that somebody asks by: the rest only listen.
        let (mut begun, mut received, mut asked) = (BTreeMap::new(), BTreeMap::<&str, usize>::new(), BTreeSet::new());
        for line in trace.lines() {
            let Some((thread, call)) = line.split_once(' ').map(|(thread, call)| (thread, call.trim_start())) else {
                continue;
            };
            let is_resumed = call.starts_with("<...");
            let start = if is_resumed { begun.remove(thread).unwrap_or(call) } else { call };
            if call.ends_with("<unfinished ...>") {
                begun.insert(thread, call);
            }
            let (name, arguments) = start.split_once('(').unwrap_or_default();
            let socket = arguments.split(['<', '>']).nth(1).filter(|socket| socket.starts_with("NETLINK"));
            if let (Some(socket), "recvfrom", Some((_, length))) = (socket, name, call.rsplit_once(" = ")) {
                *received.entry(socket).or_default() += length.parse::<usize>().unwrap_or(0);
            }
            if is_resumed {
                continue;
            }
            counts.setns += usize::from(name == "setns");
            counts.sockets += usize::from(name == "socket");
            counts.threads += usize::from(name == "clone" || name == "clone3" && !call.contains("ENOSYS"));
            counts.store += usize::from(arguments.contains("/state/pontoon.db"));
            if let (Some(socket), "sendto" | "sendmsg") = (socket, name) {
                counts.datagrams += 1;
                asked.insert(socket);
            }
        }
        counts.answers = received.iter().filter(|(socket, _)| asked.contains(*socket)).map(|(_, bytes)| bytes).sum();
        counts
    }
}

/// What a daemon does while something is done with it.
fn counted(daemon: &Daemon, work: impl FnOnce()) -> Counts {
    let file: PathBuf = daemon.file("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-yy", "-s", "0", "-e", TRACED, "-p", &daemon.pid().to_string(), "-o"]).arg(&file);
    let child = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut strace = KilledAtEnd(child.unwrap_or_else(|error| panic!("strace: {error}: tests/setup installs it")));
    let mut said = BufReader::new(strace.0.stderr.take().unwrap()).lines();
    let first = said.next().map(Result::unwrap).unwrap_or_default();
    assert!(first.contains("attached"), "strace: {first}");
    std::thread::spawn(move || said.for_each(drop));
    work();
    let mut length = 0;
    until("the daemon is quiet", || {
        std::thread::sleep(QUIET);
        let now = size(&file);
        std::mem::replace(&mut length, now) == now
    });
    kill_process(Pid::from_child(&strace.0), Signal::TERM).unwrap();
    strace.0.wait().unwrap();
    Counts::of(&std::fs::read_to_string(file).unwrap())
}

fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |data| data.len())
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
        let attach = Counts { setns: 4, sockets: 3, datagrams: 21, answers: usize::MAX, threads: 1, store: 94 };
        let detach = Counts { setns: 4, sockets: 2, datagrams: 15, answers: usize::MAX, threads: 1, store: 90 };
        let found = endpoint(&warm(ipv6), "n", |a, d| a.is_within(attach) && d.is_within(detach));
        println!("{ipv6} attach {:?}\n{ipv6} detach {:?}", found.0, found.1);
        assert!(found.0.is_within(attach), "an attach takes more than it did: {:?}, at most {attach:?}", found.0);
        assert!(found.1.is_within(detach), "a detach takes more than it did: {:?}, at most {detach:?}", found.1);
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
    let many = endpoint(&daemon, "n", |a, d| a.is_within(attach) && d.is_within(detach));
    for (most, many, what) in [(attach, many.0, "an attach"), (detach, many.1, "a detach")] {
        println!("{what} beside {CROWD}: {many:?}; beside none it may take {most:?}");
        assert!(
            many.is_within(most),
            "{what} takes more beside {CROWD} endpoints than beside none: {many:?}, {most:?}"
        );
    }
}
