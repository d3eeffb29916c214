//! Who may sign drivers stands in a policy of the operator's. Signatures are cosign's, made here with openssl; each that does not count has its line,
//! before anything is compiled.

use std::path::{Path, PathBuf};
use std::process::Command;

use pontoon_tests::{Daemon, Registry, command, driver, pontoon};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Somebody's key, of ECDSA on P-256.
struct Signer {
    folder: TempDir,
}

fn openssl(folder: &Path, line: &str) {
    let ran = Command::new("openssl").args(line.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Signer {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        openssl(folder.path(), "ecparam -name prime256v1 -genkey -noout -out key");
        openssl(folder.path(), "ec -in key -pubout -out public");
        Self { folder }
    }

    /// As `cosign sign-blob --key` does it: base64 of a signature of these bytes.
    fn sign(&self, bytes: &[u8]) -> String {
        let folder = self.folder.path();
        std::fs::write(folder.join("message"), bytes).unwrap();
        openssl(folder, "dgst -sha256 -sign key -out signature message");
        openssl(folder, "base64 -A -in signature -out text");
        std::fs::read_to_string(folder.join("text")).unwrap()
    }

    fn public(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("public")).unwrap()
    }

    /// As `cosign sign --key` does it: what is signed is a layer, and the signature an annotation of it. Answers the manifest.
    fn sign_artifact(&self, registry: &Registry, digest: &str) -> Value {
        let payload = json!({ "critical": {
            "identity": { "docker-reference": "127.0.0.1:5000/acme/null" },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        }, "optional": null });
        let payload = payload.to_string();
        let manifest = signature_manifest(registry, &payload, &self.sign(payload.as_bytes()));
        registry.put_manifest("acme/null", &tag_of(digest), &manifest);
        manifest
    }
}

fn signature_manifest(registry: &Registry, payload: &str, signature: &str) -> Value {
    let layer = registry.put_blob("acme/null", payload.as_bytes());
    let config = registry.put_blob("acme/null", b"{}");
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2 },
        "layers": [{
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": layer,
            "size": payload.len(),
            "annotations": { "dev.cosignproject.cosign/signature": signature },
        }],
    })
}

/// Where cosign looks for the signatures of a manifest.
fn tag_of(digest: &str) -> String {
    format!("{}.sig", digest.replace(':', "-"))
}

/// The driver null under another version.
fn packed(daemon: &Daemon, version: &str) -> PathBuf {
    let (manifest, packed) = (daemon.file("pontoon.toml"), daemon.file(&format!("{version}.wasm")));
    let text = format!("name = 'null'\nversion = '{version}'\n[asks]\npermissions = ['store']\n");
    std::fs::write(&manifest, text).unwrap();
    let mut pack = command(pontoon());
    pack.args(["driver", "pack"]).arg(driver("null")).arg("--manifest").arg(manifest).arg("-o").arg(&packed);
    assert!(pack.status().unwrap().success());
    packed
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes the policy anew, as an editor does: another file under the same name.
fn write_policy(daemon: &Daemon, text: &str) {
    let (new, file) = (daemon.file("policy/new"), daemon.file("policy/signatures.toml"));
    std::fs::create_dir_all(new.parent().unwrap()).unwrap();
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

fn policy(signer: &Signer, head: &str, key: &str, rule: &str) -> String {
    format!(
        "{head}\n[keys.acme]\npublic = '''\n{}'''\n{key}\n[[allow]]\nkeys = ['acme']\ndrivers = ['null', 'signed']\n{rule}\n",
        signer.public()
    )
}

const ACME: &str = "repositories = ['127.0.0.1:5000/acme/*']";

/// A daemon with a policy; its log is in the file `log`.
fn with_policy(text: &str) -> Daemon {
    let mut daemon = Daemon::stopped();
    write_policy(&daemon, text);
    run(&mut daemon);
    daemon
}

fn run(daemon: &mut Daemon) {
    let mut serve = daemon.serve();
    serve.arg("--signatures").arg(daemon.file("policy/signatures.toml"));
    serve.stderr(std::fs::File::options().create(true).append(true).open(daemon.file("log")).unwrap());
    daemon.run_as(serve);
}

#[test]
fn a_signature_that_does_not_count_loads_nothing() {
    let (acme, stranger) = (Signer::new(), Signer::new());
    let all = policy(&acme, "", "", ACME);
    let daemon = with_policy(&all);
    let mut registry = Registry::start(&daemon);
    let digests = ["1.0.0", "1.1.0", "1.2.0"].map(|version| {
        let file = packed(&daemon, version);
        let line = format!("driver push --plain-http {} oci://127.0.0.1:5000/acme/null:{version}", file.display());
        registry.ok(&daemon, &line).split_once('@').unwrap().1.to_owned()
    });
    let load =
        |version: &str| format!("driver load --plain-http --grant-asked oci://127.0.0.1:5000/acme/null:{version}");
    let said = registry.refused(&daemon, 6, &load("1.1.0"));
    assert!(said.contains("it is not signed, which the policy wants: --allow-unsigned loads it"), "{said}");
    assert!(files(&daemon.file("state/components")).is_empty() && files(&daemon.file("state/compiled")).is_empty());
    let of_serving = acme.sign_artifact(&registry, &digests[1]);
    registry.ok(&daemon, &load("1.1.0"));
    assert_eq!(daemon.json("driver history null")[0]["signed"], "signed by acme");

    let seen = |daemon: &Daemon| {
        let history = daemon.json("driver history null");
        let folders = ["components", "compiled"].map(|name| files(&daemon.file(&format!("state/{name}"))));
        (daemon.stored(), history, folders)
    };
    let before = seen(&daemon);
    let refuses = |says: &str, version: &str| {
        let line = format!("driver upgrade --plain-http null oci://127.0.0.1:5000/acme/null:{version}");
        let said = registry.refused(&daemon, 6, &line);
        assert!(said.contains("the driver null: ") && said.contains(says), "{says:?} is missing in {said}");
        assert_eq!(seen(&daemon), before, "{says}");
    };
    let put = |manifest: &Value| drop(registry.put_manifest("acme/null", &tag_of(&digests[2]), manifest));
    refuses("it is not signed", "1.2.0");
    put(&signature_manifest(&registry, "{}", "no base64"));
    refuses("its signature is damaged: it is no base64", "1.2.0");
    put(&of_serving);
    refuses(&format!("its signature is of another component: {} and not {}", digests[1], digests[2]), "1.2.0");
    stranger.sign_artifact(&registry, &digests[2]);
    refuses("its signature is by none of the policy's keys, or of other bytes", "1.2.0");
    acme.sign_artifact(&registry, &digests[2]);
    acme.sign_artifact(&registry, &digests[0]);
    // The policy counts as it is now, without a restart.
    for (text, version, says) in [
        (policy(&acme, "revoked = ['acme']", "", ACME), "1.2.0", "the key acme, which signed it, is revoked"),
        (
            policy(&acme, "", "expires = '2020-02-29'", ACME),
            "1.2.0",
            "the key acme, which signed it, expired after 2020-02-29",
        ),
        (
            policy(&acme, "", "", "repositories = ['127.0.0.1:5000/other/*']"),
            "1.2.0",
            "may not sign a driver of this name from 127.0.0.1:5000/acme/null",
        ),
        (policy(&acme, "", "", ""), "1.2.0", "may not sign a driver of this name"),
        (
            policy(&acme, "", "", &format!("{ACME}\nleast = '1.1.0'")),
            "1.0.0",
            "its version is 1.0.0, and older ones than 1.1.0 are refused",
        ),
        ("".to_owned(), "1.2.0", "by none of the policy's keys"),
    ] {
        write_policy(&daemon, &text);
        refuses(says, version);
    }
    write_policy(&daemon, "anything");
    let upgrade = "driver upgrade --plain-http null oci://127.0.0.1:5000/acme/null:1.2.0";
    let said = registry.refused(&daemon, 7, upgrade);
    assert!(said.contains("no driver is loaded without the policy") && said.contains("signatures.toml:1: "), "{said}");
    std::fs::remove_file(daemon.file("policy/signatures.toml")).unwrap();
    let said = registry.refused(&daemon, 1, upgrade);
    assert!(said.contains("can't read the policy"), "{said}");
    assert_eq!(seen(&daemon), before);

    // Fit again; then where no registry is, by what was kept.
    write_policy(&daemon, &format!("{all}least = '1.1.0'"));
    registry.ok(&daemon, upgrade);
    let pinned = daemon.json("driver history null")[0]["from"].as_str().unwrap().to_owned();
    registry.stop();
    daemon.ok("driver rm null");
    registry.ok(&daemon, &format!("driver load --plain-http --grant-asked {pinned}"));
    assert_eq!(daemon.json("driver history null")[0]["signed"], "signed by acme");
}

#[test]
fn without_a_signature_it_is_loaded_by_hand_and_that_is_seen() {
    let daemon = with_policy(&policy(&Signer::new(), "", "", ACME));
    let load = format!("driver load --grant-asked {}", driver("null").display());
    assert!(daemon.refused(6, &load).contains("it is not signed"));
    daemon.ok(&format!("{load} --allow-unsigned"));
    assert_eq!(daemon.json("driver history null")[0]["signed"], "unsigned, and allowed by hand");
    assert!(daemon.ok("driver history null").contains("null.wasm (unsigned, and allowed by hand)"));
    let log = std::fs::read_to_string(daemon.file("log")).unwrap();
    assert!(log.contains("WARN") && log.contains("it is not signed, and --allow-unsigned loads it"), "{log}");
    // Once: the next one needs the word again.
    assert!(
        daemon
            .refused(6, &format!("driver upgrade null {}", packed(&daemon, "2.0.0").display()))
            .contains("not signed")
    );
}

/// A file's signature lies beside it, in the drivers folder, too.
#[test]
fn files_are_under_the_policy() {
    let acme = Signer::new();
    let mut daemon = with_policy(&policy(&acme, "", "", ""));
    let component = std::fs::read(packed(&daemon, "1.0.0")).unwrap();
    let folder = daemon.file("drivers");
    let put = |name: &str, signature: Option<String>| {
        std::fs::write(folder.join(format!("{name}.wasm")), &component).unwrap();
        std::fs::write(folder.join(format!("{name}.grant.toml")), "permissions = ['store']").unwrap();
        if let Some(signature) = signature {
            std::fs::write(folder.join(format!("{name}.sig")), signature).unwrap();
        }
    };
    daemon.stop();
    std::fs::create_dir_all(&folder).unwrap();
    put("signed", Some(acme.sign(&component) + "\n"));
    put("unsigned", None);
    put("null", Some(acme.sign(b"other bytes")));
    put("other", Some(acme.sign(&component)));
    run(&mut daemon);
    let loaded = daemon.json("driver ls");
    let names: Vec<_> = loaded.as_array().unwrap().iter().map(|driver| driver["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["signed"]);
    let log = std::fs::read_to_string(daemon.file("log")).unwrap();
    for says in [
        "unsigned.wasm is not loaded: the driver unsigned: it is not signed",
        "null.wasm is not loaded: the driver null: its signature is by none of the policy's keys, or of other bytes",
        "other.wasm is not loaded: the driver other: the key acme, which signed it, may not sign a driver of this name as a file",
    ] {
        assert!(log.contains(says), "{says:?} is missing in {log}");
    }
    // And by hand.
    let file = folder.join("null.wasm");
    assert!(daemon.refused(6, &format!("driver load {}", file.display())).contains("or of other bytes"));
    std::fs::write(folder.join("null.sig"), acme.sign(&component)).unwrap();
    daemon.ok(&format!("driver load {}", file.display()));
    // What is loaded stays, whatever becomes of the key.
    write_policy(&daemon, &policy(&acme, "revoked = ['acme']", "", ""));
    daemon.stop();
    run(&mut daemon);
    assert_eq!(daemon.json("driver ls").as_array().unwrap().len(), 2);
}

#[test]
fn a_driver_that_moves_house_is_under_the_policy() {
    let acme = Signer::new();
    let mut daemon = with_policy(&policy(&acme, "", "", ""));
    let component = packed(&daemon, "1.0.0");
    let file = daemon.file("null.pontoon");
    daemon.ok(&format!("driver load --name null --allow-unsigned --grant-asked {}", component.display()));
    daemon.ok(&format!("driver export null {}", file.display()));
    let sign = |bytes: &[u8]| std::fs::write(file.with_extension("sig"), acme.sign(bytes)).unwrap();
    let (import, component) = (format!("driver import {}", file.display()), std::fs::read(component).unwrap());
    // Into the place of one that is there, and where there is none.
    for is_new in [false, true] {
        if is_new {
            daemon.ok("driver rm null");
        }
        let before = daemon.stored();
        assert!(daemon.refused(6, &import).contains("it is not signed"));
        sign(&std::fs::read(&file).unwrap());
        assert!(daemon.refused(6, &import).contains("or of other bytes"), "the component is signed, not the file");
        assert_eq!(daemon.stored(), before);
        sign(&component);
        daemon.ok(&import);
        assert_eq!(daemon.json("driver history null")[0]["signed"], "signed by acme");
        std::fs::remove_file(file.with_extension("sig")).unwrap();
    }
    daemon.ok("driver rm null");
    daemon.ok(&format!("{import} --allow-unsigned"));
    assert_eq!(daemon.json("driver history null")[0]["signed"], "unsigned, and allowed by hand");
    daemon.stop();
}
