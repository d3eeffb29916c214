//! Puts the host's links back when somebody else has removed or changed them: a bridge that is deleted, is down or has lost its address, a port
//! that was taken out of it, a setting, a policy rule, the route to its subnet.
//!
//! A link comes again with the index that it had, by which packet rules and exceptions go. What is on it comes from its record. An end of a pair
//! is gone with the other, which the container had: only a new attach makes that again. Routes and neighbours that drivers add are
//! not put back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use super::Keeper;
use kernel::{Change, LinkChanges, LinkInfo, LinkKey, LinkSpec, Mark, Namespace, Route, Rule, index_of_own_name};
use store::{Again, Object, Thing};

/// A link as it is to be.
struct Wanted {
    object: i64,
    key: LinkKey,
    name: String,
    again: Again,
}

impl Keeper {
    pub(super) fn restore_links(&self) {
        let _turn = self.hold_turn();
        if let Err(error) = self.restore_all_links() {
            tracing::error!("links that somebody removed or changed can't be put back: {error}");
        }
    }

    /// Whether a link is there and not as it is to be.
    pub(super) fn is_amiss(&self, index: u32) -> bool {
        let key = LinkKey { namespace: Namespace::Host, index };
        let object = self.store.owner_of_link(&Namespace::Host, index).ok().flatten();
        let Some(link) = object.and_then(wanted) else { return false };
        let Ok(Some(info)) = self.kernel.link(&key) else { return false };
        if info.mark != Mark::Owned {
            return false;
        }
        let addresses = self.kernel.addresses(&key).unwrap_or_default();
        let is_missing = |change: &Change| matches!(change, Change::AddAddress(_, net) if !addresses.contains(net));
        let on = &link.again.on;
        let is_amiss = differing(&link.again.set, &info, |_| true).is_some() || on.iter().any(is_missing);
        is_amiss || on.iter().any(|change| self.lost_route(&info, change).is_some())
    }

    fn restore_all_links(&self) -> words::Result<()> {
        if self.store.is_behind()? {
            return Ok(());
        }
        let wanted: Vec<Wanted> = self.store.host_links()?.into_iter().filter_map(wanted).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut there = self.own_links()?;
        let mut made = BTreeSet::new();
        for link in wanted.iter().filter(|link| !there.contains_key(&link.key.index)) {
            let Some(spec) = &link.again.spec else { continue };
            match self.make_again(link, spec) {
                Ok(true) => drop(made.insert(link.key.index)),
                Ok(false) => {}
                // Its parent may be gone for good. The others come back all the same.
                Err(error) if self.is_recorded(link) => {
                    tracing::error!("link {} is gone and can't be made again: {error}", link.name);
                }
                Err(_) => {}
            }
        }
        if !made.is_empty() {
            there = self.own_links()?;
        }
        let addresses: HashSet<_> = self.kernel.all_addresses(&Namespace::Host)?.into_iter().collect();
        for link in &wanted {
            let Some(info) = there.get(&link.key.index) else { continue };
            let is_missing = |change: &&Change| match change {
                Change::AddAddress(key, address) => !addresses.contains(&(key.index, *address)),
                Change::SetSysctl { namespace, sysctl, value } => {
                    self.kernel.sysctl(namespace, sysctl).is_ok_and(|now| now != *value)
                }
                Change::SetRate { link, rate } => self.kernel.rate(link).is_ok_and(|now| now != *rate),
                Change::Redirect { link, to } => self.kernel.redirect(link).is_ok_and(|now| now != *to),
                _ => false,
            };
            let mut changes: Vec<Change> = link.again.on.iter().filter(is_missing).cloned().collect();
            changes.extend(link_local(link, info, &addresses));
            let kept = link.again.on.iter().filter(|change| !is_missing(change));
            changes.extend(kept.filter_map(|change| self.lost_route(info, change)));
            changes.extend(
                differing(&link.again.set, info, |master| there.contains_key(&master))
                    .map(|set| Change::SetLink(link.key.clone(), set)),
            );
            self.put_back(&format!("link {}", link.name), changes, |_| self.is_recorded(link));
            self.put_back(&format!("link {}", link.name), self.lost_options(link), |_| self.is_recorded(link));
        }
        self.restore_policy_rules(&made)
    }

    fn own_links(&self) -> Result<BTreeMap<u32, LinkInfo>, kernel::Error> {
        let own = self.kernel.links(&Namespace::Host)?.into_iter().filter(|link| link.mark == Mark::Owned);
        Ok(own.map(|link| (link.index, link)).collect())
    }

    /// False: its network has gone meanwhile.
    fn make_again(&self, link: &Wanted, spec: &LinkSpec) -> words::Result<bool> {
        self.kernel.add_link_again(link.key.index, spec)?;
        if self.store.object(link.object)?.is_none() {
            self.kernel.apply(&[Change::RemoveLink(link.key.clone())])?;
            return Ok(false);
        }
        let set = vec![Change::SetLink(link.key.clone(), link.again.set.clone())];
        self.put_back(&format!("link {}", link.name), set, |_| self.is_recorded(link));
        tracing::warn!("link {} was gone from the kernel and is back", link.name);
        Ok(true)
    }

    /// Properties that are otherwise by now. Those of a port are there again once it is one.
    fn lost_options(&self, link: &Wanted) -> Vec<Change> {
        let lost = |change: &Change| {
            let Change::SetOptions { link, options } = change else { return None };
            let options = options.differing(&self.kernel.options(link).ok()?);
            (!options.is_empty()).then(|| Change::SetOptions { link: link.clone(), options })
        };
        link.again.on.iter().filter_map(lost).collect()
    }

    /// The route to a link's subnet, which the kernel made with its address, where a flush took it: an address of the subnet is not reached by
    /// the link.
    fn lost_route(&self, info: &LinkInfo, change: &Change) -> Option<Change> {
        let Change::AddAddress(link, net) = change else { return None };
        let is_other = |address: &IpAddr| *address != net.addr() && *address != net.network();
        let other = net.hosts().find(is_other).filter(|_| info.up)?;
        let way = self.kernel.way_to(other).ok()?;
        // Metric: IP6_RT_PRIO_ADDRCONF.
        let (source, metric) = match net.addr() {
            address @ IpAddr::V4(_) => (Some(address), None),
            IpAddr::V6(_) => (None, Some(256)),
        };
        let route = Route { link: link.clone(), destination: net.trunc(), gateway: None, source, table: None, metric };
        (way != Some(link.index)).then_some(Change::AddRoute(route))
    }

    /// `made`: links that were gone. Rules for what comes in by one of them are there still, and hold for nothing.
    fn restore_policy_rules(&self, made: &BTreeSet<u32>) -> words::Result<()> {
        let rules: Vec<Rule> = self.store.policy_rules()?.into_iter().filter_map(rule_of_host).collect();
        if rules.is_empty() {
            return Ok(());
        }
        let mut there = self.kernel.rules(&Namespace::Host)?;
        let mut changes = Vec::new();
        for rule in rules {
            let index = rule.input.as_ref().and_then(index_of_own_name);
            let holds = index.is_none_or(|index| !made.contains(&index));
            match there.iter().position(|other| *other == rule) {
                Some(position) if holds => drop(there.swap_remove(position)),
                _ => {
                    let named = index.map(|index| LinkKey { namespace: Namespace::Host, index });
                    changes.extend(named.map(Change::AddOwnName));
                    changes.extend((!holds).then(|| Change::RemoveRule(rule.clone())));
                    changes.push(Change::AddRule(rule));
                }
            }
        }
        let is_wanted = |change: &Change| {
            let Change::AddRule(rule) = change else { return true };
            let recorded = self.store.policy_rules().unwrap_or_default();
            recorded.into_iter().filter_map(rule_of_host).any(|other| other == *rule)
        };
        self.put_back("policy rules", changes, is_wanted);
        Ok(())
    }

    /// Whether a link is to be there still: it may have been removed since it was looked at.
    fn is_recorded(&self, link: &Wanted) -> bool {
        !matches!(self.store.object(link.object), Ok(None))
    }

    /// One that fails does not keep the others from coming back. `is_wanted`: nobody has removed meanwhile what it is for.
    fn put_back(&self, what: &str, changes: Vec<Change>, is_wanted: impl Fn(&Change) -> bool) {
        let mut done = 0;
        for change in changes {
            match self.kernel.apply(std::slice::from_ref(&change)) {
                Ok(_) => done += 1,
                // Somebody else's route leads there, too.
                Err(error)
                    if matches!(change, Change::AddRoute(_))
                        && error.errno == Some(rustix::io::Errno::EXIST.raw_os_error()) => {}
                Err(error) if is_wanted(&change) => tracing::error!("{what}: can't be put back: {error}"),
                Err(_) => {}
            }
        }
        if done > 0 {
            tracing::warn!(changes = done, "{what}: somebody else had changed this, and it is back");
        }
    }
}

fn wanted(object: Object) -> Option<Wanted> {
    match object.thing {
        Thing::Link { namespace: Namespace::Host, index, name, again: Some(again), .. } => {
            let key = LinkKey { namespace: Namespace::Host, index };
            Some(Wanted { object: object.id, key, name, again: *again })
        }
        _ => None,
    }
}

fn rule_of_host(object: Object) -> Option<Rule> {
    match object.thing {
        Thing::Rule(rule) if rule.namespace == Namespace::Host => Some(rule),
        _ => None,
    }
}

/// The address that the kernel gave a link of IPv6 when it came up, by its MAC: a flush takes it, and without it no neighbour is found.
fn link_local(link: &Wanted, info: &LinkInfo, addresses: &HashSet<(u32, IpNet)>) -> Option<Change> {
    let of_link = |net: &IpNet| matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local());
    let has_ipv6 = |change: &Change| matches!(change, Change::AddAddress(_, IpNet::V6(_)));
    let is_there = addresses.iter().any(|(index, net)| *index == info.index && of_link(net));
    if is_there || !info.up || !link.again.on.iter().any(has_ipv6) {
        return None;
    }
    let [a, b, c, d, e, f] = info.mac?.0;
    let address = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    Some(Change::AddAddress(link.key.clone(), Ipv6Net::new(address.into(), 64).ok()?.into()))
}

/// What has to be set again: that it is up, and a port's bridge with what goes with that. An MTU or a MAC is the operator's to change.
fn differing(set: &LinkChanges, info: &LinkInfo, is_there: impl Fn(u32) -> bool) -> Option<LinkChanges> {
    let mut changes = LinkChanges { up: set.up.filter(|up| *up && !info.up), ..LinkChanges::default() };
    let is_lost = |master: &u32| *master != 0 && info.master != Some(*master) && is_there(*master);
    if let Some(master) = set.master.filter(is_lost) {
        let LinkChanges { hairpin, isolated, learning, .. } = set.clone();
        changes = LinkChanges { master: Some(master), hairpin, isolated, learning, ..changes };
    }
    (changes != LinkChanges::default()).then_some(changes)
}
