//! What a kill leaves at each of its moments: a copy of a fake kernel, and the store's file with its log.
//!
//! A process that is killed had either sent a message to the kernel or not, and either appended a commit to the store's log or not. So it is
//! enough to look before each message that changes something, and to cut the log at each commit that stands in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use kernel::Fake;

/// What a kill leaves.
pub struct Left {
    /// The machine.
    pub fake: Fake,
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Left {
    fn look(fake: Fake, state: &Path) -> Self {
        let read = |name: &str| fs::read(state.join(name)).unwrap_or_default();
        Self { fake, database: read("pontoon.db"), log: read("pontoon.db-wal") }
    }

    /// Puts it in place of what is in a state folder now.
    pub fn write(&self, state: &Path) {
        let _ = fs::remove_file(state.join("pontoon.db-shm"));
        fs::write(state.join("pontoon.db"), &self.database).unwrap();
        fs::write(state.join("pontoon.db-wal"), &self.log).unwrap();
    }

    /// The moments between an earlier one and this: the log, cut at each commit that came in between.
    fn commits_since(&self, earlier: &Self) -> Vec<Self> {
        let begun_anew = earlier.log.get(..HEADER) != self.log.get(..HEADER);
        let from = if begun_anew { 0 } else { earlier.log.len() };
        let ends = commits(&self.log).into_iter().filter(|end| *end > from && *end < self.log.len());
        let cut = |end: usize| Self {
            fake: self.fake.clone(),
            database: self.database.clone(),
            log: self.log[..end].to_vec(),
        };
        ends.map(cut).collect()
    }
}

/// The header of a log, and that of a frame in it (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Where the commits in a log end: a frame that says how large the database is then.
fn commits(log: &[u8]) -> Vec<usize> {
    let word = |at: usize| log.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
    let length = FRAME_HEADER + word(8) as usize;
    let frames = (HEADER..log.len()).step_by(length.max(FRAME_HEADER + 1));
    frames.filter(|at| word(at + 4) != 0).map(|at| at + length).collect()
}

/// Looks on while something is done.
pub(crate) struct Watched {
    fake: Fake,
    state: PathBuf,
    seen: Arc<Mutex<Vec<Left>>>,
}

impl Watched {
    pub fn begin(fake: &Fake, state: PathBuf) -> Self {
        let seen = Arc::new(Mutex::new(vec![Left::look(fake.copy(), &state)]));
        let watched = Self { fake: fake.clone(), state: state.clone(), seen: seen.clone() };
        fake.look_on(Some(Box::new(move |copy| seen.lock().unwrap().push(Left::look(copy, &state)))));
        watched
    }

    pub fn end(self) -> Vec<Left> {
        self.fake.look_on(None);
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.push(Left::look(self.fake.copy(), &self.state));
        let mut all = Vec::new();
        for left in seen {
            let between = all.last().map(|earlier| left.commits_since(earlier)).unwrap_or_default();
            all.extend(between);
            all.push(left);
        }
        all
    }
}
