//! Drivers in a registry, Debian's docker-registry: pushed, pulled, loaded and upgraded from there. What fails loads nothing, and is told in one line.

use std::path::Path;

use pontoon_tests::{Daemon, PASSWORD, Registry, USER, driver};
use serde_json::{Value, json};

/// A driver with other bytes.
fn build(name: &str, number: u8) -> Vec<u8> {
    let section = [0, 7, 5, b'b', b'u', b'i', b'l', b'd', number];
    [std::fs::read(driver(name)).unwrap().as_slice(), &section].concat()
}

/// Bytes of no pattern, in a section that a component may have: enough for a download to take its time.
fn large(name: &str, megabytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let data: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(megabytes << 20).collect();
    let mut length = 2 + data.len();
    let mut section = vec![0];
    while length >= 0x80 {
        section.push(length as u8 | 0x80);
        length >>= 7;
    }
    section.extend([length as u8, 1, b'x']);
    [std::fs::read(driver(name)).unwrap(), section, data].concat()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", words::file::digest(bytes))
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).into_iter().flatten().count()
}

/// What a failure must not change.
fn seen(daemon: &Daemon) -> (String, Value, usize) {
    (daemon.stored(), daemon.json("driver history null"), files(&daemon.file("state/components")))
}

/// The layout's documents, as `wkg` and `oras` read them.
fn check_documents(registry: &Registry, component: &[u8], pushed: &str) {
    let manifest = registry.json("/v2/acme/null/manifests/1.0.0");
    let config = registry.json(&format!("/v2/acme/null/blobs/{}", manifest["config"]["digest"].as_str().unwrap()));
    let layer = json!([{
        "mediaType": "application/wasm",
        "digest": digest(component),
        "size": component.len(),
        // Without it `oras pull` has no name for the file, and skips it.
        "annotations": { "org.opencontainers.image.title": "null.wasm" },
    }]);
    let expected = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": digest(config.to_string().as_bytes()),
            "size": config.to_string().len(),
        },
        "layers": layer,
        "annotations": {
            "org.opencontainers.image.title": "null",
            "org.opencontainers.image.version": "0.1.0",
            "org.opencontainers.image.description": "Docker's null driver: one network, and nothing in it.",
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    });
    assert_eq!(manifest, expected);
    let created = config["created"].as_str().unwrap();
    assert!(created.len() == 20 && created.ends_with('Z'), "{created} is no date of RFC 3339");
    let said = json!({
        "created": created,
        "author": null,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [digest(component)],
        "component": config["component"],
    });
    assert_eq!(config, said);
    let lists = |what: &str, name: &str| {
        let names = config["component"][what].as_array().unwrap();
        names.iter().any(|found| found.as_str().unwrap().starts_with(name))
    };
    assert!(lists("exports", "pontoon:driver/driver@") && lists("imports", "pontoon:driver/store@"), "{config}");
    let (_, head, body) = registry.ask("GET", "/v2/acme/null/manifests/1.0.0", "text/plain", b"");
    assert_eq!(pushed, format!("oci://127.0.0.1:5000/acme/null:1.0.0@{}", digest(&body)), "{head}");
}

#[test]
fn a_driver_comes_from_a_registry() {
    let daemon = Daemon::start();
    let mut registry = Registry::start(&daemon);
    let (first, second) = (build("null", 1), build("null", 2));
    let mut pushed = Vec::new();
    for (bytes, tag) in [(&first, "1.0.0"), (&second, "1.1.0")] {
        std::fs::write(daemon.file("null.wasm"), bytes).unwrap();
        let file = daemon.file("null.wasm");
        let line = format!("driver push --plain-http {} oci://127.0.0.1:5000/acme/null:{tag}", file.display());
        pushed.push(registry.ok(&daemon, &line));
    }
    check_documents(&registry, &first, &pushed[0]);
    let line = "driver load --plain-http --grant-asked oci://127.0.0.1:5000/acme/null:1.0.0";
    registry.ok(&daemon, line);
    registry.ok(&daemon, &format!("driver upgrade --plain-http null {}", pushed[1]));
    let history = daemon.json("driver history null");
    let from: Vec<_> = [1, 0].map(|number| history[number]["from"].as_str().unwrap()).into();
    assert_eq!(from, pushed);
    assert_eq!(history[1]["digest"].as_str().unwrap(), words::file::digest(&first));
    // A file of the same name is a file.
    let out = daemon.file("out.wasm");
    let pull = |how: &str, which: &str| format!("driver pull {how} {which} -o {}", out.display());
    registry.ok(&daemon, &pull("--plain-http", &pushed[0]));
    assert_eq!(std::fs::read(&out).unwrap(), first);

    // Without its registry: what is pinned comes from what was pulled, a tag only if somebody says so.
    registry.stop();
    daemon.ok("driver rm null");
    let line = "driver load --grant-asked --plain-http";
    registry.ok(&daemon, &format!("{line} {}", pushed[0]));
    assert_eq!(daemon.json("driver history null")[0]["from"], *pushed[0]);
    let before = seen(&daemon);
    let tag = "oci://127.0.0.1:5000/acme/null:1.0.0";
    let said = registry.refused(&daemon, 9, &format!("driver upgrade --plain-http null {tag}"));
    assert!(said.contains("can't reach 127.0.0.1:5000: Connection refused"), "{said}");
    let said = registry.refused(&daemon, 4, "driver upgrade --offline null oci://127.0.0.1:5000/acme/null:7");
    assert!(said.contains("null:7 was not pulled before"), "{said}");
    assert_eq!(seen(&daemon), before);
    registry.ok(&daemon, &pull("--offline", tag));
    // What was kept and changed is not used.
    let blobs = registry.folder.path().join("cache/pontoon/oci/blobs");
    std::fs::write(blobs.join(digest(&first).replace(':', "-")), &second).unwrap();
    registry.refused(&daemon, 4, &pull("--offline", &pushed[0]));
}

#[test]
fn tls_and_passwords() {
    let daemon = Daemon::start();
    let mut registry = Registry::with_tls(&daemon, true);
    let push = format!("driver push {} oci://127.0.0.1:5000/null:1.0.0", driver("null").display());
    let load = "driver load --grant-asked oci://127.0.0.1:5000/null:1.0.0";
    let said = registry.refused(&daemon, 9, load);
    assert!(said.contains("can't reach 127.0.0.1:5000: invalid peer certificate: UnknownIssuer"), "{said}");
    let said = registry.refused(&daemon, 1, &load.replace("load", "load --plain-http"));
    assert!(said.contains("127.0.0.1:5000 answers 400 for oci://127.0.0.1:5000/null:1.0.0"), "{said}");
    registry.set("SSL_CERT_FILE", registry.folder.path().join("authority.pem"));
    for line in [load, &push] {
        let said = registry.refused(&daemon, 6, line);
        assert!(said.contains("wants a password: `docker login 127.0.0.1:5000` keeps one"), "{said}");
    }
    let docker = registry.folder.path().join("docker/config.json");
    let auth = |text: &str| json!({ "auths": { "127.0.0.1:5000": { "auth": text } } }).to_string();
    // In base64: alice:wrong
    std::fs::write(&docker, auth("YWxpY2U6d3Jvbmc=")).unwrap();
    for line in [load, &push] {
        let said = registry.refused(&daemon, 6, line);
        assert!(said.contains("refuses the password that Docker's configuration has for it"), "{said}");
    }
    // alice:secret
    std::fs::write(&docker, auth("YWxpY2U6c2VjcmV0")).unwrap();
    registry.ok(&daemon, &push);
    registry.ok(&daemon, load);
    // From a helper, as Docker asks it.
    std::fs::write(&docker, json!({ "credHelpers": { "127.0.0.1:5000": "test" } }).to_string()).unwrap();
    let said = registry.refused(&daemon, 1, "driver pull oci://127.0.0.1:5000/null:1.0.0");
    assert!(said.contains("has no password for 127.0.0.1:5000 that can be had: Unable to communicate"), "{said}");
    let helper = registry.folder.path().join("docker-credential-test");
    let answer = json!({ "ServerURL": "127.0.0.1:5000", "Username": USER, "Secret": PASSWORD });
    std::fs::write(&helper, format!("#!/bin/sh\n[ \"$1 $(cat)\" = 'get 127.0.0.1:5000' ] && echo '{answer}'\n"))
        .unwrap();
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", registry.folder.path().display(), std::env::var("PATH").unwrap());
    registry.set("PATH", path.into());
    registry.ok(&daemon, "driver pull oci://127.0.0.1:5000/null:1.0.0");
}

/// Manifests as `oras push` 1.3.6 made one (`--config FILE:application/vnd.wasm.config.v0+json FILE:application/wasm`), and as `wkg` does, whose
/// crate oci-wasm 0.6 puts annotations on the configuration.
#[test]
fn what_other_tools_push_is_loaded() {
    let daemon = Daemon::start();
    let registry = Registry::start(&daemon);
    let (component, created) = (std::fs::read(driver("null")).unwrap(), "2026-11-28T01:41:11Z");
    let blob = registry.put_blob("null", &component);
    let config = json!({
        "created": created, "author": null, "architecture": "wasm", "os": "wasip2", "layerDigests": [blob],
        "component": { "exports": ["pontoon:driver/driver@0.1.1"], "imports": [], "target": null },
    });
    let config = config.to_string();
    let digest_of_config = registry.put_blob("null", config.as_bytes());
    let described =
        |kind: &str, digest: &str, size: usize| json!({ "mediaType": kind, "digest": digest, "size": size });
    let config = described("application/vnd.wasm.config.v0+json", &digest_of_config, config.len());
    let layer = described("application/wasm", &blob, component.len());
    let with = |value: &Value, annotations: Value| {
        let mut value = value.clone();
        value.as_object_mut().unwrap().insert("annotations".into(), annotations);
        value
    };
    let manifest = |config: &Value, layer: &Value, annotations: &Value| {
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer], "annotations": annotations,
        })
    };
    let title = json!({ "org.opencontainers.image.title": "b.wasm" });
    let of_oras = manifest(&config, &with(&layer, title), &json!({ "org.opencontainers.image.created": created }));
    let said = json!({ "org.opencontainers.image.version": "0.1.0" });
    let of_wkg = manifest(&with(&config, said.clone()), &layer, &said);
    for (tag, manifest) in [("oras", of_oras), ("wkg", of_wkg)] {
        let pushed = registry.put_manifest("null", tag, &manifest);
        let from = format!("oci://127.0.0.1:5000/null:{tag}");
        registry.ok(&daemon, &format!("driver load --plain-http --grant-asked --name {tag} {from}"));
        let shown = daemon.json(&format!("driver history {tag}"));
        assert_eq!(shown[0]["from"], format!("{from}@{pushed}"));
        assert_eq!(format!("sha256:{}", shown[0]["digest"].as_str().unwrap()), blob);
    }
}

/// As large registries do it: they send for a token, to a server that knows who may do what.
#[test]
fn tokens() {
    let daemon = Daemon::start();
    let (registry, tokens) = Registry::with_tokens(&daemon, false);
    let at = |name: &str| format!("oci://127.0.0.1:5000/{name}:1.0.0");
    let push = |name: &str| format!("driver push --plain-http {} {}", driver("null").display(), at(name));
    let pull = |name: &str| format!("driver pull --plain-http {} -o {}", at(name), daemon.file("null.wasm").display());
    let said = registry.refused(&daemon, 6, &push("public/null"));
    assert!(said.contains("wants a password: `docker login 127.0.0.1:5000` keeps one"), "{said}");
    let docker = registry.folder.path().join("docker/config.json");
    let auth = |text: &str| json!({ "auths": { "127.0.0.1:5000": { "auth": text } } }).to_string();
    // alice:wrong
    std::fs::write(&docker, auth("YWxpY2U6d3Jvbmc=")).unwrap();
    let said = registry.refused(&daemon, 6, &push("public/null"));
    assert!(said.contains("refuses the password that Docker's configuration has for it"), "{said}");
    // alice:secret
    std::fs::write(&docker, auth("YWxpY2U6c2VjcmV0")).unwrap();
    tokens.asked();
    ["public/null", "own/null"].iter().for_each(|name| drop(registry.ok(&daemon, &push(name))));
    let asked = tokens.asked();
    // To look whether it is there, and to put it there.
    for scope in ["public/null:pull", "public/null:pull,push", "own/null:pull", "own/null:pull,push"] {
        assert!(asked.iter().any(|asked| *asked == format!("{USER} repository:{scope}")), "{scope}: {asked:?}");
    }
    registry.ok(&daemon, &format!("driver load --plain-http --grant-asked {}", at("own/null")));
    // What everybody may have needs a token, too, and no password.
    std::fs::remove_file(&docker).unwrap();
    tokens.asked();
    registry.ok(&daemon, &pull("public/null"));
    let asked = tokens.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked == "nobody repository:public/null:pull"), "{asked:?}");
    let said = registry.refused(&daemon, 6, &pull("own/null"));
    assert!(said.contains("wants a password"), "{said}");
    assert_eq!(std::fs::read(daemon.file("null.wasm")).unwrap(), std::fs::read(driver("null")).unwrap());
}

/// A registry that speaks TLS can't have the password sent to somebody who does not.
#[test]
fn a_password_is_told_to_no_server_of_tokens_without_tls() {
    let daemon = Daemon::start();
    let (mut registry, tokens) = Registry::with_tokens(&daemon, true);
    registry.set("SSL_CERT_FILE", registry.folder.path().join("authority.pem"));
    let docker = registry.folder.path().join("docker/config.json");
    std::fs::write(docker, json!({ "auths": { "127.0.0.1:5000": { "auth": "YWxpY2U6c2VjcmV0" } } }).to_string())
        .unwrap();
    let said = registry.refused(&daemon, 6, "driver pull oci://127.0.0.1:5000/null:1.0.0");
    assert!(said.contains("127.0.0.1:5000 sends for a token to \"http://127.0.0.1:5002/token\""), "{said}");
    assert_eq!(tokens.asked(), [""; 0]);
}

#[test]
fn what_can_not_be_had_loads_nothing() {
    let daemon = Daemon::start();
    let mut registry = Registry::start(&daemon);
    daemon.load("null");
    let next = build("null", 2);
    std::fs::write(daemon.file("next.wasm"), &next).unwrap();
    let push = format!("driver push --plain-http {} oci://127.0.0.1:5000/null", daemon.file("next.wasm").display());
    registry.ok(&daemon, &format!("{push}:1"));
    // What is no driver, and what is none in this layout.
    let (config, text) = (registry.put_blob("null", b"{}"), registry.put_blob("null", b"hello, this is a driver"));
    let manifest = |kind: &str, layer: &str, size: usize| {
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": kind, "digest": config, "size": 2 },
            "layers": [{ "mediaType": "application/wasm", "digest": layer, "size": size }],
        })
    };
    let wasm = "application/vnd.wasm.config.v0+json";
    registry.put_manifest("null", "image", &manifest("application/vnd.oci.image.config.v1+json", &text, 23));
    let by_text = registry.put_manifest("null", "text", &manifest(wasm, &text, 23));
    let before = seen(&daemon);
    let at = |what: &str| format!("127.0.0.1:5000/{what}");
    let absent = digest(b"absent");
    let table = [
        (4, at("null:7"), "there is no oci://127.0.0.1:5000/null:7"),
        (4, at("nothing:1"), "there is no oci://127.0.0.1:5000/nothing:1"),
        (4, at(&format!("null@{absent}")), "there is no oci://127.0.0.1:5000/null@sha256:"),
        (7, at("null:image"), "null:image: it is no wasm artifact: its configuration is \"application/vnd.oci.image"),
        (7, at("null:text"), "this is no WebAssembly"),
        (7, at(&format!("null:1@{by_text}")), "this is no WebAssembly"),
        (9, "127.0.0.1:5007/null:1".to_owned(), "can't reach 127.0.0.1:5007: Connection refused"),
        (9, "registry.invalid/null:1".to_owned(), "can't reach registry.invalid: "),
        (7, "null:1".to_owned(), "is not oci://HOST/REPOSITORY:TAG"),
        (7, at("null"), "has neither a tag (:1.2.0) nor a digest"),
    ];
    for (code, reference, says) in table {
        let said = registry.refused(&daemon, code, &format!("driver upgrade --plain-http null oci://{reference}"));
        assert!(said.contains(says), "{reference}: {says:?} is missing in {said}");
        assert_eq!(seen(&daemon), before, "{reference}");
    }
    let said = registry.refused(&daemon, 9, "driver upgrade null oci://127.0.0.1:5000/null:1");
    assert!(said.contains("without TLS it is asked with --plain-http"), "{said}");
    // Its bytes were changed, or are gone, where the registry has them.
    let blob = registry.blob(&digest(&next));
    let upgrade = "driver upgrade --plain-http null oci://127.0.0.1:5000/null:1";
    std::fs::write(&blob, build("null", 3)).unwrap();
    let said = registry.refused(&daemon, 7, upgrade);
    assert!(said.contains("what 127.0.0.1:5000 has as oci://127.0.0.1:5000/null:1 is damaged"), "{said}");
    std::fs::remove_file(&blob).unwrap();
    registry.refused(&daemon, 4, upgrade);
    assert_eq!(seen(&daemon), before);
    std::fs::write(&blob, &next).unwrap();
    registry.ok(&daemon, upgrade);
    // And to push: what is no driver, to a tag only, to nobody.
    std::fs::write(daemon.file("text.wasm"), "hello").unwrap();
    let text = daemon.file("text.wasm");
    registry.refused(&daemon, 7, &format!("driver push --plain-http {} oci://127.0.0.1:5000/null:2", text.display()));
    registry.refused(&daemon, 7, &format!("{push}@{absent}"));
    registry.stop();
    registry.refused(&daemon, 9, &format!("{push}:2"));
}

/// A download that breaks off goes on where it was: in the same command, or in the next one.
#[test]
fn a_download_that_breaks_off_goes_on() {
    const PART: usize = 1 << 20;
    let daemon = Daemon::start();
    daemon.load("null");
    let registry = Registry::start(&daemon);
    let next = large("null", 3);
    std::fs::write(daemon.file("next.wasm"), &next).unwrap();
    let file = daemon.file("next.wasm");
    registry.ok(&daemon, &format!("driver push --plain-http {} oci://127.0.0.1:5000/null:1", file.display()));
    let upgrade = "driver upgrade --plain-http null oci://127.0.0.1:5001/null:1";
    let ranges = |heads: &[String]| -> Vec<usize> {
        let blobs = heads.iter().filter(|head| head.starts_with("GET") && head.contains("/blobs/"));
        let range = |head: &String| {
            let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
            range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap())
        };
        blobs.map(range).collect()
    };
    let before = seen(&daemon);
    let seen_first = registry.in_its_way(usize::MAX, PART, true);
    let said = registry.refused(&daemon, 9, upgrade);
    assert!(said.contains("can't reach 127.0.0.1:5001: Connection refused"), "gone in the middle: {said}");
    assert_eq!((seen(&daemon), ranges(&seen_first.heads())), (before, vec![0]));
    let seen_second = registry.in_its_way(1, PART, false);
    registry.ok(&daemon, upgrade);
    assert_eq!(ranges(&seen_second.heads()), [PART, 2 * PART]);
    assert_eq!(daemon.json("driver inspect null")["digest"], *words::file::digest(&next));
    assert_eq!(files(&registry.folder.path().join("cache/pontoon/oci/parts")), 0);
}

/// A newer tag is told of, with what it asks for beside what the loaded one asks for.
#[test]
fn a_newer_version_is_told_of_with_what_it_asks_for() {
    let daemon = Daemon::start();
    let mut registry = Registry::start(&daemon);
    let asks = [("1.9.0", "permissions = ['store']"), ("1.10.0", "permissions = ['links']\nparents = ['eth7']")];
    for (version, asks) in asks {
        let (manifest, packed) = (daemon.file("pontoon.toml"), daemon.file("packed.wasm"));
        let text = format!("name = 'null'\nversion = '{version}'\n[asks]\n{asks}\n");
        std::fs::write(&manifest, text).unwrap();
        let [from, manifest] = [driver("null"), manifest].map(|file| file.display().to_string());
        daemon.ok(&format!("driver pack {from} --manifest {manifest} -o {}", packed.display()));
        let to = format!("oci://127.0.0.1:5000/null:{version}");
        registry.ok(&daemon, &format!("driver push --plain-http {} {to}", packed.display()));
        registry
            .ok(&daemon, &format!("driver push --plain-http {} oci://127.0.0.1:5000/null:latest", packed.display()));
        if version == "1.9.0" {
            for (name, tag) in [("a", "1.9.0"), ("b", "latest")] {
                let from = format!("oci://127.0.0.1:5000/null:{tag}");
                registry.ok(&daemon, &format!("driver load --plain-http --grant-asked --name {name} {from}"));
            }
        }
    }
    daemon.load("null");
    let outdated = registry.ok(&daemon, "--output json driver outdated --plain-http");
    let outdated: Value = serde_json::from_str(&outdated).unwrap();
    let rows = outdated.as_array().unwrap();
    let newer: Vec<_> = rows.iter().map(|row| row["newer"].as_str().unwrap().split('@').next().unwrap()).collect();
    assert_eq!(newer, ["oci://127.0.0.1:5000/null:1.10.0", "oci://127.0.0.1:5000/null:latest"]);
    for row in rows {
        let also = row["asks_also"].as_array().unwrap();
        assert_eq!((also.len(), &row["asks_no_more"]), (2, &json!(["permissions: store"])), "{row}");
    }
    let table = registry.ok(&daemon, "driver outdated --plain-http");
    assert!(table.contains("also for permissions: links, parents: eth7; no more for permissions: store"), "{table}");
    registry.ok(&daemon, "driver upgrade --plain-http --grant-asked a oci://127.0.0.1:5000/null:1.10.0");
    let table = registry.ok(&daemon, "driver outdated --plain-http");
    assert!(!table.contains("null:1.9.0") && table.contains("null:latest"), "{table}");
    // A rollback leads back to where that version came from.
    daemon.ok("driver rollback --keep-state a");
    assert!(registry.ok(&daemon, "driver outdated --plain-http").contains("null:1.9.0"));
    registry.stop();
    let ran = registry.cli(&daemon, "driver outdated --plain-http");
    assert!(ran.code == 9 && ran.err.contains("pontoon: a: can't reach 127.0.0.1:5000"), "{ran:?}");
}
