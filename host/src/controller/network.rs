//! Operations on networks.

use super::Inner;
use super::call::{Call, ipam_data, network_options};
use crate::driver::Driver;
use crate::engine::CallState;
use crate::transaction;
use operation::driver::{CallTrace, Scope};
use operation::engine::{Labels, NetworkOptions};
use operation::network::{self, CreateNetwork, CreatedNetwork, NetworkDetails, Removed};
use store::{Durability, Network, Write};
use words::{Error, Id, Kind, Name, Result, now};

impl Inner {
    pub(super) fn create_network(&self, id: Id, create: CreateNetwork) -> Result<CreatedNetwork> {
        let driver = self.drivers.get(&create.driver)?;
        self.check_name_is_free(&create)?;
        let mut calls = Vec::new();
        let mut network = Network {
            id,
            serial: 0,
            name: create.name.clone(),
            driver: create.driver.clone(),
            pools: Vec::new(),
            ipv4: create.ipv4,
            ipv6: create.ipv6,
            internal: create.internal,
            options: create.options.clone(),
            other: Labels::new(),
            address_space: "LocalDefault".into(),
            by_engine: false,
            allocated: false,
            down: None,
            created: now(),
        };
        let skip = self.gateways_to_skip(&driver, &network_options(&network), &mut calls)?;
        network.pools = self.choose_pools(&network.id, &create, skip)?;
        let made = self
            .allocate(&driver, &mut network, &mut calls)
            .and_then(|()| self.make_network(&driver, &mut network, &mut calls));
        if let Err(error) = made {
            self.give_back(&driver, &network, &mut calls);
            return Err(error);
        }
        tracing::info!(network = %network.name, driver = %network.driver, "created");
        Ok(CreatedNetwork { network: self.network_reply(&network)?, calls })
    }

    fn check_name_is_free(&self, create: &CreateNetwork) -> Result<()> {
        match self.store.find_network(create.name.as_str())?.iter().find(|n| n.name == create.name) {
            Some(_) => Err(Error::exists(format!("there is a network {} already", create.name))),
            None => Ok(()),
        }
    }

    pub(super) fn gateways_to_skip(
        &self,
        driver: &Driver,
        options: &NetworkOptions,
        calls: &mut Vec<CallTrace>,
    ) -> Result<(bool, bool)> {
        if !driver.code.checks_gateways() {
            return Ok((false, false));
        }
        let call = Call::pure(driver, "skip-gateway-allocation");
        let run = |code: &crate::engine::Code, state| code.skip_gateway_allocation(state, options);
        Ok(self.call(&call, calls, run, |_, _| Ok(Vec::new()))?.value)
    }

    /// A network of global scope reserves what it needs in the whole cluster first.
    fn allocate(&self, driver: &Driver, network: &mut Network, calls: &mut Vec<CallTrace>) -> Result<()> {
        if driver.record.data_scope != Scope::Global || !driver.code.allocates() {
            return Ok(());
        }
        let (ipv4, ipv6) = ipam_data(network);
        let (id, options) = (network.id.clone(), network.options.clone());
        let call = Call::network(driver, "network-allocate", network);
        let run = |code: &crate::engine::Code, state| code.network_allocate(state, &id, &options, &ipv4, &ipv6);
        let done = self.call(&call, calls, run, |_, _| Ok(Vec::new()))?;
        network.options = done.value;
        network.allocated = true;
        Ok(())
    }

    /// Calls `create-network` and records the network as up.
    pub(super) fn make_network(
        &self,
        driver: &Driver,
        network: &mut Network,
        calls: &mut Vec<CallTrace>,
    ) -> Result<()> {
        let (ipv4, ipv6) = ipam_data(network);
        let options = network_options(network);
        let up = |state: &CallState| {
            let pools = state.new_pools.clone().unwrap_or_else(|| network.pools.clone());
            Network { pools, down: None, ..network.clone() }
        };
        let call = Call::network(driver, "create-network", network);
        let run = |code: &crate::engine::Code, state| code.create_network(state, &network.id, &options, &ipv4, &ipv6);
        let finish = |(): &(), state: &CallState| {
            let network = up(state);
            // An engine's pools are claimed already, some of them by another name.
            let claimed = network.by_engine && state.new_pools.is_none();
            let pools = network.pools.iter().map(|p| p.subnet).collect();
            let claim = (!claimed).then(|| Write::ReplacePools { network: network.id.clone(), pools });
            Ok(claim.into_iter().chain([Write::PutNetwork(network)]).collect())
        };
        let done = self.call(&call, calls, run, finish)?;
        *network = up(&done.state);
        Ok(())
    }

    /// What was reserved for a network that did not come to be.
    pub(super) fn give_back(&self, driver: &Driver, network: &Network, calls: &mut Vec<CallTrace>) {
        if network.allocated {
            self.free(driver, network, calls);
        }
        // With what `network-allocate` made.
        if let Err(error) = self.sweep(network, None) {
            tracing::error!(network = %network.name, "can't take back a failed create: {error}");
        }
    }

    fn free(&self, driver: &Driver, network: &Network, calls: &mut Vec<CallTrace>) {
        // The network is gone by now: what this call writes goes with it.
        let call = Call { sweep: true, ..Call::network(driver, "network-free", network) };
        let remove = |(): &(), _: &CallState| Ok(vec![Write::RemoveNetwork(network.id.clone())]);
        if let Err(error) = self.call(&call, calls, |code, state| code.network_free(state, &network.id), remove) {
            tracing::warn!(network = %network.name, "{error}");
        }
    }

    /// As libnetwork does: a driver can forbid that its network goes; any other failure of its does not keep the network. A container
    /// engine has forgotten it by then.
    pub(super) fn remove_network(&self, id: &Id) -> Result<Removed> {
        let network = self.store.network(id)?.ok_or_else(|| Error::not_found(format!("there is no network {id}")))?;
        let count = self.store.endpoint_count(id)?;
        if count > 0 {
            let name = &network.name;
            return Err(Error::forbidden(format!(
                "the network {name} has {count} endpoints: detach them first (`pontoon endpoint ls {name}`)"
            )));
        }
        let mut removed = Removed::default();
        let remove = |(): &(), _: &CallState| Ok(vec![Write::RemoveNetwork(id.clone())]);
        match self.drivers.get(&network.driver) {
            Ok(driver) => {
                let call = Call { sweep: true, ..Call::network(&driver, "delete-network", &network) };
                match self.call(&call, &mut removed.calls, |code, state| code.delete_network(state, id), remove) {
                    Ok(done) => removed.swept = done.swept,
                    Err(error) if error.kind == Kind::Forbidden && network.down.is_none() && !network.by_engine => {
                        return Err(error);
                    }
                    Err(error) => removed.swept = self.remove_without_driver(&network, None, &error)?,
                }
                if network.allocated {
                    self.free(&driver, &network, &mut removed.calls);
                }
            }
            Err(error) => removed.swept = self.remove_without_driver(&network, None, &error)?,
        }
        tracing::info!(network = %network.name, swept = ?removed.swept, "removed");
        Ok(removed)
    }

    /// Sweeps what a network or an endpoint has and forgets it, because its driver can't.
    pub(super) fn remove_without_driver(
        &self,
        network: &Network,
        endpoint: Option<&Id>,
        error: &Error,
    ) -> Result<Vec<String>> {
        tracing::warn!(network = %network.name, endpoint = endpoint.map(Id::as_str), "removed without its driver: {error}");
        self.sweep(network, endpoint)
    }

    /// Removes what a network or an endpoint has, and the record of it.
    fn sweep(&self, network: &Network, endpoint: Option<&Id>) -> Result<Vec<String>> {
        let owner = transaction::Owner {
            driver: network.driver.clone(),
            network: network.id.clone(),
            endpoint: endpoint.cloned(),
        };
        let mut transaction = transaction::Transaction::new(
            self.kernel.clone(),
            self.reaper.clone(),
            self.firewall.clone(),
            self.store.clone(),
            owner,
        );
        transaction.sweep()?;
        let write = match endpoint {
            Some(endpoint) => Write::RemoveEndpoint(network.id.clone(), endpoint.clone()),
            None => Write::RemoveNetwork(network.id.clone()),
        };
        Ok(transaction.commit(vec![write], Durability::Power)?)
    }

    pub(super) fn networks(&self) -> Result<Vec<network::Network>> {
        self.store.networks()?.iter().map(|n| self.network_reply(n)).collect()
    }

    pub(super) fn network_details(&self, network: &str, verbose: bool) -> Result<NetworkDetails> {
        let record = self.find_network(network)?;
        let attached = self.store.endpoints(Some(&record.id))?;
        let attached = attached.into_iter().map(|e| self.endpoint_reply(&record, e)).collect::<Result<Vec<_>>>()?;
        let (mut entries, mut objects) = (None, None);
        if verbose {
            entries = Some(self.decoded_entries(&record, None)?);
            let things = self.store.objects(&record.id, None)?;
            objects = Some(things.iter().map(|o| transaction::describe(&o.thing)).collect());
        }
        Ok(NetworkDetails { network: self.network_reply(&record)?, attached, entries, objects })
    }

    /// By name, id, or the start of an id that only one has.
    pub(super) fn find_network(&self, text: &str) -> Result<Network> {
        let found = self.store.find_network(text)?;
        if let Some(exact) = found.iter().find(|n| n.name.as_str() == text || n.id.as_str() == text) {
            return Ok(exact.clone());
        }
        match <[Network; 1]>::try_from(found) {
            Ok([network]) => Ok(network),
            Err(found) if found.is_empty() => {
                Err(Error::not_found(format!("there is no network {text:?}: see `pontoon network ls`")))
            }
            Err(found) => Err(Error::invalid(format!("{} networks have an id that starts with {text:?}", found.len()))),
        }
    }

    /// Whose network it is.
    pub(super) fn driver_of(&self, network: &Id) -> Result<Name> {
        let found = self.store.network(network)?;
        found.map(|n| n.driver).ok_or_else(|| Error::not_found(format!("there is no network {network}")))
    }

    fn network_reply(&self, network: &Network) -> Result<network::Network> {
        Ok(network::Network {
            id: network.id.clone(),
            name: network.name.clone(),
            driver: network.driver.clone(),
            pools: network.pools.clone(),
            ipv4: network.ipv4,
            ipv6: network.ipv6,
            internal: network.internal,
            options: network.options.clone(),
            by_engine: network.by_engine,
            state: network.down.clone().unwrap_or_else(|| "up".into()),
            created: network.created,
            endpoints: self.store.endpoint_count(&network.id)?,
        })
    }
}
