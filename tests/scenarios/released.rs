//! Released versions of the interface: their text never changes, and what was built against one goes on loading and passing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ask::PACKAGE;
use pontoon::driver::admit::admit;
use ruzstd::decoding::StreamingDecoder;
use wasm_encoder::{ComponentNameSection, ComponentSection, CustomSection};
use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{PackageId, Resolve};
use words::file::digest;

use crate::conformance::passes_as_a_bridge;

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The versions that were released.
pub(crate) fn versions() -> Vec<String> {
    let entries = fs::read_dir(repository().join("wit/released")).unwrap();
    let mut versions: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    versions.sort();
    assert!(!versions.is_empty());
    versions
}

/// The files of a folder with this extension, by name.
pub(crate) fn files(folder: &Path, extension: &str) -> BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|e| e == extension));
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

/// Whether a folder has the files that its list of digests says, and no others.
fn check_digests(folder: &Path, extension: &str) {
    let line = |(name, bytes): (&String, &Vec<u8>)| format!("{}  {name}\n", digest(bytes));
    let is: String = files(folder, extension).iter().map(line).collect();
    let said = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(is, said, "{} was released and must not change: take the change back", folder.display());
}

#[test]
fn what_was_released_does_not_change() {
    for version in versions() {
        check_digests(&repository().join("wit/released").join(&version), "wit");
        check_digests(&repository().join("tests/released").join(&version), "zst");
    }
}

#[test]
fn a_released_version_is_not_worked_on() {
    let working = files(&repository().join("wit"), "wit");
    let text = str::from_utf8(&working["types.wit"]).unwrap();
    let version = text.split_once(&format!("package {PACKAGE}@")).and_then(|(_, rest)| rest.split_once(';')).unwrap().0;
    let released = repository().join("wit/released").join(version);
    if released.exists() {
        let differ: Vec<_> =
            files(&released, "wit").into_iter().filter(|(name, text)| working.get(name) != Some(text)).collect();
        let names: Vec<_> = differ.iter().map(|(name, _)| name).collect();
        assert!(
            names.is_empty() && working.len() == files(&released, "wit").len(),
            "{version} is released, and wit/ says something else ({names:?}): raise the version first, as wit/README.md says"
        );
    }
}

/// The package in a folder of WIT.
pub(crate) fn parse(folder: &Path) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).unwrap();
    (resolve, package)
}

/// The package of the draft, beside the one that it is a draft for.
pub(crate) fn parse_draft() -> (Resolve, PackageId) {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(repository().join("wit")).unwrap();
    let (package, _) = resolve.push_dir(repository().join("wit/draft")).unwrap();
    (resolve, package)
}

/// A package as text, docs included.
fn print(resolve: &Resolve, package: PackageId) -> String {
    let mut printer = WitPrinter::default();
    printer.print(resolve, package, &[]).unwrap();
    printer.output.to_string()
}

/// A package as `wkg wit build` writes it: encoded as a component, with what wkg.toml says of it in sections of their own.
fn packed(resolve: &Resolve, package: PackageId) -> Vec<u8> {
    let mut bytes = wit_component::encode(resolve, package).unwrap();
    let name = &resolve.packages[package].name;
    let mut names = ComponentNameSection::new();
    names.component(&format!("{}:{}", name.namespace, name.name));
    names.append_to_component(&mut bytes);
    for (key, text) in metadata().into_iter().chain([("version".to_owned(), name.version.clone().unwrap().to_string())])
    {
        CustomSection { name: key.into(), data: Cow::Owned(text.into_bytes()) }.append_to_component(&mut bytes);
    }
    bytes
}

/// What wkg.toml says.
fn metadata() -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository().join("wkg.toml")).unwrap();
    let mut file: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&text).unwrap();
    file.remove("metadata").unwrap()
}

/// Also makes them: `make wit`.
#[test]
fn packages_say_what_the_released_texts_say() {
    let folder = repository().join("target/wit");
    fs::create_dir_all(&folder).unwrap();
    for version in versions() {
        let (resolve, package) = parse(&repository().join("wit/released").join(&version));
        let bytes = packed(&resolve, package);
        let Ok(DecodedWasm::WitPackage(decoded, its_package)) = wit_component::decode(&bytes) else {
            panic!("{version} is packed as something else")
        };
        assert_eq!(print(&decoded, its_package), print(&resolve, package));
        assert_eq!(decoded.packages[its_package].name.to_string(), format!("{PACKAGE}@{version}"));
        let file = folder.join(format!("{}-{version}.wasm", PACKAGE.replace(':', "-")));
        fs::write(file, bytes).unwrap();
    }
}

macro_rules! in_every_language {
    ($($language:ident),+ $(,)?) => {
        $(#[test]
        fn $language() { goes_on_passing(stringify!($language)); })+

        /// None is forgotten: each version has a driver of each.
        #[test]
        fn every_language_has_a_driver() {
            let languages: Vec<_> = ["rust"].iter().chain(pontoon_tests::LANGUAGES).copied().collect();
            assert_eq!([$(stringify!($language)),+].as_slice(), languages);
            let mut wanted: Vec<_> = languages.iter().map(|language| file(language)).collect();
            wanted.sort();
            for version in versions() {
                let has = files(&repository().join("tests/released").join(&version), "zst");
                assert_eq!(has.into_keys().collect::<Vec<_>>(), wanted, "{version}");
            }
        }
    };
}

in_every_language!(rust, go, c, python, javascript);

fn file(language: &str) -> String {
    format!("bridge-{language}.wasm.zst")
}

/// The bridge of a released version.
pub(crate) fn unpack(version: &str, language: &str, component: &Path) {
    let compressed = fs::File::open(repository().join("tests/released").join(version).join(file(language))).unwrap();
    std::io::copy(&mut StreamingDecoder::new(compressed).unwrap(), &mut fs::File::create(component).unwrap()).unwrap();
}

/// A driver that was built against a released version is admitted as one of that version, and passes the conformance suite.
fn goes_on_passing(language: &str) {
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("bridge.wasm");
        unpack(&version, language, &component);
        let admitted = admit(&fs::read(&component).unwrap()).unwrap();
        let is_of_version =
            |name: &&String| name.starts_with(&format!("{PACKAGE}/")) && name.ends_with(&format!("@{version}"));
        assert!(admitted.imports.iter().all(|import| is_of_version(&import)), "{:?}", admitted.imports);
        // Python's has an export beside them that means nothing.
        let exports = admitted.exports.iter().filter(is_of_version).count();
        assert!(exports == admitted.parts.len() && exports > 1, "{:?}", admitted.exports);
        passes_as_a_bridge(&component);
    }
}
