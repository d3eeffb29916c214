//! Deletes condemned links in the background: the kernel takes about 30 ms for it, whoever asks, and as long for a whole group as for one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Kernel, LinkKey, Namespace};
use words::Name;

/// Takes links out of the way at once and deletes them later. What a crash leaves is found by its mark.
pub struct Reaper {
    kernel: Arc<Kernel>,
    sender: Sender<Namespace>,
    waiting: Arc<Waiting>,
}

/// How many condemned links of each driver the kernel still has, by namespace.
#[derive(Default)]
struct Waiting {
    links: Mutex<BTreeMap<Namespace, BTreeMap<Name, u64>>>,
    fewer: Condvar,
}

impl Reaper {
    /// A reaper, and its thread, which ends with it.
    pub fn start(kernel: Arc<Kernel>) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let waiting = Arc::<Waiting>::default();
        let on_thread = (kernel.clone(), waiting.clone());
        let work = move || work(&on_thread.0, &on_thread.1, &receiver);
        std::thread::Builder::new().name("reaper".into()).spawn(work)?;
        Ok(Self { kernel, sender, waiting })
    }

    /// Removes a driver's links: when this returns, their names, addresses and ports on bridges are free.
    pub fn remove(&self, driver: &Name, links: &[LinkKey]) {
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
        self.reap(driver, links.iter().map(|link| link.namespace.clone()));
    }

    /// Deletes what was condemned for a driver in these namespaces, one for each link.
    pub fn reap(&self, driver: &Name, links: impl IntoIterator<Item = Namespace>) {
        let mut counts: BTreeMap<Namespace, u64> = BTreeMap::new();
        links.into_iter().for_each(|namespace| *counts.entry(namespace).or_default() += 1);
        for (namespace, count) in counts {
            *self.waiting.lock().entry(namespace.clone()).or_default().entry(driver.clone()).or_default() += count;
            // The thread ends only after this sender.
            let _ = self.sender.send(namespace);
        }
    }

    /// How many links of a driver wait for their deletion.
    pub fn waiting(&self, driver: &Name) -> u64 {
        count(&self.waiting.lock(), driver)
    }

    /// Waits until none does, or as long as this; answers how many are left.
    pub fn wait(&self, driver: &Name, patience: Duration) -> u64 {
        let some = |links: &mut BTreeMap<_, _>| count(links, driver) > 0;
        let waited = self.waiting.fewer.wait_timeout_while(self.waiting.lock(), patience, some);
        count(&waited.unwrap_or_else(PoisonError::into_inner).0, driver)
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Namespace, BTreeMap<Name, u64>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are gone.
    fn gone(&self, namespace: &Namespace, links: &BTreeMap<Name, u64>) {
        let mut all = self.lock();
        if let Some(there) = all.get_mut(namespace) {
            for (driver, count) in links {
                there.entry(driver.clone()).and_modify(|left| *left = left.saturating_sub(*count));
            }
            there.retain(|_, left| *left > 0);
            if there.is_empty() {
                all.remove(namespace);
            }
        }
        self.fewer.notify_all();
    }
}

fn count(links: &BTreeMap<Namespace, BTreeMap<Name, u64>>, driver: &Name) -> u64 {
    links.values().filter_map(|drivers| drivers.get(driver)).sum()
}

fn work(kernel: &Kernel, waiting: &Waiting, receiver: &Receiver<Namespace>) {
    while let Ok(first) = receiver.recv() {
        let all: BTreeSet<Namespace> = std::iter::once(first).chain(receiver.try_iter()).collect();
        for namespace in all {
            // Those that are condemned before they are looked for.
            let links = waiting.lock().get(&namespace).cloned().unwrap_or_default();
            match kernel.reap(&namespace) {
                Ok(count) => tracing::debug!(count, "links reaped"),
                Err(_) if !kernel.exists(&namespace) => {}
                Err(error) => {
                    tracing::warn!("can't reap: {error}");
                    continue;
                }
            }
            waiting.gone(&namespace, &links);
        }
    }
}
