//! Functions and types of `wit/`, by their names in Rust.

use wit_parser::{Docs, Function, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldItem};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A function of an interface, as Rust.
pub struct Call {
    pub interface: String,
    /// Without a resource's brackets, e.g. `link.set`.
    pub name: String,
    pub docs: String,
    /// Names, types here, and wasmtime's types.
    pub arguments: Vec<(String, String, String)>,
    /// What it answers, where it succeeds: the type here, and wasmtime's.
    pub answer: (String, String),
    /// Its type has an error.
    pub can_fail: bool,
}

impl Call {
    /// E.g. `links.link.set`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.interface, self.name)
    }

    /// Its case of `Ask`.
    pub fn asked(&self) -> String {
        camel(&self.full_name())
    }

    /// Its method of its interface's `Host`.
    pub fn method(&self) -> String {
        snake(&self.name)
    }

    pub fn names(&self) -> String {
        list(self.arguments.iter().map(|(name, ..)| name.clone()))
    }

    pub fn fields(&self) -> String {
        list(self.arguments.iter().map(|(name, ty, _)| format!("{name}: {ty}")))
    }
}

pub fn functions(resolve: &Resolve, interfaces: &[InterfaceId]) -> Result<Vec<Call>> {
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

pub fn call(resolve: &Resolve, interface: &str, function: &Function) -> Result<Call> {
    let argument = |name: &str, ty: &Type| {
        let name = snake(if name == "self" { "this" } else { name });
        Ok((name, rust(resolve, ty)?, wasmtimes(resolve, ty)?))
    };
    let arguments = function.params.iter().map(|param| argument(&param.name, &param.ty)).collect::<Result<_>>()?;
    let fails = function.result.as_ref().and_then(|ty| ok_of(resolve, ty));
    let answer = match fails.unwrap_or(function.result) {
        None => ("()".to_owned(), "()".to_owned()),
        Some(ty) => (rust(resolve, &ty)?, wasmtimes(resolve, &ty)?),
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
        can_fail: fails.is_some(),
    })
}

/// What a function that can fail answers when it does not.
pub fn ok_of(resolve: &Resolve, ty: &Type) -> Option<Option<Type>> {
    let Type::Id(id) = ty else { return None };
    match &resolve.types[*id].kind {
        TypeDefKind::Result(result) => Some(result.ok),
        _ => None,
    }
}

pub fn rust(resolve: &Resolve, ty: &Type) -> Result<String> {
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
pub fn real(resolve: &Resolve, id: TypeId) -> TypeId {
    match &resolve.types[id].kind {
        TypeDefKind::Type(Type::Id(other)) if resolve.types[*other].name.is_some() => real(resolve, *other),
        _ => id,
    }
}

pub fn path(resolve: &Resolve, id: TypeId) -> Result<String> {
    let definition = &resolve.types[id];
    let TypeOwner::Interface(owner) = definition.owner else { return Err("a type of no interface".into()) };
    let interface = resolve.interfaces[owner].name.as_deref().ok_or("an interface without a name")?;
    Ok(format!("{}::{}", snake(interface), camel(definition.name.as_deref().ok_or("a type without a name")?)))
}

pub fn anonymous(resolve: &Resolve, kind: &TypeDefKind) -> Result<String> {
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

pub fn docs(docs: &Docs) -> String {
    let lines = docs.contents.as_deref().unwrap_or_default().lines();
    lines.map(|line| format!("#[doc = {:?}]\n", format!(" {line}"))).collect()
}

pub fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// `links.link.set` as `LinksLinkSet`.
pub fn camel(name: &str) -> String {
    let word = |w: &str| w[..1].to_uppercase() + &w[1..];
    name.split(['.', '-']).map(word).collect()
}

/// `links.link.set` as `links_link_set`.
pub fn snake(name: &str) -> String {
    name.replace(['.', '-'], "_")
}

/// What a call is told. Handles are not among it: each function gets those of its own call, and nobody says which.
pub fn values(call: &Call) -> impl Iterator<Item = &(String, String, String)> {
    call.arguments.iter().filter(|(_, ty, _)| !is_handle(ty))
}

/// A handle of a call's own.
pub fn is_handle(ty: &str) -> bool {
    ty.starts_with("capabilities::")
}

/// A type as wasmtime's bindings have it.
pub fn wasmtimes(resolve: &Resolve, ty: &Type) -> Result<String> {
    let Type::Id(id) = ty else { return rust(resolve, ty) };
    let definition = &resolve.types[*id];
    if definition.name.is_some() {
        return bound(resolve, real(resolve, *id));
    }
    Ok(match &definition.kind {
        TypeDefKind::List(item) => format!("Vec<{}>", wasmtimes(resolve, item)?),
        TypeDefKind::Option(item) => format!("Option<{}>", wasmtimes(resolve, item)?),
        TypeDefKind::Tuple(tuple) => {
            let items = tuple.types.iter().map(|ty| wasmtimes(resolve, ty)).collect::<Result<Vec<_>>>()?;
            format!("({})", list(items))
        }
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
            format!("Resource<{}>", bound(resolve, real(resolve, *id))?)
        }
        other => return Err(format!("no type of wasmtime's for {other:?}: add it to build.rs").into()),
    })
}

/// Where wasmtime's bindings have a type: those of exported interfaces are apart.
pub fn bound(resolve: &Resolve, id: TypeId) -> Result<String> {
    let TypeOwner::Interface(owner) = resolve.types[id].owner else { return Err("a type of no interface".into()) };
    let is_exported = resolve.worlds.iter().any(|(_, world)| {
        let mut exports = world.exports.values();
        exports.any(|item| matches!(item, WorldItem::Interface { id, .. } if *id == owner))
    });
    Ok(format!("{}::{}", if is_exported { "exports" } else { "imports" }, path(resolve, id)?))
}
