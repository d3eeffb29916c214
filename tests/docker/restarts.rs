//! Either daemon goes and comes back, by every signal, while containers run and packets go on.

use pontoon_tests::{KilledAtEnd, Machine, Pinging, fetch, listen_tcp, outside};

use crate::containers::pings;
use crate::with_every_dockerd;

with_every_dockerd!(
    pontoon_goes_between_any_two_steps,
    dockerd_restarts,
    dockerd_is_killed,
    dockerd_restarts_and_containers_live_on,
    pontoon_is_absent_when_dockerd_boots,
    dockerd_forgets_while_pontoon_is_away,
    a_strangers_process_keeps_the_namespace_of_a_container_that_is_dead,
    sockets_are_there_before_pontoon,
    containers_come_back_after_reboots,
);

const CREATE: &str = "network create -d pontoon-bridge --ipv6 --subnet 10.31.0.0/24 --subnet fd00:31::/64 n";

/// Pings between ports of a bridge are the kernel's own business.
fn none_lost(pinging: Pinging) {
    let (sent, received) = pinging.stop();
    assert!(sent > 0 && sent - received <= 1, "{received} of {sent} pings came back; the last may be on its way");
}

fn pontoon_goes_between_any_two_steps(version: &str) {
    let mut machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    let mut signals = ["TERM", "KILL"].into_iter().cycle();
    let mut step = |machine: &mut Machine, line: &str| {
        machine.docker(line);
        machine.restart_pontoon(signals.next().unwrap());
        machine.agree();
    };
    step(&mut machine, CREATE);
    step(&mut machine, "network create -d pontoon-bridge --subnet 10.32.0.0/24 m");
    step(&mut machine, "run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    step(&mut machine, "run -d --name c2 --network n bb:1 sleep 1d");
    listen_tcp(&machine.container("c1"), 80, "hello");
    let pinging = Pinging::start(&machine.container("c2"), &machine.address("c1", "n", "IPAddress"));
    let pinging_ipv6 = Pinging::start(&machine.container("c2"), &machine.address("c1", "n", "GlobalIPv6Address"));
    for line in [
        "run -d --name c3 --network n bb:1 sleep 1d",
        "network connect m c3",
        "stop -t 0 c3",
        "start c3",
        "network disconnect n c3",
        "rm -f c3",
    ] {
        step(&mut machine, line);
        assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "after {line}");
    }
    none_lost(pinging);
    none_lost(pinging_ipv6);
    step(&mut machine, "rm -f c1");
    step(&mut machine, "rm -f c2");
    step(&mut machine, "network rm m");
    step(&mut machine, "network rm n");
    machine.is_clean(&before);
}

fn dockerd_restarts(version: &str) {
    let mut machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("run -d --name c1 --restart always --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    machine.end_dockerd("TERM");
    machine.run_dockerd(&[]);
    machine.agree();
    machine.docker("start c2");
    assert!(pings(&machine, "c2", &machine.address("c1", "n", "IPAddress")), "its forwarding is back as well");
    assert!(pings(&machine, "c2", &machine.address("c1", "n", "GlobalIPv6Address")));
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

/// It leaves endpoints that it never tells of again.
fn dockerd_is_killed(version: &str) {
    let mut machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("run -d --name c1 --restart always --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    machine.end_dockerd("KILL");
    machine.run_dockerd(&[]);
    pontoon_tests::until("c1", || machine.docker("ps -q --filter name=c1 --filter status=running").len() > 5);
    listen_tcp(&machine.container("c1"), 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "the old endpoint has not kept the port");
    // Nobody asks for it: the new dockerd is asked what it knows a while after its first word.
    pontoon_tests::until("garbage collection", || {
        let [docker, ours] = machine.known("pontoon-bridge");
        docker == ours
    });
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

fn dockerd_restarts_and_containers_live_on(version: &str) {
    let mut machine = Machine::new(version);
    machine.prepare();
    machine.run_dockerd(&["--live-restore"]);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    listen_tcp(&machine.container("c1"), 80, "hello");
    for signal in ["TERM", "KILL"] {
        let pinging = Pinging::start(&machine.container("c2"), &machine.address("c1", "n", "GlobalIPv6Address"));
        machine.end_dockerd(signal);
        assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "without dockerd");
        machine.run_dockerd(&["--live-restore"]);
        none_lost(pinging);
        assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "with dockerd again");
        assert!(pings(&machine, "c2", &machine.address("c1", "n", "IPAddress")));
        machine.agree();
    }
    // The revoke of c1's ports never comes.
    machine.remove("c1 c2");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

fn pontoon_is_absent_when_dockerd_boots(version: &str) {
    let mut machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.end_dockerd("TERM");
    machine.end_pontoon("TERM");
    machine.run_dockerd(&[]);
    let refusal = machine.try_docker("start c1").unwrap_err();
    assert!(refusal.contains("pontoon-bridge"), "{refusal}");
    machine.run_pontoon();
    machine.docker("start c1");
    assert!(machine.host.pings(&machine.address("c1", "n", "IPAddress")));
    machine.agree();
    machine.docker("rm -f c1");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

/// Its retries given up, it takes what it asked for as done.
fn dockerd_forgets_while_pontoon_is_away(version: &str) {
    let mut machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("network create -d pontoon-bridge --ipam-driver pontoon-bridge m");
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network m bb:1 sleep 1d");
    machine.docker("run -d --name c3 --network m bb:1 sleep 1d");
    machine.end_pontoon("KILL");
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.run_pontoon();
    // What is younger might be on its way in dockerd.
    std::thread::sleep(pontoon_tests::OLD_ENOUGH);
    let collected = machine.pontoon_json("gc");
    assert_eq!(collected["endpoints"].as_array().unwrap().len(), 2, "{collected}");
    machine.agree();
    machine.docker("rm -f c3");
    machine.docker("network rm m");
    machine.is_clean(&before);
    assert_eq!(machine.pontoon_json("gc")["endpoints"], serde_json::json!([]));
}

/// A debugger's `nsenter` keeps a container's namespace, and with it the links, after the container has ended and dockerd has forgotten it.
/// The container that comes back gets its port and its address all the same.
fn a_strangers_process_keeps_the_namespace_of_a_container_that_is_dead(version: &str) {
    let mut machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("network create -d pontoon-bridge --ipam-driver pontoon-bridge --subnet 10.32.0.0/24 m");
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network m --ip 10.32.0.9 -p 8081:80/udp bb:1 sleep 1d");
    let strangers = ["c1", "c2"].map(|name| {
        let mut nsenter = std::process::Command::new("nsenter");
        nsenter.arg(format!("--net={}", machine.container(name).text())).args(["--", "sleep", "1d"]);
        let stranger = KilledAtEnd(nsenter.spawn().unwrap());
        let program = format!("/proc/{}/comm", stranger.0.id());
        pontoon_tests::until("the stranger", || std::fs::read_to_string(&program).unwrap().trim() == "sleep");
        stranger
    });
    machine.end_pontoon("KILL");
    machine.end_dockerd("KILL");
    machine.run_dockerd(&[]);
    machine.run_pontoon();
    for name in ["c1", "c2"] {
        pontoon_tests::until(name, || machine.try_docker(&format!("start {name}")).is_ok());
    }
    listen_tcp(&machine.container("c1"), 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "the old endpoint has not kept the port");
    assert_eq!(machine.address("c2", "m", "IPAddress"), "10.32.0.9");
    machine.agree();
    drop(strangers);
    machine.remove("c1 c2");
    ["n", "m"].iter().for_each(|network| drop(machine.docker(&format!("network rm {network}"))));
    machine.is_clean(&before);
}

/// As systemd has it with host/dist/pontoon.socket: who connects waits until the daemon is up.
fn sockets_are_there_before_pontoon(version: &str) {
    let mut machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(CREATE);
    machine.docker("run -d --name c1 --restart always --network n -p 8080:80 bb:1 sleep 1d");
    machine.end_dockerd("TERM");
    machine.end_pontoon("TERM");
    for _ in 0..2 {
        machine.begin_pontoon_with_sockets(&["pontoon-bridge"]);
        assert!(!machine.has_begun_pontoon(), "nobody has asked yet");
        machine.run_dockerd(&[]);
        let running = "ps -q --filter name=c1 --filter status=running";
        pontoon_tests::until("c1", || !machine.docker(running).is_empty());
        assert!(machine.has_begun_pontoon(), "dockerd has asked");
        machine.agree();
        machine.end_dockerd("TERM");
        machine.end_pontoon("TERM");
        assert!(machine.plugin("pontoon-bridge").exists(), "the socket is not the daemon's to remove");
    }
    machine.run_pontoon();
    machine.run_dockerd(&[]);
    machine.docker("rm -f c1");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

/// Reboots; `make reboots` has ten.
fn reboots() -> usize {
    std::env::var("PONTOON_REBOOTS").map_or(2, |count| count.parse().unwrap())
}

/// At each boot either daemon comes first, by up to three seconds. The addresses are Pontoon's, and as many as there are containers, but for one:
/// a lease too many would show. One container has its address fixed, outside of the range from which the others get theirs.
fn containers_come_back_after_reboots(version: &str) {
    const CONTAINERS: usize = 8;
    let mut machine = Machine::start(version);
    machine.docker(
        "network create -d pontoon-bridge --ipam-driver pontoon-bridge --subnet 10.36.0.0/24 --gateway 10.36.0.1 \
         --ip-range 10.36.0.16/29 n",
    );
    machine.docker("run -d --name c1 --restart always --network n --ip 10.36.0.14 -p 8080:80 bb:1 sleep 1d");
    for number in 2..=CONTAINERS {
        machine.docker(&format!("run -d --name c{number} --restart always --network n bb:1 sleep 1d"));
    }
    for reboot in 0..reboots() {
        machine.reboot();
        let outside = outside(&machine.host);
        let chance = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_micros();
        let (pontoon_first, later) = (chance.is_multiple_of(2), chance / 2 % 3_000);
        let pause = || std::thread::sleep(std::time::Duration::from_millis(later.into()));
        println!("reboot {reboot}: {} first, by {later} ms", if pontoon_first { "Pontoon" } else { "dockerd" });
        if pontoon_first {
            machine.run_pontoon();
            pause();
            machine.begin_dockerd(&[]);
        } else {
            machine.begin_dockerd(&[]);
            pause();
            machine.run_pontoon();
        }
        machine.await_dockerd();
        let running = || machine.docker("ps -q --filter status=running").lines().count();
        pontoon_tests::until("all containers", || running() == CONTAINERS);
        pontoon_tests::until("what both know", || {
            let [docker, ours] = machine.known("pontoon-bridge");
            docker == ours && ours.len() == CONTAINERS + 1
        });
        assert_eq!(machine.address("c1", "n", "IPAddress"), "10.36.0.14");
        listen_tcp(&machine.container("c1"), 80, "hello");
        assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello");
        assert!(pings(&machine, "c2", "10.36.0.14"), "neighbours");
        machine.docker("run --rm --name last --network n bb:1 true");
    }
    for number in 1..=CONTAINERS {
        machine.docker(&format!("rm -f c{number}"));
    }
    machine.docker("network rm n");
    machine.agree();
    assert_eq!(machine.pontoon_json("network ls"), serde_json::json!([]));
}
