//! `addresses`: addresses on links.

use ipnet::IpNet;
use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::addresses::{Host, IpNetwork, LinkAddress};
use grant::HostCall;
use kernel::Change;

impl Host for CallState {
    fn add(&mut self, addresses: Vec<LinkAddress>) -> Answer<()> {
        self.ask(HostCall::AddressesAdd, arguments!(addresses), |call| {
            let addresses = resolved(call, addresses)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_addresses(transaction, addresses)?;
            transaction.change(granted)?;
            Ok(())
        })
    }

    fn remove(&mut self, addresses: Vec<LinkAddress>) -> Answer<()> {
        self.ask(HostCall::AddressesRemove, arguments!(addresses), |call| {
            let addresses = resolved(call, addresses)?;
            let (gate, transaction) = call.parts()?;
            Ok(transaction.remove_plain(gate.remove_addresses(addresses)?)?)
        })
    }

    fn list(&mut self, link: Resource<Link>) -> Answer<Vec<IpNetwork>> {
        self.ask(HostCall::AddressesList, arguments!(link), |call| {
            let key = handle::link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.look().addresses(&key)?;
            let there = found.into_iter().filter(|a| !transaction.removes(&Change::RemoveAddress(key.clone(), *a)));
            Ok(there.map(convert::network_to_wit).collect())
        })
    }
}

fn resolved(call: &CallState, addresses: Vec<LinkAddress>) -> Answer<Vec<(Link, IpNet)>> {
    check_length(&addresses)?;
    let one = |a: LinkAddress| Ok((call.table.get(&a.link)?.clone(), convert::network(a.address)?));
    addresses.into_iter().map(one).collect()
}
