//! `pontoon driver outdated`: which drivers that came from a registry have a newer version there, and what that one asks for.

use semver::Version;
use serde::Serialize;

use super::client::path;
use super::exit::Failure;
use super::output::{Format, Session, table};
use super::remote::Bring;
use super::values::list;
use crate::distribution::{Reference, Registry};
use crate::driver::admit::admit;
use grant::{Grant, Item};
use operation::driver::{Driver, DriverDetails, DriverVersion};
use words::{Error, Name, Result};

/// Looks for newer versions.
#[derive(Debug, clap::Args)]
pub struct Outdated {
    /// Ask the registries without TLS
    #[arg(long)]
    plain_http: bool,
}

/// A driver of which a registry has a newer version.
#[derive(Serialize)]
struct Newer {
    driver: Name,
    from: String,
    newer: String,
    asks_also: Vec<String>,
    asks_no_more: Vec<String>,
}

impl Outdated {
    /// Does it. A registry that can't be asked is told of, and the others still are asked.
    pub async fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let bring = Bring { plain_http: self.plain_http, ..Bring::default() };
        let drivers: Vec<Driver> = session.client.get("/drivers").await?.read()?;
        let mut found = Vec::new();
        for Driver { name, .. } in drivers {
            match look(&name, bring, session).await {
                Ok(newer) => found.extend(newer),
                Err(failure) => {
                    let error = failure.error.context(&name);
                    session.fail(&Failure { error, ..failure });
                }
            }
        }
        if session.format == Format::Json {
            let text = serde_json::to_string(&found).map_err(|e| Error::internal(e.to_string()))?;
            return session.json(&text);
        }
        if found.is_empty() {
            session.note("no registry has a newer version of a driver that came from it");
        }
        session.print(&table(["NAME", "FROM", "NEWER", "ASKS"], found.iter().map(row)))
    }
}

fn row(newer: &Newer) -> [String; 4] {
    let part = |what: &str, asks: &[String]| (!asks.is_empty()).then(|| format!("{what} {}", list(asks)));
    let parts = [part("also for", &newer.asks_also), part("no more for", &newer.asks_no_more)];
    let asks = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let asks = if asks.is_empty() { "for the same".to_owned() } else { asks };
    [newer.driver.to_string(), newer.from.clone(), newer.newer.clone(), asks]
}

async fn look(name: &Name, bring: Bring, session: &Session<'_>) -> std::result::Result<Option<Newer>, Failure> {
    let history: Vec<DriverVersion> =
        session.client.get(&path(&["drivers", name.as_str(), "history"])).await?.read()?;
    let Some(reference) = origin(&history) else { return Ok(None) };
    let registry = bring.registry(&reference, session)?;
    let Some(newer) = newest(&reference, &registry)? else { return Ok(None) };
    let pulled = registry.pull(&newer)?;
    let details: DriverDetails = session.client.get(&path(&["drivers", name.as_str()])).await?.read()?;
    let asks = |manifest: Option<operation::driver::Manifest>| manifest.map(|said| said.asks).unwrap_or_default();
    let (before, after) = (asks(details.manifest), asks(admit(&pulled.component)?.manifest));
    let more = |has: &Grant, asks: &Grant| has.lacks(asks).iter().map(Item::to_string).collect();
    Ok(Some(Newer {
        driver: name.clone(),
        from: reference.to_string(),
        newer: pulled.reference.to_string(),
        asks_also: more(&before, &after),
        asks_no_more: more(&after, &before),
    }))
}

/// Where the version that serves came from, if that was a registry; of one that was rolled back to, where that came from.
fn origin(history: &[DriverVersion]) -> Option<Reference> {
    let mut version = history.iter().find(|version| version.ended.is_none())?;
    // Each leads to an earlier one.
    for _ in history {
        match version.source.from.strip_prefix("version ").and_then(|number| number.parse::<u64>().ok()) {
            Some(number) => version = history.iter().find(|version| version.number == number)?,
            None => break,
        }
    }
    version.source.from.parse().ok()
}

/// The newest tag that is newer than a reference's; of a tag that is no version, the tag if it is of something else now.
fn newest(reference: &Reference, registry: &Registry) -> Result<Option<Reference>> {
    let Some(tag) = reference.tag() else { return Ok(None) };
    if version(tag).is_none() {
        let now = registry.digest(&reference.tagged(tag))?;
        return Ok((reference.digest() != Some(&now)).then(|| reference.tagged(tag)));
    }
    let tags = registry.tags(reference)?;
    Ok(newest_of(tag, &tags).map(|newest| reference.tagged(newest)))
}

/// A version that is not finished is offered only to who has such a one.
fn newest_of<'a>(tag: &str, tags: &'a [String]) -> Option<&'a str> {
    let current = version(tag)?;
    let versions = tags.iter().filter_map(|tag| Some((version(tag)?, tag.as_str())));
    let newer = versions.filter(|(v, _)| *v > current && (v.pre.is_empty() || !current.pre.is_empty()));
    newer.max().map(|(_, tag)| tag)
}

/// The version that a tag names. A tag has no plus sign.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::driver::{Ended, Source};

    #[test]
    fn versions_are_compared_as_such() {
        let tags = ["1.9.0", "1.10.0", "v1.10.1", "2.0.0-rc.1", "latest", "sha256-00.sig"].map(str::to_owned);
        let table = [
            ("1.9.0", Some("v1.10.1")),
            ("v1.10.1", None),
            ("2.0.0-beta", Some("2.0.0-rc.1")),
            ("3.0.0", None),
            ("latest", None),
        ];
        for (tag, newest) in table {
            assert_eq!(newest_of(tag, &tags), newest, "{tag}");
        }
    }

    #[test]
    fn where_it_came_from_is_followed_through_rollbacks() {
        let version = |number: u64, from: &str, serves: bool| DriverVersion {
            number,
            digest: String::new(),
            size: 0,
            came: 0,
            source: Source { from: from.to_owned(), ..Source::default() },
            grant: Grant::default(),
            configuration: Default::default(),
            ended: (!serves).then(|| Ended { at: 0, how: String::new() }),
        };
        let first = version(1, "oci://h:1/a:1", false);
        let of = |history: &[DriverVersion]| origin(history).map(|reference| reference.to_string());
        assert_eq!(of(&[version(2, "oci://h:1/a:2", true), first.clone()]).unwrap(), "oci://h:1/a:2");
        let back = [version(3, "version 1", true), version(2, "/a.wasm", false), first];
        assert_eq!(of(&back).unwrap(), "oci://h:1/a:1");
        assert_eq!(of(&[version(9, "version 1", true)]), None);
        assert_eq!(of(&[version(2, "version 2", true)]), None);
        assert_eq!(of(&[version(1, "/a.wasm", true)]), None);
    }
}
