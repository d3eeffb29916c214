//! `routes`: routes through the driver's own links.

use ipnet::IpNet;
use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, Refusal, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::routes::{Host, Route, RouteInfo};
use crate::engine::bindings::imports::types::IpAddress;
use grant::HostCall;
use kernel::RT_TABLE_MAIN;

impl Host for CallState {
    fn add(&mut self, routes: Vec<Route>) -> Answer<()> {
        self.ask(HostCall::RoutesAdd, arguments!(routes), |call| {
            let routes = resolved(call, routes)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_routes(transaction, routes)?;
            transaction.change(granted)?;
            Ok(())
        })
    }

    fn remove(&mut self, routes: Vec<Route>) -> Answer<()> {
        self.ask(HostCall::RoutesRemove, arguments!(routes), |call| {
            let routes = resolved(call, routes)?;
            let (gate, transaction) = call.parts()?;
            Ok(transaction.remove_plain(gate.remove_routes(routes)?)?)
        })
    }

    fn list(&mut self, link: Resource<Link>) -> Answer<Vec<RouteInfo>> {
        self.ask(HostCall::RoutesList, arguments!(link), |call| {
            let key = handle::own_link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.look().routes(&key)?;
            Ok(found.into_iter().filter(|r| !transaction.removes_route(r)).map(info).collect())
        })
    }
}

fn info(route: kernel::Route) -> RouteInfo {
    RouteInfo {
        destination: convert::network_to_wit(route.destination),
        gateway: route.gateway.map(convert::address_to_wit),
        table: route.table.unwrap_or(RT_TABLE_MAIN),
        metric: route.metric,
    }
}

fn resolved(call: &CallState, routes: Vec<Route>) -> Answer<Vec<(Link, kernel::Route)>> {
    check_length(&routes)?;
    let one = |route: Route| {
        let destination = convert::network(route.destination)?.trunc();
        if let (IpNet::V6(_), Some(IpAddress::Ipv4(_))) = (destination, &route.gateway) {
            return Err(Refusal::invalid(format!("the route to {destination} can't have an IPv4 gateway")));
        }
        let link = call.table.get(&route.link)?.clone();
        let route = kernel::Route {
            link: link.key.clone(),
            destination,
            gateway: route.gateway.map(convert::address),
            source: route.source.map(convert::address),
            table: route.table,
            metric: route.metric,
        };
        Ok((link, route))
    };
    routes.into_iter().map(one).collect()
}
