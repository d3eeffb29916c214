//! Components out of WIT that differs from the host's. Every function in them traps.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// The WIT of this repository.
fn contract() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// A component of the world `test`, which `worlds` defines inside the contract's package. `edits` are made to every file of the
/// contract, each in one place at least; `others` are further packages.
pub fn component(worlds: &str, edits: &[(&str, &str)], others: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut missing: Vec<_> = edits.to_vec();
    let mut write = |name: &str, mut text: String| {
        for (from, to) in edits {
            missing.retain(|edit| edit.0 != *from || !text.contains(from));
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let files = std::fs::read_dir(contract()).unwrap().map(|e| e.unwrap());
    for entry in files.filter(|e| e.path().extension().is_some_and(|extension| extension == "wit")) {
        write(entry.file_name().to_str().unwrap(), std::fs::read_to_string(entry.path()).unwrap());
    }
    write("test.wit", format!("package pontoon:driver@0.1.1;\n{worlds}"));
    assert!(missing.is_empty(), "the contract does not say {missing:?} any more");
    std::fs::create_dir(folder.path().join("deps")).unwrap();
    for (number, other) in others.iter().enumerate() {
        std::fs::write(folder.path().join(format!("deps/{number}.wit")), other).unwrap();
    }
    encode(folder.path())
}

/// A component that exports a driver as the contract says, in which every call traps.
pub fn trapping() -> Vec<u8> {
    component("world test { include driver-part; }", &[], &[])
}

/// A driver of the draft, in whose text `from` is replaced.
pub fn of_draft(from: &str, to: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (part, files) in [("track", contract()), ("draft", contract().join("draft"))] {
        let deps = folder.path().join("deps").join(part);
        std::fs::create_dir_all(&deps).unwrap();
        for (name, text) in crate::released::files(&files, "wit") {
            let text = String::from_utf8(text).unwrap();
            assert!(part == "track" || text.contains(from), "the draft does not say {from:?} any more");
            std::fs::write(deps.join(name), if part == "draft" { text.replace(from, to) } else { text }).unwrap();
        }
    }
    let version = if from == ask::DRAFT { to } else { ask::DRAFT };
    let world = format!("package local:test;\nworld test {{ include pontoon:driver/driver-part@{version}; }}");
    std::fs::write(folder.path().join("test.wit"), world).unwrap();
    encode(folder.path())
}

fn encode(folder: &Path) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let (package, _) = resolve.push_dir(folder).unwrap();
    let world = resolve.select_world(&[package], Some("test")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}
