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
        // The draft's own has no log: what a driver of the draft says of WASI is 0.1's.
        let is = package.name.namespace == "pontoon"
            && package.name.name == "driver"
            && package.interfaces.contains_key("log");
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

#[cfg(test)]
mod tests {
    use wit_parser::{LiftLowerAbi, ManglingAndAbi};

    use super::super::admit::admit;
    use super::*;

    /// A project's folder wit, for a driver of one part.
    fn wit() -> tempfile::TempDir {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = tempfile::tempdir().unwrap();
        let interface = folder.path().join("deps/pontoon-driver");
        std::fs::create_dir_all(&interface).unwrap();
        for file in ["capabilities", "driver", "kernel", "state", "types", "worlds"] {
            let name = format!("{file}.wit");
            std::fs::copy(repository.join("wit").join(&name), interface.join(&name)).unwrap();
        }
        std::fs::copy(repository.join("guest-sdk/template/world.wit"), folder.path().join("world.wit")).unwrap();
        folder
    }

    /// What a compiler makes for the world of a folder.
    fn module(wit: &Path) -> Vec<u8> {
        let (resolve, world) = read(wit).unwrap();
        wit_component::dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync))
    }

    #[test]
    fn a_module_becomes_a_driver() {
        let wit = wit();
        let module = module(wit.path());
        assert!(is_module(&module));
        let made = component(&module, wit.path()).unwrap();
        assert!(!is_module(&made));
        assert_eq!(admit(&made).unwrap().parts, ["driver"]);
        assert_eq!(component(&module, wit.path()).unwrap(), made);
    }

    #[test]
    fn what_a_runtime_asks_of_wasi_is_answered_inside() {
        let wit = wit();
        let text = r#"(module
            (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#;
        let mut module = wat::parse_str(text).unwrap();
        let bare = wit.path().join("bare");
        std::fs::create_dir(&bare).unwrap();
        std::fs::rename(wit.path().join("deps"), bare.join("deps")).unwrap();
        std::fs::write(
            bare.join("world.wit"),
            format!("package a:b;\nworld w {{ import pontoon:driver/log@{VERSION}; }}\n"),
        )
        .unwrap();
        let made = component(&module, &bare).unwrap();
        // It exports no driver, and imports nothing else.
        let refused = admit(&made).unwrap_err().message;
        assert!(refused.contains("export"), "{refused}");
        module = wat::parse_str(text.replace("random_get", "sock_accept")).unwrap();
        let refused = component(&module, &bare).unwrap_err().message;
        assert!(refused.contains("sock_accept"), "{refused}");
    }

    #[test]
    fn the_world_is_the_one_in_the_folder() {
        let wit = wit();
        let module = module(wit.path());
        // What the module says of itself does not count.
        let mut other = module.clone();
        let section = wasm_encoder::CustomSection { name: "component-type:other".into(), data: b"nonsense"[..].into() };
        wasm_encoder::Section::append_to(&section, &mut other);
        assert_eq!(component(&other, wit.path()).unwrap(), component(&module, wit.path()).unwrap());
        let world = wit.path().join("world.wit");
        let text = std::fs::read_to_string(&world).unwrap();
        std::fs::write(&world, text.replace("driver-part", "ipv6-releaser-part")).unwrap();
        assert!(component(&module, wit.path()).unwrap_err().message.contains("pontoon:driver/ipv6-releaser@"));
        std::fs::write(&world, "package local:driver;\nworld driver {}\nworld another {}\n").unwrap();
        assert!(component(&module, wit.path()).unwrap_err().message.contains("multiple worlds"));
        let gone = component(&module, &wit.path().join("gone")).unwrap_err().message;
        assert!(gone.contains("there is no folder") && gone.contains("--wit"), "{gone}");
    }

    #[test]
    fn a_damaged_module_is_refused() {
        let wit = wit();
        let module = module(wit.path());
        let step = module.len() / 200 + 1;
        for length in (0..module.len()).step_by(step) {
            let _ = component(&module[..length], wit.path());
        }
        for place in (8..module.len()).step_by(step) {
            let mut damaged = module.clone();
            damaged[place] ^= 0xff;
            let _ = component(&damaged, wit.path());
        }
        let cut = component(&module[..module.len() - 1], wit.path()).unwrap_err();
        assert!(cut.message.contains("damaged or cut off"), "{}", cut.message);
        assert!(component(b"hello", wit.path()).is_err());
    }
}
