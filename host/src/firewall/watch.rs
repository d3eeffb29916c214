//! The thread that looks after the rules whenever somebody else changed the host's firewall: a dockerd that starts, a flush, a reload.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Keeper;
use kernel::{Error, Seen, Watch};

/// A change seldom comes alone: a dockerd that starts makes some dozens within a second. It is over when it was quiet this long.
const QUIET: Duration = Duration::from_millis(50);
/// But packets don't wait for an end that never comes.
const LONGEST: Duration = Duration::from_millis(500);

/// The thread, which ends with this.
pub(super) struct Watching {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

/// Subscribes and starts the thread.
pub(super) fn start(keeper: Arc<Keeper>) -> Result<Watching, Error> {
    let watch = Arc::new(keeper.kernel.watch(&keeper.tag)?);
    let on_thread = watch.clone();
    let work = move || {
        if let Err(error) = work(&keeper, &on_thread) {
            tracing::error!("changes of the host's firewall are not seen any more: {error}");
        }
    };
    let thread = std::thread::Builder::new().name("firewall".into()).spawn(work);
    let thread = thread.map_err(|e| Error { message: format!("starting a thread: {e}"), errno: e.raw_os_error() })?;
    Ok(Watching { watch, thread: Some(thread) })
}

fn work(keeper: &Keeper, watch: &Watch) -> Result<(), Error> {
    loop {
        let mut seen = watch.wait(None)?;
        let begin = Instant::now();
        while seen == Seen::Change && begin.elapsed() < LONGEST {
            seen = watch.wait(Some(QUIET))?;
        }
        match seen {
            Seen::End => return Ok(()),
            // Networks are open, or cut off, as long as their rules are not there: no time to wait for more.
            Seen::Loss => keeper.restore(),
            Seen::Change | Seen::Nothing => {}
        }
        keeper.sync();
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Joined, because the thread has the store open, and the folder may be another's right after.
        match (self.watch.end(), self.thread.take()) {
            (Ok(()), Some(thread)) => drop(thread.join()),
            (Err(error), _) => tracing::warn!("{error}"),
            _ => {}
        }
    }
}
