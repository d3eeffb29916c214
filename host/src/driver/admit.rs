//! What a component must be before it is compiled: whole, a component, importing only what the host offers, exporting a driver.

use std::collections::BTreeSet;

use semver::Version;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::{Types, TypesRef};
use wasmparser::{BinaryReaderError, Parser, Payload, Validator, WasmFeatures};

use super::manifest;
use ask::{DRAFT, DRAFT_IMPORTS, DRAFT_PARTS, HostCall, PACKAGE, PARTS, VERSION};
use operation::driver::Manifest;
use words::foreign::{MESSAGE_BYTES, printable};
use words::limit::COMPONENT;
use words::{Error, Result};

/// The interface package that this host offers to drivers, and its version, as a component says them.
pub fn interface() -> String {
    format!("{PACKAGE}@{VERSION}")
}

/// What an admitted component says of itself.
#[derive(Debug, Default)]
pub struct Admitted {
    /// The parts of the interface that it exports, e.g. `driver`.
    pub parts: Vec<String>,
    /// Everything that it exports, as written.
    pub exports: Vec<String>,
    /// Everything that it imports, as written.
    pub imports: Vec<String>,
    /// The functions among that, e.g. `pontoon:driver/links@0.1.1#add`; none: it was not validated again.
    pub functions: Option<Vec<String>>,
    /// Its manifest.
    pub manifest: Option<Manifest>,
}

impl Admitted {
    /// What its author and its operator should know of the text that it was built with; none where that was released.
    pub fn caution(&self) -> Option<String> {
        let is_draft = |name: &&String| of_package(name).is_some_and(|(_, version)| version == DRAFT);
        let name = self.exports.iter().chain(&self.imports).find(is_draft)?;
        Some(format!(
            "it was built for {name:?}, which is a draft: a later Pontoon may refuse it, so don't give it to others"
        ))
    }
}

/// Admits a component, or says in one line why not.
pub fn admit(bytes: &[u8]) -> Result<Admitted> {
    let admitted = look(bytes).map_err(printed)?;
    let functions = Some(imported_functions(bytes, &admitted.imports)?);
    Ok(Admitted { functions, ..admitted })
}

/// Admits one that was compiled here: it is valid, which takes the longest to see.
pub fn readmit(bytes: &[u8]) -> Result<Admitted> {
    look(bytes).map_err(printed)
}

/// The functions that an admitted component imports, e.g. `pontoon:driver/links@0.1.1#add`.
pub fn imported_functions(bytes: &[u8], imports: &[String]) -> Result<Vec<String>> {
    let types = validate(bytes).map_err(printed)?;
    Ok(imports.iter().flat_map(|import| functions(types.as_ref(), import)).collect())
}

/// The component's own names stand in the message, and they can be of any length.
fn printed(error: Error) -> Error {
    Error { message: printable(&error.message, MESSAGE_BYTES), ..error }
}

fn look(bytes: &[u8]) -> Result<Admitted> {
    if bytes.len() > COMPONENT {
        return Err(Error::invalid(format!("the component has {} bytes: at most {COMPONENT}", bytes.len())));
    }
    check_header(bytes)?;
    let admitted = walk(bytes)?;
    check_imports(&admitted.imports)?;
    check_exports(&admitted)?;
    Ok(admitted)
}

/// Whether it begins as a component does.
pub fn check_header(bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(b"\0asm") {
        return Err(Error::invalid("this is no WebAssembly: a driver is a component, a .wasm file"));
    }
    match bytes.get(4..8) {
        Some([_, _, 1, 0]) => Ok(()),
        Some([1, 0, 0, 0]) => Err(Error::invalid(
            "this is a core module and no component: build it for a target that makes components, or make it one with `pontoon driver build`",
        )),
        _ => Err(Error::invalid("the component is cut off, or of a format that is not known here")),
    }
}

/// Reads the outermost component's imports, exports and manifest.
fn walk(bytes: &[u8]) -> Result<Admitted> {
    let mut found = Admitted::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.imports.push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    found.exports.push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == manifest::SECTION => {
                add_manifest(&mut found, section.data())?;
            }
            _ => {}
        }
    }
    found.parts = parts(&found.exports);
    Ok(found)
}

/// The parts among what a component exports. A driver of 0.1 and of the draft has the part once.
fn parts(exports: &[String]) -> Vec<String> {
    let served =
        exports.iter().filter_map(|export| of_package(export)).filter(|(_, version)| served(version).is_some());
    served.fold(Vec::new(), |mut parts, (part, _)| {
        if !parts.iter().any(|p| p == part) {
            parts.push(part.to_owned());
        }
        parts
    })
}

/// What the parser can't read.
pub fn damaged(error: BinaryReaderError) -> Error {
    Error::invalid(format!("the component is damaged or cut off: {error}"))
}

fn add_manifest(found: &mut Admitted, data: &[u8]) -> Result<()> {
    match found.manifest.replace(manifest::read("the component's manifest", data)?) {
        None => Ok(()),
        Some(_) => Err(Error::invalid(format!("the component has more than one section {}", manifest::SECTION))),
    }
}

/// An import that the host does not offer is refused by name.
fn check_imports(imports: &[String]) -> Result<()> {
    let offered: BTreeSet<&str> =
        HostCall::ALL.iter().filter_map(|c| c.name().split('.').next()).chain(["types"]).collect();
    for import in imports {
        let Some((interface, version)) = of_package(import) else {
            let hint = if import.starts_with("wasi:") {
                ": drivers get no WASI, no files and no sockets; a project of `pontoon driver new --language …` is built without"
            } else {
                ""
            };
            return Err(Error::invalid(format!(
                "the component imports {import:?}, which this host does not offer{hint}"
            )));
        };
        let Some(text) = served(version) else { return Err(other_version(import)) };
        if !(if text == DRAFT { DRAFT_IMPORTS.contains(&interface) } else { offered.contains(interface) }) {
            return Err(Error::invalid(format!(
                "the component imports {import:?}, which {PACKAGE}@{text} does not have"
            )));
        }
    }
    Ok(())
}

/// The driver or its address management, and no part that would read as absent: of another version only, or one that the host does not know.
fn check_exports(admitted: &Admitted) -> Result<()> {
    let has = |part: &str| admitted.parts.iter().any(|p| p == part);
    for export in &admitted.exports {
        let Some((part, version)) = of_package(export) else { continue };
        match served(version) {
            None if !has(part) => return Err(other_version(export)),
            Some(text) if !(if text == DRAFT { &DRAFT_PARTS[..] } else { &PARTS[..] }).contains(&part) => {
                return Err(Error::invalid(format!(
                    "the component exports {export:?}, which is no part of a driver in {PACKAGE}@{text}"
                )));
            }
            _ => {}
        }
    }
    if has("driver") || has("ipam") {
        return Ok(());
    }
    let exports = if admitted.exports.is_empty() { "nothing".to_owned() } else { admitted.exports.join(", ") };
    Err(Error::invalid(format!(
        "the component is no driver: it does not export {PACKAGE}/driver@{VERSION}, nor {PACKAGE}/ipam@{VERSION} (it exports {exports})"
    )))
}

fn other_version(name: &str) -> Error {
    // Who has met a draft needs to know which one is here.
    let is_of_draft = of_package(name).is_some_and(|(_, version)| version.contains('-'));
    let draft = if is_of_draft { format!(" and the draft {PACKAGE}@{DRAFT}") } else { String::new() };
    Error::invalid(format!(
        "the component was built for {name:?} and this host offers {PACKAGE}@{VERSION}{draft}: build it again with that version"
    ))
}

/// The interface and the version of a name of the interface package.
fn of_package(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')
}

/// Which of this host's texts serves a version. That of the released ones serves every release of its track, which only adds (`wit/README.md`): as
/// in semantic versioning, a track is a major version, and below 1.0.0 a minor one. A later release than the host's may ask for a function
/// that is not there yet: wasmtime names it when the component is loaded. The draft serves itself and no other draft.
fn served(version: &str) -> Option<&'static str> {
    let track = |text: &str| {
        let version = Version::parse(text).ok()?;
        Some((version.major, if version.major == 0 { version.minor } else { 0 }))
    };
    match version {
        DRAFT => Some(DRAFT),
        _ => (track(version)? == track(VERSION)?).then_some(VERSION),
    }
}

/// The functions of an imported interface.
fn functions(types: TypesRef<'_>, interface: &str) -> Vec<String> {
    let import = types.component_item_for_import(interface);
    let Some(ComponentEntityType::Instance(instance)) = import.map(|import| import.ty) else { return Vec::new() };
    let exports = types[instance].exports.iter();
    let functions = exports.filter(|(_, export)| matches!(export.ty, ComponentEntityType::Func(_)));
    functions.map(|(name, _)| format!("{interface}#{name}")).collect()
}

fn validate(bytes: &[u8]) -> Result<Types> {
    let mut features = WasmFeatures::default();
    features.remove(WasmFeatures::MEMORY64 | WasmFeatures::RELAXED_SIMD | WasmFeatures::CM_ASYNC);
    Validator::new_with_features(features)
        .validate_all(bytes)
        .map_err(|e| Error::invalid(format!("the component is not valid: {}", e.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        admit(bytes).unwrap_err().message
    }

    const EMPTY: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    #[test]
    fn what_is_no_component_is_refused_in_one_line() {
        assert!(refusal(b"hello").contains("no WebAssembly"));
        assert!(refusal(b"").contains("no WebAssembly"));
        assert!(refusal(b"\0asm\x01\0\0\0").contains("core module"));
        assert!(refusal(b"\0asm\x0d").contains("cut off"));
        assert!(refusal(&EMPTY).contains(
            "does not export pontoon:driver/driver@0.1.1, nor pontoon:driver/ipam@0.1.1 (it exports nothing)"
        ));
        let mut cut = EMPTY.to_vec();
        cut.extend([11, 200]);
        assert!(refusal(&cut).contains("damaged or cut off"));
    }

    #[test]
    fn imports_are_refused_by_name() {
        let check = |name: &str| check_imports(&[name.to_owned()]).map_err(|e| e.message);
        assert!(check("pontoon:driver/links@0.1.1").is_ok());
        assert!(check("pontoon:driver/types@0.1.1").is_ok());
        assert!(check("pontoon:driver/links@0.1.0").is_ok() && check("pontoon:driver/links@0.1.7").is_ok());
        for other in ["0.2.0", "1.1.1", "0.1", "0.1.0-rc1x!", ""] {
            assert!(check(&format!("pontoon:driver/links@{other}")).unwrap_err().contains("was built for"), "{other}");
        }
        assert!(check("pontoon:driver/links@0.2.0").unwrap_err().contains("was built for"));
        assert!(check("pontoon:driver/files@0.1.1").unwrap_err().contains("does not have"));
        assert!(check("wasi:filesystem/types@0.2.0").unwrap_err().contains("no WASI"));
        assert!(check("anything").unwrap_err().contains("does not offer"));
    }

    #[test]
    fn the_draft_is_served_and_no_other_draft() {
        let import = |name: &str| check_imports(&[name.to_owned()]).map_err(|e| e.message);
        for own in DRAFT_IMPORTS {
            assert!(import(&format!("{PACKAGE}/{own}@{DRAFT}")).is_ok(), "{own}");
        }
        assert!(import("pontoon:driver/requests@0.1.1").unwrap_err().contains("0.1.1 does not have"));
        let same = import(&format!("pontoon:driver/links@{DRAFT}")).unwrap_err();
        assert!(
            same.ends_with(&format!("{PACKAGE}@{DRAFT} does not have")),
            "what did not change keeps its version: {same}"
        );
        for other in ["0.2.0-draft0", "0.2.0-rc.1", "0.3.0-draft"] {
            let said = import(&format!("pontoon:driver/routes@{other}")).unwrap_err();
            assert!(said.contains(&format!("the draft {PACKAGE}@{DRAFT}: build it again")), "{said}");
        }
        let released = import("pontoon:driver/network-allocator@0.2.0").unwrap_err();
        assert!(released.contains("this host offers pontoon:driver@0.1.1: build it again"), "{released}");
    }

    /// What a component exports, and which parts that is.
    fn exporting(exports: &[&str]) -> std::result::Result<Vec<String>, String> {
        let exports: Vec<String> = exports.iter().map(|name| format!("{PACKAGE}/{name}")).collect();
        let parts = parts(&exports);
        let admitted = Admitted { parts, exports, imports: Vec::new(), functions: None, manifest: None };
        check_exports(&admitted).map(|()| admitted.parts).map_err(|e| e.message)
    }

    #[test]
    fn parts_are_of_the_track_or_the_draft() {
        let draft = |part: &str| format!("{part}@{DRAFT}");
        let both = ["driver@0.1.0", &draft("driver"), "ipv6-releaser@0.1.1"];
        assert_eq!(exporting(&both).unwrap(), ["driver", "ipv6-releaser"]);
        assert_eq!(exporting(&[&draft("driver"), "table-watcher@0.1.1"]).unwrap(), ["driver", "table-watcher"]);
        assert!(exporting(&[&draft("driver"), &draft("table-watcher")]).unwrap_err().contains("no part of a driver"));
        assert!(exporting(&["driver@0.2.0"]).unwrap_err().contains("was built for"));
        assert!(exporting(&["driver@0.1.0", "requests@0.1.1"]).unwrap_err().contains("no part of a driver"));
    }
}
