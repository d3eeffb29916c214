//! Reads `wit/` and writes what crosses the line between driver and host as Rust: types, `Ask`, `Answer`, a trait `Host` for each interface,
//! `Arguments`, `Returned`; and, as a macro for the engine, the same between wasmtime's values and these.

use std::path::Path;

use wit_parser::{InterfaceId, Resolve, WorldItem};

mod bindings;
mod values;
mod wit;

use bindings::{conversions, exported_functions, imported_functions};
use values::{asks, calls, draft_facts, package_facts, types};
use wit::{Result, functions};

fn main() -> Result<()> {
    // Asked for at run time: a target folder can be moved, and then this program must not read where it was built.
    let wit = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit)?;
    let world = &resolve.worlds[resolve.select_world(&[package], Some("complete"))?];
    let interfaces = |items: &mut dyn Iterator<Item = &WorldItem>| -> Vec<InterfaceId> {
        items.filter_map(|item| if let WorldItem::Interface { id, .. } = item { Some(*id) } else { None }).collect()
    };
    let imports = interfaces(&mut world.imports.values());
    let exports = interfaces(&mut world.exports.values());
    let (imported, exported) = (functions(&resolve, &imports)?, functions(&resolve, &exports)?);
    let name = &resolve.packages[package].name;
    let mut source = package_facts(name, &exported)? + &draft(&wit)?;
    for (_, id) in &resolve.packages[package].interfaces {
        types(&resolve, *id, &imported, &mut source)?;
    }
    asks(&imported, &mut source)?;
    calls(&exported, &mut source)?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("asks.rs"), source)?;
    let mut engine = "#[doc(hidden)]\n#[macro_export]\nmacro_rules! bindings { () => {\n".to_owned();
    for (_, id) in &resolve.packages[package].interfaces {
        conversions(&resolve, *id, &mut engine)?;
    }
    imported_functions(&resolve, &imports, &imported, &mut engine)?;
    exported_functions(&exported, &mut engine)?;
    engine += "} }\n";
    Ok(std::fs::write(Path::new(&out).join("bindings.rs"), engine)?)
}

/// What the draft is called, and which interfaces are its own. What its functions are, the engine converts.
fn draft(wit: &Path) -> Result<String> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(wit)?;
    let (package, _) = resolve.push_dir(wit.join("draft"))?;
    let world = &resolve.worlds[resolve.select_world(&[package], Some("driver-part"))?];
    let own = |items: &mut dyn Iterator<Item = &WorldItem>| -> Vec<String> {
        let interfaces = items.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
            _ => None,
        });
        interfaces.filter(|i| i.package == Some(package)).filter_map(|i| i.name.clone()).collect()
    };
    let (imports, exports) = (own(&mut world.imports.values()), own(&mut world.exports.values()));
    draft_facts(&resolve.packages[package].name, &imports, &exports)
}
