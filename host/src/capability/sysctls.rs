//! `sysctls`: kernel settings by name from a list.

use wasmtime::component::Resource;

use super::Answer;
use super::handle::{self, Link, Namespace};
use crate::engine::CallState;
use crate::engine::bindings::imports::sysctls::{Host, LinkSysctl, NamespaceSysctl};
use grant::{self, HostCall, Object};
use kernel::{self, Change, Sysctl};

impl Host for CallState {
    fn get_link(&mut self, link: Resource<Link>, name: LinkSysctl) -> Answer<i32> {
        self.ask(HostCall::SysctlsGetLink, arguments!(link, name), |call, _| {
            call.gate.permit(HostCall::SysctlsGetLink, Object::Sysctl(grant::Sysctl::of_link(name as usize)))?;
            let (namespace, sysctl) = of_link(call, &link, name)?;
            Ok(call.transaction()?.kernel().sysctl(&namespace, &sysctl)?)
        })
    }

    fn set_link(&mut self, link: Resource<Link>, name: LinkSysctl, value: i32) -> Answer<()> {
        self.ask(HostCall::SysctlsSetLink, arguments!(link, name, value), |call, _| {
            let (namespace, sysctl) = of_link(call, &link, name)?;
            let setting = Object::Sysctl(grant::Sysctl::of_link(name as usize));
            let permit = call.gate.permit(HostCall::SysctlsSetLink, setting)?;
            call.transaction()?.change(permit, &[Change::SetSysctl { namespace, sysctl, value }])?;
            Ok(())
        })
    }

    fn get_namespace(&mut self, namespace: Resource<Namespace>, name: NamespaceSysctl) -> Answer<i32> {
        self.ask(HostCall::SysctlsGetNamespace, arguments!(namespace, name), |call, _| {
            let namespace = call.table.get(&namespace)?.clone();
            call.gate.permit(HostCall::SysctlsGetNamespace, setting(&namespace, name))?;
            Ok(call.transaction()?.kernel().sysctl(&namespace.namespace, &Sysctl::Namespace(namespace_path(name)))?)
        })
    }

    fn set_namespace(&mut self, namespace: Resource<Namespace>, name: NamespaceSysctl, value: i32) -> Answer<()> {
        self.ask(HostCall::SysctlsSetNamespace, arguments!(namespace, name, value), |call, _| {
            let namespace = call.table.get(&namespace)?.clone();
            let permit = call.gate.permit(HostCall::SysctlsSetNamespace, setting(&namespace, name))?;
            let change = Change::SetSysctl {
                namespace: namespace.namespace,
                sysctl: Sysctl::Namespace(namespace_path(name)),
                value,
            };
            call.transaction()?.change(permit, &[change])?;
            Ok(())
        })
    }
}

/// A namespace's setting, as a grant says it.
fn setting(namespace: &Namespace, name: NamespaceSysctl) -> Object<'static> {
    Object::Sysctl(grant::Sysctl::of_namespace(namespace.kind, name as usize))
}

fn of_link(call: &mut CallState, link: &Resource<Link>, name: LinkSysctl) -> Answer<(kernel::Namespace, Sysctl)> {
    let link = handle::owned_link(call, link)?;
    let (family, file) = link_path(name);
    Ok((link.key.namespace, Sysctl::Link { family, link: link.name, name: file }))
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
