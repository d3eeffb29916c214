//! Every limit on what a driver controls is enforced.
//!
//! `limits` and `probe.exceed` of the probe pass those that a driver written in a language can pass; components written by hand do the rest.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use operation::driver::{Granting, LoadDriver, PUT_ASIDE, READY, Signed, Source};
use pontoon::driver::aside::TRAPS;
use pontoon::driver::compile::Compiler;
use pontoon_tests::{Bench, Daemon, Namespace, attach, command, create, driver, pontoon};
use serde_json::{Value, json};
use words::limit::{CALLS, LOG_LINES, TRACED, TRAP_BYTES};
use words::{Error, Kind, Name};

use crate::interface::{join, make};

/// A deadline that a test can wait for, also on a machine under load.
const DEADLINE: Duration = Duration::from_secs(2);

fn probe() -> Bench {
    probe_within(words::limit::DEADLINE)
}

fn probe_within(deadline: Duration) -> Bench {
    let bench = Bench::with_deadline(deadline);
    bench.load("probe", "test/probe", &[("probe.in-sandbox", "yes")]);
    bench
}

fn refused(bench: &Bench, options: Value) -> Error {
    let create = create("n", "probe", &json!({"options": options}));
    bench.wait(bench.controller.create_network(create)).unwrap_err()
}

#[test]
fn sizes_numbers_and_lists_are_refused_past_their_limits() {
    let bench = probe();
    make(&bench, "n", &json!({"options": {"probe.do": "limits"}}));
    join(&bench, "n", &Namespace::new("a"), &json!({"options": {"probe.do": "limits"}}));
}

#[test]
fn what_exceeds_a_limit_of_the_call_ends_it() {
    let bench = probe();
    let (store, host) = (bench.stored(), bench.host.dump());
    for (limit, message) in [
        ("host-calls", "more than 10000 host calls"),
        ("handles", "more than 1000 handles at a time"),
        ("random", "4097 random bytes at once: at most 4096"),
        ("host-call-bytes", "too much data"),
    ] {
        let error = refused(&bench, json!({"probe.exceed": limit}));
        assert!(error.message.contains(message), "{limit}: {error}");
    }
    let error = refused(&bench, json!({"probe.allocate": "create-network"}));
    assert!(error.message.contains("it asked for more than 128 MiB of memory"), "{error}");
    assert_eq!(bench.stored(), store);
    pontoon_tests::same_at_last(|| bench.host.dump(), &host);
    // What a driver answers is limited as what it asks.
    make(&bench, "n", &json!({}));
    let a = Namespace::new("a");
    let attach = attach(&a, &json!({"options": {"probe.exceed": "answer"}}));
    let error = bench.wait(bench.controller.attach("n", attach)).unwrap_err();
    assert!(error.message.contains("endpoint-oper-info") && error.message.contains("too much data"), "{error}");
}

#[test]
fn a_trace_keeps_the_first_host_calls_and_the_count_has_all() {
    let bench = probe();
    let made = make(&bench, "n", &json!({"options": {"probe.do": "flood"}}));
    assert_eq!(made.calls.iter().map(|call| call.host_calls.len()).max(), Some(TRACED));
    let details = bench.wait(bench.controller.driver(&Name::new("probe").unwrap())).unwrap();
    let logged = details.calls.iter().find(|call| call.function == "log.log").unwrap();
    assert!(logged.count >= 300, "{logged:?}");
}

#[test]
fn a_call_logs_so_many_lines_of_so_many_bytes() {
    let mut daemon = Daemon::stopped();
    let log = daemon.file("log");
    let mut serve = daemon.serve();
    serve.stderr(std::fs::File::create(&log).unwrap());
    daemon.run_as(serve);
    daemon.ok(&format!("driver load {}", driver("test/probe").display()));
    daemon.ok("network create n -d probe -o probe.do=flood");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("line ")).collect();
    // The driver has noted something before, below the level that is shown.
    assert!((250..=LOG_LINES as usize).contains(&lines.len()), "{} lines", lines.len());
    assert_eq!(lines[0].matches('x').count(), 1024 - "line 0 ".len(), "of the longest line, 1024 bytes are kept");
}

#[test]
fn of_a_traps_backtrace_so_many_bytes_are_logged() {
    let mut daemon = Daemon::stopped();
    let log = daemon.file("log");
    let mut serve = daemon.serve();
    serve.stderr(std::fs::File::create(&log).unwrap());
    daemon.run_as(serve);
    let (name, component) = ("n".repeat(1_000), daemon.file("deep.wasm"));
    let module = format!("(func ${name} (call ${name})) (start ${name})");
    std::fs::write(&component, by_hand(&module, "(core instance (instantiate $m))")).unwrap();
    let ran = daemon.cli(&format!("driver load {}", component.display()));
    assert!(ran.code != 0 && ran.err.contains("call stack exhausted"), "{ran:?}");
    let text = std::fs::read_to_string(&log).unwrap();
    let backtrace = text.lines().find_map(|line| line.split_once("a driver trapped: ")).unwrap().1;
    // The function's name stands behind it.
    assert!((TRAP_BYTES..TRAP_BYTES + 100).contains(&backtrace.len()), "{} bytes: {backtrace}", backtrace.len());
}

#[test]
fn a_driver_that_spins_is_ended_and_holds_up_nobody_else() {
    let bench = probe_within(DEADLINE);
    make(&bench, "other", &json!({}));
    make(&bench, "n", &json!({}));
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    let begin = Instant::now();
    let spinning = bench.controller.attach("n", attach(&a, &json!({"options": {"probe.spin": "create-endpoint"}})));
    let controller = bench.controller.clone();
    let other = attach(&b, &json!({}));
    let beside = async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let attached = controller.attach("other", other).await;
        (attached, begin.elapsed())
    };
    let (spun, (attached, after)) = bench.wait(async { tokio::join!(spinning, beside) });
    attached.unwrap();
    assert!(after < DEADLINE, "another network waited {after:?}");
    let error = spun.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("create-endpoint ran past its deadline"), "{error}");
    assert!(begin.elapsed() >= DEADLINE && begin.elapsed() < 4 * DEADLINE, "{:?}", begin.elapsed());
    // A driver that spends its time in the host ends, too.
    let waiting = probe_within(Duration::from_millis(100));
    let error = refused(&waiting, json!({"probe.exceed": "deadline"}));
    assert!(error.message.contains("ran past its deadline"), "{error}");
}

#[test]
fn so_many_calls_run_at_a_time_and_the_rest_wait() {
    let bench = probe_within(DEADLINE);
    // Several drivers: one that traps ten times in a row is put aside.
    (0..8).for_each(|number| bench.load(&format!("probe{number}"), "test/probe", &[]));
    let begin = Instant::now();
    let networks = (0..CALLS + 2).map(|number| {
        let create = create(
            &format!("n{number}"),
            &format!("probe{}", number % 8),
            &json!({"no_pools": true, "options": {"probe.spin": "create-network", "probe.links": "no"}}),
        );
        let controller = bench.controller.clone();
        async move { controller.create_network(create).await }
    });
    let ended = bench.wait(async {
        let spawned: Vec<_> = networks.map(tokio::spawn).collect();
        let mut ended = Vec::new();
        for one in spawned {
            ended.push(one.await.unwrap());
        }
        ended
    });
    for error in ended.into_iter().map(Result::unwrap_err) {
        assert!(error.message.contains("ran past its deadline"), "{error}");
    }
    assert!(begin.elapsed() >= 2 * DEADLINE, "all ran at once: {:?}", begin.elapsed());
}

/// A driver by its looks: `module` is instantiated before anything can be called.
pub fn by_hand(module: &str, instances: &str) -> Vec<u8> {
    let functions = [
        "register",
        "create-network",
        "delete-network",
        "create-endpoint",
        "delete-endpoint",
        "endpoint-oper-info",
        "join",
        "leave",
    ];
    let exports: String = functions.iter().map(|name| format!("(export \"{name}\" (func $f))")).collect();
    let text = format!(
        "(component
          (core module $empty (func (export \"f\")))
          (core instance $first (instantiate $empty))
          (core module $m {module})
          {instances}
          (func $f (canon lift (core func $first \"f\")))
          (instance $driver {exports})
          (export \"pontoon:driver/driver@0.1.1\" (instance $driver)))"
    );
    wat::parse_str(text).unwrap()
}

fn load(bench: &Bench, component: Vec<u8>) -> Error {
    let load = LoadDriver {
        name: Name::new("by-hand").unwrap(),
        component,
        configuration: BTreeMap::new(),
        grant: Granting::Unsaid,
        source: Source::default(),
        signed: Signed::default(),
        allow_unsigned: false,
    };
    bench.wait(bench.controller.load_driver(load)).unwrap_err()
}

#[test]
fn components_that_take_too_much_are_refused() {
    let bench = Bench::new();
    let once = "(core instance (instantiate $m))";
    let loaded = |module: &str, instances: &str| load(&bench, by_hand(module, instances)).message;
    let within = "(memory 1) (table 20000 funcref)";
    assert!(
        loaded(within, once).contains("type"),
        "no limit is passed, only its types are wrong: {}",
        loaded(within, once)
    );
    let refusals = [
        ("(table 20001 funcref)", once.to_owned(), "table"),
        ("(memory 2049)", once.to_owned(), "memory"),
        // 100 MiB twice.
        ("(memory 1600)", once.repeat(2), "memory"),
        ("", once.repeat(64), "instances"),
        ("(memory 1)", once.repeat(9), "9 Wasm linear memories"),
        ("(table 1 funcref) (table 1 funcref)", once.to_owned(), "defined tables count of 2"),
        // What grows is asked, too: a refused growth is -1, and the start function traps.
        (
            "(table $t 1 funcref) (func $start (if (i32.eq (table.grow $t (ref.null func) (i32.const 20000)) (i32.const -1)) (then unreachable))) (start $start)",
            once.to_owned(),
            "unreachable",
        ),
        (
            "(memory 1) (func $start (if (i32.eq (memory.grow (i32.const 2048)) (i32.const -1)) (then unreachable))) (start $start)",
            once.to_owned(),
            "more than 128 MiB",
        ),
        ("(func $start (call $start)) (start $start)", once.to_owned(), "call stack exhausted"),
        ("(func $start (loop $l (br $l))) (start $start)", once.to_owned(), "deadline"),
    ];
    let bench = Bench::with_deadline(Duration::from_millis(500));
    for (module, instances, why) in refusals {
        let error = load(&bench, by_hand(module, &instances));
        assert!(error.message.contains(why), "{module} {instances}: {error}");
    }
    let mut large = by_hand(within, once);
    large.resize((64 << 20) + 1, 0);
    let error = load(&bench, large);
    assert!(error.message.contains("at most 67108864"), "{error}");
}

/// A component that takes long to compile.
pub fn bomb() -> Vec<u8> {
    let step = "(local.set 0 (i32.mul (local.get 1) (i32.add (local.get 0) (i32.const 7)))) (local.set 1 (i32.xor (local.get 0) (local.get 2)))";
    let function = format!("(func (param i32 i32 i32) (result i32) {} (local.get 0))", step.repeat(30_000));
    by_hand(&function.repeat(10), "(core instance (instantiate $m))")
}

/// The limit is lowered here, so that it need not be waited for.
#[test]
fn a_component_that_takes_too_long_to_compile_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let compiler = folder.path().join("compiler");
    std::fs::write(&compiler, format!("#!/bin/sh\nulimit -t 1\nexec {} \"$@\"\n", pontoon().display())).unwrap();
    std::fs::set_permissions(&compiler, std::fs::Permissions::from_mode(0o700)).unwrap();
    let error = Compiler::Program(compiler.clone()).compile(&bomb()).unwrap_err();
    assert!(error.message.contains("can't be compiled within 120 seconds of a CPU"), "{error}");
}

#[test]
fn the_child_that_compiles_has_limits() {
    let mut child =
        command(pontoon()).arg("compile").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let limits = || std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let begin = Instant::now();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_set = |text: &str| {
        let lines: Vec<_> = text.lines().map(words).collect();
        let limit =
            |name: &str| lines.iter().find(|l| l.join(" ").starts_with(name)).map(|l| l[3..].join(" ")).unwrap();
        limit("Max address space").contains("4294967296 4294967296")
            && limit("Max cpu time").contains("120 120")
            && limit("Max open files").contains("16 16")
    };
    while !is_set(&limits()) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", limits());
        std::thread::sleep(Duration::from_millis(10));
    }
    // It has given up all that it does not need before it reads a byte.
    let field = |name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    pontoon_tests::until("its seccomp filter", || field("Seccomp") == "2" && field("Seccomp_filters") == "2");
    assert_eq!(["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"].map(field), ["0".repeat(16).as_str(); 5]);
    assert_eq!(field("NoNewPrivs"), "1");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_driver_that_keeps_trapping_is_put_aside_and_gets_another_try() {
    let bench = probe();
    let name = Name::new("probe").unwrap();
    let state = || bench.wait(bench.controller.driver(&name)).unwrap().driver.state;
    let trap = || refused(&bench, json!({"probe.trap": "create-network"}));
    for _ in 0..TRAPS {
        assert_eq!(state(), READY);
        let error = trap();
        assert!(error.message.contains("trapped"), "{error}");
    }
    // The first time is short; on a slow machine it is over before anybody looks, and then comes a longer one.
    pontoon_tests::until("it to be put aside", || {
        let listed = bench.wait(bench.controller.drivers()).unwrap();
        let (error, state) = (trap(), state());
        let said = error.kind == Kind::Unavailable
            && error.message.contains("the driver probe: put aside: create-network trapped");
        said && state.contains("times in a row; it is called again in ") && listed[0].state.starts_with(PUT_ASIDE)
    });
    pontoon_tests::until("another try", || state() == READY);
    make(&bench, "n", &json!({}));
    // That forgave all.
    refused(&bench, json!({"probe.trap": "create-network"}));
    assert_eq!(state(), READY);
}
