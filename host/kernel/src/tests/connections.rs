//! Connections that are false are forgotten, beside however many of others.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::tests::*;

/// A socket whose datagrams the kernel tracks from now on.
fn tracked() -> UdpSocket {
    sh(
        "nft 'add table ip t; add chain ip t out { type filter hook output priority 0; }; add rule ip t out ct state new accept'",
    );
    UdpSocket::bind("127.0.0.1:4000").unwrap()
}

/// Sends to this many ports, each a connection of its own.
fn connect(socket: &UdpSocket, count: u32) {
    for number in 0..count {
        let address = Ipv4Addr::from(0x7f01_0000 + number / 1_000);
        let port = 10_000 + u16::try_from(number % 1_000).unwrap();
        let _ = socket.send_to(b"?", SocketAddr::from((address, port)));
    }
}

fn of_port(port: u16) -> Stale {
    let port = StalePort { protocol: 17, ports: (port, port), host: None, target: "10.9.0.2".parse().unwrap() };
    Stale { ports: [port].into(), addresses: BTreeSet::new() }
}

fn of_address(address: &str) -> Stale {
    Stale { ports: BTreeSet::new(), addresses: [address.parse().unwrap()].into() }
}

#[test]
fn what_is_false_is_forgotten_beside_few_and_many() {
    in_real(|world| {
        let forget = |stale: &Stale| world.kernel.forget_connections(stale);
        assert_eq!(forget(&of_port(5353)), Ok(0), "nothing is tracked");
        let socket = tracked();
        for others in [10, 12_000] {
            connect(&socket, others);
            for to in ["127.0.0.1:5353", "127.5.5.5:9", "127.0.0.1:5354"] {
                let _ = socket.send_to(b"?", to);
            }
            for _ in 0..2 {
                let _ = socket.send_to(b"?", "127.5.5.6:5353");
                // Not the host's own address.
                assert_eq!(forget(&of_address("127.5.5.6")), Ok(1), "beside {others}");
            }
            assert_eq!(forget(&of_port(5353)), Ok(1), "beside {others}");
            assert_eq!(forget(&of_port(5353)), Ok(0), "beside {others}");
            assert_eq!(forget(&of_address("127.5.5.5")), Ok(1), "beside {others}");
            assert_eq!(forget(&of_address("127.0.0.1")), Ok(0), "the host's own");
            let range = StalePort { ports: (5_350, 5_360), ..of_port(0).ports.pop_first().unwrap() };
            assert_eq!(forget(&Stale { ports: [range].into(), ..Stale::default() }), Ok(1), "beside {others}");
        }
    });
}

#[test]
#[ignore = "measures"]
fn speed_of_forgetting() {
    in_real(|world| {
        let mut socket = None;
        for others in [0, 10, 20_000] {
            if others > 0 {
                connect(socket.get_or_insert_with(tracked), others);
            }
            let many = (5_000..5_100).map(|port| of_port(port).ports.pop_first().unwrap()).collect();
            let many = Stale { ports: many, ..Stale::default() };
            let stale = [("a port's", of_port(5353)), ("an address's", of_address("10.9.0.2")), ("many ports'", many)];
            for (what, stale) in stale {
                let mut times = Vec::new();
                for _ in 0..20 {
                    let start = Instant::now();
                    assert_eq!(world.kernel.forget_connections(&stale), Ok(0));
                    times.push(start.elapsed().as_micros());
                }
                speed::report(&format!("{what} connections beside {others}"), times);
            }
        }
    });
}
