//! Sandboxes that operations keep open while they work in them, each with its sockets: a socket talks to the namespace that it was opened in,
//! from any thread.
//!
//! None is kept longer than the operations that asked for it, or a container's namespace could not die.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::socket::{Protocol, Socket};
use crate::{Error, NamespacePath, namespace};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Sandbox>>);

#[derive(Debug)]
struct Sandbox {
    /// Path and inode. The open file keeps the inode from coming again elsewhere.
    at: NamespacePath,
    file: Arc<OwnedFd>,
    operations: usize,
    /// At most one of each protocol: two calls at the same time are rare, and then the second opens its own.
    idle: Vec<(Protocol, Socket)>,
}

/// Keeps a sandbox open until it is dropped.
#[derive(Debug)]
pub struct Keeping<'a> {
    kept: Option<(&'a Kept, NamespacePath)>,
}

impl<'a> Keeping<'a> {
    /// Keeps nothing.
    pub(crate) fn nothing() -> Self {
        Self { kept: None }
    }
}

impl Kept {
    /// Opens a sandbox to keep it. One that is gone is not kept: whoever goes there next hears of it.
    pub fn keep(&self, at: &NamespacePath) -> Keeping<'_> {
        if !self.join(at) {
            // Without the lock: it can take long, and another operation can be first.
            let Ok(file) = namespace::open(at) else { return Keeping::nothing() };
            let mut all = self.lock();
            match all.iter_mut().find(|sandbox| sandbox.at == *at) {
                Some(sandbox) => sandbox.operations += 1,
                None => {
                    all.push(Sandbox { at: at.clone(), file: Arc::new(file), operations: 1, idle: Vec::new() });
                }
            }
        }
        Keeping { kept: Some((self, at.clone())) }
    }

    fn join(&self, at: &NamespacePath) -> bool {
        self.with(at, |sandbox| sandbox.operations += 1).is_some()
    }

    /// A sandbox's file: the one that is kept, or a new one.
    pub fn file(&self, at: &NamespacePath) -> Result<Arc<OwnedFd>, Error> {
        match self.with(at, |sandbox| sandbox.file.clone()) {
            Some(file) => Ok(file),
            None => namespace::open(at).map(Arc::new),
        }
    }

    /// A socket that nobody uses.
    pub fn take(&self, at: &NamespacePath, protocol: Protocol) -> Option<Socket> {
        self.with(at, |sandbox| {
            let position = sandbox.idle.iter().position(|(p, _)| *p == protocol);
            position.map(|position| sandbox.idle.swap_remove(position).1)
        })?
    }

    /// Whether a sandbox is kept and has no such socket to give.
    pub fn wants(&self, at: &NamespacePath, protocol: Protocol) -> bool {
        self.with(at, |sandbox| sandbox.idle.iter().all(|(p, _)| *p != protocol)).unwrap_or(false)
    }

    /// Takes sockets back; what is too many, or of a sandbox that is not kept, is closed.
    pub fn give_back(&self, at: &NamespacePath, sockets: impl IntoIterator<Item = (Protocol, Socket)>) {
        for (protocol, socket) in sockets {
            self.with(at, |sandbox| {
                if sandbox.idle.iter().all(|(p, _)| *p != protocol) {
                    sandbox.idle.push((protocol, socket));
                }
            });
        }
    }

    fn with<T>(&self, at: &NamespacePath, action: impl FnOnce(&mut Sandbox) -> T) -> Option<T> {
        self.lock().iter_mut().find(|sandbox| sandbox.at == *at).map(action)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sandbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        let Some((kept, at)) = &self.kept else { return };
        let mut all = kept.lock();
        let Some(position) = all.iter().position(|sandbox| sandbox.at == *at) else { return };
        all[position].operations -= 1;
        let ended = (all[position].operations == 0).then(|| all.swap_remove(position));
        // Closing may be a namespace's end: without the lock.
        drop(all);
        drop(ended);
    }
}
