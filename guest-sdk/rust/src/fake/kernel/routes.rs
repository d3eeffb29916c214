//! Routes.

use crate::fake::kernel::{all_or_nothing, check_length, with_link};
use crate::fake::sys::Link;
use crate::routes::{Route, RouteInfo, WholeRoute};
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

pub(crate) fn list(link: &Link) -> Result<Vec<RouteInfo>> {
    Ok(list_whole(link)?.into_iter().map(info).collect())
}

pub(crate) fn list_whole(link: &Link) -> Result<Vec<WholeRoute>> {
    with_link(link.0, |link| link.routes.clone())
}
