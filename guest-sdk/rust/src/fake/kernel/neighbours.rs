//! Neighbour and forwarding entries.

use std::net::IpAddr;

use crate::fake::capabilities::is_link_local;
use crate::fake::kernel::{all_or_nothing, check_length, with_link};
use crate::fake::sys::Link;
use crate::neighbours::{ForwardingEntry, ForwardingInfo, Neighbour, NeighbourInfo, Proxy};
use crate::{Error, Result};

/// Refuses an address that is neither in the pools nor link-local.
fn check(address: IpAddr) -> Result<()> {
    if is_link_local(address.into()) { Ok(()) } else { super::addresses::check(address.into()) }
}

pub(crate) fn add(neighbours: &[Neighbour]) -> Result<()> {
    all_or_nothing(neighbours, || {
        neighbours.iter().try_for_each(|entry| check(entry.address))?;
        remove(neighbours)?;
        neighbours.iter().try_for_each(|&Neighbour { link, address, mac_address }| {
            with_link(link.0.0, |link| link.neighbours.push(NeighbourInfo { address, mac_address }))
        })
    })
}

pub(crate) fn add_proxies(proxies: &[Proxy]) -> Result<()> {
    all_or_nothing(proxies, || {
        proxies.iter().try_for_each(|&Proxy { link, address }| {
            check(address)?;
            let is_own = with_link(link.0.0, |link| link.addresses.iter().any(|own| own.addr() == address))?;
            if is_own {
                return Err(Error::forbidden(format!("{address} is an address of this host's")));
            }
            if with_link(link.0.0, |link| link.proxies.contains(&address))? {
                return Err(Error::already_exists(format!("the host answers for {address} there already")));
            }
            with_link(link.0.0, |link| link.proxies.push(address))
        })
    })
}

pub(crate) fn remove_proxies(proxies: &[Proxy]) -> Result<()> {
    check_length(proxies, 1_000)?;
    for proxy in proxies {
        // What is gone has none.
        with_link(proxy.link.0.0, |link| link.proxies.retain(|own| *own != proxy.address)).ok();
    }
    Ok(())
}

pub(crate) fn remove(neighbours: &[Neighbour]) -> Result<()> {
    check_length(neighbours, 1_000)?;
    for neighbour in neighbours {
        // What is gone has none.
        with_link(neighbour.link.0.0, |link| link.neighbours.retain(|own| own.address != neighbour.address)).ok();
    }
    Ok(())
}

pub(crate) fn list(link: &Link) -> Result<Vec<NeighbourInfo>> {
    with_link(link.0, |link| link.neighbours.clone())
}

pub(crate) fn add_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    all_or_nothing(entries, || {
        for entry in entries {
            let is_vxlan = with_link(entry.link.0.0, |link| link.info.kind == "vxlan")?;
            if entry.remote.is_some() && !is_vxlan {
                return Err(Error::invalid_argument(
                    "a link that is no vxlan: its forwarding entries have no remote end",
                ));
            }
        }
        remove_forwarding(entries)?;
        entries.iter().try_for_each(|&ForwardingEntry { link, mac_address, remote }| {
            with_link(link.0.0, |link| link.forwarding.push(ForwardingInfo { mac_address, remote }))
        })
    })
}

pub(crate) fn remove_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    check_length(entries, 1_000)?;
    for entry in entries {
        with_link(entry.link.0.0, |link| link.forwarding.retain(|own| own.mac_address != entry.mac_address)).ok();
    }
    Ok(())
}

pub(crate) fn list_forwarding(link: &Link) -> Result<Vec<ForwardingInfo>> {
    with_link(link.0, |link| link.forwarding.clone())
}
