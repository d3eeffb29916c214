//! What Pontoon keeps in the host's kernel comes back after somebody else has removed it.

use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace, ask_udp, fetch, listen_tcp, listen_udp, outside, until};

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
        let mut lines: Vec<_> = self.daemon.host.run("nft list ruleset").lines().map(str::to_owned).collect();
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
