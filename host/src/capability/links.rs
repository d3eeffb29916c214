//! `links`: network devices.

use wasmtime::component::Resource;

use super::handle::{self, Link, Namespace};
use super::namespaces::or_host;
use super::{Answer, Refusal, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::links as wit;
use grant::{HostCall, Limit, Object};
use kernel::{self, Change, LinkInfo, LinkKey, NewLink, NewName, Outcome};
use store::Thing;
use words::Error;

/// Links of one request.
const LINKS: usize = 256;

impl wit::Host for CallState {
    fn add(&mut self, links: Vec<wit::LinkSpec>) -> Answer<Vec<wit::AddedLink>> {
        self.ask(HostCall::LinksAdd, arguments!(links), |call, permit| {
            if links.len() > LINKS {
                return Err(Refusal::invalid(format!("at most {LINKS} links at once")));
            }
            let specs = links.iter().map(|l| spec(call, l)).collect::<Answer<Vec<_>>>()?;
            let count = specs.iter().map(|spec| 1 + u64::from(matches!(spec.kind, kernel::LinkKind::Veth(_)))).sum();
            super::check_holding(call, HostCall::LinksAdd, Limit::Links, count)?;
            let changes: Vec<_> = specs.into_iter().map(Change::AddLink).collect();
            let outcomes = call.transaction()?.change(permit, &changes)?;
            outcomes.into_iter().map(|o| added(call, o)).collect()
        })
    }

    fn get(&mut self, namespace: Option<Resource<Namespace>>, name: String) -> Answer<Resource<Link>> {
        self.ask(HostCall::LinksGet, arguments!(namespace, name), |call, _| {
            let namespace = or_host(call, HostCall::LinksGet, namespace.as_ref())?;
            let name = convert::link_name(&name)?;
            let transaction = call.transaction()?;
            let info = transaction.kernel().link_by_name(&namespace, &name)?;
            let is_own = match &info {
                Some(info) => transaction.link_object(&namespace, info)?.is_some(),
                None => false,
            };
            let is_parent = || {
                let named = Object::Parent(Some(name.as_str()));
                namespace == kernel::Namespace::Host && call.gate.would_permit(HostCall::LinksGet, named)
            };
            // A foreign link and none at all read the same: a driver learns nothing of what is not its own.
            let Some(info) = info.filter(|info| is_own || info.mark == kernel::Mark::Foreign && is_parent()) else {
                return Err(Error::not_found(format!(
                    "the driver has no link {name} there, and its grant names no such parent"
                ))
                .into());
            };
            Ok(call.table.push(Link { key: LinkKey { namespace, index: info.index }, name, is_own })?)
        })
    }

    fn list(&mut self, namespace: Option<Resource<Namespace>>) -> Answer<Vec<wit::LinkInfo>> {
        self.ask(HostCall::LinksList, arguments!(namespace), |call, _| {
            let namespace = or_host(call, HostCall::LinksList, namespace.as_ref())?;
            let transaction = call.transaction()?;
            let mut infos = Vec::new();
            for object in transaction.objects()? {
                let Thing::Link { namespace: at, index, .. } = object.thing else { continue };
                if at == namespace {
                    infos.extend(transaction.kernel().link(&LinkKey { namespace: at, index })?);
                }
            }
            let own: Vec<_> = infos.iter().map(|i| (i.index, i.name.clone())).collect();
            let name_of = |index: u32| own.iter().find(|(i, _)| *i == index).map(|(_, n)| n.clone());
            Ok(infos.into_iter().map(|info| info_to_wit(info, name_of)).collect())
        })
    }
}

impl wit::HostLink for CallState {
    fn info(&mut self, this: Resource<Link>) -> Answer<wit::LinkInfo> {
        self.ask(HostCall::LinksLinkInfo, arguments!(this), |call, _| {
            let link = handle::link(call, &this)?;
            let transaction = call.transaction()?;
            let info = transaction.kernel().link(&link.key)?;
            let info = info.ok_or_else(|| Error::not_found(format!("{} is gone", link.name)))?;
            let master = match info.master {
                Some(index) => transaction.kernel().link(&LinkKey { namespace: link.key.namespace.clone(), index })?,
                None => None,
            };
            let seen = match &master {
                Some(master) => transaction.link_object(&link.key.namespace, master)?.is_some(),
                None => false,
            };
            Ok(info_to_wit(info, |_| master.as_ref().filter(|_| seen).map(|m| m.name.clone())))
        })
    }

    fn set(&mut self, this: Resource<Link>, changes: wit::LinkChanges) -> Answer<()> {
        self.ask(HostCall::LinksLinkSet, arguments!(this, changes), |call, permit| {
            let key = handle::owned_link(call, &this)?.key;
            let master = match &changes.master {
                None => None,
                Some(wit::NewMaster::Nothing) => Some(0),
                Some(wit::NewMaster::Bridge(bridge)) => Some(master(call, &key.namespace, bridge)?),
            };
            let name = changes.name.as_deref().map(convert::link_name).transpose()?;
            let changes = kernel::LinkChanges {
                name: name.clone().map(NewName::Exact),
                mac: changes.mac_address.map(convert::mac),
                mtu: changes.mtu.map(check_mtu).transpose()?,
                up: changes.up,
                master,
                hairpin: changes.hairpin,
                isolated: changes.isolated,
                learning: changes.learning,
            };
            call.transaction()?.change(permit, &[Change::SetLink(key, changes)])?;
            if let Some(name) = name {
                call.table.get_mut(&this)?.name = name;
            }
            Ok(())
        })
    }

    fn remove(&mut self, this: Resource<Link>) -> Answer<()> {
        self.ask(HostCall::LinksLinkRemove, arguments!(this), |call, permit| {
            let key = handle::own_link(call, &this)?.key;
            Ok(call.transaction()?.remove_link(permit, &key)?)
        })
    }

    fn drop(&mut self, this: Resource<Link>) -> wasmtime::Result<()> {
        self.drop_handle(this)
    }
}

/// A link that the kernel layer made: its owner's from now on.
fn added(call: &mut CallState, outcome: Outcome) -> Answer<wit::AddedLink> {
    let Outcome::Link(link, peer) = outcome else {
        return Err(Refusal::trap("the kernel layer did not answer with a link"));
    };
    let keys = (link.key.clone(), peer.as_ref().map(|p| p.key.clone()));
    let mut push = |link: NewLink| {
        let other = if link.key == keys.0 { keys.1.clone() } else { Some(keys.0.clone()) };
        let LinkKey { namespace, index } = link.key.clone();
        call.transaction()?.made(Thing::Link { namespace, index, name: link.name.to_string(), peer: other });
        Ok::<_, Refusal>(call.table.push(Link { key: link.key, name: link.name, is_own: true })?)
    };
    Ok(wit::AddedLink { link: push(link)?, peer: peer.map(push).transpose()? })
}

fn spec(call: &mut CallState, spec: &wit::LinkSpec) -> Answer<kernel::LinkSpec> {
    let end = link_end(call, &spec.end)?;
    let kind = match &spec.kind {
        wit::LinkKind::Bridge => kernel::LinkKind::Bridge,
        wit::LinkKind::Dummy => kernel::LinkKind::Dummy,
        wit::LinkKind::Veth(peer) => kernel::LinkKind::Veth(Box::new(link_end(call, peer)?)),
        wit::LinkKind::Vxlan(options) => kernel::LinkKind::Vxlan(vxlan(call, options)?),
        wit::LinkKind::Macvlan(o) => {
            kernel::LinkKind::Macvlan { parent: parent(call, &o.parent)?, mode: macvlan_mode(o.mode) }
        }
        wit::LinkKind::Ipvlan(o) => kernel::LinkKind::Ipvlan {
            parent: parent(call, &o.parent)?,
            mode: ipvlan_mode(o.mode),
            flag: ipvlan_flag(o.flag),
        },
        wit::LinkKind::Vlan(o) if !(1..=4094).contains(&o.id) => {
            return Err(Refusal::invalid(format!("{} is no VLAN id: 1 to 4094", o.id)));
        }
        wit::LinkKind::Vlan(o) => kernel::LinkKind::Vlan { parent: parent(call, &o.parent)?, id: o.id },
    };
    Ok(kernel::LinkSpec { end, kind })
}

fn link_end(call: &mut CallState, end: &wit::LinkEnd) -> Answer<kernel::LinkEnd> {
    let namespace = or_host(call, HostCall::LinksAdd, end.namespace.as_ref())?;
    call.gate.permit(HostCall::LinksAdd, Object::Amount(Limit::Addresses, end.addresses.len() as u64))?;
    let name = match &end.name {
        wit::LinkName::Exact(name) => NewName::Exact(convert::link_name(name)?),
        wit::LinkName::Prefix(prefix) => NewName::Prefix(convert::link_name(prefix)?),
    };
    let addresses = end.addresses.iter().map(|a| {
        let address = convert::network(*a)?;
        call.gate.permit(HostCall::LinksAdd, Object::Address(address))?;
        Ok(address)
    });
    let addresses = addresses.collect::<Answer<Vec<_>>>()?;
    let master = match &end.master {
        Some(bridge) => Some(master(call, &namespace, bridge)?),
        None => None,
    };
    let mac = end.mac_address.map(convert::mac);
    Ok(kernel::LinkEnd {
        namespace,
        name,
        mac,
        mtu: end.mtu.map(check_mtu).transpose()?,
        master,
        addresses,
        up: end.up,
    })
}

fn vxlan(call: &mut CallState, options: &wit::VxlanOptions) -> Answer<kernel::Vxlan> {
    if !(1..1 << 24).contains(&options.vni) {
        return Err(Refusal::invalid(format!("{} is no VXLAN network identifier: 1 to 16777215", options.vni)));
    }
    let parent = match &options.parent {
        Some(handle) => Some(parent(call, handle)?),
        None => {
            call.gate.permit(HostCall::LinksAdd, Object::Parent(None))?;
            None
        }
    };
    Ok(kernel::Vxlan {
        vni: options.vni,
        port: options.port,
        parent,
        local: options.local.map(convert::address),
        remote: options.remote.map(convert::address),
        learning: options.learning,
        proxy: options.proxy,
    })
}

/// The ifindex of a master, which must be in the namespace of its port.
fn master(call: &mut CallState, namespace: &kernel::Namespace, bridge: &Resource<Link>) -> Answer<u32> {
    let link = handle::owned_link(call, bridge)?;
    if link.key.namespace != *namespace {
        return Err(Refusal::invalid(format!("the bridge {} is in another namespace than its port", link.name)));
    }
    Ok(link.key.index)
}

/// The ifindex of a parent in the host's namespace: the driver's own, or one that its grant names, which must still have that name.
fn parent(call: &mut CallState, parent: &Resource<Link>) -> Answer<u32> {
    let link = match call.table.get(parent)?.is_own {
        true => handle::owned_link(call, parent)?,
        false => handle::link(call, parent)?,
    };
    if !link.is_own {
        call.gate.permit(HostCall::LinksAdd, Object::Parent(Some(link.name.as_str())))?;
        if call.transaction()?.kernel().link(&link.key)?.is_none_or(|info| info.name != link.name.as_str()) {
            return Err(Error::not_found(format!("{} is gone, or has another name by now", link.name)).into());
        }
    }
    if link.key.namespace != kernel::Namespace::Host {
        return Err(Refusal::invalid(format!("the parent {} is not in the host's namespace", link.name)));
    }
    Ok(link.key.index)
}

fn check_mtu(mtu: u32) -> Answer<u32> {
    if (68..=65_535).contains(&mtu) {
        Ok(mtu)
    } else {
        Err(Refusal::invalid(format!("{mtu} is no MTU: 68 to 65535 bytes")))
    }
}

fn macvlan_mode(mode: wit::MacvlanMode) -> kernel::MacvlanMode {
    match mode {
        wit::MacvlanMode::Private => kernel::MacvlanMode::Private,
        wit::MacvlanMode::Vepa => kernel::MacvlanMode::Vepa,
        wit::MacvlanMode::Bridge => kernel::MacvlanMode::Bridge,
        wit::MacvlanMode::Passthru => kernel::MacvlanMode::Passthru,
    }
}

fn ipvlan_mode(mode: wit::IpvlanMode) -> kernel::IpvlanMode {
    match mode {
        wit::IpvlanMode::L2 => kernel::IpvlanMode::L2,
        wit::IpvlanMode::L3 => kernel::IpvlanMode::L3,
        wit::IpvlanMode::L3s => kernel::IpvlanMode::L3s,
    }
}

fn ipvlan_flag(flag: wit::IpvlanFlag) -> kernel::IpvlanFlag {
    match flag {
        wit::IpvlanFlag::Bridge => kernel::IpvlanFlag::Bridge,
        wit::IpvlanFlag::Private => kernel::IpvlanFlag::Private,
        wit::IpvlanFlag::Vepa => kernel::IpvlanFlag::Vepa,
    }
}

fn info_to_wit(info: LinkInfo, name_of: impl Fn(u32) -> Option<String>) -> wit::LinkInfo {
    wit::LinkInfo {
        name: info.name,
        kind: info.kind,
        mac_address: info.mac.map(convert::mac_to_wit),
        mtu: info.mtu,
        up: info.up,
        running: info.running,
        master: info.master.and_then(name_of),
    }
}
