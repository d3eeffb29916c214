//! What was allowed and refused: numbers for all, and the last refusals as they were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::rate::Rate;
use super::{About, HostCall};
use crate::operation::driver::{AuditCount, Audited, Refused};
use crate::operation::now;

/// Refusals that are kept: enough for a person to see what a driver is at.
const KEPT: usize = 256;

/// Refusals a second that are logged.
const LOGGED: u64 = 4;

/// A driver's record since the start of the daemon.
#[derive(Debug)]
pub struct Audit {
    allowed: [AtomicU64; HostCall::ALL.len()],
    refused: [AtomicU64; HostCall::ALL.len()],
    last: Mutex<VecDeque<Refused>>,
    logged: Rate,
}

impl Default for Audit {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self { allowed: zeros(), refused: zeros(), last: Mutex::default(), logged: Rate::new() }
    }
}

impl Audit {
    /// Counts what was allowed.
    pub fn allowed(&self, call: HostCall) {
        self.allowed[call as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts, keeps and logs what was refused.
    pub fn refused(&self, about: &About, call: HostCall, why: &str) {
        self.refused[call as usize].fetch_add(1, Ordering::Relaxed);
        let text = |id: &Option<crate::operation::Id>| id.as_ref().map(ToString::to_string);
        let refused = Refused {
            time: now(),
            function: about.function.clone(),
            network: text(&about.network),
            endpoint: text(&about.endpoint),
            why: why.to_owned(),
        };
        if let Some(unlogged) = self.logged.take(1, LOGGED) {
            let About { driver, function, network, endpoint } = about;
            let (network, endpoint) = (network.as_ref().map(|n| n.as_str()), endpoint.as_ref().map(|e| e.as_str()));
            tracing::warn!(%driver, network, endpoint, function, unlogged, "refused: {why}");
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(refused);
    }

    /// All of it.
    pub fn tell(&self) -> Audited {
        let number = |counts: &[AtomicU64], call: HostCall| counts[call as usize].load(Ordering::Relaxed);
        let counts = HostCall::ALL.into_iter().map(|call| AuditCount {
            function: call.name().to_owned(),
            allowed: number(&self.allowed, call),
            refused: number(&self.refused, call),
        });
        let calls = counts.filter(|count| count.allowed + count.refused > 0).collect();
        let refused = self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        Audited { calls, refused }
    }
}
