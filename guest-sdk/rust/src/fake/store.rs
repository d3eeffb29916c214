//! Store, tables, log, clock, random bytes and configuration.

use std::collections::BTreeMap;

use crate::tables::Entry;
use crate::{Error, Result};

const MAX_VALUE: usize = 65_536;

fn check_text(what: &str, text: &str, max: usize) -> Result<()> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if text.is_empty() || text.len() > max || !is_printable {
        return Err(Error::invalid_argument(format!("{what} {text:?}: 1 to {max} bytes of printable ASCII")));
    }
    Ok(())
}

fn check_value(value: &[u8]) -> Result<()> {
    if value.len() > MAX_VALUE {
        return Err(Error::invalid_argument(format!("a value of {} bytes: at most {MAX_VALUE}", value.len())));
    }
    Ok(())
}

/// A table's name.
pub(super) fn check_table(table: &str) -> Result<()> {
    if table.contains(['/', ' ']) {
        return Err(Error::invalid_argument(format!("table {table:?}: a name has no space and no /")));
    }
    check_text("table", table, 128)
}

pub(crate) mod entries {
    use super::{check_text, check_value};
    use crate::Result;
    use crate::fake::state;

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>> {
        check_text("key", key, 256)?;
        Ok(state::with(|state| state.store.get(key).map(|(_, value)| value.clone())))
    }

    pub(crate) fn list(prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        if !prefix.is_empty() {
            check_text("prefix", prefix, 256)?;
        }
        Ok(state::with(|state| {
            let entries = state.store.iter().filter(|(key, _)| key.starts_with(prefix));
            entries.map(|(key, (_, value))| (key.clone(), value.clone())).collect()
        }))
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<()> {
        check_text("key", key, 256)?;
        check_value(value)?;
        state::with(|state| state.store.insert(key.to_owned(), (state.owner.network.clone(), value.to_vec())));
        Ok(())
    }

    pub(crate) fn remove(key: &str) -> Result<()> {
        check_text("key", key, 256)?;
        state::with(|state| state.store.remove(key));
        Ok(())
    }
}

/// The tables of all networks: by network, table and key, the value and whether it is the driver's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables(BTreeMap<(String, String, String), (Vec<u8>, bool)>);

impl Tables {
    pub fn put_foreign(&mut self, network: &str, table: &str, key: &str, value: &[u8]) {
        self.0.insert((network.to_owned(), table.to_owned(), key.to_owned()), (value.to_vec(), false));
    }

    pub fn forget(&mut self, network: &str) {
        self.0.retain(|(of, _, _), _| of != network);
    }
}

pub(crate) mod tables {
    use super::{Entry, check_table, check_text, check_value};
    use crate::fake::state::{self, State};
    use crate::{Error, Result};

    fn place(state: &State, table: &str, key: &str) -> (String, String, String) {
        (state.owner.network.clone(), table.to_owned(), key.to_owned())
    }

    pub(crate) fn get(table: &str, key: &str) -> Result<Option<Entry>> {
        check_table(table)?;
        check_text("key", key, 256)?;
        let entry =
            |(value, is_own): &(Vec<u8>, bool)| Entry { key: key.to_owned(), value: value.clone(), is_own: *is_own };
        Ok(state::with(|state| state.tables.0.get(&place(state, table, key)).map(entry)))
    }

    pub(crate) fn list(table: &str) -> Result<Vec<Entry>> {
        check_table(table)?;
        Ok(state::with(|state| {
            let here = |place: &(String, String, String)| place.0 == state.owner.network && place.1 == table;
            let entries = state.tables.0.iter().filter(|(place, _)| here(place));
            entries
                .map(|(place, (value, is_own))| Entry { key: place.2.clone(), value: value.clone(), is_own: *is_own })
                .collect()
        }))
    }

    pub(crate) fn put(table: &str, key: &str, value: &[u8]) -> Result<()> {
        check_value(value)?;
        check_own(table, key)?;
        state::with(|state| state.tables.0.insert(place(state, table, key), (value.to_vec(), true)));
        Ok(())
    }

    pub(crate) fn remove(table: &str, key: &str) -> Result<()> {
        check_own(table, key)?;
        let removed = state::with(|state| state.tables.0.remove(&place(state, table, key)));
        removed.map(drop).ok_or_else(|| Error::not_found(format!("{table}/{key} has no entry")))
    }

    fn check_own(table: &str, key: &str) -> Result<()> {
        match get(table, key)? {
            Some(Entry { is_own: false, .. }) => Err(Error::forbidden(format!("{table}/{key} is another owner's"))),
            _ => Ok(()),
        }
    }
}

pub(crate) mod log {
    use crate::fake::state;
    use crate::log::Level;

    pub(crate) fn log(level: Level, message: &str) {
        state::with(|state| state.log.push((level, message.to_owned())));
    }
}

pub(crate) mod clock {
    use crate::fake::state;

    /// It stood still on the day on which this was written, but for what happened since.
    pub(crate) fn now() -> u64 {
        1_795_000_000_000_000_000 + state::with(|state| u64::from(state.next()))
    }
}

pub(crate) mod random {
    use std::cell::Cell;

    thread_local! {
        static SEED: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) };
    }

    /// The same in every test: xorshift64.
    pub(crate) fn bytes(count: u32) -> Vec<u8> {
        assert!(count <= 4096, "random.bytes of {count}: at most 4096");
        let next = || {
            let mut seed = SEED.get();
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            SEED.set(seed);
            seed.to_be_bytes()[0]
        };
        (0..count).map(|_| next()).collect()
    }
}

pub(crate) mod configuration {
    use crate::TextMap;
    use crate::fake::state;

    pub(crate) fn get(key: &str) -> Option<String> {
        state::with(|state| state.configuration.get(key).map(str::to_owned))
    }

    pub(crate) fn all() -> TextMap {
        state::with(|state| state.configuration.clone())
    }
}
