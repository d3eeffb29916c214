//! `sysctls`: kernel settings by name from a list.

use super::handle::{LinkHandle, NamespaceHandle};
use super::{Answer, CallState};
use ask::HostCall;
use ask::sysctls::{Host, LinkSysctl, NamespaceSysctl, NeighbourSysctl};
use grant::gate::settings::LinkSetting;

impl Host for CallState {
    fn get_link(&mut self, link: LinkHandle, name: LinkSysctl) -> Answer<i32> {
        let link = self.handles.link(link)?.clone();
        let (gate, transaction) = self.parts()?;
        Ok(transaction.setting(&gate.get_link_setting(
            HostCall::SysctlsGetLink,
            transaction,
            &link,
            setting(name),
        )?)?)
    }

    fn set_link(&mut self, link: LinkHandle, name: LinkSysctl, value: i32) -> Answer<()> {
        let link = self.handles.link(link)?.clone();
        let (gate, transaction) = self.parts()?;
        let call = HostCall::SysctlsSetLink;
        transaction.change(gate.set_link_setting(call, transaction, &link, setting(name), value)?)?;
        Ok(())
    }

    fn get_neighbour(&mut self, link: LinkHandle, name: NeighbourSysctl) -> Answer<i32> {
        let link = self.handles.link(link)?.clone();
        let (gate, transaction) = self.parts()?;
        let call = HostCall::SysctlsGetNeighbour;
        Ok(transaction.setting(&gate.get_link_setting(call, transaction, &link, delay(name))?)?)
    }

    fn set_neighbour(&mut self, link: LinkHandle, name: NeighbourSysctl, value: i32) -> Answer<()> {
        let link = self.handles.link(link)?.clone();
        let (gate, transaction) = self.parts()?;
        let call = HostCall::SysctlsSetNeighbour;
        transaction.change(gate.set_link_setting(call, transaction, &link, delay(name), value)?)?;
        Ok(())
    }

    fn get_namespace(&mut self, namespace: NamespaceHandle, name: NamespaceSysctl) -> Answer<i32> {
        let place = self.handles.namespace(namespace)?.clone();
        let (gate, transaction) = self.parts()?;
        Ok(transaction.setting(&gate.get_namespace_setting(&place, name as usize, namespace_path(name))?)?)
    }

    fn set_namespace(&mut self, namespace: NamespaceHandle, name: NamespaceSysctl, value: i32) -> Answer<()> {
        let place = self.handles.namespace(namespace)?.clone();
        let (gate, transaction) = self.parts()?;
        let changes = gate.set_namespace_setting(&place, name as usize, namespace_path(name), value)?;
        transaction.change(changes)?;
        Ok(())
    }
}

fn setting(name: LinkSysctl) -> LinkSetting {
    let (family, file) = link_path(name);
    LinkSetting { word: grant::Sysctl::of_link(name as usize), family, file }
}

fn delay(name: NeighbourSysctl) -> LinkSetting {
    let family = match name {
        NeighbourSysctl::Ipv4ProxyDelay => "ipv4",
        NeighbourSysctl::Ipv6ProxyDelay => "ipv6",
    };
    LinkSetting { word: grant::Sysctl::of_neighbours(name as usize), family, file: kernel::PROXY_DELAY }
}

fn link_path(name: LinkSysctl) -> (&'static str, &'static str) {
    match name {
        LinkSysctl::Ipv4ArpIgnore => ("ipv4", "arp_ignore"),
        LinkSysctl::Ipv4ArpAnnounce => ("ipv4", "arp_announce"),
        LinkSysctl::Ipv4Forwarding => ("ipv4", "forwarding"),
        LinkSysctl::Ipv4LogMartians => ("ipv4", "log_martians"),
        LinkSysctl::Ipv4ProxyArp => ("ipv4", "proxy_arp"),
        LinkSysctl::Ipv4RouteLocalnet => ("ipv4", "route_localnet"),
        LinkSysctl::Ipv4RpFilter => ("ipv4", "rp_filter"),
        LinkSysctl::Ipv4SendRedirects => ("ipv4", "send_redirects"),
        LinkSysctl::Ipv6AcceptDad => ("ipv6", "accept_dad"),
        LinkSysctl::Ipv6AcceptRa => ("ipv6", "accept_ra"),
        LinkSysctl::Ipv6Disable => ("ipv6", "disable_ipv6"),
        LinkSysctl::Ipv6Forwarding => ("ipv6", "forwarding"),
        LinkSysctl::Ipv6ProxyNdp => ("ipv6", "proxy_ndp"),
    }
}

fn namespace_path(name: NamespaceSysctl) -> &'static str {
    match name {
        NamespaceSysctl::Ipv4Forwarding => "ipv4/ip_forward",
        NamespaceSysctl::Ipv6Forwarding => "ipv6/conf/all/forwarding",
        NamespaceSysctl::Ipv4NeighbourThreshold1 => "ipv4/neigh/default/gc_thresh1",
        NamespaceSysctl::Ipv4NeighbourThreshold2 => "ipv4/neigh/default/gc_thresh2",
        NamespaceSysctl::Ipv4NeighbourThreshold3 => "ipv4/neigh/default/gc_thresh3",
    }
}
