//! Deletes condemned links in the background: the kernel takes about 30 ms for it, whoever asks, and as long for a whole group as for one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use kernel::{Kernel, LinkKey, Namespace};

/// Takes links out of the way at once and deletes them later. What a crash leaves is found by its mark.
pub struct Reaper {
    kernel: Arc<Kernel>,
    sender: Sender<Namespace>,
}

impl Reaper {
    /// A reaper, and its thread, which ends with it.
    pub fn start(kernel: Arc<Kernel>) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let on_thread = kernel.clone();
        std::thread::Builder::new().name("reaper".into()).spawn(move || work(&on_thread, &receiver))?;
        Ok(Self { kernel, sender })
    }

    /// Removes links: when this returns, their names, addresses and ports on bridges are free.
    pub fn remove(&self, links: &[LinkKey]) {
        if links.is_empty() {
            return;
        }
        if let Err(error) = self.kernel.condemn(links) {
            tracing::warn!("can't take links out of the way, so they are deleted now: {error}");
            let removals: Vec<_> = links.iter().cloned().map(kernel::Change::RemoveLink).collect();
            for error in self.kernel.attempt(&removals) {
                tracing::error!("can't remove: {error}");
            }
        }
        for namespace in links.iter().map(|l| &l.namespace).collect::<BTreeSet<_>>() {
            // The thread ends only after this sender.
            let _ = self.sender.send(namespace.clone());
        }
    }
}

fn work(kernel: &Kernel, receiver: &Receiver<Namespace>) {
    while let Ok(first) = receiver.recv() {
        let all: BTreeSet<Namespace> = std::iter::once(first).chain(receiver.try_iter()).collect();
        for namespace in all {
            match kernel.reap(&namespace) {
                Ok(count) => tracing::debug!(count, "links reaped"),
                Err(_) if !kernel.exists(&namespace) => {}
                Err(error) => tracing::warn!("can't reap: {error}"),
            }
        }
    }
}
