//! The thread that moves the write-ahead log into the database, so that this never lands in somebody's commit.

use std::path::Path;
use std::sync::Arc;
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

/// Commits after which the log must have started over. The thread does that long before, if it gets a turn: a writer that
/// comes again at once is not held up by SQLite's lock. One that went on this long does it itself.
const LONGEST: u32 = 16 * COMMITS;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Since the log was last made to start over.
    commits: Arc<AtomicU32>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, which first moves what the last run left.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let connection = file::connect(path)?;
        let (wake, woken) = sync_channel(1);
        let commits = Arc::<AtomicU32>::default();
        let counted = commits.clone();
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &woken, &counted))
            .map_err(|e| Error::io(path, &e))?;
        Ok(Self { commits, wake: Some(wake), thread: Some(thread) })
    }

    /// Counts a commit of the writer's.
    pub(super) fn committed(&self, writer: &Connection) {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits.is_multiple_of(COMMITS)
            && let Some(wake) = &self.wake
        {
            // A full channel: the thread is to run anyway.
            let _ = wake.try_send(());
        }
        if commits >= LONGEST {
            start_over(writer, &self.commits);
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, commits: &AtomicU32) {
    loop {
        // One that fails (a full disk) loses nothing: the log stays and is moved the next time.
        let pages = checkpoint(connection, "PASSIVE").unwrap_or(0);
        if pages > LOG_PAGES {
            start_over(connection, commits);
        }
        if woken.recv().is_err() {
            return;
        }
    }
}

fn start_over(connection: &Connection, commits: &AtomicU32) {
    if checkpoint(connection, "RESTART").is_ok() {
        commits.store(0, Ordering::Relaxed);
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
