//! The thread that moves the write-ahead log into the database, so that this never lands in somebody's commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::error::Error;
use super::file;

/// A commit of a call writes 5 to 10 pages; SQLite itself would move the log at every 1,000.
const COMMITS: u32 = 128;

/// The log starts over by itself when a commit finds all of it moved. Under commits without a pause none does, and it
/// would grow for ever: so from this size on the next commit makes it start over, with little left to move.
const LOG_PAGES: i64 = 2048;

/// The same after so many commits, for when the thread gets no turn to look at the size.
const LONGEST: u32 = 16 * COMMITS;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Since the log started over.
    commits: AtomicU32,
    large: Arc<AtomicBool>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, which first moves what the last run left.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let connection = file::connect(path)?;
        let (wake, woken) = sync_channel(1);
        let large = Arc::<AtomicBool>::default();
        let seen = large.clone();
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &woken, &seen))
            .map_err(|e| Error::io(path, &e))?;
        Ok(Self { commits: AtomicU32::new(0), large, wake: Some(wake), thread: Some(thread) })
    }

    /// Counts a commit of the writer's.
    pub(super) fn committed(&self, writer: &Connection, path: &Path) {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits.is_multiple_of(COMMITS)
            && let Some(wake) = &self.wake
        {
            // A full channel: the thread is to run anyway.
            let _ = wake.try_send(());
        }
        // The writer does it, not the thread: that would wait for SQLite's lock, and a writer that comes again at once always gets it first.
        let long = || file::log_of(path).metadata().is_ok_and(|log| log.len() > file::LOG_BYTES.into());
        if (self.large.load(Ordering::Relaxed) || commits >= LONGEST || long()) && start_over(writer) {
            self.commits.store(0, Ordering::Relaxed);
            self.large.store(false, Ordering::Relaxed);
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, large: &AtomicBool) {
    loop {
        // One that fails (a full disk) loses nothing: the log stays and is moved the next time.
        let pages = move_log(connection).unwrap_or(0);
        if pages > LOG_PAGES {
            large.store(true, Ordering::Relaxed);
        }
        if woken.recv().is_err() {
            return;
        }
    }
}

/// Moves the log as far as that goes without waiting for anybody. How many pages it has.
fn move_log(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}

/// Moves the rest and lets the log start over, with its room on the disk free. False: another checkpoint runs.
fn start_over(connection: &Connection) -> bool {
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    busy.is_ok_and(|busy| busy == 0)
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
