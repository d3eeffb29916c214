//! Networks: an operator's, made and removed by the life cycle's steps; listing and finding them.

use super::Inner;
use super::arguments::chosen;
use super::lifecycle::Steps;
use crate::transaction;
use kernel::{LinkKey, Namespace};
use operation::driver::Scope;
use operation::engine::{Labels, NetworkOptions};
use operation::network::{self, CreateNetwork, CreatedNetwork, NetworkDetails, Removed};
use operation::origin::Origin;
use store::{Durability, Network, Thing, Write};
use words::{Error, Id, Kind, Name, Result};

/// The address space of an operator's pools, as drivers are told: libnetwork's word for this host's.
const ADDRESS_SPACE: &str = "LocalDefault";

impl Inner {
    pub(super) fn create_network(&self, id: Id, create: CreateNetwork) -> Result<CreatedNetwork> {
        if create.scope == Some(Scope::Global) {
            return self.create_global(&id, &create);
        }
        let mut steps = self.steps(&create.driver)?;
        self.check_name_is_free(&create)?;
        let options = NetworkOptions {
            ipv4: create.ipv4,
            ipv6: create.ipv6,
            internal: create.internal,
            generic: create.options.clone(),
            other: Labels::new(),
        };
        let skip = steps.check_gateways(&options)?;
        let mut network = Network::new(id, create.name.clone(), create.driver.clone(), Origin::Native, options);
        network.address_space = ADDRESS_SPACE.into();
        let mut calls = std::mem::take(&mut steps.calls.traces);
        match &create.ipam {
            None => network.pools = self.choose_pools(&network.id, &create, skip, &self.subnets_of_cluster())?,
            Some(ipam) => calls.extend(self.take_pools(&mut network, &create, ipam, skip)?),
        }
        network.asked = Some(chosen(&network.pools, &network.address_space));
        let made = allocate(&mut steps, &mut network).and_then(|()| steps.create_network(&network));
        let network = match made {
            Ok(network) => network,
            Err(error) => {
                self.give_back(&mut steps, &network);
                return Err(error);
            }
        };
        tracing::info!(network = %network.name, driver = %network.driver, "created");
        calls.extend(steps.calls.traces);
        Ok(CreatedNetwork { network: self.network_reply(&network)?, calls })
    }

    pub(super) fn check_name_is_free(&self, create: &CreateNetwork) -> Result<()> {
        match self.store.find_network(create.name.as_str())?.iter().find(|n| n.name == create.name) {
            Some(_) => Err(Error::exists(format!("there is a network {} already", create.name))),
            None => Ok(()),
        }
    }

    /// What was reserved for a network that did not come to be.
    pub(super) fn give_back(&self, steps: &mut Steps<'_>, network: &Network) {
        free(steps, network);
        // With what `network-allocate` made.
        if let Err(error) = self.sweep(network, None) {
            tracing::error!(network = %network.name, "can't take back a failed create: {error}");
        }
        self.release_pools(network);
    }

    /// An operator's word: a network without endpoints goes.
    pub(super) fn remove_network(&self, id: &Id) -> Result<Removed> {
        let network = self.store.network(id)?.ok_or_else(|| Error::not_found(format!("there is no network {id}")))?;
        let count = self.store.endpoint_count(id)?;
        if count > 0 {
            let name = &network.name;
            return Err(Error::forbidden(format!(
                "the network {name} has {count} endpoints: detach them first (`pontoon endpoint ls {name}`)"
            )));
        }
        if network.global && self.cluster.is_some() {
            self.unshare(&network)?;
            return self.delete_network(&network, false);
        }
        // Another engine has forgotten it by then.
        self.delete_network(&network, network.origin == Origin::Native)
    }

    /// As libnetwork does: a driver can forbid that its network goes, where it may; any other failure of its does not keep the network.
    pub(super) fn delete_network(&self, network: &Network, may_forbid: bool) -> Result<Removed> {
        let mut removed = Removed::default();
        match self.steps(&network.driver) {
            Ok(mut steps) => {
                removed = match steps.delete_network(network) {
                    Ok(swept) => Removed { swept, ..removed },
                    Err(error) if may_forbid && error.kind == Kind::Forbidden && network.down.is_none() => {
                        return Err(error);
                    }
                    Err(error) => self.remove_without_driver(network, None, &error)?,
                };
                free(&mut steps, network);
                removed.calls = steps.calls.traces;
            }
            Err(error) => removed = self.remove_without_driver(network, None, &error)?,
        }
        removed.calls.extend(self.release_pools(network));
        tracing::info!(network = %network.name, "removed");
        tracing::debug!(network = %network.name, swept = ?removed.swept, "what the driver left to the host");
        Ok(removed)
    }

    /// Removes a network with its endpoints, because its engine has forgotten it or never asks again.
    pub(super) fn forget_network(&self, network: &Network) -> Result<()> {
        for endpoint in self.store.endpoints(Some(&network.id))? {
            self.forget_endpoint(network, &endpoint)?;
        }
        self.delete_network(network, false).map(drop)
    }

    /// Sweeps what a network or an endpoint has and forgets it, because its driver can't.
    pub(super) fn remove_without_driver(
        &self,
        network: &Network,
        endpoint: Option<&Id>,
        error: &Error,
    ) -> Result<Removed> {
        tracing::warn!(network = %network.name, endpoint = endpoint.map(Id::as_str), "removed without its driver: {error}");
        let swept = self.sweep(network, endpoint)?;
        Ok(Removed { swept, failed: Some(error.to_string()), calls: Vec::new() })
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
        let here = self.store.networks()?;
        let here = here.iter().map(|n| self.network_reply(n)).collect::<Result<Vec<_>>>()?;
        Ok(here.into_iter().chain(self.networks_elsewhere()?).collect())
    }

    pub(super) fn network_details(&self, network: &str, verbose: bool) -> Result<NetworkDetails> {
        let record = self.find_network(network)?;
        let attached = self.store.endpoints(Some(&record.id))?;
        let attached = attached.into_iter().map(|e| self.endpoint_reply(&record, e)).collect::<Result<Vec<_>>>()?;
        let (mut entries, mut objects, mut peers) = (None, None, None);
        if verbose {
            let decoded = self.decoded_entries(&record, None)?;
            peers = self.peers(&record.id, &decoded).filter(|_| record.global);
            entries = Some(decoded);
            let things = self.store.objects(&record.id, None)?;
            objects = Some(transaction::shown(&things, &self.store.parts(&record.id)?));
        }
        let usage = self.usage_of(&record);
        Ok(NetworkDetails { network: self.network_reply(&record)?, attached, usage, entries, objects, peers })
    }

    /// The MTU of the way out, and the networks with a link of their own on the host, such as a bridge, that has more.
    pub(super) fn wide_networks(&self) -> Result<Option<(u32, Vec<String>)>> {
        let Some(way_out) = self.kernel.mtu_of_way_out()?.or(self.kernel.mtu_of_others()?) else { return Ok(None) };
        let mut wide = Vec::new();
        for network in self.store.networks()?.into_iter().filter(|network| !network.internal) {
            let mut is_wide = false;
            for object in self.store.objects(&network.id, Some(None))? {
                let Thing::Link { namespace: namespace @ Namespace::Host, index, .. } = object.thing else { continue };
                is_wide |= self.kernel.link(&LinkKey { namespace, index })?.is_some_and(|link| link.mtu > way_out);
            }
            wide.extend(is_wide.then(|| network.name.to_string()));
        }
        Ok(Some((way_out, wide)))
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

    /// The names of closed networks, each with why it is closed: see [`Firewall::closed`](crate::firewall::Firewall::closed).
    pub(super) fn closed_networks(&self) -> Result<Vec<(Name, String)>> {
        let mut named = Vec::new();
        for (id, why) in self.firewall.closed() {
            named.extend(self.store.network(&id)?.map(|network| (network.name, why)));
        }
        Ok(named)
    }

    pub(super) fn network_reply(&self, network: &Network) -> Result<network::Network> {
        let closed = || {
            let why = self.firewall.closed().remove(&network.id)?;
            Some(format!("closed: its packet rules are gone and can't be put back: {why}"))
        };
        Ok(network::Network {
            id: network.id.clone(),
            name: network.name.clone(),
            driver: network.driver.clone(),
            pools: network.pools.clone(),
            ipam: network.ipam.as_ref().map(|ipam| ipam.driver.clone()),
            ipv4: network.ipv4,
            ipv6: network.ipv6,
            internal: network.internal,
            options: network.options.clone(),
            scope: if network.global { Scope::Global } else { Scope::Local },
            origin: network.origin.clone(),
            state: network.down.clone().or_else(closed).unwrap_or_else(|| "up".into()),
            created: network.created,
            endpoints: self.store.endpoint_count(&network.id)?,
        })
    }
}

/// A network of global scope reserves what it needs in the whole cluster first.
fn allocate(steps: &mut Steps<'_>, network: &mut Network) -> Result<()> {
    if steps.driver.record.data_scope == Scope::Global && steps.driver.allocates() {
        network.options = steps.allocate_network(network)?;
        network.allocated = true;
    }
    Ok(())
}

/// And gives it back. The network is gone by then.
fn free(steps: &mut Steps<'_>, network: &Network) {
    if network.allocated
        && let Err(error) = steps.free_network(network, true)
    {
        tracing::warn!(network = %network.name, "{error}");
    }
}
