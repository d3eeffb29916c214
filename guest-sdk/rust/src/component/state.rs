//! Store, tables, log, clock, random bytes and configuration.

pub(crate) mod store {
    use crate::Result;
    use crate::component::wit::store as wit;

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>> {
        Ok(wit::get(key)?)
    }

    pub(crate) fn list(prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(wit::list(prefix)?)
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<()> {
        Ok(wit::set(key, value)?)
    }

    pub(crate) fn remove(key: &str) -> Result<()> {
        Ok(wit::remove(key)?)
    }
}

pub(crate) mod tables {
    use crate::Result;
    use crate::component::wit::tables as wit;
    use crate::tables::Entry;

    fn entry(entry: wit::Entry) -> Entry {
        Entry { key: entry.key, value: entry.value, is_own: entry.is_own }
    }

    pub(crate) fn get(table: &str, key: &str) -> Result<Option<Entry>> {
        Ok(wit::get(table, key)?.map(entry))
    }

    pub(crate) fn list(table: &str) -> Result<Vec<Entry>> {
        Ok(wit::list(table)?.into_iter().map(entry).collect())
    }

    pub(crate) fn put(table: &str, key: &str, value: &[u8]) -> Result<()> {
        Ok(wit::put(table, key, value)?)
    }

    pub(crate) fn remove(table: &str, key: &str) -> Result<()> {
        Ok(wit::remove(table, key)?)
    }
}

pub(crate) mod log {
    use crate::component::convert::same_cases;
    use crate::component::wit::log as wit;
    use crate::log::Level;

    same_cases!(Level, wit::Level, Debug, Info, Warn, Error);

    pub(crate) fn log(level: Level, message: &str) {
        wit::log(level.into(), message);
    }
}

pub(crate) mod clock {
    pub(crate) use crate::component::wit::clock::now;
}

pub(crate) mod random {
    pub(crate) use crate::component::wit::random::bytes;
}

pub(crate) mod configuration {
    use crate::TextMap;

    pub(crate) use crate::component::wit::configuration::get;

    pub(crate) fn all() -> TextMap {
        TextMap(crate::component::wit::configuration::all())
    }
}
