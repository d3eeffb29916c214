//! `addresses`, `routes` and `neighbours`: what is on a link.

use std::collections::BTreeMap;

use ipnet::IpNet;
use kernel::{Change, Forwarding, LinkKey, Neighbour, Route};
use words::Result;

use super::state::Removals;
use super::view::all_owned;
use super::{Gate, Granted, Link, Object, View};
use crate::{HostCall, Limit};

impl Gate {
    /// `addresses.add`
    pub fn add_addresses(&self, view: &impl View, addresses: Vec<(Link, IpNet)>) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::AddressesAdd;
        all_owned(view, addresses.iter().map(|(link, _)| link))?;
        addresses.iter().try_for_each(|(_, address)| self.permit(call, Object::Address(*address)))?;
        for (link, count) in by_link(addresses.iter().map(|(link, _)| link)) {
            self.permit(call, Object::Amount(Limit::Addresses, view.addresses(link)? + count))?;
        }
        let changes = addresses.into_iter().map(|(link, address)| Change::AddAddress(link.key, address));
        self.grant(call, changes.collect())
    }

    /// `addresses.remove`
    pub fn remove_addresses(&self, addresses: Vec<(Link, IpNet)>) -> Result<Granted<Removals>> {
        let one = |(link, address): (Link, IpNet)| link.own().map(|()| Change::RemoveAddress(link.key, address));
        self.grant(HostCall::AddressesRemove, Removals(addresses.into_iter().map(one).collect::<Result<_>>()?))
    }

    /// `routes.add`: routes through these links.
    pub fn add_routes(&self, view: &impl View, routes: Vec<(Link, Route)>) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::RoutesAdd;
        all_owned(view, routes.iter().map(|(link, _)| link))?;
        for (_, route) in &routes {
            self.permit(call, Object::Destination(route.destination))?;
            route.table.into_iter().try_for_each(|table| self.permit(call, Object::RoutingTable(table)))?;
        }
        for (link, count) in by_link(routes.iter().map(|(link, _)| link)) {
            self.permit(call, Object::Amount(Limit::Routes, view.routes(link)? + count))?;
        }
        let changes = routes.into_iter().map(|(link, route)| Change::AddRoute(Route { link: link.key, ..route }));
        self.grant(call, changes.collect())
    }

    /// `routes.remove`
    pub fn remove_routes(&self, routes: Vec<(Link, Route)>) -> Result<Granted<Removals>> {
        let one =
            |(link, route): (Link, Route)| link.own().map(|()| Change::RemoveRoute(Route { link: link.key, ..route }));
        self.grant(HostCall::RoutesRemove, Removals(routes.into_iter().map(one).collect::<Result<_>>()?))
    }

    /// `neighbours.add`
    pub fn add_neighbours(&self, view: &impl View, entries: Vec<(Link, Neighbour)>) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::NeighboursAdd;
        all_owned(view, entries.iter().map(|(link, _)| link))?;
        entries.iter().try_for_each(|(_, entry)| self.permit(call, Object::Target(entry.address)))?;
        let one = |(link, entry): (Link, Neighbour)| Change::AddNeighbour(Neighbour { link: link.key, ..entry });
        self.grant(call, entries.into_iter().map(one).collect())
    }

    /// `neighbours.remove`
    pub fn remove_neighbours(&self, entries: Vec<(Link, Neighbour)>) -> Result<Granted<Removals>> {
        let one = |(link, entry): (Link, Neighbour)| {
            link.own().map(|()| Change::RemoveNeighbour(Neighbour { link: link.key, ..entry }))
        };
        self.grant(HostCall::NeighboursRemove, Removals(entries.into_iter().map(one).collect::<Result<_>>()?))
    }

    /// `neighbours.add-forwarding`
    pub fn add_forwardings(&self, view: &impl View, entries: Vec<(Link, Forwarding)>) -> Result<Granted<Vec<Change>>> {
        all_owned(view, entries.iter().map(|(link, _)| link))?;
        let one = |(link, entry): (Link, Forwarding)| Change::AddForwarding(Forwarding { link: link.key, ..entry });
        self.grant(HostCall::NeighboursAddForwarding, entries.into_iter().map(one).collect())
    }

    /// `neighbours.remove-forwarding`
    pub fn remove_forwardings(&self, entries: Vec<(Link, Forwarding)>) -> Result<Granted<Removals>> {
        let one = |(link, entry): (Link, Forwarding)| {
            link.own().map(|()| Change::RemoveForwarding(Forwarding { link: link.key, ..entry }))
        };
        self.grant(HostCall::NeighboursRemoveForwarding, Removals(entries.into_iter().map(one).collect::<Result<_>>()?))
    }
}

/// How many of a list are on each link.
fn by_link<'a>(links: impl IntoIterator<Item = &'a Link>) -> BTreeMap<&'a LinkKey, u64> {
    links.into_iter().fold(BTreeMap::new(), |mut counts, link| {
        *counts.entry(&link.key).or_default() += 1;
        counts
    })
}
