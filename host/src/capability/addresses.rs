//! `addresses`: addresses on links.

use ipnet::IpNet;

use super::handle::{self, Link, LinkHandle};
use super::{Answer, CallState, check_length, convert};
use ask::addresses::{Host, IpNetwork, LinkAddress};
use kernel::Change;

impl Host for CallState {
    fn add(&mut self, addresses: Vec<LinkAddress>) -> Answer<()> {
        let addresses = resolved(self, addresses)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_addresses(transaction, addresses)?;
        transaction.change(granted)?;
        Ok(())
    }

    fn remove(&mut self, addresses: Vec<LinkAddress>) -> Answer<()> {
        let addresses = resolved(self, addresses)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_plain(gate.remove_addresses(addresses)?)?)
    }

    fn list(&mut self, link: LinkHandle) -> Answer<Vec<IpNetwork>> {
        let key = handle::link(self, link)?.key;
        let transaction = self.transaction()?;
        let found = transaction.look().addresses(&key)?;
        let there = found.into_iter().filter(|a| !transaction.removes(&Change::RemoveAddress(key.clone(), *a)));
        Ok(there.map(convert::network_to_wit).collect())
    }
}

fn resolved(call: &CallState, addresses: Vec<LinkAddress>) -> Answer<Vec<(Link, IpNet)>> {
    check_length(&addresses)?;
    let one = |a: LinkAddress| Ok((call.handles.link(a.link)?.clone(), convert::network(a.address)?));
    addresses.into_iter().map(one).collect()
}
