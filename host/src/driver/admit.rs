//! What a component must be before it is compiled: whole, a component, importing only what the host offers, exporting a driver.

use std::collections::BTreeSet;

use semver::Version;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::{Types, TypesRef};
use wasmparser::{BinaryReaderError, Parser, Payload, Validator, WasmFeatures};

use super::manifest;
use ask::{HostCall, PACKAGE, PARTS, VERSION};
use operation::driver::Manifest;
use words::foreign::{MESSAGE_BYTES, printable};
use words::limit::COMPONENT;
use words::{Error, Result};

/// The interface package that this host offers to drivers, and its version, as a component says them.
pub fn interface() -> String {
    format!("{PACKAGE}@{VERSION}")
}

/// What an admitted component says of itself.
#[derive(Debug)]
pub struct Admitted {
    /// The parts of the interface that it exports, e.g. `driver`.
    pub parts: Vec<String>,
    /// Everything that it exports, as written.
    pub exports: Vec<String>,
    /// Everything that it imports, as written.
    pub imports: Vec<String>,
    /// The functions among these, e.g. `pontoon:driver/links@0.1.1#add`.
    pub functions: Vec<String>,
    /// Its manifest.
    pub manifest: Option<Manifest>,
}

/// Admits a component, or says in one line why not.
pub fn admit(bytes: &[u8]) -> Result<Admitted> {
    // The component's own names stand in the message, and they can be of any length.
    look(bytes).map_err(|e| Error { message: printable(&e.message, MESSAGE_BYTES), ..e })
}

fn look(bytes: &[u8]) -> Result<Admitted> {
    if bytes.len() > COMPONENT {
        return Err(Error::invalid(format!("the component has {} bytes: at most {COMPONENT}", bytes.len())));
    }
    check_header(bytes)?;
    let admitted = walk(bytes)?;
    check_imports(&admitted.imports)?;
    check_exports(&admitted)?;
    let types = validate(bytes)?;
    let functions = admitted.imports.iter().flat_map(|import| functions(types.as_ref(), import)).collect();
    Ok(Admitted { functions, ..admitted })
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
    let mut found =
        Admitted { parts: Vec::new(), exports: Vec::new(), imports: Vec::new(), functions: Vec::new(), manifest: None };
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
    let part = |(part, version): (&str, &str)| is_served(version).then(|| part.to_owned());
    found.parts = found.exports.iter().filter_map(|export| of_package(export)).filter_map(part).collect();
    Ok(found)
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
        if !is_served(version) {
            return Err(other_version(import));
        }
        if !offered.contains(interface) {
            return Err(Error::invalid(format!(
                "the component imports {import:?}, which {PACKAGE}@{VERSION} does not have"
            )));
        }
    }
    Ok(())
}

/// The driver, and no part that would read as absent: of another version only, or one that the host does not know.
fn check_exports(admitted: &Admitted) -> Result<()> {
    let has = |part: &str| admitted.parts.iter().any(|p| p == part);
    for export in &admitted.exports {
        match of_package(export) {
            Some((part, version)) if !is_served(version) && !has(part) => return Err(other_version(export)),
            Some((part, version)) if is_served(version) && !PARTS.contains(&part) => {
                return Err(Error::invalid(format!(
                    "the component exports {export:?}, which is no part of a driver in {PACKAGE}@{VERSION}"
                )));
            }
            _ => {}
        }
    }
    if has("driver") {
        return Ok(());
    }
    let exports = if admitted.exports.is_empty() { "nothing".to_owned() } else { admitted.exports.join(", ") };
    Err(Error::invalid(format!(
        "the component is no driver: it does not export {PACKAGE}/driver@{VERSION} (it exports {exports})"
    )))
}

fn other_version(name: &str) -> Error {
    Error::invalid(format!(
        "the component was built for {name:?} and this host offers {PACKAGE}@{VERSION}: build it again with that version"
    ))
}

/// The interface and the version of a name of the interface package.
fn of_package(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')
}

/// Whether this host serves a version: every release of the same track, which only adds (`wit/README.md`). As in semantic versioning, a track
/// is a major version, and below 1.0.0 a minor one. A later release than the host's may ask for a function that is not there yet: wasmtime
/// names it when the component is loaded.
fn is_served(version: &str) -> bool {
    let track = |text: &str| {
        let version = Version::parse(text).ok()?;
        Some((version.major, if version.major == 0 { version.minor } else { 0 }))
    };
    track(version).is_some_and(|theirs| track(VERSION) == Some(theirs))
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
        assert!(refusal(&EMPTY).contains("does not export pontoon:driver/driver@0.1.1 (it exports nothing)"));
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
}
