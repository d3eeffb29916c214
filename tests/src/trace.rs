//! What processes ask of the kernel, as numbers: times depend on the machine, these do not. `strace` counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{KilledAtEnd, until};

/// What processes still do after their answer has ended when they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(150);

/// `strace` as the functions here read it: all system calls of a process and what it starts, with the files' names, into a file.
pub fn strace(file: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-yy", "-s", "0", "-o"]).arg(file);
    strace
}

/// What these processes do while something is done with them, in lines of strace's. `calls` are those that are traced, if not all.
pub fn traced(processes: &[u32], file: &Path, calls: Option<&str>, work: impl FnOnce()) -> String {
    let mut strace = strace(file);
    if let Some(calls) = calls {
        strace.args(["-e", &format!("trace={calls}")]);
    }
    for process in processes {
        strace.args(["-p", &process.to_string()]);
    }
    let child = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut strace = KilledAtEnd(child.unwrap_or_else(|error| panic!("strace: {error}: tests/setup installs it")));
    let mut said = BufReader::new(strace.0.stderr.take().unwrap()).lines();
    for _ in processes {
        let line = said.next().map(Result::unwrap).unwrap_or_default();
        assert!(line.contains("attached"), "strace: {line}");
    }
    std::thread::spawn(move || said.for_each(drop));
    work();
    let (mut length, own) = (0, std::process::id());
    until("the processes are quiet", || {
        std::thread::sleep(QUIET);
        let now = file.metadata().map_or(0, |data| data.len());
        // This one would wait for itself: what it looks with is traced, too.
        std::mem::replace(&mut length, now) == now || processes.contains(&own)
    });
    kill_process(Pid::from_child(&strace.0), Signal::TERM).unwrap();
    strace.0.wait().unwrap();
    std::fs::read_to_string(file).unwrap()
}

/// What one operation took of what has bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Moves into a namespace.
    pub setns: usize,
    /// Sockets that were opened, those that hold published ports included.
    pub sockets: usize,
    /// What was sent to the kernel over netlink.
    pub datagrams: usize,
    /// Bytes of its answers.
    pub answers: usize,
    /// Threads that were started.
    pub threads: usize,
    /// System calls on the store's files.
    pub store: usize,
}

impl Counts {
    /// System calls of which one of these numbers is made, and those that tell files from each other.
    pub const CALLS: &str = "setns,socket,sendto,sendmsg,recvfrom,?clone,clone3,fcntl,pread64,pwrite64,fsync,fdatasync,\
                             ftruncate,fstat,?newfstatat,statx,?unlink,openat,?open";

    /// The least of each.
    pub fn least(self, other: Self) -> Self {
        Self {
            setns: self.setns.min(other.setns),
            sockets: self.sockets.min(other.sockets),
            datagrams: self.datagrams.min(other.datagrams),
            answers: self.answers.min(other.answers),
            threads: self.threads.min(other.threads),
            store: self.store.min(other.store),
        }
    }

    /// From what strace wrote down.
    pub fn of(trace: &str) -> Self {
        let mut counts = Self { setns: 0, sockets: 0, datagrams: 0, answers: 0, threads: 0, store: 0 };
        // What came in, by socket; and those that somebody asks by: the rest only listen.
        let (mut received, mut asked) = (BTreeMap::<&str, usize>::new(), BTreeSet::new());
        each(trace, |call| {
            let socket = call.arguments.split(['<', '>']).nth(1).filter(|socket| socket.starts_with("NETLINK"));
            if let (Some(socket), "recvfrom", Some(length)) = (socket, call.name, call.answer) {
                *received.entry(socket).or_default() += length;
            }
            if call.is_resumed {
                return;
            }
            counts.setns += usize::from(call.name == "setns");
            counts.sockets += usize::from(call.name == "socket");
            let is_thread = call.name == "clone" || call.name == "clone3" && !call.line.contains("ENOSYS");
            counts.threads += usize::from(is_thread);
            counts.store += usize::from(call.arguments.contains("/state/pontoon.db"));
            if let (Some(socket), "sendto" | "sendmsg") = (socket, call.name) {
                counts.datagrams += 1;
                asked.insert(socket);
            }
        });
        counts.answers = received.iter().filter(|(socket, _)| asked.contains(*socket)).map(|(_, bytes)| bytes).sum();
        counts
    }
}

/// What one operation took in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// System calls.
    pub calls: usize,
    /// Bytes written to files.
    pub written: usize,
}

impl Totals {
    /// From what strace wrote down of all system calls.
    pub fn of(trace: &str) -> Self {
        let mut totals = Self { calls: 0, written: 0 };
        each(trace, |call| {
            totals.calls += usize::from(!call.is_resumed);
            let is_file = call.arguments.split('<').nth(1).is_some_and(|name| name.starts_with('/'));
            if let ("write" | "writev" | "pwrite64" | "pwritev", true, Some(length)) = (call.name, is_file, call.answer)
            {
                totals.written += length;
            }
        });
        totals
    }

    /// The least of each.
    pub fn least(self, other: Self) -> Self {
        Self { calls: self.calls.min(other.calls), written: self.written.min(other.written) }
    }
}

/// A line about a system call. One that another thread's came between has two.
struct Call<'a> {
    line: &'a str,
    name: &'a str,
    arguments: &'a str,
    /// What it answered, if that is a number and the line has it.
    answer: Option<usize>,
    is_resumed: bool,
}

fn each<'a>(trace: &'a str, mut see: impl FnMut(Call<'a>)) {
    let mut begun = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, line)) = line.split_once(' ').map(|(thread, line)| (thread, line.trim_start())) else {
            continue;
        };
        let is_resumed = line.starts_with("<...");
        let start = if is_resumed { begun.remove(thread).unwrap_or(line) } else { line };
        if line.ends_with("<unfinished ...>") {
            begun.insert(thread, line);
        }
        // Signals and ends are no calls.
        let Some((name, arguments)) = start.split_once('(').filter(|(name, _)| !name.contains(' ')) else { continue };
        let answer = line.rsplit_once(" = ").and_then(|(_, answer)| answer.split_whitespace().next()?.parse().ok());
        see(Call { line, name, arguments, answer, is_resumed });
    }
}
