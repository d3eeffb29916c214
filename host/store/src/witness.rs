//! A witness outside of the state folder: how far this machine's store had come. It lies in the run folder and so lives as long as what is in the
//! kernel. A store that has come less far is an older copy, or a new one in the place of one that was lost: what it does not know may be
//! somebody's network, and is no leftover of a call that was cut off.
//!
//! It is told after each commit, and waits for nothing: what the store has and the witness does not is only the last commit of a
//! process that was killed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;

use super::batch::Durability;
use super::error::{Error, Result};
use super::{Store, meta, objects, query};

/// Where the store keeps that it knows less than the kernel has.
const BEHIND: &str = "behind-the-kernel";

/// Bytes of a witness: two numbers.
const SIZE: usize = 64;

/// The file, and what it says.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    newest: AtomicI64,
}

impl Store {
    /// Hears the witness in a file, which is told of commits from now on. Once, at the start. What it says against the store is remembered:
    /// see [`Store::is_behind`].
    pub fn hear(&self, path: &Path) -> Result<()> {
        let io = |e: std::io::Error| Error::io(path, &e);
        let said = match words::file::read_within(path, SIZE) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            said => parse(&said.map_err(io)?),
        };
        let newest = self.read(objects::last_id)?;
        if let Some((instance, object)) = said
            && (instance != self.instance || object > newest)
        {
            let which = if instance == self.instance { "an older copy" } else { "another one" };
            tracing::error!(
                "{} is {which} than the store that this machine's networks were made with: what it does not know of stays as it is. Stop, and \
                 put the right one back; or go on with this one, and remove what nobody needs by `pontoon gc --orphans`",
                self.path.display()
            );
            // Before the witness says something else.
            self.write(Durability::Power, |c| meta::set(c, BEHIND, "yes"))?;
        }
        let file = words::file::open_own(path).map_err(io)?;
        let witness = Witness { file, newest: newest.into() };
        witness.write(self.instance, newest).map_err(io)?;
        // A second one would say the same.
        let _ = self.witness.set(witness);
        Ok(())
    }

    /// Whether the kernel may have what another store, or a newer copy of this one, knows of.
    pub fn is_behind(&self) -> Result<bool> {
        Ok(self.meta(BEHIND)?.is_some())
    }

    /// An operator says that nothing of it is needed.
    pub fn catch_up(&self) -> Result<()> {
        self.remove_meta(BEHIND)
    }

    /// Tells the witness of a commit.
    pub(super) fn tell_witness(&self, newest: Option<i64>) {
        let (Some(witness), Some(newest)) = (self.witness.get(), newest) else { return };
        if witness.newest.fetch_max(newest, Ordering::Relaxed) < newest
            && let Err(error) = witness.write(self.instance, newest)
        {
            tracing::warn!("the witness of the store can't be told of a commit: {error}");
        }
    }
}

impl Witness {
    fn write(&self, instance: u32, newest: i64) -> std::io::Result<()> {
        // Always of the same length, so that it is replaced in one write.
        self.file.write_all_at(format!("{instance:>10} {newest:>20}\n").as_bytes(), 0)
    }
}

/// The newest object's id, after a commit that adds some.
pub(super) fn newest(c: &Connection, adds: bool) -> query::Result<Option<i64>> {
    adds.then(|| objects::last_id(c)).transpose()
}

fn parse(text: &[u8]) -> Option<(u32, i64)> {
    let (instance, object) = std::str::from_utf8(text).ok()?.trim().split_once(' ')?;
    Some((instance.parse().ok()?, object.trim().parse().ok()?))
}
