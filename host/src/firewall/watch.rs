//! The threads that look after links and rules whenever somebody else changed the host: a dockerd that starts, a flush, a reload.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Keeper;
use kernel::{Error, Seen, Watch};

/// A change seldom comes alone: a dockerd that starts makes some dozens within a second. It is over when it was quiet this long.
const QUIET: Duration = Duration::from_millis(50);
/// But packets don't wait for an end that never comes.
const LONGEST: Duration = Duration::from_millis(500);

/// What is there already comes within this.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Whoever flushes again within this time is met after a pause. It doubles each time,
const AGAIN: Duration = Duration::from_secs(1);

/// from this
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// to this: networks are open meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// The thread, which ends with this.
pub(super) struct Watching {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

/// What a thread does until its subscription ends.
pub(super) type Work = fn(&Keeper, &Watch) -> Result<(), Error>;

/// Starts the thread.
pub(super) fn start(name: &str, watch: Watch, keeper: &Arc<Keeper>, work: Work) -> Result<Watching, Error> {
    let (watch, keeper) = (Arc::new(watch), keeper.clone());
    let on_thread = watch.clone();
    let work = move || {
        if let Err(error) = work(&keeper, &on_thread) {
            tracing::error!("changes of the host are not seen any more: {error}");
        }
    };
    let thread = std::thread::Builder::new().name(name.into()).spawn(work);
    let thread = thread.map_err(|e| Error { message: format!("starting a thread: {e}"), errno: e.raw_os_error() })?;
    Ok(Watching { watch, thread: Some(thread) })
}

/// Looks after packet rules and exceptions.
pub(super) fn rules(keeper: &Keeper, watch: &Watch) -> Result<(), Error> {
    let (mut last, mut pause) = (Instant::now(), Duration::ZERO);
    loop {
        // Nobody tells when what is in the way of a closed network goes; at a start another thread may close some.
        let looks_again = keeper.has_shut() || !keeper.is_ready();
        let mut seen = watch.wait(looks_again.then_some(AGAIN))?;
        let begin = Instant::now();
        while seen == Seen::Change && begin.elapsed() < LONGEST {
            seen = watch.wait(Some(QUIET))?;
        }
        match seen {
            Seen::End => return Ok(()),
            // Networks are open, or cut off, as long as their rules are not there: no time to wait for more, but where it goes on and on.
            Seen::Loss => {
                pause =
                    if last.elapsed() < AGAIN { (2 * pause).clamp(FIRST_PAUSE, LONGEST_PAUSE) } else { Duration::ZERO };
                std::thread::sleep(pause);
                put_back(keeper);
                keeper.sync();
                if told_of_more(watch)? {
                    put_back(keeper);
                }
                last = Instant::now();
            }
            Seen::Nothing if keeper.has_shut() => put_back(keeper),
            Seen::Change | Seen::Port(_) | Seen::Nothing => {}
        }
        keeper.sync();
    }
}

fn put_back(keeper: &Keeper) {
    if keeper.is_ready() {
        keeper.restore();
    }
}

/// Takes what else the kernel tells of one flush, in several pieces: it is one loss, and not who flushes again and again.
fn told_of_more(watch: &Watch) -> Result<bool, Error> {
    let (begin, mut more) = (Instant::now(), false);
    while begin.elapsed() < LONGEST && watch.wait(Some(AT_ONCE))? == Seen::Loss {
        more = true;
    }
    Ok(more)
}

/// Looks after links, and what is on them. Ports come and go with every container, so of one it is
/// first asked whether it is as it should be.
pub(super) fn links(keeper: &Keeper, watch: &Watch) -> Result<(), Error> {
    loop {
        let (mut ports, mut others) = (BTreeSet::new(), false);
        let mut seen = watch.wait(None)?;
        let begin = Instant::now();
        while begin.elapsed() < LONGEST {
            match seen {
                Seen::End => return Ok(()),
                Seen::Nothing => break,
                Seen::Port(index) => drop(ports.insert(index)),
                Seen::Change | Seen::Loss => others = true,
            }
            seen = watch.wait(Some(QUIET))?;
        }
        if keeper.is_ready() && (others || ports.into_iter().any(|index| keeper.is_amiss(index))) {
            keeper.restore_links();
            keeper.sync();
        }
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
