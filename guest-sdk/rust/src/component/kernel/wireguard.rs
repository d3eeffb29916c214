//! WireGuard links.

use std::net::SocketAddr;

use crate::Result;
use crate::component::Link;
use crate::component::convert::all;
use crate::component::wit::links as wit;
use crate::links::{LinkEnd, Peer, PublicKey};

impl From<&Peer> for wit::WireguardPeer {
    fn from(peer: &Peer) -> Self {
        let endpoint = |of: SocketAddr| wit::UdpEndpoint { address: of.ip().into(), port: of.port() };
        Self {
            public_key: peer.key.0.to_vec(),
            endpoint: peer.endpoint.map(endpoint),
            allowed: all(peer.allowed.iter().copied()),
            keepalive: peer.keepalive,
        }
    }
}

impl From<wit::WireguardPeer> for Peer {
    fn from(peer: wit::WireguardPeer) -> Self {
        let endpoint = |of: wit::UdpEndpoint| SocketAddr::new(of.address.into(), of.port);
        Self {
            // The host checks what it tells.
            key: PublicKey(peer.public_key.try_into().unwrap_or_default()),
            endpoint: peer.endpoint.map(endpoint),
            allowed: all(peer.allowed),
            keepalive: peer.keepalive,
        }
    }
}

pub(crate) fn add(end: &LinkEnd, port: u16) -> Result<Link> {
    Ok(wit::add_wireguard(&end.into(), port)?)
}

pub(crate) fn public_key(link: &Link) -> Result<Vec<u8>> {
    Ok(wit::read_public_key(link)?)
}

pub(crate) fn set_peers(link: &Link, peers: &[Peer]) -> Result<()> {
    Ok(wit::set_peers(link, &all::<_, wit::WireguardPeer>(peers))?)
}

pub(crate) fn remove_peers(link: &Link, keys: &[PublicKey]) -> Result<()> {
    let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.0.to_vec()).collect();
    Ok(wit::remove_peers(link, &keys)?)
}

pub(crate) fn peers(link: &Link) -> Result<Vec<Peer>> {
    Ok(all(wit::list_peers(link)?))
}
