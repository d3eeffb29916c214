//! Addresses on links.

use ipnet::IpNet;

use crate::addresses::LinkAddress;
use crate::fake::capabilities::is_link_local;
use crate::fake::kernel::{all_or_nothing, check_length, with_link};
use crate::fake::state;
use crate::fake::sys::Link;
use crate::{Error, Result};

/// Refuses an address outside of the pools. A link-local one alone a grant can name.
pub(crate) fn check(address: IpNet) -> Result<()> {
    let is_single = address.prefix_len() == address.max_prefix_len();
    if is_single && is_link_local(address) {
        return Ok(());
    }
    if state::with(|state| state.is_in_pools(address.trunc())) {
        return Ok(());
    }
    Err(Error::forbidden(format!("{address} lies in none of the network's pools")))
}

pub(crate) fn add(addresses: &[LinkAddress]) -> Result<()> {
    all_or_nothing(addresses, || {
        addresses.iter().try_for_each(|LinkAddress { link, address }| {
            check(*address)?;
            if list(&link.0)?.contains(address) {
                return Err(Error::already_exists(format!("the link has {address}")));
            }
            with_link(link.0.0, |link| link.addresses.push(*address))
        })
    })
}

pub(crate) fn remove(addresses: &[LinkAddress]) -> Result<()> {
    check_length(addresses, 1_000)?;
    for LinkAddress { link, address } in addresses {
        // What is gone has none.
        with_link(link.0.0, |link| link.addresses.retain(|own| own != address)).ok();
    }
    Ok(())
}

pub(crate) fn list(link: &Link) -> Result<Vec<IpNet>> {
    with_link(link.0, |link| link.addresses.clone())
}
