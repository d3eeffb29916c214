//! Files that must not be touched: newer, damaged, another's.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with a database of some pages, and its bytes.
fn filled() -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    for i in 0..200 {
        put(&store, [Write::PutNetwork(network(&format!("n{i}"), &format!("a{i}")))]).unwrap();
    }
    drop(store);
    let bytes = std::fs::read(folder.database()).unwrap();
    (folder, bytes)
}

/// Replaces the database's bytes; open must refuse and leave every byte.
fn refused(folder: &Folder, bytes: &[u8]) -> Error {
    std::fs::write(folder.database(), bytes).unwrap();
    let error = folder.refusal();
    assert!(std::fs::read(folder.database()).unwrap() == bytes, "the file was changed");
    error
}

#[test]
fn a_newer_file_is_refused_and_not_changed() {
    let (folder, mut bytes) = filled();
    bytes[60..64].copy_from_slice(&(SCHEMA + 1).to_be_bytes());
    let error = refused(&folder, &bytes);
    assert!(matches!(error, Error::Newer { found, known, .. } if found == SCHEMA + 1 && known == SCHEMA), "{error}");
}

#[test]
fn a_newer_file_whose_log_was_not_moved_is_refused_and_not_changed() {
    let folder = Folder::new();
    drop(Store::open(&folder.0).unwrap());
    // As a newer daemon that was killed leaves it.
    let newer = rusqlite::Connection::open(folder.database()).unwrap();
    newer.pragma_update(None, "user_version", 9).unwrap();
    newer.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    drop(newer);
    let files = ["pontoon.db", "pontoon.db-wal"].map(|file| folder.0.join(file));
    let before = files.clone().map(|file| std::fs::read(file).unwrap());
    assert!(matches!(folder.refusal(), Error::Newer { found: 9, .. }));
    assert!(files.map(|file| std::fs::read(file).unwrap()) == before, "the files were changed");
}

#[test]
fn damaged_files_are_refused_and_not_changed() {
    let (folder, bytes) = filled();
    let page = file::PAGE as usize;
    for cut in [0, 1, 99, 100, page, bytes.len() / 2, bytes.len() - page, bytes.len() - 1] {
        let error = refused(&folder, &bytes[..cut]);
        assert!(matches!(error, Error::NotADatabase { .. }), "cut at {cut}: {error}");
    }
    for number in 0..bytes.len() / page {
        let mut wiped = bytes.clone();
        wiped[number * page..(number + 1) * page][if number == 0 { 100 } else { 0 }..].fill(0xa5);
        let error = refused(&folder, &wiped);
        assert!(matches!(error, Error::NotADatabase { .. }), "page {number}: {error}");
    }
    assert!(matches!(refused(&folder, &b"no database at all, but long enough ".repeat(9)), Error::NotADatabase { .. }));
    std::fs::write(folder.database(), &bytes).unwrap();
    assert_eq!(Store::open(&folder.0).unwrap().networks().unwrap().len(), 200, "and with its bytes back it opens");
}

#[test]
fn another_programs_file_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir(&folder.0).unwrap();
    let other = rusqlite::Connection::open(folder.database()).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 1").unwrap();
    drop(other);
    let bytes = std::fs::read(folder.database()).unwrap();
    assert!(
        matches!(refused(&folder, &bytes), Error::NotADatabase { reason, .. } if reason.contains("another program"))
    );
}

#[test]
fn a_log_without_its_file_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir(&folder.0).unwrap();
    std::fs::write(folder.0.join("pontoon.db-wal"), b"log").unwrap();
    assert!(matches!(folder.refusal(), Error::NotADatabase { .. }));
    assert!(!folder.database().exists() && folder.0.join("pontoon.db-wal").exists());
}

#[test]
fn a_record_that_nobody_can_read_is_named() {
    let store = scratch();
    put(&store, [Write::PutDriver(driver("a"))]).unwrap();
    store.write(Durability::Process, |c| query::run(c, "UPDATE drivers SET record = '{}'", [])).unwrap();
    let error = store.drivers().unwrap_err();
    assert!(matches!(&error, Error::NotADatabase { reason, .. } if reason.contains("driver")), "{error}");
}

#[test]
fn one_daemon_has_the_folder() {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    assert!(matches!(folder.refusal(), Error::Busy { .. }));
    store.set_meta("a", "b").unwrap();
    drop(store);
    assert_eq!(Store::open(&folder.0).unwrap().meta("a").unwrap().as_deref(), Some("b"));
}

/// As a process does that is about to begin another program.
#[test]
fn a_folder_is_let_go_of_although_a_fork_has_its_lock() {
    let folder = Folder::new();
    let lock = file::lock(&folder.0).unwrap();
    let copy = lock.0.try_clone().unwrap();
    drop(lock);
    assert!(Store::open(&folder.0).is_ok());
    drop(copy);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    std::fs::write(&folder.0, "a file").unwrap();
    assert!(matches!(folder.refusal(), Error::Io { .. }));
    std::fs::remove_file(&folder.0).unwrap();
}

#[test]
fn only_the_owner_can_read_it() {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    store.set_meta("a", "b").unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    for file in std::fs::read_dir(&folder.0).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn a_half_made_file_is_made_again() {
    let folder = Folder::new();
    std::fs::create_dir(&folder.0).unwrap();
    std::fs::write(folder.0.join("pontoon.db.new"), b"half").unwrap();
    drop(Store::open(&folder.0).unwrap());
    assert!(folder.database().exists() && !folder.0.join("pontoon.db.new").exists());
}

#[test]
fn an_odd_folder_name_is_only_a_name() {
    let folder = Folder(Folder::new().0.join("a b?mode=memory#%20'"));
    Store::open(&folder.0).unwrap().set_meta("a", "b").unwrap();
    assert_eq!(Store::open(&folder.0).unwrap().meta("a").unwrap().as_deref(), Some("b"));
    let _ = std::fs::remove_dir_all(folder.0.parent().unwrap());
}

#[test]
fn the_log_is_moved_and_starts_over() {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    let size = || std::fs::metadata(folder.0.join("pontoon.db-wal")).unwrap().len();
    // About 12 kB each, without a pause.
    for i in 0..5000 {
        put(&store, [set("d", &format!("k{}", i % 10), "n1", &"v".repeat(4000))]).unwrap();
    }
    assert!(size() < 40_000_000, "{} bytes of log", size());
    assert!(std::fs::metadata(folder.database()).unwrap().len() > 40_000);
}
