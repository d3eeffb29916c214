//! The thread that opens sockets in other namespaces. Starting a thread for each costs several times what the socket itself does.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::transport::socket::{Protocol, Socket};
use crate::{Error, namespace};

/// Where to, where back to, which socket, and who waits for it.
struct Errand {
    namespace: OwnedFd,
    home: OwnedFd,
    protocol: Protocol,
    reply: Sender<Result<Socket, Error>>,
}

/// See the module. The thread starts with the first errand and ends with this.
#[derive(Debug, Default)]
pub(crate) struct Doorman {
    errands: Mutex<Option<Sender<Errand>>>,
}

impl Doorman {
    /// Opens a socket in a namespace; between errands the thread waits at `home`.
    pub fn open(&self, at: BorrowedFd<'_>, home: BorrowedFd<'_>, protocol: Protocol) -> Result<Socket, Error> {
        let keep = |file: BorrowedFd<'_>| {
            file.try_clone_to_owned().map_err(|e| Error::io("keeping a network namespace open", &e))
        };
        let (namespace, home) = (keep(at)?, keep(home)?);
        let (reply, answer) = channel();
        self.send(Errand { namespace, home, protocol, reply })?;
        answer.recv().unwrap_or_else(|_| Err(Error::refused("the thread for other namespaces ended")))
    }

    fn send(&self, errand: Errand) -> Result<(), Error> {
        let mut errands = self.errands.lock().unwrap_or_else(PoisonError::into_inner);
        let unsent = match errands.as_ref() {
            Some(to) => to.send(errand).err().map(|e| e.0),
            None => Some(errand),
        };
        // There is none yet, or the last one couldn't come back from where it was.
        let Some(errand) = unsent else { return Ok(()) };
        let (to, from) = channel();
        let worker = thread::Builder::new().name("namespaces".into()).spawn(move || serve(&from));
        worker.map_err(|e| Error::io("starting a thread", &e))?;
        let sent = to.send(errand).map_err(|_| Error::refused("the thread for other namespaces ended"));
        *errands = Some(to);
        sent
    }
}

/// Runs errands until there is no one to ask for more. A thread that can't leave a sandbox must end: it would keep that alive.
fn serve(errands: &Receiver<Errand>) {
    for errand in errands {
        let opened = namespace::enter(errand.namespace.as_fd()).and_then(|()| Socket::open(errand.protocol));
        let back = namespace::enter(errand.home.as_fd());
        drop(errand.namespace);
        let _ = errand.reply.send(opened);
        if back.is_err() {
            return;
        }
    }
}
