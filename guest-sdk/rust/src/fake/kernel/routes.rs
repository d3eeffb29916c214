//! Routes.

use crate::Result;
use crate::fake::kernel::{all_or_nothing, with_link};
use crate::fake::sys::Link;
use crate::routes::{Route, RouteInfo};

const MAIN: u32 = 254;

fn info(route: &Route) -> RouteInfo {
    let table = route.table.unwrap_or(MAIN);
    RouteInfo { destination: route.destination.trunc(), gateway: route.gateway, table, metric: route.metric }
}

pub(crate) fn add(routes: &[Route]) -> Result<()> {
    all_or_nothing(|| {
        routes.iter().try_for_each(|route| {
            super::addresses::check(route.destination)?;
            with_link(route.link.0.0, |link| link.routes.push(info(route)))
        })
    })
}

pub(crate) fn remove(routes: &[Route]) -> Result<()> {
    let remove_one = |route: &Route| with_link(route.link.0.0, |link| link.routes.retain(|own| *own != info(route)));
    routes.iter().try_for_each(remove_one)
}

pub(crate) fn list(link: &Link) -> Result<Vec<RouteInfo>> {
    with_link(link.0, |link| link.routes.clone())
}
