//! A device of others that a container gets for a while, as a value: with it the device is on the host again as it was.

use serde::{Deserialize, Serialize};

use words::{LinkName, MacAddress};

use crate::{LinkOptions, NamespacePath};

/// A device of others that this instance has taken for a container. In the kernel an alternative name tells it, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    /// Its index on the host when it was taken.
    pub index: u32,
    /// Its name there.
    pub name: LinkName,
    /// The container's namespace, once it was moved there; none: it is on the host, or wherever an engine has moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<NamespacePath>,
    /// How it was; none: nobody knows any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<DeviceState>,
}

/// What a device has on the host, and loses or may have changed in a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceState {
    /// Its kind; empty for a physical device. With a namespace the kernel deletes a device of a kind, and gives a physical one back.
    pub kind: String,
    /// Its MAC.
    pub mac: Option<MacAddress>,
    /// Bytes.
    pub mtu: u32,
    /// IFF_UP.
    pub up: bool,
    /// Its queue length, and whether it is promiscuous and takes in all multicast.
    pub options: LinkOptions,
    /// Its addresses, but those that the kernel makes itself: what the kernel says of each (RTM_NEWADDR after the header), which makes it again.
    pub addresses: Vec<Vec<u8>>,
    /// The same of its routes (RTM_NEWROUTE), those first that others lie behind.
    pub routes: Vec<Vec<u8>>,
}
