//! The manifest: what a driver's author says of it, in TOML. `pontoon driver pack` puts the text into the component as it is written,
//! so that it is the same for every language.
//!
//! Two forms: [`Written`] is what the text says, [`Manifest`] is what it means. A key that is not known is refused: a newer
//! manifest must not be half understood.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::capability::tables;
use grant::Grant;
use operation::driver::{Manifest, Sample, Without};
use words::file::from_toml;
use words::{Error, Name, Result};

/// The custom section that holds it.
pub const SECTION: &str = "pontoon-manifest";

/// The file that `pontoon driver pack` looks for.
pub const FILE: &str = "pontoon.toml";

/// Bytes of a manifest: it is read by people.
pub const SIZE: usize = 64 << 10;

/// Characters of each text in it: a line.
const TEXT: usize = 256;

/// What is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Name,
    version: String,
    description: Option<String>,
    source: Option<String>,
    licence: Option<String>,
    #[serde(default)]
    without: BTreeSet<Without>,
    #[serde(default)]
    samples: Vec<Sample>,
    #[serde(default)]
    asks: Grant,
}

/// Reads a manifest and checks what it says. An error is one line that begins with the place.
pub fn read(place: &str, bytes: &[u8]) -> Result<Manifest> {
    if bytes.len() > SIZE {
        return Err(Error::invalid(format!("{place} has {} bytes: at most {SIZE}", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::invalid(format!("{place} is no UTF-8 text")))?;
    meaning(from_toml(place, text)?).map_err(|e| e.context(place))
}

fn meaning(written: Written) -> Result<Manifest> {
    let Written { name, version, description, source, licence, without, samples, asks } = written;
    check("version", Some(&version), "no version such as 1.2.0", is_version)?;
    check("description", description.as_ref(), "empty", |text| !text.trim().is_empty())?;
    check("source", source.as_ref(), "no URL that begins with https:// or http://", is_url)?;
    check("licence", licence.as_ref(), "no SPDX licence such as Apache-2.0", is_licence)?;
    asks.check().map_err(|e| e.context("asks"))?;
    samples.iter().try_for_each(sample).map_err(|e| e.context("samples"))?;
    Ok(Manifest { name, version, description, source, licence, without, samples, asks })
}

/// The text of a manifest with other asks. All else stays as its author wrote it, the comments too.
pub fn with_asks(place: &str, bytes: &[u8], asks: &Grant) -> Result<String> {
    let before = read(place, bytes)?;
    let mut changed = format!("{}\n\n[asks]\n", without_asks(&String::from_utf8_lossy(bytes)).trim_end());
    for line in grant::file::write(asks)?.lines() {
        // A table within it.
        let line = line.strip_prefix('[').map_or_else(|| line.to_owned(), |table| format!("[asks.{table}"));
        changed += &format!("{line}\n");
    }
    match read(place, changed.as_bytes()) {
        Ok(after) if after == (Manifest { asks: asks.clone(), ..before }) => Ok(changed),
        _ => Err(Error::invalid(format!("{place}: what it asks for can't be replaced: write it as a table, [asks]"))),
    }
}

/// The lines but those of the table `[asks]` and of the tables in it. The comment above another table's head is that table's.
fn without_asks(text: &str) -> String {
    let (mut kept, mut above, mut within) = (String::new(), String::new(), false);
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default().trim();
        if code.starts_with('[') {
            within = code == "[asks]" || code.starts_with("[asks.");
        }
        match (within, code.is_empty()) {
            (true, true) => above += line,
            (true, false) => above.clear(),
            (false, _) => {
                kept += &std::mem::take(&mut above);
                kept += line;
            }
        }
    }
    kept
}

/// A sample is an entry that a driver could get.
fn sample(sample: &Sample) -> Result<()> {
    Ok(tables::check(&sample.table, &sample.key)?)
}

fn check(key: &str, text: Option<&String>, otherwise: &str, fits: impl Fn(&str) -> bool) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    if text.chars().count() > TEXT || text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{key}: not one line of at most {TEXT} characters")));
    }
    if fits(text) { Ok(()) } else { Err(Error::invalid(format!("{key}: {text:?} is {otherwise}"))) }
}

/// Three numbers, and what semantic versioning lets follow them.
fn is_version(text: &str) -> bool {
    semver::Version::parse(text).is_ok()
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()))
}

/// The characters of an SPDX expression, e.g. `MIT OR (Apache-2.0 WITH LLVM-exception)`. Its words are not looked up.
fn is_licence(text: &str) -> bool {
    !text.trim().is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.+:() ".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use grant::Permission;

    const WHOLE: &str = "\
name = 'blue'                       # a comment of its author
version = '1.2.0-rc.1+7'
description = 'Gives every container a blue link.'
source = 'https://example.org/blue'
licence = 'MIT OR (Apache-2.0 WITH LLVM-exception)'

[asks]
permissions = ['store', 'links', 'packet-filter']
hooks = { forward = [0] }
";

    fn refusal(text: &str) -> String {
        read("p.toml", text.as_bytes()).unwrap_err().message
    }

    #[test]
    fn a_manifest_says_who_and_what_it_asks_for() {
        let manifest = read("p.toml", WHOLE.as_bytes()).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("blue", "1.2.0-rc.1+7"));
        assert_eq!(manifest.source.as_deref(), Some("https://example.org/blue"));
        let asked: Vec<_> = manifest.asks.permissions.iter().map(Permission::to_string).collect();
        assert_eq!(asked, ["links", "packet-filter", "store"]);
        let least = read("p.toml", b"name = 'blue'\nversion = '0.0.1'").unwrap();
        assert_eq!((least.description, least.source, least.licence), (None, None, None));
        assert_eq!(least.asks, Grant::default(), "nothing asked for");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let with = |line: &str| format!("name = 'blue'\nversion = '1.0.0'\n{line}\n");
        let table = [
            (String::new(), "p.toml:1: missing field `name`"),
            ("name = 'blue'".to_owned(), "missing field `version`"),
            ("name = 'a/b'\nversion = '1.0.0'".to_owned(), "p.toml:1: \"a/b\" is no name"),
            (with("author = 'Zoë'"), "p.toml:3: unknown field `author`, expected one of `name`"),
            (with("[asks]\nparent = ['eth0']"), "p.toml:4: unknown field `parent`, expected one of `permissions`"),
            (with("[asks]\nparents = ['et/h0']"), "p.toml: asks: parents: "),
            (with("[asks]\npermissions = [\n'links',\n'link']"), "p.toml:6: unknown variant `link`, expected one of"),
            (with("[asks]\npermissions = 'links'"), "p.toml:4: invalid type"),
            (with("name = 'blue'"), "p.toml:3: duplicate key"),
            (with("version 1"), "p.toml:3: "),
            ("name = 'blue'\nversion = '1'".to_owned(), "p.toml: version: \"1\" is no version such as 1.2.0"),
            (with("source = 'ftp://example.org'"), "p.toml: source: "),
            (with("source = 'https://'"), "p.toml: source: "),
            (with("licence = 'what you like!'"), "p.toml: licence: "),
            (with("description = ' '"), "p.toml: description: "),
            (with(r#"description = "one\ntwo""#), "p.toml: description: not one line"),
            (with(&format!("description = '{}'", "x".repeat(TEXT + 1))), "at most 256 characters"),
        ];
        for (text, says) in table {
            let said = refusal(&text);
            assert!(said.contains(says) && !said.contains('\n'), "{text:?}: {said}");
        }
    }

    #[test]
    fn its_asks_are_replaced_and_nothing_else() {
        let asks = Grant { parents: ["eth0".to_owned()].into(), ..Grant::default() };
        let text = "# Mine.\nname = 'blue'\nversion = '1.0.0' # first\n\n[asks] # all\npermissions = ['store']\n[asks.limits]\nlinks = 1\n";
        for more in ["", "# Its sample.\n\n[[samples]]\ntable = 't'\nkey = 'k' # [asks]\nvalue = 'v'\n"] {
            let changed = with_asks("p.toml", format!("{text}{more}").as_bytes(), &asks).unwrap();
            assert!(
                changed.starts_with("# Mine.\nname = 'blue'\nversion = '1.0.0' # first\n") && changed.contains(more)
            );
            let manifest = read("p.toml", changed.as_bytes()).unwrap();
            assert_eq!((manifest.asks, manifest.samples.len()), (asks.clone(), usize::from(!more.is_empty())));
        }
        let inline = b"name = 'blue'\nversion = '1.0.0'\nasks = { parents = ['eth1'] }";
        assert!(with_asks("p.toml", inline, &asks).unwrap_err().message.contains("write it as a table, [asks]"));
        assert!(with_asks("p.toml", b"name = 'blue'\nversion = '1.0.0'", &asks).unwrap().contains("\n[asks]\nparents"));
    }

    #[test]
    fn samples_and_what_a_driver_is_without() {
        let more = "without = ['interface']\n[[samples]]\ntable = 'peers'\nkey = '10.1.0.2'\nvalue = 'x'";
        let manifest = read("p.toml", format!("name = 'blue'\nversion = '1.0.0'\n{more}").as_bytes()).unwrap();
        assert_eq!((manifest.without.len(), manifest.samples[0].key.as_str()), (1, "10.1.0.2"));
        let with = |line: &str| format!("name = 'blue'\nversion = '1.0.0'\n{line}\n");
        assert!(refusal(&with("without = ['links']")).contains("p.toml:3: unknown variant `links`, expected one of"));
        assert!(
            refusal(&with("[[samples]]\ntable = 'a/b'\nkey = 'k'\nvalue = ''")).contains("p.toml: samples: a table")
        );
        assert!(refusal(&with("[[samples]]\ntable = 't'\nvalue = ''")).contains("missing field `key`"));
    }

    #[test]
    fn its_size_is_limited() {
        assert!(refusal(&" ".repeat(SIZE + 1)).contains("p.toml has 65537 bytes: at most 65536"));
        assert!(read("p.toml", format!("{WHOLE}#{}", "x".repeat(SIZE - WHOLE.len() - 1)).as_bytes()).is_ok());
        assert!(read("p.toml", &[0xff, 0xfe]).unwrap_err().message.contains("p.toml is no UTF-8 text"));
    }
}
