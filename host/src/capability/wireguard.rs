//! `links`: WireGuard links and their peers. No private key is ever here.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::handle::{self, LinkHandle};
use super::{Answer, CallState, convert, links};
use ask::{Bytes, Refusal, links as wit};
use grant::gate::wireguard::WantedTunnel;
use kernel::{Peer, PublicKey, SetPeers};

/// Peers of one request.
const PEERS: usize = 256;

/// Allowed networks of a peer: they go to the kernel in one attribute of at most 64 KiB.
const ALLOWED: usize = 1_024;

pub(super) fn add(call: &mut CallState, end: wit::LinkEnd, port: u16) -> Answer<LinkHandle> {
    if port == 0 {
        return Err(Refusal::invalid("a WireGuard link's port is 1 to 65535: its peers have to know it"));
    }
    let wanted = WantedTunnel { end: links::wanted_end(call, &end)?, port };
    let (gate, transaction) = call.parts()?;
    let granted = gate.add_wireguard(transaction, wanted)?;
    links::add_one(call, granted)
}

pub(super) fn key(call: &mut CallState, link: LinkHandle) -> Answer<Bytes> {
    let key = handle::own_link(call, link)?.key;
    Ok(Bytes(call.transaction()?.look().wireguard(&key)?.0.0.to_vec()))
}

pub(super) fn set(call: &mut CallState, link: LinkHandle, peers: Vec<wit::WireguardPeer>) -> Answer<()> {
    check_count(peers.len())?;
    let link = call.handles.link(link)?.clone();
    let peers = peers.into_iter().map(peer).collect::<Answer<Vec<_>>>()?;
    let (mut keys, mut networks) = (BTreeSet::new(), BTreeSet::new());
    if let Some(twice) = peers.iter().find(|peer| !keys.insert(peer.key)) {
        return Err(Refusal::invalid(format!("the peer {} is given twice", twice.key)));
    }
    if let Some(twice) = peers.iter().flat_map(|peer| &peer.allowed).find(|net| !networks.insert(**net)) {
        return Err(Refusal::invalid(format!("two peers have the allowed network {twice}")));
    }
    let wanted = SetPeers { link: link.key.clone(), peers, gone: Vec::new() };
    let (gate, transaction) = call.parts()?;
    let granted = gate.set_peers(transaction, &link, wanted)?;
    Ok(transaction.set_peers(granted)?)
}

pub(super) fn remove(call: &mut CallState, link: LinkHandle, keys: Vec<Bytes>) -> Answer<()> {
    check_count(keys.len())?;
    let link = call.handles.link(link)?.clone();
    let gone = keys.into_iter().map(public_key).collect::<Answer<_>>()?;
    let wanted = SetPeers { link: link.key.clone(), peers: Vec::new(), gone };
    let (gate, transaction) = call.parts()?;
    Ok(transaction.set_peers(gate.remove_peers(&link, wanted)?)?)
}

pub(super) fn list(call: &mut CallState, link: LinkHandle) -> Answer<Vec<wit::WireguardPeer>> {
    let key = handle::own_link(call, link)?.key;
    let peers = call.transaction()?.look().wireguard(&key)?.1;
    Ok(peers.into_values().map(peer_to_wit).collect())
}

fn check_count(count: usize) -> Answer<()> {
    if count > PEERS {
        Err(Refusal::invalid(format!("at most {PEERS} peers at once; these are {count}")))
    } else {
        Ok(())
    }
}

fn peer(peer: wit::WireguardPeer) -> Answer<Peer> {
    if peer.allowed.len() > ALLOWED {
        let count = peer.allowed.len();
        return Err(Refusal::invalid(format!("a peer has at most {ALLOWED} allowed networks; this one has {count}")));
    }
    let allowed = peer.allowed.into_iter().map(|net| convert::network(net).map(|net| net.trunc()));
    Ok(Peer {
        key: public_key(peer.public_key)?,
        endpoint: peer.endpoint.map(endpoint).transpose()?,
        allowed: allowed.collect::<Answer<_>>()?,
        keepalive: peer.keepalive.unwrap_or_default(),
    })
}

fn public_key(Bytes(bytes): Bytes) -> Answer<PublicKey> {
    let bytes: Result<[u8; 32], _> = bytes.try_into();
    bytes
        .map(PublicKey)
        .map_err(|bytes| Refusal::invalid(format!("a public key has 32 bytes, and this one {}", bytes.len())))
}

fn endpoint(of: wit::UdpEndpoint) -> Answer<SocketAddr> {
    let address = convert::address(of.address);
    let is_one_hosts = match address {
        IpAddr::V4(v4) => !(v4.is_broadcast() || v4.is_link_local()),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    };
    let is_bad = address.is_unspecified() || address.is_multicast() || address.is_loopback() || !is_one_hosts;
    match is_bad || of.port == 0 {
        true => Err(Refusal::invalid(format!("{address} port {} is no endpoint of another host's", of.port))),
        false => Ok((address, of.port).into()),
    }
}

fn peer_to_wit(peer: Peer) -> wit::WireguardPeer {
    let endpoint = |of: SocketAddr| wit::UdpEndpoint { address: convert::address_to_wit(of.ip()), port: of.port() };
    wit::WireguardPeer {
        public_key: Bytes(peer.key.0.to_vec()),
        endpoint: peer.endpoint.map(endpoint),
        allowed: peer.allowed.into_iter().map(convert::network_to_wit).collect(),
        keepalive: Some(peer.keepalive).filter(|seconds| *seconds != 0),
    }
}
