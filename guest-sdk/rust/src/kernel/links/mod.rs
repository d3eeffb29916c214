//! Network devices.

mod options;
mod spec;
mod wireguard;

use crate::namespaces::Namespace;
use crate::{Error, MacAddress, Result, sys};

pub use options::{BridgeOptions, BridgeVlan, Offloads, PortOptions, Properties};
pub use spec::{IpvlanFlag, IpvlanMode, LinkEnd, LinkKind, LinkName, LinkSpec, MacvlanMode, VxlanOptions};
pub use wireguard::{Peer, PublicKey, add_wireguard};

/// A link: one of the driver's own, or a parent interface that its grant names.
#[derive(Debug)]
pub struct Link(pub(crate) sys::Link);

impl Link {
    /// What the link is now.
    ///
    /// # Errors
    /// `NotFound`: it is gone.
    pub fn info(&self) -> Result<LinkInfo> {
        sys::links::info(&self.0)
    }

    /// Changes what is given, and leaves the rest.
    ///
    /// # Errors
    /// `NotFound`: it is gone.
    pub fn set(&self, changes: &LinkChanges) -> Result<()> {
        sys::links::set(&self.0, changes)
    }

    /// Removes the link; of a pair, both ends. Ok if the kernel removed it already.
    ///
    /// # Errors
    /// Whatever the kernel has against it.
    pub fn remove(&self) -> Result<()> {
        sys::links::remove(&self.0)
    }

    /// Takes a device of the host's, one of the parents that the grant names, for the endpoint at hand: it can be named in `set_names` then. When the
    /// endpoint goes, it is on the host again as it was.
    ///
    /// # Errors
    /// `AlreadyExists`: it is taken already. `Forbidden`: the grant does not allow it. `NotFound`: it is gone. `Unavailable`: something goes by it, or has
    /// too much on it. `InvalidArgument`: a link of the driver's own, or a call for no endpoint.
    pub fn take_device(&self) -> Result<()> {
        sys::links::take_device(&self.0)
    }
}

/// What a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its name.
    pub name: String,
    /// The kernel's name of the kind, e.g. `veth`; empty for a physical device.
    pub kind: String,
    /// Its Ethernet address, if it is that sort of link.
    pub mac_address: Option<MacAddress>,
    /// Bytes.
    pub mtu: u32,
    /// The link is set up (IFF_UP).
    pub up: bool,
    /// The link can carry packets (IFF_RUNNING).
    pub running: bool,
    /// The name of the link that it is a port of, if that is one that this driver sees.
    pub master: Option<String>,
}

/// What to change of a link; none: leave it.
#[derive(Clone, Debug, Default)]
pub struct LinkChanges<'a> {
    /// A new name.
    pub name: Option<String>,
    /// A new Ethernet address.
    pub mac_address: Option<MacAddress>,
    /// Bytes.
    pub mtu: Option<u32>,
    /// Up or down.
    pub up: Option<bool>,
    /// Another bridge.
    pub master: Option<Master<'a>>,
    /// As a bridge port: send packets back out of the port that they came in by.
    pub hairpin: Option<bool>,
    /// As a bridge port: talk only to ports that are not isolated.
    pub isolated: Option<bool>,
    /// As a bridge port: learn addresses from packets.
    pub learning: Option<bool>,
}

/// What a link becomes a port of.
#[derive(Clone, Copy, Debug)]
pub enum Master<'a> {
    /// Of nothing.
    Nothing,
    /// Of a bridge.
    Bridge(&'a Link),
}

/// A link that was made.
#[derive(Debug)]
pub struct AddedLink {
    /// The link.
    pub link: Link,
    /// The other end of a pair.
    pub peer: Option<Link>,
}

/// Makes links.
///
/// # Errors
/// `AlreadyExists`: a name is taken. `NotImplemented`: the kernel lacks the kind.
pub fn add(links: &[LinkSpec]) -> Result<Vec<AddedLink>> {
    let handles = sys::links::add(links)?;
    Ok(handles.into_iter().map(|(link, peer)| AddedLink { link: Link(link), peer: peer.map(Link) }).collect())
}

/// Makes one link.
///
/// # Errors
/// As [`add`].
pub fn add_one(link: LinkSpec) -> Result<AddedLink> {
    add(&[link])?.pop().ok_or_else(|| Error::internal("links.add gave nothing back"))
}

/// Makes a macvtap: a macvlan whose packets a program of the host's has, by the file `/dev/tapN`, where N is the link's index.
///
/// # Errors
/// As [`add`].
pub fn add_macvtap(end: &LinkEnd, parent: &Link, mode: MacvlanMode) -> Result<Link> {
    sys::links::add_macvtap(end, &parent.0, mode).map(Link)
}

/// A link by its name.
///
/// # Errors
/// `NotFound`: no link of this driver has that name there.
pub fn get(namespace: Option<&Namespace>, name: &str) -> Result<Link> {
    sys::links::get(namespace.map(|namespace| &namespace.0), name).map(Link)
}

/// The driver's links.
///
/// # Errors
/// `Forbidden`: a namespace that the grant does not name.
pub fn list(namespace: Option<&Namespace>) -> Result<Vec<LinkInfo>> {
    sys::links::list(namespace.map(|namespace| &namespace.0))
}
