//! `sysctls`, `forwarding` and `ports`.

use kernel::{Change, HostPort, IptablesFamily, LinkKey, Namespace, PortWish, Sysctl};
use words::{Error, LinkName, Result};

use super::{Gate, Granted, Link, Object, Place, View};
use crate::{HostCall, Limit, Sysctl as Word};

/// A link's setting: its word in a grant, and the family and file that the kernel has for it.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct LinkSetting {
    pub word: Word,
    pub family: &'static str,
    pub file: &'static str,
}

/// A setting that may be read.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Setting {
    pub namespace: Namespace,
    pub sysctl: Sysctl,
}

/// A link that forwards from now on, and the kernel's switches for it that are off.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Forwards {
    pub link: Link,
    pub ipv4: bool,
    pub ipv6: bool,
    pub switches: Vec<(IptablesFamily, Vec<Change>)>,
}

/// A link that forwards no more.
#[derive(Clone, Debug)]
pub struct ForwardsNoMore(pub LinkKey);

impl Gate {
    /// `sysctls.get-link` and `sysctls.get-neighbour`: `call` says which.
    pub fn get_link_setting(
        &self,
        call: HostCall,
        view: &impl View,
        link: &Link,
        setting: LinkSetting,
    ) -> Result<Granted<Setting>> {
        self.permit(call, Object::Sysctl(setting.word))?;
        self.grant(call, of_link(view, link, setting)?)
    }

    /// `sysctls.set-link` and `sysctls.set-neighbour`: `call` says which.
    pub fn set_link_setting(
        &self,
        call: HostCall,
        view: &impl View,
        link: &Link,
        setting: LinkSetting,
        value: i32,
    ) -> Result<Granted<Vec<Change>>> {
        let Setting { namespace, sysctl } = of_link(view, link, setting)?;
        self.permit(call, Object::Sysctl(setting.word))?;
        self.grant(call, vec![Change::SetSysctl { namespace, sysctl, value }])
    }

    /// `sysctls.get-namespace`: the setting of this number in `namespace-sysctl`, which is this file.
    pub fn get_namespace_setting(&self, place: &Place, number: usize, file: &'static str) -> Result<Granted<Setting>> {
        let call = HostCall::SysctlsGetNamespace;
        self.permit(call, Object::Sysctl(Word::of_namespace(place.kind, number)))?;
        self.grant(call, Setting { namespace: place.namespace.clone(), sysctl: Sysctl::Namespace(file) })
    }

    /// `sysctls.set-namespace`
    pub fn set_namespace_setting(
        &self,
        place: &Place,
        number: usize,
        file: &'static str,
        value: i32,
    ) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::SysctlsSetNamespace;
        self.permit(call, Object::Sysctl(Word::of_namespace(place.kind, number)))?;
        let (namespace, sysctl) = (place.namespace.clone(), Sysctl::Namespace(file));
        self.grant(call, vec![Change::SetSysctl { namespace, sysctl, value }])
    }

    /// `forwarding.allow`
    pub fn allow_forwarding(
        &self,
        view: &mut impl View,
        link: &Link,
        ipv4: bool,
        ipv6: bool,
    ) -> Result<Granted<Forwards>> {
        let call = HostCall::ForwardingAllow;
        let link = link.owned(view)?;
        if link.key.namespace != Namespace::Host {
            return Err(Error::invalid(format!(
                "{} is not in the host's namespace, and the host forwards only there",
                link.name
            )));
        }
        if !can_except(&link.name) {
            return Err(Error::invalid(format!(
                "iptables would misread the name {}, so it can't be excepted from the host's firewall: letters, digits, '-', '_', '.' and '@'",
                link.name
            )));
        }
        let mut off = Vec::new();
        let families = [(IptablesFamily::Ipv4, ipv4), (IptablesFamily::Ipv6, ipv6)];
        for (family, _) in families.into_iter().filter(|(_, asked)| *asked) {
            let mut changes = Vec::new();
            for path in switches(family) {
                let sysctl = Sysctl::Namespace(path);
                // Written only where it is off: writing it again resets settings of every link.
                if view.sysctl(&Namespace::Host, &sysctl)? == 0 {
                    changes.push(Change::SetSysctl { namespace: Namespace::Host, sysctl, value: 1 });
                }
            }
            off.extend((!changes.is_empty()).then_some((family, changes)));
        }
        self.check_holding(view, call, Limit::Rules, 1)?;
        self.grant(call, Forwards { link, ipv4, ipv6, switches: off })
    }

    /// `forwarding.disallow`
    pub fn disallow_forwarding(&self, link: &Link) -> Result<Granted<ForwardsNoMore>> {
        link.own()?;
        self.grant(HostCall::ForwardingDisallow, ForwardsNoMore(link.key.clone()))
    }

    /// `ports.take` and `ports.take-range`
    pub fn take_port(&self, view: &mut impl View, wish: PortWish) -> Result<Granted<PortWish>> {
        let call = if wish.all { HostCall::PortsTakeRange } else { HostCall::PortsTake };
        self.check_share(view, call, Limit::Ports, wish.count())?;
        self.grant(call, wish)
    }

    /// `ports.release` and `ports.release-range`
    pub fn release_ports(&self, ports: Vec<HostPort>) -> Result<Granted<Vec<HostPort>>> {
        let is_range = ports.iter().any(|port| port.more > 0);
        let call = if is_range { HostCall::PortsReleaseRange } else { HostCall::PortsRelease };
        self.grant(call, ports)
    }
}

fn of_link(view: &impl View, link: &Link, setting: LinkSetting) -> Result<Setting> {
    let link = link.owned(view)?;
    let LinkSetting { family, file, .. } = setting;
    let sysctl = Sysctl::Link { family, index: link.key.index, name: file };
    Ok(Setting { namespace: link.key.namespace, sysctl })
}

/// The kernel's switches: the host's IPv4, and IPv6 for all links and those to come.
pub fn switches(family: IptablesFamily) -> &'static [&'static str] {
    match family {
        IptablesFamily::Ipv4 => &["ipv4/ip_forward"],
        IptablesFamily::Ipv6 => &["ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"],
    }
}

/// Whether a rule may speak of a link of this name. What `iptables-save` writes, it writes without quotes: `br+` would come back as every link that
/// begins with `br`, and a quote would swallow the rest of the rule.
pub fn can_except(link: &LinkName) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    link.as_str().bytes().all(plain) && !link.as_str().starts_with('-')
}
