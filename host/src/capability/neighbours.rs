//! `neighbours`: neighbour entries and forwarding entries.

use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::neighbours::{ForwardingEntry, ForwardingInfo, Host, Neighbour, NeighbourInfo};
use grant::HostCall;
use kernel::{self, Change};

impl Host for CallState {
    fn add(&mut self, neighbours: Vec<Neighbour>) -> Answer<()> {
        self.ask(HostCall::NeighboursAdd, arguments!(neighbours), |call| {
            let neighbours = resolved(call, neighbours)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_neighbours(transaction, neighbours)?;
            transaction.change(granted)?;
            Ok(())
        })
    }

    fn remove(&mut self, neighbours: Vec<Neighbour>) -> Answer<()> {
        self.ask(HostCall::NeighboursRemove, arguments!(neighbours), |call| {
            let neighbours = resolved(call, neighbours)?;
            let (gate, transaction) = call.parts()?;
            Ok(transaction.remove_plain(gate.remove_neighbours(neighbours)?)?)
        })
    }

    fn list(&mut self, link: Resource<Link>) -> Answer<Vec<NeighbourInfo>> {
        self.ask(HostCall::NeighboursList, arguments!(link), |call| {
            let key = handle::own_link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.look().neighbours(&key)?;
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
        self.ask(HostCall::NeighboursAddForwarding, arguments!(entries), |call| {
            let entries = resolved_forwarding(call, entries)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_forwardings(transaction, entries)?;
            transaction.change(granted)?;
            Ok(())
        })
    }

    fn remove_forwarding(&mut self, entries: Vec<ForwardingEntry>) -> Answer<()> {
        self.ask(HostCall::NeighboursRemoveForwarding, arguments!(entries), |call| {
            let entries = resolved_forwarding(call, entries)?;
            let (gate, transaction) = call.parts()?;
            Ok(transaction.remove_plain(gate.remove_forwardings(entries)?)?)
        })
    }

    fn list_forwarding(&mut self, link: Resource<Link>) -> Answer<Vec<ForwardingInfo>> {
        self.ask(HostCall::NeighboursListForwarding, arguments!(link), |call| {
            let key = handle::own_link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.look().forwardings(&key)?;
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

fn resolved(call: &CallState, neighbours: Vec<Neighbour>) -> Answer<Vec<(Link, kernel::Neighbour)>> {
    check_length(&neighbours)?;
    let one = |n: Neighbour| {
        let link = call.table.get(&n.link)?.clone();
        let (address, mac) = (convert::address(n.address), convert::mac(n.mac_address));
        let entry = kernel::Neighbour { link: link.key.clone(), address, mac };
        Ok((link, entry))
    };
    neighbours.into_iter().map(one).collect()
}

fn resolved_forwarding(call: &CallState, entries: Vec<ForwardingEntry>) -> Answer<Vec<(Link, kernel::Forwarding)>> {
    check_length(&entries)?;
    let one = |e: ForwardingEntry| {
        let link = call.table.get(&e.link)?.clone();
        let (mac, remote) = (convert::mac(e.mac_address), e.remote.map(convert::address));
        let entry = kernel::Forwarding { link: link.key.clone(), mac, remote };
        Ok((link, entry))
    };
    entries.into_iter().map(one).collect()
}
