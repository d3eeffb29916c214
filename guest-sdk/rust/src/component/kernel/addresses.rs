//! Addresses on links.

use ipnet::IpNet;

use crate::Result;
use crate::addresses::LinkAddress;
use crate::component::Link;
use crate::component::convert::all;
use crate::component::wit::addresses as wit;

impl<'a> From<&LinkAddress<'a>> for wit::LinkAddress<'a> {
    fn from(address: &LinkAddress<'a>) -> Self {
        Self { link: &address.link.0, address: address.address.into() }
    }
}

pub(crate) fn add(addresses: &[LinkAddress]) -> Result<()> {
    Ok(wit::add(&all::<_, wit::LinkAddress>(addresses))?)
}

pub(crate) fn remove(addresses: &[LinkAddress]) -> Result<()> {
    Ok(wit::remove(&all::<_, wit::LinkAddress>(addresses))?)
}

pub(crate) fn list(link: &Link) -> Result<Vec<IpNet>> {
    Ok(all(wit::list(link)?))
}
