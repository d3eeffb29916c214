//! Network devices.

use crate::Result;
use crate::component::convert::{all, mac_from_wit, mac_to_wit, same_cases};
use crate::component::wit::links as wit;
use crate::component::{Link, Namespace};
use crate::links::{
    IpvlanFlag, IpvlanMode, LinkChanges, LinkEnd, LinkInfo, LinkKind, LinkName, LinkSpec, MacvlanMode, Master,
    VxlanOptions,
};

same_cases!(MacvlanMode, wit::MacvlanMode, Private, Vepa, Bridge, Passthru);
same_cases!(IpvlanMode, wit::IpvlanMode, L2, L3, L3s);
same_cases!(IpvlanFlag, wit::IpvlanFlag, Bridge, Private, Vepa);

impl From<wit::LinkInfo> for LinkInfo {
    fn from(info: wit::LinkInfo) -> Self {
        Self {
            name: info.name,
            kind: info.kind,
            mac_address: info.mac_address.map(mac_from_wit),
            mtu: info.mtu,
            up: info.up,
            running: info.running,
            master: info.master,
        }
    }
}

impl<'a> From<&LinkEnd<'a>> for wit::LinkEnd<'a> {
    fn from(end: &LinkEnd<'a>) -> Self {
        Self {
            namespace: end.namespace.map(|namespace| &namespace.0),
            name: match end.name.clone() {
                LinkName::Exact(name) => wit::LinkName::Exact(name),
                LinkName::Prefix(prefix) => wit::LinkName::Prefix(prefix),
            },
            mac_address: end.mac_address.map(mac_to_wit),
            mtu: end.mtu,
            master: end.master.map(|master| &master.0),
            addresses: all(end.addresses.iter().copied()),
            up: end.up,
        }
    }
}

impl<'a> From<&VxlanOptions<'a>> for wit::VxlanOptions<'a> {
    fn from(options: &VxlanOptions<'a>) -> Self {
        Self {
            vni: options.vni,
            port: options.port,
            parent: options.parent.map(|parent| &parent.0),
            local: options.local.map(Into::into),
            remote: options.remote.map(Into::into),
            learning: options.learning,
            proxy: options.proxy,
        }
    }
}

impl<'a> From<&LinkKind<'a>> for wit::LinkKind<'a> {
    fn from(kind: &LinkKind<'a>) -> Self {
        match kind {
            LinkKind::Bridge => Self::Bridge,
            LinkKind::Veth(peer) => Self::Veth(peer.into()),
            LinkKind::Vxlan(options) => Self::Vxlan(options.into()),
            LinkKind::Macvlan { parent, mode } => {
                Self::Macvlan(wit::MacvlanOptions { parent: &parent.0, mode: (*mode).into() })
            }
            LinkKind::Ipvlan { parent, mode, flag } => {
                Self::Ipvlan(wit::IpvlanOptions { parent: &parent.0, mode: (*mode).into(), flag: (*flag).into() })
            }
            LinkKind::Vlan { parent, id } => Self::Vlan(wit::VlanOptions { parent: &parent.0, id: *id }),
            LinkKind::Dummy => Self::Dummy,
        }
    }
}

impl<'a> From<&LinkSpec<'a>> for wit::LinkSpec<'a> {
    fn from(spec: &LinkSpec<'a>) -> Self {
        Self { end: (&spec.end).into(), kind: (&spec.kind).into() }
    }
}

impl<'a> From<&LinkChanges<'a>> for wit::LinkChanges<'a> {
    fn from(changes: &LinkChanges<'a>) -> Self {
        Self {
            name: changes.name.clone(),
            mac_address: changes.mac_address.map(mac_to_wit),
            mtu: changes.mtu,
            up: changes.up,
            master: changes.master.map(|master| match master {
                Master::Nothing => wit::NewMaster::Nothing,
                Master::Bridge(bridge) => wit::NewMaster::Bridge(&bridge.0),
            }),
            hairpin: changes.hairpin,
            isolated: changes.isolated,
            learning: changes.learning,
        }
    }
}

pub(crate) fn info(link: &Link) -> Result<LinkInfo> {
    Ok(link.info()?.into())
}

pub(crate) fn set(link: &Link, changes: &LinkChanges) -> Result<()> {
    Ok(link.set(&changes.into())?)
}

pub(crate) fn remove(link: &Link) -> Result<()> {
    Ok(link.remove()?)
}

pub(crate) fn add(links: &[LinkSpec]) -> Result<Vec<(Link, Option<Link>)>> {
    let added = wit::add(&all::<_, wit::LinkSpec>(links))?;
    Ok(added.into_iter().map(|added| (added.link, added.peer)).collect())
}

pub(crate) fn add_macvtap(end: &LinkEnd, parent: &Link, mode: MacvlanMode) -> Result<Link> {
    Ok(wit::add_macvtap(&end.into(), &wit::MacvlanOptions { parent, mode: mode.into() })?)
}

pub(crate) fn take_device(device: &Link) -> Result<()> {
    Ok(wit::take_device(device)?)
}

pub(crate) fn get(namespace: Option<&Namespace>, name: &str) -> Result<Link> {
    Ok(wit::get(namespace, name)?)
}

pub(crate) fn list(namespace: Option<&Namespace>) -> Result<Vec<LinkInfo>> {
    Ok(all(wit::list(namespace)?))
}
