//! Commands that ask for what is not there, is there already, or can't be.

use std::path::Path;
use std::process::Command;

use pontoon_tests::{Daemon, Namespace};

use super::{at_rest, refused, seen, with_a_network};

const NOT_FOUND: i32 = 4;
const EXISTS: i32 = 5;
const FORBIDDEN: i32 = 6;
const INVALID: i32 = 7;
const USAGE: i32 = 2;

/// Has all refused, and nothing changes.
fn all_refused(daemon: &Daemon, cases: &[(i32, &str, &[&str])]) {
    let before = at_rest(daemon);
    for (code, line, says) in cases {
        refused(daemon, *code, line, says);
    }
    assert_eq!(seen(daemon), before);
}

#[test]
fn what_is_not_there() {
    let daemon = with_a_network();
    let a = Namespace::new("a");
    let attach = format!("endpoint attach gone {}", a.text());
    let missing = daemon.file("no.wasm");
    let load = format!("driver load {}", missing.display());
    all_refused(
        &daemon,
        &[
            (NOT_FOUND, "network inspect gone", &["no network", "gone"]),
            (NOT_FOUND, "network rm gone", &["no network", "gone"]),
            (NOT_FOUND, "network create m --driver gone", &["no driver gone", "driver load"]),
            (NOT_FOUND, "driver inspect gone", &["no driver gone"]),
            (NOT_FOUND, "driver rm gone", &["no driver gone"]),
            (NOT_FOUND, &load, &["no.wasm", "No such file"]),
            (NOT_FOUND, "endpoint detach gone", &["gone"]),
            (NOT_FOUND, "endpoint detach n gone", &["gone"]),
            (NOT_FOUND, "endpoint detach gone gone", &["gone"]),
            (NOT_FOUND, "endpoint ls gone", &["no network", "gone"]),
            (NOT_FOUND, &attach, &["no network", "gone"]),
            (NOT_FOUND, "table ls gone", &["no network", "gone"]),
            (NOT_FOUND, "table put gone t k v", &["no network", "gone"]),
            (NOT_FOUND, "table rm n t k", &["t", "k"]),
        ],
    );
    assert!(a.dump().lines().filter(|l| l.contains("link/")).count() == 1, "nothing but its loopback");
}

#[test]
fn with_several_names_all_are_tried() {
    let daemon = with_a_network();
    let ran = daemon.cli("network rm gone n other");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (NOT_FOUND, "n\n", 2), "{ran:?}");
}

#[test]
fn names_and_values_that_can_not_be_used() {
    let daemon = with_a_network();
    let a = Namespace::new("a");
    let attach = |more: &str| format!("endpoint attach n {} {more}", a.text());
    let long = format!("network create {}", "x".repeat(65));
    let (name, interface, address) =
        (attach("--name a/b"), attach("--interface 0123456789abcdef"), attach("--ip 10.300.0.1"));
    let (mac, port, outside) = (attach("--mac-address 02:00"), attach("-p 99999"), attach("--ip 192.0.2.1"));
    let range = attach("-p 90-80:80");
    all_refused(
        &daemon,
        &[
            (USAGE, "network create a/b", &["no name"]),
            (USAGE, "network create .", &["no name"]),
            (USAGE, &long, &["no name"]),
            (USAGE, "network create ä", &["no name"]),
            (USAGE, "network create m --driver a/b", &["no name"]),
            (USAGE, "driver load x.wasm --name a/b", &["no name"]),
            (INVALID, "driver load /tmp/.wasm", &["--name"]),
            (INVALID, "driver load /tmp", &["/tmp"]),
            (USAGE, &name, &["no name"]),
            (USAGE, &interface, &["--interface"]),
            (USAGE, &address, &["--ip"]),
            (USAGE, &mac, &["--mac-address"]),
            (USAGE, &port, &["--publish"]),
            (USAGE, &range, &["--publish"]),
            (INVALID, &outside, &["192.0.2.1"]),
            (USAGE, "network create m --subnet 10.0.0.0/33", &["--subnet"]),
            (INVALID, "network create m --subnet 10.0.0.0/24 --gateway 10.1.0.1", &["10.1.0.1"]),
            (USAGE, "network create m -o novalue", &["KEY=VALUE"]),
            (INVALID, "network create m -o a=1 -o a=2", &["more than once"]),
            (INVALID, "network create m -o com.docker.network.bridge.name=0123456789abcdef", &["0123456789abcdef"]),
            (INVALID, "network create m -o com.docker.network.driver.mtu=1", &["mtu"]),
            (INVALID, "table put n a/b k v", &["table's name", "without '/'"]),
            (USAGE, "network", &["requires a subcommand"]),
            (USAGE, "network destroy n", &["destroy"]),
            (USAGE, "network ls --colour", &["--colour"]),
        ],
    );
}

#[test]
fn what_is_there_already_or_in_use() {
    let daemon = with_a_network();
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok("network create --subnet 10.77.0.0/16 taken");
    daemon.ok("table put taken t k v --owner somebody");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    let subnet = "network create m --subnet 10.77.8.0/24";
    let load = format!("driver load {}", pontoon_tests::driver("bridge").display());
    let again = format!("endpoint attach n {}", a.text());
    let (port, name) =
        (format!("endpoint attach n {} -p 8080:80", b.text()), format!("endpoint attach n {} --name a", b.text()));
    let bare = b.settled();
    all_refused(
        &daemon,
        &[
            (EXISTS, "network create n", &["there is a network n already"]),
            (EXISTS, &load, &["bridge is loaded already", "--name"]),
            (EXISTS, subnet, &["10.77.8.0/24", "taken"]),
            (EXISTS, &again, &["endpoint a already"]),
            (EXISTS, &name, &["endpoint a already", "--name"]),
            (EXISTS, &port, &["8080"]),
            (FORBIDDEN, "driver rm bridge", &["serves the network", "first"]),
            (FORBIDDEN, "network rm n", &["1 endpoints", "first"]),
            (FORBIDDEN, "table put taken t k w --owner other", &["somebody"]),
        ],
    );
    assert_eq!(b.settled(), bare);
    daemon.ok(&format!("endpoint detach {}", a.text()));
    daemon.ok("network rm n taken");
    daemon.ok("driver rm bridge");
}

#[test]
fn what_is_no_namespace_of_a_container() {
    let daemon = with_a_network();
    let place = |name: &str| daemon.file(name).to_str().unwrap().to_owned();
    std::fs::write(place("file"), "").unwrap();
    std::fs::create_dir(place("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(place("fifo")).status().unwrap().success());
    std::os::unix::fs::symlink("/nowhere", place("dangling")).unwrap();
    let mount = format!("/proc/{}/ns/mnt", std::process::id());
    let own = format!("/proc/{}/ns/net", daemon.pid());
    let attach = |path: &str| format!("endpoint attach n {path} --name e");
    let host = daemon.host.path().to_str().unwrap().to_owned();
    all_refused(
        &daemon,
        &[
            (INVALID, &attach(&place("file")), &["no network namespace", "regular file"]),
            (INVALID, &attach(&place("folder")), &["no network namespace", "folder"]),
            (INVALID, &attach(&place("fifo")), &["no network namespace", "FIFO"]),
            (INVALID, &attach("/dev/null"), &["no network namespace", "device"]),
            (INVALID, &attach(&mount), &["another kind"]),
            (INVALID, &attach(&host), &["host"]),
            (INVALID, &attach(&own), &["host"]),
            (NOT_FOUND, &attach(&place("missing")), &["missing", "No such file"]),
            (NOT_FOUND, &attach(&place("dangling")), &["dangling", "No such file"]),
            (NOT_FOUND, &attach("no-such-name"), &["/run/netns/no-such-name"]),
            (INVALID, &attach(&place("file/below")), &["file/below"]),
        ],
    );
}

#[test]
fn a_daemon_that_is_not_there() {
    let daemon = Daemon::stopped();
    refused(&daemon, 3, "network ls", &["can't reach the daemon", "pontoon.sock", "pontoon serve"]);
    std::fs::create_dir_all(daemon.socket().parent().unwrap()).unwrap();
    std::fs::write(daemon.socket(), "no socket").unwrap();
    refused(&daemon, 3, "driver ls", &["can't reach the daemon"]);
    assert!(Path::new(&daemon.socket()).is_file());
    let version = daemon.cli("version");
    assert_eq!(version.code, 0, "its own version it knows: {version:?}");
    assert!(version.out.contains("client") && !version.out.contains("daemon"), "{version:?}");
}
