//! Whose drivers are loaded: signatures, checked before anything is compiled, against a policy that the operator wrote.
//!
//! - [`policy`]: the file: keys, and what each may sign
//! - [`signature`]: what cosign makes with a key, without a network: of an artifact in a registry, or of a file
//!
//! Without a policy no driver needs a signature. The policy is read at each load, so that a key that is revoked counts at once; what is loaded stays.

pub mod policy;
pub mod signature;

use std::path::PathBuf;

use self::policy::Policy;
use self::signature::Whole;
use super::admit::admit;
use operation::driver::LoadDriver;
use words::foreign::{MESSAGE_BYTES, printable};
use words::{Error, Kind, Result, now};

/// Signatures of one component that are looked at: each key of a policy is tried on each.
const SIGNATURES: usize = 16;

/// What the history says of a version that somebody allowed.
const UNSIGNED: &str = "unsigned, and allowed by hand";

/// Where the policy is; none: there is no policy.
pub struct Trust(pub Option<PathBuf>);

/// Why a signature does not count. Of several signatures the one that came furthest is told of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unfit {
    Damaged(String),
    Unknown,
    OfAnother(String),
    Revoked(String),
    Expired(String, String),
    NotAllowed(String, String),
    Older(String, String),
}

impl Trust {
    /// Whether the policy can be read, for a start: what can't is told before somebody needs it.
    pub fn look(&self) -> Result<()> {
        self.0.as_deref().map_or(Ok(()), |file| policy::read_file(file).map(drop))
    }

    /// Lets a component pass, and notes who signed it; or says in one line why not.
    pub fn check(&self, mut load: LoadDriver) -> Result<LoadDriver> {
        let Some(file) = &self.0 else { return Ok(load) };
        let policy = policy::read_file(file).map_err(|e| e.context("no driver is loaded without the policy"))?;
        load.source.signed = signed(&policy, &load, now()).map_err(|e| Error {
            message: printable(&format!("the driver {}: {}", load.name, e.message), MESSAGE_BYTES),
            ..e
        })?;
        Ok(load)
    }
}

/// Who signed it, in words for the history.
fn signed(policy: &Policy, load: &LoadDriver, now: u64) -> Result<String> {
    let signatures = &load.signed.signatures;
    if signatures.is_empty() && load.allow_unsigned {
        tracing::warn!(driver = %load.name, from = load.source.from, "it is not signed, and --allow-unsigned loads it");
        return Ok(UNSIGNED.to_owned());
    }
    if signatures.is_empty() {
        return Err(Error::forbidden(
            "it is not signed, which the policy wants: --allow-unsigned loads it all the same",
        ));
    }
    if signatures.len() > SIGNATURES {
        return Err(Error::invalid(format!("it has {} signatures: at most {SIGNATURES}", signatures.len())));
    }
    let tried = signatures.iter().map(|one| fits(policy, load, &Whole::read(one, &load.signed, &load.component)?, now));
    let mut worst = None;
    for one in tried {
        match one {
            Ok(key) => return Ok(format!("signed by {key}")),
            Err(why) => worst = worst.max(Some(why)),
        }
    }
    Err(worst.map_or_else(|| Error::internal("no signature was looked at"), Error::from))
}

/// The key that made a signature, if that key may.
fn fits(policy: &Policy, load: &LoadDriver, whole: &Whole<'_>, now: u64) -> std::result::Result<String, Unfit> {
    let (name, key) = policy.keys.iter().find(|(_, key)| key.made(whole)).ok_or(Unfit::Unknown)?;
    let repository = whole.repository(&load.signed, &load.component)?;
    if policy.revoked.contains(name) {
        return Err(Unfit::Revoked(name.clone()));
    }
    if let Some(day) = key.expired(now) {
        return Err(Unfit::Expired(name.clone(), day.to_owned()));
    }
    let mut older = None;
    for rule in policy.allows(name, &load.name, repository.as_deref()) {
        let Some(least) = &rule.least else { return Ok(name.clone()) };
        // It is whole and signed: its own word counts.
        let version = admit(&load.component).ok().and_then(|admitted| admitted.manifest).map(|said| said.version);
        let version = version.and_then(|text| semver::Version::parse(&text).ok());
        if version.as_ref().is_some_and(|version| version >= least) {
            return Ok(name.clone());
        }
        let version = version.map_or_else(|| "unknown".to_owned(), |version| version.to_string());
        older = Some(Unfit::Older(version, least.to_string()));
    }
    let of = repository.map_or_else(|| "as a file".to_owned(), |repository| format!("from {repository}"));
    Err(older.unwrap_or(Unfit::NotAllowed(name.clone(), of)))
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Self::new(
            Kind::Forbidden,
            match unfit {
                Unfit::Damaged(why) => format!("its signature is damaged: {why}"),
                Unfit::Unknown => "its signature is by none of the policy's keys, or of other bytes".to_owned(),
                Unfit::OfAnother(what) => format!("its signature is of another component: {what}"),
                Unfit::Revoked(key) => format!("the key {key}, which signed it, is revoked"),
                Unfit::Expired(key, day) => format!("the key {key}, which signed it, expired after {day}"),
                Unfit::NotAllowed(key, of) => {
                    format!("the key {key}, which signed it, may not sign a driver of this name {of}")
                }
                Unfit::Older(version, least) => {
                    format!("its version is {version}, and older ones than {least} are refused by the policy")
                }
            },
        )
    }
}

#[cfg(test)]
mod tests;
