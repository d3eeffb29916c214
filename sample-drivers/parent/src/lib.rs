//! What the macvlan and ipvlan drivers have in common: a network lies on a link of the host's, its parent, and each container gets a link on
//! that.
//!
//! | key | value |
//! |---|---|
//! | `made/LINK` | the network that a parent was made for |
//! | `on/LINK/NETWORK` | how a network lies on its parent |
//! | `endpoint/NETWORK/ENDPOINT` | [`Endpoint`] |

mod endpoint;
mod parent;

pub use endpoint::{Endpoint, Gateways};
pub use parent::Parent;

/// A link's name: the prefix, and twelve digits that are the same in every build (FNV-1a). Ids may begin alike.
pub(crate) fn name(prefix: &str, id: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{prefix}{:012x}", id.bytes().fold(0xcbf2_9ce4_8422_2325, mix) >> 16)
}
