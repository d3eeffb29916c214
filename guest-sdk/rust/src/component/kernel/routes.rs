//! Routes through the driver's own links.

use crate::Result;
use crate::component::Link;
use crate::component::convert::all;
use crate::component::wit::routes as wit;
use crate::routes::{Route, RouteInfo, WholeRoute};

impl<'a> From<&Route<'a>> for wit::Route<'a> {
    fn from(route: &Route<'a>) -> Self {
        Self {
            link: &route.link.0,
            destination: route.destination.into(),
            gateway: route.gateway.map(Into::into),
            source: route.source.map(Into::into),
            table: route.table,
            metric: route.metric,
        }
    }
}

impl From<wit::RouteInfo> for RouteInfo {
    fn from(route: wit::RouteInfo) -> Self {
        Self {
            destination: route.destination.into(),
            gateway: route.gateway.map(Into::into),
            table: route.table,
            metric: route.metric,
        }
    }
}

impl From<wit::WholeRoute> for WholeRoute {
    fn from(route: wit::WholeRoute) -> Self {
        Self {
            destination: route.destination.into(),
            gateway: route.gateway.map(Into::into),
            source: route.source.map(Into::into),
            table: route.table,
            metric: route.metric,
        }
    }
}

pub(crate) fn add(routes: &[Route]) -> Result<()> {
    Ok(wit::add(&all::<_, wit::Route>(routes))?)
}

pub(crate) fn remove(routes: &[Route]) -> Result<()> {
    Ok(wit::remove(&all::<_, wit::Route>(routes))?)
}

pub(crate) fn list(link: &Link) -> Result<Vec<RouteInfo>> {
    Ok(all(wit::list(link)?))
}

pub(crate) fn list_whole(link: &Link) -> Result<Vec<WholeRoute>> {
    Ok(all(wit::list_whole(link)?))
}
