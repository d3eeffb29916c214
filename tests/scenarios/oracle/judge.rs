//! The oracle: what of the machine differs from before, whose that is, and whether each thing that a driver has is covered by what the operator
//! wrote. It reads a grant's data and the machine, and shares nothing with the gate.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use grant::{Grant, NamespaceKind, Permission, Range};
use ipnet::IpNet;
use kernel::{HostPort, LinkInfo, Mark, Peer, Proxy, RoutePath, Way};
use pontoon::capability::CallState;

use super::machine::Machine;
use super::mapped::{Leads, Mapped};
use super::packet_rule::{self, Deed, Named, PacketRule, Test};
use super::seen::{About, HOST, Seen, Space};

/// Tables of the kernel's own: unspecified, default and local.
const KERNELS_TABLES: [u32; 3] = [0, 253, 255];

/// A driver, as the operator knows it.
pub struct Driver {
    pub grant: Grant,
    /// The pools that are on record for its network, and those that it has chosen in the call at hand.
    pub pools: Vec<IpNet>,
    pub chosen: Vec<IpNet>,
    /// Its network's table.
    pub table: String,
    /// Where its endpoint's container is.
    pub container: String,
}

/// Whose things are, by number of the driver; what is nobody's is the host's.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    links: BTreeMap<(String, u32), usize>,
    /// Policy rules, paths and ports, by their lines.
    lines: BTreeMap<(String, About, String), usize>,
    /// Links that an engine has moved away, by the names and indexes that they had on the host.
    pub moved: BTreeSet<String>,
}

impl Driver {
    pub(super) fn may(&self, permission: Permission) -> bool {
        self.grant.permissions.contains(&permission)
    }

    fn has_setting(&self, word: &str) -> bool {
        self.grant.sysctls.iter().any(|granted| granted.to_string() == word)
    }

    /// Whether packet rules may be at this hook with this priority.
    pub(super) fn hooks(&self, hook: &str, priority: i32) -> bool {
        self.grant.hooks.iter().any(|(named, at)| named.to_string() == hook && at.contains(&priority))
    }

    fn has_parent(&self, name: &str) -> bool {
        self.grant.parents.contains(name) || self.grant.parents.contains("*")
    }

    fn in_pools(&self, net: IpNet) -> bool {
        self.pools.iter().chain(&self.chosen).any(|pool| pool.contains(&net))
    }

    fn covers<'a>(&self, ranges: impl IntoIterator<Item = &'a Range>, net: IpNet) -> bool {
        ranges.into_iter().any(|range| match range {
            Range::Network => self.in_pools(net),
            Range::Default => net.prefix_len() == 0,
            Range::Net(range) => range.contains(&net),
        })
    }

    /// Whether all of these addresses are its own.
    fn reaches(&self, net: IpNet) -> bool {
        self.covers(&self.grant.addresses, net.trunc())
    }

    /// A host's address, or one that is nobody's.
    fn reaches_host(&self, address: IpAddr) -> bool {
        self.reaches(address.into()) || nobodys(address.into())
    }

    fn routes_to(&self, net: IpNet) -> bool {
        self.covers(&self.grant.routes, net.trunc())
    }
}

/// One look at a machine, and what there is to say about it.
pub struct Judge<'a> {
    pub drivers: &'a [Driver],
    pub owners: &'a Owners,
    pub machine: &'a Machine,
    pub seen: &'a Seen,
    pub complaints: Vec<String>,
}

impl Owners {
    /// Whatever is new is the actor's, and what is gone is nobody's.
    pub fn adopt(&mut self, before: &Seen, after: &Seen, actor: usize) {
        for (name, space) in after {
            for info in space.links.values().filter(|info| info.mark != Mark::Foreign) {
                self.links.entry((name.clone(), info.index)).or_insert(actor);
            }
            let was = |line: &(About, String)| before.get(name).is_some_and(|space| space.lines.contains_key(line));
            for line in space.lines.keys().filter(|line| !was(line)) {
                if matches!(line.0, About::Rule | About::Port | About::Path) {
                    self.lines.insert((name.clone(), line.0.clone(), line.1.clone()), actor);
                }
            }
        }
        let there = |name: &str, index: u32| after.get(name).is_none_or(|space| space.links.contains_key(&index));
        self.links.retain(|(name, index), _| there(name, *index));
        let there = |name: &str, line| after.get(name).is_none_or(|space| space.lines.contains_key(&line));
        self.lines.retain(|(name, about, line), _| there(name, (about.clone(), line.clone())));
    }

    pub fn of_link(&self, space: &str, index: u32) -> Option<usize> {
        self.links.get(&(space.to_owned(), index)).copied()
    }

    /// Whose a line is.
    fn of(&self, drivers: &[Driver], space: &str, about: &About, line: &str) -> Option<usize> {
        let of_table = |table: &str| drivers.iter().position(|driver| driver.table == table);
        if let Some(driver) = drivers.iter().position(|driver| Machine::is_of_table(space, &driver.table)) {
            return Some(driver);
        }
        match about {
            About::Link(index) => self.of_link(space, *index),
            About::Table(table) => of_table(table),
            About::Rule | About::Port | About::Path => {
                self.lines.get(&(space.to_owned(), about.clone(), line.to_owned())).copied()
            }
            About::Rest => None,
        }
    }
}

/// The lines of one driver, to compare.
pub fn lines_of(seen: &Seen, owners: &Owners, drivers: &[Driver], whose: usize) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for (name, space) in seen {
        let own = space.lines.iter().filter(|((about, line), _)| owners.of(drivers, name, about, line) == Some(whose));
        own.for_each(|((_, line), count)| *all.entry(format!("{name}: {line}")).or_default() += count);
    }
    all
}

/// What is in one and not in the other, for a person.
pub fn difference<K: Ord + std::fmt::Debug>(before: &BTreeMap<K, usize>, after: &BTreeMap<K, usize>) -> Vec<String> {
    let only = |these: &BTreeMap<K, usize>, those: &BTreeMap<K, usize>, sign: char| {
        let more = these.iter().filter(|(line, count)| those.get(line).unwrap_or(&0) < count);
        more.map(|(line, _)| format!("{sign} {line:?}")).collect::<Vec<_>>()
    };
    [only(before, after, '-'), only(after, before, '+')].concat()
}

/// What a step of one driver has changed of what is not its own. Not `at_once`: the settings of drivers' links are not looked at after each step.
pub fn trespasses(
    (before, owned_before): (&Seen, &Owners),
    (after, owned_after): (&Seen, &Owners),
    drivers: &[Driver],
    actor: usize,
    at_once: bool,
) -> Vec<String> {
    let (mut found, none) = (Vec::new(), BTreeMap::new());
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let lines = |seen: &'_ Seen| seen.get(name).map(|space| space.lines.clone()).unwrap_or_else(|| none.clone());
        for (sign, these, those, owners) in
            [('-', lines(before), lines(after), owned_before), ('+', lines(after), lines(before), owned_after)]
        {
            for ((about, line), count) in &these {
                let key = (about.clone(), line.clone());
                let changed = those.get(&key).unwrap_or(&0) < count;
                let whose = owners.of(drivers, name, about, line);
                if changed && whose != Some(actor) && !is_kept_by_host(about) {
                    let host = after.get(name).or(before.get(name)).unwrap();
                    if !is_granted_parent(about, line, host, &drivers[actor]) {
                        found.push(format!("in {name}, of {whose:?}: {sign} {line}"));
                    }
                }
            }
        }
        if let (Some(before), Some(after)) = (before.get(name), after.get(name)) {
            found.extend(settings(name, before, after, owned_after, &drivers[actor], (actor, at_once)));
        }
    }
    found
}

/// The tables in which Pontoon itself keeps rules for links that forward: what is in them is judged, not whose it is.
fn is_kept_by_host(about: &About) -> bool {
    matches!(about, About::Table(table) if table == "filter" || table.ends_with("-host"))
}

/// The lines that change only with a call. The host mends its own rules after links changed, whatever calls do meanwhile.
pub fn changed_by_calls(space: &Space) -> BTreeMap<(About, String), usize> {
    let lines = space.lines.iter().filter(|((about, _), _)| !is_kept_by_host(about));
    lines.map(|(line, count)| (line.clone(), *count)).collect()
}

/// A rule that says a link by its index and its name, and one of the two is another's by now or nobody's: no packet comes to it. The host
/// mends it in its own time.
fn is_of_none(space: &Space, rule: &PacketRule) -> bool {
    let is_of_none = |links: Vec<&Named>| {
        links.len() > 1 && !space.links.values().any(|info| links.iter().all(|link| link.is(info)))
    };
    is_of_none(rule.plain().filter_map(Test::input).collect())
        || is_of_none(rule.plain().filter_map(Test::output).collect())
}

/// A parent of the grant may be changed with a word of its own; how much it listens to follows from what is built on it.
fn is_granted_parent(about: &About, line: &str, space: &Space, actor: &Driver) -> bool {
    let About::Link(index) = about else { return false };
    let named = space.links.get(index).is_some_and(|info| actor.has_parent(&info.name));
    let line = line.replace('"', "");
    named && (actor.may(Permission::ChangedParents) || line.contains(" listens:"))
}

/// Settings that changed, and were not the actor's to change.
fn settings(
    name: &str,
    before: &Space,
    after: &Space,
    owners: &Owners,
    actor: &Driver,
    (number, at_once): (usize, bool),
) -> Vec<String> {
    let kind = match name {
        HOST => "host",
        _ if Machine::is_of_table(name, &actor.table) => "own",
        _ => "container",
    };
    let reaches = kind != "container" || name == actor.container;
    let changed = before.settings.iter().filter(|(key, value)| {
        let now = after.settings.get(key);
        now.is_some_and(|now| now != *value)
    });
    let mut found = Vec::new();
    for ((link, word), value) in changed {
        let switch = word.ends_with("-forwarding");
        let by_switch = reaches
            && switch
            && (actor.has_setting(&format!("{kind}.{word}")) || kind == "host" && actor.may(Permission::Forwarding));
        let allowed = match link {
            None => by_switch || reaches && actor.has_setting(&format!("{kind}.{word}")),
            // The kernel itself changes much of a link's with the link: with its namespace, its MTU, up and down.
            Some(index) => {
                let owner = owners.of_link(name, *index);
                // The host sees to it that its own links go on to heed routers when forwarding is switched on.
                let goes_on = *word == "ipv6-accept-ra"
                    && (*value, after.settings.get(&(*link, *word))) == (1, Some(&2))
                    && (kind, owner) == ("host", None)
                    && actor.may(Permission::Forwarding);
                goes_on || by_switch || owner == Some(number) || owner.is_some() && !at_once
            }
        };
        if !allowed {
            let now = after.settings.get(&(*link, *word));
            found.push(format!("in {name}: the setting {word} of link {link:?} was {value} and is {now:?}"));
        }
    }
    found
}

impl Judge<'_> {
    /// All that there is now.
    pub fn all(mut self) -> Vec<String> {
        for number in 0..self.drivers.len() {
            self.chosen(number);
        }
        let (seen, drivers) = (self.seen, self.drivers);
        for (name, space) in seen {
            for info in space.links.values().filter(|info| info.mark == Mark::Owned) {
                self.link(name, space, info);
            }
            for (index, address) in space.addresses.iter().chain(&space.connected) {
                self.address(name, space, *index, *address);
            }
            space.routes.iter().for_each(|route| self.route(name, route));
            space.neighbours.iter().for_each(|neighbour| self.neighbour(name, neighbour));
            space.shaped.iter().for_each(|link| self.shaped(name, *link));
            for path in &space.paths {
                self.somebodys(&format!("{path:?}"), |judge, number| judge.path(number, name, space, path));
            }
            for proxy in &space.proxies {
                self.somebodys(&format!("{proxy:?}"), |judge, number| judge.proxy(number, name, space, proxy));
            }
            self.policy_rules(name, space);
            for chain in &space.chains {
                if let Some(number) = drivers.iter().position(|driver| driver.table == chain.table) {
                    self.chain(number, name, chain);
                }
            }
            for rule in &space.packet_rules {
                match drivers.iter().position(|driver| driver.table == rule.table) {
                    Some(number) => self.packet_rule(number, name, space, rule),
                    None if name == HOST => self.hosts_rule(space, rule),
                    None => {}
                }
            }
            for mapped in &space.mapped {
                if let Some(number) = drivers.iter().position(|driver| driver.table == mapped.table) {
                    self.mapped(number, mapped);
                }
            }
        }
        self.complaints
    }

    fn complain(&mut self, number: usize, what: String) {
        self.complaints.push(format!("driver {number}: {what}"));
    }

    pub(super) fn must(&mut self, number: usize, is: bool, what: impl FnOnce() -> String) {
        if !is {
            self.complain(number, what());
        }
    }

    fn owner(&self, space: &str, index: u32) -> Option<(usize, &Driver)> {
        let number = self.owners.of_link(space, index)?;
        Some((number, &self.drivers[number]))
    }

    /// Pools that a driver chose are its operator's to give, and nobody else's.
    fn chosen(&mut self, number: usize) {
        let drivers = self.drivers;
        let driver = &drivers[number];
        let ranges = || {
            driver.grant.pools.iter().filter_map(|range| match range {
                Range::Net(net) => Some(*net),
                _ => None,
            })
        };
        for pool in &driver.chosen {
            self.must(number, ranges().any(|range| range.contains(pool)), || {
                format!("it chose the pool {pool}, which its grant does not name")
            });
            let others = drivers.iter().enumerate().filter(|(other, _)| *other != number);
            for other in others.flat_map(|(_, other)| &other.pools) {
                let apart = !other.contains(pool) && !pool.contains(other);
                self.must(number, apart, || format!("it chose the pool {pool}, and {other} is another network's"));
            }
        }
    }

    /// Where a driver's things may be.
    pub(super) fn place(&mut self, number: usize, space: &str, what: &str) {
        let driver = &self.drivers[number];
        let kind = |kind| driver.grant.namespaces.contains(&kind);
        let may = match space {
            HOST => kind(NamespaceKind::Host),
            path if Machine::is_of_table(path, &driver.table) => driver.may(Permission::Namespaces),
            path => path == driver.container && kind(NamespaceKind::Container),
        };
        self.must(number, may, || format!("{what} is in {space}"));
    }

    fn link(&mut self, name: &str, space: &Space, info: &LinkInfo) {
        let Some((number, driver)) = self.owner(name, info.index) else {
            self.complaints.push(format!("{} in {name} is nobody's", info.name));
            return;
        };
        let what = format!("the {} {}", info.kind, info.name);
        let (links, ports) = (driver.may(Permission::Links), driver.may(Permission::HostPorts));
        let changes = driver.may(Permission::ChangedParents);
        let ifbs = info.kind == "ifb" && driver.may(Permission::Shaping);
        self.must(number, links || ifbs, || format!("{what} is there without the permission for links"));
        if !self.owners.moved.contains(&format!("{name} {}", info.index)) {
            self.place(number, name, &what);
        }
        if let Some(master) = info.master {
            let own = self.owners.of_link(name, master) == Some(number);
            self.must(number, own, || format!("{what} is a port of the link {master}, which is not its own"));
        }
        if info.kind == "vxlan" {
            self.must(number, ports, || {
                format!("{what} takes a UDP port of the host without the permission for ports")
            });
        }
        if let Some(behind) = space.tunnels.get(&info.index) {
            self.tunnel(number, &what, behind);
        }
        if !["vxlan", "macvlan", "macvtap", "ipvlan", "vlan"].contains(&info.kind.as_str()) {
            return;
        }
        let host = &self.seen[HOST].links;
        let by_name =
            space.under_tunnels.get(&info.index).and_then(|name| host.values().find(|info| is_called(info, name)));
        // By an index, it is of the link's own namespace, or else of the host.
        let is_here = info.kind != "vxlan" && !space.on_others.contains(&info.index);
        let (at, there) = if is_here { (name, &space.links) } else { (HOST, host) };
        let under = by_name.or(info.parent.filter(|_| info.kind != "vxlan").and_then(|parent| there.get(&parent)));
        let own = under.is_some_and(|under| self.owners.of_link(at, under.index) == Some(number));
        let parent = under.map(|under| under.name.as_str());
        let away = info.parent.is_some_and(|parent| self.owners.moved.contains(&format!("{HOST} had {parent}")));
        let named = own || away && parent.is_none() || self.drivers[number].has_parent(parent.unwrap_or("*"));
        self.must(number, named, || format!("{what} is built on {parent:?}, which its grant does not name"));
        let known = !own && (!away || parent.is_some());
        let changed = known && space.passthru.contains(&info.index);
        self.must(number, !changed || changes, || format!("{what} changes its parent {parent:?}"));
        self.listens(number, space, info, known);
    }

    /// A WireGuard link takes a port of the host's, sends by any link, and has what is behind it come and go as if it were there.
    fn tunnel(&mut self, number: usize, what: &str, peers: &[Peer]) {
        let driver = &self.drivers[number];
        let (ports, any) = (driver.may(Permission::HostPorts), driver.has_parent("*"));
        let strange = peers.iter().flat_map(|peer| &peer.allowed).find(|net| !driver.reaches(**net));
        self.must(number, ports, || format!("{what} takes a UDP port of the host without the permission for ports"));
        self.must(number, any, || format!("{what} sends by any link, and its grant does not name all"));
        self.must(number, strange.is_none(), || format!("{what} leads to {strange:?}, which is not its own"));
    }

    fn address(&mut self, name: &str, space: &Space, index: u32, address: IpNet) {
        // The kernel gives each link one of its own.
        let links_own =
            address.prefix_len() == 64 && matches!(address, IpNet::V6(v6) if v6.addr().is_unicast_link_local());
        let Some((number, driver)) = self.owner(name, index).filter(|_| !links_own) else { return };
        let reaches = driver.reaches(address);
        let link = space.links.get(&index).map(|info| info.name.clone()).unwrap_or_default();
        self.must(number, reaches, || format!("all of {address} leads to {link} in {name}, and is not its own"));
    }

    fn route(&mut self, name: &str, route: &kernel::Route) {
        let Some((number, driver)) = self.owner(name, route.link.index) else { return };
        let (may, leads) = (driver.may(Permission::Routing), driver.routes_to(route.destination));
        let to = route.destination;
        self.must(number, may, || format!("a route to {to} is there without the permission for routing"));
        self.must(number, leads, || format!("a route leads to {to}, which its grant does not name"));
        let kernels = route.table.is_some_and(|table| KERNELS_TABLES.contains(&table));
        self.must(number, !kernels, || format!("the route to {to} is in table {:?}", route.table));
    }

    fn shaped(&mut self, name: &str, link: u32) {
        let Some((number, driver)) = self.owner(name, link) else { return };
        let may = driver.may(Permission::Shaping);
        self.must(number, may, || format!("link {link} is slowed down without the permission for it"));
    }

    fn neighbour(&mut self, name: &str, neighbour: &kernel::Neighbour) {
        let Some((number, driver)) = self.owner(name, neighbour.link.index) else { return };
        let reaches = driver.reaches_host(neighbour.address);
        self.must(number, reaches, || format!("{} is a neighbour, and not its own", neighbour.address));
    }

    /// Whose it is, is not in it: there is one driver at least that may have it.
    fn somebodys(&mut self, what: &str, wrong: impl Fn(&Self, usize) -> Vec<&'static str>) {
        let all: Vec<_> = (0..self.drivers.len()).map(|number| wrong(self, number)).collect();
        if all.iter().all(|complaints| !complaints.is_empty()) {
            self.complaints.push(format!("{what}: {all:?}"));
        }
    }

    /// Whether a driver may send by a link, or answer on it: its own, or a parent.
    fn goes_by(&self, number: usize, name: &str, space: &Space, index: u32) -> (bool, bool) {
        let own = self.owners.of_link(name, index) == Some(number);
        let driver = &self.drivers[number];
        let named =
            space.links.get(&index).is_some_and(|info| info.mark == Mark::Foreign && driver.has_parent(&info.name));
        (own, named && name == HOST && driver.may(Permission::ParentRoutes))
    }

    fn path(&self, number: usize, name: &str, space: &Space, path: &RoutePath) -> Vec<&'static str> {
        let driver = &self.drivers[number];
        let mut wrong = Vec::new();
        let mut must = |is: bool, what| wrong.extend((!is).then_some(what));
        must(driver.may(Permission::Routing), "no permission for routing");
        must(driver.routes_to(path.destination), "its grant does not lead there");
        must(!path.table.is_some_and(|table| KERNELS_TABLES.contains(&table)), "it is in a table of the kernel's own");
        let has_hosts = |(index, net): &(u32, IpNet)| {
            let foreign = space.links.get(index).is_some_and(|info| info.mark == Mark::Foreign);
            foreign && path.destination.contains(&net.addr())
        };
        let hijacks = name == HOST && path.table.is_none() && space.addresses.iter().any(has_hosts);
        must(!hijacks, "the host has an address there");
        let hops = if let Way::Hops(hops) = &path.way { hops.as_slice() } else { &[] };
        for hop in hops {
            let (own, parent) = self.goes_by(number, name, space, hop.link);
            must(own || parent, "it goes by a link that is neither its own nor a parent");
            let beyond = hop.gateway.is_none_or(|gateway| driver.routes_to(gateway.into()));
            must(own || beyond, "it hands packets to a machine that its grant does not name");
        }
        wrong
    }

    fn proxy(&self, number: usize, name: &str, space: &Space, proxy: &Proxy) -> Vec<&'static str> {
        let driver = &self.drivers[number];
        let (own, parent) = self.goes_by(number, name, space, proxy.link.index);
        let mut wrong = Vec::new();
        let mut must = |is: bool, what| wrong.extend((!is).then_some(what));
        must(driver.may(Permission::Links), "no permission for links");
        must(own || parent, "it is on a link that is neither its own nor a parent");
        let address = IpNet::from(proxy.address);
        must(driver.reaches(address) || own && nobodys(address), "the address is not its own");
        wrong
    }

    /// Which driver's a policy rule is, is not in the rule: there is one at least that may have it.
    fn policy_rules(&mut self, name: &str, space: &Space) {
        for rule in &space.rules {
            let fits = |number: usize| self.policy_rule(number, name, space, rule);
            let all: Vec<_> = (0..self.drivers.len()).map(fits).collect();
            if all.iter().all(|complaints| !complaints.is_empty()) {
                self.complaints.push(format!("{rule:?}: {all:?}"));
            }
        }
    }

    fn policy_rule(&self, number: usize, name: &str, space: &Space, rule: &kernel::Rule) -> Vec<&'static str> {
        let driver = &self.drivers[number];
        let mut wrong = Vec::new();
        let mut must = |is: bool, what| wrong.extend((!is).then_some(what));
        must(driver.may(Permission::Routing), "no permission for routing");
        must(!KERNELS_TABLES.contains(&rule.table), "it is for a table of the kernel's own");
        must((1..=32_765).contains(&rule.priority), "its priority is not for rules that are added");
        let nets = rule.source.iter().chain(&rule.destination);
        let tied = nets.into_iter().any(|net| driver.reaches(*net));
        let input = rule.input.as_ref().map(|input| Named::ByName(input.to_string()));
        let by_link = input.as_ref().is_some_and(|input| self.is_own(number, name, space, input));
        must(tied || by_link, "nothing of its own ties it");
        let named = input.is_none() || by_link;
        must(named, "it is for a link that is not its own, or not there");
        wrong
    }

    /// Whether a rule's link is one of the driver's; or is nobody's and never will be: a name that is no other link's, an index without a link.
    fn is_own(&self, number: usize, name: &str, space: &Space, link: &Named) -> bool {
        let own = |info: &LinkInfo| self.owners.of_link(name, info.index) == Some(number);
        match link {
            Named::ByName(link) => {
                let gone = self.owners.moved.iter().any(|moved| moved == &format!("{name} is {link}"));
                gone && link.starts_with("pontoon")
                    || space.links.values().any(|info| Space::names(info).contains(link) && own(info))
            }
            Named::ByIndex(index) => space.links.get(index).is_none_or(own),
        }
    }

    fn packet_rule(&mut self, number: usize, name: &str, space: &Space, rule: &PacketRule) {
        let driver = &self.drivers[number];
        let (may, text) = (driver.may(Permission::PacketFilter), &rule.text);
        let hooked = driver.hooks(&rule.hook, rule.priority);
        let own = |link: &Named| self.is_own(number, name, space, link);
        let is_parent = |link: &Named| {
            let foreign =
                space.links.values().filter(|info| info.mark == Mark::Foreign && driver.has_parent(&info.name));
            foreign.into_iter().any(|info| link.is(info))
        };
        let stranger = rule.links().find(|link| !own(link) && !is_parent(link)).cloned();
        let tied = rule.plain().any(|test| match test {
            Test::In(link) | Test::Out(link) => own(link),
            Test::From(net) | Test::To(net) => driver.reaches(*net),
            _ => false,
        });
        let (to_own, from_own) = match rule.deed {
            Deed::Destination(to) => (driver.reaches_host(to), true),
            Deed::Source(to) => (true, driver.reaches_host(to)),
            Deed::Plain | Deed::ByMap => (true, true),
        };
        let tied = tied || matches!(rule.deed, Deed::Destination(to) if driver.reaches(to.into()));
        let tied = tied || rule.deed == Deed::ByMap;
        // Packets come to an own chain by rules that are tied.
        let tied = tied || packet_rule::is_own(&rule.chain);
        let redirects = match rule.deed {
            Deed::Destination(to) => self.may_redirect(number, rule, to, &own),
            _ => true,
        };
        self.must(number, may, || format!("without the permission for packet filters: {text}"));
        self.must(number, hooked, || format!("at a hook or priority that its grant does not name: {text}"));
        self.must(number, tied, || format!("nothing of its own ties it: {text}"));
        self.must(number, to_own, || format!("it sends packets to an address that is not its own: {text}"));
        self.must(number, from_own, || format!("it sends packets from an address that is not its own: {text}"));
        self.must(number, redirects, || format!("it takes packets that are somebody else's: {text}"));
        let marks = rule.beside.marks & !driver.grant.mark_bits.0 == 0;
        let logs = !rule.beside.logs || driver.may(Permission::PacketLog);
        let tracks = !rule.beside.untracks || driver.may(Permission::UntrackedPackets);
        self.must(number, marks, || format!("it sets bits of marks that its grant does not name: {text}"));
        self.must(number, logs, || format!("it writes a log without the permission: {text}"));
        self.must(number, tracks, || format!("it keeps packets untracked without the permission: {text}"));
        if let Some(link) = stranger {
            self.complain(number, format!("{link:?} is not its own, or not there: {text}"));
        }
        self.place(number, name, text);
        self.way(number, space, rule);
    }

    /// What an element of a map does is what a rule may: packets go to own addresses only, those of a port that is held, and marks are granted.
    fn mapped(&mut self, number: usize, mapped: &Mapped) {
        let (driver, text) = (&self.drivers[number], &mapped.text);
        match mapped.leads {
            Leads::Port(protocol, port, to) => {
                let address = if to.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
                let held = self.machine.is_held(HostPort { protocol, port, more: 0, address });
                let (own, may) = (driver.reaches_host(to), driver.may(Permission::HostPorts) && held);
                self.must(number, own, || format!("it sends packets to an address that is not its own: {text}"));
                self.must(number, may, || format!("it takes packets that are somebody else's: {text}"));
            }
            Leads::Mark(mark) => {
                let granted = mark & !driver.grant.mark_bits.0 == 0;
                self.must(number, granted, || format!("it sets bits of marks that its grant does not name: {text}"));
            }
        }
    }

    /// Whose packets go elsewhere: those of an own link, those to own addresses, or those to a port of the host that is held.
    fn may_redirect(&self, number: usize, rule: &PacketRule, to: IpAddr, own: &impl Fn(&Named) -> bool) -> bool {
        let driver = &self.drivers[number];
        let own = rule.plain().any(|test| match test {
            Test::In(link) => own(link),
            Test::To(net) => driver.reaches(*net),
            _ => false,
        });
        let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
        let (mut protocol, mut port, mut address) = (None, None, None);
        for test in rule.plain() {
            match test {
                Test::Protocol(number) => protocol = Some(*number),
                Test::ToPort(number) => port = Some(*number),
                Test::ToHost => address = Some(any),
                Test::To(net) if net.prefix_len() == net.max_prefix_len() => address = Some(net.addr()),
                _ => {}
            }
        }
        let (Some(protocol), Some(port), Some(address)) = (protocol, port, address) else { return own };
        own || driver.may(Permission::HostPorts) && self.machine.is_held(HostPort { protocol, port, more: 0, address })
    }

    /// Whether one of the links that a rule speaks of is a driver's. (Right after a rename the other name is still there.)
    fn of_a_driver(&self, space: &Space, rule: &PacketRule) -> bool {
        rule.links().any(|link| (0..self.drivers.len()).any(|number| self.is_own(number, HOST, space, link)))
    }

    /// A rule that Pontoon keeps itself lets a link forward: one of a driver that may.
    fn hosts_rule(&mut self, space: &Space, rule: &PacketRule) {
        if !is_kept_by_host(&About::Table(rule.table.clone())) {
            return;
        }
        // What keeps packets back opens nothing, and what goes from port to port of a bridge is no way anywhere.
        let (into, out) = (rule.plain().find_map(Test::input), rule.plain().find_map(Test::output));
        let is_within = into.is_some() && into == out && self.of_a_driver(space, rule);
        if rule.text.contains("\"drop\"") || is_within || is_of_none(space, rule) {
            return;
        }
        for link in rule.links() {
            let own = |number: &usize| self.is_own(*number, HOST, space, link);
            let fits = |number: &usize| own(number) && self.drivers[*number].may(Permission::Forwarding);
            if !(0..self.drivers.len()).any(|number| fits(&number)) {
                let text = format!("{link:?} forwards, and is no driver's own, or not there: {}", rule.text);
                self.complaints.push(text);
            }
        }
    }

    /// What a driver says of its endpoint in the call at hand. A network without pools of a family has none to be outside of.
    pub fn said(&mut self, number: usize, state: Option<&CallState>) {
        let (Some(state), driver) = (state, &self.drivers[number]) else { return };
        let pools = || driver.pools.iter().chain(&driver.chosen);
        let has_like = |net: IpNet| pools().any(|pool| pool.addr().is_ipv4() == net.addr().is_ipv4());
        let address = state.interface.address.map(IpNet::from);
        for address in address.into_iter().chain(state.interface.address_ipv6.map(IpNet::from)) {
            let fits = !has_like(address) || driver.in_pools(address.trunc()) || driver.reaches(address);
            self.must(number, fits, || format!("the endpoint's address {address} is not its own"));
        }
        for net in state.join.routes.iter().map(|route| route.destination) {
            let open = !has_like(net) && net.prefix_len() > 0;
            let fits = open || driver.in_pools(net) || driver.routes_to(net) || nobodys(net);
            self.must(number, fits, || format!("the endpoint's route to {net} is not its own"));
        }
    }

    /// What the store says of links that forward: on a machine where nothing drops what is forwarded, no rule says so.
    /// Name and index go together: a link that has but one of them gets nothing by it.
    pub fn forwards(&mut self, links: &[(String, u32)]) {
        for (name, index) in links {
            let found = self.seen[HOST].links.get(index).filter(|info| Space::names(info).contains(name));
            let own = |info: &LinkInfo| self.owners.of_link(HOST, info.index).is_some();
            if found.is_some_and(|info| !own(info)) {
                self.complaints.push(format!("{name} forwards, and is no driver's own"));
            }
        }
    }
}

/// Link-local addresses.
fn nobodys(net: IpNet) -> bool {
    ["169.254.0.0/16", "fe80::/10"].iter().any(|nobodys| nobodys.parse::<IpNet>().unwrap().contains(&net))
}

/// Whether a link of the host's goes by this name, or by its index.
fn is_called(info: &LinkInfo, name: &str) -> bool {
    info.name == name || format!("if{}", info.index) == name
}
