//! Sees what changes in the drivers folder, by inotify(7), and when a change is whole.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

/// So long nothing has to happen in the folder before what is whole is taken: a component and its grant come one after the other.
const QUIET: Duration = Duration::from_millis(300);

/// So long at most, however much happens: somebody may write another file all the time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of events that are read at once.
const EVENTS: usize = 4096;

/// What became of a component or its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// One of both was written and closed, or came under this name.
    Whole,
    /// The component is not there any more under this name.
    Gone,
}

/// A folder, and what has happened in it.
pub struct Watcher {
    events: AsyncFd<OwnedFd>,
    changed: Changed,
}

/// By the name before `.wasm`, `.grant.toml` and `.sig`, what is to be looked at.
#[derive(Default)]
struct Changed {
    names: BTreeMap<String, Change>,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Watcher {
    /// Watches a folder from now on.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let events = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let wanted = WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        add_watch(&events, folder, wanted)?;
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe, for the sake of types that do not own what they register"
        )]
        let events = AsyncFd::new(events)?;
        Ok(Self { events, changed: Changed::default() })
    }

    /// Waits for changes that are whole. None: so much happened that some of it was lost.
    pub async fn next(&mut self) -> io::Result<Option<BTreeMap<String, Change>>> {
        loop {
            let wait = match self.changed.since {
                Some(since) => QUIET.min(PATIENCE.saturating_sub(since.elapsed())),
                None => Duration::MAX,
            };
            let Ok(ready) = tokio::time::timeout(wait, self.events.readable()).await else {
                return Ok(Some(self.changed.take()));
            };
            let mut ready = ready?;
            let is_lost = read(self.events.get_ref(), &mut self.changed)?;
            ready.clear_ready();
            if is_lost {
                self.changed.take();
                return Ok(None);
            }
        }
    }
}

/// Takes in what has happened; true: some of it was lost.
fn read(events: &OwnedFd, changed: &mut Changed) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::uninit(); EVENTS];
    let mut reader = Reader::new(events, &mut buffer);
    loop {
        match reader.next() {
            Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => return Ok(true),
            Ok(event) => {
                if let Some(file) = event.file_name().and_then(|name| name.to_str().ok()) {
                    changed.note(file, event.events());
                }
            }
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Changed {
    fn note(&mut self, file: &str, events: ReadFlags) {
        let [component, grant, signature] = [".wasm", ".grant.toml", ".sig"].map(|end| file.strip_suffix(end));
        let Some(name) = component.or(grant).or(signature) else { return };
        if events.contains(ReadFlags::MODIFY) {
            // Whoever writes is not done: the end is told, too.
            self.names.remove(name);
        } else if events.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) {
            self.names.insert(name.to_owned(), Change::Whole);
        } else if component.is_some() && events.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
            self.names.insert(name.to_owned(), Change::Gone);
        }
        self.since = match self.names.is_empty() {
            true => None,
            false => self.since.or_else(|| Some(Instant::now())),
        };
    }

    fn take(&mut self) -> BTreeMap<String, Change> {
        self.since = None;
        std::mem::take(&mut self.names)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    async fn next(watcher: &mut Watcher) -> Vec<(String, Change)> {
        watcher.next().await.unwrap().unwrap().into_iter().collect()
    }

    #[tokio::test]
    async fn a_change_is_told_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut watcher = Watcher::new(folder.path()).unwrap();
        let whole = |name: &str| (name.to_owned(), Change::Whole);
        // Both files of one driver, and what is none.
        for file in ["a.wasm", "a.grant.toml", "README", "b.wasm.part"] {
            std::fs::write(at(file), "x").unwrap();
        }
        assert_eq!(next(&mut watcher).await, [whole("a")]);
        std::fs::rename(at("b.wasm.part"), at("b.wasm")).unwrap();
        assert_eq!(next(&mut watcher).await, [whole("b")]);
        std::fs::rename(at("b.wasm"), at("c.wasm")).unwrap();
        std::fs::remove_file(at("a.wasm")).unwrap();
        let gone = |name: &str| (name.to_owned(), Change::Gone);
        assert_eq!(next(&mut watcher).await, [gone("a"), gone("b"), whole("c")]);
        // Slowly: nothing is told before the end.
        let mut slow = File::create(at("slow.wasm")).unwrap();
        slow.write_all(b"half").unwrap();
        assert!(tokio::time::timeout(QUIET * 3, watcher.next()).await.is_err());
        slow.write_all(b"half").unwrap();
        drop(slow);
        assert_eq!(next(&mut watcher).await, [whole("slow")]);
    }

    #[tokio::test]
    async fn one_who_writes_all_the_time_does_not_hold_up_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new(folder.path()).unwrap();
        std::fs::write(folder.path().join("a.wasm"), "x").unwrap();
        let busy = folder.path().join("busy.wasm");
        let writing = tokio::spawn(async move {
            let mut file = File::create(busy).unwrap();
            for _ in 0..100 {
                file.write_all(b"x").unwrap();
                tokio::time::sleep(QUIET / 6).await;
            }
        });
        assert_eq!(next(&mut watcher).await, [("a".to_owned(), Change::Whole)]);
        assert!(!writing.is_finished());
        writing.abort();
    }
}
