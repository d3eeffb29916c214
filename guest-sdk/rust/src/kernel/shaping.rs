//! How fast links of the driver's own send and receive.
//!
//! What a link receives is limited by way of another one: [`add_ifb`] makes it, [`redirect`] sends packets through it, and [`set_rate`] on it is
//! how fast they go.

use crate::links::Link;
use crate::namespaces::Namespace;
use crate::{Result, sys};

/// A token bucket (tc's `tbf`). What comes faster waits, for up to 25 ms, and then is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bytes (not bits) a second, 1,000 to 1,000,000,000,000.
    pub bytes_per_second: u64,
    /// Bytes that may go at once after a silence: at least the link's MTU and 14 for the header.
    pub burst: u32,
}

/// Limits what a link sends; none: no more. A link that moves into another namespace loses it.
///
/// # Errors
/// `AlreadyExists`: somebody else has put a queueing discipline there. `InvalidArgument`: a rate or burst that can't be. `NotFound`: the link is
/// gone. `NotImplemented`: the kernel lacks `tbf`.
pub fn set_rate(link: &Link, rate: Option<Rate>) -> Result<()> {
    sys::shaping::set_rate(&link.0, rate)
}

/// What [`set_rate`] set.
///
/// # Errors
/// `NotFound`: the link is gone.
pub fn get_rate(link: &Link) -> Result<Option<Rate>> {
    sys::shaping::get_rate(&link.0)
}

/// Makes a link of kind ifb, which is up; none: in the host's namespace.
///
/// # Errors
/// As [`links::add`](crate::links::add).
pub fn add_ifb(namespace: Option<&Namespace>, name: &str) -> Result<Link> {
    sys::shaping::add_ifb(namespace.map(|namespace| &namespace.0), name).map(Link)
}

/// Has what a link receives go through one that [`add_ifb`] made, in the same namespace; none: no more. When that one is removed, this link
/// receives nothing.
///
/// # Errors
/// As [`set_rate`]. `InvalidArgument`: another kind of link to go through, one of kind ifb that is to, or two namespaces.
pub fn redirect(link: &Link, through: Option<&Link>) -> Result<()> {
    sys::shaping::redirect(&link.0, through.map(|through| &through.0))
}
