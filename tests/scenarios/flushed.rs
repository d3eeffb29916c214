//! What Pontoon keeps in the host's kernel comes back after somebody else has removed it.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace, ask_udp, fetch, listen_tcp, listen_udp, outside, until};

use crate::packets::address;

/// A host with a way out, and on it two networks: a container with published ports, and one that has no way out.
struct Scene {
    daemon: Daemon,
    outside: Namespace,
    a: Namespace,
    shut: Namespace,
}

impl Scene {
    fn new() -> Self {
        let daemon = Daemon::start();
        let outside = outside(&daemon.host);
        daemon.load("bridge");
        daemon.ok("network create --ipv6 n");
        daemon.ok("network create --internal shut");
        let (a, shut) = (Namespace::new("a"), Namespace::new("shut"));
        listen_tcp(&a, 80, "a");
        listen_udp(&a, 53, "a");
        daemon.ok(&format!("endpoint attach n {} -p 8080:80 -p 8053:53/udp", a.text()));
        daemon.ok(&format!("endpoint attach shut {}", shut.text()));
        Self { daemon, outside, a, shut }
    }

    fn check(&self, when: &str) {
        let served =
            || fetch(&self.outside, "192.0.2.1:8080") == "a" && fetch(&self.outside, "[2001:db8::1]:8080") == "a";
        until(&format!("published ports {when}"), || served() && ask_udp(&self.outside, 4, "192.0.2.1:8053") == "a");
        assert!(self.a.pings("192.0.2.2") && self.a.pings("2001:db8::2"), "the way out {when}");
        assert!(!self.shut.pings("192.0.2.2"), "no way out {when}");
    }

    /// The rules of the networks as the kernel has them. (Chains come in another order when they come again.)
    fn rules(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.daemon.host.run("nft -t list ruleset").lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

#[test]
fn packet_rules_come_back_after_a_flush() {
    let scene = Scene::new();
    scene.check("at first");
    let before = scene.rules();
    let table = scene.daemon.host.run("nft list tables");
    let table = table.lines().find(|line| line.contains("pontoon-")).unwrap().to_owned();
    for loss in ["flush ruleset".to_owned(), format!("delete {table}"), format!("flush {table}")] {
        scene.daemon.host.run(&format!("nft {loss}"));
        let begin = Instant::now();
        until(&loss, || scene.rules() == before);
        println!("{loss}: whole after {:?}", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(1));
        scene.check(&loss);
    }
}

/// Everything that somebody's hand or another tool does to the links, one after the other.
#[test]
fn links_come_back() {
    let mut scene = Scene::new();
    scene.check("at first");
    scene.daemon.host.run("ip -6 neigh flush all");
    let bridge = |daemon: &Daemon, network: &str| {
        let id = daemon.json(&format!("network inspect {network}"))["id"].as_str().unwrap().to_owned();
        let objects = daemon.objects().into_iter().filter(|object| object["network"] == id.as_str());
        let names = objects.filter_map(|o| o["thing"]["Link"]["name"].as_str().map(str::to_owned));
        names.into_iter().find(|name| name.starts_with("br-")).unwrap()
    };
    let (br, internal) = (bridge(&scene.daemon, "n"), bridge(&scene.daemon, "shut"));
    let port = scene.daemon.host.run(&format!("ip -o link show master {br}"));
    let port = port.split(": ").nth(1).unwrap().split('@').next().unwrap().to_owned();
    let links = |scene: &Scene| {
        let host = &scene.daemon.host;
        let all = host.run("ip -o -d address show") + &host.run("ip -o -d link show type bridge_slave");
        let mut words: Vec<_> = all.split_whitespace().filter(|word| *word != "forever").map(str::to_owned).collect();
        // Counters and timers.
        words.retain(|word| !word.contains("timer") && !word.contains('.') || word.contains('/'));
        words.sort();
        words
    };
    let settings = format!("net.ipv4.conf.{br}.route_localnet net.ipv4.ip_forward net.ipv6.conf.{br}.accept_ra");
    let before = (links(&scene), scene.daemon.host.run(&format!("sysctl {settings}")));
    let harms = [
        format!("ip link del {br}"),
        format!("ip link set {br} down"),
        format!("ip address flush dev {br}"),
        format!("ip route flush dev {br}"),
        format!("ip -6 route flush dev {br}"),
        format!("ip link set {port} nomaster"),
        format!("ip link set {port} down"),
        format!("ip link del {internal}"),
        "sysctl -q net.ipv4.ip_forward=0".to_owned(),
        "sysctl -q net.ipv6.conf.all.forwarding=0".to_owned(),
    ];
    for harm in &harms {
        scene.daemon.host.run(harm);
        scene.check(harm);
        let now = (links(&scene), scene.daemon.host.run(&format!("sysctl {settings}")));
        assert_eq!(now.1, before.1, "{harm}");
    }
    scene.daemon.kill();
    scene.daemon.host.run(&format!("ip link del {br}"));
    scene.daemon.host.run("nft flush ruleset");
    scene.daemon.run();
    scene.check("after a start");
    for line in ["endpoint detach n a", "endpoint detach shut shut", "network rm n", "network rm shut"] {
        scene.daemon.ok(line);
    }
    until("nothing is left", || !scene.daemon.host.run("ip -o link").contains("br-"));
}

/// How many of the packets arrive that are sent a thousand times a second, while something is done.
fn arrived(from: &Namespace, to: &Namespace, address: &str, work: impl FnOnce()) -> usize {
    let address: SocketAddr =
        if address.contains(':') { format!("[{address}]:9000") } else { format!("{address}:9000") }.parse().unwrap();
    // For a moment, a program that another test starts just now still has the socket of the time before.
    let mut receiver = None;
    until("the port is free", || {
        receiver = to.enter(|| UdpSocket::bind("[::]:9000").ok()).join().unwrap();
        receiver.is_some()
    });
    let receiver = receiver.unwrap();
    receiver.set_nonblocking(true).unwrap();
    let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let sender = from.enter(move || UdpSocket::bind(any).unwrap()).join().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let sending = std::thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = sender.send_to(b"x", address);
        }
    });
    work();
    drop(stop);
    sending.join().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    std::iter::from_fn(|| receiver.recv(&mut [0; 9]).ok()).count()
}

/// A host that forwards: a network with a way out, and an internal one. Whoever is outside knows the ways to both.
struct Shut {
    daemon: Daemon,
    outside: Namespace,
    a: Namespace,
    shut: Namespace,
}

impl Shut {
    fn new() -> Self {
        let daemon = Daemon::start();
        let outside = outside(&daemon.host);
        daemon.load("bridge");
        daemon.ok("network create --ipv6 n");
        daemon.ok("network create --internal --ipv6 shut");
        let (a, shut) = (Namespace::new("a"), Namespace::new("shut"));
        daemon.ok(&format!("endpoint attach n {}", a.text()));
        daemon.ok(&format!("endpoint attach shut {}", shut.text()));
        outside.run("ip route add default via 192.0.2.1");
        outside.run("ip route add default via 2001:db8::1");
        // As a container could that may change its routes.
        for bridge in ["address", "address_ipv6"].map(|key| gateway(&daemon, key)) {
            shut.run(&format!("ip route add default via {bridge}"));
        }
        Self { daemon, outside, a, shut }
    }

    fn inside(&self) -> [String; 2] {
        ["address", "address_ipv6"].map(|key| address(&self.daemon, "shut", "shut", key))
    }

    /// From where to where nothing may pass.
    fn ways(&self, inside: &[String; 2]) -> Vec<(&Namespace, &Namespace, String)> {
        let into =
            inside.iter().cloned().flat_map(|to| [(&self.outside, &self.shut, to.clone()), (&self.a, &self.shut, to)]);
        let out = ["192.0.2.2", "2001:db8::2"].map(|to| (&self.shut, &self.outside, to.to_owned()));
        into.chain(out).collect()
    }
}

/// The address of the internal network's bridge.
fn gateway(daemon: &Daemon, key: &str) -> String {
    let inside = address(daemon, "shut", "shut", key);
    let family = if key == "address" { "-4" } else { "-6" };
    let link = daemon.host.run(&format!("ip {family} -o route get {inside}"));
    link.split(" src ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn an_internal_network_stays_shut_while_packet_rules_are_flushed() {
    let scene = Shut::new();
    for (from, to, address) in scene.ways(&scene.inside()) {
        let flush = || {
            for _ in 0..5 {
                scene.daemon.host.run("nft flush ruleset");
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let count = arrived(from, to, &address, flush);
        println!("{address}: {count} packets arrived during five flushes");
        assert_eq!(count, 0, "to {address}");
    }
}

#[test]
fn an_internal_network_stays_shut_without_any_packet_rules() {
    let mut scene = Shut::new();
    let inside = scene.inside();
    let gateways = ["address", "address_ipv6"].map(|key| gateway(&scene.daemon, key));
    let bridge = scene.daemon.host.run(&format!("ip -o route get {}", inside[0]));
    let bridge = bridge.split(" dev ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let check = |scene: &Shut, when: &str| {
        until(when, || inside.iter().all(|address| scene.daemon.host.pings(address)));
        until(when, || gateways.iter().all(|address| scene.shut.pings(address)));
    };
    let closed = |scene: &Shut, when: &str| {
        scene.daemon.host.run("nft flush ruleset");
        assert!(scene.a.pings("192.0.2.2") && scene.a.pings("2001:db8::2"), "{when}: the host forwards");
        for (from, to, address) in scene.ways(&inside) {
            assert_eq!(
                arrived(from, to, &address, || std::thread::sleep(Duration::from_millis(100))),
                0,
                "{when}: {address}"
            );
        }
    };
    check(&scene, "the host's own way");
    // A bridge that is made again has its rules again.
    scene.daemon.host.run(&format!("ip link del {bridge}"));
    check(&scene, "its bridge is back");
    scene.daemon.kill();
    closed(&scene, "after its bridge was deleted");
    scene.daemon.host.run("ip rule del pref 0 prohibit");
    scene.daemon.host.run("ip -6 rule del pref 0 prohibit");
    scene.daemon.run();
    check(&scene, "after a start");
    scene.daemon.kill();
    closed(&scene, "after its rules were deleted");
    scene.daemon.run();
    scene.daemon.ok("endpoint detach shut shut");
    scene.daemon.ok("network rm shut");
    for family in ["-4", "-6"] {
        let rules = scene.daemon.host.run(&format!("ip {family} rule"));
        assert!(!rules.contains("prohibit") && !rules.contains("iif"), "{rules}");
    }
}

/// Somebody's program that holds the networks' tables, empty: nobody else can change them as long as it runs.
struct Obstacle(Child);

impl Obstacle {
    fn new(host: &Namespace) -> Self {
        let tables = host.run("nft list tables inet");
        let tables = tables.lines().filter(|line| line.contains("pontoon-") && !line.ends_with("host"));
        // One line is one transaction.
        let held: String = tables.map(|table| format!("; add {table} {{ flags owner; }}")).collect();
        let mut nft = Command::new("nsenter");
        nft.arg(format!("--net={}", host.text())).args(["nft", "-i"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut nft = nft.spawn().unwrap();
        writeln!(nft.stdin.as_mut().unwrap(), "flush ruleset{held}").unwrap();
        Self(nft)
    }
}

impl Drop for Obstacle {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn policy_rules(scene: &Scene) -> String {
    scene.daemon.host.run("ip rule") + &scene.daemon.host.run("ip -6 rule")
}

#[test]
fn a_network_whose_packet_rules_can_not_come_back_is_closed() {
    let mut scene = Scene::new();
    scene.check("at first");
    for restarted in [false, true] {
        let before = scene.rules();
        let policy = policy_rules(&scene);
        let obstacle = Obstacle::new(&scene.daemon.host);
        until("it is closed", || policy_rules(&scene) != policy);
        if restarted {
            // Whoever is killed meanwhile finds its note.
            scene.daemon.kill();
            scene.daemon.run();
            until("it is closed again", || policy_rules(&scene) != policy);
        }
        for target in ["192.0.2.2", "2001:db8::2"] {
            assert!(!scene.a.pings(target), "{restarted}: {target}");
        }
        // Where people look.
        let closed = "closed: its packet rules are gone and can't be put back: ";
        let state = scene.daemon.json("network inspect n")["state"].as_str().unwrap().to_owned();
        assert!(state.starts_with(closed), "{state}");
        assert!(scene.daemon.ok("network ls").contains("closed: "));
        let doctor = scene.daemon.cli("doctor");
        let finding = doctor.out.split("network n").nth(1).unwrap_or_default();
        assert!(finding.contains("closed, because its packet rules"), "{}", doctor.out);
        drop(obstacle);
        until("it is open again", || scene.rules() == before);
        until("no policy rule is left", || policy_rules(&scene) == policy);
        assert_eq!(scene.daemon.json("network inspect n")["state"], "up");
        scene.check("after it was closed");
    }
}
