//! Ports of the host: taken, given back, held again.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::tests::*;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const ALL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn wish(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> PortWish {
    PortWish { protocol, addresses: addresses.to_vec(), first, last, all: false, own: Vec::new() }
}

fn port(protocol: u8, address: IpAddr, port: u16) -> HostPort {
    HostPort { protocol, port, more: 0, address }
}

impl World {
    fn take(&self, wish: PortWish) -> Applied {
        self.one(Change::TakePort(wish))
    }

    fn refuses(&self, wish: PortWish) -> (Option<Errno>, String) {
        let Error { message, errno } = self.fails(&[Change::TakePort(wish)]);
        (errno.map(Errno::from_raw_os_error), message)
    }
}

/// What another program has of a port, until it is dropped.
#[expect(dead_code, reason = "it is held")]
enum Listening {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Fake(FakePort),
}

/// Another program listens.
fn listen(world: &World, protocol: u8, address: IpAddr, port: u16) -> Result<Listening, ErrorKind> {
    if let Some(fake) = &world.fake {
        let taken = fake.take_port(self::port(protocol, address, port));
        return taken
            .map(Listening::Fake)
            .map_err(|error| std::io::Error::from_raw_os_error(error.errno.unwrap()).kind());
    }
    let bound = match protocol {
        TCP => TcpListener::bind((address, port)).map(Listening::Tcp),
        _ => UdpSocket::bind((address, port)).map(Listening::Udp),
    };
    bound.map_err(|error| error.kind())
}

/// Whether another program could listen on all addresses of both families.
fn is_free(world: &World, port: u16) -> bool {
    let all = |protocol| ALL.iter().all(|address| listen(world, protocol, *address, port).is_ok());
    at_last(|| all(TCP) && all(UDP))
}

/// A closed socket lives on for a moment in a program that another test starts: until that is what it is to be.
fn at_last(check: impl Fn() -> bool) -> bool {
    (0..50).any(|_| {
        check() || {
            thread::sleep(std::time::Duration::from_millis(4));
            false
        }
    })
}

#[test]
fn nobody_else_gets_what_is_taken() {
    in_both(|world| {
        let taken = world.take(wish(TCP, &ALL, 8080, 8080));
        assert_eq!(taken.outcome, Outcome::Port(8080));
        for address in ALL.into_iter().chain(LOOPBACK) {
            assert_eq!(listen(world, TCP, address, 8080).err(), Some(ErrorKind::AddrInUse));
            let (errno, message) = world.refuses(wish(TCP, &[address], 8080, 8080));
            assert_eq!(errno, Some(Errno::ADDRINUSE));
            assert!(message.ends_with("is in use by an endpoint already"), "{message}");
        }
        assert!(listen(world, UDP, ALL[0], 8080).is_ok(), "another protocol's port is another one");
        world.take(wish(UDP, &[LOOPBACK[0]], 8080, 8080));
        assert!(listen(world, UDP, LOOPBACK[1], 8080).is_ok(), "so is another family's");
        assert_eq!(world.kernel.undo(&[taken]), []);
        world.one(Change::ReleasePort(port(UDP, LOOPBACK[0], 8080)));
        world.one(Change::ReleasePort(port(UDP, LOOPBACK[0], 8080)));
        assert!(is_free(world, 8080));
    });
}

#[test]
fn what_another_program_has_is_not_taken() {
    in_both(|world| {
        let listener = listen(world, TCP, LOOPBACK[1], 8080).unwrap();
        let (errno, message) = world.refuses(wish(TCP, &ALL, 8080, 8080));
        assert_eq!(
            (errno, message.as_str()),
            (Some(Errno::ADDRINUSE), "host port 8080/tcp is in use by another program")
        );
        assert!(at_last(|| listen(world, TCP, ALL[0], 8080).is_ok()), "the other family's was let go");
        assert_eq!(world.take(wish(TCP, &ALL, 8080, 8081)).outcome, Outcome::Port(8081));
        let (_, message) = world.refuses(wish(TCP, &ALL, 8080, 8081));
        assert_eq!(message, "host ports 8080-8081/tcp are all in use");
        drop(listener);
        assert!(at_last(|| world.kernel.apply(&[Change::TakePort(wish(TCP, &ALL, 8080, 8080))]).is_ok()));
        let (errno, message) = world.refuses(wish(TCP, &["203.0.113.9".parse().unwrap()], 80, 80));
        assert_eq!(errno, Some(Errno::ADDRNOTAVAIL));
        assert_eq!(message, "host port 80/tcp of 203.0.113.9: the host does not have this address");
    });
}

#[test]
fn any_port_is_one_of_the_ephemeral_ones() {
    in_real(|world| {
        sh("sysctl -qw net.ipv4.ip_local_port_range='40000 40003'");
        let taken: Vec<_> = (0..2).map(|_| world.take(wish(UDP, &ALL, 0, 0)).outcome).collect();
        let ephemeral = |outcome: &Outcome| (40_000..=40_003).any(|port| *outcome == Outcome::Port(port));
        assert!(taken.iter().all(ephemeral) && taken[0] != taken[1], "{taken:?}");
    });
}

#[test]
fn half_of_the_ephemeral_ports_stays_free() {
    in_real(|world| {
        sh("sysctl -qw net.ipv4.ip_local_port_range='40000 40005'");
        let refused = |first, last, shown: &str| {
            let (errno, message) = world.refuses(wish(UDP, &LOOPBACK[..1], first, last));
            let spared = "are all in use, but for the half of the ephemeral ports that stays free for the host";
            assert_eq!((errno, message), (Some(Errno::ADDRINUSE), format!("host ports {shown} {spared}")));
        };
        let mut taken: Vec<_> = (0..3).map(|_| world.take(wish(UDP, &LOOPBACK[..1], 0, 0))).collect();
        refused(0, 0, "40000-40005/udp of 127.0.0.1");
        refused(40_001, 40_004, "40001-40004/udp of 127.0.0.1");
        assert!(listen(world, UDP, LOOPBACK[0], 0).is_ok(), "the host's own");
        world.take(wish(TCP, &LOOPBACK[..1], 0, 0));
        // A range that goes beyond gives what is beyond, and a number that is meant is given.
        assert_eq!(world.take(wish(UDP, &LOOPBACK[..1], 40_000, 40_006)).outcome, Outcome::Port(40_006));
        let free = (40_000..=40_005).find(|port| taken.iter().all(|t| t.outcome != Outcome::Port(*port))).unwrap();
        world.take(wish(UDP, &LOOPBACK[..1], free, free));
        refused(0, 0, "40000-40005/udp of 127.0.0.1");
        // Several addresses of a port are one of the range.
        world.take(wish(UDP, &["127.0.0.2".parse().unwrap()], free, free));
        assert_eq!(world.kernel.undo(&[taken.pop().unwrap()]), []);
        refused(0, 0, "40000-40005/udp of 127.0.0.1");
        assert_eq!(world.kernel.undo(&[taken.pop().unwrap()]), []);
        world.take(wish(UDP, &LOOPBACK[..1], 0, 0));
        refused(0, 0, "40000-40005/udp of 127.0.0.1");
        // Another range is counted anew.
        sh("sysctl -qw net.ipv4.ip_local_port_range='40000 40011'");
        world.take(wish(UDP, &LOOPBACK[..1], 0, 0));
    });
}

#[test]
fn how_many_are_free_is_known() {
    in_both(|world| {
        let before = world.kernel.free_ports();
        let taken = world.take(wish(TCP, &ALL, 8080, 8080));
        assert_eq!(world.kernel.free_ports(), before - 2);
        assert_eq!(world.kernel.undo(&[taken]), []);
        assert_eq!(world.kernel.free_ports(), before);
    });
}

#[test]
fn what_is_free_for_a_wish_is_kept() {
    in_both(|world| {
        world.take(wish(TCP, &ALL[..1], 8080, 8080));
        let own = vec![port(TCP, ALL[0], 8080)];
        let taken = world.take(PortWish { own, ..wish(TCP, &ALL, 8080, 8080) });
        assert_eq!(taken.undo, [Change::ReleasePort(port(TCP, ALL[1], 8080))], "and no more is taken back");
    });
}

fn range(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> PortWish {
    PortWish { all: true, ..wish(protocol, addresses, first, last) }
}

#[test]
fn a_range_is_taken_whole_or_not_at_all() {
    in_both(|world| {
        let listener = listen(world, UDP, LOOPBACK[1], 8085).unwrap();
        let (errno, message) = world.refuses(range(UDP, &ALL, 8080, 8090));
        let expected = "host port 8085/udp is in use by another program".to_owned();
        assert_eq!((errno, message), (Some(Errno::ADDRINUSE), expected));
        assert!(at_last(|| (8080..=8090).all(|port| listen(world, UDP, ALL[0], port).is_ok())), "nothing is left");
        drop(listener);
        let taken = world.take(range(UDP, &ALL, 8080, 8090));
        let whole = ALL.map(|address| HostPort { more: 10, ..port(UDP, address, 8080) });
        assert_eq!((&taken.outcome, &taken.undo), (&Outcome::Port(8080), &whole.map(Change::ReleasePort).to_vec()));
        for port in 8080..=8090 {
            assert_eq!(listen(world, UDP, LOOPBACK[1], port).err(), Some(ErrorKind::AddrInUse), "{port}");
        }
        let (_, message) = world.refuses(range(UDP, &LOOPBACK, 8090, 8095));
        assert_eq!(message, "host port 8090/udp of 127.0.0.1 is in use by an endpoint already");
        let (_, message) = world.refuses(wish(UDP, &ALL[..1], 8085, 8085));
        assert_eq!(message, "host port 8085/udp is in use by an endpoint already");
        // What is free for the wish stays, and a part of it is something else.
        let again = world.take(PortWish { own: whole.to_vec(), ..range(UDP, &ALL, 8080, 8090) });
        assert_eq!(again.undo, []);
        world.refuses(PortWish { own: whole.to_vec(), ..range(UDP, &ALL, 8080, 8085) });
        let released = world.one(Change::ReleasePort(whole[0]));
        assert!(listen(world, UDP, ALL[0], 8090).is_ok() && listen(world, UDP, ALL[1], 8090).is_err());
        assert_eq!(world.kernel.undo(&[released]), []);
        assert!(listen(world, UDP, ALL[0], 8090).is_err());
        assert_eq!(world.kernel.undo(&[taken]), []);
        assert!(at_last(|| (8080..=8090).all(|port| ALL.iter().all(|any| listen(world, UDP, *any, port).is_ok()))));
    });
}

#[test]
fn a_range_is_held_again_but_for_what_others_have_by_now() {
    in_both(|world| {
        let others = [8083, 8085].map(|port| listen(world, TCP, ALL[0], port).unwrap());
        let whole = HostPort { more: 5, ..port(TCP, ALL[0], 8080) };
        let error = world.kernel.hold_port(whole).unwrap_err();
        let expected = "host port 8083/tcp is in use by another program; the same goes for 1 more of 8080-8085/tcp";
        assert_eq!(error.message, expected);
        assert!((8080..=8085).all(|port| listen(world, TCP, ALL[0], port).is_err()));
        drop(others);
        world.kernel.hold_port(whole).unwrap();
        assert!(at_last(|| (8080..=8085).all(|port| listen(world, TCP, ALL[0], port).is_err())));
        world.one(Change::ReleasePort(whole));
        assert!(is_free(world, 8080) && is_free(world, 8085));
    });
}

/// With or without SCTP in the kernel.
#[test]
fn sctp_ports_are_told_apart() {
    in_both(|world| {
        let taken = world.take(wish(SCTP, &ALL, 8080, 8080));
        let (_, message) = world.refuses(wish(SCTP, &LOOPBACK[..1], 8080, 8080));
        assert_eq!(message, "host port 8080/sctp of 127.0.0.1 is in use by an endpoint already");
        assert_eq!(world.kernel.undo(&[taken]), []);
        world.take(wish(SCTP, &LOOPBACK, 8080, 8080));
    });
}

#[test]
fn after_a_restart_they_are_held_again() {
    in_both(|world| {
        let (mine, lost) = (port(TCP, ALL[0], 8080), port(TCP, ALL[0], 8081));
        let listener = listen(world, TCP, ALL[0], 8081).unwrap();
        world.kernel.hold_port(mine).unwrap();
        world.kernel.hold_port(mine).unwrap();
        assert!(listen(world, TCP, ALL[0], 8080).is_err());
        let error = world.kernel.hold_port(lost).unwrap_err();
        assert!(error.message.starts_with("host port 8081/tcp is in use by another program"), "{error}");
        drop(listener);
        let (_, message) = world.refuses(wish(TCP, &ALL[..1], 8081, 8081));
        assert_eq!(message, "host port 8081/tcp is in use by an endpoint already");
        world.one(Change::ReleasePort(mine));
        world.one(Change::ReleasePort(lost));
        assert!(is_free(world, 8080) && is_free(world, 8081));
    });
}

#[test]
fn after_a_restart_they_are_held_on_addresses_that_are_not_there_yet() {
    in_both(|world| {
        let others = ["203.0.113.9", "2001:db8::9"].map(|address| address.parse::<IpAddr>().unwrap());
        for protocol in [TCP, UDP] {
            for address in others {
                world.kernel.hold_port(port(protocol, address, 8080)).unwrap();
                let (errno, _) = world.refuses(wish(protocol, &[address], 8081, 8081));
                assert_eq!(errno, Some(Errno::ADDRNOTAVAIL), "it is not taken anew");
            }
        }
        if world.fake.is_none() {
            sh("ip addr add 203.0.113.9/24 dev lo; ip addr add 2001:db8::9/64 dev lo nodad");
            for (protocol, address) in [TCP, UDP].into_iter().flat_map(|p| others.map(|address| (p, address))) {
                assert_eq!(listen(world, protocol, address, 8080).err(), Some(ErrorKind::AddrInUse));
            }
        }
    });
}

/// A connection that the side with `port` has closed first: its port waits (TIME_WAIT).
fn closed_connection(server: SocketAddr, client: SocketAddr, server_closes: bool) {
    let (listener, socket) = [server, client].map(|at| bound(at, true).unwrap()).into();
    rustix::net::listen(&listener, 1).unwrap();
    rustix::net::connect(&socket, &server).unwrap();
    let accepted = rustix::net::accept(&listener).unwrap();
    let (first, second) = if server_closes { (accepted, socket) } else { (socket, accepted) };
    drop(first);
    rustix::io::read(&second, &mut [0; 1]).unwrap();
}

fn bound(at: SocketAddr, reuse: bool) -> rustix::io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    sockopt::set_socket_reuseaddr(&socket, reuse)?;
    if at.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &at)?;
    Ok(socket)
}

#[test]
fn a_port_with_connections_that_wait_is_taken_and_then_nobodys() {
    in_real(|world| {
        for (number, address) in (0..).zip(LOOPBACK) {
            for (server, client, server_closes) in [(8080 + number, 9000, true), (9010, 8090 + number, false)] {
                let waits = if server_closes { server } else { client };
                let at = |port| SocketAddr::new(address, port);
                closed_connection(at(server), at(client), server_closes);
                assert!(at_last(|| bound(at(waits), true).is_ok()), "nobody has {waits} any more");
                assert_eq!(bound(at(waits), false).err(), Some(Errno::ADDRINUSE), "it waits");
                let taken = world.take(wish(TCP, &ALL, waits, waits));
                for other in ALL.into_iter().chain(LOOPBACK).map(|address| SocketAddr::new(address, waits)) {
                    assert_eq!(bound(other, true).err(), Some(Errno::ADDRINUSE), "{other}");
                    let refused = std::net::TcpStream::connect(other).unwrap_err();
                    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "nobody listens at {other}");
                }
                assert_eq!(world.kernel.undo(&[taken]), []);
            }
        }
    });
}

#[test]
fn a_port_of_a_program_that_would_share_it_is_not_taken() {
    in_real(|world| {
        let listener = bound(SocketAddr::new(ALL[0], 8080), true).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let alone = bound(SocketAddr::new(LOOPBACK[1], 8081), false).unwrap();
        for port in [8080, 8081] {
            let (errno, message) = world.refuses(wish(TCP, &ALL, port, port));
            assert_eq!(errno, Some(Errno::ADDRINUSE));
            assert!(message.ends_with("is in use by another program"), "{message}");
        }
        drop((listener, alone));
    });
}

#[test]
fn sockets_are_the_hosts_wherever_the_caller_is() {
    in_real(|world| {
        let sandbox = Sandbox::new(world);
        sandbox.within(|| {
            world.take(wish(TCP, &ALL, 8080, 8080));
            assert!(is_free(world, 8080), "in the sandbox");
        });
        assert!(!is_free(world, 8080), "on the host");
    });
}

/// A failure later in the list takes the port back, and one that was released comes back.
#[test]
fn ports_in_a_list_that_fails() {
    in_both(|world| {
        world.take(wish(TCP, &ALL[..1], 8080, 8080));
        let released = Change::ReleasePort(port(TCP, ALL[0], 8080));
        world.fails(&[released, Change::TakePort(wish(TCP, &ALL, 8081, 8081)), Change::AddLink(bridge("lo", &[]))]);
        assert!(!is_free(world, 8080) && is_free(world, 8081));
    });
}

#[test]
fn what_is_handed_to_the_next_process_is_never_free() {
    in_both(|world| {
        let whole = HostPort { more: 2, ..port(TCP, ALL[0], 8080) };
        let taken = || (8080..=8082).all(|port| listen(world, TCP, ALL[0], port).is_err());
        world.kernel.hold_port(whole).unwrap();
        let given = world.kernel.give_up_ports();
        // Nobody asks a kernel in memory for open files.
        assert_eq!(given.len(), if world.fake.is_some() { 0 } else { 3 });
        assert!(world.fake.is_some() || taken());
        world.kernel.receive_ports(given);
        world.kernel.hold_port(whole).unwrap();
        // Each has its own by now.
        world.kernel.receive_ports(Vec::new());
        assert!(taken());
        world.one(Change::ReleasePort(whole));
        assert!(is_free(world, 8080) && is_free(world, 8082));
    });
}
