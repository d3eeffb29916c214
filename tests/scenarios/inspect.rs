//! What the command line tells: of a driver, and for programs, where every answer is what the API's description says.

use grant::{HostCall, Permission};
use operation::driver::DriverDetails;
use pontoon_tests::{Daemon, Namespace, Ran, driver};
use serde_json::Value;

use crate::http::get;

/// A component with a custom section at its end.
fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut content = leb128(name.len());
    content.extend(name.as_bytes());
    content.extend(data);
    [component, &[0], &leb128(content.len()), &content].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

const MANIFEST: &str = "\
name = 'blue'
version = '1.2.0' # the second one
description = 'Zoë made it.'
licence = 'MIT'
[asks]
permissions = ['store', 'links']
";

/// Loads the probe with these manifests, as `name`.
fn load_with(daemon: &Daemon, name: &str, manifests: &[&[u8]]) -> Ran {
    let probe = std::fs::read(driver("test/probe")).unwrap();
    let bytes = manifests.iter().fold(probe, |bytes, manifest| with_section(&bytes, "pontoon-manifest", manifest));
    let path = daemon.file(&format!("{name}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    daemon.cli(&format!("driver load --grant-asked {}", path.display()))
}

#[test]
fn a_driver_shows_its_parts_its_imports_and_its_manifest() {
    let mut daemon = Daemon::start();
    daemon.load("bridge");
    assert_eq!(load_with(&daemon, "blue", &[MANIFEST.as_bytes()]).code, 0);
    for _ in 0..2 {
        let details: DriverDetails = serde_json::from_value(daemon.json("driver inspect bridge")).unwrap();
        let parts = ["driver", "external-connectivity", "gateway-allocation-checker", "ipv6-releaser"];
        assert_eq!(details.exports, parts.map(|part| format!("pontoon:driver/{part}@0.1.1")));
        for import in ["links@0.1.1#add", "links@0.1.1#[method]link.set", "nftables@0.1.1#add", "store@0.1.1#set"] {
            assert!(details.imports.contains(&format!("pontoon:driver/{import}")), "{import}: {:?}", details.imports);
        }
        assert!(details.imports.iter().all(|i| i.starts_with("pontoon:driver/") && i.contains("@0.1.1#")));
        let manifest = daemon.json("driver inspect blue")["manifest"].clone();
        let asks = serde_json::json!({ "permissions": ["links", "store"] });
        let said = serde_json::json!({
            "name": "blue", "version": "1.2.0", "description": "Zoë made it.", "licence": "MIT", "asks": asks
        });
        assert_eq!(manifest, said);
        // The same after a restart, when it comes from the state folder.
        daemon.restart();
    }
    let text = daemon.ok("driver inspect blue");
    for line in
        ["EXPORTS", "IMPORTS", "MANIFEST", "blue 1.2.0", "Zoë made it.", "MIT", "ASKS FOR", "permissions: store"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    daemon.ok("driver rm blue");
    assert_eq!(load_with(&daemon, "none", &[]).code, 0);
    assert_eq!(daemon.json("driver inspect none")["manifest"], Value::Null);
    assert!(daemon.ok("driver inspect none").lines().any(|l| l.starts_with("MANIFEST") && l.ends_with("none")));
}

#[test]
fn the_sample_drivers_ask_for_what_they_import() {
    let daemon = Daemon::start();
    for name in ["bridge", "null"] {
        daemon.load(name);
        let details: DriverDetails = serde_json::from_value(daemon.json(&format!("driver inspect {name}"))).unwrap();
        let needed = details.imports.iter().filter_map(|import| {
            let (interface, function) = import.strip_prefix("pontoon:driver/")?.split_once("@0.1.1#")?;
            let call = format!("{interface}.{}", function.rsplit(']').next()?);
            HostCall::ALL.into_iter().find(|known| known.name() == call).and_then(Permission::of)
        });
        // Of the bridge only bandwidths need it, which an operator's grant has or has not.
        let needed = needed.filter(|permission| *permission != Permission::Shaping);
        let manifest = details.manifest.unwrap();
        assert_eq!(manifest.asks.permissions, needed.collect(), "{name}");
        assert_eq!((manifest.name.as_str(), details.lacks), (name, Vec::new()));
    }
}

#[test]
fn a_manifest_that_can_not_be_read_is_refused() {
    let daemon = Daemon::start();
    let long = vec![b' '; (64 << 10) + 1];
    let newer = format!("{MANIFEST}uncles = ['eth0']\n");
    let hostile = format!("{MANIFEST}\"\u{202e}\u{9b}\" = 1\n");
    let one = MANIFEST.as_bytes();
    let cases: [(&[&[u8]], &str); 7] = [
        (&[&long], "65537 bytes"),
        (&[&[0xff, 0xfe]], "UTF-8"),
        (&[one, one], "more than one"),
        (&[b"{ \"needs\": [] }"], "manifest:1: "),
        (&[b""], "missing field `name`"),
        (&[newer.as_bytes()], "the component's manifest:7: unknown field `uncles`, expected one of `permissions`"),
        (&[hostile.as_bytes()], "the component's manifest:7: "),
    ];
    for (manifests, says) in cases {
        let ran = load_with(&daemon, "b", manifests);
        assert!(ran.code == 7 && ran.err.contains(says) && ran.err.lines().count() == 1, "{says}: {ran:?}");
        assert!(!ran.err.contains(['\u{9b}', '\u{202e}']), "{ran:?}");
    }
    assert_eq!(daemon.json("driver ls"), serde_json::json!([]));
}

#[test]
fn a_manifest_does_not_reach_into_the_terminal() {
    let daemon = Daemon::start();
    let description = "\u{202e}txet\u{200f}";
    assert_eq!(load_with(&daemon, "b", &[MANIFEST.replace("Zoë made it.", description).as_bytes()]).code, 0);
    for line in ["driver inspect b", "--output json driver inspect b"] {
        let text = daemon.ok(line);
        assert!(!text.contains(['\u{200f}', '\u{202e}']), "{text:?}");
    }
    assert_eq!(daemon.json("driver inspect b")["manifest"]["description"], description);
}

#[test]
fn the_calls_of_a_driver_are_counted() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let calls = daemon.json("driver inspect bridge")["calls"].clone();
    let count = |function: &str| {
        calls.as_array().unwrap().iter().find(|c| c["function"] == function).map(|c| c["count"].clone())
    };
    assert_eq!(count("create-network"), Some(1.into()), "{calls}");
    assert!(count("links.add").is_some(), "{calls}");
}

#[test]
fn versions() {
    let daemon = Daemon::start();
    let text = daemon.ok("version");
    let version = env!("CARGO_PKG_VERSION");
    assert!(text.lines().any(|l| l.starts_with("client") && l.contains(version)), "{text}");
    assert!(
        text.lines().any(|l| l.starts_with("daemon") && l.contains(version) && l.contains("pontoon:driver@0.1.1")),
        "{text}"
    );
    let json = daemon.json("version");
    assert_eq!((&json["client"]["version"], &json["daemon"]["version"]), (&version.into(), &version.into()));
    assert_eq!(daemon.ok("--version").trim(), format!("pontoon {version}"));
    for code in 0..=9 {
        assert!(daemon.ok("--help").contains(&format!("\n  {code}  ")), "{code}");
    }
}

/// Checks an answer against a schema of the document: what it must have, that each thing is of its type, and that there is nothing
/// that the document does not know.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolved(document, schema);
    if let Some(all) = schema["allOf"].as_array() {
        let known: Vec<String> = all.iter().flat_map(|s| properties(document, s)).collect();
        for part in all {
            check_object(document, resolved(document, part), value, at);
        }
        return nothing_else(&known, value, at);
    }
    if let Some(any) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        // Of those that utoipa writes one is null.
        let fitting = any.iter().find(|s| (s["type"] == "null") == value.is_null());
        return check(document, fitting.unwrap_or_else(|| panic!("{at}: {value} fits none of {any:?}")), value, at);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    assert!(types.is_empty() || types.contains(&type_of(value)), "{at}: {value} is no {types:?}");
    if let Some(cases) = schema["enum"].as_array() {
        assert!(cases.contains(value), "{at}: {value} is none of {cases:?}");
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{index}]"));
    }
    check_object(document, schema, value, at);
    if schema["properties"].is_object() {
        nothing_else(&properties(document, schema), value, at);
    }
}

fn check_object(document: &Value, schema: &Value, value: &Value, at: &str) {
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(required.as_str().unwrap()).is_some(), "{at}: {required} is missing in {value}");
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(key) {
            check(document, schema, member, &format!("{at}.{key}"));
        }
    }
}

fn nothing_else(known: &[String], value: &Value, at: &str) {
    for key in value.as_object().into_iter().flatten().map(|(key, _)| key) {
        assert!(known.contains(key), "{at}: the document does not know {key:?}, only {known:?}");
    }
}

fn properties(document: &Value, schema: &Value) -> Vec<String> {
    let schema = resolved(document, schema);
    let own = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|s| properties(document, s));
    own.chain(parts).collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            document.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference}"))
        }
        None => schema,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn what_programs_get_is_what_the_document_says() {
    let daemon = Daemon::start();
    let document = get(&daemon, "/openapi.json");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
    let (a, bridge) = (Namespace::new("a"), driver("bridge"));
    let (load, attach) =
        (format!("driver load {}", bridge.display()), format!("endpoint attach n {} -p 8080:80 -o k=v", a.text()));
    let commands: &[(&str, &str, &str, &str)] = &[
        (&load, "/drivers", "post", "201"),
        ("driver ls", "/drivers", "get", "200"),
        ("network create --ipv6 n --aux-address x=10.9.0.9 --subnet 10.9.0.0/24 -o k=v", "/networks", "post", "201"),
        ("network ls", "/networks", "get", "200"),
        (&attach, "/networks/{network}/endpoints", "post", "201"),
        ("endpoint ls", "/endpoints", "get", "200"),
        ("endpoint ls n", "/networks/{network}/endpoints", "get", "200"),
        ("table put n t k v", "/networks/{network}/tables/{table}/{key}", "put", "204"),
        ("table ls n", "/networks/{network}/tables", "get", "200"),
        ("table ls n t", "/networks/{network}/tables/{table}", "get", "200"),
        ("driver inspect bridge", "/drivers/{name}", "get", "200"),
        ("network inspect n", "/networks/{network}", "get", "200"),
        ("network inspect --verbose n", "/networks/{network}", "get", "200"),
        ("gc", "/gc", "post", "200"),
        ("table rm n t k", "/networks/{network}/tables/{table}/{key}", "delete", "204"),
        ("endpoint detach n a", "/networks/{network}/endpoints/{endpoint}", "delete", "200"),
        ("network rm n", "/networks/{network}", "delete", "200"),
        ("driver rm bridge", "/drivers/{name}", "delete", "204"),
    ];
    for (line, path, method, status) in commands {
        let text = daemon.ok(&format!("--output json {line}"));
        assert_eq!(text.trim_end().lines().count(), 1, "{line}: one document a line: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let response = &document["paths"][path][method]["responses"][status];
        assert!(response.is_object(), "the document does not know {method} {path} {status}");
        match &response["content"]["application/json"]["schema"] {
            Value::Null => assert_eq!(answer, serde_json::json!({}), "{line}"),
            schema => check(&document, schema, &answer, line),
        }
    }
    check(
        &document,
        &document["paths"]["/version"]["get"]["responses"]["200"]["content"]["application/json"]["schema"],
        &daemon.json("version")["daemon"],
        "version",
    );
}

/// What the driver put into the kernel, line by line: links, and what is on them, rules and settings; nothing of another network.
#[test]
fn a_network_is_shown_whole() {
    let mut daemon = Daemon::start();
    daemon.load("bridge");
    let a = Namespace::new("a");
    daemon.ok("network create other --subnet 10.8.0.0/24");
    daemon.ok("network create n --subnet 10.9.0.0/24 --gateway 10.9.0.1 --ipv6");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    for _ in 0..2 {
        let text = daemon.ok("network inspect --verbose n");
        for line in ["address 10.9.0.1/24 on ", "setting ipv6 accept_ra = 0 of ", ": prerouting -100: ", "masquerade"] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(
            text.contains(" dport 8080") && text.contains("dnat to 10.9.0.") && !text.contains("10.8.0."),
            "{text}"
        );
        daemon.restart();
    }
    for line in ["endpoint detach n a", "network rm n other"] {
        daemon.ok(line);
    }
}

#[test]
fn errors_for_programs_are_what_the_document_says() {
    let daemon = Daemon::start();
    let document = get(&daemon, "/openapi.json");
    let schema = serde_json::json!({ "$ref": "#/components/schemas/Error" });
    for (code, kind, line) in [
        (4, "not-found", "network inspect gone"),
        (2, "invalid-argument", "network create a/b"),
        (2, "invalid-argument", "no-such-command"),
        (7, "invalid-argument", "driver load /tmp"),
    ] {
        let ran = daemon.cli(&format!("--output json {line}"));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.trim_end().lines().count()), (code, "", 1), "{ran:?}");
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        check(&document, &schema, &error, line);
        assert_eq!(error["kind"], kind, "{line}");
    }
}

/// What a driver may do is taken from it, whatever became of its file.
#[test]
fn a_grant_is_replaced_where_the_component_is_damaged() {
    let mut daemon = Daemon::start();
    daemon.load("null");
    daemon.restart();
    let component = std::fs::read_dir(daemon.file("state/components")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&component).unwrap();
    std::fs::write(&component, "damaged").unwrap();
    let grant = daemon.file("grant.toml");
    std::fs::write(&grant, "permissions = ['store']\nlimits = { store-bytes = 5000 }\n").unwrap();
    assert!(daemon.ok(&format!("driver grant null --grant {}", grant.display())).contains("5000"));
    assert!(daemon.refused(1, "driver inspect null").contains("the component was changed; load it again"));
    std::fs::write(&component, whole).unwrap();
    assert_eq!(daemon.json("driver inspect null")["grant"]["limits"]["store-bytes"], 5000);
}
