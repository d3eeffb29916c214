//! State and tables as a call sees them: what is stored, and over it what the call has written and not committed yet.

use std::collections::BTreeMap;

use super::Transaction;
use grant::Granted;
use grant::gate::state::{EntryKey, EntryWrite, StateWrite, Table, Watch};
use store::{self, Check};
use words::limit::HOST_CALL_BYTES;

impl Transaction {
    /// The value of a key, as this call sees it.
    pub fn state(&mut self, key: &str) -> Result<Option<Vec<u8>>, store::Error> {
        if let Some(own) = self.state.get(key) {
            return Ok(own.clone());
        }
        if let Some((_, assumed)) = self.assumed.get(key) {
            return Ok(assumed.clone());
        }
        let found = self.store.state(&self.owner.driver, key)?;
        let version = found.as_ref().map(|(_, version)| *version);
        self.checks.insert(Check::State { driver: self.owner.driver.clone(), key: key.to_owned(), version });
        Ok(found.map(|(value, _)| value))
    }

    /// The entries under a prefix, as this call sees them.
    pub fn state_list(&mut self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, store::Error> {
        let (found, version) = self.store.state_list(&self.owner.driver, prefix, HOST_CALL_BYTES)?;
        self.checks.insert(Check::StateList { driver: self.owner.driver.clone(), prefix: prefix.to_owned(), version });
        let mut all: BTreeMap<String, Vec<u8>> = found.into_iter().collect();
        let assumed = self.assumed.range(prefix.to_owned()..).map(|(key, (_, value))| (key, value));
        let assumed = assumed.take_while(|(key, _)| key.starts_with(prefix));
        let own = self.state.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, value) in assumed.chain(own) {
            match value {
                Some(value) => all.insert(key.clone(), value.clone()),
                None => all.remove(key),
            };
        }
        Ok(all.into_iter().collect())
    }

    /// Whether the call has changed anything: in the kernel, in the driver's state or in its tables.
    pub fn has_changes(&self) -> bool {
        let written = !(self.state.is_empty() && self.entries.is_empty() && self.watches.is_empty());
        written || !(self.applied.is_empty() && self.removals.is_empty() && self.dropped.is_empty())
    }

    /// Sets or removes a key.
    pub fn set_state(&mut self, write: Granted<StateWrite>) {
        let now = write.take();
        let before = self.state.remove(&now.key).map(|value| StateWrite { value, ..now.clone() });
        self.counts.write_state(before.as_ref(), &now);
        self.state.insert(now.key, now.value);
    }

    /// A table entry, as this call sees it, and whether it is the driver's own.
    pub fn entry(&mut self, entry: &Granted<EntryKey>) -> Result<Option<(Vec<u8>, bool)>, store::Error> {
        self.find_entry(&entry.table, &entry.key)
    }

    pub(super) fn find_entry(&mut self, table: &str, key: &str) -> Result<Option<(Vec<u8>, bool)>, store::Error> {
        if let Some(own) = self.entries.get(&(table.to_owned(), key.to_owned())) {
            return Ok(own.clone().map(|value| (value, true)));
        }
        let found = self.store.entry(&self.owner.network, table, key)?;
        let version = found.as_ref().map(|(_, version)| *version);
        let (network, table, key) = (self.owner.network.clone(), table.to_owned(), key.to_owned());
        self.checks.insert(Check::Entry { network, table, key, version });
        Ok(found.map(|(entry, _)| (entry.value, entry.owner == store::OWN)))
    }

    /// The entries of a table, as this call sees them: key, value, own.
    pub fn entry_list(&mut self, table: &Granted<Table>) -> Result<Vec<(String, Vec<u8>, bool)>, store::Error> {
        let table = table.0.as_str();
        let (found, version) = self.store.entry_list(&self.owner.network, table, HOST_CALL_BYTES)?;
        self.checks.insert(Check::EntryList { network: self.owner.network.clone(), table: table.to_owned(), version });
        let live = found.into_iter().map(|e| (e.key, (e.value, e.owner == store::OWN)));
        let mut all: BTreeMap<String, (Vec<u8>, bool)> = live.collect();
        for ((_, key), value) in self.entries.iter().filter(|((t, _), _)| t == table) {
            match value {
                Some(value) => all.insert(key.clone(), (value.clone(), true)),
                None => all.remove(key),
            };
        }
        Ok(all.into_iter().map(|(key, (value, own))| (key, value, own)).collect())
    }

    /// Sets or removes an entry of the driver's own.
    pub fn set_entry(&mut self, write: Granted<EntryWrite>) {
        let now = write.take();
        let place = (now.table.clone(), now.key.clone());
        let before = self.entries.remove(&place).map(|value| EntryWrite { value, ..now.clone() });
        self.counts.write_entry(before.as_ref(), &now);
        self.entries.insert(place, now.value);
    }

    /// Asks for the events of a table.
    pub fn watch(&mut self, watch: Granted<Watch>) {
        let Watch { table, object_type } = watch.take();
        self.watches.insert(table, object_type);
    }
}
