//! Changes and namespaces in words, for errors.

use std::fmt::{self, Display, Formatter};
use std::iter::repeat;

use crate::{Change, HostPort, LinkKey, LinkKind, LinkSpec, Namespace, NewName, PortWish, Sysctl};

impl Display for Namespace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("on the host"),
            Self::At(at) => write!(f, "in {}", at.path.display()),
        }
    }
}

impl Display for LinkKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "link {} {}", self.index, self.namespace)
    }
}

impl Display for NewName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Prefix(name) => write!(f, "{name}*"),
        }
    }
}

impl LinkKind {
    /// The kernel's name of the kind (IFLA_INFO_KIND).
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Veth(_) => "veth",
            Self::Vxlan(_) => "vxlan",
            Self::Macvlan { .. } => "macvlan",
            Self::Macvtap { .. } => "macvtap",
            Self::Ipvlan { .. } => "ipvlan",
            Self::Vlan { .. } => "vlan",
            Self::Dummy => "dummy",
            Self::Ifb => crate::shaping::IFB,
            Self::Wireguard { .. } => "wireguard",
        }
    }
}

impl Display for LinkSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.name(), self.end.name, self.end.namespace)?;
        match &self.kind {
            LinkKind::Veth(peer) => write!(f, " with {} {}", peer.name, peer.namespace),
            _ => Ok(()),
        }
    }
}

impl Display for Sysctl {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { family, index, name } => write!(f, "{family} {name} of link {index}"),
            Self::AcceptRa { index } => write!(f, "ipv6 accept_ra of link {index}"),
            Self::Namespace(path) => f.write_str(path),
        }
    }
}

impl Display for HostPort {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.more {
            0 => write!(f, "{}/{}", self.port, protocol(self.protocol))?,
            _ => write!(f, "{}-{}/{}", self.port, self.last(), protocol(self.protocol))?,
        }
        // Whose users say no address mean every one; which family it is, `{:#}` tells.
        if self.address.is_unspecified() && !f.alternate() { Ok(()) } else { write!(f, " of {}", self.address) }
    }
}

impl Display for PortWish {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}/{}", self.first, self.last, protocol(self.protocol))?;
        let addresses = self.addresses.iter().filter(|address| !address.is_unspecified());
        addresses
            .zip([" of "].into_iter().chain(repeat(", ")))
            .try_for_each(|(address, before)| write!(f, "{before}{address}"))
    }
}

/// By the names that people give them; see /etc/protocols.
fn protocol(number: u8) -> String {
    match number {
        6 => "tcp".into(),
        17 => "udp".into(),
        132 => "sctp".into(),
        other => other.to_string(),
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddLink(spec) => write!(f, "adding {spec}"),
            Self::SetLink(key, _) => write!(f, "changing {key}"),
            Self::MoveLink(key, to) => write!(f, "moving {key} {to}"),
            Self::RemoveLink(key) => write!(f, "removing {key}"),
            Self::TakeDevice(key) => write!(f, "taking {key} for a container"),
            Self::MoveDevice(device) => write!(f, "moving {} into its container", device.name),
            Self::GiveBack(device) => write!(f, "giving back {}", device.name),
            Self::AddOwnName(key) => write!(f, "naming {key} for policy rules"),
            Self::RemoveOwnName(key) => write!(f, "removing the name of {key} for policy rules"),
            Self::AddAddress(key, address) => write!(f, "adding address {address} to {key}"),
            Self::RemoveAddress(key, address) => write!(f, "removing address {address} from {key}"),
            Self::AddRoute(route) => write!(f, "adding the route to {} through {}", route.destination, route.link),
            Self::RemoveRoute(route) => write!(f, "removing the route to {} through {}", route.destination, route.link),
            Self::AddPath(path) => write!(f, "adding the path to {} {}", path.destination, path.namespace),
            Self::RemovePath(path) => write!(f, "removing the path to {} {}", path.destination, path.namespace),
            Self::AddRule(rule) => write!(f, "adding rule {} {}", rule.priority, rule.namespace),
            Self::RemoveRule(rule) => write!(f, "removing rule {} {}", rule.priority, rule.namespace),
            Self::AddNeighbour(n) => write!(f, "adding neighbour {} to {}", n.address, n.link),
            Self::RemoveNeighbour(n) => write!(f, "removing neighbour {} from {}", n.address, n.link),
            Self::AddForwarding(e) => write!(f, "adding forwarding entry {} to {}", e.mac, e.link),
            Self::RemoveForwarding(e) => write!(f, "removing forwarding entry {} from {}", e.mac, e.link),
            Self::AddProxy(proxy) => write!(f, "answering for {} on {}", proxy.address, proxy.link),
            Self::RemoveProxy(proxy) => write!(f, "answering for {} no more on {}", proxy.address, proxy.link),
            Self::SetPeers(set) => {
                write!(f, "setting {} and removing {} peers of {}", set.peers.len(), set.gone.len(), set.link)
            }
            Self::AddNftRules { namespace, table, .. } => {
                write!(f, "adding rules to nftables table {table} {namespace}")
            }
            Self::RemoveNftRules { namespace, table, .. } => {
                write!(f, "removing rules from nftables table {table} {namespace}")
            }
            Self::AddNftChain { namespace, table, chain } => {
                write!(f, "adding chain {} to nftables table {table} {namespace}", chain.name)
            }
            Self::RemoveNftChain { namespace, table, chain } => {
                write!(f, "removing chain {} from nftables table {table} {namespace}", chain.name)
            }
            Self::AddNftSet { namespace, table, set, .. } => {
                write!(f, "adding set {set} to nftables table {table} {namespace}")
            }
            Self::RemoveNftSet { namespace, table, set, .. } => {
                write!(f, "removing set {set} from nftables table {table} {namespace}")
            }
            Self::AddNftElements { namespace, table, set, .. } => {
                write!(f, "adding to set {set} of nftables table {table} {namespace}")
            }
            Self::RemoveNftElements { namespace, table, set, .. } => {
                write!(f, "removing from set {set} of nftables table {table} {namespace}")
            }
            Self::RemoveNftTable { namespace, table } => write!(f, "removing nftables table {table} {namespace}"),
            Self::SetSysctl { namespace, sysctl, value } => write!(f, "setting {sysctl} to {value} {namespace}"),
            Self::SetRate { link, rate: Some(rate) } => write!(f, "limiting {link} to {} bytes a second", rate.bytes),
            Self::SetRate { link, rate: None } => write!(f, "limiting {link} no more"),
            Self::Redirect { link, to: Some(to) } => write!(f, "redirecting what {link} receives to link {to}"),
            Self::Redirect { link, to: None } => write!(f, "redirecting what {link} receives no more"),
            Self::SetOptions { link, .. } => write!(f, "setting properties of {link}"),
            Self::AddNamespace(name) => write!(f, "making network namespace {name}"),
            Self::RemoveNamespace(name) => write!(f, "removing network namespace {name}"),
            Self::TakePort(wish) => write!(f, "taking host ports {wish}"),
            Self::ReleasePort(port) => write!(f, "releasing host port {port}"),
        }
    }
}
