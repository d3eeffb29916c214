//! The policy: which keys there are, and what each may sign. A list that is empty allows nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use semver::Version;
use serde::Deserialize;

use super::signature::{PublicKey, Whole};
use words::file::{from_toml, read_within};
use words::{Error, Name, Result, utc};

/// Bytes of the file: room for a hundred keys.
const SIZE: usize = 64 << 10;

/// What is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    revoked: BTreeSet<String>,
    #[serde(default)]
    keys: BTreeMap<String, WrittenKey>,
    #[serde(default)]
    allow: Vec<WrittenRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    public: String,
    expires: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    #[serde(default)]
    keys: BTreeSet<String>,
    #[serde(default)]
    drivers: Vec<String>,
    #[serde(default)]
    repositories: Vec<String>,
    least: Option<String>,
}

/// What it means.
#[derive(Debug)]
pub struct Policy {
    /// The keys by their names.
    pub keys: BTreeMap<String, Key>,
    /// Those that count no more.
    pub revoked: BTreeSet<String>,
    rules: Vec<Rule>,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    public: PublicKey,
    /// The last day on which it counts, as `2027-06-30`, UTC.
    expires: Option<String>,
}

/// What some keys may sign.
#[derive(Debug)]
pub struct Rule {
    keys: BTreeSet<String>,
    drivers: Vec<String>,
    repositories: Vec<String>,
    /// Older ones are refused.
    pub least: Option<Version>,
}

/// Reads the file.
pub fn read_file(file: &Path) -> Result<Policy> {
    let place = file.display();
    let bytes = read_within(file, SIZE).map_err(|e| Error::internal(format!("can't read the policy {place}: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{place} is not text in UTF-8")))?;
    read(&place.to_string(), &text)
}

/// Reads the text. An error is one line that begins with the place.
pub fn read(place: &str, text: &str) -> Result<Policy> {
    meaning(from_toml(place, text)?).map_err(|e| e.context(place))
}

fn meaning(Written { revoked, keys, allow }: Written) -> Result<Policy> {
    let named = allow.iter().flat_map(|rule| &rule.keys).chain(&revoked);
    if let Some(unknown) = named.clone().find(|name| !keys.contains_key(*name)) {
        return Err(Error::invalid(format!("there is no key {unknown:?}")));
    }
    let key = |(name, WrittenKey { public, expires }): (String, WrittenKey)| {
        let of = |why: String| Error::invalid(format!("the key {name}: {why}"));
        let public = PublicKey::read(&public).map_err(of)?;
        match expires.as_deref().filter(|day| !is_day(day)) {
            Some(other) => Err(of(format!("expires = {other:?} is no day such as \"2027-06-30\""))),
            None => Ok((name, Key { public, expires })),
        }
    };
    let keys = keys.into_iter().map(key).collect::<Result<_>>()?;
    let rule = |WrittenRule { keys, drivers, repositories, least }| {
        let no_version = |text| Error::invalid(format!("least = {text:?} is no version such as \"1.2.0\""));
        let least = least.map(|text| Version::parse(&text).map_err(|_| no_version(text))).transpose()?;
        Ok(Rule { keys, drivers, repositories, least })
    };
    let rules = allow.into_iter().map(rule).collect::<Result<_>>()?;
    Ok(Policy { keys, revoked, rules })
}

fn is_day(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(|part| (part.len(), part.parse::<u16>().ok())).collect();
    matches!(parts[..], [(4, Some(_)), (2, Some(1..=12)), (2, Some(1..=31))])
}

impl Policy {
    /// The rules by which a key may sign a driver of this name. `repository`: where its signer says that it is; none: it is a file.
    pub fn allows(&self, key: &str, driver: &Name, repository: Option<&str>) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| {
            let names = |patterns: &[String], text: &str| patterns.iter().any(|pattern| fits(pattern, text));
            rule.keys.contains(key)
                && names(&rule.drivers, driver.as_str())
                && repository.is_none_or(|repository| names(&rule.repositories, repository))
        })
    }
}

/// A star at the end of a pattern stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => text == pattern,
    }
}

impl Key {
    /// Whether it made a signature.
    pub fn made(&self, whole: &Whole<'_>) -> bool {
        self.public.verifies(whole.message, &whole.signature)
    }

    /// The last day on which it counted, if that is over.
    pub fn expired(&self, now: u64) -> Option<&str> {
        let today = utc(now);
        self.expires.as_deref().filter(|last| today.get(..10).is_none_or(|today| today > *last))
    }
}
