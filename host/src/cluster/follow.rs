//! Follows all changes: reads everything once, then watches from the next revision on. A watch that breaks off is begun again behind the last
//! change that it told; where etcd has forgotten that revision, everything is read again, and what differs is a change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::etcd::{Ended, Stream};
use super::fault::{Fault, is_like};
use super::keys::Key;
use super::message::{Change, Watched};
use super::mirror::{BYTES, KEYS};
use super::state::{State, Which};
use super::{Keys, Shared, network_of};

/// Between two attempts: from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// How a watch came to its end.
enum End {
    /// It is to be begun again.
    Again,
    /// Everything has to be read.
    ReadAll,
    /// The same, and etcd is not what it was: what it told before may not be so.
    Restored,
}

/// Follows, until the end.
pub fn follow(shared: &Shared) {
    let (mut next, mut pause, mut doubted) = (End::ReadAll, PAUSES[0], false);
    while shared.state.goes_on() {
        let ended = match next {
            End::Again => watch(shared, doubted),
            End::ReadAll => read_all(shared, false).map(|()| End::Again),
            End::Restored => read_all(shared, true).map(|()| End::Again),
        };
        match ended {
            Ok(end) => (next, pause, doubted) = (end, PAUSES[0], false),
            Err(fault) => {
                let mut state = shared.state.lock();
                state.followed = false;
                if !is_like(state.watch_fault.as_ref(), &fault) {
                    state.faults += 1;
                    tracing::warn!("changes of networks of global scope are not heard: {fault}");
                }
                state.watch_fault = Some(fault);
                drop(state);
                shared.state.sleep(pause);
                (pause, doubted) = ((pause * 2).min(PAUSES[1]), true);
            }
        }
    }
}

fn read_all(shared: &Shared, restored: bool) -> Result<(), Fault> {
    let (mut all, mut bytes) = (Vec::new(), 0);
    let (revision, cluster) = shared.etcd.read_all(shared.keys.all(), |kvs| {
        bytes += kvs.iter().map(|kv| kv.key.len() + kv.value.len()).sum::<usize>();
        all.extend(kvs);
        all.len() <= KEYS && bytes <= BYTES && shared.state.goes_on()
    })?;
    if all.len() > KEYS || bytes > BYTES {
        return Err(full());
    }
    let mut state = shared.state.lock();
    let restored =
        restored || state.mirror.revision > revision || (state.mirror.revision > 0 && state.mirror.cluster != cluster);
    let changed = state.mirror.replace(all, revision, cluster);
    tell(&shared.keys, &mut state, changed);
    let news = state.news_mut();
    (news.all, news.networks) = (true, true);
    news.restored |= restored;
    if restored {
        tracing::warn!(revision, "etcd is older than it was: what this node has is put there again");
    }
    drop(state);
    shared.news.notify_one();
    Ok(())
}

/// Watches until that ends. `doubted`: etcd was away meanwhile, and may have been restored from an older copy. That one does not have what was
/// written last, or not as it was.
fn watch(shared: &Shared, doubted: bool) -> Result<End, Fault> {
    let (known, newest) = {
        let state = shared.state.lock();
        (state.mirror.revision, state.mirror.newest().filter(|_| doubted))
    };
    if let Some((key, modified)) = newest {
        match shared.etcd.get(&key)? {
            Some(kv) if kv.modified < modified => return Ok(End::Restored),
            // Removed meanwhile, perhaps.
            None => return Ok(End::ReadAll),
            Some(_) => {}
        }
    }
    let mut stream = match shared.etcd.watch(shared.keys.all(), known + 1) {
        Err(Fault::Compacted) => return Ok(End::ReadAll),
        stream => stream?,
    };
    while shared.state.goes_on() {
        if let Some(end) = next(shared, &mut stream)? {
            return Ok(end);
        }
    }
    Ok(End::Again)
}

/// One message of the watch.
fn next(shared: &Shared, stream: &mut Stream) -> Result<Option<End>, Fault> {
    let watched = match stream.next() {
        Err(Ended::Silent) => {
            let mut state = shared.state.lock();
            state.heard = state.begun;
            return Ok(Some(End::Again));
        }
        Err(Ended::Fault(Fault::Compacted)) => return Ok(Some(End::ReadAll)),
        Err(Ended::Fault(fault)) => return Err(fault),
        Ok(watched) => watched,
    };
    let Watched { created, canceled, compact_revision, .. } = watched;
    if compact_revision > 0 {
        return Ok(Some(End::ReadAll));
    }
    if canceled {
        return Err(Fault::Away(format!("the watch was ended: {}", watched.cancel_reason)));
    }
    let mut state = shared.state.lock();
    let (revision, is_same) = (watched.header.revision, watched.header.cluster_id == state.mirror.cluster);
    if !is_same || (created && revision < state.mirror.revision) {
        return Ok(Some(End::Restored));
    }
    if created {
        state.begun = revision;
    }
    state.followed = true;
    if state.watch_fault.take().is_some() {
        tracing::info!("changes are heard again");
    }
    let changes = watched.changes().map_err(|e| Fault::Other(e.message))?;
    if changes.is_empty() && !created {
        // All before it was told.
        state.mirror.revision = state.mirror.revision.max(revision);
    }
    let mut changed = BTreeSet::new();
    for change in changes {
        let (key, at) = match &change {
            Change::Put(kv) => (kv.key.clone(), kv.modified),
            Change::Delete { key, revision } => (key.clone(), *revision),
        };
        if state.mirror.change(change) {
            changed.insert(key);
        }
        state.mirror.revision = state.mirror.revision.max(at);
    }
    let is_full = state.mirror.is_full();
    if !changed.is_empty() {
        tell(&shared.keys, &mut state, changed);
        drop(state);
        shared.news.notify_one();
    }
    if is_full { Err(full()) } else { Ok(None) }
}

fn full() -> Fault {
    Fault::Other(format!("there are more than {KEYS} keys or {BYTES} bytes below the prefix"))
}

/// Notes keys that changed for whoever they concern.
fn tell(keys: &Keys, state: &mut State, changed: BTreeSet<String>) {
    let mut of_networks: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in changed {
        match keys.parse(&key) {
            Some(Key::Network(_) | Key::Name(_)) => state.news_mut().networks = true,
            Some(parsed) => {
                if let Some(network) = network_of(&parsed) {
                    of_networks.entry(network.to_owned()).or_default().insert(key);
                }
            }
            None => {}
        }
    }
    for (network, keys) in of_networks {
        state.mark(&network, Which::These(keys));
    }
}
