//! State that calls before this one have written, and that is committed after all of them: what a migration, and a probe after it, see.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Transaction;
use store::Check;
use words::Id;

/// By key: the network that it belongs to, and its value; none: it goes.
pub type Assumed = BTreeMap<String, (Id, Option<Vec<u8>>)>;

impl Transaction {
    /// Lets the call see state as it is to be.
    pub fn assume(&mut self, state: Arc<Assumed>) {
        self.assumed = state;
    }

    /// The state that the call has written, for somebody else's commit, and what that has to check. Whatever else the call did is undone.
    pub fn hand_over(mut self) -> (Assumed, HashSet<Check>) {
        let network = self.owner.network.clone();
        let written = std::mem::take(&mut self.state);
        let written = written.into_iter().map(|(key, value)| (key, (network.clone(), value)));
        (written.collect(), std::mem::take(&mut self.checks))
    }
}
