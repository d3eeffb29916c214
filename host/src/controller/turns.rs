//! Whose turn it is. A network's operations go one after the other; a driver has so many at a time, and so many run in all: what one driver's
//! calls take, however long they last, the others' don't wait for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use words::limit::{CALLS, DRIVER_CALLS};
use words::{Error, Id, Kind, Name, Result};

/// Those who wait and those who run, by what they wait for.
#[derive(Clone)]
pub(super) struct Turns {
    networks: Arc<Mutex<HashMap<Id, Weak<AsyncMutex<()>>>>>,
    drivers: Arc<Mutex<HashMap<Name, Weak<Semaphore>>>>,
    slots: Arc<Semaphore>,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    _network: Option<OwnedMutexGuard<()>>,
    _driver: Option<OwnedSemaphorePermit>,
    _slot: OwnedSemaphorePermit,
}

impl Turns {
    /// Nobody waits.
    pub fn new() -> Self {
        let slots = Arc::new(Semaphore::new(CALLS as usize));
        Self { networks: Arc::default(), drivers: Arc::default(), slots }
    }

    /// No more turns.
    pub fn close(&self) {
        self.slots.close();
    }

    /// For an operation of a network and of a driver. Who waits for one of both keeps no slot from others.
    pub async fn next(&self, network: Option<Id>, driver: Option<Name>) -> Result<Turn> {
        let network = match network {
            Some(id) => Some(shared(&self.networks, id, AsyncMutex::default).lock_owned().await),
            None => None,
        };
        let driver = match driver {
            Some(name) => {
                let share = shared(&self.drivers, name, || Semaphore::new(DRIVER_CALLS as usize));
                Some(share.acquire_owned().await.map_err(|_| closing())?)
            }
            None => None,
        };
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| closing())?;
        Ok(Turn { _network: network, _driver: driver, _slot: slot })
    }

    /// For an operation of a driver beside which none of its networks' runs.
    pub async fn only(&self, driver: Name) -> Result<Turn> {
        let share = shared(&self.drivers, driver, || Semaphore::new(DRIVER_CALLS as usize));
        let whole = share.acquire_many_owned(DRIVER_CALLS).await.map_err(|_| closing())?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| closing())?;
        Ok(Turn { _network: None, _driver: Some(whole), _slot: slot })
    }
}

/// What all have together who ask for the same, for as long as one of them has it.
fn shared<K: Eq + Hash, V>(all: &Mutex<HashMap<K, Weak<V>>>, key: K, new: impl FnOnce() -> V) -> Arc<V> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|_, one| one.strong_count() > 0);
    let known = all.get(&key).and_then(Weak::upgrade);
    known.unwrap_or_else(|| {
        let one = Arc::new(new());
        all.insert(key, Arc::downgrade(&one));
        one
    })
}

fn closing() -> Error {
    Error::new(Kind::Unavailable, "the daemon is stopping")
}
