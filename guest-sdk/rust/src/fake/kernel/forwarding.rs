//! "Let this link forward".

use crate::Result;
use crate::fake::kernel::with_link;
use crate::fake::sys::Link;

pub(crate) fn allow(link: &Link, ipv4: bool, ipv6: bool) -> Result<()> {
    with_link(link.0, |link| link.forwards = (ipv4, ipv6))
}

pub(crate) fn disallow(link: &Link) -> Result<()> {
    with_link(link.0, |link| link.forwards = (false, false))
}
