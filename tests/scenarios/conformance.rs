//! The conformance suite finds what is wrong with a driver, and nothing wrong with a good one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pontoon_tests::{command, driver, pontoon};
use serde_json::Value;
use tempfile::TempDir;

/// The planted fault, the check that has to find it, the call that its message names, and a part of what it says was expected.
const FAULTS: &[[&str; 4]] = &[
    ["overlooks-errors", "faults-create", "join (after create-endpoint whose host call", "ok"],
    ["ignores-mtu", "mtu", "create-endpoint of a", "MTU 1300"],
    ["forgets-ipv6", "life-dual", "join", "a gateway of both families"],
    ["remembers-in-memory", "life-ipv4", "create-endpoint of a", "each call is a fresh instance"],
    ["deletes-once", "removals", "delete-network of a network that is not there", "ok"],
    ["makes-twice", "twice", "create-network of a network that is there", "already-exists"],
    ["ignores-mac", "mac", "create-endpoint of a", "the MAC 02:77:01:02:03:04 asked for"],
    ["sets-mac-again", "mac", "create-endpoint of a (with the MAC", "ok"],
    ["names-host-link", "link", "join of a", "the container's end"],
    ["internal-for-unknown", "unknown", "create-endpoint on a network that is not there", "not-found"],
    ["refuses-unknown-options", "unknown-options", "create-network of n (with unknown options)", "ok"],
    ["forgets-port", "ports-revoke", "revoke-external-connectivity", "as before program-external-connectivity"],
    ["doubles-rules", "ports-replace", "program-external-connectivity a second time", "as after the first time"],
    [
        "stays-connected",
        "ports-leave",
        "leave without revoke-external-connectivity",
        "as before program-external-connectivity",
    ],
    ["gateway-inside", "life-internal", "join on internal", "no gateway"],
    ["shares-state", "apart", "join of a (beside another network)", "ok"],
    ["needs-pools", "life-no-pools", "create-network of no-pools", "ok"],
    ["hears-once", "events-again", "event-notify of an entry that was created, told again", "ok, as the first time"],
    ["decode-traps", "decode", "decode-table-entry of each byte once", "an explanation, or invalid-argument"],
    ["cuts-ids", "ids", "create-endpoint of 0123456789ab", "ok"],
    [
        "remembers-others",
        "reboot",
        "create-network of first, again after a reboot",
        "the network's part of the store is empty",
    ],
    ["accepts-bad-mtu", "bad-options", "create-network with com.docker.network.driver.mtu=large", "invalid-argument"],
    ["frees-once", "allocate", "network-free a second time", "ok"],
    ["releases-all", "release-ipv6", "join of a (after release-ipv6)", "ok"],
    ["skips-by-chance", "gateways", "skip-gateway-allocation", "the same answer each time"],
    ["forgets-bridge", "reach", "create-endpoint and join of two endpoints", "a connection"],
    ["removes-all-links", "siblings", "the life of an endpoint beside another one", "as before its create-endpoint"],
    ["tells-no-json", "life-ipv4", "endpoint-oper-info of a", "JSON text for \"mac\""],
    ["names-nothing", "life-ipv4", "join of a", "the link that the container gets"],
    ["names-nothing", "link", "join of a", "`without = [\"interface\"]`"],
    ["names-nothing", "mtu", "join of a", "the link that the container gets"],
    ["names-nothing", "attach", "join of an attached namespace", "the link that the container gets"],
    ["names-nothing", "reach", "join of an attached namespace", "the link that the container gets"],
    ["removes-what-it-names", "link", "join of a", "the link"],
    ["gateway-of-no-pool", "life-ipv4", "join of a", "ok"],
    ["own-gateway", "life-ipv4", "join on ipv4", "a gateway that is another host's"],
    ["address-on-host-link", "life-ipv4", "create-endpoint and join of a", "10.77.1.2 on the container's link alone"],
    ["forgets-ipv6-at-leave", "ports-leave", "leave without revoke", "as before program-external-connectivity"],
    ["keeps-rules", "ports-revoke", "revoke-external-connectivity", "ok"],
    ["routes-once", "rejoin", "join of a (again, after leave)", "the same as the first time"],
    ["leave-removes-link", "rejoin", "leave of a", "as before join"],
    ["keeps-record", "again", "create-endpoint of a (round 1", "ok"],
    ["joins-unknown", "unknown", "join of an endpoint that is not there", "not-found"],
    ["tells-of-unknown", "unknown", "endpoint-oper-info of an endpoint that is not there", "not-found"],
    ["internal-for-taken", "twice", "create-endpoint of an endpoint that is there", "already-exists"],
    ["internal-for-bad-mtu", "bad-options", "create-network with com.docker", "invalid-argument"],
    ["one-endpoint", "siblings", "the life of an endpoint beside another one", "as before its create-endpoint"],
    ["same-mac", "link", "create-endpoint of b", "ok"],
    ["names-after-network", "link", "create-endpoint of b", "ok"],
    ["takes-another-port", "ports-taken", "with a port of another endpoint's", "an error"],
    ["publishes-nothing", "ports-taken", "with port 8080 to publish", "`without = [\"ports\"]`"],
    ["releases-nothing", "release-ipv6", "program-external-connectivity after release-ipv6", "IPv4 alone"],
    ["refuses-ipv6", "life-ipv6", "create-network of ipv6", "says in pontoon.toml what it is without"],
    ["one-network", "apart", "create-network of second (beside another network)", "several-networks"],
    ["watches-nothing", "events", "create-network of n", "`table-event-register`"],
    [
        "shares-entries",
        "events-apart",
        "(neighbours: conformance-key = ",
        "the other network has one with the same key",
    ],
    ["refuses-updates", "events", "event-notify of an entry that was updated", "ok"],
    ["forgets-once", "events-again", "an entry that was deleted, told again", "ok, as the first time"],
    ["explains-nothing", "decode", "decode-table-entry of an entry of its own (neighbours: ", "ok"],
];

/// A run of `pontoon driver test`, which has to leave its folder for temporary files empty.
pub struct Run {
    pub code: Option<i32>,
    /// One document for each check, and the summary.
    pub lines: Vec<Value>,
    junit: String,
    pub err: String,
}

impl Run {
    pub fn of(component: &Path, more: &[&str]) -> Self {
        let (temporary, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let junit = folder.path().join("junit.xml");
        let mut command = command(pontoon());
        command.args(["--output", "json", "driver", "test"]).arg(component).arg("--junit").arg(&junit).args(more);
        let output = command.env("TMPDIR", temporary.path()).output().unwrap();
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let out = String::from_utf8(output.stdout).unwrap();
        Self {
            code: output.status.code(),
            lines: out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            junit: std::fs::read_to_string(junit).unwrap_or_default(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The checks, but for the summary, which ended like this.
    pub fn ended<'a>(&'a self, result: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["result"] == result)
    }
}

/// No check fails.
pub fn passes(component: &Path) -> Run {
    let run = Run::of(component, &["--strict"]);
    let failed: Vec<_> = run.ended("failed").collect();
    assert!(failed.is_empty() && run.code == Some(0), "{}: {failed:#?} {}", component.display(), run.err);
    run
}

/// No check is skipped but those of parts that a bridge does not export.
pub fn passes_as_a_bridge(component: &Path) -> Run {
    let run = passes(component);
    let skipped: Vec<_> = run.ended("skipped").filter(|line| !line["reason"].to_string().contains("export")).collect();
    assert!(skipped.is_empty() && run.ended("passed").count() > 30, "{}: {:#?}", component.display(), run.lines);
    run
}

#[test]
fn bridge_passes() {
    let run = passes_as_a_bridge(&driver("bridge"));
    let summary = run.lines.last().unwrap();
    assert_eq!((&summary["driver"], &summary["failed"]), (&"bridge".into(), &0.into()));
    let cases = run.junit.matches("<testcase classname=\"bridge\"").count();
    assert_eq!(cases, run.lines.len() - 1, "{}", run.junit);
    assert!(run.junit.contains("failures=\"0\"") && run.junit.contains("<skipped message="), "{}", run.junit);
}

/// It makes no links, as its manifest says, and the checks that need one say so.
#[test]
fn null_passes() {
    let run = passes(&driver("null"));
    let skipped = run.ended("skipped").find(|line| line["check"] == "mtu").unwrap();
    let reason = skipped["reason"].as_str().unwrap();
    assert_eq!(reason, "the driver's manifest says that it is without interface");
}

/// Nor does this one, whose containers use the host's network.
#[test]
fn host_passes() {
    let run = passes(&driver("host"));
    assert!(run.ended("passed").count() > 5 && run.ended("skipped").any(|line| line["check"] == "link"));
}

#[test]
fn the_driver_with_no_fault_passes_all() {
    let run = passes(&driver("test/faulty"));
    // `test/pools` has that part, and passes: `ipam::the_suite_has_checks_for_the_part`.
    let other = |line: &&Value| line["reason"] != "the driver does not export ipam";
    assert_eq!(run.ended("skipped").filter(other).collect::<Vec<_>>(), [&Value::Null; 0]);
}

/// The same driver whose author does not say what it is without: nothing is skipped because of what it does.
#[test]
fn nothing_is_skipped_that_the_author_did_not_declare() {
    let folder = TempDir::new().unwrap();
    let (manifest, component) = (folder.path().join("pontoon.toml"), folder.path().join("null.wasm"));
    std::fs::copy(driver("null"), &component).unwrap();
    let without = |what: &str| {
        let text = format!("name = 'null'\nversion = '1.0.0'\nwithout = [{what}]\n[asks]\npermissions = ['store']\n");
        std::fs::write(&manifest, text).unwrap();
        let packed = command(pontoon()).args(["driver", "pack"]).arg(&component).output().unwrap();
        assert!(packed.status.success(), "{packed:?}");
        let run = Run::of(&component, &[]);
        let skipped = run.ended("skipped").filter(|line| !line["reason"].to_string().contains("export")).count();
        (run.ended("failed").map(|line| line["check"].to_string()).collect::<Vec<_>>(), skipped)
    };
    let (failed, skipped) = without("");
    for check in ["life-ipv4", "link", "mac", "mtu", "attach", "reach", "unknown", "twice", "apart", "rejoin"] {
        assert!(failed.contains(&format!("{check:?}")), "{check} is not in {failed:?}");
    }
    assert_eq!(skipped, 0);
    let (failed, skipped) = without("'interface', 'records', 'several-networks'");
    assert!(failed.is_empty() && skipped > 5, "{failed:?} {skipped}");
}

/// A driver that does not take all families says so, and is tested with the others.
#[test]
fn families_that_a_driver_is_without_are_its_authors_to_declare() {
    let folder = TempDir::new().unwrap();
    let component = folder.path().join("faulty.wasm");
    std::fs::copy(driver("test/faulty"), &component).unwrap();
    let manifest = "name = 'faulty'\nversion = '1.0.0'\nwithout = ['ipv6']\n";
    std::fs::write(folder.path().join("pontoon.toml"), manifest).unwrap();
    command(pontoon()).args(["driver", "pack"]).arg(&component).output().unwrap();
    let run = Run::of(&component, &["--set", "fault=refuses-ipv6", "--fake"]);
    let of_ipv6 = |line: &&Value| line["reason"].to_string().contains("without ipv6");
    let mut skipped: Vec<_> =
        run.ended("skipped").filter(of_ipv6).map(|line| line["check"].as_str().unwrap()).collect();
    skipped.sort_unstable();
    assert!(run.ended("failed").next().is_none() && run.code == Some(0), "{:?}", run.lines);
    assert_eq!(skipped, ["faults-release", "life-dual", "life-ipv6", "release-ipv6"]);
}

/// A driver whose links lie on one of the host's gets such a link in each world, on both kernels.
#[test]
fn a_parent_is_made_in_each_world() {
    let on = ["--set", "parent=eth0", "--parent", "eth0"];
    for kernel in [&[][..], &["--fake"]] {
        let run = Run::of(&driver("test/faulty"), &[&on[..], kernel].concat());
        let failed: Vec<_> = run.ended("failed").collect();
        assert!(failed.is_empty() && run.code == Some(0), "{kernel:?}: {failed:#?} {}", run.err);
    }
    let run = Run::of(&driver("test/faulty"), &["--set", "parent=eth0", "--check", "link", "--fake"]);
    let got = run.ended("failed").next().unwrap()["failure"]["got"].to_string();
    assert!(got.contains("no link eth0"), "{got}");
}

/// The author's samples come to the driver, and what it refuses of them is shown with key and value.
#[test]
fn tables_are_checked_with_the_authors_samples() {
    let folder = TempDir::new().unwrap();
    let component = folder.path().join("faulty.wasm");
    std::fs::copy(driver("test/faulty"), &component).unwrap();
    let sample =
        |key: &str| format!("[[samples]]\ntable = 'neighbours'\nkey = '{key}'\nvalue = '10.77.1.9 of {key}'\n");
    let manifest = format!("name = 'faulty'\nversion = '1.0.0'\n{}{}", sample("one"), sample("two"));
    std::fs::write(folder.path().join("pontoon.toml"), manifest).unwrap();
    command(pontoon()).args(["driver", "pack"]).arg(&component).output().unwrap();
    let checks = ["events", "events-again", "events-apart", "events-failing", "decode"].map(|check| ["--check", check]);
    let run = Run::of(&component, &[&["--fake"], checks.as_flattened()].concat());
    assert_eq!((run.code, run.ended("passed").count()), (Some(0), 5), "{:?}", run.lines);
    let run = Run::of(&component, &["--fake", "--check", "decode", "--set", "fault=explains-nothing"]);
    let call = run.ended("failed").next().unwrap()["failure"]["call"].to_string();
    assert!(call.contains("(neighbours: one = 10.77.1.9 of one)"), "{call}");
}

/// The next build of the driver with planted faults: it remembers networks in another form.
fn next_build(folder: &TempDir) -> PathBuf {
    let (first, next) = (b"build 1 of the faulty driver", b"build 2 of the faulty driver");
    let mut component = std::fs::read(driver("test/faulty")).unwrap();
    let places: Vec<_> = (0..component.len() - first.len()).filter(|at| component[*at..].starts_with(first)).collect();
    let [place] = places[..] else { panic!("one text says which build it is: {places:?}") };
    component[place..place + next.len()].copy_from_slice(next);
    let path = folder.path().join("next.wasm");
    std::fs::write(&path, component).unwrap();
    path
}

/// A build whose state has another form takes over what an earlier one made, or is found and named: what it misreads without a word, and what it
/// refuses to read.
#[test]
fn a_fault_that_only_the_next_build_has_is_found() {
    let folder = TempDir::new().unwrap();
    let (next, earlier) = (next_build(&folder), driver("test/faulty"));
    let run = |fault: &str, fake: &str| {
        let fault = format!("fault={fault}");
        let from = ["--upgrade-from", earlier.to_str().unwrap(), "--check", "upgrade", "--set", &fault];
        Run::of(&next, &from.into_iter().chain(fake.split_whitespace()).collect::<Vec<_>>())
    };
    for fake in ["", "--fake"] {
        let good = run("none", fake);
        assert_eq!((good.code, good.ended("passed").count()), (Some(0), 1), "{:?} {}", good.lines, good.err);
    }
    for (fault, call, expected, got) in [
        (
            "state-without-version",
            "join of a (of the earlier build)",
            "the same as from the earlier build, link ",
            "link ",
        ),
        (
            "reads-its-own-version",
            "join of a (of the earlier build)",
            "`store` has a version",
            "has version 1, and this build of the driver reads version 2",
        ),
    ] {
        let run = run(fault, "--fake");
        let failure = &run.ended("failed").next().unwrap_or_else(|| panic!("{fault}: {:?}", run.lines))["failure"];
        let says = |field: &str, part: &str| failure[field].as_str().unwrap().contains(part);
        assert!(says("call", call) && says("expected", expected) && says("got", got), "{fault}: {failure:#}");
        assert!(says("expected", "`store` has a version") && run.code == Some(10), "{fault}: {failure:#}");
    }
    // With the same build there is nothing to take over, and without an earlier one nothing to check.
    let same = Run::of(&next, &["--upgrade-from", next.to_str().unwrap(), "--check", "upgrade", "--fake"]);
    assert_eq!(same.code, Some(0), "{:?}", same.lines);
    let none = Run::of(&next, &["--check", "upgrade", "--fake"]);
    assert!(none.code == Some(7) && none.err.contains("name it with --upgrade-from"), "{}", none.err);
}

/// Some at a time: most of the time is the kernel's, which waits when links are deleted.
#[test]
fn each_planted_fault_is_found() {
    let at_once = |some: &'static [[&str; 4]]| {
        let running: Vec<_> = some.iter().map(|fault| std::thread::spawn(|| miss(fault))).collect();
        running.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    };
    let missed: Vec<_> = FAULTS.chunks(4).flat_map(at_once).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What the suite says of a planted fault, if that is not what it has to say.
fn miss([fault, check, call, expected]: &[&str; 4]) -> Option<String> {
    let run = Run::of(&driver("test/faulty"), &["--set", &format!("fault={fault}"), "--check", check]);
    let says = |line: &Value, field: &str, part: &str| line["failure"][field].as_str().unwrap().contains(part);
    match run.ended("failed").next() {
        Some(line) if says(line, "call", call) && says(line, "expected", expected) && run.code == Some(10) => None,
        other => Some(format!("{fault}: {other:?} {:?} {}", run.code, run.err)),
    }
}

/// What the host has to sweep is a warning, and a failure if one asks for it.
#[test]
fn leftovers_are_warnings() {
    let leaves = ["--set", "fault=leaves-links", "--check", "tidy"];
    let run = Run::of(&driver("test/faulty"), &leaves);
    let tidy = run.ended("passed").next().unwrap();
    assert!(tidy["warnings"][0].as_str().unwrap().contains("delete-endpoint itself leaves behind"), "{tidy}");
    assert_eq!(run.code, Some(0));
    let run = Run::of(&driver("test/faulty"), &[leaves.as_slice(), &["--strict"]].concat());
    assert_eq!((run.code, run.ended("failed").count()), (Some(10), 1));
    assert!(run.junit.contains("<failure message=\"all calls of this check"), "{}", run.junit);
}

/// On the kernel in memory the same checks pass, but for the one that needs packets, and whoever runs them is not root.
#[test]
fn on_the_fake_kernel_nobody_needs_to_be_root() {
    let folder = TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let [program, component] = ["pontoon", "bridge.wasm"].map(|name| folder.path().join(name));
    std::fs::copy(pontoon(), &program).unwrap();
    std::fs::copy(driver("bridge"), &component).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.args(["--output", "json", "driver", "test"]).arg(&component).args(more).env("TMPDIR", folder.path());
        command.output().unwrap()
    };
    let output = run(&["--fake", "--strict"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out} {}", String::from_utf8_lossy(&output.stderr));
    assert!(out.contains(r#""check":"reach","result":"skipped","reason":"the fake kernel has no packets""#), "{out}");
    let output = run(&[]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(6) && err.contains("run this as root, or with --fake"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "left behind");
}

/// A failure shows what is different in the kernel.
#[test]
fn a_failure_has_the_difference() {
    let run = Run::of(&driver("test/faulty"), &["--set", "fault=forgets-port", "--check", "ports-revoke"]);
    let failure = &run.ended("failed").next().unwrap()["failure"];
    let difference = failure["difference"].as_array().unwrap();
    assert!(difference.iter().any(|line| line.as_str().unwrap().starts_with("+ host port 8080/tcp")), "{failure:#}");
}

#[test]
fn what_is_no_driver_or_no_check_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.wasm");
    std::fs::write(&file, "no component").unwrap();
    assert_eq!(Run::of(&file, &[]).code, Some(7));
    assert_eq!(Run::of(&folder.path().join("nothing.wasm"), &[]).code, Some(4));
    let run = Run::of(&driver("null"), &["--check", "nonsense"]);
    assert!(run.code == Some(7) && run.err.contains("there is no check"), "{}", run.err);
}

/// An author's cases: a whole life on the sample bridge, and what it refuses.
const CASES: &str = r#"
[[case]]
name = "both families"
call = "create-network"
network = "blue"
pools = [{ subnet = "10.9.0.0/24", gateway = "10.9.0.254" }, { subnet = "fd09::/64" }]
effects = { links = { bridge = 1 }, addresses = ["10.9.0.254/24", "fd09::1/64"] }

[[case]]
name = "once"
call = "create-network"
network = "blue"
expect = "already-exists"

[[case]]
name = "a pair with the MAC"
call = "create-endpoint"
network = "blue"
endpoint = "web"
addresses = ["10.9.0.2/24", "fd09::2/64"]
mac = "02:00:00:00:00:09"
effects = { links = { veth = 2 } }

[[case]]
name = "gateways"
call = "join"
network = "blue"
endpoint = "web"
ports = [{ protocol = "tcp", container_port = 80, host_port = 8080, host_port_end = 8080 }]
effects = { prefix = "eth", gateways = ["10.9.0.254", "fd09::1"], routes = [] }

[[case]]
name = "published"
call = "program-external-connectivity"
network = "blue"
endpoint = "web"

[[case]]
name = "revoked"
call = "revoke-external-connectivity"
network = "blue"
endpoint = "web"

[[case]]
name = "left"
call = "leave"
network = "blue"
endpoint = "web"

[[case]]
name = "gone"
call = "delete-endpoint"
network = "blue"
endpoint = "web"
effects = { links = { veth = -2 }, nft_rules = 0 }

[[case]]
name = "nobody"
call = "join"
network = "blue"
endpoint = "nobody"
expect = "not-found"

[[case]]
name = "all gone"
call = "delete-network"
network = "blue"
effects = { links = { bridge = -1 } }

[[case]]
name = "default pools, inside"
call = "create-network"
internal = true
effects = { links = { bridge = 1 } }

[[case]]
name = "a default address"
call = "create-endpoint"

[[case]]
name = "no way out"
call = "join"
effects = { gateways = [] }

[[case]]
name = "an MTU in words"
call = "create-network"
network = "red"
options = { "com.docker.network.driver.mtu" = "large" }
expect = "invalid-argument"
message = "com.docker.network.driver.mtu"
"#;

/// Runs cases alone: the suite's checks but for one are left out.
fn with_cases(component: &Path, text: &str, more: &[&str]) -> Run {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("my-cases.toml");
    std::fs::write(&file, text).unwrap();
    Run::of(component, &[&["--check", "life-ipv4", "--cases", file.to_str().unwrap()], more].concat())
}

#[test]
fn an_authors_cases_pass_on_both_kernels() {
    for more in [&[][..], &["--fake"]] {
        let run = with_cases(&driver("bridge"), CASES, more);
        let failed: Vec<_> = run.ended("failed").collect();
        assert!(failed.is_empty() && run.code == Some(0), "{failed:#?} {}", run.err);
        assert_eq!(run.ended("passed").count(), 15, "{:#?}", run.lines);
        assert!(run.junit.contains("name=\"case: a pair with the MAC\""), "{}", run.junit);
    }
}

/// What the author expects and what came: the case, the effect, both values.
#[test]
fn an_authors_case_finds_what_is_wrong() {
    let wrong = [
        (
            "links = { veth = 2 }",
            "links = { veth = 1 }",
            "a pair with the MAC",
            "effects.links = {\"veth\": 1}",
            "{\"veth\": 2}",
        ),
        ("\"10.9.0.254/24\", \"fd09", "\"10.9.0.1/24\", \"fd09", "both families", "10.9.0.1/24", "10.9.0.254/24"),
        ("[\"10.9.0.254\", \"fd09::1\"]", "[\"10.9.0.254\"]", "gateways", "{10.9.0.254}", "fd09::1"),
        ("prefix = \"eth\"", "prefix = \"net\"", "gateways", "effects.prefix = \"net\"", "\"eth\""),
        ("nft_rules = 0", "nft_rules = -3", "gone", "effects.nft_rules = -3", "0"),
        ("expect = \"not-found\"", "expect = \"forbidden\"", "nobody", "forbidden", "not-found: "),
        ("expect = \"already-exists\"", "", "once", "ok", "already-exists: "),
        ("message = \"com.docker", "message = \"net.docker", "an MTU in words", "\"net.docker", "invalid-argument: "),
        ("gateways = []", "gateways = [\"10.77.1.1\"]", "no way out", "{10.77.1.1}", "{}"),
    ];
    for (good, bad, case, expected, got) in wrong {
        let run = with_cases(&driver("bridge"), &CASES.replacen(good, bad, 1), &["--fake"]);
        let failed: Vec<_> = run.ended("failed").collect();
        assert!(failed.len() == 1 && run.code != Some(0), "{bad}: {failed:#?} {}", run.err);
        let failure = &failed[0]["failure"];
        assert_eq!(failed[0]["check"], format!("case: {case}"));
        let says = |field: &str, part: &str| failure[field].as_str().unwrap().contains(part);
        assert!(says("call", case) && says("expected", expected) && says("got", got), "{bad}: {failure:#?}");
    }
}

/// The same file with drivers that have a fault: the case that meets it is named, and what follows on that network is left out.
#[test]
fn an_authors_case_finds_a_drivers_fault() {
    // The one without a fault passes all, but that its joins have a route.
    let cases = CASES.replacen(", routes = []", ", routes = [\"169.254.7.0/24\"]", 1);
    let failed = |fault: &str| {
        let run = with_cases(&driver("test/faulty"), &cases, &["--fake", "--set", &format!("fault={fault}")]);
        let of_case = |line: &&Value| line["check"].as_str().unwrap().starts_with("case: ");
        let skipped = run.ended("skipped").filter(of_case).count();
        (run.ended("failed").filter(of_case).cloned().collect::<Vec<_>>(), skipped)
    };
    assert_eq!(failed("none"), (Vec::new(), 0));
    for (fault, case, expected) in [
        ("forgets-ipv6", "gateways", "effects.gateways"),
        ("makes-twice", "once", "already-exists"),
        ("joins-unknown", "nobody", "not-found"),
        ("sets-mac-again", "a pair with the MAC", "ok"),
        ("gateway-inside", "no way out", "effects.gateways"),
        ("internal-for-bad-mtu", "an MTU in words", "invalid-argument"),
    ] {
        let (failed, skipped) = failed(fault);
        assert_eq!(failed[0]["check"], format!("case: {case}"), "{fault}: {failed:#?}");
        assert!(failed[0]["failure"]["expected"].as_str().unwrap().contains(expected), "{fault}: {failed:#?}");
        assert_eq!(failed.len(), 1, "{fault}: {failed:#?}");
        assert_eq!(skipped > 0, case != "no way out" && case != "an MTU in words", "what follows on that network");
    }
}

#[test]
fn a_wrong_file_of_cases_is_refused_with_the_case_and_the_field() {
    let case = "[[case]]\nname = 'x'\ncall = 'join'\n";
    let many = case.repeat(501);
    let wrong = [
        ("", "missing field `case`"),
        ("case = []", "has 0 cases: 1 to 500"),
        ("[[case]]\ncall = 'join'", "missing field `name`"),
        ("[[case]]\nname = 'x'\ncall = 'jion'", ":3: unknown variant `jion`, expected one of `create-network`"),
        (&format!("{case}gateway = '10.0.0.1'"), ":4: unknown field `gateway`"),
        (
            &format!("{case}effects = {{ gateway = '10.0.0.1' }}"),
            ":4: unknown field `gateway`, expected one of `links`",
        ),
        (&format!("{case}addresses = ['10.0.0.2/24']"), "case \"x\": addresses: join has none, only create-endpoint"),
        (&format!("{case}options = {{ a = 'b' }}"), "options: join has none, only create-network and create-endpoint"),
        (
            &format!("{case}expect = 'notfound'"),
            ":4: unknown variant `notfound`, expected one of `ok`, `invalid-argument`",
        ),
        (
            &format!("{case}expect = 'not-found'\neffects = {{}}"),
            "effects: a call that answers not-found changes nothing",
        ),
        (&format!("{case}message = 'mtu'"), "message: it is a part of an error's, and `expect` names none"),
        (&format!("{case}{case}"), "two cases have the name \"x\""),
        (&format!("{case}ports = [{{ protocol = 'tcp' }}]"), ":4: missing field `container_port`"),
        ("[[case]]\nname = 'x'\ncall = 'create-network'\npools = [{ subnet = '10.0.0.0/33' }]", ":4: invalid"),
        (
            "[[case]]\nname = 'x'\ncall = 'create-network'\npools = [{ subnet = '10.0.0.0/24', gateway = '10.0.1.1' }]",
            "case \"x\": pools: the gateway lies outside of 10.0.0.0/24",
        ),
        (
            "[[case]]\nname = 'x'\ncall = 'create-endpoint'\naddresses = ['10.0.0.1/24', '10.0.0.2/24']",
            "case \"x\": addresses: 10.0.0.1/24: an endpoint has one address of each family",
        ),
        (&format!("{case}network = ''"), "case \"x\": network: \"\": 1 to 100 bytes"),
        (&many, "has 501 cases: 1 to 500"),
        (&"#".repeat((256 << 10) + 1), "it is larger than 262144 bytes"),
    ];
    for (text, says) in wrong {
        let run = with_cases(&driver("bridge"), text, &["--fake"]);
        let shown: String = text.chars().take(200).collect();
        assert!(run.code != Some(0) && run.lines.is_empty(), "{shown}: {:?}", run.lines);
        let error: Value = serde_json::from_str(&run.err).unwrap();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("my-cases.toml") && message.contains(says), "{shown}: {message}");
    }
    let missing = Run::of(&driver("bridge"), &["--fake", "--cases", "/nowhere/cases.toml"]);
    assert!(missing.code != Some(0) && missing.err.contains("/nowhere/cases.toml"), "{}", missing.err);
}

/// The file beside the component needs no naming.
#[test]
fn cases_beside_the_component_are_read_without_being_named() {
    let folder = TempDir::new().unwrap();
    let component = folder.path().join("bridge.wasm");
    std::fs::copy(driver("bridge"), &component).unwrap();
    std::fs::write(folder.path().join("cases.toml"), "[[case]]\nname = 'x'\ncall = 'delete-network'\n").unwrap();
    let run = Run::of(&component, &["--fake"]);
    assert!(run.ended("passed").any(|line| line["check"] == "case: x"), "{:#?} {}", run.lines, run.err);
    let run = Run::of(&component, &["--fake", "--check", "mtu"]);
    assert_eq!(run.ended("passed").count(), 1, "only what was named: {:#?}", run.lines);
}
