//! `pontoon driver new`: a project in which a driver can be written at once. No daemon is asked.

mod files;
mod language;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use self::files::Template;
use self::language::{Kind, Language};
use super::exit::Failure;
use super::output::{Format, Session};
use words::{Error, Name, Result};

/// What Cargo does not take as a package's name: Rust's keywords, crates and folders that are there already; and the SDK's.
const TAKEN: &str = " abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl \
    in let loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof unsafe \
    unsized use virtual where while yield alloc core proc-macro proc_macro std test build deps examples incremental pontoon-sdk \
    pontoon_sdk ";

/// Begins a driver.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The driver's name, which is the project's, too: lower-case letters, digits, '-' and '_'
    #[arg(value_parser = name)]
    name: Name,
    /// The project's folder, which is made [default: NAME, in the current folder]
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// What to write it in
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    language: Language,
    /// What kind of driver to begin with
    #[arg(long, value_name = "KIND", default_value = "bridge")]
    template: Kind,
}

impl New {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        self.check()?;
        let own = self.template.own(self.language)?;
        let name = self.name.as_str();
        let folder = self.path.unwrap_or_else(|| name.into());
        make(&folder, project(self.language, own), |text| {
            let text = text.replace("@NAME@", name).replace("@CRATE@", &name.replace('-', "_"));
            text.replace("@OPTIONS@", self.template.options())
        })?;
        session.note(&format!("`make test` in {} runs its tests, `make` builds {name}.wasm", folder.display()));
        match session.format {
            Format::Table => session.print(&folder.display().to_string()),
            Format::Json => session.json(&serde_json::json!({ "folder": folder.display().to_string() }).to_string()),
        }
    }

    /// Cargo does not take every name.
    fn check(&self) -> Result<()> {
        let name = self.name.as_str();
        if self.language == Language::Rust && TAKEN.contains(&format!(" {name} ")) {
            return Err(Error::invalid(format!("{name:?} is no name for a Rust package: it has a meaning already")));
        }
        Ok(())
    }
}

/// The files of a project, with a kind's own in the place of the bridge's.
fn project(language: Language, own: &'static [Template]) -> impl Iterator<Item = &'static Template> {
    let rest = language.project().filter(|file| own.iter().all(|other| other.path != file.path));
    own.iter().chain(rest)
}

/// A name for a driver, and for a package in every language.
fn name(text: &str) -> Result<Name> {
    let name = Name::new(text)?;
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.bytes().all(word) {
        return Err(Error::invalid(format!(
            "{text:?} is no name for a project: lower-case letters, digits, '-' or '_', the first a letter"
        )));
    }
    Ok(name)
}

/// Makes the project's folder, with all of its files or not at all.
fn make(folder: &Path, files: impl Iterator<Item = &'static Template>, fill_in: impl Fn(&str) -> String) -> Result<()> {
    DirBuilder::new().create(folder).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Error::exists(format!("{} is there already", folder.display())),
        _ => Error::internal(format!("can't make {}: {e}", folder.display())),
    })?;
    let mut files = files;
    let made = files.try_for_each(|file| {
        let path = folder.join(file.path);
        write(&path, &fill_in(file.text), file.mode)
            .map_err(|e| Error::internal(format!("can't write {}: {e}", path.display())))
    });
    if made.is_err() {
        let _ = std::fs::remove_dir_all(folder);
    }
    made
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn names_are_a_drivers_and_a_packages() {
        for good in ["a", "blue", "my-driver2", "a_b"] {
            assert_eq!(name(good).unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "..", "Blue", "a.b", "2a", "_a", "-a", "ä", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        let new = |text, language| New { name: name(text).unwrap(), path: None, language, template: Kind::Bridge };
        for taken in ["fn", "self", "yield", "abstract", "std", "test", "pontoon-sdk", "proc_macro"] {
            let refused = new(taken, Language::Rust).check().unwrap_err();
            assert!(refused.message.contains("has a meaning already"), "{taken}");
            new(taken, Language::C).check().unwrap();
        }
    }

    #[test]
    fn the_driver_is_the_one_in_the_sdks_documentation() {
        let documentation = include_str!("../../../../guest-sdk/rust/src/lib.rs");
        let code: String = documentation.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
        let template =
            Language::Rust.project().find(|file| file.path == "src/lib.rs").unwrap().text.replace("@NAME@", "simple");
        let (driver, _tests) = template.split_once("#[cfg(test)]").unwrap();
        // Documentation has longer lines.
        let bare = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")").replace(",}", "}");
        let driver = bare(driver.split_once("\n\n").unwrap().1);
        assert!(bare(&code).contains(&driver), "guest-sdk/rust/src/lib.rs and template/src/lib.rs differ");
    }

    #[test]
    fn every_place_is_filled_in() {
        let folder = tempfile::tempdir().unwrap();
        for language in Language::value_variants() {
            let place = folder.path().join(format!("{language:?}"));
            let fill_in = |text: &str| text.replace("@NAME@", "n").replace("@CRATE@", "c").replace("@OPTIONS@", "");
            make(&place, language.project(), fill_in).unwrap();
            for file in language.project() {
                let text = std::fs::read_to_string(place.join(file.path)).unwrap();
                assert!(!["@NAME", "@CRATE", "@OPTIONS"].iter().any(|place| text.contains(place)));
            }
            let again = make(&place, language.project(), str::to_owned);
            assert!(again.unwrap_err().message.ends_with("is there already"));
        }
    }

    #[test]
    fn the_manifest_says_what_pack_understands() {
        let manifest =
            Language::Rust.project().find(|file| file.path == "pontoon.toml").unwrap().text.replace("@NAME@", "blue");
        let said = crate::driver::manifest::read("pontoon.toml", manifest.as_bytes()).unwrap();
        assert_eq!(said.asks.permissions.into_iter().map(|p| p.to_string()).collect::<Vec<_>>(), ["links"]);
        for permission in grant::HostCall::ALL.into_iter().filter_map(grant::Permission::of) {
            assert!(manifest.contains(&permission.to_string()), "{permission} is not named");
        }
    }
}
