//! `neighbours`: neighbour entries and forwarding entries.

use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::neighbours::{ForwardingEntry, ForwardingInfo, Host, Neighbour, NeighbourInfo};
use grant::{HostCall, Object};
use kernel::{self, Change};

impl Host for CallState {
    fn add(&mut self, neighbours: Vec<Neighbour>) -> Answer<()> {
        self.ask(HostCall::NeighboursAdd, arguments!(neighbours), |call, permit| {
            handle::check_owned(call, neighbours.iter().map(|n| &n.link))?;
            let neighbours = check(call, neighbours)?;
            for neighbour in &neighbours {
                call.gate.permit(HostCall::NeighboursAdd, Object::Target(neighbour.address))?;
            }
            let changes: Vec<_> = neighbours.into_iter().map(Change::AddNeighbour).collect();
            call.transaction()?.change(permit, &changes)?;
            Ok(())
        })
    }

    fn remove(&mut self, neighbours: Vec<Neighbour>) -> Answer<()> {
        self.ask(HostCall::NeighboursRemove, arguments!(neighbours), |call, permit| {
            let changes = check(call, neighbours)?.into_iter().map(Change::RemoveNeighbour).collect();
            Ok(call.transaction()?.remove_plain(permit, changes)?)
        })
    }

    fn list(&mut self, link: Resource<Link>) -> Answer<Vec<NeighbourInfo>> {
        self.ask(HostCall::NeighboursList, arguments!(link), |call, _| {
            handle::own_link(call, &link)?;
            let key = handle::link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.kernel().neighbours(&key)?;
            let there = found.into_iter().filter(|n| !transaction.removes(&Change::RemoveNeighbour(n.clone())));
            Ok(there
                .map(|n| NeighbourInfo {
                    address: convert::address_to_wit(n.address),
                    mac_address: convert::mac_to_wit(n.mac),
                })
                .collect())
        })
    }

    fn add_forwarding(&mut self, entries: Vec<ForwardingEntry>) -> Answer<()> {
        self.ask(HostCall::NeighboursAddForwarding, arguments!(entries), |call, permit| {
            handle::check_owned(call, entries.iter().map(|e| &e.link))?;
            let changes: Vec<_> = check_forwarding(call, entries)?.into_iter().map(Change::AddForwarding).collect();
            call.transaction()?.change(permit, &changes)?;
            Ok(())
        })
    }

    fn remove_forwarding(&mut self, entries: Vec<ForwardingEntry>) -> Answer<()> {
        self.ask(HostCall::NeighboursRemoveForwarding, arguments!(entries), |call, permit| {
            let changes = check_forwarding(call, entries)?.into_iter().map(Change::RemoveForwarding).collect();
            Ok(call.transaction()?.remove_plain(permit, changes)?)
        })
    }

    fn list_forwarding(&mut self, link: Resource<Link>) -> Answer<Vec<ForwardingInfo>> {
        self.ask(HostCall::NeighboursListForwarding, arguments!(link), |call, _| {
            handle::own_link(call, &link)?;
            let key = handle::link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.kernel().forwardings(&key)?;
            let there = found.into_iter().filter(|f| !transaction.removes(&Change::RemoveForwarding(f.clone())));
            Ok(there
                .map(|f| ForwardingInfo {
                    mac_address: convert::mac_to_wit(f.mac),
                    remote: f.remote.map(convert::address_to_wit),
                })
                .collect())
        })
    }
}

fn check(call: &CallState, neighbours: Vec<Neighbour>) -> Answer<Vec<kernel::Neighbour>> {
    check_length(&neighbours)?;
    let one = |n: Neighbour| {
        let link = handle::own_link(call, &n.link)?.key;
        Ok(kernel::Neighbour { link, address: convert::address(n.address), mac: convert::mac(n.mac_address) })
    };
    neighbours.into_iter().map(one).collect()
}

fn check_forwarding(call: &CallState, entries: Vec<ForwardingEntry>) -> Answer<Vec<kernel::Forwarding>> {
    check_length(&entries)?;
    let one = |e: ForwardingEntry| {
        let link = handle::own_link(call, &e.link)?.key;
        Ok(kernel::Forwarding { link, mac: convert::mac(e.mac_address), remote: e.remote.map(convert::address) })
    };
    entries.into_iter().map(one).collect()
}
