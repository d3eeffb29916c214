//! `addresses`, `routes` and `neighbours`: what is on a link.

use ipnet::IpNet;
use kernel::{Change, Forwarding, Neighbour, Route};
use words::Result;

use super::state::Removals;
use super::view::all_owned;
use super::{Gate, Granted, Link, Object, View};
use crate::{HostCall, Limit};

impl Gate {
    /// `addresses.add`
    pub fn add_addresses(&self, view: &mut impl View, addresses: Vec<(Link, IpNet)>) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::AddressesAdd;
        all_owned(view, addresses.iter().map(|(link, _)| link))?;
        addresses.iter().try_for_each(|(_, address)| self.permit(call, Object::Address(*address)))?;
        self.check_holding(view, call, Limit::Addresses, addresses.len())?;
        let changes = addresses.into_iter().map(|(link, address)| Change::AddAddress(link.key, address));
        self.grant(call, changes.collect())
    }

    /// `addresses.remove`
    pub fn remove_addresses(&self, addresses: Vec<(Link, IpNet)>) -> Result<Granted<Removals>> {
        let one = |(link, address): (Link, IpNet)| link.own().map(|()| Change::RemoveAddress(link.key, address));
        self.grant(HostCall::AddressesRemove, Removals(addresses.into_iter().map(one).collect::<Result<_>>()?))
    }

    /// `routes.add`: routes through these links.
    pub fn add_routes(&self, view: &mut impl View, routes: Vec<(Link, Route)>) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::RoutesAdd;
        all_owned(view, routes.iter().map(|(link, _)| link))?;
        for (_, route) in &routes {
            self.permit(call, Object::Destination(route.destination))?;
            route.table.into_iter().try_for_each(|table| self.permit(call, Object::RoutingTable(table)))?;
        }
        self.check_holding(view, call, Limit::Routes, routes.len())?;
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
    pub fn add_neighbours(
        &self,
        view: &mut impl View,
        entries: Vec<(Link, Neighbour)>,
    ) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::NeighboursAdd;
        all_owned(view, entries.iter().map(|(link, _)| link))?;
        entries.iter().try_for_each(|(_, entry)| self.permit(call, Object::Target(entry.address)))?;
        self.check_holding(view, call, Limit::Neighbours, entries.len())?;
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
    pub fn add_forwardings(
        &self,
        view: &mut impl View,
        entries: Vec<(Link, Forwarding)>,
    ) -> Result<Granted<Vec<Change>>> {
        let call = HostCall::NeighboursAddForwarding;
        all_owned(view, entries.iter().map(|(link, _)| link))?;
        self.check_holding(view, call, Limit::Neighbours, entries.len())?;
        let one = |(link, entry): (Link, Forwarding)| Change::AddForwarding(Forwarding { link: link.key, ..entry });
        self.grant(call, entries.into_iter().map(one).collect())
    }

    /// `neighbours.remove-forwarding`
    pub fn remove_forwardings(&self, entries: Vec<(Link, Forwarding)>) -> Result<Granted<Removals>> {
        let one = |(link, entry): (Link, Forwarding)| {
            link.own().map(|()| Change::RemoveForwarding(Forwarding { link: link.key, ..entry }))
        };
        self.grant(HostCall::NeighboursRemoveForwarding, Removals(entries.into_iter().map(one).collect::<Result<_>>()?))
    }
}
