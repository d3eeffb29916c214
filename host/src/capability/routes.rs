//! `routes`: routes through the driver's own links.

use ipnet::IpNet;
use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, Refusal, by_link, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::routes::{Host, Route, RouteInfo};
use crate::engine::bindings::imports::types::IpAddress;
use grant::{HostCall, Limit, Object};
use kernel::{self, Change};

/// The main routing table (RT_TABLE_MAIN).
const MAIN: u32 = 254;

impl Host for CallState {
    fn add(&mut self, routes: Vec<Route>) -> Answer<()> {
        self.ask(HostCall::RoutesAdd, arguments!(routes), |call, permit| {
            handle::check_owned(call, routes.iter().map(|r| &r.link))?;
            let routes = check(call, routes)?;
            for route in &routes {
                call.gate.permit(HostCall::RoutesAdd, Object::Destination(route.destination))?;
            }
            for (link, count) in by_link(routes.iter().map(|r| &r.link)) {
                let there = call.transaction()?.kernel().routes(link)?.len() as u64;
                call.gate.permit(HostCall::RoutesAdd, Object::Amount(Limit::Routes, there + count))?;
            }
            let changes: Vec<_> = routes.into_iter().map(Change::AddRoute).collect();
            call.transaction()?.change(permit, &changes)?;
            Ok(())
        })
    }

    fn remove(&mut self, routes: Vec<Route>) -> Answer<()> {
        self.ask(HostCall::RoutesRemove, arguments!(routes), |call, permit| {
            let routes = check(call, routes)?;
            let changes = routes.into_iter().map(Change::RemoveRoute).collect();
            Ok(call.transaction()?.remove_plain(permit, changes)?)
        })
    }

    fn list(&mut self, link: Resource<Link>) -> Answer<Vec<RouteInfo>> {
        self.ask(HostCall::RoutesList, arguments!(link), |call, _| {
            handle::own_link(call, &link)?;
            let key = handle::link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.kernel().routes(&key)?;
            Ok(found.into_iter().filter(|r| !transaction.removes_route(r)).map(info).collect())
        })
    }
}

fn info(route: kernel::Route) -> RouteInfo {
    RouteInfo {
        destination: convert::network_to_wit(route.destination),
        gateway: route.gateway.map(convert::address_to_wit),
        table: route.table.unwrap_or(MAIN),
        metric: route.metric,
    }
}

fn check(call: &CallState, routes: Vec<Route>) -> Answer<Vec<kernel::Route>> {
    check_length(&routes)?;
    let one = |route: Route| {
        let destination = convert::network(route.destination)?.trunc();
        if let (IpNet::V6(_), Some(IpAddress::Ipv4(_))) = (destination, &route.gateway) {
            return Err(Refusal::invalid(format!("the route to {destination} can't have an IPv4 gateway")));
        }
        Ok(kernel::Route {
            link: handle::own_link(call, &route.link)?.key,
            destination,
            gateway: route.gateway.map(convert::address),
            source: route.source.map(convert::address),
            table: route.table,
            metric: route.metric,
        })
    };
    routes.into_iter().map(one).collect()
}
