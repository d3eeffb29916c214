//! An endpoint's steps beside its sandbox.

use super::{Steps, unexpected};
use crate::capability::Interface;
use crate::controller::arguments::endpoint_options;
use crate::controller::call::{Call, Said};
use crate::controller::forgotten::addresses_of;
use crate::transaction::mac_is_taken;
use ask::{Arguments, Returned};
use kernel::Namespace;
use operation::engine::{EndpointOptions, Labels};
use store::{Batch, Durability, Endpoint, Network, Write};
use words::{Id, MacAddress, Result};

impl Steps<'_> {
    /// Makes an endpoint, with the leases of its addresses. Answers it with what its driver chose of its interface: only what came empty.
    pub fn create_endpoint(
        &mut self,
        network: &Network,
        endpoint: &Endpoint,
        options: &EndpointOptions,
        leases: &[Write],
    ) -> Result<Endpoint> {
        self.check_mac(endpoint)?;
        let interface = Interface {
            mac: endpoint.mac,
            address: endpoint.address,
            address_ipv6: endpoint.address_ipv6,
            sandbox: endpoint.sandbox.clone().map(Namespace::At),
        };
        let completed = |interface: &Interface| {
            let Interface { mac, address, address_ipv6, .. } = *interface;
            Endpoint { mac, address, address_ipv6, ..endpoint.clone() }
        };
        let arguments = Arguments::CreateEndpoint {
            network: network.id.to_string(),
            endpoint: endpoint.id.to_string(),
            options: endpoint_options(options),
        };
        let call = Call { interface, ..Call::endpoint(&self.driver, arguments, network, &endpoint.id) };
        let record = |said: &Said| {
            let made = Write::PutEndpoint(completed(&said.interface));
            let hold = |address| Write::HoldAddress { address, endpoint: endpoint.id.clone() };
            Ok(leases.iter().cloned().chain([made]).chain(addresses_of(endpoint).map(hold)).collect())
        };
        let done = self.inner.call(&call, &mut self.calls, record)?;
        Ok(completed(&done.said.interface))
    }

    /// The MAC that a user chose is one interface's, and no other endpoint of the network has it.
    fn check_mac(&self, endpoint: &Endpoint) -> Result<()> {
        let Some(mac) = endpoint.mac.map(MacAddress::check).transpose()? else { return Ok(()) };
        match self.inner.store.endpoint_with_mac(&endpoint.network, mac)? {
            Some(other) => Err(mac_is_taken(mac, &other)),
            None => Ok(()),
        }
    }

    /// Gives the IPv6 address of an endpoint back whose sandbox can't use it. Answers the endpoint without it.
    pub fn release_ipv6(&mut self, network: &Network, endpoint: &Endpoint) -> Result<Endpoint> {
        let Some(address) = endpoint.address_ipv6 else { return Ok(endpoint.clone()) };
        let without = Endpoint { address_ipv6: None, is_gateway_ipv6: false, ..endpoint.clone() };
        let release = || {
            let freed = Write::ReleaseAddress { network: network.id.clone(), address: address.addr().into() };
            vec![Write::PutEndpoint(without.clone()), freed]
        };
        if self.driver.releases_ipv6() {
            let (of, id) = (network.id.to_string(), endpoint.id.to_string());
            let arguments = Arguments::ReleaseIpv6 { network: of, endpoint: id };
            let call = Call::endpoint(&self.driver, arguments, network, &endpoint.id);
            self.inner.call(&call, &mut self.calls, |_| Ok(release()))?;
        } else {
            let (writes, durability) = (release(), Durability::Process);
            self.inner.store.commit(Batch { writes, durability, ..Batch::default() })?;
        }
        Ok(without)
    }

    /// What the driver tells of an endpoint: JSON text by key.
    pub fn oper_info(&mut self, network: &Network, endpoint: &Id) -> Result<Labels> {
        let arguments = Arguments::EndpointOperInfo { network: network.id.to_string(), endpoint: endpoint.to_string() };
        let call = Call::endpoint(&self.driver, arguments, network, endpoint);
        match self.inner.call(&call, &mut self.calls, |_| Ok(Vec::new()))?.said.returned {
            Returned::EndpointOperInfo(info) => Ok(info.into_iter().collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes an endpoint with all that it has. Answers what its driver had left behind.
    pub fn delete_endpoint(&mut self, network: &Network, endpoint: &Id) -> Result<Vec<String>> {
        let arguments = Arguments::DeleteEndpoint { network: network.id.to_string(), endpoint: endpoint.to_string() };
        let call = Call { sweep: true, ..Call::endpoint(&self.driver, arguments, network, endpoint) };
        let forget = |_: &Said| Ok(vec![Write::RemoveEndpoint(network.id.clone(), endpoint.clone())]);
        Ok(self.inner.call(&call, &mut self.calls, forget)?.swept)
    }
}
