//! `routes`: routes through the driver's own links, and paths.

use ipnet::IpNet;

use super::handle::{self, Link, LinkHandle, NamespaceHandle};
use super::{Answer, CallState, check_length, convert};
use ask::Refusal;
use ask::routes::{Host, NextHop, Path, PathName, Route, RouteInfo, Way, WholeRoute};
use ask::types::IpAddress;
use grant::gate::paths::WantedPath;
use kernel::{DEFAULT_METRIC6, RT_TABLE_MAIN, RoutePath};

impl Host for CallState {
    fn add(&mut self, routes: Vec<Route>) -> Answer<()> {
        let routes = resolved(self, routes)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_routes(transaction, routes)?;
        transaction.change(granted)?;
        Ok(())
    }

    fn remove(&mut self, routes: Vec<Route>) -> Answer<()> {
        let routes = resolved(self, routes)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_plain(gate.remove_routes(routes)?)?)
    }

    fn list(&mut self, link: LinkHandle) -> Answer<Vec<RouteInfo>> {
        Ok(through(self, link)?.into_iter().map(info).collect())
    }

    fn list_whole(&mut self, link: LinkHandle) -> Answer<Vec<WholeRoute>> {
        Ok(through(self, link)?.into_iter().map(whole).collect())
    }

    fn add_paths(&mut self, namespace: Option<NamespaceHandle>, paths: Vec<Path>) -> Answer<()> {
        check_length(&paths)?;
        let place = handle::namespace(self, namespace)?;
        let paths = paths.into_iter().map(|path| wanted(self, path)).collect::<Answer<_>>()?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_paths(transaction, place.as_ref(), paths)?;
        Ok(transaction.add_paths(granted)?)
    }

    fn remove_paths(&mut self, namespace: Option<NamespaceHandle>, paths: Vec<PathName>) -> Answer<()> {
        check_length(&paths)?;
        let place = handle::namespace(self, namespace)?;
        let names = paths.into_iter().map(name).collect::<Answer<_>>()?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_paths(gate.remove_paths(place.as_ref(), names)?)?)
    }
}

/// A path's next hops are numbers of links, which the gate is given beside it.
fn wanted(call: &CallState, path: Path) -> Answer<WantedPath> {
    let Path { destination, way, source, table, metric, mtu } = path;
    let (destination, table, metric) = name(PathName { destination, table, metric })?;
    let mut links = Vec::new();
    let way = match way {
        Way::Blackhole => kernel::Way::Blackhole,
        Way::Unreachable => kernel::Way::Unreachable,
        Way::Prohibit => kernel::Way::Prohibit,
        Way::NextHops(hops) => {
            let mut one = |NextHop { link, gateway, on_link, weight }| {
                let link = call.handles.link(link)?.clone();
                let hop = kernel::Hop { link: link.key.index, gateway: gateway.map(convert::address), on_link, weight };
                links.push(link);
                Ok(hop)
            };
            kernel::Way::Hops(hops.into_iter().map(&mut one).collect::<Answer<_>>()?)
        }
    };
    let (namespace, source) = (kernel::Namespace::Host, source.map(convert::address));
    Ok(WantedPath { path: RoutePath { namespace, destination, way, source, table, metric, mtu }, links })
}

/// As the kernel tells them apart.
fn name(name: PathName) -> Answer<(IpNet, Option<u32>, Option<u32>)> {
    let destination = convert::network(name.destination)?.trunc();
    Ok((destination, name.table.filter(|table| *table != RT_TABLE_MAIN), metric(destination, name.metric)))
}

/// The routes through a link, but for those that this call has removed.
fn through(call: &mut CallState, link: LinkHandle) -> Answer<Vec<kernel::Route>> {
    let key = handle::own_link(call, link)?.key;
    let transaction = call.transaction()?;
    let found = transaction.look().routes(&key)?;
    Ok(found.into_iter().filter(|route| !transaction.removes_route(route)).collect())
}

fn whole(route: kernel::Route) -> WholeRoute {
    let source = route.source.map(convert::address_to_wit);
    let RouteInfo { destination, gateway, table, metric } = info(route);
    WholeRoute { destination, gateway, source, table, metric }
}

fn info(route: kernel::Route) -> RouteInfo {
    RouteInfo {
        destination: convert::network_to_wit(route.destination),
        gateway: route.gateway.map(convert::address_to_wit),
        table: route.table.unwrap_or(RT_TABLE_MAIN),
        metric: route.metric,
    }
}

/// As the kernel tells it: so that what `list` answers names the route that was added without it.
fn metric(destination: IpNet, given: Option<u32>) -> Option<u32> {
    given.filter(|metric| *metric != 0 && (matches!(destination, IpNet::V4(_)) || *metric != DEFAULT_METRIC6))
}

fn resolved(call: &CallState, routes: Vec<Route>) -> Answer<Vec<(Link, kernel::Route)>> {
    check_length(&routes)?;
    let one = |route: Route| {
        let destination = convert::network(route.destination)?.trunc();
        if let (IpNet::V6(_), Some(IpAddress::Ipv4(_))) = (destination, &route.gateway) {
            return Err(Refusal::invalid(format!("the route to {destination} can't have an IPv4 gateway")));
        }
        let link = call.handles.link(route.link)?.clone();
        let route = kernel::Route {
            link: link.key.clone(),
            destination,
            gateway: route.gateway.map(convert::address),
            source: route.source.map(convert::address),
            table: route.table.filter(|table| *table != RT_TABLE_MAIN),
            metric: metric(destination, route.metric),
        };
        Ok((link, route))
    };
    routes.into_iter().map(one).collect()
}
