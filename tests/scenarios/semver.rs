//! What a change to `wit/` may do to drivers that are built: wit/README.md has the rules, and this judges by them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ask::PACKAGE;
use wit_component::WitPrinter;
use wit_parser::{PackageId, Resolve, WorldItem};

use crate::released::{files, parse, repository, versions};

/// An interface as its items: each type as a whole, each function, each method.
type Items = BTreeSet<String>;

struct Package {
    version: String,
    interfaces: BTreeMap<String, Items>,
    /// Interfaces that drivers export.
    exported: BTreeSet<String>,
}

impl Package {
    fn read(folder: &Path) -> Self {
        let (resolve, package) = parse(folder);
        let exports = resolve.worlds.iter().flat_map(|(_, world)| world.exports.values());
        let name = |item: &WorldItem| match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.clone(),
            _ => None,
        };
        Self {
            version: resolve.packages[package].name.version.clone().unwrap().to_string(),
            interfaces: interfaces(&resolve, package),
            exported: exports.filter_map(name).collect(),
        }
    }

    /// `0.1` of 0.1.7: what a driver can count on.
    fn track(&self) -> &str {
        self.version.rsplit_once('.').unwrap().0
    }
}

fn interfaces(resolve: &Resolve, package: PackageId) -> BTreeMap<String, Items> {
    let mut printer = WitPrinter::default();
    printer.emit_docs(false).print(resolve, package, &[]).unwrap();
    let text = printer.output.to_string();
    let blocks = text.split("\ninterface ").skip(1);
    blocks.map(|block| block.split_once(" {").unwrap()).map(|(name, rest)| (name.to_owned(), items(rest))).collect()
}

/// The items of an interface's text, two columns in; a resource's methods, four columns in, are items of their own.
fn items(block: &str) -> Items {
    let mut items = Items::new();
    let (mut open, mut resource) = (String::new(), None);
    for line in block.lines().take_while(|line| *line != "}").filter(|line| !line.trim().is_empty()) {
        if line.starts_with("  use ") || line.trim().starts_with("@since(") {
            continue;
        }
        if let Some(name) = line.strip_prefix("  resource ") {
            resource = Some(name.trim_end_matches([' ', '{', ';']).to_owned()).filter(|_| line.ends_with('{'));
            items.insert(format!("resource {}", name.trim_end_matches([' ', '{', ';'])));
        } else if line == "  }" && resource.is_some() {
            resource = None;
        } else if let Some(resource) = &resource {
            items.insert(format!("{resource}.{}", line.trim()));
        } else {
            open += line.trim();
            if line == "  }" || (line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(';')) {
                items.insert(std::mem::take(&mut open));
            }
        }
    }
    items
}

/// What of `later` breaks a driver that was built against `earlier`.
fn breaks(earlier: &Package, later: &Package) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, items) in &earlier.interfaces {
        let Some(now) = later.interfaces.get(name) else {
            broken.push(format!("{name} is gone"));
            continue;
        };
        broken.extend(items.difference(now).map(|item| format!("{name} has no more: {item}")));
        let exported = earlier.exported.contains(name);
        let added = now.difference(items).filter(|item| exported && item.contains(": func("));
        broken.extend(added.map(|item| format!("drivers export {name}, and were built without {item}")));
    }
    broken
}

#[test]
fn a_change_of_the_interface_only_adds() {
    let now = Package::read(&repository().join("wit"));
    let earlier = versions().into_iter().map(|version| Package::read(&repository().join("wit/released").join(version)));
    let mut compared = 0;
    for earlier in earlier.filter(|earlier| earlier.track() == now.track()) {
        let broken = breaks(&earlier, &now);
        let (from, to) = (&earlier.version, &now.version);
        assert!(broken.is_empty(), "{to} does not load what was built against {from}: {broken:#?}");
        compared += 1;
    }
    assert!(compared > 0 && !now.exported.is_empty() && now.interfaces["links"].len() > 20, "{PACKAGE}");
}

/// The working text with one change.
fn changed(file: &str, from: &str, to: &str) -> Package {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(&repository().join("wit"), "wit") {
        let mut text = String::from_utf8(text).unwrap();
        if name == file {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replace(from, to);
        }
        fs::write(folder.path().join(name), text).unwrap();
    }
    Package::read(folder.path())
}

#[test]
fn what_drivers_stand_on_is_told_from_what_is_new() {
    let now = Package::read(&repository().join("wit"));
    for (file, from, to, broken) in [
        ("kernel.wit", "interface links {", "interface links {\n  count: func() -> u32;", 0),
        ("kernel.wit", "interface links {", "interface links {\n  record colour { red: u8 }", 0),
        ("kernel.wit", "interface links {", "interface queues {\n  count: func() -> u32;\n}\n\ninterface links {", 0),
        ("kernel.wit", "  resource link {", "  resource link {\n    colour: func() -> u8;", 0),
        ("kernel.wit", "  record link-info {", "  record link-info {\n    colour: option<u8>,", 1),
        ("kernel.wit", "  variant link-name {", "  variant link-name {\n    none,", 1),
        ("state.wit", "  now: func() -> u64;", "  today: func() -> u64;", 1),
        ("state.wit", "  bytes: func(count: u32)", "  bytes: func(count: u64)", 1),
        ("driver.wit", "interface driver {", "interface driver {\n  colour: func() -> u8;", 1),
        ("driver.wit", "interface driver {", "interface driver {\n  record colour { red: u8 }", 0),
    ] {
        let broke = breaks(&now, &changed(file, from, to));
        assert_eq!(broke.len(), broken, "{to}: {broke:?}");
    }
}
