//! "Let this link forward".

use crate::fake::kernel::{check_place, with_link};
use crate::fake::state::HOST;
use crate::fake::sys::Link;
use crate::{Error, Result};

pub(crate) fn allow(link: &Link, ipv4: bool, ipv6: bool) -> Result<()> {
    check_place(link, HOST)?;
    let name = with_link(link.0, |link| link.info.name.clone())?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if !name.bytes().all(plain) || name.starts_with('-') {
        let message = format!("iptables would misread the name {name}: letters, digits, '-', '_', '.' and '@'");
        return Err(Error::invalid_argument(message));
    }
    with_link(link.0, |link| link.forwards = (ipv4, ipv6))
}

pub(crate) fn disallow(link: &Link) -> Result<()> {
    // What is gone is not allowed.
    with_link(link.0, |link| link.forwards = (false, false)).ok();
    Ok(())
}
