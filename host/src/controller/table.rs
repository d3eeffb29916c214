//! Operations on tables, and the events that they are to drivers.

use std::collections::BTreeSet;

use super::Inner;
use super::call::{Call, Calls};
use grant::check_table;

use crate::capability::tables::check_key;
use crate::driver::Driver;
use ask::types::{TableEvent, TableUpdate};
use ask::{Arguments, Returned};
use operation::table::{Entry, PutEntry};
use store::{self, Batch, Durability, Network, TableEntry, Undelivered, Write};
use words::{Error, Id, Name, Result};

/// libnetwork's number for entries that are about endpoints.
const ENDPOINT: u8 = 1;

/// Bytes of an entry's value.
const VALUE: usize = crate::capability::store::VALUE;

impl Inner {
    pub(super) fn entries(&self, network: &str, table: Option<&str>) -> Result<Vec<Entry>> {
        let network = self.find_network(network)?;
        self.decoded_entries(&network, table)
    }

    /// The entries of a network, explained by its driver where it can.
    pub(super) fn decoded_entries(&self, network: &Network, table: Option<&str>) -> Result<Vec<Entry>> {
        let driver = self.drivers.get(&network.driver).ok().filter(|d| d.watches_tables());
        let (entries, _) = self.store.entries(&network.id, table)?;
        let watches = self.store.watches(&network.id)?;
        let about_endpoints: BTreeSet<_> =
            watches.into_iter().filter(|(_, about)| *about == ENDPOINT).map(|(table, _)| table).collect();
        let explained = entries.into_iter().map(|entry| {
            let entry = self.decoded(driver.as_deref(), entry);
            let id = entry.title.as_deref().filter(|_| about_endpoints.contains(&entry.table));
            let endpoint = match id.and_then(|id| Id::new(id).ok()) {
                Some(id) => self.store.endpoint(&network.id, &id)?.map(|endpoint| endpoint.name),
                None => None,
            };
            Ok(Entry { endpoint, ..entry })
        });
        explained.collect()
    }

    fn decoded(&self, driver: Option<&Driver>, entry: TableEntry) -> Entry {
        let decode = |driver: &Driver| {
            let arguments = Arguments::DecodeTableEntry {
                table: entry.table.clone(),
                key: entry.key.clone(),
                value: entry.value.clone().into(),
            };
            self.call(&Call::pure(driver, arguments), &mut Calls::default(), |_| Ok(Vec::new()))
                .map(|done| done.said.returned)
        };
        let (title, details) = match driver.map(decode) {
            Some(Ok(Returned::DecodeTableEntry((title, details)))) => (Some(title), details.into_iter().collect()),
            Some(Err(error)) => (Some(format!("(can't be explained: {error})")), [].into()),
            Some(Ok(_)) | None => (None, [].into()),
        };
        let TableEntry { table, key, value, owner, .. } = entry;
        Entry { value: readable(&value), table, key, owner, endpoint: None, title, details }
    }

    pub(super) fn put_entry(&self, network: &Id, table: String, key: String, put: PutEntry) -> Result<()> {
        check(&table, &key)?;
        self.check_is_local(network)?;
        let owner = Name::new(&put.owner).map_err(|e| e.context("the owner"))?;
        if owner.as_str() == store::OWN {
            return Err(Error::forbidden(format!("{:?} is the driver itself: choose another owner", store::OWN)));
        }
        if put.value.len() > VALUE {
            return Err(Error::invalid(format!("a value has at most {VALUE} bytes; this one has {}", put.value.len())));
        }
        if let Some((entry, _)) = self.store.entry(network, &table, &key)?
            && entry.owner != owner.as_str()
        {
            return Err(Error::forbidden(format!("the entry {key:?} of {table} belongs to {}", entry.owner)));
        }
        let (network_id, owner) = (network.clone(), owner.to_string());
        self.write(Write::PutEntry {
            network: network_id,
            table,
            key,
            owner,
            endpoint: None,
            value: put.value.into_bytes(),
        })?;
        self.tell(network);
        Ok(())
    }

    pub(super) fn remove_entry(&self, network: &Id, table: String, key: String) -> Result<()> {
        check(&table, &key)?;
        self.check_is_local(network)?;
        match self.store.entry(network, &table, &key)? {
            None => return Err(Error::not_found(format!("{table} has no entry {key:?}"))),
            Some((entry, _)) if entry.owner == store::OWN => {
                return Err(Error::forbidden(format!("the entry {key:?} of {table} is the driver's own")));
            }
            Some(_) => {}
        }
        self.write(Write::RemoveEntry { network: network.clone(), table, key })?;
        self.tell(network);
        Ok(())
    }

    /// The entries of other nodes are theirs.
    fn check_is_local(&self, network: &Id) -> Result<()> {
        match self.store.network(network)? {
            Some(network) if network.global && self.cluster.is_some() => Err(Error::forbidden(format!(
                "the network {} is of global scope: its entries come from the nodes of the cluster",
                network.name
            ))),
            _ => Ok(()),
        }
    }

    fn write(&self, write: Write) -> Result<()> {
        self.store.commit(Batch { writes: vec![write], durability: Durability::Process, ..Batch::default() })?;
        Ok(())
    }

    /// Tells a network's driver what changed in the tables that it watches. What it does not take is told again: after a
    /// while, with the next change, at a start, and by `gc`. Answers how many events it took.
    pub(super) fn tell(&self, network: &Id) -> usize {
        let told = self.store.network(network).map_err(Error::from).and_then(|found| match found {
            Some(network) if network.down.is_none() => self.tell_network(&network),
            _ => Ok((0, true)),
        });
        let (told, took_all) = told.unwrap_or_else(|error| {
            tracing::warn!(%network, "events stay untold: {error}");
            (0, false)
        });
        self.untold.note(network, took_all);
        told
    }

    /// Answers how many events the driver took, and whether these were all.
    fn tell_network(&self, network: &Network) -> Result<(usize, bool)> {
        let driver = self.drivers.get(&network.driver)?;
        if !driver.watches_tables() {
            return Ok((0, true));
        }
        let changes = self.store.undelivered(&network.id)?;
        let (all, mut told) = (changes.len(), 0);
        for change in changes {
            match self.tell_one(&driver, network, change) {
                Ok(()) => told += 1,
                Err(error) => tracing::warn!(network = %network.name, "{error}"),
            }
        }
        Ok((told, told == all))
    }

    fn tell_one(&self, driver: &Driver, network: &Network, change: Undelivered) -> Result<()> {
        let Undelivered { table, key, previous, value } = change;
        let event = match (previous, value.clone()) {
            (None, Some(value)) => TableEvent::Created(value.into()),
            (Some(previous), Some(value)) => {
                TableEvent::Updated(TableUpdate { previous: previous.into(), value: value.into() })
            }
            (Some(previous), None) => TableEvent::Deleted(previous.into()),
            (None, None) => return Ok(()),
        };
        let arguments =
            Arguments::EventNotify { network: network.id.to_string(), table: table.clone(), key: key.clone(), event };
        let call = Call { durability: Durability::Process, ..Call::network(driver, arguments, network) };
        self.call(&call, &mut Calls::default(), |_| {
            let (network, table, key) = (network.id.clone(), table.clone(), key.clone());
            Ok(vec![Write::Delivered { network, table, key, value: value.clone() }])
        })?;
        Ok(())
    }
}

fn check(table: &str, key: &str) -> Result<()> {
    check_table(table)?;
    Ok(check_key(key)?)
}

/// Text where it is UTF-8 without control characters, else hexadecimal digits.
fn readable(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => value.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}
