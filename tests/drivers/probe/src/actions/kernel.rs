//! Namespaces, addresses, routes, rules, neighbours, sysctls and forwarding.

use std::net::IpAddr;

use pontoon_sdk::ErrorKind::{AlreadyExists, Forbidden, InvalidArgument, NotFound};
use pontoon_sdk::addresses::LinkAddress;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkSpec, Master};
use pontoon_sdk::neighbours::{ForwardingEntry, ForwardingInfo, Neighbour, NeighbourInfo};
use pontoon_sdk::routes::{Route, RouteInfo, WholeRoute};
use pontoon_sdk::rules::{Family, Rule, RuleInfo, WholeRule};
use pontoon_sdk::sysctls::{LinkSysctl, NamespaceSysctl, NeighbourSysctl};
use pontoon_sdk::{Error, MacAddress, Result};

use super::Stage;
use crate::check::{ensure, refused, same};
use crate::network::digits;

/// A routing table and a priority that nobody else has; an endpoint's are the next ones.
const NUMBER: u32 = 4242;

impl Stage<'_> {
    /// The network's bridge.
    pub(super) fn bridge(&self) -> Result<Link> {
        let name = self.network.bridge.as_deref();
        links::get(None, name.ok_or_else(|| Error::invalid_argument("probe.links=no leaves no bridge to act on"))?)
    }

    /// It is an endpoint's.
    pub(super) fn is_endpoints(&self) -> bool {
        self.owner.contains('/')
    }

    /// An address at the end of a pool that no other stage has.
    fn address(&self, pool: IpNet) -> IpAddr {
        let last = last_address(pool);
        match (self.is_endpoints(), last) {
            (false, last) => last,
            (true, IpAddr::V4(v4)) => (u32::from(v4) - 1).to_be_bytes().into(),
            (true, IpAddr::V6(v6)) => (u128::from(v6) - 1).to_be_bytes().into(),
        }
    }

    /// A name for a link of this action.
    pub(super) fn link_name(&self, prefix: &str) -> String {
        format!("{prefix}{}", digits(&self.owner))
    }
}

/// An address at the end of a pool that no front end gives to a container soon.
pub(super) fn last_address(pool: IpNet) -> IpAddr {
    before_the_end(pool, 2)
}

fn before_the_end(pool: IpNet, distance: u8) -> IpAddr {
    match pool {
        IpNet::V4(pool) => (u32::from(pool.broadcast()) - u32::from(distance)).to_be_bytes().into(),
        IpNet::V6(pool) => (u128::from(pool.broadcast()) - u128::from(distance)).to_be_bytes().into(),
    }
}

/// Leaves a namespace `left-DIGITS` behind.
pub(super) fn namespaces(stage: &Stage) -> Result<()> {
    use pontoon_sdk::namespaces::{add, get, host};

    let name = stage.link_name("probe-");
    let namespace = add(&name)?;
    ensure(namespace.same(&get(&name)?), "namespaces.get is not what add made")?;
    ensure(!namespace.same(&host()), "a new namespace is the host's")?;
    ensure(host().same(&host()), "the host's namespace is not itself")?;
    refused(add(&name), AlreadyExists, "namespaces.add of a name that is there")?;
    refused(add("no/name"), InvalidArgument, "namespaces.add of a name with a slash")?;
    refused(host().remove(), Forbidden, "namespace.remove of the host's")?;
    let outside = LinkEnd::named(stage.link_name("pbo"));
    let inside = LinkEnd { namespace: Some(&namespace), up: true, ..LinkEnd::named("inside") };
    links::add_one(LinkSpec::veth(outside, inside))?;
    ensure(links::get(Some(&namespace), "inside")?.info()?.up, "a link in a namespace is not up")?;
    same(links::list(Some(&namespace))?.len(), 1, "links.list of a namespace")?;
    refused(links::get(None, "inside"), NotFound, "links.get on the host of a link in a namespace")?;
    namespace.remove()?;
    refused(get(&name), NotFound, "namespaces.get after remove")?;
    add(&stage.link_name("left-")).map(drop)
}

pub(super) fn addresses(stage: &Stage) -> Result<()> {
    use pontoon_sdk::addresses::{add, list, remove};

    let bridge = stage.bridge()?;
    for pool in stage.network.pools() {
        let address = IpNet::new(stage.address(pool), pool.prefix_len())?;
        let addresses = [LinkAddress { link: &bridge, address }];
        add(&addresses)?;
        ensure(list(&bridge)?.contains(&address), "addresses.list doesn't have what was added")?;
        remove(&addresses)?;
        ensure(!list(&bridge)?.contains(&address), "addresses.list has what was removed")?;
        remove(&addresses)?;
    }
    Ok(())
}

/// Leaves a route behind, which goes with the bridge.
pub(super) fn routes(stage: &Stage) -> Result<()> {
    use pontoon_sdk::routes::{add, list, remove};

    let bridge = stage.bridge()?;
    for pool in stage.network.pools() {
        let destination = IpNet::from(stage.address(pool));
        let route = Route { table: Some(NUMBER), metric: Some(7), ..Route::new(&bridge, destination) };
        let info = RouteInfo { destination, gateway: None, table: NUMBER, metric: Some(7) };
        add(&[route])?;
        ensure(list(&bridge)?.contains(&info), "routes.list doesn't have what was added")?;
        remove(&[route])?;
        ensure(!list(&bridge)?.contains(&info), "routes.list has what was removed")?;
        remove(&[route])?;
        add(&[Route::new(&bridge, destination)])?;
    }
    paths(stage, &bridge)?;
    whole_routes(stage, &bridge)
}

/// Leaves paths to nowhere behind, which go with their owner.
fn paths(stage: &Stage, bridge: &Link) -> Result<()> {
    use pontoon_sdk::routes::{NextHop, Path, Way, add_paths, remove_paths};

    for pool in stage.network.pools() {
        let destination = IpNet::from(stage.address(pool));
        let table = Some(NUMBER + 7);
        let hop = NextHop { link: bridge, gateway: None, on_link: false, weight: 1 };
        let by_bridge = Path { table, mtu: Some(1400), ..Path::new(destination, Way::NextHops(vec![hop])) };
        let nowhere = Path { table, metric: Some(7), ..Path::new(destination, Way::Unreachable) };
        let both = [by_bridge.clone(), nowhere.clone()];
        add_paths(None, &both)?;
        refused(add_paths(None, &both[..1]), AlreadyExists, "routes.add-paths of a path that is there")?;
        remove_paths(None, &[by_bridge.name(), nowhere.name()])?;
        remove_paths(None, &[by_bridge.name()])?;
        add_paths(None, &both)?;
        remove_paths(None, &[by_bridge.name()])?;
    }
    Ok(())
}

/// What is listed names what was added, whatever was left out of it.
fn whole_routes(stage: &Stage, bridge: &Link) -> Result<()> {
    use pontoon_sdk::addresses;
    use pontoon_sdk::routes::{add, list_whole, remove};

    for pool in stage.network.pools() {
        let own = before_the_end(pool, 4);
        addresses::add(&[LinkAddress { link: bridge, address: own.into() }])?;
        let destination = IpNet::from(before_the_end(pool, 5));
        let plain = Route { table: Some(NUMBER + 5), ..Route::new(bridge, destination) };
        let sourced = Route { table: Some(NUMBER + 6), source: Some(own), ..plain };
        let before = list_whole(bridge)?;
        add(&[plain, sourced, Route::new(bridge, destination)])?;
        let new: Vec<WholeRoute> = list_whole(bridge)?.into_iter().filter(|route| !before.contains(route)).collect();
        same(new.len(), 3, "routes.list-whole of three more")?;
        ensure(new.iter().any(|route| route.source == Some(own)), "routes.list-whole has no source")?;
        let again = |route: &WholeRoute| {
            let &WholeRoute { destination, gateway, source, table, metric } = route;
            Route { link: bridge, destination, gateway, source, table: Some(table), metric }
        };
        remove(&new.iter().map(again).collect::<Vec<_>>())?;
        same(list_whole(bridge)?.len(), before.len(), "routes.list-whole after remove of what it listed")?;
        addresses::remove(&[LinkAddress { link: bridge, address: own.into() }])?;
    }
    Ok(())
}

/// Leaves a rule of priority 4243 behind.
pub(super) fn rules(stage: &Stage) -> Result<()> {
    use pontoon_sdk::rules::{add, list, remove};

    let bridge = stage.bridge()?;
    let number = NUMBER + 2 * u32::from(stage.is_endpoints());
    let empty = Rule { priority: number, source: None, destination: None, input_link: None, mark: None, table: NUMBER };
    refused(add(None, &[empty]), InvalidArgument, "rules.add of a rule for everything")?;
    for pool in stage.network.pools() {
        let rule = Rule { source: Some(pool), mark: Some((1, 0xff)), input_link: Some(&bridge), ..empty };
        let info = RuleInfo { priority: number, source: Some(pool), destination: None, mark: rule.mark, table: NUMBER };
        add(None, &[rule])?;
        ensure(list(None)?.contains(&info), "rules.list doesn't have what was added")?;
        remove(None, &[rule])?;
        ensure(!list(None)?.contains(&info), "rules.list has what was removed")?;
        remove(None, &[rule])?;
        add(None, &[Rule { priority: number + 1, destination: Some(pool), ..empty }])?;
    }
    whole_rules(&bridge, empty)
}

/// A rule with nothing but an input link is for the family that is said, and what is listed names what was added.
fn whole_rules(bridge: &Link, empty: Rule) -> Result<()> {
    use pontoon_sdk::rules::{add_of_family, list_whole, remove_of_family};

    let name = bridge.info()?.name;
    let rule = Rule { priority: empty.priority + 4, input_link: Some(bridge), ..empty };
    for family in [Family::Ipv4, Family::Ipv6] {
        add_of_family(family, None, &[rule])?;
    }
    let new: Vec<WholeRule> = list_whole(None)?.into_iter().filter(|new| new.priority == rule.priority).collect();
    same(new.len(), 2, "rules.list-whole of a rule for each family")?;
    ensure(new[0].family != new[1].family, "rules.list-whole has one family twice")?;
    for whole in new {
        ensure(whole.input_link.as_deref() == Some(&name), "rules.list-whole has another input link")?;
        let WholeRule { family, priority, source, destination, mark, table, .. } = whole;
        let again = Rule { priority, source, destination, input_link: Some(bridge), mark, table };
        remove_of_family(family, None, &[again])?;
        let left = list_whole(None)?;
        ensure(!left.iter().any(|l| l.priority == priority && l.family == family), "it is still listed")?;
    }
    Ok(())
}

/// Leaves a neighbour behind, which goes with the bridge.
pub(super) fn neighbours(stage: &Stage) -> Result<()> {
    use pontoon_sdk::neighbours::{add, list, remove};

    let bridge = stage.bridge()?;
    for pool in stage.network.pools() {
        let address = stage.address(pool);
        let [old, new] = [MacAddress::random(), MacAddress::random()];
        let of = |mac_address| Neighbour { link: &bridge, address, mac_address };
        let seen = |mac_address| Ok::<_, Error>(list(&bridge)?.contains(&NeighbourInfo { address, mac_address }));
        add(&[of(old)])?;
        ensure(seen(old)?, "neighbours.list doesn't have what was added")?;
        add(&[of(new)])?;
        ensure(seen(new)? && !seen(old)?, "neighbours.add doesn't replace")?;
        remove(&[of(new)])?;
        ensure(!seen(new)?, "neighbours.list has what was removed")?;
        remove(&[of(new)])?;
        add(&[of(new)])?;
    }
    proxies(stage, &bridge)?;
    forwarding_entries(stage, &bridge)
}

/// Leaves what the host answers for behind, which goes with the bridge.
fn proxies(stage: &Stage, bridge: &Link) -> Result<()> {
    use pontoon_sdk::neighbours::{Proxy, add_proxies, remove_proxies};

    for pool in stage.network.pools() {
        // The host has none of those that other actions add to links.
        let address = before_the_end(pool, 7 + u8::from(stage.is_endpoints()));
        let proxy = [Proxy { link: bridge, address }];
        add_proxies(&proxy)?;
        refused(add_proxies(&proxy), AlreadyExists, "neighbours.add-proxies of what is there")?;
        remove_proxies(&proxy)?;
        remove_proxies(&proxy)?;
        add_proxies(&proxy)?;
    }
    Ok(())
}

fn forwarding_entries(stage: &Stage, bridge: &Link) -> Result<()> {
    use pontoon_sdk::neighbours::{add_forwarding, list_forwarding, remove_forwarding};

    let [port, peer] = ["pbf", "pbg"].map(|prefix| LinkEnd::named(stage.link_name(prefix)));
    let port = links::add_one(LinkSpec::veth(port, peer))?.link;
    port.set(&LinkChanges { master: Some(Master::Bridge(bridge)), ..LinkChanges::default() })?;
    let mac_address = MacAddress::random();
    let entries = [ForwardingEntry { link: &port, mac_address, remote: None }];
    let seen = || Ok::<_, Error>(list_forwarding(&port)?.contains(&ForwardingInfo { mac_address, remote: None }));
    add_forwarding(&entries)?;
    ensure(seen()?, "neighbours.list-forwarding doesn't have what was added")?;
    add_forwarding(&entries)?;
    remove_forwarding(&entries)?;
    ensure(!seen()?, "neighbours.list-forwarding has what was removed")?;
    remove_forwarding(&entries)?;
    port.remove()
}

pub(super) fn sysctls(stage: &Stage) -> Result<()> {
    use pontoon_sdk::sysctls::{get_link, get_namespace, get_neighbour, set_link, set_namespace, set_neighbour};

    let bridge = stage.bridge()?;
    for value in [1, 0, 1] {
        set_link(&bridge, LinkSysctl::Ipv4ProxyArp, value)?;
        same(get_link(&bridge, LinkSysctl::Ipv4ProxyArp)?, value, "sysctls.get-link after set-link")?;
    }
    for value in [0, 80] {
        set_neighbour(&bridge, NeighbourSysctl::Ipv4ProxyDelay, value)?;
        same(get_neighbour(&bridge, NeighbourSysctl::Ipv4ProxyDelay)?, value, "sysctls.get-neighbour after set")?;
    }
    let name = stage.link_name("sysctl-");
    let namespace = pontoon_sdk::namespaces::add(&name)?;
    for value in [1, 0] {
        set_namespace(&namespace, NamespaceSysctl::Ipv4Forwarding, value)?;
        let seen = get_namespace(&namespace, NamespaceSysctl::Ipv4Forwarding)?;
        same(seen, value, "sysctls.get-namespace after set-namespace")?;
    }
    namespace.remove()
}

pub(super) fn forwarding(stage: &Stage) -> Result<()> {
    use pontoon_sdk::forwarding::{allow, disallow};

    let bridge = stage.bridge()?;
    disallow(&bridge)?;
    allow(&bridge, true, true)?;
    disallow(&bridge)?;
    allow(&bridge, true, false)
}
