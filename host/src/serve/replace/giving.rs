//! The old daemon's part: from the moment at which it serves nobody any more.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::{Said, Told, hear, say};
use crate::controller::Controller;
use crate::frontend::http::limits::SHUTDOWN_GRACE;
use crate::frontend::http::socket::{Inherited, Shown, Waiting};
use crate::place::HeldPorts;
use kernel::process::FILES;
use store::Store;
use words::{Error, Result};

/// Bytes of a request that was begun, and not read to its end: of more, as of a message, there is no room.
const BEGUN: usize = 4 << 10;

/// Whoever wants to take over, and has prepared all.
pub(in crate::serve) struct Successor {
    line: OwnedFd,
    version: String,
    process: Option<u32>,
}

/// What came of it.
pub(in crate::serve) enum Given {
    /// The successor serves; it is the process of this number, where that can be told.
    All(Option<u32>),
    /// It can't be now. All is as before.
    Nothing(Controller),
    /// The successor has ended; the store is closed.
    Back,
}

impl Successor {
    pub(super) fn new(line: OwnedFd, version: String, process: Option<u32>) -> Self {
        Self { line, version, process }
    }

    fn refuse(&self, reason: &str) {
        tracing::warn!("not replaced: {reason}");
        // It may have ended.
        let _ = say(self.line.as_fd(), &Told::Refused(reason.into()), &[]);
    }

    fn give(&self, sockets: &Inherited, ports: &HeldPorts) -> Result<()> {
        sockets.show(|path, Shown { listener, lock, waiting }| {
            let files: Vec<BorrowedFd<'_>> = std::iter::once(listener).chain(lock).collect();
            self.tell(&Told::Socket(path.to_owned()), &files)?;
            for Waiting { stream, begun } in waiting.iter().filter(|waiting| waiting.begun.len() <= BEGUN) {
                self.tell(&Told::Connection(path.to_owned(), begun.clone()), &[stream.as_fd()])?;
            }
            Ok(())
        })?;
        for some in ports.lock().unwrap_or_else(PoisonError::into_inner).chunks(FILES) {
            let files: Vec<_> = some.iter().map(|(_, socket)| socket.as_fd()).collect();
            self.tell(&Told::Ports(some.iter().map(|(port, _)| *port).collect()), &files)?;
        }
        self.tell(&Told::All, &[])
    }

    fn tell(&self, told: &Told, files: &[BorrowedFd<'_>]) -> Result<()> {
        say(self.line.as_fd(), told, files)
    }

    /// Waits until it serves, however long that takes: as long as it lives, the store is its own.
    fn serves(&self) -> Result<()> {
        match hear::<Said>(self.line.as_fd())?.0 {
            Said::Ready => Ok(()),
            Said::Take => Err(Error::invalid("it wants to take what it has")),
        }
    }
}

/// Hands over to a successor. All sockets are kept, and nobody is served.
pub(in crate::serve) async fn hand_over(
    controller: Controller,
    successor: Successor,
    state: &Path,
    sockets: &Arc<Inherited>,
    ports: &HeldPorts,
) -> Given {
    let busy = sockets.busy();
    if busy > 0 {
        let seconds = SHUTDOWN_GRACE.as_secs();
        successor.refuse(&format!("{busy} requests did not finish within {seconds} seconds"));
        return Given::Nothing(controller);
    }
    match controller.give_up(SHUTDOWN_GRACE).await {
        Ok(held) => *ports.lock().unwrap_or_else(PoisonError::into_inner) = held,
        Err(controller) => {
            let seconds = SHUTDOWN_GRACE.as_secs();
            successor.refuse(&format!("an operation did not end within {seconds} seconds"));
            return Given::Nothing(controller);
        }
    }
    let (version, process) = (successor.version.clone(), successor.process);
    let (theirs, held, state) = (sockets.clone(), ports.clone(), state.to_owned());
    let give = move || {
        let given = successor.give(&theirs, &held).and_then(|()| successor.serves());
        given.inspect_err(|_| {
            if let Err(error) = Store::await_end(&state, SHUTDOWN_GRACE) {
                tracing::error!("{error}");
            }
        })
    };
    match tokio::task::spawn_blocking(give).await {
        Ok(Ok(())) => {
            sockets.disown();
            tracing::info!(version, "replaced");
            Given::All(process)
        }
        Ok(Err(error)) => {
            tracing::warn!("not replaced: {error}; this daemon goes on");
            Given::Back
        }
        Err(panicked) => {
            tracing::error!("not replaced: {panicked}");
            Given::Back
        }
    }
}
