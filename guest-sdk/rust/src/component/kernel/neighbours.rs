//! Neighbour entries and forwarding entries.

use crate::Result;
use crate::component::Link;
use crate::component::convert::{all, mac_from_wit, mac_to_wit};
use crate::component::wit::neighbours as wit;
use crate::neighbours::{ForwardingEntry, ForwardingInfo, Neighbour, NeighbourInfo, Proxy};

impl<'a> From<&Neighbour<'a>> for wit::Neighbour<'a> {
    fn from(neighbour: &Neighbour<'a>) -> Self {
        Self {
            link: &neighbour.link.0,
            address: neighbour.address.into(),
            mac_address: mac_to_wit(neighbour.mac_address),
        }
    }
}

impl From<wit::NeighbourInfo> for NeighbourInfo {
    fn from(neighbour: wit::NeighbourInfo) -> Self {
        Self { address: neighbour.address.into(), mac_address: mac_from_wit(neighbour.mac_address) }
    }
}

impl<'a> From<&ForwardingEntry<'a>> for wit::ForwardingEntry<'a> {
    fn from(entry: &ForwardingEntry<'a>) -> Self {
        Self { link: &entry.link.0, mac_address: mac_to_wit(entry.mac_address), remote: entry.remote.map(Into::into) }
    }
}

impl From<wit::ForwardingInfo> for ForwardingInfo {
    fn from(entry: wit::ForwardingInfo) -> Self {
        Self { mac_address: mac_from_wit(entry.mac_address), remote: entry.remote.map(Into::into) }
    }
}

impl<'a> From<&Proxy<'a>> for wit::Proxy<'a> {
    fn from(proxy: &Proxy<'a>) -> Self {
        Self { link: &proxy.link.0, address: proxy.address.into() }
    }
}

pub(crate) fn add_proxies(proxies: &[Proxy]) -> Result<()> {
    Ok(wit::add_proxies(&all::<_, wit::Proxy>(proxies))?)
}

pub(crate) fn remove_proxies(proxies: &[Proxy]) -> Result<()> {
    Ok(wit::remove_proxies(&all::<_, wit::Proxy>(proxies))?)
}

pub(crate) fn add(neighbours: &[Neighbour]) -> Result<()> {
    Ok(wit::add(&all::<_, wit::Neighbour>(neighbours))?)
}

pub(crate) fn remove(neighbours: &[Neighbour]) -> Result<()> {
    Ok(wit::remove(&all::<_, wit::Neighbour>(neighbours))?)
}

pub(crate) fn list(link: &Link) -> Result<Vec<NeighbourInfo>> {
    Ok(all(wit::list(link)?))
}

pub(crate) fn add_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    Ok(wit::add_forwarding(&all::<_, wit::ForwardingEntry>(entries))?)
}

pub(crate) fn remove_forwarding(entries: &[ForwardingEntry]) -> Result<()> {
    Ok(wit::remove_forwarding(&all::<_, wit::ForwardingEntry>(entries))?)
}

pub(crate) fn list_forwarding(link: &Link) -> Result<Vec<ForwardingInfo>> {
    Ok(all(wit::list_forwarding(link)?))
}
