//! WireGuard links. Their private keys are the kernel's alone.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Link, LinkEnd};
use crate::{Error, Result, sys};

/// The digits of base64 (RFC 4648).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A public key. As text it is what `wg` shows: 44 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// The other end of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub key: PublicKey,
    /// Where it is reached by UDP; none: it has to send first.
    pub endpoint: Option<SocketAddr>,
    /// What is behind it: packets to these networks go to it, and from it come only packets of theirs. One peer of a link alone has a network.
    pub allowed: Vec<IpNet>,
    /// Seconds after which something is sent where nothing else was; none: nothing is.
    pub keepalive: Option<u16>,
}

/// Makes a WireGuard link on the host, with a new private key. While it is up, it has this UDP port.
///
/// # Errors
/// `AlreadyExists`: a name or the port is taken. `NotImplemented`: the kernel lacks the kind. `Forbidden`: the grant lacks `host-ports`, or "*" in
/// `parents`. `InvalidArgument`: another namespace, a MAC, a master, or port 0.
pub fn add_wireguard(end: &LinkEnd, port: u16) -> Result<Link> {
    sys::wireguard::add(end, port).map(Link)
}

impl Link {
    /// The public key of a WireGuard link.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `InvalidArgument`: it is none.
    pub fn public_key(&self) -> Result<PublicKey> {
        let key = sys::wireguard::public_key(&self.0)?;
        key.try_into().map(PublicKey).map_err(|_| Error::internal("a public key that is not of 32 bytes"))
    }

    /// Adds peers of a WireGuard link, at most 256; one with the same key becomes what is given.
    ///
    /// # Errors
    /// `Forbidden`: a network that is not the driver's. `NotFound`: the link is gone. `Unavailable`: the driver has as many as its grant says.
    /// `InvalidArgument`: the link's own key, one key or network twice, or no WireGuard link.
    pub fn set_peers(&self, peers: &[Peer]) -> Result<()> {
        sys::wireguard::set_peers(&self.0, peers)
    }

    /// Removes peers. Ok for those that are not there.
    ///
    /// # Errors
    /// `InvalidArgument`: no WireGuard link.
    pub fn remove_peers(&self, keys: &[PublicKey]) -> Result<()> {
        sys::wireguard::remove_peers(&self.0, keys)
    }

    /// The peers of a WireGuard link.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `InvalidArgument`: it is none.
    pub fn peers(&self) -> Result<Vec<Peer>> {
        sys::wireguard::peers(&self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for three in self.0.chunks(3) {
            let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
            for digit in 0..=three.len() {
                write!(f, "{}", char::from(DIGITS[bits >> (18 - 6 * digit) & 63]))?;
            }
        }
        f.write_str("=")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let digits = text.strip_suffix('=').filter(|digits| digits.len() == 43)?;
            let mut key = [0; 32];
            let (mut bits, mut count, mut bytes) = (0_u32, 0, key.iter_mut());
            for digit in digits.bytes() {
                let value = DIGITS.iter().position(|known| *known == digit)?;
                (bits, count) = (bits << 6 | u32::try_from(value).ok()?, count + 6);
                if count >= 8 {
                    count -= 8;
                    *bytes.next()? = (bits >> count) as u8;
                }
            }
            // What the last digit has beyond the key is nothing.
            (bits & 3 == 0).then_some(Self(key))
        };
        read().ok_or_else(|| Error::invalid_argument(format!("\"{text}\" is no public key of WireGuard")))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_as_wg_shows_it() {
        let key = PublicKey(*b"pontoon carries containers here!");
        assert_eq!(key.to_string(), "cG9udG9vbiBjYXJyaWVzIGNvbnRhaW5lcnMgaGVyZSE=");
        for key in [key, PublicKey([0xff; 32]), PublicKey([0; 32])] {
            assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        }
        for odd in [
            "",
            "=",
            "cG9u",
            "cG9udG9vbiBjYXJyaWVzIGNvbnRhaW5lcnMgaGVyZSF=",
            "cG9udG9vbiBjYXJyaWVzIGNvbnRhaW5lcnMgaGVyZSE",
        ] {
            assert!(odd.parse::<PublicKey>().is_err(), "{odd}");
        }
        assert!("cG9udG9vbiBjYXJyaWVz\u{e9}GNvbnRhaW5lcnMgaGVyZSE=".parse::<PublicKey>().is_err());
    }
}
