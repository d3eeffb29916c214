//! A network's steps.

use super::Steps;
use crate::controller::call::{Call, ipam_data, network_options};
use crate::engine::{CallState, Code};
use operation::engine::{Labels, NetworkOptions};
use operation::network::Pool;
use store::{Network, Write};
use words::Result;

impl Steps<'_> {
    /// For which families a network with these options needs no gateway address: IPv4, IPv6.
    pub fn check_gateways(&mut self, options: &NetworkOptions) -> Result<(bool, bool)> {
        if !self.driver.code.checks_gateways() {
            return Ok((false, false));
        }
        let call = Call::pure(&self.driver, "skip-gateway-allocation");
        let run = |code: &Code, state| code.skip_gateway_allocation(state, options);
        Ok(self.inner.call(&call, &mut self.calls, run, |_, _| Ok(Vec::new()))?.value)
    }

    /// Reserves what a network needs in the whole cluster, before any host creates it. Answers the options that each host gets.
    pub fn allocate_network(&mut self, network: &Network) -> Result<Labels> {
        if !self.driver.code.allocates() {
            return Ok(network.options.clone());
        }
        let (ipv4, ipv6) = ipam_data(network);
        let call = Call::network(&self.driver, "network-allocate", network);
        let run = |code: &Code, state| code.network_allocate(state, &network.id, &network.options, &ipv4, &ipv6);
        Ok(self.inner.call(&call, &mut self.calls, run, |_, _| Ok(Vec::new()))?.value)
    }

    /// Takes the reservation back. `is_gone`: the network is deleted on this host, and what the driver writes now goes with it; else what it
    /// still has stays.
    pub fn free_network(&mut self, network: &Network, is_gone: bool) -> Result<()> {
        if !self.driver.code.allocates() {
            return Ok(());
        }
        let call = Call { sweep: is_gone, ..Call::network(&self.driver, "network-free", network) };
        let run = |code: &Code, state| code.network_free(state, &network.id);
        let remove = |(): &(), _: &CallState| {
            Ok(is_gone.then(|| Write::RemoveNetwork(network.id.clone())).into_iter().collect())
        };
        self.inner.call(&call, &mut self.calls, run, remove)?;
        Ok(())
    }

    /// Makes a network whose pools are claimed, and records it as up. Answers it with the pools that its driver gave it, if it gave some.
    pub fn create_network(&mut self, network: &Network) -> Result<Network> {
        let (ipv4, ipv6) = ipam_data(network);
        let options = network_options(network);
        let up = |new_pools: &Option<Vec<Pool>>| {
            let pools = new_pools.as_ref().unwrap_or(&network.pools).clone();
            Network { pools, down: None, ..network.clone() }
        };
        let call = Call::network(&self.driver, "create-network", network);
        let run = |code: &Code, state| code.create_network(state, &network.id, &options, &ipv4, &ipv6);
        let record = |(): &(), state: &CallState| {
            let subnets = |pools: &Vec<Pool>| pools.iter().map(|pool| pool.subnet).collect();
            let claim = |pools| Write::ReplacePools { network: network.id.clone(), pools: subnets(pools) };
            let claim = state.new_pools.as_ref().map(claim);
            Ok(claim.into_iter().chain([Write::PutNetwork(up(&state.new_pools))]).collect())
        };
        let done = self.inner.call(&call, &mut self.calls, run, record)?;
        Ok(up(&done.state.new_pools))
    }

    /// Removes a network with all that it has. Answers what its driver had left behind.
    pub fn delete_network(&mut self, network: &Network) -> Result<Vec<String>> {
        let call = Call { sweep: true, ..Call::network(&self.driver, "delete-network", network) };
        let run = |code: &Code, state| code.delete_network(state, &network.id);
        let forget = |(): &(), _: &CallState| Ok(vec![Write::RemoveNetwork(network.id.clone())]);
        Ok(self.inner.call(&call, &mut self.calls, run, forget)?.swept)
    }
}
