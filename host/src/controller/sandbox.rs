//! libnetwork's own part of a join: the interface's name, MAC, addresses and routes in the container's namespace.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Inner;
use crate::capability::{Join, Names, StaticRoute};
use kernel::{
    Applied, Change, Device, KnownLinks, LinkChanges, LinkKey, Namespace, NewLink, NewName, Outcome, Route, Sysctl,
};
use store::{Batch, Durability, Endpoint, Object, Thing, Write};
use words::{Error, Result};
use words::{LinkName, MacAddress};

/// How long an attach waits for its interface to run: a hundred times what it takes.
const UNTIL_RUNNING: Duration = Duration::from_millis(100);

/// The default routes of both families.
const DEFAULT: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0)),
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0)),
];

impl Inner {
    /// Applies a join's answer in the endpoint's sandbox, all of it or nothing. Answers the interface's index and name; none where
    /// the driver gave no link.
    pub(super) fn configure(
        &self,
        endpoint: &Endpoint,
        sandbox: &Namespace,
        join: &Join,
        wanted: Option<&LinkName>,
        known: &KnownLinks,
    ) -> Result<Option<(u32, LinkName)>> {
        let Some(names) = &join.names else {
            self.announce(endpoint);
            return Ok(None);
        };
        let (key, name, mac) = self.bring_in(endpoint, names, sandbox, known)?;
        let fit = fitting_name(names, &name, wanted);
        let name = self.fit(&key, name, fit, endpoint.mac.filter(|wanted| Some(*wanted) != mac), known)?;
        let mut changes = vec![disable_ipv6(&key, endpoint.address_ipv6.is_none())];
        let addresses = endpoint.address.map(IpNet::from).into_iter().chain(endpoint.address_ipv6.map(IpNet::from));
        changes.extend(addresses.map(|a| Change::AddAddress(key.clone(), a)));
        changes.push(Change::SetLink(key.clone(), LinkChanges { up: Some(true), ..LinkChanges::default() }));
        changes.extend(routes(&key, join));
        changes.extend(self.default_routes(&key, endpoint).into_iter().map(Change::AddRoute));
        known.apply(&self.kernel, &changes, None, &mut |_| Ok(()))?;
        self.wait_until_running(endpoint, &key)?;
        Ok(Some((key.index, name)))
    }

    /// Gives the interface the name and the MAC that it lacks. Answers its name then.
    fn fit(
        &self,
        key: &LinkKey,
        now: LinkName,
        name: Option<NewName>,
        mac: Option<MacAddress>,
        known: &KnownLinks,
    ) -> Result<LinkName> {
        let rename = name.is_some();
        if !rename && mac.is_none() {
            return Ok(now);
        }
        let set = |changes| Change::SetLink(key.clone(), changes);
        // A link that is up can't be renamed before Linux 6.2.
        let down = rename.then(|| set(LinkChanges { up: Some(false), ..LinkChanges::default() }));
        let fits = set(LinkChanges { name, mac, ..LinkChanges::default() });
        let changes: Vec<Change> = down.into_iter().chain([fits]).collect();
        known.apply(&self.kernel, &changes, None, &mut |_| Ok(()))?;
        if rename { Ok(self.look(key, known)?.0) } else { Ok(now) }
    }

    /// The kernel notices a moment later that both ends of a pair are up, first at one and then at the other, and drops packets until
    /// then: a bridge forwards nothing to a port that does not run. A link that can't run, because its parent does not, is no failure.
    fn wait_until_running(&self, endpoint: &Endpoint, key: &LinkKey) -> Result<()> {
        let begin = Instant::now();
        let objects = self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))?;
        let end = |object: Object| match object.thing {
            Thing::Link { namespace, index, peer: Some(_), .. } => Some(LinkKey { namespace, index }),
            _ => None,
        };
        let mut links: Vec<LinkKey> = objects.into_iter().filter_map(end).filter(|end| end != key).collect();
        links.push(key.clone());
        // Its neighbours can be told at once, and the first look goes on the way.
        let told = self.announce(endpoint).filter(|link| link.running);
        let is_told = |link: &LinkKey| told.as_ref().is_some_and(|told| told.index == link.index);
        let runs = |link: &LinkKey| link.namespace == Namespace::Host && is_told(link);
        for link in links.iter().filter(|link| !runs(link)) {
            while begin.elapsed() < UNTIL_RUNNING && !self.kernel.link(link)?.is_some_and(|link| link.running) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        Ok(())
    }

    /// The default routes of a gateway endpoint.
    pub(super) fn default_routes(&self, key: &LinkKey, endpoint: &Endpoint) -> Vec<Route> {
        let gateways = [
            (endpoint.is_gateway, endpoint.gateway.map(IpAddr::from), DEFAULT[0]),
            (endpoint.is_gateway_ipv6, endpoint.gateway_ipv6.map(IpAddr::from), DEFAULT[1]),
        ];
        let route = |(is_gateway, gateway, destination): (bool, Option<IpAddr>, IpNet)| {
            let gateway = gateway.filter(|_| is_gateway)?;
            Some(Route {
                link: key.clone(),
                destination,
                gateway: Some(gateway),
                source: None,
                table: None,
                metric: None,
            })
        };
        gateways.into_iter().filter_map(route).collect()
    }

    /// The link in the sandbox, with its name and MAC: where the driver made it, or moved from the host.
    fn bring_in(
        &self,
        endpoint: &Endpoint,
        names: &Names,
        sandbox: &Namespace,
        known: &KnownLinks,
    ) -> Result<(LinkKey, LinkName, Option<MacAddress>)> {
        if names.source.namespace == *sandbox {
            let (name, mac) = self.look(&names.source, known)?;
            return Ok((names.source.clone(), name, mac));
        }
        if let Some(device) = self.device_of(endpoint, &names.source, sandbox)? {
            let moved = known.apply(&self.kernel, &[Change::MoveDevice(device)], None, &mut |_| Ok(()))?;
            return arrived(moved).map(|link| (link.key, link.name, link.mac));
        }
        let moving = [Change::MoveLink(names.source.clone(), sandbox.clone())];
        let applied = known.apply(&self.kernel, &moving, None, &mut |_| Ok(()))?;
        let link = arrived(applied)?;
        self.record_move(endpoint, &names.source, &link.key)?;
        Ok((link.key, link.name, link.mac))
    }

    /// The device of others that a link of the host's is, if the endpoint has taken it. Where it goes is recorded before it goes, so that it is found
    /// there if this process ends meanwhile.
    fn device_of(&self, endpoint: &Endpoint, link: &LinkKey, sandbox: &Namespace) -> Result<Option<Box<Device>>> {
        let Namespace::At(inside) = sandbox else { return Ok(None) };
        for object in self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))? {
            let Thing::Device(device) = &object.thing else { continue };
            if link.namespace == Namespace::Host && device.index == link.index {
                let device = Box::new(Device { inside: Some(inside.clone()), ..Device::clone(device) });
                let moved = Object { thing: Thing::Device(device.clone()), ..object };
                let writes = vec![Write::PutObject(moved)];
                self.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
                return Ok(Some(device));
            }
        }
        Ok(None)
    }

    /// A link that was moved is the same object elsewhere.
    fn record_move(&self, endpoint: &Endpoint, from: &LinkKey, to: &LinkKey) -> Result<()> {
        let mut writes = Vec::new();
        for mut object in self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))? {
            let Thing::Link { namespace, index, peer, again, .. } = &mut object.thing else { continue };
            if *namespace == from.namespace && *index == from.index {
                (*namespace, *index, *again) = (to.namespace.clone(), to.index, None);
            } else if peer.as_ref() == Some(from) {
                *peer = Some(to.clone());
            } else {
                continue;
            }
            writes.push(Write::PutObject(object));
        }
        self.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
        Ok(())
    }

    fn look(&self, key: &LinkKey, known: &KnownLinks) -> Result<(LinkName, Option<MacAddress>)> {
        let info = known.link(&self.kernel, key)?.ok_or_else(|| Error::not_found("the interface is gone"))?;
        Ok((LinkName::new(&info.name)?, info.mac))
    }
}

fn arrived(applied: Vec<Applied>) -> Result<NewLink> {
    match applied.into_iter().next().map(|applied| applied.outcome) {
        Some(Outcome::Link(link, _)) => Ok(link),
        _ => Err(Error::internal("the kernel layer did not answer with a link")),
    }
}

/// The new name that the interface needs, if it does not fit already.
fn fitting_name(names: &Names, now: &LinkName, wanted: Option<&LinkName>) -> Option<NewName> {
    if let Some(exact) = wanted.or(names.name.as_ref()) {
        return (exact != now).then(|| NewName::Exact(exact.clone()));
    }
    let number = now.as_str().strip_prefix(names.prefix.as_str());
    let fits = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!fits).then(|| NewName::Prefix(names.prefix.clone()))
}

/// An interface without an IPv6 address gets none by itself either (CVE-2024-32473).
fn disable_ipv6(link: &LinkKey, disable: bool) -> Change {
    let sysctl = Sysctl::Link { family: "ipv6", index: link.index, name: "disable_ipv6" };
    Change::SetSysctl { namespace: link.namespace.clone(), sysctl, value: i32::from(disable) }
}

/// The static routes, connected ones first: the others may lie behind them.
fn routes(key: &LinkKey, join: &Join) -> Vec<Change> {
    let mut routes = join.routes.clone();
    routes.sort_by_key(|r| r.next_hop.is_some());
    let route = |r: StaticRoute| {
        Change::AddRoute(Route {
            link: key.clone(),
            destination: r.destination.trunc(),
            gateway: r.next_hop,
            source: None,
            table: None,
            metric: None,
        })
    };
    routes.into_iter().map(route).collect()
}

/// A gateway, or a route's next hop, is on the endpoint's own network, or a connected route leads to it.
pub(super) fn check_gateways(endpoint: &Endpoint, join: &Join) -> Result<()> {
    let own = endpoint.address.map(IpNet::from).into_iter().chain(endpoint.address_ipv6.map(IpNet::from));
    let connected = join.routes.iter().filter(|r| r.next_hop.is_none()).map(|r| r.destination);
    let reachable: Vec<IpNet> = own.chain(connected).collect();
    let hops = join.routes.iter().filter_map(|route| route.next_hop);
    for gateway in join.gateway.map(IpAddr::from).into_iter().chain(join.gateway_ipv6.map(IpAddr::from)).chain(hops) {
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !link_local && !reachable.iter().any(|net| net.contains(&gateway)) {
            return Err(Error::invalid(format!(
                "the driver's gateway {gateway} is neither on the endpoint's network nor behind a connected route"
            )));
        }
    }
    Ok(())
}
