//! Ports of the host that are taken: each is held by a socket that is bound and does nothing else, so that no other program gets it.
//!
//! Packets to such a port are translated before they would reach the socket: at prerouting, and what the host sends itself at output. A TCP
//! socket never listens, so what comes all the same is refused, as if the port were free.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_freebind, set_ipv6_freebind, set_ipv6_v6only, set_socket_recv_buffer_size, set_socket_reuseaddr,
};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, bind, ipproto, listen, shutdown, socket_with};
use rustix::process::{Resource, getrlimit};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use crate::host::{Holding, Host};
use crate::{Applied, Change, Error, Outcome};

/// Where the kernel takes a port from for whoever wants any.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A port of the host on one address, or a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// TCP 6, UDP 17, SCTP 132.
    pub protocol: u8,
    /// Its number; of a range the first.
    pub port: u16,
    /// How many follow it in a range.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u16,
    /// Unspecified: every address of the family.
    pub address: IpAddr,
}

/// Which port of the host will do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortWish {
    /// TCP 6, UDP 17, SCTP 132.
    pub protocol: u8,
    /// It must be free on all of these, of which none includes another.
    pub addresses: Vec<IpAddr>,
    /// The first that will do; 0: any of the ephemeral ones.
    pub first: u16,
    /// The last that will do.
    pub last: u16,
    /// Not one of them will do, but only all from the first to the last.
    pub all: bool,
    /// Held already, and free for this wish: these stay as they are.
    pub own: Vec<HostPort>,
}

fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl HostPort {
    /// The last number of a range.
    pub fn last(&self) -> u16 {
        self.port.saturating_add(self.more)
    }

    /// How many numbers it has.
    pub fn count(&self) -> usize {
        usize::from(self.more) + 1
    }

    /// Each number alone.
    fn each(self) -> impl Iterator<Item = Self> {
        (self.port..=self.last()).map(move |port| Self { port, more: 0, ..self })
    }

    /// Whether there can be only one of them.
    pub fn clashes(&self, other: &Self) -> bool {
        let same_family = self.address.is_ipv4() == other.address.is_ipv4();
        let any = self.address.is_unspecified() || other.address.is_unspecified();
        self.protocol == other.protocol
            && self.port <= other.last()
            && other.port <= self.last()
            && (self.address == other.address || (same_family && any))
    }
}

impl PortWish {
    /// The host chooses.
    fn is_choice(&self) -> bool {
        self.first == 0 || self.first < self.last && !self.all
    }

    /// What it takes, if this is the first number: one for each address.
    pub fn ports(&self, port: u16) -> impl Iterator<Item = HostPort> {
        let more = if self.all { self.last.saturating_sub(port) } else { 0 };
        let protocol = self.protocol;
        self.addresses.iter().map(move |address| HostPort { protocol, port, more, address: *address })
    }

    /// How many sockets it takes.
    pub fn count(&self) -> usize {
        self.ports(self.first).map(|port| port.count()).sum()
    }
}

/// Whether the host has the address of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// It must.
    IsThere,
    /// It may get it later: at boot, or when the address moves here from another host.
    MayCome,
}

/// Single numbers with what holds each; without that where there can be none: see [`Ports::hold`] and [`open`].
type Sockets = BTreeMap<HostPort, Option<Holding>>;

/// What is taken.
#[derive(Debug, Default)]
struct Held {
    ports: Sockets,
    /// The ephemeral range as it was read last, and how many of it are taken, by protocol.
    ephemeral: (u16, u16),
    taken: BTreeMap<u8, usize>,
}

impl Held {
    fn insert(&mut self, port: HostPort, socket: Option<Holding>) {
        let is_new = !self.has_number(port.protocol, port.port);
        self.ports.insert(port, socket);
        if is_new && self.is_ephemeral(port.port) {
            *self.taken.entry(port.protocol).or_default() += 1;
        }
    }

    fn remove(&mut self, port: &HostPort) -> Option<Option<Holding>> {
        let removed = self.ports.remove(port)?;
        if !self.has_number(port.protocol, port.port)
            && self.is_ephemeral(port.port)
            && let Some(taken) = self.taken.get_mut(&port.protocol)
        {
            *taken -= 1;
        }
        Some(removed)
    }

    fn is_ephemeral(&self, port: u16) -> bool {
        (self.ephemeral.0..=self.ephemeral.1).contains(&port)
    }

    fn has_number(&self, protocol: u8, port: u16) -> bool {
        self.of_number(protocol, port).next().is_some()
    }

    /// Those of a number, on whichever addresses.
    fn of_number(&self, protocol: u8, port: u16) -> impl Iterator<Item = &HostPort> {
        let from = HostPort { protocol, port, more: 0, address: Ipv4Addr::UNSPECIFIED.into() };
        self.ports.range(from..).map(|(port, _)| port).take_while(move |o| (o.protocol, o.port) == (protocol, port))
    }

    /// Counts anew where the range is another one.
    fn read_ephemeral(&mut self, host: &Host) -> Result<(), Error> {
        let range = host.ephemeral()?;
        if range != self.ephemeral {
            self.ephemeral = range;
            let numbers: BTreeSet<(u8, u16)> = self.ports.keys().map(|port| (port.protocol, port.port)).collect();
            let inside = numbers.into_iter().filter(|(_, port)| self.is_ephemeral(*port));
            self.taken = inside.fold(BTreeMap::new(), |mut taken, (protocol, _)| {
                *taken.entry(protocol).or_default() += 1;
                taken
            });
        }
        Ok(())
    }

    /// Half of the ephemeral ports stay free for whoever on this host wants any: only by its number is more of them taken.
    fn spares_half(&self, protocol: u8) -> bool {
        let (first, last) = self.ephemeral;
        let count = usize::from(last - first) + 1;
        self.taken.get(&protocol).is_none_or(|taken| *taken < count / 2)
    }
}

/// The ports that are taken.
#[derive(Debug, Default)]
pub(super) struct Ports {
    held: Mutex<Held>,
    /// What held ports in the process before this one.
    given: Mutex<BTreeMap<HostPort, OwnedFd>>,
}

impl Ports {
    pub fn take(&self, host: &Host, wish: &PortWish) -> Result<Applied, Error> {
        let mut held = self.lock();
        check_room(held.ports.len() + wish.count())?;
        if wish.is_choice() {
            held.read_ephemeral(host)?;
        }
        let (port, sockets) = find(host, wish, &held)?;
        let undo = wish.ports(port).filter(|port| !wish.own.contains(port)).map(Change::ReleasePort).collect();
        sockets.into_iter().for_each(|(port, socket)| held.insert(port, socket));
        Ok(Applied { outcome: Outcome::Port(port), undo })
    }

    pub fn release(&self, port: HostPort) -> Applied {
        let HostPort { protocol, port: first, address, .. } = port;
        let addresses = vec![address];
        let again = PortWish { protocol, addresses, first, last: port.last(), all: true, own: Vec::new() };
        let mut held = self.lock();
        let removed: Vec<_> = port.each().filter_map(|number| held.remove(&number)).collect();
        drop(held);
        let undo = removed.first().map(|_| Change::TakePort(again)).into_iter().collect();
        Applied { outcome: Outcome::Done, undo }
    }

    /// See [`Kernel::hold_port`](crate::Kernel::hold_port).
    pub fn hold(&self, host: &Host, port: HostPort) -> Result<(), Error> {
        let mut held = self.lock();
        let rest: Vec<_> = port.each().filter(|number| !matches!(held.ports.get(number), Some(Some(_)))).collect();
        let mut failed = Vec::new();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let (here, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|number| given.contains_key(number));
        for number in here {
            let socket = given.remove(&number).map(Holding::Socket);
            held.insert(number, socket);
        }
        for (number, opened) in rest.iter().zip(host.hold(&rest, Address::MayCome)) {
            let socket = opened.unwrap_or_else(|error| {
                failed.push(error);
                None
            });
            held.insert(*number, socket);
        }
        let others = failed.len().saturating_sub(1);
        match failed.into_iter().next() {
            None => Ok(()),
            Some(error) if others == 0 => Err(error),
            Some(error) => {
                Err(Error { message: format!("{}; the same goes for {others} more of {port}", error.message), ..error })
            }
        }
    }

    /// See [`Kernel::give_up_ports`](crate::Kernel::give_up_ports).
    pub fn give_up(&self) -> Vec<(HostPort, OwnedFd)> {
        let held = std::mem::take(&mut *self.lock());
        let socket = |(port, held)| match held {
            Some(Holding::Socket(socket)) => Some((port, socket)),
            _ => None,
        };
        held.ports.into_iter().filter_map(socket).collect()
    }

    /// See [`Kernel::receive_ports`](crate::Kernel::receive_ports).
    pub fn receive(&self, sockets: Vec<(HostPort, OwnedFd)>) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = sockets.into_iter().collect();
    }

    /// How many more can be taken.
    pub fn free(&self) -> usize {
        room().saturating_sub(self.lock().ports.len())
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half of the files that this process may open is for ports; the rest is for its own work.
fn room() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    files.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX))
}

fn check_room(count: usize) -> Result<(), Error> {
    let most = room();
    if count > most {
        let full = format!(
            "no more than {most} host ports can be taken: raise the daemon's limit on open files (LimitNOFILE)"
        );
        return Err(Error { message: full, errno: Some(Errno::MFILE.raw_os_error()) });
    }
    Ok(())
}

/// The first port that is free on all addresses, with what holds it.
fn find(host: &Host, wish: &PortWish, held: &Held) -> Result<(u16, Sockets), Error> {
    let (first, last) = if wish.first == 0 { held.ephemeral } else { (wish.first, wish.last) };
    // A range is tried from its beginning, the ephemeral one from anywhere.
    let start = if wish.first == 0 { random_in(first..=last)? } else { first };
    let spared = wish.is_choice() && !held.spares_half(wish.protocol);
    let ports = (start..=last).chain(first..start).filter(|port| !spared || !held.is_ephemeral(*port));
    if wish.all {
        return open_all(host, wish, first, held).map(|sockets| (first, sockets));
    }
    for port in ports {
        match open_all(host, wish, port, held) {
            Err(error) if is_in_use(&error) && first < last => {}
            tried => return tried.map(|sockets| (port, sockets)),
        }
    }
    let but = if spared { ", but for the half of the ephemeral ports that stays free for the host" } else { "" };
    Err(in_use(format!("host ports {} are all in use{but}", PortWish { first, last, ..wish.clone() })))
}

fn open_all(host: &Host, wish: &PortWish, port: u16, held: &Held) -> Result<Sockets, Error> {
    let ports = wish.ports(port).filter(|port| !wish.own.contains(port)).flat_map(HostPort::each);
    let ports: Vec<HostPort> = ports.collect();
    // Those without a socket are found only here, and of all others it can be said whose they are.
    let is_held = |port: &&HostPort| held.of_number(port.protocol, port.port).any(|other| other.clashes(port));
    if let Some(port) = ports.iter().find(is_held) {
        return Err(in_use(format!("host port {port} is in use by an endpoint already")));
    }
    let opened = host.hold(&ports, Address::IsThere);
    ports.iter().zip(opened).map(|(port, socket)| Ok((*port, socket?))).collect()
}

/// What is opened: all, or where it is all or none up to the first that is refused.
pub(super) fn until_refused<T>(
    opened: impl Iterator<Item = Result<T, Error>>,
    address: Address,
) -> Vec<Result<T, Error>> {
    let mut all = Vec::new();
    for one in opened {
        let is_end = one.is_err() && address == Address::IsThere;
        all.push(one);
        if is_end {
            break;
        }
    }
    all
}

/// The socket that holds a port, in the calling thread's namespace; none where the kernel has no SCTP.
pub(super) fn open(port: HostPort, address: Address) -> Result<Option<OwnedFd>, Error> {
    let family = if port.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let (kind, protocol) = match port.protocol {
        6 => (SocketType::STREAM, ipproto::TCP),
        17 => (SocketType::DGRAM, ipproto::UDP),
        132 => (SocketType::STREAM, ipproto::SCTP),
        _ => return Err(refused(port, Errno::PROTONOSUPPORT)),
    };
    let bound = match socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol)) {
        Err(Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT) if protocol == ipproto::SCTP => return Ok(None),
        made => made.and_then(|socket| {
            if family == AddressFamily::INET6 {
                set_ipv6_v6only(&socket, true)?;
            }
            if address == Address::MayCome {
                if family == AddressFamily::INET6 {
                    set_ipv6_freebind(&socket, true)?;
                } else {
                    set_ip_freebind(&socket, true)?;
                }
            }
            // Multicast that others on this host have asked for comes here too, and nobody ever reads it.
            set_socket_recv_buffer_size(&socket, 0)?;
            let at = SocketAddr::new(port.address, port.port);
            match bind(&socket, &at) {
                Err(Errno::ADDRINUSE) if protocol == ipproto::TCP => bind_after_others(&socket, &at)?,
                bound => bound?,
            }
            Ok(socket)
        }),
    };
    bound.map(Some).map_err(|errno| refused(port, errno))
}

/// Binds a port on which connections of a program that has ended still wait (TIME_WAIT). A socket that listens, or that was bound
/// without SO_REUSEADDR, keeps it.
///
/// To listen for a moment makes the kernel forget that the port could be shared (`fastreuse` in net/ipv4/inet_connection_sock.c). From then
/// on nobody binds it, with SO_REUSEADDR neither. The socket stays bound when it listens no more.
fn bind_after_others(socket: &OwnedFd, at: &SocketAddr) -> rustix::io::Result<()> {
    set_socket_reuseaddr(socket, true)?;
    bind(socket, at)?;
    listen(socket, 0)?;
    shutdown(socket, Shutdown::Both)?;
    set_socket_reuseaddr(socket, false)
}

/// Why a port can't be had.
pub(super) fn refused(port: HostPort, errno: Errno) -> Error {
    match errno {
        Errno::ADDRINUSE => in_use(format!("host port {port} is in use by another program")),
        Errno::ADDRNOTAVAIL => Error {
            message: format!("host port {port}: the host does not have this address"),
            errno: Some(errno.raw_os_error()),
        },
        Errno::PROTONOSUPPORT => Error::system(format!("host ports of protocol {}", port.protocol), errno),
        _ => Error::system(format!("host port {port}"), errno),
    }
}

fn in_use(message: String) -> Error {
    Error { message, errno: Some(Errno::ADDRINUSE.raw_os_error()) }
}

fn is_in_use(error: &Error) -> bool {
    error.errno == Some(Errno::ADDRINUSE.raw_os_error())
}

/// The ports that the kernel gives to whoever wants any, in the calling thread's namespace.
pub(super) fn ephemeral() -> Result<(u16, u16), Error> {
    let text = fs::read_to_string(EPHEMERAL).map_err(|e| Error::io(format!("reading {EPHEMERAL}"), &e))?;
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => Ok((first, last)),
        _ => Err(Error::refused(format!("{EPHEMERAL} is no range of ports: {text:?}"))),
    }
}

fn random_in(range: RangeInclusive<u16>) -> Result<u16, Error> {
    let mut bytes = [0; 4];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|e| Error::system("reading random bytes", e))?;
    let count = u32::from(range.end() - range.start()) + 1;
    let offset = u32::from_le_bytes(bytes) % count;
    Ok(range.start() + u16::try_from(offset).unwrap_or_default())
}
