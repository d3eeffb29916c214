//! `pontoon doctor` finds what stands in the way, says what to do, and changes nothing.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use pontoon_tests::{Daemon, Namespace, Ran, driver, outside, pontoon, until};
use serde_json::Value;

/// A daemon that finds no dockerd, whether one runs on this machine or not.
fn daemon() -> Daemon {
    let mut daemon = Daemon::stopped();
    start(&mut daemon);
    daemon.load("bridge");
    daemon.ok(&format!("driver load {} --name mine", driver("bridge").display()));
    daemon
}

fn start(daemon: &mut Daemon) {
    daemon.run();
}

/// What it finds: the exit code, and the findings.
fn examined(daemon: &Daemon) -> (i32, Vec<Value>) {
    let flags = ["state", "run", "plugins"].map(|name| format!("--{name} {}", daemon.file(name).display()));
    let docker = daemon.file("docker");
    let ran = daemon.cli(&format!("doctor --output json {} --docker {}", flags.join(" "), docker.display()));
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}")))
}

/// The findings that are so bad: what was looked at, and what was found.
fn bad<'a>(findings: &'a [Value], status: &str) -> Vec<(&'a str, &'a str)> {
    let text = |finding: &'a Value, key: &str| finding[key].as_str().unwrap();
    let bad = findings.iter().filter(|finding| finding["status"] == status);
    bad.map(|finding| (text(finding, "check"), text(finding, "found"))).collect()
}

/// Expects one problem, whose finding says this.
#[track_caller]
fn one_problem(daemon: &Daemon, check: &str, says: &str) {
    let (code, findings) = examined(daemon);
    let problems = bad(&findings, "problem");
    assert_eq!((code, problems.len()), (10, 1), "{findings:#?}");
    assert!(problems[0].0 == check && problems[0].1.contains(says), "{problems:?}");
    for finding in &findings {
        assert_eq!(finding["advice"].is_string(), finding["status"] != "ok", "{finding}");
    }
}

#[test]
fn all_is_well() {
    let daemon = daemon();
    daemon.ok("network create n");
    let before = daemon.host.settled();
    let (code, findings) = examined(&daemon);
    assert_eq!((code, bad(&findings, "problem"), bad(&findings, "unknown")), (0, vec![], vec![]), "{findings:#?}");
    let checks: Vec<_> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    for check in [
        "daemon",
        "driver bridge",
        "driver mine",
        "plugin folder",
        "plugin mine",
        "dockerd",
        "firewall IPv4",
        "bridge-nf IPv6",
        "forwarding IPv4",
        "kernel nftables",
        "state folder",
        "admin socket",
    ] {
        assert!(checks.contains(&check), "{check}: {checks:?}");
    }
    assert!(!checks.contains(&"plugin bridge"), "dockerd keeps that name for itself");
    assert_eq!(daemon.host.dump(), before, "nothing is changed");
    let people = daemon.ok("doctor");
    assert!(people.starts_with("STATUS") && people.contains("\nok       daemon "), "{people}");
}

#[test]
fn no_daemon() {
    let mut daemon = daemon();
    daemon.stop();
    one_problem(&daemon, "daemon", "can't reach the daemon");
    let ran = daemon.cli("doctor");
    assert!(ran.out.contains("-> start it: systemctl start pontoon"), "{ran:?}");
    // The configuration file says where to look.
    std::fs::write(daemon.file("pontoon.toml"), format!("state = '{}'\n", daemon.file("other").display())).unwrap();
    let ran = daemon.cli(&format!("doctor --config {}", daemon.file("pontoon.toml").display()));
    assert!(ran.out.contains(&format!("{}, ", daemon.file("other").display())), "{ran:?}");
    std::fs::write(daemon.file("pontoon.toml"), "staet = '/s'\n").unwrap();
    let ran = daemon.cli(&format!("doctor --config {}", daemon.file("pontoon.toml").display()));
    assert!(ran.code == 10 && ran.out.contains("pontoon.toml:1: unknown field"), "{ran:?}");
}

#[test]
fn sockets_that_nobody_listens_on() {
    let mut daemon = daemon();
    let dead = daemon.file("plugins/other.sock");
    drop(UnixListener::bind(&dead).unwrap());
    one_problem(&daemon, "plugin socket", &format!("nobody listens on {}", dead.display()));
    std::fs::remove_file(&dead).unwrap();
    // Its own, after it was killed.
    daemon.kill();
    let (_, findings) = examined(&daemon);
    let problems = bad(&findings, "problem");
    assert!(problems.iter().any(|(_, found)| found.contains("mine.sock")), "{problems:?}");
    start(&mut daemon);
    assert_eq!(examined(&daemon).0, 0);
    // Gone under the daemon's hands.
    std::fs::remove_file(daemon.file("plugins/mine.sock")).unwrap();
    one_problem(&daemon, "plugin mine", "does not answer: No such file");
}

#[test]
fn a_plugin_folder_that_others_can_write_to() {
    let daemon = daemon();
    let folder = daemon.file("plugins");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    one_problem(&daemon, "plugin folder", "everybody can write to");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&folder, Some(1000), None).unwrap();
    one_problem(&daemon, "plugin folder", "the user 1000 can write to");
}

#[test]
fn firewalls_that_pontoon_does_not_change() {
    let daemon = daemon();
    let warned = |check: &str, says: &str| {
        let (code, findings) = examined(&daemon);
        let warnings = bad(&findings, "warning");
        assert!(warnings.iter().any(|(c, found)| *c == check && found.contains(says)), "{findings:#?}");
        assert_eq!(code, 0, "{findings:#?}");
    };
    daemon.host.run("ip6tables-legacy -P FORWARD DROP");
    warned("firewall IPv6", "legacy iptables");
    daemon.host.run("nft add table inet mine");
    daemon.host.run("nft add chain inet mine pass { type filter hook forward priority 0 ; policy drop ; }");
    warned("firewall nftables", "the chain inet mine pass drops");
    daemon.host.run("nft add table inet firewalld");
    warned("firewalld", "its rules are in force");
}

/// What doctor warns of firewalls where these rules are on the host.
fn warned_of(daemon: &Daemon, rules: &str) -> Vec<(String, String, String)> {
    let rules = rules.replace("; ", "\n").replace('}', "\n}\n");
    let loaded = daemon.host.try_run_script(&format!("nft -f - <<'END'\n{rules}\nEND"));
    assert!(loaded.status.success(), "{loaded:?}");
    let (code, findings) = examined(daemon);
    assert_eq!(code, 0, "{findings:#?}");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let is_firewall = |finding: &&Value| finding["check"].as_str().is_some_and(|check| check.starts_with("firewall"));
    let warnings = findings.iter().filter(|finding| finding["status"] == "warning").filter(is_firewall);
    warnings.map(|finding| (text(finding, "check"), text(finding, "found"), text(finding, "advice"))).collect()
}

#[test]
fn rules_that_reject_what_is_forwarded() {
    let daemon = daemon();
    let outside = outside(&daemon.host);
    daemon.ok("network create --ipv6 n");
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    assert_eq!(warned_of(&daemon, ""), []);
    until("the way out", || a.pings("192.0.2.2") && a.pings("2001:db8::2"));
    let own = "table inet fw {
        chain f {
            type filter hook forward priority 10;
            ct state established,related accept; ct status dnat accept; reject with icmpx admin-prohibited; } }";
    let warnings = warned_of(&daemon, own);
    let [(check, found, advice)] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        check == "firewall nftables" && found.contains("the chain inet fw f drops or rejects by a rule"),
        "{found}"
    );
    // What it says to do works.
    let bridge = daemon.host.run("ip -br link show type bridge").split_whitespace().next().unwrap().to_owned();
    assert!(!a.pings("192.0.2.2") && advice.contains("nft insert rule inet fw f iifname LINK accept"), "{advice}");
    daemon.host.run(&format!("nft insert rule inet fw f iifname {bridge} accept"));
    daemon.host.run(&format!("nft insert rule inet fw f oifname {bridge} accept"));
    assert!(a.pings("192.0.2.2") && a.pings("2001:db8::2") && outside.pings("192.0.2.1"));
    let firewallds = "delete table inet fw
        table inet firewalld {
            chain filter_FWD_public { reject with icmpx admin-prohibited; }
            chain filter_FORWARD_ZONES { iifname eth0 goto filter_FWD_public; goto filter_FWD_public; }
            chain filter_FORWARD {
                type filter hook forward priority 10;
                ct state established,related accept; ct status dnat accept; iifname lo accept
                jump filter_FORWARD_ZONES
                reject with icmpx admin-prohibited; } }";
    let warnings = warned_of(&daemon, firewallds);
    let [(check, found, advice)] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(check == "firewalld" && advice.contains("--zone=trusted"), "{warnings:?}");
    assert!(
        found.contains("the chain inet firewalld filter_FORWARD ") && found.contains("filter_FWD_public"),
        "{found}"
    );
    // A rule that is not for what Pontoon's networks send.
    let others = "delete table inet firewalld
        table ip6 fw { chain f { type filter hook forward priority 0; iifname eth0 oifname eth0 drop; tcp dport 25 drop; } }";
    assert_eq!(warned_of(&daemon, others), []);
    assert!(a.pings("192.0.2.2"));
}

#[test]
fn rules_in_the_hosts_firewall() {
    let daemon = daemon();
    let _outside = outside(&daemon.host);
    daemon.ok("network create n");
    daemon.host.run("iptables-nft -P FORWARD DROP");
    let (code, findings) = examined(&daemon);
    let found = findings.iter().find(|finding| finding["check"] == "firewall rules IPv4").unwrap();
    assert_eq!((code, &found["found"]), (0, &"1 of 1 links that forward are excepted in FORWARD".into()));
}

#[test]
fn a_driver_that_cannot_be_called() {
    let mut daemon = daemon();
    daemon.load("null");
    daemon.stop();
    for entry in std::fs::read_dir(daemon.file("state/components")).unwrap() {
        let path = entry.unwrap().path();
        if std::fs::read(&path).unwrap() == std::fs::read(driver("null")).unwrap() {
            std::fs::write(path, "changed").unwrap();
        }
    }
    start(&mut daemon);
    one_problem(&daemon, "driver null", "the component was changed");
    daemon.load("null");
    assert_eq!(examined(&daemon).0, 0);
}

#[test]
fn whoever_is_not_root() {
    let mut daemon = daemon();
    // The program's own folder is not for everybody.
    let program = daemon.file("pontoon");
    std::fs::copy(pontoon(), &program).unwrap();
    std::fs::set_permissions(daemon.file(""), Permissions::from_mode(0o755)).unwrap();
    let socket = daemon.socket();
    let nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program).arg("doctor");
        command.args(["--output", "json", "--socket"]).arg(&socket);
        let ran = command.output().unwrap();
        let findings: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap();
        (ran.status.code().unwrap(), findings)
    };
    let (code, findings) = nobody();
    assert_eq!(code, 0, "{findings:#?}");
    let unknown = bad(&findings, "unknown");
    for check in ["daemon", "firewall", "kernel features"] {
        assert!(unknown.iter().any(|(c, _)| *c == check), "{check}: {unknown:?}");
    }
    assert!(
        findings.iter().filter(|f| f["status"] == "unknown").all(|f| f["advice"] == "run `pontoon doctor` as root")
    );
    daemon.stop();
    assert_eq!(nobody().0, 10, "that there is none, everybody can see");
}

#[test]
fn another_program_on_the_socket() {
    let daemon = Daemon::stopped();
    std::fs::create_dir(daemon.file("run")).unwrap();
    let listener = UnixListener::bind(daemon.socket()).unwrap();
    std::thread::spawn(move || drop(listener.accept()));
    let Ran { code, out, .. } = daemon.cli("doctor");
    assert!(code == 10 && out.contains("broke the connection off"), "{out}");
}

#[test]
fn a_network_whose_packets_are_too_large_for_the_way_out() {
    let daemon = daemon();
    let _outside = outside(&daemon.host);
    daemon.ok("network create n");
    daemon.ok("network create --internal shut");
    let mtu = || {
        let (_, findings) = examined(&daemon);
        findings.into_iter().find(|finding| finding["check"] == "MTU").unwrap()
    };
    assert_eq!(mtu()["status"], "ok");
    daemon.host.run("ip link set eth0 mtu 1400");
    let found = mtu();
    assert!(found["status"] == "warning" && found["found"].as_str().unwrap().ends_with("have more: n"), "{found}");
    assert!(found["advice"].as_str().unwrap().contains("make them again"), "{found}");
    daemon.ok("network rm n");
    daemon.ok("network create n");
    assert_eq!(mtu()["status"], "ok");
}
