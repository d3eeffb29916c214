//! `store` and `tables`, and what is removed by its value.

use kernel::Change;
use words::limit::{WRITTEN_BYTES, WRITTEN_KEYS};
use words::{Error, Kind, Result};

use super::{Gate, Granted, Object, View};
use crate::{HostCall, Limit, check_table};

/// Bytes of a value.
pub const VALUE: usize = 64 << 10;

/// Bytes that a key of the driver's state takes beside itself and its value: a limit of bytes is to hold for the shortest, too.
pub const ROW: usize = 256;

/// What is no object of its own (an address, a neighbour) and goes, after the commit.
#[derive(Clone, Debug)]
pub struct Removals(pub Vec<Change>);

/// A key of the driver's state, and its value; none: it goes.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct StateWrite {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// An entry of a table.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct EntryKey {
    pub table: String,
    pub key: String,
}

/// The same, and its value; none: it goes.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct EntryWrite {
    pub table: String,
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// A table whose entries the driver may see.
#[derive(Clone, Debug)]
pub struct Table(pub String);

/// A table that is watched, with libnetwork's number for what its entries are about.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Watch {
    pub table: String,
    pub object_type: u8,
}

impl StateWrite {
    /// What it counts for, once it is written.
    pub fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| ROW + self.key.len() + value.len())
    }
}

impl EntryWrite {
    /// What it counts for, once it is written.
    pub fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| self.table.len() + self.key.len() + value.len())
    }
}

impl Gate {
    /// `store.set`
    pub fn set_state(&self, view: &mut impl View, key: String, value: Vec<u8>) -> Result<Granted<StateWrite>> {
        let call = HostCall::StoreSet;
        check_written(view, &value)?;
        let write = StateWrite { key, value: Some(value) };
        self.check_share(view, call, Limit::StoreBytes, write.bytes())?;
        self.grant(call, write)
    }

    /// `store.remove`
    pub fn remove_state(&self, view: &impl View, key: String) -> Result<Granted<StateWrite>> {
        check_written(view, &[])?;
        self.grant(HostCall::StoreRemove, StateWrite { key, value: None })
    }

    /// `tables.get`
    pub fn get_entry(&self, table: String, key: String) -> Result<Granted<EntryKey>> {
        let table = self.table(HostCall::TablesGet, table)?.take().0;
        self.grant(HostCall::TablesGet, EntryKey { table, key })
    }

    /// `tables.list`
    pub fn list_entries(&self, table: String) -> Result<Granted<Table>> {
        self.table(HostCall::TablesList, table)
    }

    /// `tables.put`: makes an entry, or replaces one of the driver's own.
    pub fn put_entry(
        &self,
        view: &mut impl View,
        table: String,
        key: String,
        value: Vec<u8>,
    ) -> Result<Granted<EntryWrite>> {
        let call = HostCall::TablesPut;
        let write = EntryWrite { table, key, value: Some(value) };
        self.check_entry(view, call, &write)?;
        if view.is_own_entry(&write.table, &write.key)? == Some(false) {
            return Err(foreign(&write.table, &write.key));
        }
        self.grant(call, write)
    }

    /// `capabilities.join-info.add-table-entry`: makes an entry, where there is none.
    pub fn add_entry(
        &self,
        view: &mut impl View,
        table: String,
        key: String,
        value: Vec<u8>,
    ) -> Result<Granted<EntryWrite>> {
        let call = HostCall::CapabilitiesJoinInfoAddTableEntry;
        let write = EntryWrite { table, key, value: Some(value) };
        self.check_entry(view, call, &write)?;
        let EntryWrite { table, key, .. } = &write;
        match view.is_own_entry(table, key)? {
            None => self.grant(call, write),
            Some(true) => Err(Error::exists(format!("{table} has an entry {key:?} already"))),
            Some(false) => Err(Error::exists(format!("{table} has an entry {key:?} of another owner already"))),
        }
    }

    /// `tables.remove`
    pub fn remove_entry(&self, view: &mut impl View, table: String, key: String) -> Result<Granted<EntryWrite>> {
        let call = HostCall::TablesRemove;
        let table = self.table(call, table)?.take().0;
        check_written(view, &[])?;
        match view.is_own_entry(&table, &key)? {
            None => Err(Error::not_found(format!("{table} has no entry {key:?}"))),
            Some(false) => Err(foreign(&table, &key)),
            Some(true) => self.grant(call, EntryWrite { table, key, value: None }),
        }
    }

    /// `capabilities.network-info.table-event-register`
    pub fn watch(
        &self,
        view: &impl View,
        table: String,
        object_type: u8,
        watches_tables: bool,
    ) -> Result<Granted<Watch>> {
        let call = HostCall::CapabilitiesNetworkInfoTableEventRegister;
        let table = self.table(call, table)?.take().0;
        if !watches_tables {
            let why = "the driver does not export table-watcher, so it can't be told of events";
            return Err(Error::new(Kind::NotImplemented, why));
        }
        check_written(view, &[])?;
        self.grant(call, Watch { table, object_type })
    }

    fn check_entry(&self, view: &mut impl View, call: HostCall, write: &EntryWrite) -> Result<()> {
        self.permit(call, Object::Table(&write.table))?;
        check_written(view, write.value.as_deref().unwrap_or_default())?;
        self.check_holding(view, call, Limit::TableEntries, 1)?;
        self.check_share(view, call, Limit::TableBytes, write.bytes())
    }

    fn table(&self, call: HostCall, table: String) -> Result<Granted<Table>> {
        check_table(&table)?;
        self.permit(call, Object::Table(&table))?;
        self.grant(call, Table(table))
    }
}

fn foreign(table: &str, key: &str) -> Error {
    Error::forbidden(format!("the entry {key:?} of {table} is another owner's"))
}

/// A value's size, and what the call wrote already.
fn check_written(view: &impl View, value: &[u8]) -> Result<()> {
    if value.len() > VALUE {
        return Err(Error::invalid(format!("a value has at most {VALUE} bytes; this one has {}", value.len())));
    }
    let (keys, bytes) = view.written();
    if keys >= WRITTEN_KEYS || bytes + value.len() > WRITTEN_BYTES {
        let message = format!("one call writes at most {WRITTEN_KEYS} keys and {WRITTEN_BYTES} bytes");
        return Err(Error::new(Kind::Unavailable, message));
    }
    Ok(())
}
