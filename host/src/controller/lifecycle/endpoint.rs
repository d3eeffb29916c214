//! An endpoint's steps beside its sandbox.

use super::Steps;
use crate::controller::call::Call;
use crate::engine::{CallState, Code, Interface};
use kernel::Namespace;
use operation::engine::{EndpointOptions, Labels};
use store::{Batch, Durability, Endpoint, Network, Write};
use words::{Id, Result};

impl Steps<'_> {
    /// Makes an endpoint. Answers it with what its driver chose of its interface: only what came empty.
    pub fn create_endpoint(
        &mut self,
        network: &Network,
        endpoint: &Endpoint,
        options: &EndpointOptions,
    ) -> Result<Endpoint> {
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
        let call = Call { interface, ..Call::endpoint(&self.driver, "create-endpoint", network, &endpoint.id) };
        let run = |code: &Code, state| code.create_endpoint(state, &network.id, &endpoint.id, options);
        let record = |(): &(), state: &CallState| Ok(vec![Write::PutEndpoint(completed(&state.interface))]);
        let done = self.inner.call(&call, &mut self.calls, run, record)?;
        Ok(completed(&done.state.interface))
    }

    /// Gives the IPv6 address of an endpoint back whose sandbox can't use it. Answers the endpoint without it.
    pub fn release_ipv6(&mut self, network: &Network, endpoint: &Endpoint) -> Result<Endpoint> {
        let Some(address) = endpoint.address_ipv6 else { return Ok(endpoint.clone()) };
        let without = Endpoint { address_ipv6: None, is_gateway_ipv6: false, ..endpoint.clone() };
        let release = || {
            let freed = Write::ReleaseAddress { network: network.id.clone(), address: address.addr().into() };
            vec![Write::PutEndpoint(without.clone()), freed]
        };
        if self.driver.code.releases_ipv6() {
            let call = Call::endpoint(&self.driver, "release-ipv6", network, &endpoint.id);
            let run = |code: &Code, state| code.release_ipv6(state, &network.id, &endpoint.id);
            self.inner.call(&call, &mut self.calls, run, |(), _| Ok(release()))?;
        } else {
            let (writes, durability) = (release(), Durability::Process);
            self.inner.store.commit(Batch { writes, durability, ..Batch::default() })?;
        }
        Ok(without)
    }

    /// What the driver tells of an endpoint: JSON text by key.
    pub fn oper_info(&mut self, network: &Network, endpoint: &Id) -> Result<Labels> {
        let call = Call::endpoint(&self.driver, "endpoint-oper-info", network, endpoint);
        let run = |code: &Code, state| code.endpoint_oper_info(state, &network.id, endpoint);
        let done = self.inner.call(&call, &mut self.calls, run, |_, _| Ok(Vec::new()))?;
        Ok(done.value.into_iter().collect())
    }

    /// Removes an endpoint with all that it has. Answers what its driver had left behind.
    pub fn delete_endpoint(&mut self, network: &Network, endpoint: &Id) -> Result<Vec<String>> {
        let call = Call { sweep: true, ..Call::endpoint(&self.driver, "delete-endpoint", network, endpoint) };
        let run = |code: &Code, state| code.delete_endpoint(state, &network.id, endpoint);
        let forget = |(): &(), _: &CallState| Ok(vec![Write::RemoveEndpoint(network.id.clone(), endpoint.clone())]);
        Ok(self.inner.call(&call, &mut self.calls, run, forget)?.swept)
    }
}
