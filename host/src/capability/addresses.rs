//! `addresses`: addresses on links.

use ipnet::IpNet;
use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, by_link, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::addresses::{Host, IpNetwork, LinkAddress};
use grant::{HostCall, Limit, Object};
use kernel::{Change, LinkKey};

impl Host for CallState {
    fn add(&mut self, addresses: Vec<LinkAddress>) -> Answer<()> {
        self.ask(HostCall::AddressesAdd, arguments!(addresses), |call, permit| {
            handle::check_owned(call, addresses.iter().map(|a| &a.link))?;
            let addresses = check(call, addresses)?;
            for (_, address) in &addresses {
                call.gate.permit(HostCall::AddressesAdd, Object::Address(*address))?;
            }
            for (link, count) in by_link(addresses.iter().map(|(link, _)| link)) {
                let there = call.transaction()?.kernel().addresses(link)?.len() as u64;
                call.gate.permit(HostCall::AddressesAdd, Object::Amount(Limit::Addresses, there + count))?;
            }
            let changes: Vec<_> =
                addresses.into_iter().map(|(link, address)| Change::AddAddress(link, address)).collect();
            call.transaction()?.change(permit, &changes)?;
            Ok(())
        })
    }

    fn remove(&mut self, addresses: Vec<LinkAddress>) -> Answer<()> {
        self.ask(HostCall::AddressesRemove, arguments!(addresses), |call, permit| {
            let addresses = check(call, addresses)?;
            let changes = addresses.into_iter().map(|(link, address)| Change::RemoveAddress(link, address)).collect();
            Ok(call.transaction()?.remove_plain(permit, changes)?)
        })
    }

    fn list(&mut self, link: Resource<Link>) -> Answer<Vec<IpNetwork>> {
        self.ask(HostCall::AddressesList, arguments!(link), |call, _| {
            let key = handle::link(call, &link)?.key;
            let transaction = call.transaction()?;
            let found = transaction.kernel().addresses(&key)?;
            let there = found.into_iter().filter(|a| !transaction.removes(&Change::RemoveAddress(key.clone(), *a)));
            Ok(there.map(convert::network_to_wit).collect())
        })
    }
}

fn check(call: &CallState, addresses: Vec<LinkAddress>) -> Answer<Vec<(LinkKey, IpNet)>> {
    check_length(&addresses)?;
    let one = |a: LinkAddress| Ok((handle::own_link(call, &a.link)?.key, convert::network(a.address)?));
    addresses.into_iter().map(one).collect()
}
