//! The controller on a kernel in memory: a driver's whole life, and what is found after a crash and after a reboot.

use pontoon_tests::{FakeBench, attach_path, create};
use serde_json::json;

/// Condemned links are deleted a moment later.
fn same_at_last(bench: &FakeBench, before: &String) {
    pontoon_tests::same_at_last(|| bench.fake.state(), before);
}

/// The switches for forwarding stay on once a network asked for them.
fn with_bridge() -> FakeBench {
    let bench = FakeBench::new();
    bench.load("bridge", "bridge");
    make_network(&bench);
    bench.wait(bench.controller().remove_network("n")).unwrap();
    pontoon_tests::until("the last of the first network", || !bench.fake.state().contains(" bridge ["));
    bench
}

fn make_network(bench: &FakeBench) {
    bench.wait(bench.controller().create_network(create("n", "bridge", &json!({"ipv6": true})))).unwrap();
}

fn attach(bench: &FakeBench, sandbox: &str, port: u16) {
    let ports = json!({"ports": [{"protocol": "tcp", "container_port": 80, "host_port": port, "host_port_end": port}]});
    bench.wait(bench.controller().attach("n", attach_path(sandbox, &ports))).unwrap();
}

#[test]
fn a_bridge_lives_and_leaves_nothing_behind() {
    let bench = with_bridge();
    let before = bench.fake.state();
    let sandboxes = ["a", "b"].map(|name| bench.sandbox(name));
    let empty = bench.fake.state();
    make_network(&bench);
    let network = bench.fake.state();
    for (sandbox, port) in sandboxes.iter().zip(8080..) {
        attach(&bench, sandbox, port);
    }
    let state = bench.fake.state();
    for wanted in
        ["link eth0 veth with", "route 0.0.0.0/0 eth0", "route ::/0 eth0", "port 8081/tcp of ::", "nft pontoon-"]
    {
        assert!(state.contains(wanted), "no {wanted} in {state}");
    }
    for endpoint in ["a", "b"] {
        bench.wait(bench.controller().detach(Some("n"), endpoint)).unwrap();
    }
    same_at_last(&bench, &network);
    bench.wait(bench.controller().remove_network("n")).unwrap();
    same_at_last(&bench, &empty);
    sandboxes.iter().for_each(|sandbox| bench.kill(sandbox));
    assert_eq!(bench.fake.state(), before);
}

#[test]
fn what_a_killed_sandbox_leaves_is_collected() {
    let bench = with_bridge();
    make_network(&bench);
    let network = bench.fake.state();
    let sandbox = bench.sandbox("a");
    attach(&bench, &sandbox, 8080);
    bench.kill(&sandbox);
    let collected = bench.wait(bench.controller().collect_garbage(None)).unwrap();
    assert_eq!(collected.endpoints, ["a of /fake/a"]);
    same_at_last(&bench, &network);
}

/// `create-network` comes again with what was asked for, and not with what the driver chose then.
#[test]
fn a_driver_that_chooses_its_pools_does_so_again_after_a_reboot() {
    let mut bench = FakeBench::new();
    bench.load("probe", "test/probe");
    let asked = json!({"no_pools": true, "options": {"probe.do": "network-info"}});
    bench.wait(bench.controller().create_network(create("n", "probe", &asked))).unwrap();
    let pools = |bench: &FakeBench| {
        let network = bench.wait(bench.controller().network("n", false)).unwrap().network;
        assert_eq!(network.state, "up");
        network.pools.iter().map(|pool| pool.subnet.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(pools(&bench), ["192.0.2.0/24"]);
    for _twice in 0..2 {
        bench.fake.reboot();
        bench.restart();
        assert_eq!(pools(&bench), ["192.0.2.0/24"]);
    }
}

#[test]
fn a_new_controller_finds_what_the_last_one_left() {
    let mut bench = with_bridge();
    make_network(&bench);
    let sandbox = bench.sandbox("a");
    let network = bench.fake.state();
    attach(&bench, &sandbox, 8080);
    let attached = bench.fake.state();
    bench.restart();
    assert_eq!(bench.fake.state(), attached, "and holds its ports again");
    bench.wait(bench.controller().detach(Some("n"), "a")).unwrap();
    same_at_last(&bench, &network);
    // Endpoints die with the machine, networks do not.
    attach(&bench, &sandbox, 8080);
    bench.fake.reboot();
    let sandbox = bench.sandbox("a");
    bench.restart();
    assert!(bench.fake.state().contains("bridge"), "{}", bench.fake.state());
    attach(&bench, &sandbox, 8080);
}
