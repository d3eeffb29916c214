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
