//! A network's steps.

use super::{Steps, unexpected};
use crate::controller::arguments::{labels, network_options, options_of, pools_of};
use crate::controller::call::{Call, Said};
use ask::{Arguments, Returned};
use operation::engine::{Labels, NetworkOptions};
use operation::network::Pool;
use store::{Network, Write};
use words::Result;

impl Steps<'_> {
    /// For which families a network with these options needs no gateway address: IPv4, IPv6.
    pub fn check_gateways(&mut self, options: &NetworkOptions) -> Result<(bool, bool)> {
        if !self.driver.checks_gateways() {
            return Ok((false, false));
        }
        let arguments = Arguments::SkipGatewayAllocation { options: network_options(options) };
        let call = Call::pure(&self.driver, arguments);
        match self.inner.call(&call, &mut self.calls, |_| Ok(Vec::new()))?.said.returned {
            Returned::SkipGatewayAllocation(skip) => Ok((skip.ipv4, skip.ipv6)),
            other => Err(unexpected(&other)),
        }
    }

    /// Reserves what a network needs in the whole cluster, before any host creates it. Answers the options that each host gets.
    pub fn allocate_network(&mut self, network: &Network) -> Result<Labels> {
        if !self.driver.allocates() {
            return Ok(network.options.clone());
        }
        let (ipv4, ipv6) = pools_of(network);
        let options = labels(&network.options);
        let arguments = Arguments::NetworkAllocate { network: network.id.to_string(), options, ipv4, ipv6 };
        let call = Call::network(&self.driver, arguments, network);
        match self.inner.call(&call, &mut self.calls, |_| Ok(Vec::new()))?.said.returned {
            Returned::NetworkAllocate(options) => Ok(options.into_iter().collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// Takes the reservation back. `is_gone`: the network is deleted on this host, and what the driver writes now goes with it; else what it
    /// still has stays.
    pub fn free_network(&mut self, network: &Network, is_gone: bool) -> Result<()> {
        if !self.driver.allocates() {
            return Ok(());
        }
        let arguments = Arguments::NetworkFree { network: network.id.to_string() };
        let call = Call { sweep: is_gone, ..Call::network(&self.driver, arguments, network) };
        let remove = |_: &Said| Ok(is_gone.then(|| Write::RemoveNetwork(network.id.clone())).into_iter().collect());
        self.inner.call(&call, &mut self.calls, remove)?;
        Ok(())
    }

    /// Makes a network whose pools are claimed, and records it as up. Answers it with the pools that its driver gave it, if it gave some.
    pub fn create_network(&mut self, network: &Network) -> Result<Network> {
        let (ipv4, ipv6) = pools_of(network);
        let arguments =
            Arguments::CreateNetwork { network: network.id.to_string(), options: options_of(network), ipv4, ipv6 };
        let up = |new_pools: &Option<Vec<Pool>>| {
            let pools = new_pools.as_ref().unwrap_or(&network.pools).clone();
            Network { pools, down: None, ..network.clone() }
        };
        let call = Call::network(&self.driver, arguments, network);
        let record = |said: &Said| {
            let subnets = |pools: &Vec<Pool>| pools.iter().map(|pool| pool.subnet).collect();
            let claim = |pools| Write::ReplacePools { network: network.id.clone(), pools: subnets(pools) };
            let claim = said.new_pools.as_ref().map(claim);
            Ok(claim.into_iter().chain([Write::PutNetwork(up(&said.new_pools))]).collect())
        };
        let done = self.inner.call(&call, &mut self.calls, record)?;
        Ok(up(&done.said.new_pools))
    }

    /// Removes a network with all that it has. Answers what its driver had left behind.
    pub fn delete_network(&mut self, network: &Network) -> Result<Vec<String>> {
        let arguments = Arguments::DeleteNetwork { network: network.id.to_string() };
        let call = Call { sweep: true, ..Call::network(&self.driver, arguments, network) };
        let forget = |_: &Said| Ok(vec![Write::RemoveNetwork(network.id.clone())]);
        Ok(self.inner.call(&call, &mut self.calls, forget)?.swept)
    }
}
