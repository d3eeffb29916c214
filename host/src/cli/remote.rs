//! `pontoon driver push` and `pull`, and where a component comes from: a file, or a registry.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::exit::Failure;
use super::output::{Format, Session};
use super::values::utc;
use crate::distribution::{Pulled, Reference, Registry, SCHEME, Ways};
use crate::serve::folder::{name_of, read_component, signed_beside};
use operation::driver::Signed;
use words::file::write_whole;
use words::{Error, Name, Result, now};

/// How a component is brought.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Bring {
    /// Of a registry: use what was pulled before, and ask nobody
    #[arg(long)]
    pub offline: bool,
    /// Of a registry: ask it without TLS
    #[arg(long)]
    pub plain_http: bool,
    /// Load it without a signature, too, if the daemon's policy wants one
    #[arg(long)]
    pub allow_unsigned: bool,
}

/// Pushes a driver.
#[derive(Debug, clap::Args)]
pub struct Push {
    /// The component
    file: PathBuf,
    /// Where to: oci://HOST/REPOSITORY:TAG
    reference: Reference,
    /// Ask the registry without TLS
    #[arg(long)]
    plain_http: bool,
}

/// Pulls a driver.
#[derive(Debug, clap::Args)]
pub struct Pull {
    /// Which: oci://HOST/REPOSITORY:TAG, or @sha256:…
    reference: Reference,
    /// Where to write the component [default: it is only kept, for `driver load --offline`]
    #[arg(long, short, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Use what was pulled before, and ask nobody
    #[arg(long)]
    offline: bool,
    /// Ask the registry without TLS
    #[arg(long)]
    plain_http: bool,
}

/// A component, and where it came from.
pub struct Fetched {
    /// For the driver's history.
    pub from: String,
    /// It.
    pub component: Vec<u8>,
    /// Who signed it.
    pub signed: Signed,
}

impl Bring {
    /// Asks the registry of a reference.
    pub fn registry(self, reference: &Reference, session: &Session<'_>) -> Result<Registry> {
        let progress = session.format == Format::Table;
        Registry::of(reference, Ways { offline: self.offline, plain_http: self.plain_http, progress })
    }
}

impl Push {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let Self { file, reference, plain_http } = self;
        if reference.tag().is_none() || reference.digest().is_some() {
            return Err(Error::invalid(format!("{reference}: what is pushed gets a tag, and no digest")).into());
        }
        let component = read_component(&file)?;
        let registry = Bring { plain_http, ..Bring::default() }.registry(&reference, session)?;
        let pushed = registry.push(&reference, component, &utc(now()))?;
        tell(&pushed, session)
    }
}

impl Pull {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let Self { offline, plain_http, .. } = self;
        let bring = Bring { offline, plain_http, allow_unsigned: false };
        let registry = bring.registry(&self.reference, session)?;
        let Pulled { reference, component, signed } = registry.pull(&self.reference)?;
        if let Some(file) = &self.output_file {
            write_whole(file, &component)?;
        }
        let count = signed.signatures.len();
        session.note(&format!("it has {count} signature{}", if count == 1 { "" } else { "s" }));
        tell(&reference, session)
    }
}

fn tell(reference: &Reference, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
    match session.format {
        Format::Json => session.json(&json!({ "reference": reference.to_string() }).to_string()),
        Format::Table => session.print(&reference.to_string()),
    }
}

/// The reference that stands in a file's place, if one does.
pub fn reference(file: &Path) -> Result<Option<Reference>> {
    let text = file.to_str().filter(|text| text.starts_with(SCHEME));
    text.map(str::parse).transpose()
}

/// The name that a driver has if nobody says another.
pub fn name(file: &Path) -> Result<Name> {
    match reference(file)? {
        Some(reference) => reference.name(),
        None => name_of(file),
    }
}

/// Brings a component: from a file, or from a registry.
pub fn fetch(file: &Path, bring: Bring, session: &Session<'_>) -> Result<Fetched> {
    let Some(reference) = reference(file)? else {
        let from = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let (from, component, signed) = (from.display().to_string(), read_component(file)?, signed_beside(file)?);
        return Ok(Fetched { from, component, signed });
    };
    let Pulled { reference, component, signed } = bring.registry(&reference, session)?.pull(&reference)?;
    Ok(Fetched { from: reference.to_string(), component, signed })
}
