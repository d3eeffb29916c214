//! The process that starts the processes in which foreign code is run or compiled, and ends them, for a daemon that has given up the rights to
//! (`confine`).
//!
//! - [`Launcher`]: the daemon's way to it
//! - [`work`]: what that process does

mod work;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{Shutdown, shutdown};
use serde::{Deserialize, Serialize};

use kernel::process::{is_gone, pair, receive, send};
use words::{Error, Kind, Result};

pub use work::{Inside, compile, work};

/// The hidden subcommand of this program.
pub const SUBCOMMAND: &str = "launcher";

/// How long an answer may take: it makes a process, or waits for the end of one that it killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it is asked for.
#[derive(Debug, Serialize, Deserialize)]
enum Wish {
    /// An engine process; beside it come the code, and its ends of the lines.
    Engine,
    /// A process that compiles; beside it come its standard input, output and error.
    Compiler,
    /// Whether the process of this number has ended.
    Look(i32),
    /// End it.
    Kill(i32),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Started(i32),
    Runs,
    /// What waitpid(2) tells.
    Ended(i32),
}

/// The way to it.
#[derive(Debug)]
pub struct Launcher {
    socket: Mutex<OwnedFd>,
}

impl Launcher {
    /// Starts it from a program's file, which has the subcommand. Whoever calls this waits for its end, which is the end of all engines.
    /// `folder` is any folder.
    pub fn start(program: &Path, folder: &Path) -> Result<(Self, Child)> {
        let (socket, theirs) = pair()?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).map_err(|e| failed(&e.into()))?;
        let mut command = Command::new(program);
        // As the keyholder.
        command.arg0("pontoon").arg(SUBCOMMAND).arg(folder).process_group(0);
        // glibc asks the system for more about processors where a process has more arenas than this, which an engine process may not.
        command.env_clear().env("MALLOC_ARENA_MAX", "4");
        let child = command.stdin(Stdio::from(theirs)).stdout(Stdio::null()).spawn().map_err(|e| failed(&e))?;
        Ok((Self { socket: Mutex::new(socket) }, child))
    }

    /// Starts an engine process; answers its number.
    pub fn engine(&self, code: BorrowedFd<'_>, lines: &[OwnedFd]) -> Result<i32> {
        let files: Vec<_> = std::iter::once(code).chain(lines.iter().map(AsFd::as_fd)).collect();
        self.started(&Wish::Engine, &files)
    }

    /// Starts a process that compiles what it reads.
    pub fn compiler(&self, stdio: [BorrowedFd<'_>; 3]) -> Result<i32> {
        self.started(&Wish::Compiler, &stdio)
    }

    /// How a process ended, if it has. After that its number may be another one's.
    pub fn ended(&self, number: i32) -> Result<Option<ExitStatus>> {
        match self.ask(&Wish::Look(number), &[])? {
            Reply::Ended(status) => Ok(Some(ExitStatus::from_raw(status))),
            Reply::Runs => Ok(None),
            other @ Reply::Started(_) => Err(senseless(&other)),
        }
    }

    /// Ends a process, and tells how it ended: one that was ending already ends as it would have.
    pub fn kill(&self, number: i32) -> Result<ExitStatus> {
        match self.ask(&Wish::Kill(number), &[])? {
            Reply::Ended(status) => Ok(ExitStatus::from_raw(status)),
            other => Err(senseless(&other)),
        }
    }

    fn started(&self, wish: &Wish, files: &[BorrowedFd<'_>]) -> Result<i32> {
        match self.ask(wish, files)? {
            Reply::Started(number) => Ok(number),
            other => Err(senseless(&other)),
        }
    }

    fn ask(&self, wish: &Wish, files: &[BorrowedFd<'_>]) -> Result<Reply> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        send(socket.as_fd(), wish, files).map_err(|e| if is_gone(&e) { ended() } else { e.into() })?;
        let reply = receive::<Result<Reply>>(socket.as_fd()).inspect_err(|_| {
            // A late answer would be taken for the next wish's. This ends the launcher, and with it the daemon.
            let _ = shutdown(&*socket, Shutdown::Both);
        });
        reply?.ok_or_else(ended)?.0
    }
}

fn ended() -> Error {
    Error::new(Kind::Unavailable, "the process that starts engines has ended: start the daemon again")
}

fn failed(error: &io::Error) -> Error {
    Error::internal(format!("can't start the process that starts engines: {error}"))
}

fn senseless(reply: &Reply) -> Error {
    Error::internal(format!("the process that starts engines answered another question: {reply:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_answer_in_time_is_given_up() {
        let (socket, theirs) = pair().unwrap();
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(10))).unwrap();
        let launcher = Launcher { socket: Mutex::new(socket) };
        launcher.kill(1).unwrap_err();
        assert!(receive::<Wish>(theirs.as_fd()).unwrap().is_some());
        assert!(receive::<Wish>(theirs.as_fd()).unwrap().is_none(), "it ends");
        assert!(launcher.kill(1).unwrap_err().message.contains("start the daemon again"));
    }
}
