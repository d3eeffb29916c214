//! `pontoon doctor` beside a dockerd.

use pontoon_tests::Machine;
use serde_json::Value;

use crate::with_every_dockerd;

with_every_dockerd!(the_doctor_finds_dockerd);

fn examined(machine: &Machine) -> (i32, Vec<Value>) {
    let ran = machine.try_pontoon("doctor --output json");
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}")))
}

#[track_caller]
fn finding<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("{check}: {findings:#?}"))
}

fn the_doctor_finds_dockerd(version: &str) {
    let mut machine = Machine::start(version);
    machine.docker("network create -d pontoon-bridge --subnet 10.31.0.0/24 n");
    machine.docker("run -d --name c1 --network n bb:1 sleep 1d");
    let (code, findings) = examined(&machine);
    assert_eq!(code, 0, "{findings:#?}");
    let dockerd = finding(&findings, "dockerd")["found"].as_str().unwrap();
    assert!(dockerd.starts_with(version), "{dockerd}");
    let rules = &finding(&findings, "firewall rules IPv4")["found"];
    assert_eq!(rules, "1 of 1 links that forward are excepted in DOCKER-USER");
    // A name of dockerd's own, and a rival for the other.
    machine.pontoon(&format!("driver load {} --name bridge", pontoon_tests::driver("bridge").display()));
    std::fs::create_dir(machine.file("plugins/pontoon-bridge")).unwrap();
    let rival = machine.file("plugins/pontoon-bridge/pontoon-bridge.sock");
    let _listener = std::os::unix::net::UnixListener::bind(rival).unwrap();
    let (code, findings) = examined(&machine);
    assert_eq!((code, &finding(&findings, "driver bridge")["status"]), (0, &"warning".into()), "{findings:#?}");
    let warned = |f: &Value| f["check"] == "plugin pontoon-bridge" && f["status"] == "warning";
    assert!(findings.iter().any(warned), "{findings:#?}");
    // A folder that dockerd does not look into.
    machine.end_pontoon("TERM");
    let mut serve = machine.serve();
    serve.arg("--plugins").arg(machine.file("elsewhere"));
    machine.run_pontoon_as(serve);
    let (code, findings) = examined(&machine);
    let found = finding(&findings, "dockerd's namespaces");
    assert_eq!((code, &found["status"]), (10, &"problem".into()), "{findings:#?}");
    machine.restart_pontoon("TERM");
    machine.docker("rm -f c1");
    machine.docker("network rm n");
    machine.end_dockerd("TERM");
    let (code, findings) = examined(&machine);
    assert_eq!((code, &finding(&findings, "dockerd")["status"]), (0, &"ok".into()), "{findings:#?}");
}
