//! The thread that does what can only be done inside another namespace: opening sockets and settings. Starting a thread for each costs several
//! times what they do.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::{Error, namespace};

/// Tells whoever waits for an errand what became of it.
type Tell = Box<dyn FnOnce()>;

/// Where to, where back to, and what is done there, once it is known whether the thread got there.
struct Errand {
    namespace: OwnedFd,
    home: OwnedFd,
    work: Box<dyn FnOnce(Result<(), Error>) -> Tell + Send>,
}

/// See the module. The thread starts with the first errand and ends with this.
#[derive(Debug, Default)]
pub(crate) struct Doorman {
    errands: Mutex<Option<Sender<Errand>>>,
}

impl Doorman {
    /// Does something short inside a namespace; between errands the thread waits at `home`.
    pub fn within<T: Send + 'static>(
        &self,
        at: BorrowedFd<'_>,
        home: BorrowedFd<'_>,
        action: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let keep = |file: BorrowedFd<'_>| {
            file.try_clone_to_owned().map_err(|e| Error::io("keeping a network namespace open", &e))
        };
        let (namespace, home) = (keep(at)?, keep(home)?);
        let (reply, answer) = channel();
        let work = move |entered: Result<(), Error>| -> Tell {
            let done = entered.and_then(|()| action());
            Box::new(move || drop(reply.send(done)))
        };
        self.send(Errand { namespace, home, work: Box::new(work) })?;
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
    for Errand { namespace, home, work } in errands {
        let tell = work(namespace::enter(namespace.as_fd()));
        let back = namespace::enter(home.as_fd());
        drop((namespace, home));
        tell();
        if back.is_err() {
            return;
        }
    }
}
