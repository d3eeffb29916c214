//! `tables`: entries that all hosts of a cluster see.

pub use super::store::check_key;
use super::{Answer, Bytes};
use crate::engine::CallState;
use crate::engine::bindings::imports::tables::{Entry, Host};
use grant::HostCall;

impl Host for CallState {
    fn get(&mut self, table: String, key: String) -> Answer<Option<Entry>> {
        self.ask(HostCall::TablesGet, arguments!(table, key), |call| {
            check(&table, &key)?;
            let (gate, transaction) = call.parts()?;
            let found = transaction.entry(&gate.get_entry(table, key.clone())?)?;
            Ok(found.map(|(value, is_own)| Entry { key, value, is_own }))
        })
    }

    fn list(&mut self, table: String) -> Answer<Vec<Entry>> {
        self.ask(HostCall::TablesList, arguments!(table), |call| {
            let (gate, transaction) = call.parts()?;
            let found = transaction.entry_list(&gate.list_entries(table)?)?;
            Ok(found.into_iter().map(|(key, value, is_own)| Entry { key, value, is_own }).collect())
        })
    }

    fn put(&mut self, table: String, key: String, value: Vec<u8>) -> Answer<()> {
        self.ask(HostCall::TablesPut, arguments!(table, key, Bytes(&value)), |call| {
            check(&table, &key)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.put_entry(transaction, table, key, value)?;
            transaction.set_entry(granted);
            Ok(())
        })
    }

    fn remove(&mut self, table: String, key: String) -> Answer<()> {
        self.ask(HostCall::TablesRemove, arguments!(table, key), |call| {
            check(&table, &key)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.remove_entry(transaction, table, key)?;
            transaction.set_entry(granted);
            Ok(())
        })
    }
}

/// What names an entry.
pub fn check(table: &str, key: &str) -> Answer<()> {
    grant::check_table(table)?;
    check_key(key)
}
