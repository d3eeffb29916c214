//! How bridges and their ports pass packets on, and properties of any link.

use super::Link;
use crate::{Result, sys};

/// A VLAN of a bridge's port, or of the bridge itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeVlan {
    /// 1 to 4094.
    pub id: u16,
    /// Packets that come in without a tag are of it. At most one of a link's VLANs is.
    pub default: bool,
    /// Its packets go out without a tag.
    pub untagged: bool,
}

/// How a bridge passes packets on. What to change; none: leave it. As an answer, none: this kernel doesn't have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeOptions {
    /// A port takes in and gives out only packets of VLANs that it has.
    pub vlan_filtering: Option<bool>,
    /// The VLANs of the bridge itself, in place of those that it had, at most 1,024. VLAN 1 at first, as default and untagged.
    pub vlans: Option<Vec<BridgeVlan>>,
    /// Give multicast only to ports behind which somebody asked for it.
    pub multicast_snooping: Option<bool>,
    /// Ask who wants multicast.
    pub multicast_querier: Option<bool>,
    /// Seconds after which it forgets behind which port an address is, at most 1,000,000.
    pub ageing: Option<u32>,
}

/// How a bridge passes packets on to one of its ports. None: as with [`BridgeOptions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortOptions {
    /// Give it packets for addresses that the bridge doesn't know.
    pub unicast_flood: Option<bool>,
    /// Give it multicast of which the bridge doesn't know who wants it.
    pub multicast_flood: Option<bool>,
    /// Give it broadcasts.
    pub broadcast_flood: Option<bool>,
    /// Its VLANs, as with [`BridgeOptions`].
    pub vlans: Option<Vec<BridgeVlan>>,
}

/// Properties of any link. What to change; none: leave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Packets that wait to be sent, at most, 1 to 16,384.
    pub queue_length: Option<u32>,
    /// Take in packets that are for others. Of a link on a parent a permission of its own.
    pub promiscuous: Option<bool>,
    /// Take in all multicast. The same.
    pub all_multicast: Option<bool>,
}

/// What a link's device does for the kernel, and the kernel with many packets at once. What to change; none: leave it. As an answer, none: it can't be
/// changed of this link; else what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// The device makes the checksums of what is sent.
    pub transmit_checksums: Option<bool>,
    /// The device cuts large packets of TCP into segments.
    pub tcp_segmentation: Option<bool>,
    /// The kernel cuts large packets as late as it can.
    pub generic_segmentation: Option<bool>,
    /// The kernel puts what comes in together to larger packets.
    pub receive_grouping: Option<bool>,
}

impl BridgeVlan {
    /// A VLAN whose packets go out with their tag.
    pub fn tagged(id: u16) -> Self {
        Self { id, default: false, untagged: false }
    }

    /// The VLAN of whoever knows of none: packets come in and go out without a tag.
    pub fn access(id: u16) -> Self {
        Self { id, default: true, untagged: true }
    }
}

impl Link {
    /// Changes how a bridge passes packets on.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `NotImplemented`: VLANs, on a kernel without. `InvalidArgument`: it is no bridge, or a value that can't be.
    pub fn set_bridge(&self, options: &BridgeOptions) -> Result<()> {
        sys::options::set_bridge(&self.0, options)
    }

    /// How a bridge passes packets on.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `InvalidArgument`: it is no bridge.
    pub fn bridge_options(&self) -> Result<BridgeOptions> {
        sys::options::bridge(&self.0)
    }

    /// Changes how a bridge passes packets on to this port of it.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `NotImplemented`: VLANs, on a kernel without. `Forbidden`: the bridge is not the driver's. `InvalidArgument`: it is no
    /// port of a bridge, or a value that can't be.
    pub fn set_port(&self, options: &PortOptions) -> Result<()> {
        sys::options::set_port(&self.0, options)
    }

    /// How a bridge passes packets on to this port of it.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `InvalidArgument`: it is no port of a bridge.
    pub fn port_options(&self) -> Result<PortOptions> {
        sys::options::port(&self.0)
    }

    /// Changes properties that any link has.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `Forbidden`: what its parent would do, too, without the permission. `InvalidArgument`: a queue that is too long, or none.
    pub fn set_properties(&self, properties: &Properties) -> Result<()> {
        sys::options::set_properties(&self.0, properties)
    }

    /// Properties that any link has.
    ///
    /// # Errors
    /// `NotFound`: it is gone.
    pub fn properties(&self) -> Result<Properties> {
        sys::options::properties(&self.0)
    }

    /// Changes what is offloaded.
    ///
    /// # Errors
    /// `NotFound`: it is gone. `NotImplemented`: one of them can't be changed of this link.
    pub fn set_offloads(&self, offloads: &Offloads) -> Result<()> {
        sys::options::set_offloads(&self.0, offloads)
    }

    /// What is offloaded.
    ///
    /// # Errors
    /// `NotFound`: it is gone.
    pub fn offloads(&self) -> Result<Offloads> {
        sys::options::offloads(&self.0)
    }
}
