//! `pontoon driver build`: makes a driver of what a compiler built. No daemon is asked.

use std::path::PathBuf;

use super::exit::Failure;
use super::output::Session;
use super::pack;
use crate::driver::component::{component, is_module};
use crate::driver::manifest;
use crate::serve::folder::read_component;

/// Builds a driver.
#[derive(Debug, clap::Args)]
pub struct Build {
    /// What the compiler made: a core module, or a component already
    module: PathBuf,
    /// The folder with the driver's world, for a core module
    #[arg(long, value_name = "FOLDER", default_value = "wit")]
    wit: PathBuf,
    /// The manifest, in TOML
    #[arg(long, value_name = "FILE", default_value = manifest::FILE)]
    manifest: PathBuf,
    /// Where the driver goes [default: in the current folder, by the manifest's name]
    #[arg(short = 'o', value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Build {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let built = read_component(&self.module)?;
        let built = match is_module(&built) {
            true => component(&built, &self.wit).map_err(|e| e.context(self.module.display()))?,
            false => built,
        };
        pack::finish(&built, &self.module, &self.manifest, self.to, session)
    }
}
