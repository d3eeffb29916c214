//! Names of drivers in registries.

use std::fmt::{self, Display};
use std::str::FromStr;

use words::{Error, Name, Result};

/// What a reference begins with.
pub const SCHEME: &str = "oci://";

/// Where Docker's own registry listens, which everybody calls docker.io.
const DOCKER: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// A driver in a registry: `oci://HOST/REPOSITORY:TAG`, `oci://HOST/REPOSITORY@sha256:…`, or both. A digest is the manifest's, and pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Reference {
    /// The registry: a host, with its port if that is said.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where that listens.
    pub fn listens(&self) -> &str {
        if self.host == DOCKER.0 { DOCKER.1 } else { &self.host }
    }

    /// The repository as its registry calls it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The repository with its registry, as signatures name it: `HOST/REPOSITORY`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.host, self.path)
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The same pinned to a manifest.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// Another tag of the repository.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// The name that its driver has if nobody says another: the last part of the repository's.
    pub fn name(&self) -> Result<Name> {
        Name::new(self.path.rsplit('/').next().unwrap_or_default())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let no = |why: &str| Error::invalid(format!("{text:?} is no driver in a registry: {why}"));
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| no("it does not begin with oci://"))?;
        let (host, rest) = rest.split_once('/').ok_or_else(|| no("it is not oci://HOST/REPOSITORY:TAG"))?;
        // Without a host Docker's own registry would be meant, which nobody says who says oci://.
        if !is_host(host) {
            return Err(no("it names no host, such as registry.example.org"));
        }
        let (rest, digest) = rest.split_once('@').map_or((rest, None), |(rest, digest)| (rest, Some(digest)));
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        if tag.is_none() && digest.is_none() {
            return Err(no("it has neither a tag (:1.2.0) nor a digest (@sha256:…)"));
        }
        if !is_path(path) {
            return Err(no("a repository's name has small letters, digits, and . _ - / between these"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(no("a tag has letters, digits, and . _ -, 128 at most"));
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(no("its digest is not sha256: and 64 hexadecimal digits"));
        }
        let (host, path) = (host.to_owned(), path.to_owned());
        Ok(Self { host, path, tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }
}

/// A name with a dot or a port, or this machine's.
fn is_host(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    (text.contains(['.', ':']) || text == "localhost") && text.len() <= 255 && text.bytes().all(fits)
}

/// As OCI's distribution specification has it.
fn is_path(text: &str) -> bool {
    let is_end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let is_part = |part: &str| is_end(part.bytes().next()) && is_end(part.bytes().last()) && part.bytes().all(fits);
    text.len() <= 255 && text.split('/').all(is_part)
}

/// The same.
fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || b".-".contains(&b))
}

/// Whether it is `sha256:` and 64 hexadecimal digits.
pub(super) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.host, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_says_where_and_which() {
        let table = [
            ("oci://registry.example.org/acme/bridge:1.2.0", Some("1.2.0"), None),
            (&*format!("oci://registry.example.org/acme/bridge:1.2.0@{DIGEST}"), Some("1.2.0"), Some(DIGEST)),
            (&*format!("oci://registry.example.org/acme/bridge@{DIGEST}"), None, Some(DIGEST)),
        ];
        for (text, tag, digest) in table {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.tag(), reference.digest()), (tag, digest), "{text}");
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.name().unwrap().as_str(), "bridge");
            assert_eq!(reference.repository(), "registry.example.org/acme/bridge");
        }
        let local: Reference = "oci://127.0.0.1:5000/b:1".parse().unwrap();
        assert_eq!(
            (local.host(), local.tagged("2").to_string()),
            ("127.0.0.1:5000", "oci://127.0.0.1:5000/b:2".into())
        );
        assert_eq!(local.pinned(DIGEST).to_string(), format!("oci://127.0.0.1:5000/b:1@{DIGEST}"));
    }

    #[test]
    fn what_is_no_reference_is_refused_in_one_line() {
        let table = [
            ("bridge.wasm", "does not begin with"),
            ("oci://bridge:1", "is not oci://HOST"),
            ("oci://acme/bridge:1", "names no host"),
            ("oci://localhost/bridge", "neither a tag"),
            ("oci://localhost/Bridge:1", "small letters"),
            ("oci://localhost/../bridge:1", "small letters"),
            ("oci://localhost//bridge:1", "small letters"),
            ("oci://localhost/:1", "small letters"),
            ("oci://local host.org/bridge:1", "names no host"),
            ("oci://a@b.org/bridge:1", "names no host"),
            ("oci://localhost/bridge@sha256:12", "its digest is not"),
            ("oci://localhost/bridge:1@sha512:12", "its digest is not"),
            ("oci://localhost/bridge:", "a tag has"),
            ("oci://localhost/bridge:1?x=y", "a tag has"),
            ("oci://localhost/bridge:-1", "a tag has"),
        ];
        for (text, says) in table {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.message.contains(says) && !error.message.contains('\n'), "{text}: {error}");
        }
    }
}
