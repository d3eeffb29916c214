//! `pontoon driver upgrade`, `rollback` and `history`; and how a component is sent.

use std::path::{Path, PathBuf};

use super::client::{Reply, encode, path};
use super::driver::size;
use super::exit::{FORBIDDEN, Failure};
use super::grant;
use super::output::{Session, table};
use super::remote::{Bring, Fetched, fetch};
use super::values::{pair, short, unique, utc};
use crate::driver::admit::{Admitted, admit};
use crate::serve::folder::read_grant;
use ::grant::Grant;
use operation::driver::{DriverDetails, DriverVersion, Forgot, Signed, Source};
use words::{Error, Name};

/// Puts another component in a driver's place.
#[derive(Debug, clap::Args)]
pub struct Upgrade {
    /// The driver
    pub name: Name,
    /// The component: a file, or oci://HOST/REPOSITORY:TAG
    pub file: PathBuf,
    /// What the driver's configuration answers for KEY (repeatable) [default: all that it answered before]
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub configuration: Vec<(String, String)>,
    /// What it may do, in TOML [default: what it might before]
    #[arg(long, value_name = "FILE", conflicts_with = "grant_asked")]
    pub grant: Option<PathBuf>,
    /// Grant whatever it asks for
    #[arg(long)]
    pub grant_asked: bool,
    #[command(flatten)]
    pub bring: Bring,
}

/// Brings a driver's version before back.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// The driver
    name: Name,
    /// Also if the driver has changed something since: the version before gets its state as it is, and has to understand it
    #[arg(long)]
    keep_state: bool,
}

/// A component on its way to the daemon.
pub struct Upload {
    /// What it may do, if somebody said.
    pub grant: Option<Grant>,
    component: Vec<u8>,
    grant_asked: bool,
    query: String,
}

impl Upgrade {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let is_set = !self.configuration.is_empty();
        let upload = Upload::new(&self.file, self.bring, session, self.configuration, self.grant, self.grant_asked)?;
        let route = path(&["drivers", self.name.as_str(), "upgrade"]) + "?";
        let before = may(&self.name, session).await;
        let (reply, details) = upload.send(&route, before, session).await?;
        if !is_set && !details.configuration.is_empty() {
            let kept: Vec<_> = details.configuration.iter().map(|(key, value)| format!("{key}={value}")).collect();
            session.note(&format!("it keeps its configuration: {} (--set replaces all of it)", kept.join(", ")));
        }
        session.done(&reply, self.name.as_str())
    }
}

impl Rollback {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let query = if self.keep_state { "?keep-state=true" } else { "" };
        let route = path(&["drivers", self.name.as_str(), "rollback"]) + query;
        let reply = session.client.post(&route, &()).await?;
        session.done(&reply, self.name.as_str())
    }
}

/// A query that says where a component comes from, and who signed it.
pub fn origin(from: &str, signed: &Signed, allow_unsigned: bool) -> Result<String, Error> {
    let mut query = format!("from={}", encode(from));
    if !signed.signatures.is_empty() {
        let signed = serde_json::to_string(signed).map_err(|e| Error::internal(e.to_string()))?;
        query.push_str(&format!("&signed={}", encode(&signed)));
    }
    if allow_unsigned {
        query.push_str("&allow-unsigned=true");
    }
    Ok(query)
}

impl Upload {
    /// Reads the files, or asks a registry.
    pub fn new(
        file: &Path,
        bring: Bring,
        session: &Session<'_>,
        configuration: Vec<(String, String)>,
        grant: Option<PathBuf>,
        grant_asked: bool,
    ) -> Result<Self, Failure> {
        let grant = grant.map(|file| read_grant(&file)).transpose()?;
        let Fetched { from, component, signed } = fetch(file, bring, session)?;
        let mut query = origin(&from, &signed, bring.allow_unsigned)?;
        for (key, value) in unique(configuration)? {
            query.push_str(&format!("&set={}", encode(&format!("{key}={value}"))));
        }
        Ok(Self { grant, component, grant_asked, query })
    }

    /// Sends it to a route, which ends where a query goes on. Shows what the driver asks for beside what it gets: `otherwise`, if nobody said.
    pub async fn send(
        self,
        route: &str,
        otherwise: Grant,
        session: &mut Session<'_>,
    ) -> Result<(Reply, DriverDetails), Failure> {
        let Self { grant, component, grant_asked, mut query } = self;
        // Whether it can be used is the daemon's to say.
        let admitted = admit(&component).ok();
        let caution = admitted.as_ref().and_then(Admitted::caution);
        let asks = admitted.and_then(|found| found.manifest).map(|found| found.asks).unwrap_or_default();
        if grant_asked {
            query.push_str("&grant-asked=true");
        } else if let Some(grant) = &grant {
            query.push_str(&format!("&grant={}", encode(&grant::json(grant)?)));
        }
        let granted = if grant_asked { asks.clone() } else { grant.unwrap_or(otherwise) };
        let answer = session.client.upload(&format!("{route}{query}"), component).await;
        // Where it is refused for another reason, nobody has asked.
        let lacks = !granted.lacks(&asks).is_empty();
        if answer.as_ref().map_or_else(|failure| failure.code == FORBIDDEN && lacks, |_| true) {
            session.tell(&grant::comparison(&asks, &granted));
        }
        let reply = answer?;
        let details: DriverDetails = reply.read()?;
        if let Some(caution) = caution {
            session.note(&caution);
        }
        if let Some(why) = &details.unpublished {
            session.note(&format!("Docker does not see it: {why}"));
        }
        Ok((reply, details))
    }
}

/// What a driver that is loaded may do.
async fn may(name: &Name, session: &Session<'_>) -> Grant {
    let details = session.client.get(&path(&["drivers", name.as_str()])).await;
    let details = details.ok().and_then(|reply| reply.read::<DriverDetails>().ok());
    details.map(|details| details.grant).unwrap_or_default()
}

/// What was forgotten, as a table.
pub fn forgotten(forgot: &[Forgot]) -> String {
    let rows = forgot.iter().map(|one| [one.name.to_string(), one.versions.to_string(), size(one.bytes)]);
    table(["NAME", "VERSIONS", "SIZE"], rows)
}

/// Versions as a table.
pub fn rows(versions: &[DriverVersion]) -> String {
    let rows = versions.iter().map(|version| {
        let by = version.source.by.map_or_else(|| "pontoon".to_owned(), |user| format!("user {user}"));
        let ended = version
            .ended
            .as_ref()
            .map_or_else(|| "serves".to_owned(), |ended| format!("{} {}", utc(ended.at), ended.how));
        let (number, digest) = (version.number.to_string(), short(&version.digest));
        // Of a driver that an earlier Pontoon loaded nobody knows.
        let came = if version.came == 0 { "unknown".to_owned() } else { utc(version.came) };
        let Source { from, signed, .. } = &version.source;
        let from = if signed.is_empty() { from.clone() } else { format!("{from} ({signed})") };
        [number, digest, came, by, from, ended]
    });
    table(["VERSION", "DIGEST", "CAME", "BY", "FROM", "ENDED"], rows)
}
