//! What was allowed and refused: numbers for all, and the last refusals as they were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rate::Rate;
use super::{About, HostCall};
use words::now;

/// Refusals that are kept: enough for a person to see what a driver is at.
const KEPT: usize = 256;

/// Refusals a second that are logged.
const LOGGED: u64 = 4;

/// What a driver was allowed and refused since the start of the daemon.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Audited {
    /// The decisions, by host call.
    pub calls: Vec<AuditCount>,
    /// The last refusals, the oldest first.
    pub refused: Vec<Refused>,
}

/// The decisions about one host call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditCount {
    /// E.g. `links.add`.
    pub function: String,
    /// How often it, or an object of it, was allowed.
    pub allowed: u64,
    /// How often it was refused.
    pub refused: u64,
}

/// One refusal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub time: u64,
    /// The exported function that asked, e.g. `create-endpoint`.
    pub function: String,
    /// The network at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The endpoint at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What was refused and why.
    pub why: String,
}

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
        self.refused_answer(about, why);
    }

    /// Keeps and logs what was refused of a driver's answer, which is no host call.
    pub fn refused_answer(&self, about: &About, why: &str) {
        let text = |id: &Option<words::Id>| id.as_ref().map(ToString::to_string);
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
