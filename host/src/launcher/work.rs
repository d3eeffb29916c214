//! The launcher's own work: one thread, one wish after the other.
//!
//! It reads nothing that came from a driver: files go through its hands unread, and what it starts has no way to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::{Reply, Wish};
use crate::confine::{self, Kind};
use kernel::process::{Side, receive, send, split};
use words::limit::{COMPONENT, PROCESSES};
use words::{Error, Result};

/// How long a process is waited for that was killed: one with much memory takes its time, and meanwhile others wait for this one.
const ENDING: Duration = Duration::from_millis(50);

/// What an engine process is given: it is as confined as it can be but for its system calls.
pub struct Inside {
    /// The code that it is to run.
    pub code: OwnedFd,
    /// Its ends of the lines.
    pub lines: Vec<OwnedFd>,
}

/// The processes that run, each with its user: no two have the same.
type Processes = BTreeMap<i32, u32>;

/// Answers the daemon until that is gone, whose end of the socket is this process's standard input. `inside` is what each engine process does.
pub fn work(folder: &Path, inside: impl Fn(Inside) -> Result<()>) -> Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(|e| Error::internal(format!("opening /dev/null: {e}")))?;
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|e| Error::internal(format!("taking the socket over: {e}")))?;
    let mapped = mapped().map_err(|e| Error::internal(format!("reading /proc/self/statm: {e}")))?;
    confine::launcher(folder);
    let first = confine::first_user().map_err(|e| Error::internal(format!("choosing users: {e}")))?;
    let launcher = rustix::process::getpid();
    let mut processes = Processes::new();
    let mut ending = Vec::new();
    while let Some((wish, files)) = receive::<Wish>(socket.as_fd())? {
        ending.retain(|number| matches!(look(&mut processes, *number), Ok(Reply::Runs)));
        let reply = match wish {
            Wish::Look(number) => look(&mut processes, number),
            Wish::Kill(number) => kill(&mut processes, &mut ending, number),
            Wish::Engine | Wish::Compiler if processes.len() >= PROCESSES => {
                Err(Error::internal(format!("{PROCESSES} processes run already")))
            }
            Wish::Engine | Wish::Compiler => {
                let user = (first..).find(|user| !processes.values().any(|taken| taken == user)).unwrap_or(first);
                match split() {
                    Ok(Side::Parent(child)) => {
                        processes.insert(child.as_raw_pid(), user);
                        Ok(Reply::Started(child.as_raw_pid()))
                    }
                    Ok(Side::Child) => {
                        drop(socket);
                        let kind = if matches!(wish, Wish::Engine) { Kind::Engine } else { Kind::Compiler };
                        let stdio = if kind == Kind::Engine { [null.as_fd(); 3] } else { three(&files)? };
                        let confined = confine::without_rights(kind, user, launcher, mapped);
                        confined
                            .map_err(|e| Error::internal(format!("an engine process can't give up rights: {e}")))?;
                        take_stdio(stdio)?;
                        drop(null);
                        return match kind {
                            Kind::Engine => start(files, inside),
                            Kind::Compiler => {
                                drop(files);
                                confine::compiler_calls();
                                compile()
                            }
                        };
                    }
                    Err(error) => Err(error.into()),
                }
            }
        };
        send(socket.as_fd(), &reply, &[])?;
    }
    Ok(())
}

/// Compiles the component on standard input to standard output, for a process that has given up everything else.
pub fn compile() -> Result<()> {
    let failed = |e: io::Error| Error::internal(e.to_string());
    let mut component = Vec::new();
    io::stdin().lock().take(COMPONENT as u64 + 1).read_to_end(&mut component).map_err(failed)?;
    let compiled = engine::compile(&component)?;
    io::stdout().lock().write_all(&compiled).map_err(failed)
}

/// Bytes that this process has mapped.
fn mapped() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').next().unwrap_or_default().parse().map_err(io::Error::other)?;
    Ok(pages * rustix::param::page_size() as u64)
}

fn start(files: Vec<OwnedFd>, inside: impl Fn(Inside) -> Result<()>) -> Result<()> {
    let mut files = files.into_iter();
    let code = files.next().ok_or_else(|| Error::internal("no code came along"))?;
    inside(Inside { code, lines: files.collect() })
}

fn three(files: &[OwnedFd]) -> Result<[BorrowedFd<'_>; 3]> {
    match files {
        [stdin, stdout, stderr] => Ok([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]),
        _ => Err(Error::internal(format!("{} files came along for three", files.len()))),
    }
}

fn take_stdio([stdin, stdout, stderr]: [BorrowedFd<'_>; 3]) -> Result<()> {
    let taken = dup2_stdin(stdin).and_then(|()| dup2_stdout(stdout)).and_then(|()| dup2_stderr(stderr));
    taken.map_err(|e| Error::internal(format!("taking over standard input, output and error: {e}")))
}

/// Until a child was waited for, its number is no other process's.
fn look(processes: &mut Processes, number: i32) -> Result<Reply> {
    match waitpid(Some(known(processes, number)?), WaitOptions::NOHANG) {
        Ok(None) => Ok(Reply::Runs),
        Ok(Some((_, status))) => {
            processes.remove(&number);
            Ok(Reply::Ended(status.as_raw()))
        }
        Err(e) => {
            // It can't be waited for, now or later.
            processes.remove(&number);
            Err(Error::internal(format!("waiting for the process {number}: {e}")))
        }
    }
}

fn kill(processes: &mut Processes, ending: &mut Vec<i32>, number: i32) -> Result<Reply> {
    let failed = |e| Error::internal(format!("ending the process {number}: {e}"));
    kill_process(known(processes, number)?, Signal::KILL).map_err(failed)?;
    let begin = Instant::now();
    while begin.elapsed() < ENDING {
        match look(processes, number)? {
            Reply::Runs => thread::sleep(Duration::from_millis(1)),
            ended => return Ok(ended),
        }
    }
    ending.push(number);
    Ok(Reply::Ended(Signal::KILL.as_raw()))
}

fn known(processes: &Processes, number: i32) -> Result<Pid> {
    let known = Pid::from_raw(number).filter(|_| processes.contains_key(&number));
    known.ok_or_else(|| Error::invalid(format!("{number} is no process of the launcher's")))
}
