//! A host in a table, to look at.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kernel::{HostPort, LinkKey, Namespace, NamespacePath, NftChain, Sysctl};
use words::{LinkName, Result};

use crate::gate::chains::{SeenChain, Ways};
use crate::gate::sets::SeenSet;
use crate::gate::view::{Link, Place, View};
use crate::{Limit, NamespaceKind};

/// What is there. Links by ifindex in the host's namespace; 21 and up are in a namespace of the driver's own.
pub struct Table {
    pub own: BTreeMap<u32, &'static str>,
    pub foreign: BTreeMap<u32, &'static str>,
    pub removed: Vec<u32>,
    pub on_parents: Vec<u32>,
    pub ways_out: Vec<u32>,
    /// Devices of others that some container gets.
    pub taken: Vec<u32>,
    /// Bridges, by their ports.
    pub masters: BTreeMap<u32, u32>,
    pub endpoints: Vec<u32>,
    /// As many of whatever is asked for.
    pub holds: u64,
    /// As many of whatever is shared.
    pub left: u64,
    pub written: (usize, usize),
    pub ports: Vec<HostPort>,
    pub entries: BTreeMap<&'static str, bool>,
    pub forwarding: i32,
    pub pools: Vec<ipnet::IpNet>,
    pub by_name: BTreeMap<u32, &'static str>,
    pub others_names: Vec<&'static str>,
    pub translated: Vec<HostPort>,
    pub addresses: Vec<IpAddr>,
    pub routers: Vec<IpAddr>,
    pub reached: Vec<ipnet::IpNet>,
    pub sets: Vec<SeenSet>,
    pub chains: Vec<SeenChain>,
    pub base: Ways,
    pub logging: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            own: [(1, "br0"), (2, "ve0"), (21, "in0")].into(),
            foreign: [(9, "eth0")].into(),
            removed: Vec::new(),
            on_parents: Vec::new(),
            ways_out: Vec::new(),
            taken: Vec::new(),
            masters: BTreeMap::new(),
            endpoints: vec![2],
            holds: 0,
            left: 1_000,
            written: (0, 0),
            ports: Vec::new(),
            entries: BTreeMap::new(),
            forwarding: 0,
            pools: vec!["10.7.0.0/16".parse().unwrap()],
            by_name: BTreeMap::new(),
            others_names: Vec::new(),
            translated: Vec::new(),
            addresses: Vec::new(),
            routers: Vec::new(),
            reached: Vec::new(),
            sets: Vec::new(),
            chains: Vec::new(),
            base: Ways::default(),
            logging: 0,
        }
    }
}

/// The namespace that the driver made.
pub fn made() -> Namespace {
    Namespace::At(NamespacePath { path: "/run/n".into(), inode: 7 })
}

/// The container's.
pub fn container() -> Place {
    let namespace = Namespace::At(NamespacePath { path: "/run/c".into(), inode: 8 });
    Place { namespace, kind: NamespaceKind::Container, made: None }
}

/// The driver's own.
pub fn place() -> Place {
    Place { namespace: made(), kind: NamespaceKind::Own, made: Some("n".into()) }
}

pub fn key(index: u32) -> LinkKey {
    let namespace = if index > 20 { made() } else { Namespace::Host };
    LinkKey { namespace, index }
}

/// A handle of a link that the driver made.
pub fn own(index: u32, name: &str) -> Link {
    Link { key: key(index), name: LinkName::new(name).unwrap(), is_own: true }
}

/// A handle of a parent interface.
pub fn parent(index: u32, name: &str) -> Link {
    Link { is_own: false, ..own(index, name) }
}

impl View for Table {
    fn has_removed(&self, link: &LinkKey) -> bool {
        self.removed.contains(&link.index)
    }

    fn own_link(&self, link: &LinkKey) -> Result<Option<LinkName>> {
        self.own.get(&link.index).filter(|_| *link == key(link.index)).map(|name| LinkName::new(name)).transpose()
    }

    fn any_link(&self, link: &LinkKey) -> Result<Option<String>> {
        let found = self.own.get(&link.index).or(self.foreign.get(&link.index));
        Ok(found.filter(|_| *link == key(link.index)).map(|name| (*name).to_owned()))
    }

    fn has_parent(&self, link: &LinkKey) -> Result<bool> {
        Ok(self.on_parents.contains(&link.index))
    }

    fn is_way_out(&self, link: &LinkKey) -> Result<bool> {
        Ok(self.ways_out.contains(&link.index))
    }

    fn is_taken(&self, link: &LinkKey) -> Result<bool> {
        Ok(self.taken.contains(&link.index))
    }

    fn master(&self, link: &LinkKey) -> Result<Option<LinkKey>> {
        Ok(self.masters.get(&link.index).map(|master| key(*master)))
    }

    fn is_endpoints_link(&self, link: &LinkKey) -> Result<bool> {
        Ok(self.endpoints.contains(&link.index))
    }

    fn goes_by_name(&self, link: &LinkKey) -> Result<Option<String>> {
        Ok(self.by_name.get(&link.index).map(|what| (*what).to_owned()))
    }

    fn is_others_name(&self, name: &LinkName) -> Result<bool> {
        Ok(self.others_names.contains(&name.as_str()))
    }

    fn is_hosts_address(&self, address: IpAddr) -> Result<bool> {
        Ok(self.addresses.contains(&address))
    }

    fn is_router(&self, address: IpAddr) -> Result<bool> {
        Ok(self.routers.contains(&address))
    }

    fn reached_by_others(&self) -> Result<Vec<ipnet::IpNet>> {
        Ok(self.reached.clone())
    }

    fn translated_ports(&self) -> Result<Vec<HostPort>> {
        Ok(self.translated.clone())
    }

    fn sysctl(&self, _: &Namespace, _: &Sysctl) -> Result<i32> {
        Ok(self.forwarding)
    }

    fn check_pool(&self, pool: ipnet::IpNet) -> Result<()> {
        match self.pools.iter().find(|other| pool.contains(*other) || other.contains(&pool)) {
            Some(other) => Err(words::Error::exists(format!("{pool} overlaps with {other} of network \"other\""))),
            None => Ok(()),
        }
    }

    fn has_port(&self, ports: [HostPort; 2]) -> Result<bool> {
        let is_held = |number| {
            let on = |held: &HostPort| {
                ports.iter().any(|port| (port.protocol, port.address) == (held.protocol, held.address))
            };
            self.ports.iter().any(|held| on(held) && (held.port..=held.last()).contains(&number))
        };
        Ok((ports[0].port..=ports[0].last()).all(is_held))
    }

    fn sets(&self) -> Result<Vec<SeenSet>> {
        Ok(self.sets.clone())
    }

    fn chains(&self) -> Result<Vec<SeenChain>> {
        Ok(self.chains.clone())
    }

    fn ways(&self, _: &Namespace, _: NftChain) -> Result<Ways> {
        Ok(self.base.clone())
    }

    fn logging_rules(&self) -> Result<usize> {
        Ok(self.logging)
    }

    fn holds(&mut self, _: Limit, more: u64, _: u64) -> Result<u64> {
        Ok(self.holds + more)
    }

    fn left(&self, _: Limit) -> Result<u64> {
        Ok(self.left)
    }

    fn written(&self) -> (usize, usize) {
        self.written
    }

    fn is_own_entry(&mut self, _: &str, key: &str) -> Result<Option<bool>> {
        Ok(self.entries.get(key).copied())
    }
}
