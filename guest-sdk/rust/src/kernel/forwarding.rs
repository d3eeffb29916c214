//! "Let this link forward": one wish that the host fulfils, whatever firewall is beside it.

use crate::links::Link;
use crate::{Result, sys};

/// Lets packets be forwarded between this link and other links of the host, for the families given. Holds until the
/// link goes, which keeps its name until then.
///
/// # Errors
/// `NotFound`: the link is gone. `InvalidArgument`: the link is not in the host's namespace, or its name has other characters
/// than letters, digits, `-`, `_`, `.` and `@`. `Unavailable`: the driver has as many rules as its grant says.
pub fn allow(link: &Link, ipv4: bool, ipv6: bool) -> Result<()> {
    sys::forwarding::allow(&link.0, ipv4, ipv6)
}

/// Takes it back. Ok if it was not allowed. Forwarding as a whole stays on: others may rely on it.
///
/// # Errors
/// `Forbidden`: a link that is not the driver's own.
pub fn disallow(link: &Link) -> Result<()> {
    sys::forwarding::disallow(&link.0)
}
