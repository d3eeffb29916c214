//! The successor's part: everything that takes time, or can fail, before the old daemon stops serving.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustix::net::sockopt::Timeout;

use super::{DOOR, FIRST_WORD, Hello, PATIENCE, Said, Told, door, hear, limit, say};
use crate::config::Config;
use crate::driver::components::Components;
use crate::frontend::http::socket::{Inherited, Waiting};
use crate::launcher::Launcher;
use crate::place::{HeldPorts, Host, Place};
use kernel::process::pair;
use words::{Error, Result};

/// The daemon that is to be replaced.
pub struct Predecessor {
    line: OwnedFd,
    components: Vec<String>,
}

impl Predecessor {
    /// Finds the one in a run folder. It goes on serving.
    pub fn find(config: &Config) -> Result<Self> {
        let path = config.run.join(DOOR);
        let none = |e| Error::not_found(format!("there is no daemon to replace: {}: {e}", path.display()));
        let stream = UnixStream::connect(&path).map_err(none)?;
        door::check(&stream)?;
        let (line, theirs) = pair()?;
        limit(&line, Timeout::Recv, Some(FIRST_WORD))?;
        say(stream.as_fd(), &Hello::new(&config.state)?, &[theirs.as_fd()]).map_err(not_replaced)?;
        drop(theirs);
        match hear(line.as_fd()).map_err(not_replaced)?.0 {
            Told::Welcome(components) => Ok(Self { line, components }),
            Told::Refused(reason) => Err(not_replaced(Error::invalid(reason))),
            other => Err(senseless(&other)),
        }
    }

    /// Does what can be done beforehand: looks whether this program knows the store, and has its drivers compiled. For a process that is
    /// confined already.
    pub fn prepare(&self, config: &Config, launcher: &Arc<Launcher>) -> Result<()> {
        store::Store::check(&config.state)?;
        let place = Place::new(config.state.clone(), config.run.clone(), Host::Own);
        let components = Components::beside_another(&Place { launcher: Some(launcher.clone()), ..place })?;
        let failed = |e: Error| e.context("a driver that is loaded can't be taken over");
        self.components.iter().try_for_each(|digest| components.try_out(digest)).map_err(failed)
    }

    /// Takes everything over. From now on the other one serves nobody.
    pub fn take(&self, sockets: &mut Inherited, ports: &HeldPorts) -> Result<()> {
        limit(&self.line, Timeout::Recv, Some(PATIENCE))?;
        say(self.line.as_fd(), &Said::Take, &[]).map_err(not_replaced)?;
        let mut held = Vec::new();
        loop {
            let (told, files) = hear(self.line.as_fd()).map_err(not_replaced)?;
            let mut files = files.into_iter();
            match (told, files.next()) {
                (Told::Socket(path), Some(listener)) => sockets.receive(path, listener, files.next())?,
                (Told::Connection(path, begun), Some(stream)) => connection(sockets, &path, stream, begun)?,
                (Told::Ports(ports), Some(first)) => {
                    held.extend(ports.into_iter().zip(std::iter::once(first).chain(files)))
                }
                (Told::All, _) => break,
                (Told::Refused(reason), _) => return Err(not_replaced(Error::invalid(reason))),
                (other, _) => return Err(senseless(&other)),
            }
        }
        ports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(held);
        Ok(())
    }

    /// This one serves: the other one may end.
    pub fn leave(self, sockets: &Inherited) {
        // First, so that of two that both think so none removes the other's files.
        if let Err(error) = say(self.line.as_fd(), &Said::Ready, &[]) {
            tracing::warn!("the daemon before this one: {error}");
        }
        sockets.own();
    }
}

fn connection(sockets: &Inherited, path: &Path, stream: OwnedFd, begun: Vec<u8>) -> Result<()> {
    sockets.receive_connection(path, Waiting { stream: stream.into(), begun })
}

fn not_replaced(error: Error) -> Error {
    error.context("the daemon that runs is not replaced")
}

fn senseless(told: &Told) -> Error {
    Error::internal(format!("the daemon that runs answered another question: {told:?}"))
}
