//! What a driver may do now, and what it did.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::rate::Rate;
use super::{Audit, Grant, Item, Limit};

/// A driver's grant, which can be changed while it is loaded, and its audit. A call goes by the grant that there was when it began.
#[derive(Debug)]
pub struct Policy {
    grant: RwLock<Arc<Grant>>,
    /// What was allowed and refused.
    pub audit: Audit,
    log: Rate,
    needed: Option<Needed>,
}

/// The smallest grant that would have done, as it is found out: for an author's tests. A daemon has none.
pub type Needed = Arc<Mutex<Grant>>;

impl Policy {
    /// By this grant. With `needed`, everything that a grant can name is allowed, and what the grant lacks is noted there.
    pub fn new(grant: Grant, needed: Option<Needed>) -> Self {
        Self { grant: RwLock::new(Arc::new(grant)), audit: Audit::default(), log: Rate::new(), needed }
    }

    /// The grant.
    pub fn grant(&self) -> Arc<Grant> {
        self.grant.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the grant for calls that begin from now on.
    pub fn set_grant(&self, grant: Grant) {
        *self.grant.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(grant);
    }

    /// Whether a line of this length may be logged: then how many were not, before it.
    pub fn logs(&self, bytes: usize, grant: &Grant) -> Option<u64> {
        self.log.take(bytes as u64, grant.limit(Limit::LogBytesPerSecond))
    }

    /// Notes what is needed and not granted. False: it is refused.
    pub(super) fn notes(&self, item: &Item) -> bool {
        let Some(needed) = &self.needed else { return false };
        needed.lock().unwrap_or_else(PoisonError::into_inner).add(item.clone());
        true
    }
}
