//! Components that are no drivers for this host.

use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, driver};

use super::made::{component, of_draft, trapping};
use super::{at_rest, refused, seen, with_a_network};

/// A file in the daemon's folder.
fn file(daemon: &Daemon, name: &str, bytes: &[u8]) -> String {
    let path = daemon.file(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Has each component refused as invalid, with a line that says its words, and nothing changes.
fn all_refused(cases: &[(&str, Vec<u8>, &[&str])]) {
    let mut daemon = with_a_network();
    let before = at_rest(&daemon);
    for (name, bytes, says) in cases {
        let path = file(&daemon, &format!("{name}.wasm"), bytes);
        refused(&daemon, 7, &format!("driver load {path}"), says);
        assert_eq!(seen(&daemon), before, "{name}");
    }
    daemon.restart();
    assert_eq!(seen(&daemon), before, "after a restart");
}

#[test]
fn what_is_no_component() {
    all_refused(&[
        ("text", b"hello, this is a driver\n".to_vec(), &["no WebAssembly"]),
        ("empty", Vec::new(), &["is empty"]),
        ("elf", std::fs::read("/bin/true").unwrap(), &["no WebAssembly"]),
        ("magic", b"\0asm".to_vec(), &["cut off"]),
        ("core", b"\0asm\x01\0\0\0".to_vec(), &["core module", "no component"]),
        ("compiled", [b"\0asm\x0d\0\x01\0".as_slice(), b"\0\x7felf"].concat(), &["damaged or cut off"]),
        ("bare", b"\0asm\x0d\0\x01\0".to_vec(), &["does not export pontoon:driver/driver@0.1.1", "exports nothing"]),
    ]);
}

#[test]
fn compiled_code_of_wasmtime_is_not_taken_from_outside() {
    let daemon = with_a_network();
    let compiled = super::files(&daemon.file("state/compiled")).into_values().next().unwrap();
    let before = at_rest(&daemon);
    let path = file(&daemon, "compiled.wasm", &compiled);
    refused(&daemon, 7, &format!("driver load {path}"), &["no WebAssembly"]);
    assert_eq!(seen(&daemon), before);
}

#[test]
fn components_of_another_world_or_version() {
    let world = |text: &str| component(text, &[], &[]);
    let next = "package pontoon:driver@0.2.0;\ninterface driver { register: func() -> u32; }\ninterface table-watcher { watch: func(); }";
    all_refused(&[
        ("other", world("world test { export greet: func() -> string; }"), &["no driver", "(it exports greet)"]),
        ("none", world("world test {}"), &["no driver", "exports nothing"]),
        (
            "partial",
            world("world test { include table-watcher-part; }"),
            &["does not export pontoon:driver/driver@0.1.1", "table-watcher"],
        ),
        (
            "imports-next",
            component("world test { include driver-part; }", &[("driver@0.1.1", "driver@0.2.0")], &[]),
            &["built for", "@0.2.0", "pontoon:driver@0.1.1"],
        ),
        (
            "exports-next",
            component("world test { export pontoon:driver/driver@0.2.0; }", &[], &[next]),
            &["built for", "pontoon:driver/driver@0.2.0", "pontoon:driver@0.1.1"],
        ),
        (
            "part-of-next",
            component("world test { include driver-part; export pontoon:driver/table-watcher@0.2.0; }", &[], &[next]),
            &["built for", "pontoon:driver/table-watcher@0.2.0"],
        ),
        (
            "unknown-part",
            world(
                "interface packet-watcher { watch: func(); }\nworld test { include driver-part; export packet-watcher; }",
            ),
            &["exports", "pontoon:driver/packet-watcher@0.1.1", "no part"],
        ),
    ]);
}

#[test]
fn imports_that_the_host_does_not_offer() {
    let environment = "package wasi:cli@0.2.0;\ninterface environment { get-arguments: func() -> list<string>; }";
    let with = |import: &str, others: &[&str]| {
        component(&format!("world test {{ include driver-part; import {import} }}"), &[], others)
    };
    all_refused(&[
        ("wasi", with("wasi:cli/environment@0.2.0;", &[environment]), &["wasi:cli/environment@0.2.0", "no WASI"]),
        ("function", with("system: func(command: string) -> u32;", &[]), &["\"system\"", "does not offer"]),
        ("instance", with("libc: interface { exit: func(code: u32); }", &[]), &["\"libc\"", "does not offer"]),
        (
            "interface",
            component(
                "interface files { open: func(path: string) -> u32; }\nworld test { include driver-part; import files; }",
                &[],
                &[],
            ),
            &["pontoon:driver/files@0.1.1", "does not have"],
        ),
        (
            "member",
            component(
                "world test { include driver-part; }",
                &[("now: func() -> u64;", "now: func() -> u64;\n sleep: func(time: u64);")],
                &[],
            ),
            &["pontoon:driver/clock@0.1.1", "sleep"],
        ),
    ]);
}

#[test]
fn a_draft_is_served_as_it_is_and_no_other() {
    let does_not_fit = "does not fit the draft pontoon:driver@0.2.0-draft";
    all_refused(&[
        (
            "older",
            of_draft("0.2.0-draft", "0.2.0-draft0"),
            &["built for", "@0.2.0-draft0", "the draft pontoon:driver@0.2.0-draft: build it again"],
        ),
        (
            "released",
            of_draft("0.2.0-draft", "0.2.0"),
            &["built for", "@0.2.0\"", "pontoon:driver@0.1.1: build it again"],
        ),
        ("import", of_draft("table: option<u32>", "table: u32"), &[does_not_fit, "routes"]),
        (
            "handle",
            of_draft("addresses: func() -> list<ip-network>;", "addresses: func() -> list<ip-address>;"),
            &[does_not_fit, "requests"],
        ),
        ("export", of_draft("is-built-in: bool", "is-built-in: u32"), &["part driver", "types", "`bool`"]),
        (
            "settled",
            of_draft("pools(list<ipam-data>),", "pools(list<ipam-data>), mtu(u32),"),
            &["part driver", "types"],
        ),
    ]);
}

#[test]
fn a_wrong_type_does_not_read_as_absent() {
    let edited = |from: &str, to: &str| component("world test { include complete; }", &[(from, to)], &[]);
    all_refused(&[
        ("import-result", edited("now: func() -> u64;", "now: func() -> u32;"), &["clock", "now"]),
        ("import-argument", edited("bytes: func(count: u32)", "bytes: func(count: u64)"), &["random", "bytes"]),
        (
            "export-result",
            edited("is-built-in: bool,", "is-built-in: u32,"),
            &["part driver", "types", "expected `bool` found `u32`"],
        ),
        (
            "export-argument",
            edited("  leave: func(network: string, endpoint: string)", "  leave: func(network: string)"),
            &["part driver", "types"],
        ),
        (
            "export-missing",
            edited(
                "  @since(version = 0.1.0)\n  leave: func(network: string, endpoint: string) -> result<_, error>;",
                "",
            ),
            &["driver", "leave"],
        ),
        (
            "part-argument",
            edited("release-ipv6: func(network: string,", "release-ipv6: func(network: u32,"),
            &["part ipv6-releaser", "types", "expected `string` found `u32`"],
        ),
        (
            "part-result",
            edited("network-free: func(network: string) -> result<_, error>;", "network-free: func(network: string);"),
            &["part network-allocator", "types"],
        ),
        ("part-missing", edited("event-notify: func", "event-tell: func"), &["table-watcher", "event-notify"]),
    ]);
}

#[test]
fn the_first_call() {
    let daemon = with_a_network();
    let before = at_rest(&daemon);
    let path = file(&daemon, "trapping.wasm", &trapping());
    refused(&daemon, 7, &format!("driver load {path}"), &["first call", "register trapped"]);
    assert_eq!(seen(&daemon), before);
    let probe = driver("test/probe");
    let load = |set: &str| format!("driver load {} --set {set}", probe.display());
    for (set, says) in
        [("probe.trap=register", "trapped"), ("probe.fail=register", "trapped"), ("probe.allocate=register", "MiB")]
    {
        refused(&daemon, 7, &load(set), &["first call", says]);
        assert_eq!(seen(&daemon), before, "{set}");
    }
    refused(&daemon, 7, &load("network-type=a/b"), &["network type", "a/b"]);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| refused(&daemon, 7, &load("probe.spin=register"), &["first call", "deadline"]));
        while !spinning.is_finished() {
            let asked = Instant::now();
            daemon.ok("network ls");
            assert!(asked.elapsed() < Duration::from_secs(5), "others wait for a driver that spins");
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert_eq!(seen(&daemon), before);
    daemon.ok(&load("probe.trap=create-network"));
}

/// Loads damaged bytes: they are refused in one line, or they are as good as whole and go again.
fn survives(daemon: &Daemon, bytes: &[u8], what: &str) -> bool {
    let path = file(daemon, "damaged.wasm", bytes);
    let ran = daemon.cli(&format!("driver load {path} --grant-asked"));
    match ran.code {
        0 => drop(daemon.ok("driver rm damaged")),
        1 | 7 => assert_eq!(ran.err.trim_end().lines().count(), 1, "{what}: {ran:?}"),
        _ => panic!("{what}: {ran:?}"),
    }
    ran.code == 0
}

#[test]
fn a_component_that_is_cut_off() {
    let daemon = with_a_network();
    let before = at_rest(&daemon);
    let whole = std::fs::read(driver("bridge")).unwrap();
    let ends = (0..40).chain((1..60).map(|part| whole.len() * part / 60)).chain(whole.len() - 40..whole.len());
    for end in ends.filter(|end| *end > 0) {
        survives(&daemon, &whole[..end], &format!("cut after {end} bytes"));
    }
    assert_eq!(seen(&daemon), before);
}

#[test]
fn a_component_with_flipped_bits() {
    let daemon = with_a_network();
    let before = at_rest(&daemon);
    let whole = std::fs::read(driver("bridge")).unwrap();
    let mut loaded = 0;
    // Its header and types, byte for byte, then all over it.
    for at in (0..48).chain((1..64).map(|part| whole.len() * part / 64)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        loaded += u32::from(survives(&daemon, &bytes, &format!("a bit of byte {at} flipped")));
    }
    // A driver with a changed constant is a driver.
    println!("{loaded} of them loaded");
    assert_eq!(seen(&daemon), before);
}

#[test]
fn one_component_under_many_names_at_once() {
    let daemon = Daemon::start();
    let path = driver("bridge");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (daemon, path) = (&daemon, &path);
            scope.spawn(move || daemon.ok(&format!("driver load {} --name d{number}", path.display())));
        }
    });
    assert_eq!(super::files(&daemon.file("state/compiled")).len(), 1);
    assert_eq!(super::files(&daemon.file("state/components")).len(), 1);
    for number in 0..8 {
        daemon.ok(&format!("network create n{number} --driver d{number}"));
        daemon.ok(&format!("network rm n{number}"));
        daemon.ok(&format!("driver rm d{number}"));
    }
    assert_eq!(super::files(&daemon.file("state/compiled")).len(), 0, "the last one took the files along");
    assert_eq!(super::files(&daemon.file("state/components")).len(), 0);
}
