//! What this kernel can do: tried, not looked up, in a network namespace that goes with its thread.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::{
    Change, Config, Error, IpvlanFlag, IpvlanMode, Kernel, LinkChanges, LinkEnd, LinkKind, LinkName, LinkSpec,
    MacvlanMode, Namespace, NewLink, NewName, NftChain, NftCondition, NftHook, NftProperty, NftRule, NftVerdict,
    Outcome, Vxlan, namespace,
};

/// What a kernel may have or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// A pair of links, both ends named and marked in the message that makes it.
    Veth,
    /// A bridge with a port.
    Bridge,
    /// Rules of family inet: connection states, the addresses' types (fib), destination NAT, masquerading.
    Nftables,
    /// Rules about the kind and the group of the link that a packet leaves by.
    Sets,
    /// A VXLAN tunnel.
    Vxlan,
    /// A macvlan link.
    Macvlan,
    /// An ipvlan link.
    Ipvlan,
    /// A VLAN.
    Vlan,
    /// A dummy.
    Dummy,
    /// A WireGuard link with a key and a port.
    Wireguard,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Veth,
        Self::Bridge,
        Self::Nftables,
        Self::Sets,
        Self::Vxlan,
        Self::Macvlan,
        Self::Ipvlan,
        Self::Vlan,
        Self::Dummy,
        Self::Wireguard,
    ];

    /// Its short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Veth => "veth",
            Self::Bridge => "bridge",
            Self::Nftables => "nftables",
            Self::Sets => "nftables sets",
            Self::Vxlan => "vxlan",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Vlan => "vlan",
            Self::Dummy => "dummy",
            Self::Wireguard => "wireguard",
        }
    }
}

/// A feature, and what the kernel said to it.
pub type Tried = (Feature, Result<(), Error>);

/// Tries each feature. Fails where no namespace can be made: with EPERM for others than root.
pub fn try_features() -> Result<Vec<Tried>, Error> {
    namespace::within_new(|| {
        let config = Config { host: namespace::current()?.into(), instance: 0, run_folder: PathBuf::new() };
        let scratch = Scratch { kernel: Kernel::new(config)? };
        Ok(Feature::ALL.map(|feature| (feature, scratch.has(feature))).into())
    })
}

/// A namespace in which nothing has to be cleaned up.
struct Scratch {
    kernel: Kernel,
}

impl Scratch {
    fn has(&self, feature: Feature) -> Result<(), Error> {
        match feature {
            Feature::Veth => self.pair("pair").map(drop),
            Feature::Bridge => self.bridge(),
            Feature::Nftables => self.rules("translation", translation()),
            Feature::Sets => self.rules("sets", vec![rule(false, NftHook::Forward, &sets(), NftVerdict::Drop)]),
            Feature::Vxlan => self.link("vxlan", LinkKind::Vxlan(vxlan())).map(drop),
            Feature::Dummy => self.link("dummy", LinkKind::Dummy).map(drop),
            Feature::Wireguard => self.link("wireguard", LinkKind::Wireguard { port: 51820 }).map(drop),
            // Each on a parent of its own: a link carries one kind only.
            Feature::Macvlan => {
                let parent = self.pair("below-macvlan")?.key.index;
                self.link("macvlan", LinkKind::Macvlan { parent, mode: MacvlanMode::Bridge }).map(drop)
            }
            Feature::Ipvlan => {
                let parent = self.pair("below-ipvlan")?.key.index;
                let (mode, flag) = (IpvlanMode::L2, IpvlanFlag::Bridge);
                self.link("ipvlan", LinkKind::Ipvlan { parent, mode, flag }).map(drop)
            }
            Feature::Vlan => {
                let parent = self.pair("below-vlan")?.key.index;
                self.link("vlan", LinkKind::Vlan { parent, id: 5 }).map(drop)
            }
        }
    }

    fn bridge(&self) -> Result<(), Error> {
        let master = self.link("bridge", LinkKind::Bridge)?.key.index;
        let port = self.pair("port")?.key;
        let changes = LinkChanges { master: Some(master), isolated: Some(true), ..LinkChanges::default() };
        self.kernel.apply(&[Change::SetLink(port, changes)]).map(drop)
    }

    fn pair(&self, name: &str) -> Result<NewLink, Error> {
        let peer = NewName::Prefix(LinkName::new("peer")?);
        self.link(name, LinkKind::Veth(Box::new(end(peer))))
    }

    fn link(&self, name: &str, kind: LinkKind) -> Result<NewLink, Error> {
        let end = end(NewName::Exact(LinkName::new(name)?));
        let applied = self.kernel.apply(&[Change::AddLink(LinkSpec { end, kind })])?;
        match applied.into_iter().next().map(|applied| applied.outcome) {
            Some(Outcome::Link(link, _)) => Ok(link),
            _ => Err(Error::refused("the kernel made no link")),
        }
    }

    fn rules(&self, table: &str, rules: Vec<NftRule>) -> Result<(), Error> {
        let table = table.to_owned();
        self.kernel.apply(&[Change::AddNftRules { namespace: Namespace::Host, table, rules }]).map(drop)
    }
}

fn end(name: NewName) -> LinkEnd {
    let (namespace, addresses) = (Namespace::Host, Vec::new());
    LinkEnd { namespace, name, mac: None, mtu: None, master: None, addresses, up: false }
}

fn vxlan() -> Vxlan {
    Vxlan { vni: 1, port: 4789, parent: None, local: None, remote: None, learning: false, proxy: true }
}

fn translation() -> Vec<NftRule> {
    let address: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
    let source = [NftProperty::Source(IpNet::from(address))];
    let to_the_host = NftVerdict::DestinationNat(address, Some(80));
    let port = [NftProperty::DestinationLocal, NftProperty::Protocol(6), NftProperty::DestinationPort(80, 80)];
    let answers = [NftProperty::Connection(2), NftProperty::DestinationTranslated];
    vec![
        rule(true, NftHook::Postrouting, &source, NftVerdict::Masquerade),
        rule(true, NftHook::Prerouting, &port, to_the_host),
        rule(false, NftHook::Forward, &answers, NftVerdict::Accept),
    ]
}

fn sets() -> [NftProperty; 2] {
    [NftProperty::InputGroup(1), NftProperty::OutputLinks(vec![1])]
}

fn rule(nat: bool, hook: NftHook, properties: &[NftProperty], verdict: NftVerdict) -> NftRule {
    let condition = |property: &NftProperty| NftCondition { property: property.clone(), negated: false };
    let conditions = properties.iter().map(condition).collect();
    NftRule {
        chain: NftChain { nat, hook, priority: 0 },
        conditions,
        statements: Vec::new(),
        verdict,
        own: None,
        comment: String::new(),
    }
}
