//! The node's lease: one, renewed while the daemon runs. What is put with it is gone when it ends; then there is a new one, and what this host
//! still has is put again.

use std::time::Duration;

use super::Shared;
use super::fault::{Fault, is_like};
use super::keys::Key;
use super::message::{Compare, Op};
use super::network::SharedNode;
use words::now;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Keeps it, until the end.
pub fn keep(shared: &Shared) {
    let often = Duration::from_secs(u64::from(shared.access.settings.ttl)) / 3;
    while shared.state.goes_on() {
        let renewed = renew(shared);
        let mut state = shared.state.lock();
        let pause = match renewed {
            Ok(()) => {
                if let Some(fault) = state.lease_fault.take() {
                    tracing::info!("etcd answers again; before: {fault}");
                }
                often
            }
            Err(fault) => {
                if !is_like(state.lease_fault.as_ref(), &fault) {
                    state.faults += 1;
                    tracing::warn!("networks of global scope stay as they are: {fault}: {}", fault.advice());
                }
                state.lease_fault = Some(fault);
                PAUSE.min(often)
            }
        };
        drop(state);
        shared.state.wake();
        shared.state.sleep(pause);
    }
}

fn renew(shared: &Shared) -> Result<(), Fault> {
    let (lease, earlier) = {
        let mut state = shared.state.lock();
        (state.lease, state.earlier.take())
    };
    if let Some(lease) = lease {
        if shared.etcd.keep_alive(lease)? > 0 {
            return Ok(());
        }
        shared.state.lock().lease = None;
        tracing::warn!("this node was silent for too long: the others took it for dead, and it joins again");
    }
    let kept = match earlier {
        Some(earlier) if shared.etcd.keep_alive(earlier).is_ok_and(|seconds| seconds > 0) => Some(earlier),
        _ => None,
    };
    let lease = kept.map_or_else(|| shared.etcd.grant(shared.access.settings.ttl), Ok)?;
    enter(shared, lease)?;
    let mut state = shared.state.lock();
    state.lease = Some(lease);
    state.news_mut().all = true;
    drop(state);
    shared.news.notify_one();
    Ok(())
}

/// Says that this node is there. Its name is nobody else's.
fn enter(shared: &Shared, lease: i64) -> Result<(), Fault> {
    let settings = &shared.access.settings;
    let key = shared.keys.of(&Key::Node(settings.node.as_str()));
    let (mut node, mut must) = (
        SharedNode { instance: shared.instance.clone(), address: settings.address, since: now() },
        Compare::Absent(key.clone()),
    );
    loop {
        let value = serde_json::to_vec(&node).map_err(|e| Fault::Other(e.to_string()))?;
        let put = Op::Put(key.clone(), value, lease);
        let done = shared.etcd.transaction(&[must], &[put], &[Op::Get(key.clone())])?;
        if done.succeeded {
            return Ok(());
        }
        let found = done.found().map_err(|e| Fault::Other(e.message))?;
        must = match found.into_iter().next().flatten() {
            None => Compare::Absent(key.clone()),
            Some(kv) => match serde_json::from_slice::<SharedNode>(&kv.value) {
                // Started again, before its lease had ended.
                Ok(there) if there.instance == shared.instance => {
                    node.since = there.since;
                    Compare::Modified(key.clone(), kv.modified)
                }
                Ok(there) => {
                    let why = format!("the node {} is another host already, {}", settings.node, there.address);
                    return Err(Fault::Name(why));
                }
                Err(_) => return Err(Fault::Name(format!("{key} of etcd is no node"))),
            },
        };
    }
}
