//! A registry, as the command line asks it: pull, push and the tags of a repository.

use serde::Deserialize;

use super::credential;
use super::failure::damaged;
use super::http::{ANSWER, Http, of_type, read};
use super::kept::Kept;
use super::layout::{self, MANIFEST, named};
use super::reference::Reference;
use operation::driver::{Signature, Signed};
use words::{Error, Kind, Result};

/// How a registry is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ways {
    /// Not at all: what was pulled before is used.
    pub offline: bool,
    /// Without TLS.
    pub plain_http: bool,
    /// Shows on a terminal how far a download is.
    pub progress: bool,
}

/// A driver that was pulled.
#[derive(Debug)]
pub struct Pulled {
    /// Where it is, pinned to its manifest.
    pub reference: Reference,
    /// The component.
    pub component: Vec<u8>,
    /// Who signed it. Whether that counts is the daemon's to say.
    pub signed: Signed,
}

/// A registry.
pub struct Registry {
    pub(super) http: Http,
    pub(super) kept: Kept,
    pub(super) ways: Ways,
}

/// The tags of a repository, or some of them.
#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// The one of a reference. It is asked when it is used.
    pub fn of(reference: &Reference, ways: Ways) -> Result<Self> {
        let credential = if ways.offline { None } else { credential::of(reference.host())? };
        Ok(Self { http: Http::new(reference, ways.plain_http, credential), kept: Kept::of_user()?, ways })
    }

    /// Pulls a driver. What is pinned by a digest and kept is not asked for.
    pub fn pull(&self, reference: &Reference) -> Result<Pulled> {
        let (digest, manifest) = self.manifest(reference)?;
        let described = layout::component(&manifest).map_err(|e| e.context(reference))?;
        let component = self.blob(reference, &described)?;
        let signatures = self.signatures(reference, &digest)?;
        let manifest = String::from_utf8(manifest).map_err(|_| damaged(reference, "its manifest is no text"))?;
        let signed = Signed { manifest: Some(manifest), signatures };
        Ok(Pulled { reference: reference.pinned(&digest), component, signed })
    }

    /// The signatures of a manifest, which have a tag that is made of its digest. Those that were kept, where the registry can't be reached.
    fn signatures(&self, reference: &Reference, digest: &str) -> Result<Vec<Signature>> {
        let tag = reference.tagged(&format!("{}.sig", digest.replace(':', "-")));
        let found = match self.manifest(&tag) {
            Err(error) if error.kind == Kind::Unavailable => {
                self.kept.tagged(&tag).and_then(|digest| self.kept.blob(&digest))
            }
            Err(error) if error.kind == Kind::NotFound => None,
            found => Some(found?.1),
        };
        let Some(manifest) = found else { return Ok(Vec::new()) };
        let manifest = layout::read(&manifest).map_err(|e| e.context(&tag))?;
        let mut signatures = Vec::new();
        for layer in manifest.layers.into_iter().take(SIGNATURES) {
            let signature = layer.annotations.get(SIGNATURE).filter(|_| layer.size <= PAYLOAD);
            let Some(signature) = signature.cloned() else { continue };
            let payload = String::from_utf8(self.blob(&tag, &layer)?);
            let payload = payload.map_err(|_| damaged(&tag, "what is signed is no text"))?;
            signatures.push(Signature { payload: Some(payload), signature });
        }
        Ok(signatures)
    }

    /// A manifest and its digest.
    fn manifest(&self, reference: &Reference) -> Result<(String, Vec<u8>)> {
        let known = match reference.digest() {
            Some(digest) => Some(digest.to_owned()),
            None if self.ways.offline => self.kept.tagged(reference),
            None => None,
        };
        if let Some((digest, manifest)) = known.and_then(|digest| Some((digest.clone(), self.kept.blob(&digest)?))) {
            return Ok((digest, manifest));
        }
        if self.ways.offline {
            return Err(self.not_here(reference));
        }
        let which = reference.digest().or(reference.tag()).unwrap_or_default();
        let answer = self.http.get(reference, &format!("manifests/{which}"), &[("accept", MANIFEST)], &[200])?;
        let manifest = read(reference, answer.into_body(), ANSWER)?;
        let digest = named(&manifest);
        if reference.digest().is_some_and(|pinned| pinned != digest) {
            return Err(damaged(reference, &format!("the digest of its manifest is {digest}")));
        }
        self.kept.keep(&manifest)?;
        if reference.digest().is_none() {
            self.kept.tag_is(reference, &digest)?;
        }
        Ok((digest, manifest))
    }

    /// Pushes a driver, and answers where it is. `created`: when, as RFC 3339 has it.
    pub fn push(&self, reference: &Reference, component: Vec<u8>, created: &str) -> Result<Reference> {
        let artifact = layout::describe(&component, created)?;
        for blob in [&component, &artifact.configuration] {
            self.push_blob(reference, blob)?;
        }
        let (digest, tag) = (named(&artifact.manifest), reference.tag().unwrap_or_default());
        let headers = [of_type(MANIFEST)];
        let answer = self.http.ask(reference, "PUT", &format!("manifests/{tag}"), &headers, &artifact.manifest)?;
        self.http.expect(reference, answer, &[201])?;
        Ok(reference.pinned(&digest))
    }

    fn push_blob(&self, reference: &Reference, blob: &[u8]) -> Result<()> {
        let digest = named(blob);
        if self.http.ask(reference, "HEAD", &format!("blobs/{digest}"), &[], &[])?.status() == 200 {
            return Ok(());
        }
        let answer = self.http.ask(reference, "POST", "blobs/uploads/", &[], &[])?;
        let answer = self.http.expect(reference, answer, &[202])?;
        let place = answer.headers().get("location").and_then(|place| place.to_str().ok()).map(str::to_owned);
        let place = place.ok_or_else(|| Error::internal(format!("{} says no place to upload to", reference.host())))?;
        let place = format!("{place}{}digest={digest}", if place.contains('?') { '&' } else { '?' });
        let answer = self.http.ask(reference, "PUT", &place, &[of_type("application/octet-stream")], blob)?;
        self.http.expect(reference, answer, &[201]).map(drop)
    }

    /// Which manifest a reference is of now.
    pub fn digest(&self, reference: &Reference) -> Result<String> {
        Ok(self.manifest(reference)?.0)
    }

    /// The tags of a repository.
    pub fn tags(&self, reference: &Reference) -> Result<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        // A registry may tell of them in parts.
        for _ in 0..PAGES {
            let last = tags.last().map(|last| format!("&last={last}")).unwrap_or_default();
            let answer = self.http.get(reference, &format!("tags/list?n={PAGE}{last}"), &[], &[200])?;
            let answer = read(reference, answer.into_body(), ANSWER)?;
            let answer: Tags =
                serde_json::from_slice(&answer).map_err(|e| damaged(reference, &format!("its list of tags: {e}")))?;
            let more = answer.tags.unwrap_or_default();
            let is_last = more.len() < PAGE;
            tags.extend(more);
            if is_last {
                break;
            }
        }
        Ok(tags)
    }

    pub(super) fn not_here(&self, reference: &Reference) -> Error {
        Error::not_found(format!("{reference} was not pulled before: without --offline its registry is asked for it"))
    }
}

/// Where cosign puts a signature: an annotation of the layer that is signed.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// Signatures of a driver that are looked at, and bytes of what is signed: a repository's name and a digest.
const SIGNATURES: usize = 8;
const PAYLOAD: u64 = 2048;

/// Tags that are asked for at once, and how often at most.
const PAGE: usize = 1_000;
const PAGES: usize = 20;
