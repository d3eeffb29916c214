//! Deletes condemned links in the background: the kernel takes about 30 ms for it, whoever asks, and as long for a few as for one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Kernel, KnownLinks, LinkKey, Namespace};
use words::Name;

/// As many of a driver's links are deleted before it is the next driver's turn.
const TURN: usize = 64;

/// So many links are deleted without a look at them: bridges take the kernel longest, 150 ms for as many.
const FEW: u64 = 8;

/// Takes links out of the way at once and deletes them later. What a crash leaves is found by its mark.
pub struct Reaper {
    kernel: Arc<Kernel>,
    sender: Sender<(Name, Vec<Doomed>)>,
    waiting: Arc<Waiting>,
}

/// How many condemned links of each driver the kernel still has.
#[derive(Default)]
struct Waiting {
    links: Mutex<BTreeMap<Name, u64>>,
    fewer: Condvar,
}

/// What is to be deleted, and how many links go with it, itself included.
type Doomed = (LinkKey, u64);

/// What is to be deleted, by driver.
type Queues = BTreeMap<Name, VecDeque<Doomed>>;

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

    /// Removes a driver's links, of which the operation knows some: when this returns, their names, addresses and ports on bridges are free.
    pub fn remove(&self, driver: &Name, links: Vec<LinkKey>, known: &KnownLinks) {
        if links.is_empty() {
            return;
        }
        let doomed = known.condemn(&self.kernel, &links).unwrap_or_else(|error| {
            tracing::warn!("can't take links out of the way, so they are deleted now: {error}");
            let removals: Vec<_> = links.iter().cloned().map(kernel::Change::RemoveLink).collect();
            for error in self.kernel.attempt(&removals) {
                tracing::error!("can't remove: {error}");
            }
            links.into_iter().map(|link| (link, 1)).collect()
        });
        self.reap(driver, doomed);
    }

    /// Deletes what was condemned for a driver.
    pub fn reap(&self, driver: &Name, links: Vec<Doomed>) {
        if links.is_empty() {
            return;
        }
        *self.waiting.lock().entry(driver.clone()).or_default() += links.iter().map(|(_, count)| count).sum::<u64>();
        // The thread ends only after this sender.
        let _ = self.sender.send((driver.clone(), links));
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
    /// How many there are, of all drivers.
    fn all(&self) -> u64 {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, u64>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many of a driver's are gone.
    fn gone(&self, driver: &Name, links: u64) {
        let mut all = self.lock();
        let left = count(&all, driver).saturating_sub(links);
        match left {
            0 => all.remove(driver),
            left => all.insert(driver.clone(), left),
        };
        self.fewer.notify_all();
    }
}

fn count(links: &BTreeMap<Name, u64>, driver: &Name) -> u64 {
    links.get(driver).copied().unwrap_or_default()
}

fn work(kernel: &Kernel, waiting: &Waiting, receiver: &Receiver<(Name, Vec<Doomed>)>) {
    let mut queues = Queues::new();
    while let Ok((driver, links)) = receiver.recv() {
        queues.entry(driver).or_default().extend(links);
        // What can't be deleted now is tried again with the next.
        let mut failed = Vec::new();
        while !queues.is_empty() {
            failed.extend(turns(kernel, waiting, &mut queues));
            receiver.try_iter().for_each(|(driver, links)| queues.entry(driver).or_default().extend(links));
        }
        failed.into_iter().for_each(|(driver, link)| queues.entry(driver).or_default().push_back(link));
    }
}

/// A turn of each driver's; answers what could not be deleted.
fn turns(kernel: &Kernel, waiting: &Waiting, queues: &mut Queues) -> Vec<(Name, Doomed)> {
    let mut failed = Vec::new();
    for (driver, queue) in queues.iter_mut() {
        let mut turn: BTreeMap<Namespace, Vec<Doomed>> = BTreeMap::new();
        for doomed in queue.drain(..TURN.min(queue.len())) {
            turn.entry(doomed.0.namespace.clone()).or_default().push(doomed);
        }
        for (namespace, links) in turn {
            let reaped = match waiting.all() <= FEW {
                true => kernel.reap_few(&namespace),
                false => {
                    let indexes: Vec<u32> = links.iter().map(|(link, _)| link.index).collect();
                    kernel.reap_these(&namespace, &indexes).map(drop)
                }
            };
            match reaped {
                Ok(()) => {}
                Err(_) if !kernel.exists(&namespace) => {}
                Err(error) => {
                    tracing::warn!(%driver, "can't delete links: {error}");
                    failed.extend(links.into_iter().map(|doomed| (driver.clone(), doomed)));
                    continue;
                }
            }
            waiting.gone(driver, links.iter().map(|(_, count)| count).sum());
        }
    }
    queues.retain(|_, queue| !queue.is_empty());
    failed
}
