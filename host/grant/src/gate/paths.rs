//! `routes.add-paths` and `neighbours.add-proxies`: what can go by links that are not the driver's.

use std::net::IpAddr;

use ipnet::IpNet;
use kernel::{Hop, Namespace, Proxy, RoutePath, Way};
use words::{Error, Kind, Result};

use super::{Gate, Granted, Link, Object, Place, View};
use crate::{HostCall, Limit, Permission};

/// Next hops of one path.
const HOPS: usize = 16;
/// The share of one next hop: the kernel has a byte for it.
const WEIGHTS: std::ops::RangeInclusive<u16> = 1..=256;
/// Bytes: the kernel takes more for less.
const MTUS: std::ops::RangeInclusive<u32> = 68..=65_520;

/// A path that a driver wants. Its namespace is the place's, and its next hops are these.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct WantedPath {
    pub path: RoutePath,
    pub links: Vec<Link>,
}

/// What names a path: destination, table and metric.
pub type PathName = (IpNet, Option<u32>, Option<u32>);

/// Paths that go.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct GonePaths {
    pub namespace: Namespace,
    pub names: Vec<PathName>,
}

/// Entries that go.
#[derive(Clone, Debug)]
pub struct GoneProxies(pub Vec<Proxy>);

impl Gate {
    /// `routes.add-paths`
    pub fn add_paths(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        paths: Vec<WantedPath>,
    ) -> Result<Granted<Vec<RoutePath>>> {
        let call = HostCall::RoutesAddPaths;
        let namespace = self.namespace(call, place)?.take();
        for WantedPath { path, links } in &paths {
            check_way(path)?;
            for link in links {
                self.usable(call, view, link)?;
                if link.key.namespace != namespace {
                    return Err(Error::invalid(format!("{} is in another namespace than the path", link.name)));
                }
            }
            self.permit(call, Object::Destination(path.destination))?;
            path.table.into_iter().try_for_each(|table| self.permit(call, Object::RoutingTable(table)))?;
            self.next_hops(call, path, links)?;
        }
        self.beside_the_host(call, view, &namespace, &paths)?;
        self.check_holding(view, call, Limit::Routes, paths.len())?;
        let one = |wanted: WantedPath| RoutePath { namespace: namespace.clone(), ..wanted.path };
        self.grant(call, paths.into_iter().map(one).collect())
    }

    /// `routes.remove-paths`
    pub fn remove_paths(&self, place: Option<&Place>, names: Vec<PathName>) -> Result<Granted<GonePaths>> {
        let call = HostCall::RoutesRemovePaths;
        let namespace = self.namespace(call, place)?.take();
        self.grant(call, GonePaths { namespace, names })
    }

    /// `neighbours.add-proxies`
    pub fn add_proxies(&self, view: &mut impl View, proxies: Vec<(Link, IpAddr)>) -> Result<Granted<Vec<Proxy>>> {
        let call = HostCall::NeighboursAddProxies;
        for (link, address) in &proxies {
            self.usable(call, view, link)?;
            match link.is_own {
                true => self.permit(call, Object::Target(*address))?,
                false => self.permit(call, Object::Address((*address).into()))?,
            }
            let on_host = link.key.namespace == Namespace::Host;
            if on_host && view.is_hosts_address(*address)? {
                return Err(self.refused(call, Kind::Forbidden, &format!("{address} is an address of this host's")));
            }
            if on_host && view.is_router(*address)? {
                let why = format!("{address} is a router that routes of this host go by");
                return Err(self.refused(call, Kind::Forbidden, &why));
            }
        }
        self.check_holding(view, call, Limit::Neighbours, proxies.len())?;
        self.grant(call, proxies.into_iter().map(proxy).collect())
    }

    /// `neighbours.remove-proxies`
    pub fn remove_proxies(&self, proxies: Vec<(Link, IpAddr)>) -> Result<Granted<GoneProxies>> {
        self.grant(HostCall::NeighboursRemoveProxies, GoneProxies(proxies.into_iter().map(proxy).collect()))
    }

    /// One of the driver's links, or a parent where the grant says that packets may go by such.
    fn usable(&self, call: HostCall, view: &impl View, link: &Link) -> Result<()> {
        if link.is_own {
            return link.owned(view).map(drop);
        }
        self.permit(call, Object::Also(Permission::ParentRoutes, &format!("{} is not the driver's", link.name)))
    }

    fn next_hops(&self, call: HostCall, path: &RoutePath, links: &[Link]) -> Result<()> {
        let Way::Hops(hops) = &path.way else { return Ok(()) };
        let by_parents = hops.iter().zip(links).filter(|(_, link)| !link.is_own);
        let mut gateways = by_parents.filter_map(|(hop, _)| hop.gateway);
        gateways.try_for_each(|gateway| self.permit(call, Object::NextHop(gateway)))
    }

    /// In the main table of the host, a path takes nothing from the routes of others, whatever its metric.
    fn beside_the_host(
        &self,
        call: HostCall,
        view: &impl View,
        namespace: &Namespace,
        paths: &[WantedPath],
    ) -> Result<()> {
        let in_main: Vec<_> = paths.iter().filter(|wanted| wanted.path.table.is_none()).collect();
        if *namespace != Namespace::Host || in_main.is_empty() {
            return Ok(());
        }
        let reached = view.reached_by_others()?;
        for WantedPath { path, .. } in in_main {
            let to = path.destination;
            if let Some(other) = reached.iter().find(|net| net.contains(&to) || to.contains(*net)) {
                let why = format!("{to} overlaps with {other}, which the host reaches without the driver");
                return Err(self.refused(call, Kind::Forbidden, &why));
            }
        }
        Ok(())
    }
}

fn proxy((link, address): (Link, IpAddr)) -> Proxy {
    Proxy { link: link.key, address }
}

/// Whether the kernel could have such a path.
fn check_way(path: &RoutePath) -> Result<()> {
    let to = path.destination;
    let no = |why: String| Err(Error::invalid(format!("the path to {to}: {why}")));
    if let Some(mtu) = path.mtu.filter(|mtu| !MTUS.contains(mtu)) {
        return no(format!("an MTU of {mtu}: {} to {}", MTUS.start(), MTUS.end()));
    }
    if path.source.is_some_and(|source| source.is_ipv6() != to.addr().is_ipv6()) {
        return no("its source is of the other family".into());
    }
    let Way::Hops(hops) = &path.way else { return Ok(()) };
    if !(1..=HOPS).contains(&hops.len()) {
        return no(format!("{} next hops: 1 to {HOPS}", hops.len()));
    }
    for Hop { gateway, on_link, weight, .. } in hops {
        match gateway {
            Some(gateway) if gateway.is_ipv6() != to.addr().is_ipv6() => {
                return no(format!("the gateway {gateway} is of the other family"));
            }
            None if *on_link => return no("on-link is said of a gateway".into()),
            None if hops.len() > 1 => return no("of several next hops each has a gateway".into()),
            _ => {}
        }
        if !WEIGHTS.contains(weight) {
            return no(format!("a weight of {weight}: {} to {}", WEIGHTS.start(), WEIGHTS.end()));
        }
    }
    Ok(())
}
