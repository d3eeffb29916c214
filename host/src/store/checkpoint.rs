//! The thread that moves the write-ahead log into the database, so that this never lands in somebody's commit.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::error::Error;
use super::file;

/// A commit of a call writes 5 to 10 pages; SQLite itself would move the log at every 1,000.
const COMMITS: u32 = 128;

/// The log starts over by itself when a commit finds all of it moved. Under commits without a pause none does, and it
/// would grow for ever.
const LOG_PAGES: i64 = 2048;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    commits: AtomicU32,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, which first moves what the last run left.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let connection = file::connect(path)?;
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &woken))
            .map_err(|e| Error::io(path, &e))?;
        Ok(Self { commits: AtomicU32::new(0), wake: Some(wake), thread: Some(thread) })
    }

    /// Counts a commit.
    pub(super) fn committed(&self) {
        if (self.commits.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(COMMITS)
            && let Some(wake) = &self.wake
        {
            // A full channel: the thread is to run anyway.
            let _ = wake.try_send(());
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>) {
    loop {
        // One that fails (a full disk) loses nothing: the log stays and is moved the next time.
        let pages = checkpoint(connection, "PASSIVE").unwrap_or(0);
        if pages > LOG_PAGES {
            let _ = checkpoint(connection, "RESTART");
        }
        if woken.recv().is_err() {
            return;
        }
    }
}

/// The pages in the log. PASSIVE waits for nobody and makes nobody wait. RESTART holds writers up while it moves what
/// came in meanwhile, so that the log can start over.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
