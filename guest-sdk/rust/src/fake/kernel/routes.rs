//! Routes.

use crate::fake::kernel::{all_or_nothing, check_length, with_link};
use crate::fake::sys::Link;
use crate::routes::{Route, RouteInfo};
use crate::{Error, Result};

const MAIN: u32 = 254;

fn info(route: &Route) -> RouteInfo {
    let table = route.table.unwrap_or(MAIN);
    RouteInfo { destination: route.destination.trunc(), gateway: route.gateway, table, metric: route.metric }
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
            super::addresses::check(route.destination)?;
            route.table.map_or(Ok(()), check_table)?;
            let route_info = info(route);
            if list(&route.link.0)?.contains(&route_info) {
                return Err(Error::already_exists(format!("there is a route to {}", route.destination)));
            }
            with_link(route.link.0.0, |link| link.routes.push(route_info))
        })
    })
}

pub(crate) fn remove(routes: &[Route]) -> Result<()> {
    check_length(routes, 1_000)?;
    for route in routes {
        // What is gone has none.
        with_link(route.link.0.0, |link| link.routes.retain(|own| *own != info(route))).ok();
    }
    Ok(())
}

pub(crate) fn list(link: &Link) -> Result<Vec<RouteInfo>> {
    with_link(link.0, |link| link.routes.clone())
}
