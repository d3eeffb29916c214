//! `pontoon driver grant` and `audit`: what a driver may do, what a component needs, and what was refused.

use std::path::{Path, PathBuf};

use super::client::path;
use super::driver_test::watched;
use super::exit::{Failure, PROBLEM};
use super::output::{Format, Session, table};
use super::plan::{Setting, compiled};
use crate::conformance::Plan;
use crate::driver::manifest;
use crate::serve::folder::{read_beyond, read_grant};
use grant::Audited;
use grant::{Grant, file};
use operation::driver::{CurrentGrant, DriverDetails};
use words::file::write_whole;
use words::{Error, Name, Result};

/// The heading of options that go with `--record`.
const RECORDING: &str = "With --record";

/// Shows, changes or finds out a grant.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "NAME alone prints the driver's grant, in TOML.",
    mut_group("Setting", |group| group.requires("record"))
)]
pub struct Command {
    /// The driver; with --record, a component
    #[arg(value_name = "NAME|COMPONENT")]
    of: PathBuf,
    /// Replace the driver's grant by the one in FILE, from its next call on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grant_asked", "record"])]
    grant: Option<PathBuf>,
    /// Replace the driver's grant by what its component asks for
    #[arg(long, conflicts_with = "record")]
    grant_asked: bool,
    /// Run a component through the conformance suite and print the smallest grant that it needed; needs no daemon
    #[arg(long)]
    record: bool,
    /// Also write what was needed as [asks] of this manifest, e.g. pontoon.toml
    #[arg(long, value_name = "MANIFEST", requires = "record", help_heading = RECORDING)]
    asks: Option<PathBuf>,
    /// Write the grant to FILE
    #[arg(long, value_name = "FILE", requires = "record", help_heading = RECORDING)]
    to: Option<PathBuf>,
    #[command(flatten, next_help_heading = RECORDING)]
    setting: Setting,
}

impl Command {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        if self.record {
            return self.record(session).await;
        }
        let name = Name::new(self.of.to_str().unwrap_or_default())?;
        let of = path(&["drivers", name.as_str()]);
        let grant = match &self.grant {
            Some(file) => read_grant(file)?,
            None => {
                let DriverDetails { manifest, grant, .. } = session.client.get(&of).await?.read()?;
                match manifest.filter(|_| self.grant_asked) {
                    Some(manifest) => manifest.asks,
                    None => return print(&grant, session),
                }
            }
        };
        let granted: CurrentGrant = session.client.put(&format!("{of}/grant"), &grant).await?.read()?;
        if !granted.lacks.is_empty() {
            session.note(&format!("{name} asks for more than it may: {}", granted.lacks.join(", ")));
        }
        print(&granted.grant, session)
    }

    async fn record(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let plan = self.setting.plan(&self.of)?;
        let plan = Plan { compiled: compiled(session), ..plan };
        let report = watched(plan, session, false).await?;
        let needed = report.needed.clone().unwrap_or_default();
        if !report.is_good() {
            let message = format!("{} checks failed, so what the driver needs is not known", report.failed);
            return Err(Failure { code: PROBLEM, error: Error::invalid(message) });
        }
        if let Some(file) = &self.asks {
            let text = read_beyond(file, manifest::SIZE)?;
            let changed = manifest::with_asks(&file.display().to_string(), &text, &needed)?;
            write_whole(file, changed.as_bytes()).map_err(|e| e.context("can't write the manifest"))?;
            session.note(&format!("{} asks for what was needed: pack the component again", file.display()));
        }
        match &self.to {
            Some(to) => write(to, &needed).map_err(Failure::from),
            None => print(&needed, session),
        }
    }
}

fn write(to: &Path, grant: &Grant) -> Result<()> {
    write_whole(to, file::write(grant)?.as_bytes()).map_err(|e| e.context("can't write the grant"))
}

fn print(grant: &Grant, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
    match session.format {
        Format::Table => session.print(&file::write(grant)?),
        Format::Json => session.json(&json(grant)?),
    }
}

/// A grant as the API takes it.
pub fn json(grant: &Grant) -> Result<String> {
    serde_json::to_string(grant).map_err(|e| Error::internal(e.to_string()))
}

/// What is asked for against what is granted, a line for each thing. Empty: neither is anything.
pub fn comparison(asks: &Grant, granted: &Grant) -> String {
    let asked = asks.items();
    let more = granted.items().into_iter().filter(|item| !asks.covers(item)).map(|item| (item, "no", "yes"));
    let of_asked = asked.into_iter().map(|item| {
        let answer = if granted.answers(&item) { "yes" } else { "NO" };
        (item, "yes", answer)
    });
    let rows: Vec<_> =
        of_asked.chain(more).map(|(item, asks, has)| [item.to_string(), asks.into(), has.into()]).collect();
    if rows.is_empty() { String::new() } else { table(["PERMISSION", "ASKED FOR", "GRANTED"], rows) }
}

/// What a driver was allowed and refused, and the last refusals.
pub fn audit(audited: &Audited) -> String {
    let calls = audited.calls.iter().map(|c| [c.function.clone(), c.allowed.to_string(), c.refused.to_string()]);
    let calls = table(["HOST CALL", "ALLOWED", "REFUSED"], calls);
    if audited.refused.is_empty() {
        return calls;
    }
    let id = |id: &Option<String>| id.as_ref().map(|id| super::values::short(id)).unwrap_or_default();
    let refused = audited.refused.iter().map(|refused| {
        let at = refused.time.to_string();
        [at, refused.function.clone(), id(&refused.network), id(&refused.endpoint), refused.why.clone()]
    });
    format!("{calls}\n{}", table(["UNIX TIME", "IN", "NETWORK", "ENDPOINT", "REFUSED"], refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_against_granted() {
        let grant = |text: &str| file::read("g", text.as_bytes()).unwrap();
        let asks = grant("permissions = ['links', 'store']\naddresses = ['network']");
        let granted = grant("permissions = ['links']\naddresses = ['network']\nroutes = ['default']");
        let expected = "\
PERMISSION          ASKED FOR  GRANTED
permissions: links  yes        yes
permissions: store  yes        NO
addresses: network  yes        yes
routes: default     no         yes
";
        assert_eq!(comparison(&asks, &granted), expected);
        assert_eq!(comparison(&Grant::default(), &Grant::default()), "");
    }
}
