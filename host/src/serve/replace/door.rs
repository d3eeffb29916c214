//! The socket on which a daemon is asked to hand over. What goes out by it is the whole host's network, so only root, or the daemon's own user,
//! is heard: no group, and no mode of the file, lets anybody else in.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::{Timeout, socket_peercred};

use super::{DOOR, FIRST_WORD, Hello, Said, Successor, Told, hear, limit, say};
use crate::controller::Controller;
use crate::frontend::http::socket::{Bound, Inherited, Listening};
use words::{Error, Result};

/// As many components are told of: a message has no room for more. Others are compiled when they are needed.
const COMPONENTS: usize = 400;

/// The socket.
pub(in crate::serve) struct Door {
    path: PathBuf,
    listening: Listening,
}

impl Door {
    /// The one in a run folder: kept, or bound now.
    pub fn open(sockets: &Inherited, run: &Path) -> Result<Self> {
        let path = run.join(DOOR);
        let bound = sockets.take_or_bind(&path)?;
        let private = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600));
        private.map_err(|e| words::file::io(&path, &e))?;
        Ok(Self { path, listening: bound.listen()? })
    }

    /// Waits for a successor that is ready to take over.
    pub async fn successor(&self, controller: &Controller, state: &Path) -> Successor {
        loop {
            let heard = match self.listening.listener.accept().await {
                Ok((stream, _)) => self.hear(stream, controller, state).await,
                Err(e) => Err(Error::internal(format!("can't accept a connection: {e}"))),
            };
            match heard {
                Ok(successor) => return successor,
                Err(error) => {
                    tracing::warn!("not replaced: {error}");
                    // Where descriptors are short, others must give some back first.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn hear(&self, stream: tokio::net::UnixStream, controller: &Controller, state: &Path) -> Result<Successor> {
        let failed = |e: std::io::Error| Error::internal(format!("a connection: {e}"));
        let stream = stream.into_std().map_err(failed)?;
        stream.set_nonblocking(false).map_err(failed)?;
        let process = check(&stream)?;
        let drivers = controller.drivers().await?;
        let serving = drivers.into_iter().filter(|driver| driver.state == "ready");
        let components = serving.map(|driver| driver.digest).take(COMPONENTS).collect();
        let ours = Hello::new(state)?;
        let converse = tokio::task::spawn_blocking(move || converse(&stream, &ours, components, process));
        converse.await.map_err(|e| Error::internal(format!("the conversation panicked: {e}")))?
    }

    /// Nobody is heard for now.
    pub fn keep(self, sockets: &Inherited) -> Result<()> {
        let bound: Bound = self.listening.pause()?;
        sockets.keep(&self.path, bound);
        Ok(())
    }
}

/// Whether the process at the other end is root's, or of this daemon's user. Answers its number; none: it is in a PID namespace that this one does
/// not see.
pub(super) fn check(stream: &StdStream) -> Result<Option<u32>> {
    let peer = socket_peercred(stream).map_err(|e| Error::internal(format!("can't tell who connected: {e}")))?;
    let user = peer.uid.as_raw();
    match [0, rustix::process::geteuid().as_raw()].contains(&user) {
        true => Ok(u32::try_from(peer.pid.as_raw_pid()).ok().filter(|number| *number > 0)),
        false => Err(Error::forbidden(format!("the user {user} asked, who is not root"))),
    }
}

/// From a successor's first word until it has prepared all.
fn converse(stream: &StdStream, ours: &Hello, components: Vec<String>, process: Option<u32>) -> Result<Successor> {
    stream.set_read_timeout(Some(FIRST_WORD)).map_err(|e| Error::internal(format!("a connection: {e}")))?;
    let (hello, mut files) = hear::<Hello>(stream.as_fd())?;
    let line = files.pop().ok_or_else(|| Error::invalid("no line came along"))?;
    limit(&line, Timeout::Send, Some(FIRST_WORD))?;
    if let Some(reason) = ours.refuses(&hello) {
        say(line.as_fd(), &Told::Refused(reason.clone()), &[])?;
        return Err(Error::invalid(reason));
    }
    say(line.as_fd(), &Told::Welcome(components), &[])?;
    // Compiling takes as long as it takes.
    match hear::<Said>(line.as_fd())?.0 {
        Said::Take => Ok(Successor::new(line, hello.version, process)),
        Said::Ready => Err(Error::invalid("it is ready, and has taken nothing")),
    }
}
