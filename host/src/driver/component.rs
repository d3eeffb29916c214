//! Makes a component of the core module that a compiler built: it gets the types of its world, and answers to what a language's runtime still
//! asks of WASI.

use std::path::Path;

use wasmparser::{Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve, WorldId};

use super::pack::without_custom;
use ask::VERSION;
use words::limit::COMPONENT;
use words::{Error, Result};

/// The module that answers what the runtimes of Go and C ask of WASI, as text. It imports the interface's version [`VERSION`].
const WASI: &str = include_str!("../../../guest-sdk/wasi/wasi.wat");

/// Its name, as a module imports it.
const WASI_NAME: &str = "wasi_snapshot_preview1";

/// Where a module says its world. Pontoon takes it from the WIT, which its author reads.
const TYPES: &str = "component-type";

/// Whether these are a core module, and not a component or something else.
pub fn is_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x01\0\0\0")
}

/// The component of a core module, for the one world of the package in a folder. The same module and WIT make the same bytes.
pub fn component(module: &[u8], wit: &Path) -> Result<Vec<u8>> {
    if module.len() > COMPONENT {
        return Err(Error::invalid(format!("the module has {} bytes: at most {COMPONENT}", module.len())));
    }
    // What follows takes for granted that the module is sound.
    let features = WasmFeatures::default() - WasmFeatures::COMPONENT_MODEL;
    Validator::new_with_features(features)
        .validate_all(module)
        .map_err(|e| Error::invalid(format!("the module is damaged or cut off: {e}")))?;
    let (resolve, world) = read(wit)?;
    let mut module = without_custom(module, |name| name.starts_with(TYPES))
        .map_err(|e| Error::invalid(format!("the module is damaged or cut off: {e}")))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(refused)?;
    let wasi = wasi(&resolve)?;
    let mut encoder = ComponentEncoder::default().module(&module).map_err(refused)?;
    encoder = encoder.adapter(WASI_NAME, &wasi).map_err(refused)?;
    encoder.validate(true).encode().map_err(refused)
}

/// The WIT in a folder, and the world that the package has.
fn read(wit: &Path) -> Result<(Resolve, WorldId)> {
    let place = wit.display();
    if !wit.is_dir() {
        return Err(Error::not_found(format!(
            "there is no folder {place} with the driver's world: `pontoon driver new` makes one, --wit names another"
        )));
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(|e| Error::invalid(format!("can't read {place}: {e:#}")))?;
    let world = resolve.select_world(&[package], None).map_err(|e| Error::invalid(format!("{place}: {e:#}")))?;
    Ok((resolve, world))
}

/// The answers to WASI, of the version of the interface that the driver is built with.
fn wasi(resolve: &Resolve) -> Result<Vec<u8>> {
    let (interface, version) = interface(resolve)?;
    let text = WASI.replace(&format!("@{VERSION}"), &format!("@{version}"));
    let mut module = wat::parse_str(text).map_err(|e| Error::internal(format!("guest-sdk/wasi/wasi.wat: {e}")))?;
    let imports = resolve.select_world(&[interface], Some("imports")).map_err(refused)?;
    embed_component_metadata(&mut module, resolve, imports, StringEncoding::UTF8).map_err(refused)?;
    Ok(module)
}

/// The package `pontoon:driver` of a project, and its version.
fn interface(resolve: &Resolve) -> Result<(PackageId, String)> {
    let mut packages = resolve.packages.iter();
    let found = packages.find_map(|(id, package)| {
        let is = package.name.namespace == "pontoon" && package.name.name == "driver";
        Some((id, package.name.version.as_ref().filter(|_| is)?.to_string()))
    });
    found.ok_or_else(|| {
        Error::invalid("the driver's world is not made of pontoon:driver: its folder deps has no such package")
    })
}

/// A module that does not do what its world says, in the words of the library.
fn refused(error: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{error:#}"))
}
