//! Routes through the driver's own links.

use crate::Result;
use crate::component::convert::all;
use crate::component::wit::routes as wit;
use crate::component::{Link, Namespace};
use crate::routes::{NextHop, Path, PathName, Route, RouteInfo, Way, WholeRoute};

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

impl<'a> From<&NextHop<'a>> for wit::NextHop<'a> {
    fn from(hop: &NextHop<'a>) -> Self {
        Self { link: &hop.link.0, gateway: hop.gateway.map(Into::into), on_link: hop.on_link, weight: hop.weight }
    }
}

impl<'a> From<&Path<'a>> for wit::Path<'a> {
    fn from(path: &Path<'a>) -> Self {
        Self {
            destination: path.destination.into(),
            way: match &path.way {
                Way::Blackhole => wit::Way::Blackhole,
                Way::Unreachable => wit::Way::Unreachable,
                Way::Prohibit => wit::Way::Prohibit,
                Way::NextHops(hops) => wit::Way::NextHops(all(hops)),
            },
            source: path.source.map(Into::into),
            table: path.table,
            metric: path.metric,
            mtu: path.mtu,
        }
    }
}

impl From<&PathName> for wit::PathName {
    fn from(name: &PathName) -> Self {
        Self { destination: name.destination.into(), table: name.table, metric: name.metric }
    }
}

pub(crate) fn add_paths(namespace: Option<&Namespace>, paths: &[Path]) -> Result<()> {
    Ok(wit::add_paths(namespace, &all::<_, wit::Path>(paths))?)
}

pub(crate) fn remove_paths(namespace: Option<&Namespace>, paths: &[PathName]) -> Result<()> {
    Ok(wit::remove_paths(namespace, &all::<_, wit::PathName>(paths))?)
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
