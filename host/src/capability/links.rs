//! `links`: network devices.

use super::handle::{self, Link, LinkHandle, NamespaceHandle};
use super::{Answer, CallState, convert, devices, options, wireguard};
use ask::{Bytes, HostCall, Refusal, links as wit};
use grant::Granted;
use grant::gate::links::{Wanted, WantedEnd, WantedKind, new_name};
use kernel::{self, LinkInfo, LinkKey, LinkSpec, NewLink, NewName};
use store::Thing;
use words::Error;

/// Links of one request.
const LINKS: usize = 256;

impl wit::Host for CallState {
    fn add(&mut self, links: Vec<wit::LinkSpec>) -> Answer<Vec<wit::AddedLink>> {
        if links.len() > LINKS {
            return Err(Refusal::invalid(format!("at most {LINKS} links at once")));
        }
        let wanted = links.iter().map(|l| wanted(self, l)).collect::<Answer<Vec<_>>>()?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_links(transaction, wanted)?;
        let made = transaction.add_links(granted)?;
        made.into_iter().map(|(link, peer)| added(self, link, peer)).collect()
    }

    fn get(&mut self, namespace: Option<NamespaceHandle>, name: String) -> Answer<LinkHandle> {
        let place = handle::namespace(self, namespace)?;
        let (gate, transaction) = self.parts()?;
        let namespace = gate.namespace(HostCall::LinksGet, place.as_ref())?;
        let name = convert::link_name(&name)?;
        let info = transaction.look().link_by_name(&namespace, &name)?;
        let is_own = match &info {
            Some(info) => transaction.link_object(&namespace, info)?.is_some(),
            None => false,
        };
        let link = gate.find_link(&namespace, name, info.map(|info| (info.index, info.mark)), is_own)?;
        self.handles.add_link(link)
    }

    fn list(&mut self, namespace: Option<NamespaceHandle>) -> Answer<Vec<wit::LinkInfo>> {
        let place = handle::namespace(self, namespace)?;
        let (gate, transaction) = self.parts()?;
        let namespace = gate.namespace(HostCall::LinksList, place.as_ref())?;
        let mut infos = Vec::new();
        for object in transaction.objects()? {
            let Thing::Link { namespace: at, index, .. } = object.thing else { continue };
            if at == *namespace {
                infos.extend(transaction.look().link(&LinkKey { namespace: at, index })?);
            }
        }
        let own: Vec<_> = infos.iter().map(|i| (i.index, i.name.clone())).collect();
        let name_of = |index: u32| own.iter().find(|(i, _)| *i == index).map(|(_, n)| n.clone());
        Ok(infos.into_iter().map(|info| info_to_wit(info, name_of)).collect())
    }

    fn add_macvtap(&mut self, end: wit::LinkEnd, options: wit::MacvlanOptions) -> Answer<LinkHandle> {
        let parent = self.handles.link(options.parent)?.clone();
        let kind = WantedKind::Macvtap(parent, macvlan_mode(options.mode));
        let wanted = Wanted { end: wanted_end(self, &end)?, kind };
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_macvtap(transaction, wanted)?;
        add_one(self, granted)
    }

    fn set_bridge(&mut self, link: LinkHandle, wanted: wit::BridgeOptions) -> Answer<()> {
        options::set_bridge(self, link, wanted)
    }

    fn get_bridge(&mut self, link: LinkHandle) -> Answer<wit::BridgeOptions> {
        options::get_bridge(self, link)
    }

    fn set_port(&mut self, link: LinkHandle, wanted: wit::PortOptions) -> Answer<()> {
        options::set_port(self, link, wanted)
    }

    fn get_port(&mut self, link: LinkHandle) -> Answer<wit::PortOptions> {
        options::get_port(self, link)
    }

    fn set_properties(&mut self, link: LinkHandle, wanted: wit::LinkProperties) -> Answer<()> {
        options::set_properties(self, link, wanted)
    }

    fn get_properties(&mut self, link: LinkHandle) -> Answer<wit::LinkProperties> {
        options::get_properties(self, link)
    }

    fn set_offloads(&mut self, link: LinkHandle, wanted: wit::Offloads) -> Answer<()> {
        options::set_offloads(self, link, wanted)
    }

    fn get_offloads(&mut self, link: LinkHandle) -> Answer<wit::Offloads> {
        options::get_offloads(self, link)
    }

    fn take_device(&mut self, device: LinkHandle) -> Answer<()> {
        devices::take(self, device)
    }

    fn add_wireguard(&mut self, end: wit::LinkEnd, port: u16) -> Answer<LinkHandle> {
        wireguard::add(self, end, port)
    }

    fn read_public_key(&mut self, link: LinkHandle) -> Answer<Bytes> {
        wireguard::key(self, link)
    }

    fn set_peers(&mut self, link: LinkHandle, peers: Vec<wit::WireguardPeer>) -> Answer<()> {
        wireguard::set(self, link, peers)
    }

    fn remove_peers(&mut self, link: LinkHandle, keys: Vec<Bytes>) -> Answer<()> {
        wireguard::remove(self, link, keys)
    }

    fn list_peers(&mut self, link: LinkHandle) -> Answer<Vec<wit::WireguardPeer>> {
        wireguard::list(self, link)
    }

    fn link_info(&mut self, this: LinkHandle) -> Answer<wit::LinkInfo> {
        let link = handle::link(self, this)?;
        let transaction = self.transaction()?;
        let info = transaction.look().link(&link.key)?;
        let info = info.ok_or_else(|| Error::not_found(format!("{} is gone", link.name)))?;
        let master = match info.master {
            Some(index) => transaction.look().link(&LinkKey { namespace: link.key.namespace.clone(), index })?,
            None => None,
        };
        let seen = match &master {
            Some(master) => transaction.link_object(&link.key.namespace, master)?.is_some(),
            None => false,
        };
        Ok(info_to_wit(info, |_| master.as_ref().filter(|_| seen).map(|m| m.name.clone())))
    }

    fn link_set(&mut self, this: LinkHandle, changes: wit::LinkChanges) -> Answer<()> {
        let link = self.handles.link(this)?.clone();
        let bridge = match &changes.master {
            None => None,
            Some(wit::NewMaster::Nothing) => Some(None),
            Some(wit::NewMaster::Bridge(bridge)) => Some(Some(self.handles.link(*bridge)?.clone())),
        };
        let changes = kernel::LinkChanges {
            name: changes.name.as_deref().map(convert::link_name).transpose()?.map(NewName::Exact),
            mac: changes.mac_address.map(convert::mac),
            mtu: changes.mtu.map(check_mtu).transpose()?,
            up: changes.up,
            master: None,
            hairpin: changes.hairpin,
            isolated: changes.isolated,
            learning: changes.learning,
        };
        let name = new_name(&changes).cloned();
        let (gate, transaction) = self.parts()?;
        transaction.change(gate.set_link(transaction, &link, bridge, changes)?)?;
        if let Some(name) = name {
            self.handles.link_mut(this)?.name = name;
        }
        Ok(())
    }

    fn link_remove(&mut self, this: LinkHandle) -> Answer<()> {
        let link = self.handles.link(this)?.clone();
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_link(gate.remove_link(&link)?)?)
    }
}

/// Handles for a link that was made, and the other end of a pair.
fn added(call: &mut CallState, link: NewLink, peer: Option<NewLink>) -> Answer<wit::AddedLink> {
    let mut push = |link: NewLink| call.handles.add_link(Link { key: link.key, name: link.name, is_own: true });
    Ok(wit::AddedLink { link: push(link)?, peer: peer.map(push).transpose()? })
}

fn wanted(call: &CallState, spec: &wit::LinkSpec) -> Answer<Wanted> {
    let link = |handle: LinkHandle| call.handles.link(handle).cloned();
    let kind = match &spec.kind {
        wit::LinkKind::Bridge => WantedKind::Bridge,
        wit::LinkKind::Dummy => WantedKind::Dummy,
        wit::LinkKind::Veth(peer) => WantedKind::Veth(Box::new(wanted_end(call, peer)?)),
        wit::LinkKind::Vxlan(options) => WantedKind::Vxlan(options.parent.map(link).transpose()?, vxlan(options)?),
        wit::LinkKind::Macvlan(o) => WantedKind::Macvlan(link(o.parent)?, macvlan_mode(o.mode)),
        wit::LinkKind::Ipvlan(o) => WantedKind::Ipvlan(link(o.parent)?, ipvlan_mode(o.mode), ipvlan_flag(o.flag)),
        wit::LinkKind::Vlan(o) if !(1..=4094).contains(&o.id) => {
            return Err(Refusal::invalid(format!("{} is no VLAN id: 1 to 4094", o.id)));
        }
        wit::LinkKind::Vlan(o) => WantedKind::Vlan(link(o.parent)?, o.id),
    };
    Ok(Wanted { end: wanted_end(call, &spec.end)?, kind })
}

/// Makes the one link that was granted.
pub(super) fn add_one(call: &mut CallState, granted: Granted<Vec<LinkSpec>>) -> Answer<LinkHandle> {
    let made = call.transaction()?.add_links(granted)?.pop();
    let (link, _) = made.ok_or_else(|| Error::internal("the kernel layer did not answer with a link"))?;
    call.handles.add_link(Link { key: link.key, name: link.name, is_own: true })
}

pub(super) fn wanted_end(call: &CallState, end: &wit::LinkEnd) -> Answer<WantedEnd> {
    let name = match &end.name {
        wit::LinkName::Exact(name) => NewName::Exact(convert::link_name(name)?),
        wit::LinkName::Prefix(prefix) => NewName::Prefix(convert::link_name(prefix)?),
    };
    let rest = kernel::LinkEnd {
        namespace: kernel::Namespace::Host,
        name,
        mac: end.mac_address.map(convert::mac),
        mtu: end.mtu.map(check_mtu).transpose()?,
        master: None,
        addresses: end.addresses.iter().map(|a| convert::network(*a)).collect::<Answer<_>>()?,
        up: end.up,
    };
    let master = end.master.map(|bridge| call.handles.link(bridge).cloned()).transpose()?;
    Ok(WantedEnd { place: handle::namespace(call, end.namespace)?, master, rest })
}

fn vxlan(options: &wit::VxlanOptions) -> Answer<kernel::Vxlan> {
    if !(1..1 << 24).contains(&options.vni) {
        return Err(Refusal::invalid(format!("{} is no VXLAN network identifier: 1 to 16777215", options.vni)));
    }
    Ok(kernel::Vxlan {
        vni: options.vni,
        port: options.port,
        parent: None,
        local: options.local.map(convert::address),
        remote: options.remote.map(convert::address),
        learning: options.learning,
        proxy: options.proxy,
    })
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
