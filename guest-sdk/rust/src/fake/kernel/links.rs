//! Network devices.

use super::options::Options;
use super::{addresses, all_or_nothing, check_length, check_place, with_link};
use crate::fake::state::{self, HOST, State};
use crate::fake::sys::{Link, Namespace};
use crate::links::{LinkChanges, LinkEnd, LinkInfo, LinkKind, LinkName, LinkSpec, MacvlanMode, Master};
use crate::{Error, Result};

/// The kernel's dev_valid_name, and printable ASCII only.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_good = |byte: u8| byte.is_ascii_graphic() && !b"/:%".contains(&byte);
    if name.is_empty() || name.len() > 15 || name == "." || name == ".." || !name.bytes().all(is_good) {
        return Err(Error::invalid_argument(format!("{name:?} can't be a link's name")));
    }
    Ok(())
}

fn check_mtu(mtu: u32) -> Result<u32> {
    if (68..=65_535).contains(&mtu) { Ok(mtu) } else { Err(Error::invalid_argument(format!("MTU {mtu}: 68 to 65535"))) }
}

pub(crate) fn info(link: &Link) -> Result<LinkInfo> {
    with_link(link.0, |_| ())?;
    Ok(state::with(|state| state.info(link.0)))
}

pub(crate) fn set(link: &Link, changes: &LinkChanges) -> Result<()> {
    let (namespace, now) = with_link(link.0, |link| (link.namespace, link.info.name.clone()))?;
    if let Some(name) = changes.name.as_ref().filter(|name| **name != now) {
        check_name(name)?;
        check_free(namespace, name)?;
    }
    if let Some(Master::Bridge(bridge)) = changes.master {
        check_place(&bridge.0, namespace)?;
    }
    let mtu = changes.mtu.map(check_mtu).transpose()?;
    with_link(link.0, |link| {
        link.info.name = changes.name.clone().unwrap_or(std::mem::take(&mut link.info.name));
        link.info.mac_address = changes.mac_address.or(link.info.mac_address);
        link.info.mtu = mtu.unwrap_or(link.info.mtu);
        link.info.up = changes.up.unwrap_or(link.info.up);
        if changes.master.is_some() {
            link.options.port = Options::default().port;
        }
        match changes.master {
            Some(Master::Nothing) => link.master = None,
            Some(Master::Bridge(bridge)) => link.master = Some(bridge.0.0),
            None => {}
        }
        link.hairpin = changes.hairpin.unwrap_or(link.hairpin);
        link.isolated = changes.isolated.unwrap_or(link.isolated);
        link.learning = changes.learning.unwrap_or(link.learning);
    })
}

pub(crate) fn remove(link: &Link) -> Result<()> {
    state::with(|state| state.remove_link(link.0));
    Ok(())
}

pub(crate) fn add(links: &[LinkSpec]) -> Result<Vec<(Link, Option<Link>)>> {
    check_length(links, 256)?;
    all_or_nothing(links, || links.iter().map(add_spec).collect())
}

fn add_spec(spec: &LinkSpec) -> Result<(Link, Option<Link>)> {
    let kind = match &spec.kind {
        LinkKind::Bridge => "bridge",
        LinkKind::Veth(peer) => {
            let (one, other) = (add_end(&spec.end, "veth")?, add_end(peer, "veth")?);
            with_link(one, |link| link.peer = Some(other))?;
            with_link(other, |link| link.peer = Some(one))?;
            return Ok((Link(one), Some(Link(other))));
        }
        LinkKind::Vxlan(options) => {
            if !(1..1 << 24).contains(&options.vni) {
                return Err(Error::invalid_argument(format!("{} is no VXLAN network identifier", options.vni)));
            }
            options.parent.map_or(Ok(()), |parent| check_place(&parent.0, HOST))?;
            "vxlan"
        }
        LinkKind::Macvlan { parent, .. } => check_place(&parent.0, HOST).map(|()| "macvlan")?,
        LinkKind::Ipvlan { parent, .. } => check_place(&parent.0, HOST).map(|()| "ipvlan")?,
        LinkKind::Vlan { id, .. } if !(1..=4094).contains(id) => {
            return Err(Error::invalid_argument(format!("{id} is no VLAN id: 1 to 4094")));
        }
        LinkKind::Vlan { parent, .. } => check_place(&parent.0, HOST).map(|()| "vlan")?,
        LinkKind::Dummy => "dummy",
    };
    Ok((Link(add_end(&spec.end, kind)?), None))
}

pub(crate) fn add_macvtap(end: &LinkEnd, parent: &Link, _: MacvlanMode) -> Result<Link> {
    check_place(parent, HOST)?;
    add_end(end, "macvtap").map(Link)
}

pub(super) fn add_end(end: &LinkEnd, kind: &str) -> Result<u32> {
    let namespace = end.namespace.map_or(HOST, |namespace| namespace.0.0);
    let name = match &end.name {
        LinkName::Exact(name) => name.clone(),
        LinkName::Prefix(prefix) => {
            check_name(prefix)?;
            state::with(|state| first_free(state, namespace, prefix))
        }
    };
    check_name(&name)?;
    check_free(namespace, &name)?;
    end.master.map_or(Ok(()), |bridge| check_place(&bridge.0, namespace))?;
    end.addresses.iter().try_for_each(|address| addresses::check(*address))?;
    let mtu = end.mtu.map(check_mtu).transpose()?;
    state::with(|state| {
        let mut link = state.new_link(kind, &name, Some(state.owner.clone()));
        link.namespace = namespace;
        link.info.mac_address = end.mac_address.or(link.info.mac_address);
        link.info.mtu = mtu.unwrap_or(link.info.mtu);
        link.info.up = end.up;
        link.master = end.master.map(|master| master.0.0);
        link.addresses = end.addresses.clone();
        let id = state.next();
        state.links.insert(id, link);
        Ok(id)
    })
}

fn first_free(state: &State, namespace: u32, prefix: &str) -> String {
    let mut names = (0..).map(|number| format!("{prefix}{number}"));
    names.find(|name| !state.name_is_taken(namespace, name)).unwrap_or_default()
}

fn check_free(namespace: u32, name: &str) -> Result<()> {
    if state::with(|state| state.name_is_taken(namespace, name)) {
        return Err(Error { kernel_errno: Some(17), ..Error::already_exists(format!("there is a link {name}")) });
    }
    Ok(())
}

/// No test gives this host parents: each link that a driver can name is its own.
pub(crate) fn take_device(_: &Link) -> Result<()> {
    Err(Error::invalid_argument("the link is the driver's own"))
}

pub(crate) fn get(namespace: Option<&Namespace>, name: &str) -> Result<Link> {
    let namespace = namespace.map_or(HOST, |namespace| namespace.0);
    check_name(name)?;
    let found = state::with(|state| state.own_link(namespace, name)).map(Link);
    found.ok_or_else(|| Error::not_found(format!("the driver has no link {name} there")))
}

pub(crate) fn list(namespace: Option<&Namespace>) -> Result<Vec<LinkInfo>> {
    let namespace = namespace.map_or(HOST, |namespace| namespace.0);
    Ok(state::with(|state| state.own_links(namespace).map(|(id, _)| state.info(id)).collect()))
}
