//! Empties namespaces that were removed: the kernel itself deletes all links of one as one group (see `link::condemn`).

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::host::Host;
use crate::link::mark::Marks;
use crate::transport::session::{Real, Session};
use crate::{Error, Namespace, link};

/// The thread that does it. It starts with the first namespace and ends with this.
#[derive(Debug, Default)]
pub(super) struct Emptier(Mutex<Option<Sender<OwnedFd>>>);

impl Emptier {
    /// Takes a namespace that was removed. It is gone when it is empty.
    pub fn take(&self, namespace: OwnedFd, marks: Marks) {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if to.is_none() {
            let (sender, from) = channel::<OwnedFd>();
            let work = move || from.into_iter().for_each(|namespace| emptied(namespace, marks));
            *to = thread::Builder::new().name("emptier".into()).spawn(work).ok().map(|_| sender);
        }
        // Without a thread it is closed here, and the kernel deletes what is in it.
        let _ = to.as_ref().map(|to| to.send(namespace));
    }
}

fn emptied(namespace: OwnedFd, marks: Marks) {
    if let Err(error) = empty(namespace, marks) {
        tracing::warn!("a removed namespace is left to the kernel with what is in it: {error}");
    }
}

fn empty(namespace: OwnedFd, marks: Marks) -> Result<(), Error> {
    let inside = Host::Real(Real::new(namespace)?);
    link::condemn::empty(&mut Session::new(&inside), &Namespace::Host, marks)
}
