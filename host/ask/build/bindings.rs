//! For the engine, as a macro: the same between wasmtime's values and these.

use std::fmt::Write as _;

use wit_parser::{InterfaceId, Resolve, TypeDefKind};

use crate::wit::{Call, Result, bound, camel, is_handle, list, path, snake, values};

/// Both ways between wasmtime's types of an interface and those here.
pub fn conversions(resolve: &Resolve, id: InterfaceId, source: &mut String) -> Result<()> {
    for (name, id) in &resolve.interfaces[id].types {
        let definition = &resolve.types[*id];
        let (theirs, ours) = (bound(resolve, *id)?, format!("$crate::{}", path(resolve, *id)?));
        let mut both = |into: &str, from: &str| -> Result<()> {
            for (from_type, to, body) in [(&theirs, &ours, into), (&ours, &theirs, from)] {
                writeln!(
                    source,
                    "impl Convert<{to}> for {from_type} {{ fn convert(self) -> {to} {{ {} }} }}",
                    body.replace("@from", from_type).replace("@to", to)
                )?;
            }
            Ok(())
        };
        match &definition.kind {
            TypeDefKind::Record(record) => {
                let fields = list(record.fields.iter().map(|f| format!("{0}: self.{0}.convert()", snake(&f.name))));
                let body = format!("@to {{ {fields} }}");
                both(&body, &body)?;
            }
            TypeDefKind::Variant(variant) => {
                let case = |case: &wit_parser::Case| match case.ty {
                    Some(_) => format!("@from::{0}(value) => @to::{0}(value.convert())", camel(&case.name)),
                    None => format!("@from::{0} => @to::{0}", camel(&case.name)),
                };
                let body = format!("match self {{ {} }}", list(variant.cases.iter().map(case)));
                both(&body, &body)?;
            }
            TypeDefKind::Enum(cases) => {
                let case = |case: &wit_parser::EnumCase| format!("@from::{0} => @to::{0}", camel(&case.name));
                let body = format!("match self {{ {} }}", list(cases.cases.iter().map(case)));
                both(&body, &body)?;
            }
            TypeDefKind::Flags(flags) => {
                let flag = |name: &str| (snake(name), snake(name).to_uppercase());
                let into = list(
                    flags
                        .flags
                        .iter()
                        .map(|f| flag(&f.name))
                        .map(|(field, name)| format!("{field}: self.contains(@from::{name})")),
                );
                let from: String = flags
                    .flags
                    .iter()
                    .map(|f| flag(&f.name))
                    .map(|(field, name)| format!("if self.{field} {{ flags |= @to::{name}; }} "))
                    .collect();
                both(&format!("@to {{ {into} }}"), &format!("let mut flags = @to::empty(); {from}flags"))?;
            }
            TypeDefKind::Resource => {
                writeln!(
                    source,
                    "impl Convert<{ours}> for Resource<{theirs}> {{ fn convert(self) -> {ours} {{ {ours}(self.rep()) }} }}\n\
                     impl Convert<Resource<{theirs}>> for {ours} {{ fn convert(self) -> Resource<{theirs}> {{ Resource::new_own(self.0) }} }}"
                )?;
            }
            TypeDefKind::Type(_) | TypeDefKind::List(_) | TypeDefKind::Tuple(_) | TypeDefKind::Option(_) => {}
            other => return Err(format!("no conversion of {name}, {other:?}: add it to build.rs").into()),
        }
    }
    Ok(())
}

/// wasmtime's traits for what a driver imports: each function as an ask.
pub fn imported_functions(
    resolve: &Resolve,
    interfaces: &[InterfaceId],
    calls: &[Call],
    source: &mut String,
) -> Result<()> {
    for id in interfaces {
        let interface = &resolve.interfaces[*id];
        let name = interface.name.as_deref().ok_or("an interface without a name")?;
        let module = format!("imports::{}", snake(name));
        let of = |resource: &str| -> Vec<&Call> {
            let is_of = |call: &&Call| {
                call.interface == name && call.name.rsplit_once('.').map_or("", |(of, _)| of) == resource
            };
            calls.iter().filter(is_of).collect()
        };
        if name == "types" {
            continue;
        }
        writeln!(source, "impl {module}::Host for State {{")?;
        of("").into_iter().try_for_each(|call| imported_function(call, source))?;
        writeln!(source, "}}")?;
        let resources =
            interface.types.iter().filter(|(_, id)| matches!(resolve.types[**id].kind, TypeDefKind::Resource));
        for (resource, _) in resources {
            let camel_name = camel(resource);
            writeln!(source, "impl {module}::Host{camel_name} for State {{")?;
            of(resource).into_iter().try_for_each(|call| imported_function(call, source))?;
            writeln!(
                source,
                "fn drop(&mut self, handle: Resource<{module}::{camel_name}>) -> wasmtime::Result<()> {{ self.dropped(handle.rep()); Ok(()) }}\n}}"
            )?;
        }
    }
    Ok(())
}

fn imported_function(call: &Call, source: &mut String) -> Result<()> {
    let method = snake(call.name.rsplit('.').next().unwrap_or_default());
    let theirs = list(call.arguments.iter().map(|(name, _, ty)| format!("{name}: {ty}")));
    let fields = list(call.arguments.iter().map(|(name, ..)| format!("{name}: {name}.convert()")));
    let (asked, answer) = (call.asked(), &call.answer.1);
    let (result, fatal) = match call.can_fail {
        true => (format!("Result<{answer}, $crate::Refusal>"), ""),
        false => (format!("wasmtime::Result<{answer}>"), ".map_err(fatal)"),
    };
    Ok(writeln!(
        source,
        "fn {method}(&mut self, {theirs}) -> {result} {{\n\
         self.ask($crate::Ask::{asked} {{ {fields} }}, |answer| match answer {{ $crate::Answer::{asked}(value) => Some(value.convert()), _ => None }}){fatal}\n}}"
    )?)
}

/// What a driver exports: the type of each function, to be compared and to be called.
pub fn exported_functions(calls: &[Call], source: &mut String) -> Result<()> {
    for call in calls {
        let arguments: String = call.arguments.iter().map(|(_, _, ty)| format!("{ty}, ")).collect();
        let result = &call.answer.1;
        let result = match call.can_fail {
            true => format!("Result<{result}, imports::types::Error>"),
            false => result.clone(),
        };
        writeln!(source, "type {} = TypedFunc<({arguments}), ({result},)>;", camel(&call.name))?;
    }
    writeln!(
        source,
        "/// Compares the type of each function of a part with the interface's.\n\
         pub fn compare_exports(instance: &mut Started, part: &str) -> wasmtime::Result<()> {{ match part {{"
    )?;
    let mut parts: Vec<_> = calls.iter().map(|call| &call.interface).collect();
    parts.dedup();
    for part in parts {
        writeln!(source, "{part:?} => {{")?;
        for call in calls.iter().filter(|call| call.interface == *part) {
            writeln!(source, "let _: {} = instance.function({part:?}, {:?})?;", camel(&call.name), call.name)?;
        }
        writeln!(source, "}}")?;
    }
    writeln!(
        source,
        "_ => {{}} }} Ok(()) }}\n/// Calls a function with its arguments.\n\
         pub fn call_export(instance: &mut Started, arguments: $crate::Arguments) -> wasmtime::Result<Result<$crate::Returned, imports::types::Error>> {{\n\
         let (part, function) = (arguments.part(), arguments.function());\nmatch arguments {{"
    )?;
    for call in calls {
        let variant = camel(&call.name);
        let names = list(values(call).map(|(name, ..)| name.clone()));
        let pattern = if call.arguments.is_empty() { String::new() } else { format!("{{ {names} }}") };
        let given: String = call
            .arguments
            .iter()
            .map(|(name, ty, _)| match is_handle(ty) {
                true => "Resource::new_borrow(OWN), ".to_owned(),
                false => format!("{name}.convert(), "),
            })
            .collect();
        let returned = format!("$crate::Returned::{variant}(value.convert())");
        let returned = match call.can_fail {
            true => format!("value.map(|value| {returned})"),
            false => format!("Ok({returned})"),
        };
        writeln!(
            source,
            "$crate::Arguments::{variant} {pattern} => {{ let called: {variant} = instance.function(part, function)?;\n\
             let (value,) = called.call(&mut instance.store, ({given}))?; Ok({returned}) }}"
        )?;
    }
    Ok(writeln!(source, "}} }}")?)
}
