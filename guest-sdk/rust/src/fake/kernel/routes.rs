//! Routes.

use crate::fake::kernel::{all_or_nothing, check_length, with_link};
use crate::fake::state::{self, HOST, MadePath};
use crate::fake::sys::{Link, Namespace};
use crate::routes::{Path, PathName, Route, RouteInfo, Way, WholeRoute};
use crate::{Error, Result};

const MAIN: u32 = 254;
/// What IPv6 routes have where none is given.
const DEFAULT_METRIC6: u32 = 1024;

fn whole(route: &Route) -> WholeRoute {
    let &Route { destination, gateway, source, table, metric, .. } = route;
    let is_ipv6 = destination.addr().is_ipv6();
    let metric = metric.filter(|metric| *metric != 0 && (!is_ipv6 || *metric != DEFAULT_METRIC6));
    WholeRoute { destination: destination.trunc(), gateway, source, table: table.unwrap_or(MAIN), metric }
}

fn info(route: WholeRoute) -> RouteInfo {
    let WholeRoute { destination, gateway, table, metric, .. } = route;
    RouteInfo { destination, gateway, table, metric }
}

/// Refuses the kernel's own tables.
pub(super) fn check_table(table: u32) -> Result<()> {
    match table {
        0 | 253 | 255 => {
            Err(Error::forbidden(format!("the routing table {table} is the kernel's own: 254 is the main one")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn add(routes: &[Route]) -> Result<()> {
    all_or_nothing(routes, || {
        routes.iter().try_for_each(|route| {
            if route.destination.addr().is_ipv6() && route.gateway.is_some_and(|gateway| gateway.is_ipv4()) {
                let to = route.destination;
                return Err(Error::invalid_argument(format!("the route to {to} can't have an IPv4 gateway")));
            }
            super::addresses::check(route.destination)?;
            route.table.map_or(Ok(()), check_table)?;
            let new = whole(route);
            if list(&route.link.0)?.contains(&info(new)) {
                return Err(Error::already_exists(format!("there is a route to {}", route.destination)));
            }
            with_link(route.link.0.0, |link| link.routes.push(new))
        })
    })
}

pub(crate) fn remove(routes: &[Route]) -> Result<()> {
    check_length(routes, 1_000)?;
    for route in routes {
        // What is gone has none.
        with_link(route.link.0.0, |link| link.routes.retain(|own| *own != whole(route))).ok();
    }
    Ok(())
}

/// What names a path, as the kernel tells paths apart.
fn named(PathName { destination, table, metric }: PathName) -> PathName {
    let metric = metric.filter(|metric| *metric != 0 && (destination.addr().is_ipv4() || *metric != DEFAULT_METRIC6));
    PathName { destination: destination.trunc(), table: table.filter(|table| *table != MAIN), metric }
}

fn check_way(path: &Path, namespace: u32) -> Result<()> {
    let Way::NextHops(hops) = &path.way else { return Ok(()) };
    let (to, several) = (path.destination, hops.len() > 1);
    let no = |why: &str| Err(Error::invalid_argument(format!("the path to {to}: {why}")));
    if !(1..=16).contains(&hops.len()) {
        return no(&format!("{} next hops: 1 to 16", hops.len()));
    }
    for hop in hops {
        super::check_place(&hop.link.0, namespace)?;
        match hop.gateway {
            Some(gateway) if gateway.is_ipv6() != to.addr().is_ipv6() => return no("a gateway of the other family"),
            None if several => return no("of several next hops each has a gateway"),
            None if hop.on_link => return no("on-link is said of a gateway"),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn add_paths(namespace: Option<&Namespace>, paths: &[Path]) -> Result<()> {
    let at = namespace.map_or(HOST, |namespace| namespace.0);
    all_or_nothing(paths, || {
        paths.iter().try_for_each(|path| {
            check_way(path, at)?;
            super::addresses::check(path.destination)?;
            path.table.map_or(Ok(()), check_table)?;
            let name = named(path.name());
            let links = if let Way::NextHops(hops) = &path.way { hops.as_slice() } else { &[] };
            let links = links.iter().map(|hop| hop.link.0.0).collect();
            state::with(|state| {
                if state.paths.iter().any(|other| (other.namespace, other.name) == (at, name)) {
                    return Err(Error::already_exists(format!("there is a route to {}", name.destination)));
                }
                let owner = state.owner.clone();
                state.paths.push(MadePath { owner, namespace: at, name, links });
                Ok(())
            })
        })
    })
}

pub(crate) fn remove_paths(namespace: Option<&Namespace>, paths: &[PathName]) -> Result<()> {
    check_length(paths, 1_000)?;
    let (at, names) = (namespace.map_or(HOST, |namespace| namespace.0), paths.iter().copied().map(named));
    let names: Vec<_> = names.collect();
    state::with(|state| {
        let network = state.owner.network.clone();
        state.paths.retain(|path| path.namespace != at || path.owner.network != network || !names.contains(&path.name));
    });
    Ok(())
}

pub(crate) fn list(link: &Link) -> Result<Vec<RouteInfo>> {
    Ok(list_whole(link)?.into_iter().map(info).collect())
}

pub(crate) fn list_whole(link: &Link) -> Result<Vec<WholeRoute>> {
    with_link(link.0, |link| link.routes.clone())
}
