//! One daemon takes another's place without a client noticing: `pontoon serve --replace`.
//!
//! The successor is started from outside, because the daemon has given up the right to start programs. It does beforehand what takes time and
//! what can fail: configuration, helpers, confinement, compiling. Then the old daemon stops accepting, lets requests in flight finish, closes
//! the store and hands over: sockets, each with the connections on which nothing is asked, and what holds the host's ports. Nothing of that is
//! ever closed, so that whoever connects or asks meanwhile waits. It keeps its own until the successor is ready: if that ends before,
//! the old daemon opens the store again and goes on.
//!
//! - `door`: the socket on which the old daemon is asked, by root alone
//! - `giving`: the old daemon's part; `taking`: the successor's

mod door;
mod giving;
mod taking;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use serde::{Deserialize, Serialize};

pub(super) use door::Door;
pub(super) use giving::{Given, Successor, hand_over};
use kernel::HostPort;
use kernel::process::{is_gone, receive, send};
pub use taking::Predecessor;
use words::{Error, Kind, Result};

/// What both have to speak. Another number: they can't.
const PROTOCOL: u32 = 1;

/// The socket's name in the run folder.
const DOOR: &str = "replace.sock";

/// How long a daemon may take for its first word.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// How long it may take to let requests finish: those of the admin socket, of the plugin sockets, and those whose client has gone.
const PATIENCE: Duration = Duration::from_secs(45);

/// A successor's first word, over the door; beside it comes the line on which all else is said.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    /// Its version, for people.
    version: String,
    /// Device and inode of its state folder.
    state: (u64, u64),
    /// The network namespace that it works in.
    namespace: PathBuf,
}

/// What it says later.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    /// All is prepared: hand over.
    Take,
    /// It serves.
    Ready,
}

/// What the old daemon says.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// It may take over; these components have to be compiled for that.
    Welcome(Vec<String>),
    /// Why it can't.
    Refused(String),
    /// A socket; beside it come the listener and, unless it is the service manager's, the file that is locked for it.
    Socket(PathBuf),
    /// A connection of the socket at this path, with what was read of it already; beside it comes the connection.
    Connection(PathBuf, Vec<u8>),
    /// Ports of the host; beside it comes what holds each.
    Ports(Vec<HostPort>),
    /// That was all, and the store is closed.
    All,
}

impl Hello {
    fn new(state: &Path) -> Result<Self> {
        // One that is not there is none of the daemon's.
        let state = std::fs::metadata(state).map_or((0, 0), |folder| (folder.dev(), folder.ino()));
        // Of the process, whichever a thread of it may be in.
        let own = Path::new("/proc/self/ns/net");
        let namespace = std::fs::read_link(own).map_err(|e| words::file::io(own, &e))?;
        Ok(Self { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into(), state, namespace })
    }

    /// Why a successor that says this can't take over from a daemon that would say that.
    fn refuses(&self, successor: &Self) -> Option<String> {
        let Self { protocol, version, state, namespace } = self;
        if successor.protocol != *protocol {
            let theirs = &successor.version;
            return Some(format!(
                "it is {version}, which does not hand over to {theirs}: stop it, and start the other"
            ));
        }
        if successor.state != *state {
            return Some("it has another state folder: --state has to be the same".into());
        }
        (successor.namespace != *namespace).then(|| "it works in another network namespace".into())
    }
}

fn limit(line: &OwnedFd, direction: Timeout, time: Option<Duration>) -> Result<()> {
    set_socket_timeout(line, direction, time).map_err(|e| Error::internal(format!("setting up a socket: {e}")))
}

fn say(line: BorrowedFd<'_>, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> Result<()> {
    send(line, message, files).map_err(|e| if is_gone(&e) { ended() } else { e.into() })
}

/// The next word, and what came beside it.
fn hear<T: for<'a> Deserialize<'a>>(line: BorrowedFd<'_>) -> Result<(T, Vec<OwnedFd>)> {
    let late = |e: &kernel::Error| e.errno == Some(Errno::AGAIN.raw_os_error());
    let heard = receive(line).map_err(|e| match late(&e) {
        true => Error::new(Kind::Unavailable, "it does not answer"),
        false => e.into(),
    });
    heard?.ok_or_else(ended)
}

fn ended() -> Error {
    Error::new(Kind::Unavailable, "it has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_place_is_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let (daemon, successor) = (Hello::new(folder.path()).unwrap(), || Hello::new(folder.path()).unwrap());
        assert_eq!(daemon.refuses(&successor()), None);
        let refusal = |successor: &Hello| daemon.refuses(successor).unwrap();
        assert!(refusal(&Hello { protocol: 0, version: "9.9".into(), ..successor() }).contains("hand over to 9.9"));
        assert!(refusal(&Hello { state: (0, 0), ..successor() }).contains("--state"));
        assert!(refusal(&Hello { namespace: "net:[1]".into(), ..successor() }).contains("network namespace"));
    }
}
