//! Kernel settings.

use crate::fake::kernel::with_link;
use crate::fake::state::{self, HOST};
use crate::fake::sys::{Link, Namespace};
use crate::sysctls::{LinkSysctl, NamespaceSysctl, NeighbourSysctl};
use crate::{Error, Result};

pub(crate) fn get_link(link: &Link, name: LinkSysctl) -> Result<i32> {
    with_link(link.0, |link| link.sysctls.get(&name).copied().unwrap_or_default())
}

pub(crate) fn set_link(link: &Link, name: LinkSysctl, value: i32) -> Result<()> {
    with_link(link.0, |link| link.sysctls.insert(name, value)).map(drop)
}

/// What the kernel begins with: 0.8 seconds.
const PROXY_DELAY: i32 = 80;

pub(crate) fn get_neighbour(link: &Link, name: NeighbourSysctl) -> Result<i32> {
    with_link(link.0, |link| link.neighbour_sysctls.get(&name).copied().unwrap_or(PROXY_DELAY))
}

pub(crate) fn set_neighbour(link: &Link, name: NeighbourSysctl, value: i32) -> Result<()> {
    with_link(link.0, |link| link.neighbour_sysctls.insert(name, value)).map(drop)
}

pub(crate) fn get_namespace(namespace: &Namespace, name: NamespaceSysctl) -> Result<i32> {
    check(namespace)?;
    Ok(state::with(|state| state.namespace_sysctls.get(&(namespace.0, name)).copied().unwrap_or_default()))
}

pub(crate) fn set_namespace(namespace: &Namespace, name: NamespaceSysctl, value: i32) -> Result<()> {
    check(namespace)?;
    state::with(|state| state.namespace_sysctls.insert((namespace.0, name), value));
    Ok(())
}

fn check(namespace: &Namespace) -> Result<()> {
    if namespace.0 == HOST { Err(Error::forbidden("the host's settings need a grant")) } else { Ok(()) }
}
