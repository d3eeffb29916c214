//! What crosses the line as plain values: a type for each of `wit/`, `Ask`, `Answer`, a trait `Host` for each interface, `Arguments`, `Returned`.

use std::fmt::Write as _;

use wit_parser::{InterfaceId, Resolve, Type, TypeDefKind, TypeId};

use crate::wit::{Call, Result, anonymous, camel, docs, list, path, rust, snake, values};

const DERIVES: &str = "#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]";

/// What the package is called, and what of it a driver can export.
pub fn package_facts(name: &wit_parser::PackageName, exported: &[Call]) -> Result<String> {
    let version = name.version.as_ref().ok_or("a package without a version")?;
    let mut parts: Vec<_> = exported.iter().map(|call| call.interface.as_str()).collect();
    parts.dedup();
    Ok(format!(
        "/// The interface's package.\npub const PACKAGE: &str = \"{}:{}\";\n/// Its version.\npub const VERSION: &str = \"{version}\";\n\
         /// The interfaces that a driver can export.\npub const PARTS: [&str; {}] = {parts:?};\n",
        name.namespace,
        name.name,
        parts.len()
    ))
}

/// The same of the draft: what of its own a driver can import and export.
pub fn draft_facts(name: &wit_parser::PackageName, imports: &[String], exports: &[String]) -> Result<String> {
    let version = name.version.as_ref().ok_or("a draft without a version")?;
    let (imported, exported) = (imports.len(), exports.len());
    Ok(format!(
        "/// The version of the draft of the next track.\npub const DRAFT: &str = \"{version}\";\n\
         /// The interfaces of the draft's own that a driver can import.\npub const DRAFT_IMPORTS: [&str; {imported}] = {imports:?};\n\
         /// Those that a driver can export.\npub const DRAFT_PARTS: [&str; {exported}] = {exports:?};\n"
    ))
}

pub fn asks(calls: &[Call], source: &mut String) -> Result<()> {
    writeln!(
        source,
        "/// Every function that a driver can import.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum HostCall {{"
    )?;
    calls.iter().try_for_each(|call| writeln!(source, "/// `{}`\n{},", call.full_name(), call.asked()))?;
    writeln!(source, "}}\nimpl HostCall {{\n/// All of them.\npub const ALL: [Self; {}] = [", calls.len())?;
    calls.iter().try_for_each(|call| writeln!(source, "Self::{},", call.asked()))?;
    writeln!(
        source,
        "];\n/// As people read it, e.g. `links.add`.\npub fn name(self) -> &'static str {{ match self {{"
    )?;
    calls.iter().try_for_each(|call| writeln!(source, "Self::{} => {:?},", call.asked(), call.full_name()))?;
    writeln!(
        source,
        "}}}}}}\n/// Everything that a driver can ask.\n{DERIVES}\n#[serde(deny_unknown_fields)]\npub enum Ask {{"
    )?;
    for call in calls {
        let rename = format!("#[serde(rename = {:?}, rename_all = \"kebab-case\")]", call.full_name());
        writeln!(
            source,
            "{}#[allow(missing_docs, clippy::allow_attributes, reason = \"the WIT's\")]\n{rename}\n{} {{ {} }},",
            call.docs,
            call.asked(),
            call.fields()
        )?;
    }
    writeln!(source, "}}\n/// Everything that a driver can be answered.\n{DERIVES}\npub enum Answer {{")?;
    for call in calls {
        writeln!(
            source,
            "/// Of [`Ask::{0}`].\n#[serde(rename = {1:?})]\n{0}({2}),",
            call.asked(),
            call.full_name(),
            call.answer.0
        )?;
    }
    writeln!(source, "}}")?;
    for (of, rest) in [("Ask", "{ .. }"), ("Answer", "(..)")] {
        writeln!(source, "impl {of} {{\n/// Which function's it is.\npub fn call(&self) -> HostCall {{ match self {{")?;
        calls.iter().try_for_each(|call| writeln!(source, "Self::{0} {rest} => HostCall::{0},", call.asked()))?;
        writeln!(source, "}}}}}}")?;
    }
    let mut hosts: Vec<_> = calls.iter().map(|call| format!("{}::Host", snake(&call.interface))).collect();
    hosts.dedup();
    writeln!(
        source,
        "/// Leads an ask to its method.\npub fn dispatch(host: &mut (impl {}), ask: Ask) -> Result<Answer, Refusal> {{ match ask {{",
        hosts.join(" + ")
    )?;
    for call in calls {
        let (asked, names, method, interface) = (call.asked(), call.names(), call.method(), snake(&call.interface));
        let arguments =
            list(["host".to_owned()].into_iter().chain(call.arguments.iter().map(|(name, ..)| name.clone())));
        writeln!(
            source,
            "Ask::{asked} {{ {names} }} => {interface}::Host::{method}({arguments}).map(Answer::{asked}),"
        )?;
    }
    Ok(writeln!(source, "}}}}")?)
}

pub fn calls(calls: &[Call], source: &mut String) -> Result<()> {
    let variant = |call: &Call| camel(&call.name);
    writeln!(
        source,
        "/// Everything that a driver can be called with. Handles are not among it: each function gets those of its own call.\n{DERIVES}\n#[serde(rename_all = \"kebab-case\", deny_unknown_fields)]\npub enum Arguments {{"
    )?;
    for call in calls {
        let fields = values(call).map(|(name, ty, _)| format!("{name}: {ty}"));
        let attributes = "#[allow(missing_docs, clippy::allow_attributes, reason = \"the WIT's\")]\n#[serde(rename_all = \"kebab-case\")]";
        match call.arguments.is_empty() {
            true => writeln!(source, "{}{},", call.docs, variant(call))?,
            false => writeln!(source, "{}{attributes}\n{} {{ {} }},", call.docs, variant(call), list(fields))?,
        }
    }
    writeln!(
        source,
        "}}\n/// Everything that a driver can return.\n{DERIVES}\n#[serde(rename_all = \"kebab-case\")]\npub enum Returned {{"
    )?;
    calls
        .iter()
        .try_for_each(|call| writeln!(source, "/// Of [`Arguments::{0}`].\n{0}({1}),", variant(call), call.answer.0))?;
    writeln!(source, "}}")?;
    for (of, rest) in [("Arguments", "{ .. }"), ("Returned", "(..)")] {
        writeln!(source, "impl {of} {{")?;
        for (method, doc) in
            [("part", "The exported interface, e.g. `driver`."), ("function", "The function, e.g. `create-network`.")]
        {
            writeln!(source, "/// {doc}\npub fn {method}(&self) -> &'static str {{ match self {{")?;
            for call in calls {
                let said = if method == "part" { &call.interface } else { &call.name };
                writeln!(source, "Self::{} {rest} => {said:?},", variant(call))?;
            }
            writeln!(source, "}}}}")?;
        }
        writeln!(source, "}}")?;
    }
    Ok(())
}

/// The types of an interface, as a module; and what answers its functions.
pub fn types(resolve: &Resolve, id: InterfaceId, imported: &[Call], source: &mut String) -> Result<()> {
    let interface = &resolve.interfaces[id];
    let name = interface.name.as_deref().ok_or("an interface without a name")?;
    writeln!(
        source,
        "/// The types of `{name}`.\npub mod {} {{\n#[allow(unused_imports, clippy::allow_attributes, reason = \"generated\")]\nuse super::*;",
        snake(name)
    )?;
    for (name, id) in &interface.types {
        one_type(resolve, name, *id, source)?;
    }
    let calls: Vec<_> = imported.iter().filter(|call| call.interface == name).collect();
    if !calls.is_empty() {
        writeln!(source, "/// Something that answers the functions of `{name}`.\npub trait Host {{")?;
        for call in calls {
            let (method, fields) = (call.method(), call.fields());
            writeln!(source, "{}fn {method}(&mut self, {fields}) -> Result<{}, Refusal>;", call.docs, call.answer.0)?;
        }
        writeln!(source, "}}")?;
    }
    Ok(writeln!(source, "}}")?)
}

fn one_type(resolve: &Resolve, name: &str, id: TypeId, source: &mut String) -> Result<()> {
    let (camel_name, definition) = (camel(name), &resolve.types[id]);
    let docs = match docs(&definition.docs) {
        docs if docs.is_empty() => format!("#[doc = \"`{name}`\"]\n"),
        docs => docs,
    };
    let copy = if is_copy(resolve, &definition.kind) { "#[derive(Copy)]\n" } else { "" };
    let derives = format!(
        "{DERIVES}\n{copy}#[serde(rename_all = \"kebab-case\")]\n#[allow(missing_docs, clippy::allow_attributes, reason = \"the WIT's\")]"
    );
    match &definition.kind {
        TypeDefKind::Type(Type::Id(other)) if resolve.types[*other].name.is_some() => {
            writeln!(source, "#[doc(no_inline)]\npub use {};", path(resolve, *other)?)?;
        }
        TypeDefKind::Record(record) => {
            writeln!(source, "{docs}{derives}\n#[serde(deny_unknown_fields)]\npub struct {camel_name} {{")?;
            for field in &record.fields {
                writeln!(
                    source,
                    "{}pub {}: {},",
                    self::docs(&field.docs),
                    snake(&field.name),
                    rust(resolve, &field.ty)?
                )?;
            }
            writeln!(source, "}}")?;
        }
        TypeDefKind::Flags(flags) => {
            writeln!(source, "{docs}{derives}\n#[serde(deny_unknown_fields)]\npub struct {camel_name} {{")?;
            flags.flags.iter().try_for_each(|flag| writeln!(source, "pub {}: bool,", snake(&flag.name)))?;
            writeln!(source, "}}")?;
        }
        TypeDefKind::Variant(variant) => {
            writeln!(source, "{docs}{derives}\npub enum {camel_name} {{")?;
            for case in &variant.cases {
                let held =
                    case.ty.as_ref().map(|ty| Ok::<_, Box<dyn std::error::Error>>(format!("({})", rust(resolve, ty)?)));
                let held = held.transpose()?.unwrap_or_default();
                writeln!(source, "{}{}{held},", self::docs(&case.docs), camel(&case.name))?;
            }
            writeln!(source, "}}")?;
        }
        TypeDefKind::Enum(cases) => {
            writeln!(source, "{docs}{derives}\n#[derive(Eq)]\npub enum {camel_name} {{")?;
            cases
                .cases
                .iter()
                .try_for_each(|case| writeln!(source, "{}{},", self::docs(&case.docs), camel(&case.name)))?;
            let names: Vec<_> = cases.cases.iter().map(|case| &case.name).collect();
            let (doc, count) = ("/// The cases' names in `wit/`, in their order.", names.len());
            writeln!(source, "}}\nimpl {camel_name} {{\n{doc}\npub const NAMES: [&str; {count}] = {names:?};\n}}")?;
        }
        TypeDefKind::Resource => {
            let derives = "#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]\n#[serde(transparent)]";
            writeln!(
                source,
                "#[doc = \"A handle of a `{name}`: its number on the host's side.\"]\n{derives}\npub struct {camel_name}(pub u32);"
            )?;
        }
        kind => writeln!(source, "{docs}pub type {camel_name} = {};", anonymous(resolve, kind)?)?,
    }
    Ok(())
}

/// Whether it is a value of a fixed size, which is copied and not moved.
fn is_copy(resolve: &Resolve, kind: &TypeDefKind) -> bool {
    let copies = |ty: &Type| match ty {
        Type::String => false,
        Type::Id(id) => is_copy(resolve, &resolve.types[*id].kind),
        _ => true,
    };
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().all(|field| copies(&field.ty)),
        TypeDefKind::Variant(variant) => variant.cases.iter().all(|case| case.ty.as_ref().is_none_or(copies)),
        TypeDefKind::Tuple(tuple) => tuple.types.iter().all(copies),
        TypeDefKind::Option(item) | TypeDefKind::Type(item) => copies(item),
        TypeDefKind::List(_) => false,
        _ => true,
    }
}
