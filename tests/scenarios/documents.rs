//! What `wit/` says beside its types: the errors of each function, since when each item is there, and the tables of `wit/driverapi.md`.

use std::collections::BTreeSet;

use wit_parser::{Function, Resolve, Stability, Type, TypeDefKind, TypeOwner};

use crate::claims::has_test;
use crate::released::{parse, parse_draft, repository, versions};

/// The cases of `error-kind`.
const KINDS: [&str; 7] =
    ["invalid-argument", "not-found", "already-exists", "forbidden", "not-implemented", "unavailable", "internal"];

/// Every function of every interface: its name as a table has it, and the function.
fn functions(resolve: &Resolve) -> Vec<(String, &Function)> {
    let all = resolve.interfaces.iter().flat_map(|(_, interface)| {
        let of = interface.name.clone().unwrap();
        interface.functions.iter().map(move |(name, function)| {
            // `[method]link.info` is a method of a resource.
            let name = name.rsplit(']').next().unwrap();
            (format!("{of}.{name}"), function)
        })
    });
    all.collect()
}

fn can_fail(resolve: &Resolve, function: &Function) -> bool {
    match function.result {
        Some(Type::Id(id)) => matches!(resolve.types[id].kind, TypeDefKind::Result(_)),
        _ => false,
    }
}

/// A line of a list that says which errors there are, or that there are none in particular.
fn says_errors(line: &str) -> bool {
    let Some(text) = line.trim().strip_prefix("- ") else { return false };
    let kinds = text.split(": ").next().unwrap().split(", ");
    let names_kinds = kinds.clone().all(|kind| KINDS.contains(&kind.trim_matches('`')) && kind.starts_with('`'));
    names_kinds || text.starts_with("Any error: ") || text.starts_with("None to be expected")
}

#[test]
fn every_function_that_can_fail_says_its_errors() {
    // The draft's among them.
    let (resolve, _) = parse_draft();
    let fallible: Vec<_> = functions(&resolve).into_iter().filter(|(_, f)| can_fail(&resolve, f)).collect();
    assert!(fallible.len() > 80, "{}", fallible.len());
    let silent = |function: &Function| !function.docs.contents.as_deref().unwrap_or_default().lines().any(says_errors);
    let silent: Vec<_> = fallible.iter().filter(|(_, function)| silent(function)).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "these say nothing of their errors: {silent:#?}");
    assert!(!says_errors("- `forbiden`: a slip") && !says_errors("- forbidden: x") && !says_errors("`forbidden`: x"));
    assert!(says_errors("- `forbidden`, `not-found`: as with `take`."));
}

/// What the released texts have, by name: the version that had it first.
fn first_released() -> Vec<(String, BTreeSet<String>)> {
    let all = versions().into_iter().map(|version| {
        let (resolve, _) = parse(&repository().join("wit/released").join(&version));
        let names = items(&resolve).into_iter().map(|(name, _)| name).collect();
        (version, names)
    });
    all.collect()
}

/// Interfaces, types and functions, each with its stability.
fn items(resolve: &Resolve) -> Vec<(String, Stability)> {
    let mut all: Vec<_> = functions(resolve).into_iter().map(|(name, f)| (name, f.stability.clone())).collect();
    for (id, interface) in resolve.interfaces.iter() {
        let of = interface.name.clone().unwrap();
        all.push((of.clone(), interface.stability.clone()));
        for (name, id_of_type) in &interface.types {
            let ty = &resolve.types[*id_of_type];
            // What is used from another interface has its gate there.
            let is_used = matches!(ty.kind, TypeDefKind::Type(Type::Id(_))) || ty.owner != TypeOwner::Interface(id);
            if !is_used {
                all.push((format!("{of}.{name}"), ty.stability.clone()));
            }
        }
    }
    all.extend(resolve.worlds.iter().map(|(_, world)| (format!("world {}", world.name), world.stability.clone())));
    all
}

#[test]
fn every_item_says_since_when_it_is_there() {
    let (resolve, package) = parse(&repository().join("wit"));
    let now = resolve.packages[package].name.version.clone().unwrap().to_string();
    let released = first_released();
    let wrong: Vec<_> = items(&resolve)
        .into_iter()
        .filter_map(|(name, stability)| {
            let first = released.iter().find(|(_, names)| names.contains(&name)).map_or(&now, |(version, _)| version);
            match stability {
                Stability::Stable { since, .. } if since.to_string() == *first => None,
                other => Some(format!("{name}: @since(version = {first}) is right, not {other:?}")),
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Nothing of the draft is there for who did not ask for it, and it does not repeat what did not change.
#[test]
fn the_draft_is_behind_its_feature() {
    let (resolve, package) = parse_draft();
    let draft = &resolve.packages[package];
    let interfaces =
        draft.interfaces.values().map(|id| (&resolve.interfaces[*id].name, &resolve.interfaces[*id].stability));
    for (name, stability) in interfaces {
        assert!(
            matches!(stability, Stability::Unstable { feature, .. } if feature == "draft"),
            "{name:?}: {stability:?}"
        );
    }
    assert!(
        draft.interfaces.len() > 2 && draft.name.version.as_ref().unwrap().pre.starts_with("draft"),
        "{}",
        draft.name
    );
    let mut without = wit_parser::Resolve::default();
    without.push_dir(repository().join("wit")).unwrap();
    let (package, _) = without.push_dir(repository().join("wit/draft")).unwrap();
    let left = &without.packages[package];
    assert!(left.interfaces.is_empty() && left.worlds.is_empty(), "{left:?}");
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_function_and_shared_type_has_a_row_with_tests() {
    let page = std::fs::read_to_string(repository().join("wit/driverapi.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let (resolve, _) = parse(&repository().join("wit"));
    let mut wanted: BTreeSet<String> = functions(&resolve).into_iter().map(|(name, _)| name).collect();
    let types = resolve.interfaces.iter().find(|(_, interface)| interface.name.as_deref() == Some("types")).unwrap().1;
    wanted.extend(types.types.keys().map(|name| format!("types.{name}")));
    let has_row =
        |name: &String| rows.iter().any(|row| row.iter().take(2).any(|cell| quoted(cell).contains(&name.as_str())));
    let without: Vec<_> = wanted.iter().filter(|name| !has_row(name)).collect();
    assert!(without.is_empty() && wanted.len() > 100, "no row of wit/driverapi.md is about {without:#?}");
    for row in &rows {
        let tests = quoted(row.last().unwrap());
        assert!(!tests.is_empty(), "a row without a test: {row:?}");
        tests.into_iter().for_each(exists);
        let named = quoted(row[0]).into_iter().chain(quoted(row[1])).filter(|name| name.contains('.'));
        for name in named {
            assert!(wanted.contains(name), "wit/ has no {name}: {row:?}");
        }
    }
}

fn exists(test: &str) {
    let (file, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{test} is no FILE::TEST"));
    let folder = if file.starts_with("host/") { repository() } else { repository().join("tests/scenarios") };
    let source = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap_or_else(|e| panic!("{test}: {e}"));
    assert!(has_test(&source, name), "there is no test {test}");
}
