//! WireGuard links: their keys and peers, by the generic netlink family `wireguard` (linux/wireguard.h).
//!
//! A link's private key is random bytes that are made here, handed to the kernel and forgotten: no answer, note, record or error has it. What the
//! kernel says of a link has it beside the rest, and is overwritten once the rest is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ipnet::IpNet;
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::change::apply::Note;
use crate::link::mark::Marks;
use crate::link::read::{by_index, get};
use crate::link::set::own;
use crate::transport::attribute::{Writer, after, attributes, ip, number};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Protocol, Request, malformed};
use crate::{Applied, Change, Error, LinkKey, Namespace, Outcome, Peer, PublicKey, SetPeers};

/// linux/genetlink.h: `struct genlmsghdr`, and the family that knows the others.
pub(crate) const HEADER: usize = 4;
pub(crate) const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
pub(crate) const CTRL_ATTR_FAMILY_ID: u16 = 1;
pub(crate) const CTRL_ATTR_FAMILY_NAME: u16 = 2;
pub(crate) const FAMILY: &str = "wireguard";

const VERSION: u8 = 1;
pub(crate) const WG_CMD_GET_DEVICE: u8 = 0;
pub(crate) const WG_CMD_SET_DEVICE: u8 = 1;
pub(crate) const WGDEVICE_A_IFINDEX: u16 = 1;
pub(crate) const WGDEVICE_A_PRIVATE_KEY: u16 = 3;
pub(crate) const WGDEVICE_A_PUBLIC_KEY: u16 = 4;
pub(crate) const WGDEVICE_A_LISTEN_PORT: u16 = 6;
pub(crate) const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_PUBLIC_KEY: u16 = 1;
pub(crate) const WGPEER_A_FLAGS: u16 = 3;
const WGPEER_A_ENDPOINT: u16 = 4;
const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: u16 = 5;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
pub(crate) const WGPEER_F_REMOVE_ME: u32 = 1;
pub(crate) const WGPEER_F_REPLACE_ALLOWEDIPS: u32 = 2;
const WGALLOWEDIP_A_FAMILY: u16 = 1;
const WGALLOWEDIP_A_IPADDR: u16 = 2;
const WGALLOWEDIP_A_CIDR_MASK: u16 = 3;
/// An entry of a list.
const ENTRY: u16 = 0;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Allowed networks of all peers of a link: some 70 bytes each in the kernel.
const ALLOWED: usize = 16_384;

/// Gives a new link its private key and its port, which it takes when it comes up.
pub(crate) fn prepare(session: &mut Session, at: &Namespace, index: u32, port: u16) -> Result<(), Error> {
    let family = family(session, at)?;
    let mut key = [0; 32];
    // A part of it can be missing only of far more bytes.
    getrandom(&mut key, GetRandomFlags::empty()).map_err(|e| Error::system("making a private key", e))?;
    let body = device(WG_CMD_SET_DEVICE, index).put(WGDEVICE_A_PRIVATE_KEY, &key);
    key.fill(0);
    let mut request = Request::of(family, 0, body.put(WGDEVICE_A_LISTEN_PORT, &port.to_ne_bytes()).finish());
    let answers = session.exchange_with(at, Protocol::Generic, std::slice::from_ref(&request));
    request.body.fill(0);
    match answers?.first() {
        Some(Err(refusal)) => Err(Error::kernel("setting its private key and port", refusal)),
        _ => Ok(()),
    }
}

/// A link's public key and its peers.
pub(crate) fn read(session: &mut Session, key: &LinkKey) -> Result<(PublicKey, BTreeMap<PublicKey, Peer>), Error> {
    let at = &key.namespace;
    let family = family(session, at)?;
    let question = Request::all(family, device(WG_CMD_GET_DEVICE, key.index).finish());
    let mut messages = match session.ask(at, Protocol::Generic, question)? {
        Ok(messages) => messages,
        Err(refusal) if refusal.is(&[Errno::OPNOTSUPP]) => return Err(none(key)),
        Err(refusal) => return Err(Error::kernel(format_args!("looking at {key}"), &refusal)),
    };
    let told = told(&messages);
    messages.iter_mut().for_each(|message| message.body.fill(0));
    told
}

/// Changes peers of one of this instance's links.
pub(crate) fn set(session: &mut Session, set: &SetPeers, marks: Marks, note: Note) -> Result<Applied, Error> {
    let key = &set.link;
    match get(session, &key.namespace, by_index(key.index), marks)? {
        Some(seen) => own(key, &seen)?,
        None if set.peers.is_empty() => return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() }),
        None => return Err(Error::system("the link is gone", Errno::NODEV)),
    }
    let (public, before) = read(session, key)?;
    check(set, public, &before)?;
    let back = set.reverse(&before);
    let undo = vec![Change::SetPeers(back.clone())];
    note(&undo)?;
    send(session, set, &before).or_else(|error| {
        // Each peer is a message of its own.
        let now = read(session, key)?.1;
        send(session, &back, &now)?;
        Err(error)
    })?;
    Ok(Applied { outcome: Outcome::Done, undo })
}

fn check(set: &SetPeers, public: PublicKey, before: &BTreeMap<PublicKey, Peer>) -> Result<(), Error> {
    if set.peers.iter().any(|peer| peer.key == public) {
        return Err(Error::system(format_args!("{public} is the link's own key"), Errno::INVAL));
    }
    let named: BTreeSet<_> = set.peers.iter().map(|peer| &peer.key).chain(&set.gone).collect();
    let left = before.values().filter(|peer| !named.contains(&peer.key));
    let all: usize = left.chain(&set.peers).map(|peer| peer.allowed.len()).sum();
    match all <= ALLOWED {
        true => Ok(()),
        false => {
            Err(Error::system(format_args!("a link's peers have at most {ALLOWED} allowed networks"), Errno::NOBUFS))
        }
    }
}

fn send(session: &mut Session, set: &SetPeers, before: &BTreeMap<PublicKey, Peer>) -> Result<(), Error> {
    let SetPeers { link, peers, gone } = set;
    let family = family(session, &link.namespace)?;
    let request = |peer: Writer| {
        let peers = Writer::default().nest(ENTRY, peer);
        Request::of(family, 0, device(WG_CMD_SET_DEVICE, link.index).nest(WGDEVICE_A_PEERS, peers).finish())
    };
    let mut requests: Vec<Request> = gone.iter().map(|key| request(head(*key, WGPEER_F_REMOVE_ME))).collect();
    for peer in peers {
        // The kernel never forgets an endpoint by itself.
        if peer.endpoint.is_none() && before.get(&peer.key).is_some_and(|before| before.endpoint.is_some()) {
            requests.push(request(head(peer.key, WGPEER_F_REMOVE_ME)));
        }
        requests.push(request(whole(peer)));
    }
    let answers = session.exchange_with(&link.namespace, Protocol::Generic, &requests)?;
    match answers.iter().find_map(|answer| answer.as_ref().err()) {
        Some(refusal) => Err(Error::kernel("the peers", refusal)),
        None => Ok(()),
    }
}

/// The number of the family, which the kernel has once there is a link of the kind.
pub(crate) fn family(session: &mut Session, at: &Namespace) -> Result<u16, Error> {
    let body = Writer::after(&[CTRL_CMD_GETFAMILY, VERSION, 0, 0]).put_text(CTRL_ATTR_FAMILY_NAME, FAMILY);
    let answer = session.ask(at, Protocol::Generic, Request::of(GENL_ID_CTRL, 0, body.finish()))?;
    let messages = match answer {
        Ok(messages) => messages,
        Err(refusal) if refusal.is(&[Errno::NOENT]) => {
            return Err(Error::system("there is no WireGuard link", Errno::INVAL));
        }
        Err(refusal) => return Err(Error::kernel("asking for the family wireguard", &refusal)),
    };
    let body = messages.first().ok_or_else(malformed)?.body.as_slice();
    let id = after(body, HEADER)?.find(CTRL_ATTR_FAMILY_ID)?.ok_or_else(malformed)?;
    short(id)
}

fn none(key: &LinkKey) -> Error {
    Error::system(format_args!("{key} is no WireGuard link"), Errno::INVAL)
}

fn device(command: u8, index: u32) -> Writer {
    Writer::after(&[command, VERSION, 0, 0]).put(WGDEVICE_A_IFINDEX, &index.to_ne_bytes())
}

fn head(key: PublicKey, flags: u32) -> Writer {
    Writer::default().put(WGPEER_A_PUBLIC_KEY, &key.0).put(WGPEER_A_FLAGS, &flags.to_ne_bytes())
}

pub(crate) fn whole(peer: &Peer) -> Writer {
    let mut written = head(peer.key, WGPEER_F_REPLACE_ALLOWEDIPS);
    if let Some(endpoint) = peer.endpoint {
        written = written.put(WGPEER_A_ENDPOINT, &socket_address(endpoint));
    }
    let allowed = peer.allowed.iter().fold(Writer::default(), |all, net| all.nest(ENTRY, allowed(*net)));
    let keepalive = peer.keepalive.to_ne_bytes();
    written.put(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &keepalive).nest(WGPEER_A_ALLOWEDIPS, allowed)
}

fn allowed(net: IpNet) -> Writer {
    let (family, address) = match net.addr() {
        IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
    };
    Writer::default()
        .put(WGALLOWEDIP_A_FAMILY, &family.to_ne_bytes())
        .put(WGALLOWEDIP_A_IPADDR, &address)
        .put(WGALLOWEDIP_A_CIDR_MASK, &[net.prefix_len()])
}

/// `struct sockaddr_in` or `sockaddr_in6`.
fn socket_address(of: SocketAddr) -> Vec<u8> {
    let port = of.port().to_be_bytes();
    match of {
        SocketAddr::V4(v4) => [&AF_INET.to_ne_bytes(), &port[..], &v4.ip().octets(), &[0; 8]].concat(),
        SocketAddr::V6(v6) => {
            let scope = v6.scope_id().to_ne_bytes();
            [&AF_INET6.to_ne_bytes(), &port[..], &[0; 4], &v6.ip().octets(), &scope].concat()
        }
    }
}

/// What all messages about one link say; a peer with many networks is in several.
fn told(messages: &[Message]) -> Result<(PublicKey, BTreeMap<PublicKey, Peer>), Error> {
    let (mut public, mut peers) = (None, BTreeMap::new());
    for message in messages {
        for attribute in after(&message.body, HEADER)? {
            match attribute? {
                (WGDEVICE_A_PUBLIC_KEY, value) => public = Some(public_key(value)?),
                (WGDEVICE_A_PEERS, value) => {
                    for entry in attributes(value) {
                        let peer = peer(entry?.1)?;
                        let all =
                            peers.entry(peer.key).or_insert_with(|| Peer { allowed: BTreeSet::new(), ..peer.clone() });
                        all.allowed.extend(peer.allowed);
                    }
                }
                _ => {}
            }
        }
    }
    Ok((public.ok_or_else(malformed)?, peers))
}

pub(crate) fn peer(value: &[u8]) -> Result<Peer, Error> {
    let mut peer = Peer { key: PublicKey([0; 32]), endpoint: None, allowed: BTreeSet::new(), keepalive: 0 };
    for attribute in attributes(value) {
        match attribute? {
            (WGPEER_A_PUBLIC_KEY, value) => peer.key = public_key(value)?,
            (WGPEER_A_ENDPOINT, value) => peer.endpoint = Some(endpoint(value)?),
            (WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, value) => peer.keepalive = short(value)?,
            (WGPEER_A_ALLOWEDIPS, value) => {
                for entry in attributes(value) {
                    peer.allowed.insert(network(entry?.1)?);
                }
            }
            _ => {}
        }
    }
    Ok(peer)
}

fn network(value: &[u8]) -> Result<IpNet, Error> {
    let address = attributes(value).find(WGALLOWEDIP_A_IPADDR)?.ok_or_else(malformed)?;
    let length = attributes(value).find(WGALLOWEDIP_A_CIDR_MASK)?.and_then(|v| v.first()).ok_or_else(malformed)?;
    IpNet::new(ip(address)?, *length).map(|net| net.trunc()).map_err(|_| malformed())
}

fn endpoint(value: &[u8]) -> Result<SocketAddr, Error> {
    let read = || {
        let (family, rest) = value.split_first_chunk::<2>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let port = u16::from_be_bytes(*port);
        match u16::from_ne_bytes(*family) {
            AF_INET => Some((Ipv4Addr::from(*rest.first_chunk::<4>()?), port).into()),
            AF_INET6 => {
                let (address, scope) = rest.get(4..)?.split_first_chunk::<16>()?;
                let scope = number(scope.get(..4)?).ok()?;
                Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, 0, scope).into())
            }
            _ => None,
        }
    };
    read().ok_or_else(malformed)
}

fn public_key(value: &[u8]) -> Result<PublicKey, Error> {
    value.try_into().map(PublicKey).map_err(|_| malformed())
}

fn short(value: &[u8]) -> Result<u16, Error> {
    value.try_into().map(u16::from_ne_bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let net = |text: &str| text.parse().unwrap();
        let peer = Peer {
            key: PublicKey([7; 32]),
            endpoint: Some("[2001:db8::1]:51820".parse().unwrap()),
            allowed: [net("10.9.0.0/24"), net("fd09::/64")].into(),
            keepalive: 25,
        };
        let peers = Writer::default().nest(ENTRY, whole(&peer));
        let body = device(WG_CMD_GET_DEVICE, 3).put(WGDEVICE_A_PRIVATE_KEY, &[0x5e; 32]);
        Message { body: body.put(WGDEVICE_A_PUBLIC_KEY, &[9; 32]).nest(WGDEVICE_A_PEERS, peers).finish() }
    }

    #[test]
    fn what_the_kernel_says_is_read_without_the_private_key() {
        let (public, peers) = told(&[message()]).unwrap();
        assert_eq!(public, PublicKey([9; 32]));
        let peer = &peers[&PublicKey([7; 32])];
        assert_eq!((peer.endpoint.unwrap().to_string().as_str(), peer.keepalive), ("[2001:db8::1]:51820", 25));
        assert_eq!(peer.allowed.len(), 2);
        let request = Request::of(0x20, 0, message().body);
        let all = format!("{public:?} {peers:?} {:?} {request:?}", message());
        assert!(!all.contains("5e") && !all.contains("94"), "94 is 0x5e: {all}");
    }

    #[test]
    fn odd_answers_are_errors_but_never_panics() {
        let good = message().body;
        for position in 0..good.len() {
            let _ = told(&[Message { body: good[..position].to_vec() }]);
            for value in [0, 1, 3, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                let _ = told(&[Message { body: odd }]);
            }
        }
    }
}
