//! Published ports: no other endpoint, driver or program has one, and nobody else's is taken.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use pontoon_tests::{
    Bench, Daemon, KilledAtEnd, Namespace, ask_udp, attach, create, driver, fetch, listen_tcp, listen_udp, outside,
    until,
};
use serde_json::{Value, json};

use crate::restart::used_once;

const EXISTS: i32 = 5;
const NOT_FOUND: i32 = 4;
const UNAVAILABLE: i32 = 9;

/// Has a program in a namespace listen on an address, until the answer is dropped. It is a process of its own: what this one opens lives on
/// for a moment in each program that another test starts.
fn listen(namespace: &Namespace, address: impl Into<IpAddr>, port: u16) -> KilledAtEnd {
    let (family, address) = match address.into() {
        IpAddr::V4(v4) => (4, v4.to_string()),
        IpAddr::V6(v6) => (6, format!("[{v6}]")),
    };
    let line = format!("TCP{family}-LISTEN:{port},bind={address}");
    let mut nsenter = Command::new("nsenter");
    nsenter.arg(format!("--net={}", namespace.text())).args(["--", "socat", "-u", &line, "OPEN:/dev/null"]);
    let mut listening = KilledAtEnd(nsenter.spawn().unwrap());
    // State 0A is TCP_LISTEN (proc_net_tcp.rst).
    let begins = format!(":{port:04X}");
    let is_it = |line: &str| {
        line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&begins)) && line.contains(" 0A ")
    };
    let tables = ["tcp", "tcp6"].map(|table| format!("/proc/{}/net/{table}", listening.0.id()));
    while !tables.iter().any(|table| std::fs::read_to_string(table).unwrap_or_default().lines().any(is_it)) {
        assert_eq!(listening.0.try_wait().unwrap(), None, "{line} can't be listened on");
        std::thread::sleep(Duration::from_millis(2));
    }
    listening
}

/// Whether nobody could listen there.
fn is_taken(namespace: &Namespace, address: impl Into<IpAddr>, port: u16) -> bool {
    let address = address.into();
    let bound = namespace.enter(move || TcpListener::bind((address, port))).join().unwrap();
    bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

fn attach_line(network: &str, namespace: &Namespace, ports: &str) -> String {
    format!("endpoint attach {network} {} {ports}", namespace.text())
}

/// The host's ports that an endpoint has, as the bridge tells of them.
fn published(daemon: &Daemon, network: &str, endpoint: &str) -> Vec<(String, u64)> {
    let details = daemon.json(&format!("network inspect {network}"));
    let of = details["attached"].as_array().unwrap().iter().find(|e| e["name"] == endpoint).unwrap();
    let map: Value = serde_json::from_str(of["info"]["com.docker.network.portmap"].as_str().unwrap()).unwrap();
    let one = |p: &Value| (p["HostIP"].as_str().unwrap().to_owned(), p["HostPort"].as_u64().unwrap());
    map.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_port_of_another_program_is_refused_and_nothing_has_changed() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = Namespace::new("a");
    used_once(&daemon);
    let see = || (daemon.host.dump(), a.dump(), daemon.json("network inspect --verbose n"));
    let before = see();
    let v6 = Ipv6Addr::LOCALHOST;
    for address in
        [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into(), v6.into()]
    {
        let _program = listen(&daemon.host, address, 8080);
        let refusal = daemon.refused(EXISTS, &attach_line("n", &a, "-p 8081:81 -p 8080:80"));
        assert!(refusal.contains("host port 8080/tcp is in use by another program"), "{address}: {refusal}");
        pontoon_tests::same_at_last(see, &before);
    }
    let _udp = daemon.host.enter(|| UdpSocket::bind(("0.0.0.0", 53)).unwrap()).join().unwrap();
    let refusal = daemon.refused(EXISTS, &attach_line("n", &a, "-p 53:53/udp"));
    assert!(refusal.contains("host port 53/udp is in use by another program"), "{refusal}");
    listen(&daemon.host, Ipv4Addr::UNSPECIFIED, 8081);
    // A range has others, and another address has its own.
    let _program = listen(&daemon.host, v6, 8080);
    daemon.ok(&attach_line("n", &a, "-p 8080-8082:80 -p 127.0.0.1:8080:80"));
    let ports = [("0.0.0.0", 8081), ("::", 8081), ("127.0.0.1", 8080)].map(|(ip, port)| (ip.to_owned(), port));
    assert_eq!(published(&daemon, "n", "a"), ports);
}

#[test]
fn nobody_gets_what_an_endpoint_has_until_it_is_detached() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok(&format!("driver load {} --name second", driver("bridge").display()));
    for network in ["n", "m", "o --driver second"] {
        daemon.ok(&format!("network create {network}"));
    }
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok(&attach_line("n", &a, "-p 8080:80 -p 5353:53/udp -p 7000:70/sctp"));
    for network in ["n", "m", "o"] {
        for port in ["8080:80", "127.0.0.1:8080:80", "5353:53/udp", "7000:70/sctp"] {
            let refusal = daemon.refused(EXISTS, &attach_line(network, &b, &format!("-p {port}")));
            assert!(refusal.contains("is in use by an endpoint already"), "{network} {port}: {refusal}");
        }
    }
    let refusal = daemon.refused(EXISTS, &attach_line("m", &b, "-p 9090:80 -p 9090:81"));
    assert!(refusal.contains("host port 9090/tcp is in use by an endpoint already"), "{refusal}");
    assert!(is_taken(&daemon.host, Ipv4Addr::UNSPECIFIED, 8080));
    daemon.ok("endpoint detach n a");
    listen(&daemon.host, Ipv4Addr::UNSPECIFIED, 8080);
    listen(&daemon.host, Ipv4Addr::UNSPECIFIED, 9090);
    for network in ["n", "m", "o"] {
        daemon.ok(&attach_line(network, &b, "-p 8080:80 -p 5353:53/udp -p 7000:70/sctp"));
        daemon.ok(&format!("endpoint detach {network} b"));
    }
}

#[test]
fn a_port_of_the_hosts_choice_is_an_ephemeral_one() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    assert!(daemon.host.try_run_script("sysctl -qw net.ipv4.ip_local_port_range='40000 40003'").status.success());
    let _program = listen(&daemon.host, Ipv6Addr::UNSPECIFIED, 40_001);
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok(&attach_line("n", &a, "-p 80 -p 81"));
    let ports = published(&daemon, "n", "a");
    let numbers: BTreeSet<_> = ports.iter().map(|(_, port)| *port).collect();
    assert!(numbers.iter().all(|port| [40_000, 40_002, 40_003].contains(port)), "{ports:?}");
    assert!(numbers.len() == 2 && ports.len() == 4, "each on both families: {ports:?}");
    // The host can still connect from the other half.
    let refusal = daemon.refused(UNAVAILABLE, &attach_line("n", &b, "-p 80"));
    let spared = "host ports 40000-40003/tcp are all in use, but for the half of the ephemeral ports that stays free";
    assert!(refusal.contains(spared), "{refusal}");
    daemon.ok(&attach_line("n", &b, "-p 80/udp"));
}

#[test]
fn the_port_that_the_host_chose_is_told() {
    let daemon = Daemon::start();
    // The second tells nothing of its ports itself.
    for (name, component) in [("bridge", "bridge"), ("d", "test/faulty")] {
        daemon.ok(&format!("driver load {} --name {name}", driver(component).display()));
        daemon.ok(&format!("network create {name} -d {name}"));
        let a = Namespace::new("a");
        let ports = if name == "bridge" { "-p 80 -p 8080-8090:81 -p 90" } else { "-p 8080-8090:81" };
        let attached = daemon.json(&attach_line(name, &a, ports));
        let listed = daemon.json(&format!("endpoint ls {name}"));
        let inspected = daemon.json(&format!("network inspect {name}"));
        let all = [&attached["ports"], &listed[0]["ports"], &inspected["attached"][0]["ports"]];
        assert!(all[0] == all[1] && all[1] == all[2], "{all:?}");
        for binding in all[0].as_array().unwrap() {
            let number = |key: &str| u16::try_from(binding[key].as_u64().unwrap()).unwrap();
            let port = number("host_port");
            assert!(if number("container_port") == 81 { port == 8080 } else { port >= 32_768 }, "{binding}");
            assert_eq!(number("host_port_end"), 0);
            assert!(daemon.host.run("nft list ruleset").contains(&format!("dport {port} dnat")), "{port}");
            assert!(daemon.ok("endpoint ls").contains(&format!("{port}:{}/tcp", number("container_port"))));
        }
        daemon.ok(&format!("endpoint detach {name} a"));
    }
}

#[test]
fn only_addresses_that_the_host_has() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    let refusal = daemon.refused(NOT_FOUND, &attach_line("n", &a, "-p 192.0.2.77:8080:80"));
    assert!(refusal.contains("host port 8080/tcp of 192.0.2.77: the host does not have this address"), "{refusal}");
    let refusal = daemon.refused(7, &attach_line("n", &a, "-p [2001:db8::1]:8080:80"));
    assert!(refusal.contains("2001:db8::1: the container has no gateway of that family"), "{refusal}");
    daemon.ok(&attach_line("n", &a, "-p 192.0.2.1:8080:80"));
    listen(&daemon.host, Ipv4Addr::LOCALHOST, 8080);
    listen_tcp(&a, 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello");
}

#[test]
fn a_port_stays_what_it_was_when_the_gateways_change() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create one");
    daemon.ok("network create --ipv6 two");
    let a = Namespace::new("a");
    daemon.ok(&attach_line("one", &a, ""));
    daemon.ok(&attach_line("two", &a, "-p 80 -p 8080-8082:81"));
    let before = published(&daemon, "two", "a");
    assert_eq!(
        before.iter().map(|(ip, _)| ip.as_str()).collect::<Vec<_>>(),
        ["::", "::"],
        "the other is IPv4's gateway"
    );
    // What is free only for IPv4 in the meantime makes no difference.
    let _program = listen(&daemon.host, Ipv4Addr::LOCALHOST, 9999);
    daemon.ok("endpoint detach one a");
    let both = |(_, port): &(String, u64)| [("0.0.0.0".to_owned(), *port), ("::".to_owned(), *port)];
    assert_eq!(published(&daemon, "two", "a"), before.iter().flat_map(both).collect::<Vec<_>>());
    let port = u16::try_from(before[0].1).unwrap();
    assert!(is_taken(&daemon.host, Ipv6Addr::LOCALHOST, port));
    daemon.ok("endpoint detach two a");
    listen(&daemon.host, Ipv6Addr::LOCALHOST, port);
}

#[test]
fn after_a_kill_they_are_held_again() {
    let mut daemon = Daemon::stopped();
    let log = daemon.file("log");
    daemon.run();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok(&attach_line("n", &a, "-p 8080:80 -p 8081:81"));
    listen_tcp(&a, 80, "hello");
    daemon.kill();
    let program = listen(&daemon.host, Ipv6Addr::UNSPECIFIED, 8080);
    let mut serve = daemon.serve();
    serve.stderr(std::fs::File::create(&log).unwrap());
    daemon.run_as(serve);
    assert!(is_taken(&daemon.host, Ipv4Addr::UNSPECIFIED, 8081));
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("host port 8080/tcp is in use by another program") && text.contains("endpoint=\"a\""),
        "{text}"
    );
    assert!(!text.contains("8081"), "{text}");
    assert_eq!(fetch(&daemon.host, "127.0.0.1:8080"), "hello", "its rules are there");
    drop(program);
    let refusal = daemon.refused(EXISTS, &attach_line("n", &b, "-p 8080:80"));
    assert!(refusal.contains("in use by an endpoint"), "{refusal}");
    daemon.ok("endpoint detach n a");
    daemon.ok(&attach_line("n", &b, "-p 8080:80 -p 8081:81"));
    daemon.reboot();
    daemon.run();
    listen(&daemon.host, Ipv4Addr::UNSPECIFIED, 8080);
}

/// A neighbour sends what is for a loopback address to the host.
fn attack_loopback(outside: &Namespace) {
    outside.run("ip address del 127.0.0.1/8 dev lo");
    for key in ["all.route_localnet=1", "all.rp_filter=0", "cable.rp_filter=0"] {
        outside.run(&format!("sysctl -qw net.ipv4.conf.{key}"));
    }
    for address in ["127.0.0.1", "127.0.0.9"] {
        outside.run(&format!("ip route add {address}/32 via 192.0.2.1 src 192.0.2.2"));
    }
}

#[test]
fn a_port_on_a_loopback_address_is_the_hosts_alone() {
    let folder = tempfile::tempdir().unwrap();
    let released = folder.path().join("bridge.wasm");
    crate::released::unpack("0.1.0", "rust", &released);
    // The second makes rules at prerouting, too, which the host narrows.
    for component in [driver("bridge"), released] {
        let daemon = Daemon::start();
        let outside = outside(&daemon.host);
        let grant = driver("bridge").with_extension("grant.toml");
        daemon.ok(&format!("driver load {} --name d --grant {}", component.display(), grant.display()));
        daemon.ok("network create n -d d");
        let a = Namespace::new("a");
        daemon.ok(&attach_line(
            "n",
            &a,
            "-p 127.0.0.1:8081:80 -p 127.0.0.9:8082:80 -p 127.0.0.1:5353:53/udp -p 192.0.2.1:8083:80",
        ));
        listen_tcp(&a, 80, "hello");
        listen_udp(&a, 53, "hello");
        attack_loopback(&outside);
        assert_eq!(fetch(&outside, "192.0.2.1:8083"), "hello", "{component:?}");
        for port in ["127.0.0.1:8081", "127.0.0.9:8082"] {
            assert_eq!(fetch(&daemon.host, port), "hello", "{component:?} {port}");
            assert_eq!(fetch(&outside, port), "", "{component:?} {port}");
        }
        assert_eq!(ask_udp(&daemon.host, 4, "127.0.0.1:5353"), "hello", "{component:?}");
        assert_eq!(ask_udp(&outside, 4, "127.0.0.1:5353"), "", "{component:?}");
    }
}

#[test]
fn the_loopback_address_of_ipv6_is_refused_at_once() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = Namespace::new("a");
    daemon.ok(&attach_line("n", &a, "-p 8080:80 -p 5353:53/udp -p 80"));
    listen_tcp(&a, 80, "hello");
    listen_udp(&a, 53, "hello");
    let chosen = u16::try_from(published(&daemon, "n", "a")[4].1).unwrap();
    for port in [8080, chosen] {
        let connect = move || std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).map(drop);
        let refused = daemon.host.enter(connect).join().unwrap().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "port {port}");
    }
    let send = || UdpSocket::bind(("::", 0)).unwrap().send_to(b"x", (Ipv6Addr::LOCALHOST, 5353)).map(drop);
    let refused = daemon.host.enter(send).join().unwrap().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    let gateway = daemon.host.run("ip -6 -o address show scope global");
    let gateway = gateway.split_whitespace().find_map(|word| word.strip_suffix("/64")).unwrap();
    assert_eq!(fetch(&daemon.host, &format!("[{gateway}]:8080")), "hello");
    assert_eq!(ask_udp(&daemon.host, 6, &format!("[{gateway}]:5353")), "hello");
    assert_eq!(fetch(&daemon.host, "127.0.0.1:8080"), "hello");
}

/// A port of a network without IPv6 is the host's by IPv4 alone.
#[test]
fn an_ipv6_client_of_a_network_without_ipv6_is_refused_at_once() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    daemon.ok(&attach_line("n", &a, "-p 8080:80"));
    listen_tcp(&a, 80, "hello");
    daemon.host.run("ip address add fd00:7::1/128 dev lo nodad");
    // The kernel routes it by itself, a moment later.
    until("it is the host's", || daemon.host.try_run("ip -6 route get fd00:7::1").status.success());
    let address: Ipv6Addr = "fd00:7::1".parse().unwrap();
    let connect = move || std::net::TcpStream::connect((address, 8080)).map(drop);
    let refused = daemon.host.enter(connect).join().unwrap().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(fetch(&daemon.host, "127.0.0.1:8080"), "hello");
}

/// The host's server has ended, and a connection that it closed waits for a minute.
const SERVED: &str = "import socket
l = socket.socket(); l.setsockopt(1, 2, 1); l.bind(('127.0.0.1', 8080)); l.listen()
c = socket.create_connection(('127.0.0.1', 8080)); s, _ = l.accept()
s.close(); c.recv(1); c.close(); l.close()";
/// Another server, as careless as most are.
const SERVE: &str = "import socket; l = socket.socket(); l.setsockopt(1, 2, 1); l.bind(('', 8080)); l.listen()";

#[test]
fn a_port_that_a_program_of_the_host_has_just_left_is_taken_at_once() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    let python = |code: &str| daemon.host.try_run_script(&format!("python3 -c \"{code}\"")).status.success();
    assert!(python(SERVED) && daemon.host.run("ss -Htan state time-wait").contains(":8080"));
    daemon.ok(&attach_line("n", &a, "-p 8080:80"));
    listen_tcp(&a, 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello");
    assert!(!python(SERVE), "another program has it, too");
    daemon.ok("endpoint detach n a");
    assert!(python(SERVE));
}

#[test]
fn a_port_on_an_address_that_comes_after_a_restart_is_held() {
    let mut daemon = Daemon::stopped();
    daemon.run();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = Namespace::new("a");
    // At once, not when the kernel has looked for duplicates.
    const ADDRESSES: [&str; 2] = ["192.0.2.9/24", "2001:db8::9/64 nodad"];
    let change = |daemon: &Daemon, verb: &str| {
        ADDRESSES.iter().for_each(|address| drop(daemon.host.run(&format!("ip address {verb} dev eth0 {address}"))));
    };
    change(&daemon, "add");
    daemon.ok(&attach_line("n", &a, "-p 192.0.2.9:8080:80 -p [2001:db8::9]:8081:80 -p 192.0.2.9:53:53/udp"));
    listen_tcp(&a, 80, "hello");
    change(&daemon, "del");
    daemon.kill();
    daemon.run();
    change(&daemon, "add");
    assert!(is_taken(&daemon.host, Ipv4Addr::new(192, 0, 2, 9), 8080));
    assert!(is_taken(&daemon.host, "2001:db8::9".parse::<IpAddr>().unwrap(), 8081));
    let udp = daemon.host.enter(|| UdpSocket::bind(("192.0.2.9", 53)).is_err()).join().unwrap();
    assert!(udp, "the datagrams' port, too");
    assert_eq!(fetch(&outside, "192.0.2.9:8080"), "hello");
}

#[test]
fn an_endpoint_gives_back_only_its_own() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {}", driver("test/probe").display()));
    let a = Namespace::new("a");
    daemon.ok("network create n -d probe -o probe.do=ports");
    daemon.ok(&attach_line("n", &a, "-o probe.do=ports"));
    let has = |port| is_taken(&daemon.host, Ipv6Addr::UNSPECIFIED, port);
    assert!(has(4241) && has(4251), "the network's and the endpoint's");
    let objects = daemon.json("network inspect --verbose n")["objects"].to_string();
    assert!(objects.contains("host port 4241/tcp of ::") && objects.contains("host port 4250/udp"), "{objects}");
    let swept = daemon.json("endpoint detach n a")["swept"].to_string();
    assert!(swept.contains("host port 4251/tcp of 0.0.0.0") && !swept.contains("4241"), "{swept}");
    listen(&daemon.host, Ipv6Addr::UNSPECIFIED, 4251);
    assert!(has(4241));
    daemon.ok("network rm n");
    listen(&daemon.host, Ipv6Addr::UNSPECIFIED, 4241);
}

/// The command of a daemon with these limits on open files, soft and hard.
fn serve_with_files(daemon: &Daemon, limits: &str) -> Command {
    let serve = daemon.serve();
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={limits}")).arg("--").arg(serve.get_program()).args(serve.get_args());
    command
}

#[test]
fn the_limit_on_open_files_is_raised_and_heeded() {
    let mut daemon = Daemon::stopped();
    daemon.run_as(serve_with_files(&daemon, "64:100"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let files: Vec<_> = limits.lines().find(|l| l.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(files[3..5], ["100", "100"]);
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    let ports = |count| (0..count).map(|number| format!("-p {}:80 ", 3000 + number)).collect::<String>();
    // Half of the files are for ports, and half of these for one driver.
    let refusal = daemon.refused(UNAVAILABLE, &attach_line("n", &a, &ports(26)));
    let left = "it would have 26 and leave 24 of the host ports that the daemon can hold (LimitNOFILE)";
    assert!(refusal.contains(left), "{refusal}");
    daemon.ok(&attach_line("n", &a, &ports(25)));
}

#[test]
fn no_file_stays_open() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = Namespace::new("a");
    let files = || std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    let round = || {
        daemon.ok(&attach_line("n", &a, "-p 8080:80 -p 8080:80/udp -p 80 -p 8080:80/sctp"));
        let open = files();
        daemon.ok("endpoint detach n a");
        daemon.refused(EXISTS, &attach_line("n", &a, "-p 8080:80 -p 8080:81"));
        open
    };
    round();
    let bare = files();
    for number in 0..100 {
        let open = round();
        // Connections come and go, and the store opens more readers as it needs them, a few. A leak of one in five
        // rounds is above this.
        assert!(files() < bare + 20, "round {number}: {} files are open, {bare} were", files());
        assert!(open >= files() + 2, "round {number}: {open} files with four ports");
    }
}

#[test]
fn as_many_as_a_record_has_room_for() {
    let bench = Bench::new();
    bench.load("bridge", "bridge", &[]);
    bench.wait(bench.controller.create_network(create("n", "bridge", &json!({"ipv6": true})))).unwrap();
    let a = Namespace::new("a");
    let ports = |count: u16| {
        let one = |number: u16| json!({"protocol": "tcp", "container_port": 80, "host_port": 3000 + number});
        json!({"ports": (0..count).map(one).collect::<Vec<_>>()})
    };
    let refused = bench.wait(bench.controller.attach("n", attach(&a, &ports(1_500)))).unwrap_err();
    let why = "3000 published ports, counted for each family, are too many for one endpoint where they form no ranges";
    assert!(refused.message.contains(why), "{refused}");
    let begin = Instant::now();
    bench.wait(bench.controller.attach("n", attach(&a, &ports(512)))).unwrap();
    println!("512 ports of both families: {:?}", begin.elapsed());
    assert!(bench.wait(bench.controller.detach(Some("n"), "a")).is_ok());
    bench.wait(bench.controller.attach("n", attach(&a, &ports(512)))).unwrap();
    assert!(is_taken(&bench.host, Ipv6Addr::UNSPECIFIED, 3511));
    // A packet meets the rules of its own port, and none of the others.
    let rules = bench.host.run("nft list ruleset");
    let chains = || rules.split("\tchain ").filter(|chain| chain.contains("dport 3"));
    assert!(chains().all(|chain| chain.starts_with("nat-") || chain.starts_with("filter-prerouting-")), "{rules}");
    assert!(chains().all(|chain| chain.lines().next().unwrap().contains("/tcp-3")), "{rules}");
    assert_eq!(chains().count(), 3 * 512);
    bench.wait(bench.controller.detach(Some("n"), "a")).unwrap();
    println!("and away: {:?}", begin.elapsed());
    assert!(!bench.host.run("nft list ruleset").contains("dport"));
    listen(&bench.host, Ipv6Addr::UNSPECIFIED, 3511);
}

#[test]
fn thousands_of_ports_are_a_range() {
    let mut daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    used_once(&daemon);
    let before = (daemon.host.dump(), daemon.json("network inspect --verbose n"));
    let begin = Instant::now();
    daemon.ok(&attach_line("n", &a, "-p 10000-12000:10000-12000/udp -p 127.0.0.1:7000-7100:8000-8100 -p 8080:80"));
    println!("2001 ports of both families: {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let dnat = daemon.host.run("nft list ruleset").matches("dport 10000-12000").count();
    assert_eq!(dnat, 4, "one rule a family, from outside and from the host");
    for port in [10_000, 11_000, 12_000] {
        listen_udp(&a, port, "hello");
        assert_eq!(ask_udp(&outside, 4, &format!("192.0.2.1:{port}")), "hello");
        assert_eq!(ask_udp(&outside, 6, &format!("[2001:db8::1]:{port}")), "hello");
        assert_eq!(ask_udp(&daemon.host, 4, &format!("127.0.0.1:{port}")), "hello");
    }
    listen_tcp(&a, 8100, "shifted");
    assert_eq!(fetch(&daemon.host, "127.0.0.1:7100"), "shifted");
    assert!(daemon.ok("endpoint ls").contains("10000-12000:10000-12000/udp"));
    let bound = |daemon: &Daemon, port: u16| {
        daemon.host.enter(move || UdpSocket::bind(("0.0.0.0", port)).is_err()).join().unwrap()
    };
    // Nobody else gets one, after a restart neither.
    for _ in 0..2 {
        for range in ["11999-12001:80-82/udp", "12000:80/udp", "9999-10000:9999-10000/udp"] {
            let refusal = daemon.refused(EXISTS, &attach_line("n", &b, &format!("-p {range}")));
            assert!(refusal.contains("is in use by an endpoint already"), "{range}: {refusal}");
        }
        assert!(bound(&daemon, 10_000) && bound(&daemon, 12_000) && !bound(&daemon, 12_001));
        daemon.kill();
        daemon.run();
    }
    let begin = Instant::now();
    daemon.ok("endpoint detach n a");
    println!("and away: {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(!bound(&daemon, 10_000) && !bound(&daemon, 12_000));
    pontoon_tests::same_at_last(|| (daemon.host.dump(), daemon.json("network inspect --verbose n")), &before);
}

#[test]
fn a_range_that_is_half_anothers_is_refused_whole() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let a = Namespace::new("a");
    used_once(&daemon);
    let _program = listen(&daemon.host, Ipv6Addr::LOCALHOST, 3050);
    let refusal = daemon.refused(EXISTS, &attach_line("n", &a, "-p 3000-3100:3000-3100"));
    assert!(refusal.contains("host port 3050/tcp is in use by another program"), "{refusal}");
    listen(&daemon.host, Ipv4Addr::UNSPECIFIED, 3000);
    for wrong in ["3000-3100:80-90", "80-90", "3000:80-90"] {
        let refusal = daemon.refused(2, &attach_line("n", &a, &format!("-p {wrong}")));
        assert!(refusal.contains("needs as many ports of the host"), "{wrong}: {refusal}");
    }
}

/// Half of the daemon's files are for ports, and half of these for one driver.
#[test]
fn what_the_daemon_can_not_hold_is_refused_early_and_by_its_reason() {
    let mut daemon = Daemon::stopped();
    daemon.run_as(serve_with_files(&daemon, "1000:4000"));
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    let refusal = daemon.refused(UNAVAILABLE, &attach_line("n", &a, "-p 49152-65535:49152-65535/udp"));
    assert!(refusal.contains("it would have 16384") && refusal.contains("LimitNOFILE"), "{refusal}");
    let refusal = daemon.refused(UNAVAILABLE, &attach_line("n", &a, "-p 1-65535:1-65535"));
    assert!(refusal.contains("the driver's grant allows 40000 (limits: ports)"), "{refusal}");
    daemon.ok(&attach_line("n", &a, "-p 3000-3999:3000-3999/udp"));
}

/// What is there already when the driver learns of ranges stays as it is.
#[test]
fn single_ports_of_an_earlier_bridge_are_taken_singly_again() {
    let folder = tempfile::tempdir().unwrap();
    let released = folder.path().join("bridge.wasm");
    crate::released::unpack("0.1.0", "rust", &released);
    let daemon = Daemon::start();
    let grant = driver("bridge").with_extension("grant.toml");
    daemon.ok(&format!("driver load {} --name d --grant {}", released.display(), grant.display()));
    daemon.ok("network create one -d d");
    daemon.ok("network create --ipv6 two -d d");
    let a = Namespace::new("a");
    daemon.ok(&attach_line("one", &a, ""));
    daemon.ok(&attach_line("two", &a, "-p 3000-3010:3000-3010"));
    daemon.ok(&format!("driver upgrade d {}", driver("bridge").display()));
    daemon.ok("endpoint detach one a");
    assert!(is_taken(&daemon.host, Ipv4Addr::UNSPECIFIED, 3010) && is_taken(&daemon.host, Ipv6Addr::UNSPECIFIED, 3010));
    listen_tcp(&a, 3010, "hello");
    assert_eq!(fetch(&daemon.host, "127.0.0.1:3010"), "hello");
    daemon.ok("endpoint detach two a");
    daemon.ok(&attach_line("two", &a, "-p 3000-3010:3000-3010"));
}

#[test]
fn datagrams_pass_the_socket_that_holds_the_port() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok(&attach_line("n", &a, ""));
    daemon.ok(&attach_line("n", &b, "-p 5353:53/udp"));
    listen_udp(&b, 53, "answer");
    for (from, family, target) in [
        (&outside, 4, "192.0.2.1:5353"),
        (&outside, 6, "[2001:db8::1]:5353"),
        (&daemon.host, 4, "127.0.0.1:5353"),
        (&daemon.host, 4, "192.0.2.1:5353"),
        (&daemon.host, 6, "[2001:db8::1]:5353"),
        (&a, 4, "192.0.2.1:5353"),
        (&b, 4, "192.0.2.1:5353"),
        (&b, 6, "[2001:db8::1]:5353"),
    ] {
        assert_eq!(ask_udp(from, family, target), "answer", "{target} from {}", from.text());
    }
    daemon.ok("endpoint detach n b");
    // Nobody holds it any more: the host says so at once.
    let refused = daemon.host.enter(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect("127.0.0.1:5353").unwrap();
        socket.send(b"x").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.recv(&mut [0; 1]).unwrap_err().kind()
    });
    assert_eq!(refused.join().unwrap(), std::io::ErrorKind::ConnectionRefused);
}
