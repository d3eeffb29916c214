//! An author's mistakes, and what each is told: what was wrong, where, and what to do. No daemon is needed for any of them.

use std::path::Path;

use pontoon_tests::{command, driver, pontoon};
use tempfile::TempDir;

/// A manifest's first lines.
const HEAD: &str = "name = 'd'\nversion = '1.0.0'\n";

/// A folder with a component to begin with.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::copy(driver("test/faulty"), folder.path().join("f.wasm")).unwrap();
    folder
}

/// Whether a command line fails in that folder with this code, one line, and these words; otherwise what it said.
fn miss(folder: &Path, line: &str, code: i32, says: &[&str]) -> Option<String> {
    let output = command(pontoon()).args(line.split_whitespace()).current_dir(folder).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = format!("{out}{err}");
    let one = err.trim_end().lines().count() == 1 && err.starts_with("pontoon: ");
    let good = output.status.code() == Some(code) && one && says.iter().all(|part| said.contains(part));
    (!good).then(|| format!("{line} ({:?}): {says:?} is not what it says: {said}", output.status.code()))
}

fn none(missed: Vec<Option<String>>) {
    let missed: Vec<_> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn in_the_manifest() {
    let table: &[(&str, &[&str])] = &[
        ("", &["pontoon.toml:1: missing field `name`"]),
        ("name = 'd'", &["pontoon.toml:1: missing field `version`"]),
        ("name = d", &["pontoon.toml:1: string values must be quoted"]),
        ("name = 'a b'\nversion = '1.0.0'", &["pontoon.toml:1: \"a b\" is no name: 1 to 64 letters"]),
        ("name = 'd'\nversion = 'v1'", &["version: \"v1\" is no version such as 1.2.0"]),
        ("HEAD version = '2.0.0'", &["pontoon.toml:3: duplicate key"]),
        ("HEAD author = 'x'", &["pontoon.toml:3: unknown field `author`, expected one of `name`"]),
        ("HEAD licence = 'mine!'", &["licence: \"mine!\" is no SPDX licence such as Apache-2.0"]),
        ("HEAD source = 'github.com/x'", &["source: \"github.com/x\" is no URL that begins with https://"]),
        ("HEAD without = ['link']", &["pontoon.toml:3: unknown variant `link`, expected one of `interface`"]),
        ("HEAD without = 'interface'", &["pontoon.toml:3: invalid type: string"]),
        ("HEAD [asks]\npermissions = ['link']", &["pontoon.toml:4: unknown variant `link`, expected one of `links`"]),
        ("HEAD [asks]\npermission = ['links']", &["pontoon.toml:4: unknown field `permission`", "`permissions`"]),
        ("HEAD [asks]\nparents = ['a/b']", &["asks: parents: \"a/b\" is no interface name: 1 to 15"]),
        ("HEAD [asks]\naddresses = ['10.1.2.3']", &["pontoon.toml:4: \"10.1.2.3\" is no range: write network"]),
        ("HEAD [asks]\nlimits = { memory-mib = 4096 }", &["asks: limits: memory-mib = 4096", "at most 128"]),
        ("HEAD [[samples]]\ntable = 't'\nkey = ''\nvalue = 'v'", &["samples: a key is 1 to 256 bytes"]),
        ("HEAD [[samples]]\ntable = 'a/b'\nkey = 'k'\nvalue = 'v'", &["samples: a table's name is 1 to 128"]),
        ("HEAD [[samples]]\ntable = 't'\nkey = 'k'\nvalue = 1", &["pontoon.toml:6: invalid type: integer `1`"]),
    ];
    let folder = folder();
    let miss = |(text, says): &(&str, &[&str])| {
        std::fs::write(folder.path().join("pontoon.toml"), text.replace("HEAD ", HEAD)).unwrap();
        miss(folder.path(), "driver pack f.wasm -o o.wasm", 7, says)
    };
    none(table.iter().map(miss).collect());
    assert!(!folder.path().join("o.wasm").exists());
}

#[test]
fn in_the_grant() {
    let lacks = "forbidden: the driver f: create-network: ";
    let table: &[(&str, i32, &[&str])] = &[
        ("permissions = ['link']", 7, &["g.toml:1: unknown variant `link`, expected one of `links`"]),
        ("permissions = ['links'", 7, &["g.toml:1: unclosed array, expected `]`"]),
        ("sysctls = ['forwarding']", 7, &["g.toml:1: \"forwarding\" is no setting: link. and one of"]),
        ("hooks = { ingress = [0] }", 7, &["g.toml:1: unknown variant `ingress`, expected one of `prerouting`"]),
        ("addresses = ['default']", 7, &["g.toml: addresses: \"default\" is for routes"]),
        ("", 10, &[lacks, "table-event-register: the driver's grant lacks tables (permissions)", "failed: link"]),
        ("permissions = ['tables']", 10, &[lacks, "the driver's grant lacks tables: neighbours"]),
    ];
    let folder = folder();
    let miss = |(text, code, says): &(&str, i32, &[&str])| {
        std::fs::write(folder.path().join("g.toml"), text).unwrap();
        miss(folder.path(), "driver test f.wasm --fake --check link --grant g.toml", *code, says)
    };
    none(table.iter().map(miss).collect());
}

#[test]
fn in_the_component_and_on_the_command_line() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("text.wasm", b"hello");
    write("core.wasm", b"\0asm\x01\0\0\0");
    write("cut.wasm", &std::fs::read(driver("bridge")).unwrap()[..5000]);
    write("empty.wasm", b"\0asm\x0d\0\x01\0");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let table: &[(&str, i32, &[&str])] = &[
        ("driver test text.wasm --fake", 7, &["text.wasm: this is no WebAssembly: a driver is a component"]),
        (
            "driver test core.wasm --fake",
            7,
            &["core.wasm: this is a core module and no component: build it for a target"],
        ),
        ("driver test cut.wasm --fake", 7, &["cut.wasm: the component is damaged or cut off"]),
        (
            "driver test empty.wasm --fake",
            7,
            &["empty.wasm: the component is no driver: it does not export", "exports nothing"],
        ),
        ("driver test none.wasm --fake", 4, &["can't read none.wasm: No such file"]),
        ("driver test empty --fake", 7, &["can't read empty: it is not a regular file"]),
        ("driver test", 2, &["required arguments", "<FILE>"]),
        ("driver test f.wasm --fake --check lnk", 7, &["there is no check \"lnk\": life-ipv4,"]),
        ("driver test f.wasm --fake --parent a/b", 2, &["\"a/b\" is no interface name: 1 to 15"]),
        ("driver test f.wasm --fake --set fault", 2, &["invalid value 'fault' for '--set", "not KEY=VALUE"]),
        ("driver test f.wasm --fake --set a=1 --set a=2", 7, &["\"a\" is given more than once"]),
        (
            "driver test f.wasm --fake --set parent=eth0 --check link",
            10,
            &["no link eth0", "grant names no such parent"],
        ),
        ("driver test f.wasm --fake --set fault=names-nothing --check link", 10, &["`set-names`", "without = "]),
        ("driver test f.wasm --fake --set fault=remembers-in-memory --check link", 10, &["goes into `store`"]),
        ("driver test f.wasm --fake --set fault=decode-traps --check decode", 10, &["decode-table-entry trapped: "]),
        ("driver pack f.wasm", 4, &["there is no pontoon.toml beside f.wasm", "--manifest"]),
        ("driver pack f.wasm --manifest none.toml", 4, &["can't read none.toml"]),
        ("driver grant f.wasm --fake", 2, &["required arguments", "--record"]),
        ("driver grant f.wasm --asks pontoon.toml", 2, &["required arguments", "--record"]),
        ("driver grant f.wasm --set a=b", 2, &["required arguments", "--record"]),
        ("driver grant f.wasm --record --grant g.toml", 2, &["'--record' cannot be used with '--grant <FILE>'"]),
        ("driver dev -o parent=eth0", 2, &["required arguments", "--try"]),
        (
            "driver test f.wasm --fake --set fault=gateway-of-no-pool --check life-ipv4",
            10,
            &["join of a", "the driver's gateway fd77:0:0:1::1 is neither on the endpoint's network"],
        ),
        ("driver replay f.wasm", 7, &["f.wasm is no recording that `pontoon driver trace` wrote"]),
        ("driver replay none.json", 4, &["can't read none.json"]),
        ("driver dev none", 4, &["there is no folder none: `pontoon driver new NAME` begins a project"]),
        ("driver dev empty", 4, &["there is no Makefile in empty", "`pontoon driver new NAME`"]),
        ("driver new a/b", 2, &["\"a/b\" is no name: 1 to 64 letters"]),
    ];
    none(table.iter().map(|(line, code, says)| miss(folder.path(), line, *code, says)).collect());
}

/// What was recorded goes into the manifest's asks as well, so that the two fit; its author's lines stay.
#[test]
fn a_recorded_grant_and_the_manifests_asks_fit() {
    let folder = folder();
    let manifest = folder.path().join("pontoon.toml");
    std::fs::write(&manifest, format!("# Mine.\n{HEAD}[asks]\npermissions = ['routing']\nparents = ['eth7']\n"))
        .unwrap();
    let run = |line: &str| {
        let output = command(pontoon()).args(line.split_whitespace()).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    };
    let on = "--set parent=eth0 --parent eth0";
    run(&format!("driver grant f.wasm --record --fake {on} --to f.grant.toml --asks pontoon.toml"));
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(
        text.starts_with(&format!("# Mine.\n{HEAD}")) && !text.contains("eth7") && !text.contains("\"routing\""),
        "{text}"
    );
    assert!(text.contains("parents = [\"eth0\"]"), "{text}");
    run("driver pack f.wasm");
    run("driver test f.wasm --fake --set parent=eth0 --parent eth0 --grant f.grant.toml --check link --check mac");
}
