//! The kernel's interfaces.

pub(crate) mod addresses;
pub(crate) mod chains;
pub(crate) mod frames;
pub(crate) mod links;
pub(crate) mod neighbours;
pub(crate) mod nftables;
pub(crate) mod options;
pub(crate) mod packets;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod shaping;
pub(crate) mod sysctls;
pub(crate) mod wireguard;

pub(crate) mod namespaces {
    use crate::Result;
    use crate::component::wit::namespaces as wit;
    use wit::Namespace;

    pub(crate) use wit::host;

    pub(crate) fn same(namespace: &Namespace, other: &Namespace) -> bool {
        namespace.same(other)
    }

    pub(crate) fn remove(namespace: &Namespace) -> Result<()> {
        Ok(namespace.remove()?)
    }

    pub(crate) fn add(name: &str) -> Result<Namespace> {
        Ok(wit::add(name)?)
    }

    pub(crate) fn get(name: &str) -> Result<Namespace> {
        Ok(wit::get(name)?)
    }
}

pub(crate) mod forwarding {
    use crate::Result;
    use crate::component::Link;
    use crate::component::wit::forwarding as wit;

    pub(crate) fn allow(link: &Link, ipv4: bool, ipv6: bool) -> Result<()> {
        Ok(wit::allow(link, ipv4, ipv6)?)
    }

    pub(crate) fn disallow(link: &Link) -> Result<()> {
        Ok(wit::disallow(link)?)
    }
}

pub(crate) mod ports {
    use std::net::IpAddr;

    use crate::Result;
    use crate::component::convert::all;
    use crate::component::wit::ports as wit;

    pub(crate) fn take(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<u16> {
        Ok(wit::take(protocol, &all::<_, wit::IpAddress>(addresses.iter().copied()), first, last)?)
    }

    pub(crate) fn release(protocol: u8, addresses: &[IpAddr], port: u16) -> Result<()> {
        Ok(wit::release(protocol, &all::<_, wit::IpAddress>(addresses.iter().copied()), port)?)
    }

    pub(crate) fn take_range(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<()> {
        Ok(wit::take_range(protocol, &all::<_, wit::IpAddress>(addresses.iter().copied()), first, last)?)
    }

    pub(crate) fn release_range(protocol: u8, addresses: &[IpAddr], first: u16, last: u16) -> Result<()> {
        Ok(wit::release_range(protocol, &all::<_, wit::IpAddress>(addresses.iter().copied()), first, last)?)
    }
}
