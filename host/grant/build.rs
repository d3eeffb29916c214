//! Reads `wit/` into one enumeration of host calls, so that an import without a declared permission does not compile, and the names of
//! kernel settings, which grants say.

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Asked for at run time: a target folder can be moved, and then this program must not read where it was built.
    let wit = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    let source = host_calls(&wit)?;
    Ok(std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("host_call.rs"), source)?)
}

/// The enumeration `HostCall`: a variant for every function of every interface that the world `imports` imports.
fn host_calls(wit: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some("imports"))?;
    let mut calls = Vec::new();
    for item in resolve.worlds[world].imports.values() {
        let wit_parser::WorldItem::Interface { id, .. } = item else { continue };
        let interface = &resolve.interfaces[*id];
        let name = interface.name.as_deref().ok_or("an interface without a name")?;
        for function in interface.functions.keys() {
            let function = function.rsplit(']').next().unwrap_or(function);
            calls.push(format!("{name}.{function}"));
        }
    }
    let mut source = String::from(
        "/// Every function that a driver can import.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum HostCall {\n",
    );
    for call in &calls {
        writeln!(source, "    /// `{call}`\n    {},", camel(call))?;
    }
    writeln!(source, "}}\n\nimpl HostCall {{\n    /// All of them.\n    pub const ALL: [Self; {}] = [", calls.len())?;
    for call in &calls {
        writeln!(source, "        Self::{},", camel(call))?;
    }
    source.push_str("    ];\n\n    /// As people read it, e.g. `links.add`.\n    pub fn name(self) -> &'static str {\n        match self {\n");
    for call in &calls {
        writeln!(source, "            Self::{} => {call:?},", camel(call))?;
    }
    source.push_str("        }\n    }\n}\n");
    for (name, constant) in [("link-sysctl", "LINK_SYSCTLS"), ("namespace-sysctl", "NAMESPACE_SYSCTLS")] {
        let cases = cases(&resolve, package, name)?;
        let count = cases.len();
        writeln!(
            source,
            "\n/// The cases of `{name}`, in their order.\npub const {constant}: [&str; {count}] = {cases:?};"
        )?;
    }
    Ok(source)
}

/// The cases of an enumeration of `sysctls`.
fn cases<'a>(
    resolve: &'a wit_parser::Resolve,
    package: wit_parser::PackageId,
    name: &str,
) -> Result<Vec<&'a str>, Box<dyn std::error::Error>> {
    let interface = resolve.packages[package].interfaces.get("sysctls").ok_or("no interface sysctls")?;
    let id = resolve.interfaces[*interface].types.get(name).ok_or("no such enumeration")?;
    match &resolve.types[*id].kind {
        wit_parser::TypeDefKind::Enum(found) => Ok(found.cases.iter().map(|case| case.name.as_str()).collect()),
        _ => Err(format!("{name} is no enumeration").into()),
    }
}

/// `links.link.set` as `LinksLinkSet`.
fn camel(name: &str) -> String {
    let word = |w: &str| w[..1].to_uppercase() + &w[1..];
    name.split(['.', '-']).map(word).collect()
}
