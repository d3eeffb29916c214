//! What a version that is to serve has made of the driver's state, before any of it is committed.

use std::collections::HashSet;
use std::sync::Arc;

use super::probation::Before;
use crate::transaction::Assumed;
use grant::gate::state::ROW;
use store::{Batch, Check, Store, Write};
use words::{Error, Kind, Name, Result};

/// State in another form.
pub struct Migrated {
    /// What was written.
    pub state: Arc<Assumed>,
    /// The schema before.
    schema: u32,
    /// The store's version when it began.
    since: i64,
    checks: HashSet<Check>,
    /// What `state` takes, as a grant counts it.
    bytes: u64,
}

impl Migrated {
    /// Nothing is written yet, of state of this schema.
    pub fn begin(store: &Store, schema: u32) -> Self {
        Self { state: Arc::default(), schema, since: store.version(), checks: HashSet::new(), bytes: 0 }
    }

    /// What one more call has written. `most`: bytes of state that the driver may have.
    pub fn add(&mut self, (written, checks): (Assumed, HashSet<Check>), most: u64) -> Result<()> {
        let state = Arc::make_mut(&mut self.state);
        for (key, (network, value)) in written {
            let bytes =
                |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| (ROW + key.len() + value.len()) as u64);
            self.bytes += bytes(&value);
            let (_, before) = state.insert(key.clone(), (network, value)).unzip();
            self.bytes -= before.as_ref().map_or(0, bytes);
        }
        self.checks.extend(checks);
        match self.bytes <= most {
            true => Ok(()),
            false => {
                let message =
                    format!("its state would have more than the {most} bytes that its grant allows (store-bytes)");
                Err(Error::new(Kind::Unavailable, message))
            }
        }
    }

    /// Adds it to the commit with which the version comes. Answers what would bring the state back as it was.
    pub fn commit_with(self, batch: &mut Batch, store: &Store, driver: &Name) -> Result<Before> {
        let gone = self.state.iter().map(|(key, (network, _))| (key.clone(), (network.clone(), None)));
        let mut before: Assumed = gone.collect();
        let there = store.all_state(driver)?.into_iter().filter(|(key, ..)| self.state.contains_key(key));
        before.extend(there.map(|(key, network, value)| (key, (network, Some(value)))));
        batch.writes.extend(writes(driver, &self.state));
        batch.since = self.since;
        batch.checks.extend(self.checks);
        Ok(Before { schema: self.schema, state: Arc::new(before) })
    }
}

/// What makes a driver's state so.
pub fn writes(driver: &Name, state: &Assumed) -> impl Iterator<Item = Write> {
    state.iter().map(|(key, (network, value))| {
        let (driver, key, network) = (driver.clone(), key.clone(), network.clone());
        match value {
            Some(value) => Write::SetState { driver, key, network, value: value.clone() },
            None => Write::RemoveState { driver, key },
        }
    })
}
