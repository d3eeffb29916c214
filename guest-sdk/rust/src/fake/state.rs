//! What the host in memory knows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::kernel::options::Options;
use super::kernel::wireguard::Tunnel;
use super::store::Tables;
use crate::links::LinkInfo;
use crate::log::Level;
use crate::neighbours::{ForwardingInfo, NeighbourInfo};
use crate::nftables::Chain;
use crate::packets::{Element, SetKind};
use crate::routes::{PathName, WholeRoute};
use crate::rules::{Family, RuleInfo};
use crate::shaping::Rate;
use crate::sysctls::{LinkSysctl, NamespaceSysctl, NeighbourSysctl};
use crate::{Error, MacAddress, ObjectType, Protocol, Result, TextMap};

/// The number of the host's namespace.
pub(super) const HOST: u32 = 0;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Works on the state of this thread's host.
pub(super) fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(work)
}

/// The network of a call, and its endpoint if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    pub network: String,
    pub endpoint: Option<String>,
}

/// A link. One without owner is foreign.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub owner: Option<Owner>,
    pub namespace: u32,
    /// Without the master, which is a name: see [`State::info`].
    pub info: LinkInfo,
    pub master: Option<u32>,
    pub peer: Option<u32>,
    pub addresses: Vec<IpNet>,
    pub routes: Vec<WholeRoute>,
    pub neighbours: Vec<NeighbourInfo>,
    pub proxies: Vec<IpAddr>,
    pub forwarding: Vec<ForwardingInfo>,
    pub sysctls: BTreeMap<LinkSysctl, i32>,
    pub neighbour_sysctls: BTreeMap<NeighbourSysctl, i32>,
    pub rate: Option<Rate>,
    pub receives_through: Option<u32>,
    pub tunnel: Option<Tunnel>,
    pub options: Options,
    pub forwards: (bool, bool),
    pub hairpin: bool,
    pub isolated: bool,
    pub learning: bool,
}

/// A namespace that the driver made.
#[derive(Clone, Debug)]
pub(super) struct MadeNamespace {
    pub owner: Owner,
    pub name: String,
}

/// A path, and the links that it goes by.
#[derive(Clone, Debug)]
pub(super) struct MadePath {
    pub owner: Owner,
    pub namespace: u32,
    pub name: PathName,
    pub links: Vec<u32>,
}

/// A packet rule.
#[derive(Clone, Debug)]
pub(super) struct PacketRule {
    pub owner: Owner,
    pub chain: Chain,
    pub text: String,
    /// The sets that it looks into.
    pub sets: Vec<String>,
    /// The chains that it stands in, and leads to.
    pub chains: Vec<String>,
}

/// A chain behind a base chain.
#[derive(Clone, Debug)]
pub(super) struct MadeChain {
    pub owner: Owner,
    pub namespace: u32,
    pub base: Chain,
    /// The later it was made, the greater.
    pub number: u32,
}

/// A set, and who added what.
#[derive(Clone, Debug)]
pub(super) struct MadeSet {
    pub owner: Owner,
    pub namespace: u32,
    pub kind: SetKind,
    pub elements: Vec<(Owner, Element)>,
}

/// A policy rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PolicyRule {
    pub owner: Owner,
    pub namespace: u32,
    pub family: Family,
    pub info: RuleInfo,
    pub input_link: Option<u32>,
}

/// A port of the host on one address, or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostPort {
    pub protocol: Protocol,
    pub first: u16,
    pub last: u16,
    pub address: IpAddr,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, first, last, address } = self;
        let range = if first == last { String::new() } else { format!("-{last}") };
        write!(f, "{first}{range}/{protocol} of {address}")
    }
}

/// All of it. A copy of it is what a failed call is undone with.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Whose call it is.
    pub owner: Owner,
    pub pools: BTreeMap<String, Vec<IpNet>>,
    /// What endpoints have: the MAC and the addresses.
    pub endpoints: BTreeMap<(String, String), (Option<MacAddress>, Vec<IpNet>)>,
    pub links: BTreeMap<u32, Link>,
    pub namespaces: BTreeMap<u32, MadeNamespace>,
    pub namespace_sysctls: BTreeMap<(u32, NamespaceSysctl), i32>,
    /// By their keys.
    pub sandboxes: BTreeMap<String, u32>,
    pub packet_rules: BTreeMap<u64, PacketRule>,
    /// By network and name.
    pub sets: BTreeMap<(String, String), MadeSet>,
    /// By network and name.
    pub chains: BTreeMap<(String, String), MadeChain>,
    pub policy_rules: Vec<PolicyRule>,
    pub paths: Vec<MadePath>,
    /// Those that are taken; without owner: by another program.
    pub ports: BTreeMap<HostPort, Option<Owner>>,
    /// The network of the call that wrote an entry, and its value.
    pub store: BTreeMap<String, (String, Vec<u8>)>,
    pub tables: Tables,
    pub watched: BTreeMap<(String, String), ObjectType>,
    pub configuration: TextMap,
    pub log: Vec<(Level, String)>,
    pub swept: Vec<String>,
    pub last_number: u32,
}

impl State {
    /// A number that nothing has.
    pub fn next(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    /// The number of a sandbox's namespace.
    pub fn sandbox(&mut self, key: &str) -> u32 {
        let number = self.next();
        *self.sandboxes.entry(key.to_owned()).or_insert(number)
    }

    /// The driver's links in a namespace.
    pub fn own_links(&self, namespace: u32) -> impl Iterator<Item = (u32, &Link)> {
        let own = move |link: &Link| link.namespace == namespace && link.owner.is_some();
        self.links.iter().filter(move |(_, link)| own(link)).map(|(id, link)| (*id, link))
    }

    pub fn own_link(&self, namespace: u32, name: &str) -> Option<u32> {
        self.own_links(namespace).find(|(_, link)| link.info.name == name).map(|(id, _)| id)
    }

    pub fn name_is_taken(&self, namespace: u32, name: &str) -> bool {
        self.links.values().any(|link| link.namespace == namespace && link.info.name == name)
    }

    /// What the driver is told of a link.
    pub fn info(&self, id: u32) -> LinkInfo {
        let link = &self.links[&id];
        let master = link.master.and_then(|master| self.links.get(&master)).map(|master| master.info.name.clone());
        let peer_is_up = link.peer.is_none_or(|peer| self.links.get(&peer).is_some_and(|peer| peer.info.up));
        LinkInfo { master, running: link.info.up && peer_is_up, ..link.info.clone() }
    }

    pub fn new_link(&mut self, kind: &str, name: &str, owner: Option<Owner>) -> Link {
        let [a, b, c, d] = self.next().to_be_bytes();
        let info = LinkInfo {
            name: name.to_owned(),
            kind: kind.to_owned(),
            mac_address: Some(MacAddress([2, 0xfa, a, b, c, d])),
            mtu: 1500,
            up: false,
            running: false,
            master: None,
        };
        Link {
            owner,
            namespace: HOST,
            info,
            master: None,
            peer: None,
            addresses: Vec::new(),
            routes: Vec::new(),
            neighbours: Vec::new(),
            proxies: Vec::new(),
            forwarding: Vec::new(),
            sysctls: BTreeMap::new(),
            neighbour_sysctls: BTreeMap::new(),
            rate: None,
            receives_through: None,
            tunnel: None,
            options: Options::default(),
            forwards: (false, false),
            hairpin: false,
            isolated: false,
            learning: true,
        }
    }

    pub fn add_foreign_link(&mut self, name: &str) {
        let link = self.new_link("", name, None);
        let id = self.next();
        self.links.insert(id, link);
    }

    /// Removes a link, of a pair both ends.
    pub fn remove_link(&mut self, id: u32) {
        let Some(link) = self.links.remove(&id) else { return };
        if let Some(peer) = link.peer {
            self.remove_link(peer);
        }
        self.paths.retain(|path| !path.links.contains(&id));
        self.links.values_mut().filter(|port| port.master == Some(id)).for_each(|port| port.master = None);
    }

    /// Removes a namespace with its links.
    pub fn remove_namespace(&mut self, id: u32) {
        self.namespaces.remove(&id);
        self.paths.retain(|path| path.namespace != id);
        let inside: Vec<_> = self.links.iter().filter(|(_, link)| link.namespace == id).map(|(id, _)| *id).collect();
        inside.into_iter().for_each(|link| self.remove_link(link));
    }

    fn own_pools(&self) -> &[IpNet] {
        self.pools.get(&self.owner.network).map_or(&[], Vec::as_slice)
    }

    /// Whether a whole network lies in a pool of the call's network.
    pub fn is_in_pools(&self, network: IpNet) -> bool {
        self.own_pools().iter().any(|pool| pool.contains(&network))
    }

    /// Whether the call's network has pools of this family.
    pub fn has_pools_like(&self, network: IpNet) -> bool {
        self.own_pools().iter().any(|pool| pool.addr().is_ipv4() == network.addr().is_ipv4())
    }

    /// Refuses the MAC of another endpoint of the call's network.
    pub fn check_mac_is_free(&self, mac_address: MacAddress) -> Result<()> {
        let is_other = |network: &str, endpoint: &str| {
            network == self.owner.network && self.owner.endpoint.as_deref() != Some(endpoint)
        };
        let mut others = self.endpoints.iter().filter(|((network, endpoint), _)| is_other(network, endpoint));
        match others.any(|(_, (mac, _))| *mac == Some(mac_address)) {
            true => Err(Error::already_exists(format!("another endpoint of the network has {mac_address}"))),
            false => Ok(()),
        }
    }

    /// Removes what its owner left behind: an endpoint, or a network with everything of its endpoints.
    pub fn sweep(&mut self, owner: &Owner) {
        let is_owned = |other: &Owner| match &owner.endpoint {
            Some(_) => other == owner,
            None => other.network == owner.network,
        };
        let links: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.owner.as_ref().is_some_and(is_owned))
            .map(|(id, _)| *id)
            .collect();
        for id in links {
            if let Some(link) = self.links.get(&id) {
                self.swept.push(format!("link {}", link.info.name));
                self.remove_link(id);
            }
        }
        let namespaces: Vec<_> =
            self.namespaces.iter().filter(|(_, made)| is_owned(&made.owner)).map(|(id, _)| *id).collect();
        for id in namespaces {
            self.swept.push(format!("namespace {}", self.namespaces[&id].name));
            self.remove_namespace(id);
        }
        let packet_rules = self.packet_rules.extract_if(.., |_, rule| is_owned(&rule.owner));
        self.swept.extend(packet_rules.map(|(_, rule)| format!("rule {}", rule.text)));
        let chains = self.chains.extract_if(.., |_, chain| is_owned(&chain.owner));
        self.swept.extend(chains.map(|((_, name), _)| format!("chain {name}")));
        self.sets.values_mut().for_each(|set| set.elements.retain(|(owner, _)| !is_owned(owner)));
        let sets = self.sets.extract_if(.., |_, set| is_owned(&set.owner));
        self.swept.extend(sets.map(|((_, name), _)| format!("set {name}")));
        let paths = self.paths.extract_if(.., |path| is_owned(&path.owner));
        self.swept.extend(paths.map(|path| format!("path to {}", path.name.destination)));
        let policy_rules = self.policy_rules.extract_if(.., |rule| is_owned(&rule.owner));
        self.swept.extend(policy_rules.map(|rule| format!("rule {:?}", rule.info)));
        let ports = self.ports.extract_if(.., |_, has| has.as_ref().is_some_and(is_owned));
        self.swept.extend(ports.map(|(port, _)| format!("host port {port}")));
        self.endpoints.retain(|(network, endpoint), _| {
            !is_owned(&Owner { network: network.clone(), endpoint: Some(endpoint.clone()) })
        });
        if owner.endpoint.is_none() {
            self.forget_network(&owner.network);
        }
    }

    fn forget_network(&mut self, network: &str) {
        let entries = self.store.extract_if(.., |_, (writer, _)| writer == network);
        self.swept.extend(entries.map(|(key, _)| format!("key {key}")));
        self.tables.forget(network);
        self.watched.retain(|(watching, _), _| watching != network);
        self.pools.remove(network);
    }
}
