//! Store, tables, log, clock, random bytes and configuration.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use pontoon_sdk::ErrorKind::{InvalidArgument, NotFound};
use pontoon_sdk::tables::Entry;
use pontoon_sdk::{Result, log, random, store, tables};

use super::Stage;
use crate::check::{ensure, refused, same};

pub(super) fn log(stage: &Stage) -> Result<()> {
    let levels = [log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error];
    levels.into_iter().for_each(|level| log::log(level, format!("a line of level {level:?} of {}", stage.owner)));
    log::info("unprintable: \u{7}\n\u{1b}[31m");
    Ok(())
}

pub(super) fn clock(_: &Stage) -> Result<()> {
    // 2020-01-01, when nobody had thought of this driver.
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800);
    let first = pontoon_sdk::clock::now();
    ensure(first > past, "clock.now is before 2020")?;
    ensure(pontoon_sdk::clock::now() >= first, "clock.now went back")
}

/// What a call leaves in memory, the next one does not see.
pub(super) fn memory(_: &Stage) -> Result<()> {
    static MEMORY: [AtomicU8; 1 << 20] = [const { AtomicU8::new(0) }; 1 << 20];
    ensure(MEMORY.iter().all(|byte| byte.swap(0xa5, Ordering::Relaxed) == 0), "memory is not zeroed")
}

pub(super) fn random(_: &Stage) -> Result<()> {
    ensure(random::array::<16>() != random::array::<16>(), "random.bytes gave the same twice")?;
    same(random::bytes(0).len(), 0, "random.bytes of 0")?;
    same(random::bytes(4096).len(), 4096, "random.bytes of 4096")
}

pub(super) fn configuration(_: &Stage) -> Result<()> {
    for (key, value) in pontoon_sdk::configuration::all().iter() {
        log::info(format!("configured: {key}={value}"));
        same(pontoon_sdk::configuration::get(key).as_deref(), Some(value), key)?;
    }
    same(pontoon_sdk::configuration::get("probe.nobody-configures-this"), None, "configuration.get of an unknown key")
}

/// Leaves `left/OWNER` behind.
pub(super) fn store(stage: &Stage) -> Result<()> {
    let prefix = format!("probe/{}/", stage.owner);
    let [one, two] = ["1", "2"].map(|number| format!("{prefix}{number}"));
    same(store::get_bytes(&one)?, None, "store.get before set")?;
    store::set_bytes(&two, b"two")?;
    store::set_bytes(&one, b"one")?;
    store::set_bytes(&one, &[0, 255])?;
    same(store::get_bytes(&one)?, Some(vec![0, 255]), "store.get after set")?;
    let both = vec![(one.clone(), vec![0, 255]), (two.clone(), b"two".to_vec())];
    same(store::list_bytes(&prefix)?, both, "store.list")?;
    store::remove(&one)?;
    store::remove(&one)?;
    same(store::get_bytes(&one)?, None, "store.get after remove")?;
    same(store::list_bytes(&prefix)?.len(), 1, "store.list after remove")?;
    store::remove(&two)?;
    refused(store::set_bytes("", b""), InvalidArgument, "store.set of an empty key")?;
    refused(store::set_bytes("tab\t", b""), InvalidArgument, "store.set of a key with a tab")?;
    refused(store::set_bytes(&one, &[0; 65_537]), InvalidArgument, "store.set of more than 64 KiB")?;
    store::set_bytes(&format!("left/{}", stage.owner), b"left")
}

/// Leaves the entry `left-OWNER` of `probe-table` behind.
pub(super) fn tables(stage: &Stage) -> Result<()> {
    const TABLE: &str = "probe-table";
    let key = format!("key-{}", stage.owner);
    let own = |value: &[u8]| Entry { key: key.clone(), value: value.to_vec(), is_own: true };
    same(tables::get(TABLE, &key)?, None, "tables.get before put")?;
    tables::put(TABLE, &key, b"first")?;
    tables::put(TABLE, &key, b"second")?;
    same(tables::get(TABLE, &key)?, Some(own(b"second")), "tables.get after put")?;
    ensure(tables::list(TABLE)?.contains(&own(b"second")), "tables.list doesn't have what was put")?;
    tables::remove(TABLE, &key)?;
    same(tables::get(TABLE, &key)?, None, "tables.get after remove")?;
    refused(tables::remove(TABLE, &key), NotFound, "tables.remove of what is not there")?;
    refused(tables::put("a/b", "key", b""), InvalidArgument, "tables.put into a table with a slash")?;
    tables::put(TABLE, &format!("left-{}", stage.owner), b"left")
}
