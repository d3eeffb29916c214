//! Connections that the kernel tracked under other rules: whoever sends from one port for ever reaches who serves the port now.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Namespace, listen_udp, outside};

/// A client that sends from one port, to the host's published one, from now on.
struct Client {
    socket: UdpSocket,
    to: String,
}

impl Client {
    fn new(outside: &Namespace, local: &'static str, to: &str) -> Self {
        let socket = outside.enter(move || UdpSocket::bind(local).unwrap()).join().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { socket, to: to.to_owned() }
    }

    /// Who answers, if somebody does.
    fn ask(&self) -> String {
        let mut answer = [0; 9];
        // An error of an earlier packet, that nobody was there, comes first.
        let _ = self.socket.send_to(b"?", &self.to);
        self.socket
            .recv(&mut answer)
            .map(|length| String::from_utf8_lossy(&answer[..length]).into())
            .unwrap_or_default()
    }

    /// Keeps sending until this one answers; at most a second.
    #[track_caller]
    fn reaches(&self, name: &str) {
        let begin = Instant::now();
        while self.ask() != name {
            assert!(begin.elapsed() < Duration::from_secs(1), "{} is not reached at {}", name, self.to);
        }
    }
}

#[test]
fn a_client_of_one_port_reaches_whoever_serves() {
    let mut daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    listen_udp(&a, 53, "a");
    listen_udp(&b, 53, "b");
    let clients = [
        Client::new(&outside, "192.0.2.2:4000", "192.0.2.1:5353"),
        Client::new(&outside, "[2001:db8::2]:4000", "[2001:db8::1]:5353"),
    ];
    // Nobody serves yet; and then nobody again.
    let silence = || clients.iter().for_each(|client| assert_eq!(client.ask(), ""));
    silence();
    let attach = |daemon: &Daemon, to: &Namespace| {
        daemon.ok(&format!("endpoint attach n {} -p 5353:53/udp", to.text()));
    };
    attach(&daemon, &a);
    clients.iter().for_each(|client| client.reaches("a"));
    daemon.ok("endpoint detach n a");
    silence();
    attach(&daemon, &b);
    clients.iter().for_each(|client| client.reaches("b"));
    // From one to the next without a pause, also across a start.
    daemon.ok("endpoint detach n b");
    attach(&daemon, &a);
    clients.iter().for_each(|client| client.reaches("a"));
    daemon.host.run("nft flush ruleset");
    clients.iter().for_each(|client| client.reaches("a"));
    daemon.kill();
    daemon.host.run("nft flush ruleset");
    silence();
    daemon.run();
    clients.iter().for_each(|client| client.reaches("a"));
}

#[test]
fn connections_of_others_stay() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    listen_udp(&outside, 5353, "outside");
    // To a port of the same number somewhere else.
    let elsewhere = Client::new(&daemon.host, "192.0.2.1:4001", "192.0.2.2:5353");
    elsewhere.reaches("outside");
    let tracked = || daemon.host.run("cat /proc/net/nf_conntrack").lines().any(|line| line.contains("sport=4001"));
    daemon.ok(&format!("endpoint attach n {} -p 5353:53/udp", a.text()));
    std::thread::sleep(Duration::from_millis(100));
    assert!(tracked());
}
