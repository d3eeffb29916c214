//! Reads `wit/` and writes what crosses the line between driver and host as Rust: types, [`Ask`], `Answer`, `Host`, `Arguments`, `Returned`.

use std::fmt::Write as _;
use std::path::Path;

use wit_parser::{Docs, Function, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldItem};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

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
    let mut source = String::new();
    for (_, id) in &resolve.packages[package].interfaces {
        types(&resolve, *id, &mut source)?;
    }
    asks(&functions(&resolve, &imports)?, &mut source)?;
    calls(&functions(&resolve, &exports)?, &mut source)?;
    Ok(std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("asks.rs"), source)?)
}

/// A function of an interface, as Rust.
struct Call {
    interface: String,
    /// Without a resource's brackets, e.g. `link.set`.
    name: String,
    docs: String,
    /// Names and types; handles that are a call's own are left out of exported functions.
    arguments: Vec<(String, String)>,
    answer: String,
}

fn functions(resolve: &Resolve, interfaces: &[InterfaceId]) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for id in interfaces {
        let interface = &resolve.interfaces[*id];
        let name = interface.name.clone().ok_or("an interface without a name")?;
        for function in interface.functions.values() {
            calls.push(call(resolve, &name, function)?);
        }
    }
    Ok(calls)
}

fn call(resolve: &Resolve, interface: &str, function: &Function) -> Result<Call> {
    let argument = |name: &str, ty: &Type| Ok((snake(if name == "self" { "this" } else { name }), rust(resolve, ty)?));
    let arguments = function.params.iter().map(|param| argument(&param.name, &param.ty)).collect::<Result<_>>()?;
    let answer = match &function.result {
        None => "()".to_owned(),
        Some(ty) => match ok_of(resolve, ty) {
            Some(None) => "()".to_owned(),
            Some(Some(ok)) => rust(resolve, &ok)?,
            None => rust(resolve, ty)?,
        },
    };
    Ok(Call {
        interface: interface.to_owned(),
        name: function.name.rsplit(']').next().unwrap_or_default().to_owned(),
        docs: match docs(&function.docs) {
            docs if docs.is_empty() => format!("#[doc = {:?}]\n", format!("`{}` of `{interface}`.", function.name)),
            docs => docs,
        },
        arguments,
        answer,
    })
}

/// What a function that can fail answers when it does not.
fn ok_of(resolve: &Resolve, ty: &Type) -> Option<Option<Type>> {
    let Type::Id(id) = ty else { return None };
    match &resolve.types[*id].kind {
        TypeDefKind::Result(result) => Some(result.ok),
        _ => None,
    }
}

const DERIVES: &str = "#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]";

fn asks(calls: &[Call], source: &mut String) -> Result<()> {
    let name = |call: &Call| format!("{}.{}", call.interface, call.name);
    let variant = |call: &Call| camel(&name(call));
    let fields = |call: &Call| list(call.arguments.iter().map(|(name, ty)| format!("{name}: {ty}")));
    let names = |call: &Call| list(call.arguments.iter().map(|(name, _)| name.clone()));
    writeln!(
        source,
        "/// Every function that a driver can import.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum HostCall {{"
    )?;
    calls.iter().try_for_each(|call| writeln!(source, "/// `{}`\n{},", name(call), variant(call)))?;
    writeln!(source, "}}\nimpl HostCall {{\n/// All of them.\npub const ALL: [Self; {}] = [", calls.len())?;
    calls.iter().try_for_each(|call| writeln!(source, "Self::{},", variant(call)))?;
    writeln!(
        source,
        "];\n/// As people read it, e.g. `links.add`.\npub fn name(self) -> &'static str {{ match self {{"
    )?;
    calls.iter().try_for_each(|call| writeln!(source, "Self::{} => {:?},", variant(call), name(call)))?;
    writeln!(
        source,
        "}}}}}}\n/// Everything that a driver can ask.\n{DERIVES}\n#[serde(deny_unknown_fields)]\npub enum Ask {{"
    )?;
    for call in calls {
        let rename = format!("#[serde(rename = {:?}, rename_all = \"kebab-case\")]", name(call));
        writeln!(
            source,
            "{}#[allow(missing_docs, clippy::allow_attributes, reason = \"the WIT's\")]\n{rename}\n{} {{ {} }},",
            call.docs,
            variant(call),
            fields(call)
        )?;
    }
    writeln!(source, "}}\n/// Everything that a driver can be answered.\n{DERIVES}\npub enum Answer {{")?;
    for call in calls {
        writeln!(
            source,
            "/// Of [`Ask::{0}`].\n#[serde(rename = {1:?})]\n{0}({2}),",
            variant(call),
            name(call),
            call.answer
        )?;
    }
    writeln!(source, "}}")?;
    for (of, rest) in [("Ask", "{ .. }"), ("Answer", "(..)")] {
        writeln!(source, "impl {of} {{\n/// Which function's it is.\npub fn call(&self) -> HostCall {{ match self {{")?;
        calls.iter().try_for_each(|call| writeln!(source, "Self::{0} {rest} => HostCall::{0},", variant(call)))?;
        writeln!(source, "}}}}}}")?;
    }
    writeln!(source, "/// Something that answers each function.\npub trait Host {{")?;
    for call in calls {
        let method = snake(&name(call));
        writeln!(source, "{}fn {method}(&mut self, {}) -> Result<{}, Refusal>;", call.docs, fields(call), call.answer)?;
    }
    writeln!(
        source,
        "}}\n/// Leads an ask to its method.\npub fn dispatch(host: &mut impl Host, ask: Ask) -> Result<Answer, Refusal> {{ match ask {{"
    )?;
    for call in calls {
        let (variant, names, method) = (variant(call), names(call), snake(&name(call)));
        writeln!(source, "Ask::{variant} {{ {names} }} => host.{method}({names}).map(Answer::{variant}),")?;
    }
    Ok(writeln!(source, "}}}}")?)
}

fn calls(calls: &[Call], source: &mut String) -> Result<()> {
    let variant = |call: &Call| camel(&call.name);
    // The handles of a call are its own: it gets them, and nobody says which.
    let is_value = |ty: &String| !ty.starts_with("capabilities::");
    writeln!(
        source,
        "/// Everything that a driver can be called with. Handles are not among it: each function gets those of its own call.\n{DERIVES}\n#[serde(rename_all = \"kebab-case\", deny_unknown_fields)]\npub enum Arguments {{"
    )?;
    for call in calls {
        let fields = call.arguments.iter().filter(|(_, ty)| is_value(ty)).map(|(name, ty)| format!("{name}: {ty}"));
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
        .try_for_each(|call| writeln!(source, "/// Of [`Arguments::{0}`].\n{0}({1}),", variant(call), call.answer))?;
    writeln!(source, "}}\nimpl Arguments {{")?;
    for (method, doc) in
        [("part", "The exported interface, e.g. `driver`."), ("function", "The function, e.g. `create-network`.")]
    {
        writeln!(source, "/// {doc}\npub fn {method}(&self) -> &'static str {{ match self {{")?;
        for call in calls {
            let said = if method == "part" { &call.interface } else { &call.name };
            writeln!(source, "Self::{} {{ .. }} => {said:?},", variant(call))?;
        }
        writeln!(source, "}}}}")?;
    }
    Ok(writeln!(source, "}}")?)
}

/// The types of an interface, as a module.
fn types(resolve: &Resolve, id: InterfaceId, source: &mut String) -> Result<()> {
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
    Ok(writeln!(source, "}}")?)
}

fn one_type(resolve: &Resolve, name: &str, id: TypeId, source: &mut String) -> Result<()> {
    let (camel_name, definition) = (camel(name), &resolve.types[id]);
    let docs = match docs(&definition.docs) {
        docs if docs.is_empty() => format!("#[doc = \"`{name}`\"]\n"),
        docs => docs,
    };
    let derives = format!(
        "{DERIVES}\n#[serde(rename_all = \"kebab-case\")]\n#[allow(missing_docs, clippy::allow_attributes, reason = \"the WIT's\")]"
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
            writeln!(source, "{docs}{derives}\n#[derive(Copy, Eq)]\npub enum {camel_name} {{")?;
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

fn path(resolve: &Resolve, id: TypeId) -> Result<String> {
    let definition = &resolve.types[id];
    let TypeOwner::Interface(owner) = definition.owner else { return Err("a type of no interface".into()) };
    let interface = resolve.interfaces[owner].name.as_deref().ok_or("an interface without a name")?;
    Ok(format!("{}::{}", snake(interface), camel(definition.name.as_deref().ok_or("a type without a name")?)))
}

fn rust(resolve: &Resolve, ty: &Type) -> Result<String> {
    Ok(match ty {
        Type::Bool => "bool".into(),
        Type::U8 => "u8".into(),
        Type::U16 => "u16".into(),
        Type::U32 => "u32".into(),
        Type::U64 => "u64".into(),
        Type::S32 => "i32".into(),
        Type::S64 => "i64".into(),
        Type::String => "String".into(),
        Type::Id(id) if resolve.types[*id].name.is_some() => path(resolve, real(resolve, *id))?,
        Type::Id(id) => anonymous(resolve, &resolve.types[*id].kind)?,
        other => return Err(format!("no Rust for {other:?}: add it to build.rs").into()),
    })
}

/// Where a type that is used from another interface is defined.
fn real(resolve: &Resolve, id: TypeId) -> TypeId {
    match &resolve.types[id].kind {
        TypeDefKind::Type(Type::Id(other)) if resolve.types[*other].name.is_some() => real(resolve, *other),
        _ => id,
    }
}

fn anonymous(resolve: &Resolve, kind: &TypeDefKind) -> Result<String> {
    Ok(match kind {
        TypeDefKind::List(Type::U8) => "Bytes".into(),
        TypeDefKind::List(item) => format!("Vec<{}>", rust(resolve, item)?),
        TypeDefKind::Option(item) => format!("Option<{}>", rust(resolve, item)?),
        TypeDefKind::Tuple(tuple) => {
            let items = tuple.types.iter().map(|ty| rust(resolve, ty)).collect::<Result<Vec<_>>>()?;
            format!("({})", list(items))
        }
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => path(resolve, real(resolve, *id))?,
        TypeDefKind::Type(ty) => rust(resolve, ty)?,
        other => return Err(format!("no Rust for {other:?}: add it to build.rs").into()),
    })
}

fn docs(docs: &Docs) -> String {
    let lines = docs.contents.as_deref().unwrap_or_default().lines();
    lines.map(|line| format!("#[doc = {:?}]\n", format!(" {line}"))).collect()
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// `links.link.set` as `LinksLinkSet`.
fn camel(name: &str) -> String {
    let word = |w: &str| w[..1].to_uppercase() + &w[1..];
    name.split(['.', '-']).map(word).collect()
}

/// `links.link.set` as `links_link_set`.
fn snake(name: &str) -> String {
    name.replace(['.', '-'], "_")
}
