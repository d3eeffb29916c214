//! What the gate looks up in a transaction, and what a capability may read of the kernel.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::objects::{forwards, speaks_of};
use super::{Transaction, describe};
use grant::gate::chains::{SeenChain, Ways};
use grant::gate::options::OptionsOf;
use grant::gate::sets::SeenSet;
use grant::gate::settings::Setting;
use grant::gate::shaping::RateOf;
use grant::{Granted, Limit, View};
use ipnet::IpNet;
use kernel::{
    Forwarding, HostPort, Kernel, KnownLinks, LinkInfo, LinkKey, LinkOptions, Mark, Namespace, Neighbour, NftChain,
    Peer, PublicKey, Rate, Route, Sysctl,
};
use store::{Endpoint, Object, Thing};
use words::{Error, LinkName, MacAddress, Result};

/// The kernel, to read from and not to change.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    kernel: &'a Kernel,
    known: &'a KnownLinks,
}

impl<'a> Look<'a> {
    pub(super) fn new(kernel: &'a Kernel, known: &'a KnownLinks) -> Self {
        Self { kernel, known }
    }

    /// A link by its name.
    pub fn link_by_name(self, namespace: &Namespace, name: &LinkName) -> Result<Option<LinkInfo>> {
        Ok(self.known.link_by_name(self.kernel, namespace, name)?)
    }

    /// A link, as it is now.
    pub fn link(self, link: &LinkKey) -> Result<Option<LinkInfo>> {
        Ok(self.known.look(self.kernel, link)?)
    }

    /// Its addresses.
    pub fn addresses(self, link: &LinkKey) -> Result<Vec<IpNet>> {
        Ok(self.kernel.addresses(link)?)
    }

    /// The routes through it.
    pub fn routes(self, link: &LinkKey) -> Result<Vec<Route>> {
        Ok(self.kernel.routes(link)?)
    }

    /// Its neighbours.
    pub fn neighbours(self, link: &LinkKey) -> Result<Vec<Neighbour>> {
        Ok(self.kernel.neighbours(link)?)
    }

    /// Its public key and its peers, if it is a WireGuard link.
    pub fn wireguard(self, link: &LinkKey) -> Result<(PublicKey, BTreeMap<PublicKey, Peer>)> {
        Ok(self.kernel.wireguard(link)?)
    }

    /// Its forwarding entries.
    pub fn forwardings(self, link: &LinkKey) -> Result<Vec<Forwarding>> {
        Ok(self.kernel.forwardings(link)?)
    }
}

impl Transaction {
    /// A link, as the operation knows it.
    pub(super) fn link(&self, link: &LinkKey) -> Result<Option<LinkInfo>> {
        Ok(self.known.link(&self.kernel, link)?)
    }

    /// Refuses a MAC that another endpoint of the network has: packets for one of them would reach the other.
    pub fn check_mac_is_free(&self, mac: MacAddress) -> Result<()> {
        match self.store.endpoint_with_mac(&self.owner.network, mac)? {
            Some(other) if Some(&other.id) != self.owner.endpoint.as_ref() => Err(mac_is_taken(mac, &other)),
            _ => Ok(()),
        }
    }

    /// How fast a link may send.
    pub fn rate(&self, link: &Granted<RateOf>) -> Result<Option<Rate>> {
        Ok(self.kernel.rate(&link.0)?)
    }

    /// What a link has of properties.
    pub fn options(&self, link: &Granted<OptionsOf>) -> Result<LinkOptions> {
        Ok(self.kernel.options(&link.0)?)
    }

    /// The value of a kernel setting.
    pub fn setting(&self, setting: &Granted<Setting>) -> Result<i32> {
        Ok(self.kernel.sysctl(&setting.namespace, &setting.sysctl)?)
    }
}

impl View for Transaction {
    fn has_removed(&self, link: &LinkKey) -> bool {
        self.gone.contains(link)
    }

    fn own_link(&self, link: &LinkKey) -> Result<Option<LinkName>> {
        let Some(info) = self.link(link)? else { return Ok(None) };
        match self.link_object(&link.namespace, &info)? {
            Some(_) => Ok(Some(LinkName::new(&info.name)?)),
            None => Ok(None),
        }
    }

    fn any_link(&self, link: &LinkKey) -> Result<Option<String>> {
        Ok(self.kernel.link(link)?.map(|info| info.name))
    }

    fn has_parent(&self, link: &LinkKey) -> Result<bool> {
        let on_parents = ["macvlan", "macvtap", "ipvlan", "vlan"];
        Ok(self.link(link)?.is_some_and(|info| on_parents.contains(&info.kind.as_str())))
    }

    fn master(&self, link: &LinkKey) -> Result<Option<LinkKey>> {
        let master = self.link(link)?.and_then(|info| info.master);
        Ok(master.map(|index| LinkKey { namespace: link.namespace.clone(), index }))
    }

    fn is_way_out(&self, link: &LinkKey) -> Result<bool> {
        Ok(link.namespace == Namespace::Host && self.kernel.is_way_out(link.index)?)
    }

    fn is_taken(&self, link: &LinkKey) -> Result<bool> {
        Ok(self.kernel.link(link)?.is_some_and(|info| info.mark == Mark::Taken))
    }

    fn is_endpoints_link(&self, link: &LinkKey) -> Result<bool> {
        if self.has_taken(link)? {
            return Ok(true);
        }
        let Some(info) = self.link(link)? else { return Ok(false) };
        let object = self.link_object(&link.namespace, &info)?;
        Ok(object.is_some_and(|o| {
            o.network == self.owner.network && o.endpoint.is_some() && o.endpoint == self.owner.endpoint
        }))
    }

    fn goes_by_name(&self, link: &LinkKey) -> Result<Option<String>> {
        let Some(info) = self.link(link)? else { return Ok(None) };
        let Some(object) = self.link_object(&link.namespace, &info)? else { return Ok(None) };
        let Thing::Link { name, .. } = &object.thing else { return Ok(None) };
        let of_network = match object.network == self.owner.network {
            true => self.objects()?,
            false => self.store.objects(&object.network, None)?,
        };
        let link = BTreeMap::from([(link.clone(), name.clone())]);
        let by_name = |thing: &Thing| (matches!(thing, Thing::Rule(_)) || forwards(thing)) && speaks_of(thing, &link);
        Ok(of_network.iter().find(|object| by_name(&object.thing)).map(|object| describe(&object.thing)))
    }

    fn is_others_name(&self, name: &LinkName) -> Result<bool> {
        Ok(self.store.is_others_link(&self.owner.driver, name.as_str())?)
    }

    fn is_hosts_address(&self, address: IpAddr) -> Result<bool> {
        // Looked up once: a call may have a thousand rules.
        if let Some(addresses) = self.hosts_addresses.get() {
            return Ok(addresses.contains(&address));
        }
        let addresses = self.kernel.all_addresses(&Namespace::Host)?.into_iter().map(|(_, net)| net.addr()).collect();
        Ok(self.hosts_addresses.get_or_init(|| addresses).contains(&address))
    }

    fn is_router(&self, address: IpAddr) -> Result<bool> {
        Ok(self.kernel.routers()?.contains(&address))
    }

    fn reached_by_others(&self) -> Result<Vec<IpNet>> {
        Ok(self.kernel.reached_by_others()?)
    }

    fn sysctl(&self, namespace: &Namespace, sysctl: &Sysctl) -> Result<i32> {
        Ok(self.kernel.sysctl(namespace, sysctl)?)
    }

    fn check_pool(&self, pool: IpNet) -> Result<()> {
        Ok(self.store.check_pool(&self.owner.network, &pool)?)
    }

    fn has_port(&self, ports: [HostPort; 2]) -> Result<bool> {
        let is_owners = |object: &Object| !self.dropped.contains(&object.id) && object.endpoint == self.owner.endpoint;
        let committed = self.committed()?;
        let all = [&self.made, committed];
        let mut next = ports[0].port;
        loop {
            let mut held = ports.iter().flat_map(|port| all.map(|all| all.port(HostPort { port: next, ..*port })));
            let Some(last) = held.find_map(|found| Some(found.filter(|(object, _)| is_owners(object))?.1.last()))
            else {
                return Ok(false);
            };
            if last >= ports[0].last() {
                return Ok(true);
            }
            next = last + 1;
        }
    }

    fn translated_ports(&self) -> Result<Vec<HostPort>> {
        if !self.has_released_ports() {
            return Ok(Vec::new());
        }
        let ports =
            self.there()?.filter(|object| object.endpoint == self.owner.endpoint).filter_map(|o| match o.thing {
                Thing::NftRule { port, .. } => port,
                Thing::NftElement { element, .. } => element.host_port(),
                _ => None,
            });
        Ok(ports.collect())
    }

    fn sets(&self) -> Result<Vec<SeenSet>> {
        self.seen_sets()
    }

    fn chains(&self) -> Result<Vec<SeenChain>> {
        self.seen_chains()
    }

    fn ways(&self, namespace: &Namespace, base: NftChain) -> Result<Ways> {
        self.ways_of_base(namespace, base)
    }

    fn logging_rules(&self) -> Result<usize> {
        self.count_logging_rules()
    }

    fn holds(&mut self, limit: Limit, more: u64, most: u64) -> Result<u64> {
        Ok(self.hold(limit, more, most)?)
    }

    fn left(&self, limit: Limit) -> Result<u64> {
        match limit {
            Limit::Ports => Ok(self.kernel.free_ports() as u64),
            Limit::StoreBytes | Limit::TableBytes => Ok(self.store.room()?),
            _ => Ok(u64::MAX),
        }
    }

    fn written(&self) -> (usize, usize) {
        let bytes = |v: &Option<Vec<u8>>| v.as_ref().map_or(0, Vec::len);
        let state: usize = self.state.values().map(bytes).sum();
        let entries: usize = self.entries.values().map(bytes).sum();
        (self.state.len() + self.entries.len() + self.watches.len(), state + entries)
    }

    fn is_own_entry(&mut self, table: &str, key: &str) -> Result<Option<bool>> {
        Ok(self.find_entry(table, key)?.map(|(_, is_own)| is_own))
    }
}

/// Another endpoint of the network has the MAC.
pub fn mac_is_taken(mac: MacAddress, of: &Endpoint) -> Error {
    Error::exists(format!("the MAC address {mac} is that of the endpoint {}: choose another, or none", of.name))
}
