//! Neighbour and forwarding entries.

use crate::Result;
use crate::fake::kernel::{all_or_nothing, with_link};
use crate::fake::sys::Link;
use crate::neighbours::{ForwardingEntry, ForwardingInfo, Neighbour, NeighbourInfo};

pub(crate) fn add(neighbours: &[Neighbour]) -> Result<()> {
    all_or_nothing(|| {
        remove(neighbours)?;
        neighbours.iter().try_for_each(|&Neighbour { link, address, mac_address }| {
            with_link(link.0.0, |link| link.neighbours.push(NeighbourInfo { address, mac_address }))
        })
    })
}

pub(crate) fn remove(neighbours: &[Neighbour]) -> Result<()> {
    neighbours.iter().try_for_each(|neighbour| {
        with_link(neighbour.link.0.0, |link| link.neighbours.retain(|own| own.address != neighbour.address))
    })
}

pub(crate) fn list(link: &Link) -> Result<Vec<NeighbourInfo>> {
    with_link(link.0, |link| link.neighbours.clone())
}

pub(crate) fn add_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    all_or_nothing(|| {
        remove_forwarding(entries)?;
        entries.iter().try_for_each(|&ForwardingEntry { link, mac_address, remote }| {
            with_link(link.0.0, |link| link.forwarding.push(ForwardingInfo { mac_address, remote }))
        })
    })
}

pub(crate) fn remove_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    entries.iter().try_for_each(|entry| {
        with_link(entry.link.0.0, |link| link.forwarding.retain(|own| own.mac_address != entry.mac_address))
    })
}

pub(crate) fn list_forwarding(link: &Link) -> Result<Vec<ForwardingInfo>> {
    with_link(link.0, |link| link.forwarding.clone())
}
