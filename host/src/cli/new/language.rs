//! The languages that a driver can be begun in, and the files of each one's project.
//!
//! A language is a folder `guest-sdk/LANGUAGE`: the SDK, and in `template/` the project. A project carries what it is built from: in `wit/` the
//! interface, with the driver's own world beside it, and in `sdk/` the SDK, with bindings that were generated (`guest-sdk/bindings`).

use super::files::{
    C, GO, INTERFACE, JAVASCRIPT, MANIFEST, PYTHON, RUST, RUST_INTERFACE, RUST_MACVLAN, RUST_OVERLAY, RUST_ROUTED,
    Template,
};

use words::{Error, Result};

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust with its target wasm32-unknown-unknown
    Rust,
    /// Go 1.25 or newer
    Go,
    /// clang with wasi-libc
    C,
    /// Python 3.11 or newer: componentize-py
    Python,
    /// Node.js 18 or newer with npm: TypeScript and componentize-js
    Javascript,
}

/// A kind of drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A bridge for every network and a pair of links for every container
    Bridge,
    /// A link on an interface of the host for every container (in Rust)
    Macvlan,
    /// A link of its own between the host and every container, and a route to each (in Rust)
    Routed,
    /// A bridge on every host, vxlan between them, and a table that says where containers are (in Rust)
    Overlay,
    /// Chooses addresses: not a component's work yet
    #[value(hide = true)]
    Ipam,
}

impl Kind {
    /// What `driver test` needs for it.
    pub fn options(self) -> &'static str {
        match self {
            Self::Bridge | Self::Routed | Self::Ipam => "",
            Self::Macvlan => "--parent eth0 --set parent=eth0",
            Self::Overlay => "--set address=192.0.2.1",
        }
    }

    /// What it has in a language in the place of the bridge's files.
    pub fn own(self, language: Language) -> Result<&'static [Template]> {
        match (self, language) {
            (Self::Bridge, _) => Ok(&[]),
            (Self::Macvlan, Language::Rust) => Ok(RUST_MACVLAN),
            (Self::Routed, Language::Rust) => Ok(RUST_ROUTED),
            (Self::Overlay, Language::Rust) => Ok(RUST_OVERLAY),
            (Self::Ipam, _) => Err(Error::invalid(
                "IPAM drivers are not components yet: Pontoon takes addresses from its own pools, or Docker from its IPAM driver",
            )),
            (Self::Macvlan | Self::Routed | Self::Overlay, _) => Err(Error::invalid(format!(
                "there is no template {} in {}: rust has one, and bridge is there in every language",
                word(self),
                word(language)
            ))),
        }
    }
}

/// As the command line says it.
fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Language {
    /// The files that only this language's project has.
    pub fn own(self) -> &'static [Template] {
        match self {
            Self::Rust => RUST,
            Self::Go => GO,
            Self::C => C,
            Self::Python => PYTHON,
            Self::Javascript => JAVASCRIPT,
        }
    }

    /// All files of a project.
    pub fn project(self) -> impl Iterator<Item = &'static Template> {
        let interface = if self == Self::Rust { RUST_INTERFACE } else { INTERFACE };
        self.own().iter().chain(MANIFEST).chain(interface)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use clap::ValueEnum as _;

    use super::*;

    /// The texts of all files below a folder.
    fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts = entries.flat_map(|path| match path.is_dir() {
            true => texts(&path),
            false => vec![(path.clone(), std::fs::read_to_string(path).unwrap())],
        });
        texts.collect()
    }

    #[test]
    fn a_project_has_every_file_of_its_template_and_the_whole_interface() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for language in Language::value_variants() {
            let name = language.to_possible_value().unwrap();
            let mut wanted = texts(&repository.join("guest-sdk").join(name.get_name()).join("template"));
            wanted.extend(texts(&repository.join("guest-sdk/template")));
            if *language != Language::Rust {
                // What lies below are versions that were released.
                let interface = std::fs::read_dir(repository.join("wit")).unwrap().map(|entry| entry.unwrap().path());
                let texts = interface.filter(|path| path.extension().is_some_and(|extension| extension == "wit"));
                wanted.extend(texts.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())));
            }
            let has: BTreeSet<_> = language.project().map(|file| file.text).collect();
            for (path, text) in wanted {
                let is_other = *language == Language::Rust && path.ends_with("world.wit");
                assert!(is_other || has.contains(text.as_str()), "{language:?}: {} is missing", path.display());
            }
        }
    }

    #[test]
    fn a_project_has_the_whole_sdk() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
        let folders = [
            (Language::Rust, "rust/src"),
            (Language::Go, "go"),
            (Language::C, "c"),
            (Language::Python, "python/pontoon"),
            (Language::Javascript, "javascript"),
        ];
        let sources = ["rs", "go", "s", "c", "h", "py", "ts"];
        let is_source =
            |path: &Path| path.extension().is_some_and(|extension| sources.iter().any(|source| extension == *source));
        for (language, folder) in folders {
            let has: BTreeSet<_> = language.project().map(|file| file.text).collect();
            for (path, text) in texts(&sdk.join(folder)).into_iter().filter(|(path, _)| is_source(path)) {
                assert!(has.contains(text.as_str()), "{} is missing: add it to files.rs", path.display());
            }
        }
    }

    #[test]
    fn the_bindings_are_of_this_interface() {
        let file = |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap();
        let names = ["capabilities", "driver", "kernel", "state", "types", "worlds"];
        let interface: Vec<u8> = names.iter().flat_map(|name| file(&format!("wit/{name}.wit"))).collect();
        let said = String::from_utf8(file("guest-sdk/bindings.sha256")).unwrap();
        assert_eq!(said.trim(), words::file::digest(&interface), "the WIT changed: `make bindings`");
    }

    #[test]
    fn a_rust_project_builds_with_the_crates_of_this_repository() {
        let lock = |text: &str| -> BTreeSet<String> {
            let package = |entry: &str| entry.split("dependencies").next().map(|entry| entry.trim().to_owned());
            text.split("[[package]]").skip(1).filter_map(package).filter(|entry| entry.contains("checksum")).collect()
        };
        let file = Language::Rust.project().find(|file| file.path == "Cargo.lock").unwrap();
        let (has, ours) = (lock(file.text), lock(include_str!("../../../../Cargo.lock")));
        let other: Vec<_> = has.difference(&ours).collect();
        assert!(other.is_empty(), "guest-sdk/rust/template/Cargo.lock.in is not as Cargo.lock is: {other:?}");
    }

    #[test]
    fn a_projects_files_lie_apart() {
        for language in Language::value_variants() {
            let paths: BTreeSet<_> = language.project().map(|file| file.path).collect();
            assert_eq!(paths.len(), language.project().count(), "{language:?}");
        }
    }
}
