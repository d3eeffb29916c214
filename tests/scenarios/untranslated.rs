//! What conntrack calls invalid is never translated, so it never leaves: the outside would see a container's own address.

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
