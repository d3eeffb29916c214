//! What ARCHITECTURE.md says, held to the code: which module of this crate may use which, and the functions on the path of a call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the ground up: each uses only those that are named beside it, which stand above it.
const ARROWS: &[(&str, &[&str])] = &[
    ("client", &[]),
    ("config", &[]),
    ("cluster", &["config"]),
    ("confine", &["config"]),
    ("launcher", &["confine"]),
    ("place", &["cluster", "launcher"]),
    ("reaper", &[]),
    ("firewall", &[]),
    ("transaction", &["firewall", "reaper"]),
    ("capability", &["firewall", "transaction"]),
    ("answers", &[]),
    ("driver", &["capability", "confine", "launcher", "place", "transaction"]),
    ("distribution", &["driver"]),
    ("controller", &["answers", "capability", "cluster", "driver", "firewall", "place", "reaper", "transaction"]),
    ("frontend::http", &[]),
    ("frontend::docker", &["client", "controller", "frontend::http"]),
    ("doctor", &["client", "config", "confine", "controller", "firewall", "launcher"]),
    ("frontend::admin", &["config", "controller", "doctor", "frontend::docker", "frontend::http"]),
    ("conformance", &["answers", "controller", "place", "transaction"]),
    (
        "serve",
        &[
            "cluster",
            "config",
            "confine",
            "controller",
            "driver",
            "frontend::admin",
            "frontend::docker",
            "frontend::http",
            "launcher",
            "place",
        ],
    ),
    (
        "cli",
        &[
            "answers",
            "config",
            "client",
            "confine",
            "conformance",
            "distribution",
            "doctor",
            "driver",
            "launcher",
            "serve",
        ],
    ),
];

/// A name's unit in the list: front ends are several.
fn unit(path: &str) -> String {
    let mut parts = path.split("::");
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("frontend", Some(part)) => format!("frontend::{part}"),
        (first, _) => first.into(),
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        match entry.is_dir() {
            true if name != "tests" => files(&entry, found),
            false if name.ends_with(".rs") && name != "tests.rs" && name != "fuzzing.rs" => found.push(entry),
            _ => {}
        }
    }
}

#[test]
fn modules_use_only_what_stands_above_them_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut wrong, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    files(&root, &mut found);
    for file in found {
        let path = file.strip_prefix(&root).unwrap().with_extension("").to_string_lossy().replace('/', "::");
        let from = unit(path.trim_end_matches("::mod"));
        let Some((_, allowed)) = ARROWS.iter().find(|(unit, _)| *unit == from) else { continue };
        let source = std::fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in source.lines().enumerate() {
            // `crate::a::b`, or `crate::{a, b::c}` on one line.
            let after = line.split("crate::").skip(1);
            let names = after.flat_map(|named| match named.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap().split(", ").collect(),
                None => vec![named],
            });
            for named in names {
                let end = named.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(named.len());
                let to = unit(&named[..end]);
                let is_known = ARROWS.iter().any(|(unit, _)| *unit == to);
                if is_known && to != from && !allowed.contains(&to.as_str()) {
                    wrong.push(format!("{}:{}: {from} uses {to}", file.display(), number + 1));
                }
                used.insert((from.clone(), to));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that are not in the list:\n{}", wrong.join("\n"));
    for (index, (from, allowed)) in ARROWS.iter().enumerate() {
        for to in *allowed {
            let above = ARROWS[..index].iter().any(|(unit, _)| unit == to);
            assert!(above, "{to} does not stand above {from}");
            assert!(used.contains(&((*from).to_owned(), unit(to))), "{from} does not use {to} any more");
        }
    }
}

/// How many lines a function has, from its head to its closing brace: `name`, or `Type::name` in a block of the type's.
fn length(source: &str, function: &str) -> Option<usize> {
    let lines: Vec<&str> = source.lines().collect();
    let (of, name) = function.rsplit_once("::").unwrap_or(("", function));
    let heads = [format!("fn {name}("), format!("fn {name}<")];
    let mut block = "";
    let first = lines.iter().position(|line| {
        block = if line.starts_with("impl") { line } else { block };
        block.contains(of) && heads.iter().any(|head| line.contains(head))
    })?;
    let indent = lines[first].len() - lines[first].trim_start().len();
    let end = format!("{}}}", " ".repeat(indent));
    lines[first..].iter().position(|line| *line == end).map(|more| more + 1)
}

#[test]
fn the_path_of_a_call_is_as_it_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split("` | `");
        let (function, file) = (cells.next()?, cells.next()?.split('`').next()?);
        file.ends_with(".rs").then_some((function, file))
    });
    let rows: Vec<_> = rows.collect();
    for (function, file) in &rows {
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let lines = length(&source, function).unwrap_or_else(|| panic!("{file} has no function {function}"));
        assert!(lines <= 60, "{function} in {file} has {lines} lines");
    }
    let files: BTreeSet<_> = rows.iter().map(|(_, file)| file).collect();
    assert!(
        rows.len() > 30 && rows.len() <= 62 && files.len() <= 32,
        "{} functions in {} files",
        rows.len(),
        files.len()
    );
}
