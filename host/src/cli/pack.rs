//! `pontoon driver pack`: puts a manifest into a component. No daemon is asked.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::output::{Format, Session};
use crate::driver::admit::admit;
use crate::driver::{manifest, pack};
use crate::serve::folder::{read_beyond, read_component};
use words::file::write_whole;
use words::{Error, Result};

/// Packs a component.
#[derive(Debug, clap::Args)]
pub struct Pack {
    /// The component
    component: PathBuf,
    /// The manifest, in TOML [default: pontoon.toml beside the component, or else in the current folder]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where the packed component goes [default: in the place of the component]
    #[arg(short = 'o', value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Pack {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let component = read_component(&self.component)?;
        let file = match self.manifest {
            Some(file) => file,
            None => find(&self.component)?,
        };
        let to = Some(self.to.unwrap_or_else(|| self.component.clone()));
        finish(&component, &self.component, &file, to, session)
    }
}

/// Puts a manifest into a component that was read from `from`, and writes it: where nothing else is said, by the manifest's name.
pub fn finish(
    component: &[u8],
    from: &Path,
    file: &Path,
    to: Option<PathBuf>,
    session: &mut Session<'_>,
) -> std::result::Result<(), Failure> {
    let text = read_beyond(file, manifest::SIZE)?;
    let said = manifest::read(&file.display().to_string(), &text)?;
    let packed = pack::pack(component, &text).map_err(|e| e.context(from.display()))?;
    let to = to.unwrap_or_else(|| format!("{}.wasm", said.name).into());
    write(&to, &packed)?;
    session.note(&format!("{} {}, as {} says", said.name, said.version, file.display()));
    if let Some(caution) = admit(&packed)?.caution() {
        session.note(&caution);
    }
    match session.format {
        Format::Table => session.print(&to.display().to_string()),
        Format::Json => {
            session.json(&serde_json::json!({ "file": to.display().to_string(), "manifest": said }).to_string())
        }
    }
}

/// The manifest beside the component, or in the current folder.
fn find(component: &Path) -> Result<PathBuf> {
    let places = [component.with_file_name(manifest::FILE), PathBuf::from(manifest::FILE)];
    places.into_iter().find(|file| file.exists()).ok_or_else(|| {
        Error::not_found(format!(
            "there is no {} beside {} and none in the current folder: write one, or name one with --manifest",
            manifest::FILE,
            component.display()
        ))
    })
}

/// Writes a file whole or not at all. One that is there is replaced, also behind a link; a device or folder is not.
fn write(to: &Path, packed: &[u8]) -> Result<()> {
    let place = std::fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    if place.exists() && !place.is_file() {
        return Err(Error::invalid(format!("can't write to {}: it is no file", to.display())));
    }
    write_whole(&place, packed).map_err(|e| e.context("can't write the packed component"))
}
