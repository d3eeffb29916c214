//! WireGuard links.

use std::collections::BTreeSet;

use super::{addresses, all_or_nothing, check_length, links, with_link};
use crate::fake::state;
use crate::fake::sys::Link;
use crate::links::{LinkEnd, Peer, PublicKey};
use crate::{Error, Result};

/// What a WireGuard link has beside others.
#[derive(Clone, Debug)]
pub(crate) struct Tunnel {
    pub port: u16,
    pub key: PublicKey,
    pub peers: Vec<Peer>,
}

pub(crate) fn add(end: &LinkEnd, port: u16) -> Result<Link> {
    if port == 0 || end.namespace.is_some() || end.master.is_some() || end.mac_address.is_some() {
        return Err(Error::invalid_argument(
            "a WireGuard link is the host's, has a port, and no MAC address or master",
        ));
    }
    let is_taken = |link: &state::Link| link.info.up && link.tunnel.as_ref().is_some_and(|other| other.port == port);
    if end.up && state::with(|state| state.links.values().any(is_taken)) {
        return Err(Error { kernel_errno: Some(98), ..Error::already_exists(format!("port {port} is taken")) });
    }
    let id = links::add_end(end, "wireguard")?;
    let number = state::with(|state| state.next());
    with_link(id, |link| {
        let mut key = [0x11; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        link.tunnel = Some(Tunnel { port, key: PublicKey(key), peers: Vec::new() });
        link.info.mac_address = None;
        link.info.mtu = end.mtu.unwrap_or(1420);
    })?;
    Ok(Link(id))
}

pub(crate) fn public_key(link: &Link) -> Result<Vec<u8>> {
    with_tunnel(link, |tunnel| tunnel.key.0.to_vec())
}

pub(crate) fn set_peers(link: &Link, peers: &[Peer]) -> Result<()> {
    check_length(peers, 256)?;
    let own = with_tunnel(link, |tunnel| tunnel.key)?;
    let (mut keys, mut networks) = (BTreeSet::new(), BTreeSet::new());
    let allowed = || peers.iter().flat_map(|peer| &peer.allowed);
    if peers.iter().any(|peer| peer.key == own || !keys.insert(peer.key)) || allowed().any(|net| !networks.insert(*net))
    {
        return Err(Error::invalid_argument("the link's own key, or a key or network twice"));
    }
    if let Some(bad) = peers.iter().filter_map(|peer| peer.endpoint).find(|of| of.port() == 0 || of.ip().is_loopback())
    {
        return Err(Error::invalid_argument(format!("{bad} is no endpoint of another host's")));
    }
    all_or_nothing(peers, || {
        allowed().try_for_each(|net| addresses::check(*net))?;
        with_tunnel(link, |tunnel| {
            tunnel.peers.retain(|peer| !keys.contains(&peer.key));
            tunnel.peers.iter_mut().for_each(|peer| peer.allowed.retain(|net| !networks.contains(net)));
            tunnel.peers.extend(peers.iter().cloned());
        })
    })
}

pub(crate) fn remove_peers(link: &Link, keys: &[PublicKey]) -> Result<()> {
    check_length(keys, 256)?;
    with_tunnel(link, |tunnel| tunnel.peers.retain(|peer| !keys.contains(&peer.key)))
}

pub(crate) fn peers(link: &Link) -> Result<Vec<Peer>> {
    with_tunnel(link, |tunnel| tunnel.peers.clone())
}

fn with_tunnel<T>(link: &Link, work: impl FnOnce(&mut Tunnel) -> T) -> Result<T> {
    let found = with_link(link.0, |link| link.tunnel.as_mut().map(work))?;
    found.ok_or_else(|| Error::invalid_argument("it is no WireGuard link"))
}
