//! `pontoon driver trace`: records the calls of a driver that runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::client::path;
use super::exit::Failure;
use super::output::{Format, Session};
use super::recording;
use operation::recording::{End, Recording};
use words::file::{digest, write_whole};
use words::{Error, Name};

/// Seconds that one question to the daemon may wait.
const WAIT: u64 = 5;

/// Records the calls of a driver that runs, until it is interrupted.
#[derive(Debug, clap::Args)]
pub struct Trace {
    /// The driver
    name: Name,
    /// Where the recordings go, a file each, and beside them the component [default: NAME.trace]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// End after so many calls
    #[arg(long, value_name = "NUMBER")]
    calls: Option<usize>,
    /// Only the calls that trapped and that the daemon still has
    #[arg(long, conflicts_with = "calls")]
    trapped: bool,
}

/// The recordings of a driver, as they come.
pub struct Recordings {
    name: Name,
    last: u64,
}

impl Trace {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let folder = self.to.clone().unwrap_or_else(|| format!("{}.trace", self.name).into());
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::internal(format!("can't make the folder {}: {e}", folder.display())))?;
        let mut recordings = Recordings::of(self.name.clone());
        if self.trapped {
            let all = recordings.next(session, 0).await?;
            let trapped = all.into_iter().filter(|recording| matches!(recording.end, End::Trapped(_)));
            return self.keep(&folder, &trapped.collect::<Vec<_>>(), session).await;
        }
        recordings.skip(session).await?;
        session.note(&format!("recording the calls of {} into {}", self.name, folder.display()));
        let mut left = self.calls.unwrap_or(usize::MAX);
        while left > 0 {
            let mut new = tokio::select! {
                new = recordings.next(session, WAIT) => new?,
                _ = tokio::signal::ctrl_c() => break,
            };
            new.truncate(left);
            left -= new.len();
            self.keep(&folder, &new, session).await?;
        }
        Ok(())
    }

    /// Writes recordings, and the component that they are of, and shows them.
    async fn keep(&self, folder: &Path, new: &[Recording], session: &mut Session<'_>) -> Result<(), Failure> {
        for component in new.iter().map(|recording| &recording.component).collect::<BTreeSet<_>>() {
            let file = folder.join(format!("{component}.wasm"));
            if !file.exists() {
                let bytes = session.client.get(&path(&["drivers", self.name.as_str(), "component"])).await?.bytes();
                match digest(&bytes) == *component {
                    true => write_whole(&file, &bytes)?,
                    false => session.note(&format!("the component {component} is not loaded any more: it is not kept")),
                }
            }
        }
        for recording in new {
            let file = recording::write(folder, recording)?;
            tell(recording, session)?;
            session.note(&format!("kept as {}", file.display()));
        }
        Ok(())
    }
}

impl Recordings {
    /// None is known yet.
    pub fn of(name: Name) -> Self {
        Self { name, last: 0 }
    }

    /// Leaves out what there is already.
    pub async fn skip(&mut self, session: &Session<'_>) -> Result<(), Failure> {
        self.next(session, 0).await.map(drop)
    }

    /// Those after the last ones; waits so many seconds for one.
    pub async fn next(&mut self, session: &Session<'_>, wait: u64) -> Result<Vec<Recording>, Failure> {
        let path = path(&["drivers", self.name.as_str(), "recordings"]);
        let reply = session.client.get(&format!("{path}?after={}&wait={wait}", self.last)).await?;
        let new: Vec<Recording> = reply.read()?;
        self.last = new.last().map_or(self.last, |recording| recording.number);
        Ok(new)
    }
}

/// Shows a recording.
pub fn tell(recording: &Recording, session: &mut Session<'_>) -> Result<(), Failure> {
    match session.format {
        Format::Table => session.print(&recording::show(recording)),
        Format::Json => session.json(&serde_json::to_string(recording).map_err(|e| Error::internal(e.to_string()))?),
    }
}
