//! `pontoon driver dev`: an author's loop. It builds with `make`, so it knows no language.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;
use tokio::process::Command;

use super::driver::Load;
use super::driver_trace::{Recordings, tell};
use super::exit::Failure;
use super::output::Session;
use super::remote::Bring;
use super::trial;
use super::upgrade::Upgrade;
use super::values::{pair, unique};
use crate::serve::folder::name_of;
use operation::driver::Driver;
use words::{Error, Name, Result};

/// How often to look whether a file has changed.
const LOOK: Duration = Duration::from_millis(300);

/// Builds and loads the driver in a folder, again whenever a file of it changes.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// The project's folder, in which `make` builds a component
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The name that networks say [default: the component's name without .wasm]
    #[arg(long)]
    name: Option<Name>,
    /// What the driver's configuration answers for KEY (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    configuration: Vec<(String, String)>,
    /// After each build make a network, attach two containers, and say whether they reach each other; all of it goes again
    #[arg(long = "try")]
    tries: bool,
    /// With --try: a label of its network (repeatable)
    #[arg(long = "opt", short = 'o', value_name = "KEY=VALUE", value_parser = pair, requires = "tries")]
    labels: Vec<(String, String)>,
}

/// The project's files as they stand, but for those that its .gitignore names, hidden ones and components.
type Files = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Whether a trial runs, and whether its author has interrupted it meanwhile.
#[derive(Default)]
struct Trial {
    runs: Cell<bool>,
    is_last: Cell<bool>,
}

impl Dev {
    /// Does it, until it is interrupted. The driver stays loaded.
    pub async fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let trial = Trial::default();
        let mut changes = pin!(self.each_change(&trial, session));
        loop {
            tokio::select! {
                ended = &mut changes => return ended,
                // What is being tried comes to its end first, and is removed.
                _ = tokio::signal::ctrl_c() => match trial.runs.get() {
                    true => trial.is_last.set(true),
                    false => return Ok(()),
                }
            }
        }
    }

    async fn each_change(&self, trial: &Trial, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let mut recordings = None;
        self.check_folder()?;
        loop {
            let before = files(&self.folder);
            match self.build_and_load(session).await {
                Ok(name) => {
                    if recordings.is_none() {
                        let mut new = Recordings::of(name.clone());
                        new.skip(session).await?;
                        recordings = Some(new);
                    }
                    if self.tries {
                        trial.runs.set(true);
                        self.tried(&name, session).await?;
                        trial.runs.set(false);
                    }
                    if trial.is_last.get() {
                        return Ok(());
                    }
                }
                Err(failure) if failure.code == super::exit::UNREACHABLE => return Err(failure),
                Err(failure) => session.note(&format!("{}; waiting for a change", failure.error.message)),
            }
            while files(&self.folder) == before {
                let Some(recordings) = &mut recordings else {
                    tokio::time::sleep(LOOK).await;
                    continue;
                };
                let mut new = Vec::new();
                tokio::select! {
                    came = recordings.next(session, 1) => new = came?,
                    () = tokio::time::sleep(LOOK) => {}
                }
                for recording in new {
                    tell(&recording, session)?;
                }
            }
        }
    }

    async fn tried(&self, name: &Name, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        if let Err(failure) = trial::run(name, &unique(self.labels.clone())?, session).await {
            session.note(&format!("the trial failed: {}", failure.error.message));
        }
        Ok(())
    }

    /// What no change of a file would mend.
    fn check_folder(&self) -> Result<()> {
        let folder = self.folder.display();
        if !self.folder.is_dir() {
            return Err(Error::not_found(format!(
                "there is no folder {folder}: `pontoon driver new NAME` begins a project"
            )));
        }
        let makefiles = ["GNUmakefile", "makefile", "Makefile"];
        if !makefiles.iter().any(|name| self.folder.join(name).exists()) {
            return Err(Error::not_found(format!(
                "there is no Makefile in {folder}: name the folder of a project, as `pontoon driver new NAME` makes one"
            )));
        }
        Ok(())
    }

    async fn build_and_load(&self, session: &mut Session<'_>) -> std::result::Result<Name, Failure> {
        session.note(&format!("building in {}", self.folder.display()));
        let failed = |why: String| Error::internal(format!("`make` in {}: {why}", self.folder.display()));
        let pontoon = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        // Standard output is for what was asked for.
        let mut make = Command::new("make");
        make.current_dir(&self.folder).env("PONTOON", pontoon).stdin(Stdio::null()).stdout(io::stderr());
        let status = make.kill_on_drop(true).status().await.map_err(|e| failed(e.to_string()))?;
        if !status.success() {
            return Err(failed(status.to_string()).into());
        }
        let file = component(&self.folder)?;
        let name = self.name.clone().map_or_else(|| name_of(&file), Ok)?;
        let (configuration, grant, grant_asked, bring) = (self.configuration.clone(), None, true, Bring::default());
        let loaded: Vec<Driver> = session.client.get("/drivers").await?.read()?;
        match loaded.iter().any(|driver| driver.name == name) {
            true => Upgrade { name: name.clone(), file, configuration, grant, grant_asked, bring }.run(session).await?,
            false => {
                Load { file, name: Some(name.clone()), configuration, grant, grant_asked, bring }.run(session).await?
            }
        }
        Ok(name)
    }
}

/// The one component that lies in a folder.
fn component(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "wasm")).collect();
    match (found.pop(), found.pop()) {
        (Some(file), None) => Ok(file),
        (None, _) => Err(Error::not_found(format!("`make` left no component (NAME.wasm) in {}", folder.display()))),
        _ => Err(Error::invalid(format!("there is more than one component in {}", folder.display()))),
    }
}

fn files(folder: &Path) -> Files {
    let entries = WalkBuilder::new(folder).require_git(false).sort_by_file_path(Path::cmp).build().flatten();
    let files = entries.filter(|e| e.file_type().is_some_and(|t| t.is_file())).map(ignore::DirEntry::into_path);
    let sources = files.filter(|path| path.extension().is_none_or(|e| e != "wasm"));
    let stamp = |path: PathBuf| {
        let read = path.metadata().ok();
        let (changed, size) = (read.as_ref().and_then(|m| m.modified().ok()), read.map_or(0, |m| m.len()));
        (path, changed, size)
    };
    sources.map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_a_change() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(".gitignore", "/target\n");
        write("src/lib.rs", "a");
        let before = files(root.path());
        assert_eq!(before.len(), 1);
        write("target/x", "built");
        write("driver.wasm", "built");
        write(".git/index", "x");
        assert_eq!(files(root.path()), before);
        assert_eq!(component(root.path()).unwrap(), root.path().join("driver.wasm"));
        write("src/lib.rs", "ab");
        assert_ne!(files(root.path()), before);
        write("another.wasm", "built");
        assert!(component(root.path()).unwrap_err().message.contains("more than one"));
    }
}
