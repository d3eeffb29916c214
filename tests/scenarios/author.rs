//! A driver's author: `driver new`, `driver test` and `driver pack`, as commands. None asks a daemon.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use pontoon_tests::{Daemon, Namespace, Ran, command, driver, pontoon, same_at_last};
use tempfile::TempDir;

use crate::packets::address;

const MANIFEST: &str = "name = 'blue'\nversion = '1.2.0'\n[asks]\npermissions = ['links']\n";

/// The folder that all is in.
pub fn repository() -> PathBuf {
    std::fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// Runs `pontoon driver LINE` in a folder. There is no daemon where it would look for one.
fn author(folder: &TempDir, line: &str) -> Ran {
    let mut command = command(pontoon());
    command.arg("driver").args(line.split_whitespace()).current_dir(folder).env("PONTOON_SOCKET", "/nonexistent");
    Ran::of(&mut command)
}

/// Runs a command that has to succeed.
pub fn ok(command: &mut Command) -> String {
    let ran = Ran::of(command);
    assert_eq!(ran.code, 0, "{command:?}: {}\n{}", ran.out, ran.err);
    ran.out
}

/// Does in a project what its README says, with the crates that are here already: a test has no network. Answers what `make test` said.
fn built_and_tested(project: &Path) -> String {
    let in_project = |program: &str, line: &str| {
        let mut command = command(program);
        command.args(line.split_whitespace()).current_dir(project).env("PONTOON", pontoon());
        command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", repository().join("target/author"));
        ok(&mut command)
    };
    in_project("cargo", "fmt --check");
    in_project("make", "test")
}

/// The files below a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => files(&path).into_iter().chain([(path, Vec::new())]).collect::<Vec<_>>(),
        false => vec![(path.clone(), std::fs::read(path).unwrap())],
    });
    files.collect()
}

/// Has each line refused with this code, in one line that says its words, and nothing changes.
fn all_refused(folder: &TempDir, cases: &[(&str, i32, &str)]) {
    let before = files(folder.path());
    for (line, code, says) in cases {
        let ran = author(folder, line);
        assert!(ran.code == *code && ran.out.is_empty() && ran.err.contains(says), "{line}: {says}: {ran:?}");
        assert_eq!(ran.err.trim_end().lines().count(), 1, "{line}: {ran:?}");
        assert!(files(folder.path()) == before, "{line}: something changed");
    }
}

/// A folder with a driver, `blue.wasm`, that has no manifest.
fn with_a_component() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(driver("test/probe"), folder.path().join("blue.wasm")).unwrap();
    folder
}

#[test]
fn a_driver_from_nothing_to_packets() {
    let folder = tempfile::tempdir().unwrap();
    let made = author(&folder, "new my-blue");
    assert_eq!((made.code, made.out.as_str()), (0, "my-blue\n"), "{made:?}");
    let project = folder.path().join("my-blue");
    assert!(built_and_tested(&project).contains("2 passed"));
    for kernel in ["", "--fake"] {
        let ran = author(&folder, &format!("test my-blue/my-blue.wasm {kernel}"));
        assert!(ran.code == 0 && ran.out.contains(" passed, 0 failed, "), "{kernel}: {ran:?}");
        assert!(!ran.out.contains("warning"), "what it leaves to the host is no fault: {ran:?}");
    }

    let mut daemon = Daemon::stopped();
    let log = daemon.file("log");
    let mut serve = daemon.serve();
    serve.stdout(File::create(&log).unwrap()).stderr(File::options().append(true).open(&log).unwrap());
    daemon.run_as(serve);
    let before = daemon.host.dump();
    assert_eq!(daemon.ok(&format!("driver load {}/my-blue.wasm --grant-asked", project.display())), "my-blue\n");
    let details = daemon.json("driver inspect my-blue");
    assert_eq!((&details["manifest"]["name"], &details["network_type"]), (&"my-blue".into(), &"my-blue".into()));
    assert_eq!(details["manifest"]["asks"]["permissions"], serde_json::json!(["links"]));
    daemon.ok("network create -d my-blue n");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    for namespace in [&a, &b] {
        daemon.ok(&format!("endpoint attach n {}", namespace.text()));
    }
    assert!(a.pings(&address(&daemon, "n", "b", "address")));
    assert!(b.pings(&address(&daemon, "n", "a", "address")));
    for line in ["endpoint detach n a", "endpoint detach n b", "network rm n", "driver rm my-blue"] {
        let ran = daemon.cli(line);
        assert!(ran.code == 0 && ran.err.is_empty(), "{line}: {ran:?}");
    }
    same_at_last(|| daemon.host.dump(), &before);
    assert_eq!(std::fs::read_to_string(log).unwrap(), "", "nothing is amiss, and nothing is logged");
}

/// A kind of driver that there is a template for.
struct Template {
    name: &'static str,
    /// What its tests are told, and what `driver load` is.
    tested: &'static str,
    loaded: &'static str,
    /// What its network gets, and what is said without that.
    created: &'static str,
    refused: Option<&'static str>,
    /// The families in which two containers reach each other.
    reached: &'static [&'static str],
}

const TEMPLATES: &[Template] = &[
    Template {
        name: "macvlan",
        tested: "--set parent=eth0 --parent eth0",
        loaded: "",
        created: "-o parent=eth0 --subnet 10.9.0.0/24",
        refused: Some("label parent=INTERFACE"),
        reached: &["address"],
    },
    Template {
        name: "routed",
        tested: "",
        loaded: "",
        created: "--subnet 10.9.0.0/24 --ipv6 --subnet fd09::/64",
        refused: None,
        reached: &["address", "address_ipv6"],
    },
    Template {
        name: "overlay",
        tested: "--set address=192.0.2.1",
        loaded: "--set address=192.0.2.1",
        created: "--subnet 10.9.0.0/24 --ipv6 --subnet fd09::/64",
        refused: None,
        reached: &["address", "address_ipv6"],
    },
];

/// Each template by kind builds, passes its own tests and the suite on both kernels, and is attached to under the grant that it asks for.
/// They are one project, one after the other: most of the time is that of the SDK, which is built once.
#[test]
fn each_template_by_kind_works() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("my-own");
    assert_eq!(author(&folder, "new my-own").code, 0);
    for template in TEMPLATES {
        let other = format!("new my-own --path {0} --template {0}", template.name);
        assert_eq!(author(&folder, &other).code, 0);
        let other = folder.path().join(template.name);
        for file in ["src/lib.rs", "pontoon.toml", "cases.toml", "Makefile"] {
            std::fs::copy(other.join(file), project.join(file)).unwrap();
        }
        assert!(built_and_tested(&project).contains("1 passed"), "{}", template.name);
        let ran = author(&folder, &format!("test my-own/my-own.wasm {}", template.tested));
        assert!(ran.code == 0 && ran.out.contains(" passed, 0 failed, "), "{}: {ran:?}", template.name);
        attached_to(template, &project.join("my-own.wasm"));
    }
}

fn attached_to(template: &Template, component: &Path) {
    let daemon = Daemon::start();
    daemon.host.run("ip link add eth0 type veth peer name cable");
    for link in ["eth0", "cable"] {
        daemon.host.run(&format!("ip link set {link} up"));
    }
    daemon.ok(&format!("driver load {} --grant-asked {}", component.display(), template.loaded));
    if let Some(says) = template.refused {
        assert!(daemon.refused(7, "network create -d my-own n").contains(says));
    }
    daemon.ok(&format!("network create -d my-own n {}", template.created));
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    for namespace in [&a, &b] {
        daemon.ok(&format!("endpoint attach n {}", namespace.text()));
    }
    for family in template.reached {
        assert!(a.pings(&address(&daemon, "n", "b", family)), "{}: {family}", template.name);
    }
    for line in ["endpoint detach n a", "endpoint detach n b", "network rm n", "driver rm my-own"] {
        daemon.ok(line);
    }
}

/// What one command has compiled all commands use, unless others may have changed it. A file that is written again is another one.
#[test]
fn a_component_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(driver("null"), folder.path().join("null.wasm")).unwrap();
    let cache = folder.path().join("cache");
    let run = |line: &str, home: &[(&str, &Path)]| {
        let mut command = command(pontoon());
        command.arg("driver").args(line.split_whitespace()).current_dir(&folder);
        command.env_remove("HOME").env_remove("XDG_CACHE_HOME").envs(home.iter().copied());
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.err
    };
    let test = "test null.wasm --fake --check life-ipv4";
    let with = |line: &str| run(line, &[("XDG_CACHE_HOME", &cache)]);
    let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    assert_eq!(with(test), "");
    let [file] = &files(&cache.join("pontoon")).into_keys().collect::<Vec<_>>()[..] else { panic!("one file") };
    let number = || std::fs::metadata(file).unwrap().ino();
    let first = number();
    for line in [test, "grant null.wasm --record --fake", "bench null.wasm --fake --rounds 1 --beside null.wasm"] {
        assert_eq!((with(line).as_str(), number()), ("", first), "{line}");
    }
    let whole = std::fs::read(file).unwrap();
    let changes: &[(&str, &dyn Fn())] = &[
        ("changed", &|| std::fs::write(file, [&whole[..100], b"x", &whole[101..]].concat()).unwrap()),
        ("written by others", &|| mode(file, 0o666)),
        ("another user's", &|| chown(file, Some(65534), None).unwrap()),
    ];
    for (what, change) in changes {
        let before = number();
        change();
        assert_eq!(with(test), "");
        assert!(number() != before && std::fs::read(file).unwrap() == whole, "{what}");
    }
    // A folder that is not one's own is left alone, and what has no folder works without.
    let (before, not_kept) = (number(), "compiled code is not kept for the next time");
    std::fs::write(file, "nonsense").unwrap();
    mode(&cache.join("pontoon"), 0o777);
    assert!(with(test).contains(not_kept));
    mode(&cache.join("pontoon"), 0o700);
    chown(&cache, Some(65534), None).unwrap();
    assert!(with(test).contains(not_kept) && run(test, &[]).contains(not_kept));
    assert!(run(test, &[("HOME", Path::new("/nonexistent"))]).contains(not_kept));
    assert_eq!((number(), std::fs::read(file).unwrap()), (before, b"nonsense".to_vec()));
    assert_eq!(run(test, &[("HOME", folder.path())]), "");
    assert_eq!(files(&folder.path().join(".cache/pontoon")).len(), 1);
}

#[test]
fn packing_again_replaces_the_manifest() {
    let folder = with_a_component();
    let file = |name: &str| folder.path().join(name);
    let bare = std::fs::read(file("blue.wasm")).unwrap();
    std::fs::write(file("pontoon.toml"), MANIFEST).unwrap();
    std::fs::write(file("other.toml"), MANIFEST.replace("1.2.0", "1.3.0")).unwrap();

    let ran = author(&folder, "pack blue.wasm -o packed.wasm");
    assert_eq!((ran.code, ran.out.as_str()), (0, "packed.wasm\n"));
    assert_eq!(ran.err, "pontoon: blue 1.2.0, as pontoon.toml says\n");
    let packed = std::fs::read(file("packed.wasm")).unwrap();
    assert!(packed.starts_with(&bare) && packed.ends_with(MANIFEST.as_bytes()));
    assert!(std::fs::read(file("blue.wasm")).unwrap() == bare, "it was only read");

    std::os::unix::fs::symlink("packed.wasm", file("link.wasm")).unwrap();
    let ran = author(&folder, "pack link.wasm --manifest other.toml --output json");
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&said["file"], &said["manifest"]["version"]), (&"link.wasm".into(), &"1.3.0".into()));
    let other = std::fs::read(file("packed.wasm")).unwrap();
    assert!(other.len() == packed.len() && other.ends_with(&std::fs::read(file("other.toml")).unwrap()));
    assert_eq!(author(&folder, "pack packed.wasm").code, 0);
    assert!(std::fs::read(file("packed.wasm")).unwrap() == packed, "the same bytes again");

    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --grant-asked", file("packed.wasm").display()));
    assert_eq!(daemon.json("driver inspect packed")["manifest"]["version"], "1.2.0");
}

#[test]
fn the_manifest_beside_the_component_comes_first() {
    let folder = with_a_component();
    let file = |name: &str| folder.path().join(name);
    std::fs::create_dir(file("built")).unwrap();
    std::fs::rename(file("blue.wasm"), file("built/blue.wasm")).unwrap();
    std::fs::write(file("pontoon.toml"), MANIFEST).unwrap();
    assert_eq!(author(&folder, "pack built/blue.wasm").err, "pontoon: blue 1.2.0, as pontoon.toml says\n");
    std::fs::write(file("built/pontoon.toml"), MANIFEST.replace("1.2", "1.3")).unwrap();
    assert_eq!(author(&folder, "pack built/blue.wasm").err, "pontoon: blue 1.3.0, as built/pontoon.toml says\n");
}

#[test]
fn what_can_not_be_packed() {
    let folder = with_a_component();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    all_refused(&folder, &[("pack blue.wasm", 4, "there is no pontoon.toml beside blue.wasm and none in the current")]);
    write("pontoon.toml", MANIFEST.as_bytes());
    write("newer.toml", format!("{MANIFEST}uncles = ['eth0']\n").as_bytes());
    write("large.toml", &vec![b'#'; (64 << 10) + 1]);
    write("text.wasm", b"hello");
    write("core.wasm", b"\0asm\x01\0\0\0");
    write("none.wasm", b"\0asm\x0d\0\x01\0");
    write("empty.wasm", b"");
    let whole = std::fs::read(folder.path().join("blue.wasm")).unwrap();
    write("cut.wasm", &whole[..whole.len() / 2]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    all_refused(
        &folder,
        &[
            ("pack text.wasm", 7, "text.wasm: this is no WebAssembly"),
            ("pack core.wasm", 7, "core module and no component"),
            ("pack none.wasm", 7, "the component is no driver"),
            ("pack empty.wasm", 7, "empty.wasm is empty"),
            ("pack cut.wasm", 7, "cut.wasm: the component is damaged or cut off"),
            ("pack gone.wasm", 4, "can't read gone.wasm"),
            ("pack folder", 7, "can't read folder"),
            (
                "pack blue.wasm --manifest newer.toml",
                7,
                "newer.toml:5: unknown field `uncles`, expected one of `permissions`",
            ),
            ("pack blue.wasm --manifest large.toml", 7, "large.toml has 65537 bytes: at most 65536"),
            ("pack blue.wasm --manifest blue.wasm", 7, "blue.wasm has 65537 bytes"),
            ("pack blue.wasm --manifest gone.toml", 4, "can't read gone.toml"),
            ("pack blue.wasm -o gone/blue.wasm", 1, "can't write the packed component: gone/blue.wasm"),
            ("pack blue.wasm -o folder", 7, "can't write to folder: it is no file"),
            ("pack blue.wasm -o /dev/null", 7, "can't write to /dev/null: it is no file"),
            ("pack", 2, "<COMPONENT>"),
        ],
    );
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn what_can_not_be_begun() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("there")).unwrap();
    std::fs::write(folder.path().join("file"), "mine").unwrap();
    all_refused(
        &folder,
        &[
            ("new there", 5, "there is there already"),
            ("new blue --path there", 5, "there is there already"),
            ("new blue --path file", 5, "file is there already"),
            ("new blue --path gone/blue", 1, "can't make gone/blue"),
            ("new Blue", 2, "no name for a project"),
            ("new ../blue", 2, "is no name"),
            ("new fn", 7, "has a meaning already"),
            ("new blue --language cobol", 2, "possible values: rust, go"),
            ("new blue --template overlays", 2, "possible values: bridge, macvlan, routed, overlay"),
            ("new blue --template macvlan --language go", 7, "there is no template macvlan in go: "),
            ("new blue --template overlay --language python", 7, "there is no template overlay in python: "),
            ("new blue --template ipam", 7, "IPAM drivers are not components yet: "),
            ("new", 2, "<NAME>"),
        ],
    );
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Files of at most 1024 bytes: the first is written, the second is not.
    let mut command = command("bash");
    command.args(["-c", r#"trap '' XFSZ; ulimit -f 1; exec "$0" driver new blue"#]).arg(pontoon()).current_dir(&folder);
    let ran = Ran::of(&mut command);
    assert!(ran.code == 1 && ran.err.contains("can't write blue/src/lib.rs: File too large"), "{ran:?}");
    assert_eq!(files(folder.path()), BTreeMap::new());
    assert_eq!(author(&folder, "new blue").code, 0, "and then it works");
    let cargo = std::fs::read_to_string(folder.path().join("blue/Cargo.toml")).unwrap();
    assert!(cargo.contains("pontoon-sdk = { path = \"sdk/rust\" }\n"), "{cargo}");
}

/// What the calls of each driver cost on each kernel: by kernel, driver and function, what a call asks of the host.
fn measured(folder: &TempDir, line: &str) -> BTreeMap<(bool, String, String), u64> {
    let ran = author(folder, &format!("bench {line} --rounds 3 --output json"));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}");
    let costs: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
    let text = |cost: &serde_json::Value, field: &str| cost[field].as_str().unwrap().to_owned();
    let row = |cost: &serde_json::Value| {
        assert!(
            cost["p50"].as_u64() <= cost["p95"].as_u64() && cost["calls"].as_u64().unwrap().is_multiple_of(3),
            "{cost}"
        );
        let key = (cost["fake"].as_bool().unwrap(), text(cost, "driver"), text(cost, "function"));
        (key, cost["host_calls"].as_u64().unwrap())
    };
    costs.iter().map(row).collect()
}

#[test]
fn each_call_of_a_driver_is_measured_on_both_kernels() {
    let folder = with_a_component();
    let copy = |name: &str, to: &str| std::fs::copy(driver(name), folder.path().join(to)).unwrap();
    copy("bridge", "bridge.wasm");
    copy("test/faulty", "tables.wasm");
    std::fs::write(
        folder.path().join("pontoon.toml"),
        "name = 'tables'\nversion = '1.0.0'\n[[samples]]\ntable = 'neighbours'\nkey = 'k'\nvalue = '10.77.1.9 02:77:00:00:00:09'\n",
    )
    .unwrap();
    assert_eq!(author(&folder, "pack tables.wasm").code, 0);
    let line = "tables.wasm --beside bridge.wasm";
    let first = measured(&folder, line);
    assert_eq!(first, measured(&folder, line), "what a call asks of the host is the same in each run");
    for fake in [true, false] {
        for (name, more) in
            [("bridge", "skip-gateway-allocation"), ("tables", "event-notify"), ("tables", "decode-table-entry")]
        {
            let functions = ["create-network", "create-endpoint", "join", "program-external-connectivity"].into_iter();
            let ends = ["revoke-external-connectivity", "leave", "delete-endpoint", "delete-network", "release-ipv6"];
            for function in functions.chain(ends).chain(["endpoint-oper-info", more]) {
                let key = (fake, name.to_owned(), function.to_owned());
                assert!(first.contains_key(&key), "{key:?}: {first:#?}");
            }
        }
    }
    assert_eq!(measured(&folder, "bridge.wasm --beside bridge.wasm --fake").len(), 2 * 11);
    let ran = author(&folder, "bench bridge.wasm --fake --rounds 1");
    assert!(ran.code == 0 && ran.out.starts_with("KERNEL ") && ran.out.contains("join"), "{ran:?}");
    let wrong: &[(&str, i32, &str)] = &[
        ("bench gone.wasm --fake", 4, "can't read gone.wasm"),
        ("bench pontoon.toml --fake", 7, "pontoon.toml: this is no WebAssembly"),
        ("bench bridge.wasm --fake --rounds 0", 2, "0 is not in 1..=10000"),
        ("bench bridge.wasm --fake --beside gone.wasm", 4, "can't read gone.wasm"),
        ("bench tables.wasm --fake --set parent=eth0 --rounds 1", 7, "tables: create-endpoint of a: "),
    ];
    all_refused(&folder, wrong);
}

#[test]
fn a_grant_in_sentences() {
    let folder = with_a_component();
    for name in ["bridge", "null", "hostile"] {
        let file = repository().join("sample-drivers").join(name).join("grant.toml");
        let line = format!("explain {}", file.display());
        let (ran, again) = (author(&folder, &line), author(&folder, &line));
        assert_eq!((ran.code, &ran.out), (0, &again.out), "{name}");
        let grant: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        for permission in grant["permissions"].as_array().unwrap() {
            let start = format!("{}: it may ", permission.as_str().unwrap());
            assert_eq!(ran.out.lines().filter(|line| line.starts_with(&start)).count(), 1, "{start}{ran:?}");
        }
    }
    std::fs::write(folder.path().join("pontoon.toml"), MANIFEST).unwrap();
    std::fs::write(folder.path().join("g.toml"), "permissions = ['link']").unwrap();
    all_refused(
        &folder,
        &[
            ("explain blue.wasm", 7, "blue.wasm has no manifest, so it asks for nothing"),
            ("explain g.toml", 7, "g.toml:1: unknown variant `link`, expected one of `links`"),
            ("explain gone.toml", 4, "can't read gone.toml"),
        ],
    );
    assert_eq!(author(&folder, "pack blue.wasm").code, 0);
    let ran = author(&folder, "explain blue.wasm --output json");
    assert!(ran.out.starts_with("{\"sentences\":[\"links: it may "), "{ran:?}");
}
