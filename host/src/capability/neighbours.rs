//! `neighbours`: neighbour entries and forwarding entries.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::handle::{self, Link, LinkHandle};
use super::{Answer, CallState, check_length, convert};
use crate::transaction::Look;
use ask::Refusal;
use ask::neighbours::{ForwardingEntry, ForwardingInfo, Host, Neighbour, NeighbourInfo, Proxy};
use kernel::{self, Change};

impl Host for CallState {
    fn add(&mut self, neighbours: Vec<Neighbour>) -> Answer<()> {
        let neighbours = resolved(self, neighbours)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_neighbours(transaction, neighbours)?;
        transaction.change(granted)?;
        Ok(())
    }

    fn remove(&mut self, neighbours: Vec<Neighbour>) -> Answer<()> {
        let neighbours = resolved(self, neighbours)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_plain(gate.remove_neighbours(neighbours)?)?)
    }

    fn list(&mut self, link: LinkHandle) -> Answer<Vec<NeighbourInfo>> {
        let key = handle::own_link(self, link)?.key;
        let transaction = self.transaction()?;
        let found = transaction.look().neighbours(&key)?;
        let there = found.into_iter().filter(|n| !transaction.removes(&Change::RemoveNeighbour(n.clone())));
        Ok(there
            .map(|n| NeighbourInfo {
                address: convert::address_to_wit(n.address),
                mac_address: convert::mac_to_wit(n.mac),
            })
            .collect())
    }

    fn add_forwarding(&mut self, entries: Vec<ForwardingEntry>) -> Answer<()> {
        let entries = resolved_forwarding(self, entries)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_forwardings(transaction, entries)?;
        check_tunnels(transaction.look(), &granted)?;
        transaction.change(granted)?;
        Ok(())
    }

    fn remove_forwarding(&mut self, entries: Vec<ForwardingEntry>) -> Answer<()> {
        let entries = resolved_forwarding(self, entries)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_plain(gate.remove_forwardings(entries)?)?)
    }

    fn list_forwarding(&mut self, link: LinkHandle) -> Answer<Vec<ForwardingInfo>> {
        let key = handle::own_link(self, link)?.key;
        let transaction = self.transaction()?;
        let found = transaction.look().forwardings(&key)?;
        let there = found.into_iter().filter(|f| !transaction.removes(&Change::RemoveForwarding(f.clone())));
        Ok(there
            .map(|f| ForwardingInfo {
                mac_address: convert::mac_to_wit(f.mac),
                remote: f.remote.map(convert::address_to_wit),
            })
            .collect())
    }

    fn add_proxies(&mut self, proxies: Vec<Proxy>) -> Answer<()> {
        let proxies = resolved_proxies(self, proxies)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_proxies(transaction, proxies)?;
        Ok(transaction.add_proxies(granted)?)
    }

    fn remove_proxies(&mut self, proxies: Vec<Proxy>) -> Answer<()> {
        let proxies = resolved_proxies(self, proxies)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_proxies(gate.remove_proxies(proxies)?)?)
    }
}

fn resolved_proxies(call: &CallState, proxies: Vec<Proxy>) -> Answer<Vec<(Link, IpAddr)>> {
    check_length(&proxies)?;
    let one = |proxy: Proxy| Ok((call.handles.link(proxy.link)?.clone(), convert::address(proxy.address)));
    proxies.into_iter().map(one).collect()
}

/// Of any other link the kernel makes a filter of MACs of an entry with a remote end, which nothing lists and no undo finds.
fn check_tunnels(look: Look<'_>, entries: &[Change]) -> Answer<()> {
    let tunnels: BTreeSet<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Change::AddForwarding(entry) => entry.remote.map(|_| &entry.link),
            _ => None,
        })
        .collect();
    for link in tunnels {
        if let Some(info) = look.link(link)?.filter(|info| info.kind != "vxlan") {
            return Err(Refusal::invalid(format!(
                "{} is no vxlan: its forwarding entries have no remote end",
                info.name
            )));
        }
    }
    Ok(())
}

fn resolved(call: &CallState, neighbours: Vec<Neighbour>) -> Answer<Vec<(Link, kernel::Neighbour)>> {
    check_length(&neighbours)?;
    let one = |n: Neighbour| {
        let link = call.handles.link(n.link)?.clone();
        let (address, mac) = (convert::address(n.address), convert::mac(n.mac_address));
        let entry = kernel::Neighbour { link: link.key.clone(), address, mac };
        Ok((link, entry))
    };
    neighbours.into_iter().map(one).collect()
}

fn resolved_forwarding(call: &CallState, entries: Vec<ForwardingEntry>) -> Answer<Vec<(Link, kernel::Forwarding)>> {
    check_length(&entries)?;
    let one = |e: ForwardingEntry| {
        let link = call.handles.link(e.link)?.clone();
        let (mac, remote) = (convert::mac(e.mac_address), e.remote.map(convert::address));
        let entry = kernel::Forwarding { link: link.key.clone(), mac, remote };
        Ok((link, entry))
    };
    entries.into_iter().map(one).collect()
}
