//! WireGuard links (drivers/net/wireguard): keys, ports and peers, and no packets.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rustix::io::Errno;

use crate::fake::feature;
use crate::fake::fields::Fields;
use crate::fake::link::{Kind, LinkId};
use crate::fake::link_new::End;
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::link::wireguard as wg;
use crate::transport::attribute::{Writer, attributes};
use crate::transport::socket::{Message, Request};
use crate::{Peer, PublicKey};

/// The number that a machine's kernel gave the family.
const FAMILY: u16 = 0x20;
/// What is left of 1,500 bytes.
const MTU: u32 = 1420;

/// A WireGuard link.
#[derive(Clone, Debug, Default)]
pub(super) struct Wireguard {
    pub port: u16,
    /// The private one is not kept: nothing is encrypted.
    pub public: [u8; 32],
    pub peers: BTreeMap<PublicKey, Peer>,
}

/// What is told of a family.
fn family(number: u16) -> Message {
    let body = Writer::after(&[1, 2, 0, 0]).put(wg::CTRL_ATTR_FAMILY_ID, &number.to_ne_bytes());
    Message { body: body.finish() }
}

impl Machine {
    pub fn new_wireguard(&mut self, end: &End) -> Result<LinkId, Errno> {
        let id = self.register(end, Kind::Wireguard(Wireguard::default()))?;
        if let Some(link) = self.links.get_mut(&id) {
            link.mtu = end.mtu.unwrap_or(MTU);
            link.settings.makes_no_link_local = true;
        }
        Ok(id)
    }

    /// A message of generic netlink's.
    pub fn generic(&mut self, at: SpaceId, request: &Request) -> Reply {
        let fields = Fields::after(&request.body, wg::HEADER)?;
        match (request.kind, fields.header_byte(0)) {
            (wg::GENL_ID_CTRL, _) => {
                if fields.text(wg::CTRL_ATTR_FAMILY_NAME).as_deref() == Some(crate::link::feature::FAMILY) {
                    return Ok(vec![family(feature::FAMILY)]);
                }
                let is_known = fields.text(wg::CTRL_ATTR_FAMILY_NAME).as_deref() == Some(wg::FAMILY);
                let has_one = self.links.values().any(|link| matches!(link.kind, Kind::Wireguard(_)));
                if !is_known || !has_one {
                    return Err(Errno::NOENT);
                }
                Ok(vec![family(FAMILY)])
            }
            (feature::FAMILY, command) => self.feature_message(at, command, &fields),
            (FAMILY, wg::WG_CMD_GET_DEVICE) => self.tunnel(at, &fields).map(|(_, tunnel)| tell(tunnel)),
            (FAMILY, wg::WG_CMD_SET_DEVICE) => self.set_tunnel(at, &fields).map(|()| Vec::new()),
            _ => Err(Errno::OPNOTSUPP),
        }
    }

    fn tunnel(&mut self, at: SpaceId, fields: &Fields) -> Result<(LinkId, &mut Wireguard), Errno> {
        let index = fields.number(wg::WGDEVICE_A_IFINDEX)?.ok_or(Errno::INVAL)?;
        let id = self.by_index(at, index).ok_or(Errno::NODEV)?;
        match self.links.get_mut(&id).map(|link| &mut link.kind) {
            Some(Kind::Wireguard(tunnel)) => Ok((id, tunnel)),
            _ => Err(Errno::OPNOTSUPP),
        }
    }

    fn set_tunnel(&mut self, at: SpaceId, fields: &Fields) -> Result<(), Errno> {
        let (_, tunnel) = self.tunnel(at, fields)?;
        if let Some(port) = fields.get(wg::WGDEVICE_A_LISTEN_PORT) {
            tunnel.port = port.try_into().map(u16::from_ne_bytes).map_err(|_| Errno::INVAL)?;
        }
        if let Some(key) = fields.get(wg::WGDEVICE_A_PRIVATE_KEY) {
            tunnel.public = public(key);
        }
        for entry in fields.get(wg::WGDEVICE_A_PEERS).map(attributes).into_iter().flatten() {
            let (_, entry) = entry.map_err(|_| Errno::INVAL)?;
            let flags = Fields::after(entry, 0)?.number(wg::WGPEER_A_FLAGS)?.unwrap_or_default();
            tunnel.set_peer(wg::peer(entry).map_err(|_| Errno::INVAL)?, flags);
        }
        Ok(())
    }

    /// Whether a link of the host's that is up listens on a port of UDP's.
    pub fn is_tunnels(&self, port: u16) -> bool {
        let listens = |kind: &Kind| matches!(kind, Kind::Wireguard(tunnel) if tunnel.port == port);
        self.links.values().any(|link| link.up && listens(&link.kind))
    }

    pub fn may_listen(&self, port: u16) -> Result<(), Errno> {
        let is_taken = |port: u16| self.ports.iter().any(|other| (other.protocol, other.port) == (17, port));
        if self.is_tunnels(port) || is_taken(port) { Err(Errno::ADDRINUSE) } else { Ok(()) }
    }
}

impl Wireguard {
    fn set_peer(&mut self, new: Peer, flags: u32) {
        if flags & wg::WGPEER_F_REMOVE_ME != 0 {
            self.peers.remove(&new.key);
            return;
        }
        // One peer alone has a network.
        self.peers.values_mut().for_each(|peer| peer.allowed.retain(|net| !new.allowed.contains(net)));
        let empty = Peer { allowed: BTreeSet::new(), endpoint: None, ..new.clone() };
        let peer = self.peers.entry(new.key).or_insert(empty);
        if flags & wg::WGPEER_F_REPLACE_ALLOWEDIPS != 0 {
            peer.allowed.clear();
        }
        peer.allowed.extend(new.allowed);
        peer.endpoint = new.endpoint.or(peer.endpoint);
        peer.keepalive = new.keepalive;
    }
}

/// The link, and a message for each peer.
fn tell(tunnel: &Wireguard) -> Vec<Message> {
    let head = || Writer::after(&[wg::WG_CMD_GET_DEVICE, 1, 0, 0]);
    let port = tunnel.port.to_ne_bytes();
    let link = head().put(wg::WGDEVICE_A_PUBLIC_KEY, &tunnel.public).put(wg::WGDEVICE_A_LISTEN_PORT, &port);
    let peer = |peer: &Peer| head().nest(wg::WGDEVICE_A_PEERS, Writer::default().nest(0, wg::whole(peer)));
    std::iter::once(link).chain(tunnel.peers.values().map(peer)).map(|told| Message { body: told.finish() }).collect()
}

/// Another one for each private key, and not the one of Curve25519.
fn public(private: &[u8]) -> [u8; 32] {
    let mut public = [0; 32];
    for (number, eight) in (0_u8..).zip(public.chunks_mut(8)) {
        let mut hasher = DefaultHasher::new();
        (number, private).hash(&mut hasher);
        eight.copy_from_slice(&hasher.finish().to_ne_bytes());
    }
    public
}
