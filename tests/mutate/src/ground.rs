//! A copy of what the gate is built of: its crate, those below it, and `wit/`.

use std::fmt;
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::mutant::{self, Mutant};

/// The crates of the copy.
const CRATES: [&str; 4] = ["host/words", "host/ask", "host/kernel", "host/grant"];

/// What their tests read, and which versions they take.
const FILES: [&str; 5] = [
    "Cargo.lock",
    "host/README.md",
    "sample-drivers/bridge/grant.toml",
    "sample-drivers/hostile/grant.toml",
    "sample-drivers/null/grant.toml",
];

/// Where the checks are.
const GATE: [&str; 2] = ["host/grant/src/gate.rs", "host/grant/src/gate"];

/// The copy.
pub struct Ground {
    copy: PathBuf,
}

/// What the tests say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Passed,
    /// A test fails.
    Failed,
    /// It does not compile.
    NotCompiled,
}

impl Ground {
    /// Copies, beside what was built before.
    pub fn new(root: &Path) -> Result<Self> {
        let copy = root.join("target/mutate");
        for folder in CRATES.iter().chain(&["wit"]) {
            let to = copy.join(folder);
            if to.exists() {
                fs::remove_dir_all(&to)?;
            }
            copy_folder(&root.join(folder), &to)?;
        }
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let members: Vec<_> = CRATES.iter().map(|folder| format!("{folder:?}")).collect();
        let lines = manifest.lines().map(|line| match line.starts_with("members = ") {
            true => format!("members = [{}]\n", members.join(", ")),
            false => format!("{line}\n"),
        });
        fs::write(copy.join("Cargo.toml"), lines.collect::<String>())?;
        for file in FILES {
            let to = copy.join(file);
            to.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::copy(root.join(file), to)?;
        }
        Ok(Self { copy })
    }

    /// All that can be taken out, in the order of files and lines.
    pub fn mutants(&self) -> Result<Vec<Mutant>> {
        let mut files = Vec::new();
        for place in GATE {
            match self.copy.join(place).is_dir() {
                true => files.extend(sources(&self.copy, place)?),
                false => files.push(place.to_owned()),
            }
        }
        let mut mutants = Vec::new();
        for file in files {
            let text = fs::read_to_string(self.copy.join(&file))?;
            mutants.extend(mutant::of(&file, &text).map_err(Error::other)?);
        }
        Ok(mutants)
    }

    /// Puts another text into a file.
    pub fn put(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.copy.join(file), text)
    }

    /// What is in a file.
    pub fn text(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.copy.join(file))
    }

    /// Runs the tests.
    pub fn test(&self) -> Result<Verdict> {
        Ok(match (self.cargo(&["--no-run"])?, self.cargo(&[])?) {
            (false, _) => Verdict::NotCompiled,
            (true, false) => Verdict::Failed,
            (true, true) => Verdict::Passed,
        })
    }

    fn cargo(&self, more: &[&str]) -> Result<bool> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["test", "--quiet", "--offline", "--package", "pontoon-grant", "--lib"]).args(more);
        command.current_dir(&self.copy).env("CARGO_TARGET_DIR", self.copy.join("target"));
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.status()?.success())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "NOT NOTICED",
            Self::Failed => "fails",
            Self::NotCompiled => "no compile",
        })
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}

/// The sources of a folder, without its tests.
fn sources(copy: &Path, folder: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(copy.join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rs") && name != "tests.rs" {
            files.push(format!("{folder}/{name}"));
        }
    }
    files.sort();
    Ok(files)
}
