//! `tables`: entries that all hosts of a cluster see.

pub use super::store::check_key;
use super::{Answer, CallState};
use ask::Bytes;
use ask::tables::{Entry, Host};

impl Host for CallState {
    fn get(&mut self, table: String, key: String) -> Answer<Option<Entry>> {
        check(&table, &key)?;
        let (gate, transaction) = self.parts()?;
        let found = transaction.entry(&gate.get_entry(table, key.clone())?)?;
        Ok(found.map(|(value, is_own)| Entry { key, value: Bytes(value), is_own }))
    }

    fn list(&mut self, table: String) -> Answer<Vec<Entry>> {
        let (gate, transaction) = self.parts()?;
        let found = transaction.entry_list(&gate.list_entries(table)?)?;
        Ok(found.into_iter().map(|(key, value, is_own)| Entry { key, value: Bytes(value), is_own }).collect())
    }

    fn put(&mut self, table: String, key: String, value: Bytes) -> Answer<()> {
        check(&table, &key)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.put_entry(transaction, table, key, value.0)?;
        transaction.set_entry(granted);
        Ok(())
    }

    fn remove(&mut self, table: String, key: String) -> Answer<()> {
        check(&table, &key)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.remove_entry(transaction, table, key)?;
        transaction.set_entry(granted);
        Ok(())
    }
}

/// What names an entry.
pub fn check(table: &str, key: &str) -> Answer<()> {
    grant::check_table(table)?;
    check_key(key)
}
