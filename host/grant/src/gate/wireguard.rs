//! `links.add-wireguard` and the peers of such links.

use kernel::{LinkKind, LinkSpec, Namespace, SetPeers};
use words::{Error, Result};

use super::links::WantedEnd;
use super::{Gate, Granted, Link, Object, View};
use crate::{HostCall, Limit, Permission};

/// A WireGuard link that a driver wants.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct WantedTunnel {
    pub end: WantedEnd,
    pub port: u16,
}

impl Gate {
    /// `links.add-wireguard`: it sends by whatever link the host's routes choose, and listens as a published port does.
    pub fn add_wireguard(&self, view: &mut impl View, wanted: WantedTunnel) -> Result<Granted<Vec<LinkSpec>>> {
        let call = HostCall::LinksAddWireguard;
        let WantedTunnel { end, port } = wanted;
        let why = "a WireGuard link takes a UDP port on all of the host's addresses";
        self.permit(call, Object::Also(Permission::HostPorts, why))?;
        self.permit(call, Object::Parent(None))?;
        if end.place.as_ref().is_some_and(|place| place.namespace != Namespace::Host) {
            return Err(Error::invalid(
                "a WireGuard link is made in the host's namespace: its keys and peers are the host's",
            ));
        }
        if end.master.is_some() || end.rest.mac.is_some() {
            return Err(Error::invalid("a WireGuard link has no MAC address, and is nobody's port"));
        }
        let end = self.end(view, end, None)?;
        self.check_holding(view, call, Limit::Links, 1)?;
        self.check_holding(view, call, Limit::Addresses, end.addresses.len())?;
        self.check_share(view, call, Limit::Ports, 1)?;
        self.grant(call, vec![LinkSpec { end, kind: LinkKind::Wireguard { port } }])
    }

    /// `links.set-peers`: what is allowed is the driver's to route to and from.
    pub fn set_peers(&self, view: &mut impl View, link: &Link, wanted: SetPeers) -> Result<Granted<SetPeers>> {
        let call = HostCall::LinksSetPeers;
        let link = link.owned(view)?;
        let allowed = wanted.peers.iter().flat_map(|peer| &peer.allowed);
        allowed.into_iter().try_for_each(|net| self.permit(call, Object::Address(*net)))?;
        self.check_holding(view, call, Limit::Neighbours, wanted.peers.len())?;
        self.grant(call, SetPeers { link: link.key, ..wanted })
    }

    /// `links.remove-peers`
    pub fn remove_peers(&self, link: &Link, wanted: SetPeers) -> Result<Granted<SetPeers>> {
        link.own()?;
        self.grant(HostCall::LinksRemovePeers, SetPeers { link: link.key.clone(), ..wanted })
    }
}
