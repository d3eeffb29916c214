//! What conntrack calls invalid is never translated. So it never leaves: the outside would see a container's own address. Nor does it come to
//! the host instead of the container: the host knows no such connection, and would reset it.

use std::io;
use std::net::TcpListener;

use pontoon_tests::{Daemon, Namespace, fetch, listen_tcp, outside};

/// A TCP segment of no connection, an RST or what comes in the middle of one with a wrong checksum: SOURCE, DESTINATION, FLAGS, SPOIL.
const SEND: &str = r#"python3 -c '
import socket, struct, sys
source, destination, flags, spoil = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in source else socket.AF_INET
def segment(checksum):
    return struct.pack("!HHIIBBHHH", 4000, 9, 7, 7, 5 << 4, flags, 512, checksum, 0)
a, b = (socket.inet_pton(family, address) for address in (source, destination))
text = a + b + struct.pack("!II", 20, 6) + segment(0)
total = sum(struct.unpack("!%dH" % (len(text) // 2), text))
while total >> 16:
    total = (total & 0xffff) + (total >> 16)
s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
s.bind((source, 0))
s.sendto(segment(total ^ 0xffff ^ spoil), (destination, 0))'"#;
const RST: u8 = 4;
const ACK: u8 = 16;

/// How many such segments a namespace has seen.
fn seen(namespace: &Namespace) -> u32 {
    let counter = namespace.run("nft list counter inet seen stray");
    counter.split("packets ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

fn count(namespace: &Namespace) {
    namespace.run("nft add table inet seen");
    namespace.run("nft add counter inet seen stray");
    namespace.run("nft add chain inet seen arrived { type filter hook prerouting priority -300 ; }");
    namespace.run("nft add rule inet seen arrived tcp dport 9 tcp sport 4000 counter name stray");
}

#[test]
fn an_invalid_packet_stays() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    [&daemon.host, &outside].into_iter().for_each(count);
    listen_tcp(&outside, 80, "outside");
    let mut sent = 0;
    for (network, option) in [("n", ""), ("m", "-o com.docker.network.bridge.enable_ip_masquerade=false")] {
        daemon.ok(&format!("network create --ipv6 {network} {option}"));
        let a = Namespace::new("a");
        daemon.ok(&format!("endpoint attach {network} {} --name a", a.text()));
        for (key, to) in [("address", "192.0.2.2"), ("address_ipv6", "2001:db8::2")] {
            let from = crate::packets::address(&daemon, network, "a", key);
            for (flags, spoil) in [(RST, 0), (RST | ACK, 0), (ACK, 1)] {
                let ran = a.try_run_script(&format!("{SEND} {from} {to} {flags} {spoil}"));
                assert!(ran.status.success(), "{ran:?}");
                sent += 1;
                assert_eq!(seen(&daemon.host), sent, "it came to the host");
            }
        }
        if option.is_empty() {
            assert_eq!(fetch(&a, "192.0.2.2:80"), "outside", "a connection's packets leave, to its end");
        }
        daemon.ok(&format!("endpoint detach {network} a"));
    }
    assert_eq!(seen(&outside), 0);
}

/// A connection, and in the middle of it segments of its own that are out of its window, and one with a wrong checksum: ADDRESS, PORT. It goes
/// on afterwards.
const SPEAK: &str = r#"python3 -c '
import socket, struct, sys, time
address, port = sys.argv[1], int(sys.argv[2])
c = socket.create_connection((address, port), 3)
c.settimeout(3)
def said(word):
    c.sendall(word)
    assert c.recv(99) == word
said(b"before")
(source, own), family = c.getsockname()[:2], c.family
def segment(flags, checksum):
    return struct.pack("!HHIIBBHHH", own, port, 0x12345678, 0x23456789, 5 << 4, flags, 512, checksum, 0)
s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
for flags, spoil in [(16, 0), (24, 0), (18, 0), (16, 1)]:
    text = b"".join(socket.inet_pton(family, end) for end in (source, address)) + struct.pack("!II", 20, 6) + segment(flags, 0)
    total = sum(struct.unpack("!%dH" % (len(text) // 2), text))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    s.sendto(segment(flags, total ^ 0xffff ^ spoil), (address, 0))
time.sleep(0.2)
said(b"after")'"#;

#[test]
fn an_invalid_packet_resets_no_translated_connection() {
    let daemon = Daemon::start();
    let outside = outside(&daemon.host);
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    daemon.ok("network create --ipv6 m");
    let (a, b, c) = (Namespace::new("a"), Namespace::new("b"), Namespace::new("c"));
    daemon.ok(&format!("endpoint attach n {} -p 8080:80 -p 9000-9010:9000-9010", a.text()));
    daemon.ok(&format!("endpoint attach n {}", b.text()));
    daemon.ok(&format!("endpoint attach m {}", c.text()));
    for port in [80, 9001] {
        a.enter(move || {
            for stream in TcpListener::bind(("::", port)).unwrap().incoming() {
                let stream = stream.unwrap();
                std::thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
    }
    daemon.host.run("nft add table inet seen");
    daemon.host.run("nft add counter inet seen stray");
    daemon.host.run("nft add chain inet seen left { type filter hook output priority 0 ; }");
    daemon.host.run("nft add rule inet seen left tcp sport { 8080, 9001 } tcp flags & rst == rst counter name stray");
    for address in ["192.0.2.1", "2001:db8::1"] {
        for port in [8080, 9001] {
            for (who, from) in [("outside", &outside), ("a neighbour", &b), ("one of another network", &c)] {
                let ran = from.try_run_script(&format!("{SPEAK} {address} {port}"));
                assert!(ran.status.success(), "{who} to {address} {port}: {ran:?}");
                assert_eq!(seen(&daemon.host), 0, "{who} to {address} {port}: resets of the host's");
            }
        }
    }
    daemon.ok("endpoint detach n a");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "", "refused");
    assert!(seen(&daemon.host) > 0, "the port is the host's again");
}
