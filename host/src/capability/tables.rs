//! `tables`: entries that all hosts of a cluster see.

pub use super::store::check_key;
use super::store::check_value;
use super::{Answer, Bytes, Refusal};
use crate::engine::CallState;
use crate::engine::bindings::imports::tables::{Entry, Host};
use grant::{HostCall, Limit, Object, Permit};
use words::Error;

impl Host for CallState {
    fn get(&mut self, table: String, key: String) -> Answer<Option<Entry>> {
        self.ask(HostCall::TablesGet, arguments!(table, key), |call, _| {
            check(call, HostCall::TablesGet, &table, &key)?;
            let found = call.transaction()?.entry(&table, &key)?;
            Ok(found.map(|(value, is_own)| Entry { key, value, is_own }))
        })
    }

    fn list(&mut self, table: String) -> Answer<Vec<Entry>> {
        self.ask(HostCall::TablesList, arguments!(table), |call, _| {
            grant::check_table(&table)?;
            call.gate.permit(HostCall::TablesList, Object::Table(&table))?;
            let found = call.transaction()?.entry_list(&table)?;
            Ok(found.into_iter().map(|(key, value, is_own)| Entry { key, value, is_own }).collect())
        })
    }

    fn put(&mut self, table: String, key: String, value: Vec<u8>) -> Answer<()> {
        self.ask(HostCall::TablesPut, arguments!(table, key, Bytes(&value)), |call, permit| {
            put(call, permit, table, key, value, true)
        })
    }

    fn remove(&mut self, table: String, key: String) -> Answer<()> {
        self.ask(HostCall::TablesRemove, arguments!(table, key), |call, permit| {
            check(call, HostCall::TablesRemove, &table, &key)?;
            check_value(call, &[])?;
            match call.transaction()?.entry(&table, &key)? {
                None => Err(Error::not_found(format!("{table} has no entry {key:?}")).into()),
                Some((_, false)) => Err(foreign(&table, &key)),
                Some((_, true)) => {
                    call.transaction()?.set_entry(permit, table, key, None);
                    Ok(())
                }
            }
        })
    }
}

/// Makes an entry; replaces one of the driver's own where `replace` says so.
pub fn put(
    call: &mut CallState,
    permit: Permit,
    table: String,
    key: String,
    value: Vec<u8>,
    replace: bool,
) -> Answer<()> {
    check(call, permit.call(), &table, &key)?;
    check_value(call, &value)?;
    super::check_holding(call, permit.call(), Limit::TableEntries, 1)?;
    match call.transaction()?.entry(&table, &key)? {
        Some((_, true)) if !replace => Err(Error::exists(format!("{table} has an entry {key:?} already")).into()),
        Some((_, false)) if replace => Err(foreign(&table, &key)),
        Some((_, false)) => Err(Error::exists(format!("{table} has an entry {key:?} of another owner already")).into()),
        _ => {
            call.transaction()?.set_entry(permit, table, key, Some(value));
            Ok(())
        }
    }
}

fn foreign(table: &str, key: &str) -> Refusal {
    Error::forbidden(format!("the entry {key:?} of {table} is another owner's")).into()
}

fn check(call: &CallState, of: HostCall, table: &str, key: &str) -> Answer<()> {
    grant::check_table(table)?;
    check_key(key)?;
    call.gate.permit(of, Object::Table(table))?;
    Ok(())
}
