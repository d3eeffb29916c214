//! `pontoon driver explain`: a grant in plain sentences. No daemon is asked.

use std::path::PathBuf;

use super::exit::Failure;
use super::output::{Format, Session, clean};
use crate::driver::admit::admit;
use crate::serve::folder::{read_component, read_grant};
use words::Error;

/// Says what a grant lets a driver do.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// A grant's file; or a component (NAME.wasm): what it asks for
    #[arg(value_name = "GRANT")]
    file: PathBuf,
}

impl Explain {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let grant = match self.file.extension().is_some_and(|extension| extension == "wasm") {
            false => read_grant(&self.file)?,
            true => {
                let shown = self.file.display();
                let found = admit(&read_component(&self.file)?).map_err(|e| e.context(&shown))?;
                let none = || {
                    Error::invalid(format!("{shown} has no manifest, so it asks for nothing: `pontoon driver pack`"))
                };
                found.manifest.ok_or_else(none)?.asks
            }
        };
        let sentences = grant::explain(&grant);
        match session.format {
            Format::Table => {
                session.print(&sentences.iter().map(|sentence| clean(sentence) + "\n").collect::<String>())
            }
            Format::Json => session.json(&serde_json::json!({ "sentences": sentences }).to_string()),
        }
    }
}
