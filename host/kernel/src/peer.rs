//! WireGuard's words: who is at the other end of a link's tunnels. Private keys have none: they are the kernel's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::LinkKey;

/// A public key: a point of Curve25519.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

/// The other end of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// Who it is.
    pub key: PublicKey,
    /// Where it is reached, or was heard from last; none: it has to send first.
    pub endpoint: Option<SocketAddr>,
    /// What is behind it. Only one peer of a link has a network.
    pub allowed: BTreeSet<IpNet>,
    /// Seconds after which something is sent where nothing else was; 0: nothing is.
    pub keepalive: u16,
}

/// What becomes of a link's peers. Those that it does not name stay, but for allowed networks that another one gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SetPeers {
    /// The link.
    pub link: LinkKey,
    /// These are so from now on.
    pub peers: Vec<Peer>,
    /// These are not there any more. Ok for those that are not.
    pub gone: Vec<PublicKey>,
}

impl SetPeers {
    /// What takes it back, where these are the peers before it.
    pub(crate) fn reverse(&self, before: &BTreeMap<PublicKey, Peer>) -> Self {
        let named: BTreeSet<PublicKey> = self.peers.iter().map(|peer| peer.key).chain(self.gone.clone()).collect();
        let taken: BTreeSet<IpNet> = self.peers.iter().flat_map(|peer| peer.allowed.iter().copied()).collect();
        let changes = |peer: &&Peer| named.contains(&peer.key) || !peer.allowed.is_disjoint(&taken);
        let gone = self.peers.iter().map(|peer| peer.key).filter(|key| !before.contains_key(key));
        Self {
            link: self.link.clone(),
            peers: before.values().filter(changes).cloned().collect(),
            gone: gone.collect(),
        }
    }
}

impl fmt::Display for PublicKey {
    /// As `wg` shows it: in base64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for three in self.0.chunks(3) {
            let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
            for digit in 0..4 {
                let shown = match digit <= three.len() {
                    true => DIGITS[bits >> (18 - 6 * digit) & 63],
                    false => b'=',
                };
                write!(f, "{}", char::from(shown))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_as_wg_shows_it() {
        // printf 'pontoon carries containers here!' | base64
        let key = PublicKey(*b"pontoon carries containers here!");
        assert_eq!(key.to_string(), "cG9udG9vbiBjYXJyaWVzIGNvbnRhaW5lcnMgaGVyZSE=");
    }
}
