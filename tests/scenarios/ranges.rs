//! The ranges of the interface's numbers, for the SDK in Python: its language has one type for all of them, and its bindings end a call without
//! a word where one is out of range. `PONTOON_GOLDEN=write` writes them down as `wit/` says now.

use std::collections::BTreeMap;

use wit_parser::{FunctionKind, Resolve, Type, TypeDefKind};

use crate::author::repository;
use crate::released::parse;

/// The bits of a type's numbers, negative where there is a sign. What has a name of its own in Python has them in its own fields.
fn bits(resolve: &Resolve, ty: &Type) -> Option<i32> {
    match ty {
        Type::U8 => Some(8),
        Type::U16 => Some(16),
        Type::U32 => Some(32),
        Type::U64 => Some(64),
        Type::S8 => Some(-8),
        Type::S16 => Some(-16),
        Type::S32 => Some(-32),
        Type::S64 => Some(-64),
        Type::Id(id) => match &resolve.types[*id].kind {
            // Bytes.
            TypeDefKind::List(Type::U8) => None,
            TypeDefKind::Type(ty) | TypeDefKind::Option(ty) | TypeDefKind::List(ty) => bits(resolve, ty),
            TypeDefKind::Tuple(tuple) => {
                let all: Vec<_> = tuple.types.iter().filter_map(|ty| bits(resolve, ty)).collect();
                assert!(all.windows(2).all(|two| two[0] == two[1]), "numbers of several kinds in one tuple");
                all.first().copied()
            }
            _ => None,
        },
        _ => None,
    }
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn camel(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Every field, case and parameter with numbers, as Python's bindings call it.
fn numbers(resolve: &Resolve) -> BTreeMap<String, i32> {
    let mut found = BTreeMap::new();
    let mut put = |place: String, ty: &Type| found.extend(bits(resolve, ty).map(|bits| (place, bits)));
    for (_, interface) in resolve.interfaces.iter() {
        let module = snake(interface.name.as_deref().unwrap());
        for (name, id) in &interface.types {
            let class = format!("{module}.{}", camel(name));
            match &resolve.types[*id].kind {
                TypeDefKind::Record(record) => {
                    record.fields.iter().for_each(|field| put(format!("{class}.{}", snake(&field.name)), &field.ty));
                }
                TypeDefKind::Variant(variant) => {
                    for case in &variant.cases {
                        if let Some(ty) = &case.ty {
                            put(format!("{class}_{}.value", camel(&case.name)), ty);
                        }
                    }
                }
                _ => {}
            }
        }
        for function in interface.functions.values() {
            let of = match function.kind {
                FunctionKind::Method(id) => camel(resolve.types[id].name.as_deref().unwrap()) + ".",
                _ => String::new(),
            };
            let name = format!("{module}.{of}{}", snake(function.item_name()));
            function.params.iter().for_each(|param| put(format!("{name}.{}", snake(&param.name)), &param.ty));
        }
    }
    found
}

#[test]
fn python_knows_the_range_of_every_number() {
    let found = numbers(&parse(&repository().join("wit")).0);
    assert!(found.len() > 40 && found["links.VlanOptions.id"] == 16, "{found:#?}");
    let lines: String = found.iter().map(|(place, bits)| format!("    \"{place}\": {bits},\n")).collect();
    let text = format!(
        "\"\"\"The numbers of the interface: the bits of each, negative where it has a sign. Made from `wit/` by a test, tests/scenarios/ranges.rs.\"\"\"\n\n\
         BITS = {{\n{lines}}}\n"
    );
    let file = repository().join("guest-sdk/python/pontoon/ranges.py");
    if std::env::var_os("PONTOON_GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), text, "PONTOON_GOLDEN=write writes it");
}
