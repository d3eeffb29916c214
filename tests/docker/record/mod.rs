//! What real dockerds send, recorded and compared with tests/wire. `PONTOON_GOLDEN=write` writes it down.
//!
//! - `plugin`: a plugin that writes down what it is asked for
//! - `scenario`: what is done meanwhile

mod plugin;
mod scenario;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use pontoon_tests::Machine;
use serde_json::Value;

use self::plugin::Asked;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wire")
}

/// Whether golden files are to be written instead of compared.
fn writing() -> bool {
    std::env::var_os("PONTOON_GOLDEN").is_some_and(|how| how == "write")
}

#[test]
fn dockerd_20_10_sends_what_it_did() {
    record("20.10");
}

#[test]
fn dockerd_26_1_sends_what_it_did() {
    record("26.1");
}

fn record(version: &str) {
    let mut machine = Machine::new(version);
    machine.run_dockerd(&[]);
    let asked = plugin::serve(&machine);
    scenario::run(&machine);
    let asked = asked.lock().unwrap().clone();
    let folder = folder().join(version);
    let head = common_head(&asked);
    let documents = documents(&asked);
    if writing() {
        write(&folder, &head, &documents);
        return;
    }
    assert_eq!(fs::read_to_string(folder.join("head.txt")).unwrap(), head);
    for (name, body) in &documents {
        let golden = fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{version}: {name}: {e}"));
        assert_eq!(sorted(&golden), sorted(body), "{version}: {name}");
    }
    let known =
        fs::read_dir(&folder).unwrap().filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|e| e == "json"));
    assert_eq!(known.count(), documents.len(), "{version} sent fewer requests than it did");
}

fn write(folder: &Path, head: &str, documents: &[(String, String)]) {
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("head.txt"), head).unwrap();
    for (name, body) in documents {
        fs::write(folder.join(name), body).unwrap();
    }
}

/// A body whose lists of ports are in order: dockerd sends them in that of a Go map, another one every time.
fn sorted(body: &str) -> Value {
    let mut body = serde_json::from_str(body).unwrap_or(Value::Null);
    for key in ["com.docker.network.endpoint.exposedports", "com.docker.network.portmap"] {
        if let Some(Value::Array(ports)) = body.get_mut("Options").and_then(|options| options.get_mut(key)) {
            ports.sort_by_key(Value::to_string);
        }
    }
    body
}

/// The head of every request, which differs only in its path and length.
fn common_head(asked: &[Asked]) -> String {
    let general = |asked: &Asked| {
        let head = asked.head.replace("\r\n", "\n");
        let length = format!("Content-Length: {}\n", asked.body.len());
        head.replace(&asked.method, "PATH").replace(&length, "Content-Length: LENGTH\n")
    };
    let first = general(&asked[0]);
    for one in asked {
        assert_eq!(general(one), first);
    }
    first
}

/// File names and bodies, with ids that are the same in every run.
fn documents(asked: &[Asked]) -> Vec<(String, String)> {
    let mut ids = Ids::default();
    let name = |(n, asked): (usize, &Asked)| (format!("{:03}-{}.json", n + 1, asked.method), ids.replace(&asked.body));
    asked.iter().enumerate().map(name).collect()
}

/// Ids by the order in which they were first seen.
#[derive(Default)]
struct Ids(HashMap<String, usize>);

impl Ids {
    /// Replaces ids (64 hexadecimal digits) and the names of sandboxes (12 of them as the last part of a path).
    fn replace(&mut self, text: &str) -> String {
        let mut replaced = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
            let length = rest[start..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - start);
            let digits = &rest[start..start + length];
            replaced.push_str(&rest[..start]);
            if length == 64 || length == 12 && replaced.ends_with("/netns/") {
                let next = self.0.len() + 1;
                let number = self.0.entry(digits.to_owned()).or_insert(next);
                replaced.push_str(&format!("{number:0length$x}"));
            } else {
                replaced.push_str(digits);
            }
            rest = &rest[start + length..];
        }
        replaced + rest
    }
}

#[test]
fn ids_become_numbers() {
    let (a, b) = ("a".repeat(64), "0b".repeat(32));
    let text = format!(r#"{{"A":"{a}","B":"{b}","C":"{a}","Key":"/run/netns/00112233aabb","Pool":"fd00::/64"}}"#);
    let found = Ids::default().replace(&text);
    let expected = format!(
        r#"{{"A":"{:064x}","B":"{:064x}","C":"{:064x}","Key":"/run/netns/000000000003","Pool":"fd00::/64"}}"#,
        1, 2, 1
    );
    assert_eq!(found, expected);
}
