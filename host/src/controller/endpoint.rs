//! Endpoints: detaching, listing, finding them.

use std::path::PathBuf;

use super::Inner;
use super::lifecycle::Steps;
use operation::endpoint;
use operation::engine::Labels;
use operation::network::Removed;
use store::{Endpoint, Network};
use words::{Error, Id, Result};

impl Inner {
    /// Leaves and removes an endpoint. As in libnetwork, a driver can't keep one: what it leaves behind is swept.
    pub(super) fn detach(&self, network: &Id, endpoint: &Id) -> Result<Removed> {
        let network =
            self.store.network(network)?.ok_or_else(|| Error::not_found(format!("there is no network {network}")))?;
        let endpoint = self
            .store
            .endpoint(&network.id, endpoint)?
            .ok_or_else(|| Error::not_found(format!("there is no endpoint {endpoint}")))?;
        self.forget_endpoint(&network, &endpoint)
    }

    /// The same for an endpoint that is known.
    pub(super) fn forget_endpoint(&self, network: &Network, endpoint: &Endpoint) -> Result<Removed> {
        let _until_it_is_detached = endpoint.sandbox.as_ref().map(|sandbox| self.kernel.keep(sandbox));
        let mut removed = match self.steps(&network.driver) {
            Ok(mut steps) => {
                let removed = self.leave_and_delete(&mut steps, network, endpoint)?;
                Removed { calls: steps.calls.traces, ..removed }
            }
            Err(error) => self.remove_without_driver(network, Some(&endpoint.id), &error)?,
        };
        removed.calls.extend(self.release_addresses(network, &endpoint.id, |_| true));
        self.let_go(network, endpoint);
        let (network, endpoint) = (&network.name, &endpoint.name);
        tracing::info!(%network, %endpoint, "detached");
        tracing::debug!(%network, %endpoint, swept = ?removed.swept, "what the driver left to the host");
        Ok(removed)
    }

    /// All steps that lead out, from where the endpoint has come to.
    pub(super) fn leave_and_delete(
        &self,
        steps: &mut Steps<'_>,
        network: &Network,
        endpoint: &Endpoint,
    ) -> Result<Removed> {
        // From the first commit on it goes, also when the daemon is killed between two of them.
        let going = steps.disconnect(network, Endpoint { attached: false, ..endpoint.clone() });
        if going.joined.is_some()
            && let Err(error) = steps.leave(network, &going)
        {
            tracing::warn!(network = %network.name, endpoint = %endpoint.name, "{error}");
        }
        let deleted = steps.delete_endpoint(network, &endpoint.id);
        deleted
            .map(|swept| Removed { swept, ..Removed::default() })
            .or_else(|error| self.remove_without_driver(network, Some(&endpoint.id), &error))
    }

    pub(super) fn endpoints(&self, network: Option<&str>) -> Result<Vec<endpoint::Endpoint>> {
        let networks = match network {
            Some(network) => vec![self.find_network(network)?],
            None => self.store.networks()?,
        };
        let mut all = Vec::new();
        for network in networks {
            for endpoint in self.store.endpoints(Some(&network.id))? {
                all.push(self.told(&network, endpoint, Labels::new())?);
            }
        }
        Ok(all)
    }

    /// An endpoint with what its driver tells of it.
    pub(super) fn endpoint_reply(&self, network: &Network, endpoint: Endpoint) -> Result<endpoint::Endpoint> {
        let info = self.steps(&network.driver).and_then(|mut steps| steps.oper_info(network, &endpoint.id));
        self.told(network, endpoint, info.unwrap_or_default())
    }

    /// An endpoint with the ports that it has.
    pub(super) fn told(&self, network: &Network, endpoint: Endpoint, info: Labels) -> Result<endpoint::Endpoint> {
        let ports = self.published(&endpoint)?;
        Ok(reply(network, Endpoint { ports, ..endpoint }, info))
    }

    /// By name, id, the start of an id, or namespace.
    pub(super) fn find_endpoint(&self, network: Option<&str>, text: &str) -> Result<Endpoint> {
        let network = network.map(|n| self.find_network(n)).transpose()?;
        let found = self.store.find_endpoint(network.as_ref().map(|n| &n.id), text)?;
        let mut exact = found.iter().filter(|e| e.name.as_str() == text || e.id.as_str() == text);
        if let (Some(one), None) = (exact.next(), exact.next()) {
            return Ok(one.clone());
        }
        match <[Endpoint; 1]>::try_from(found) {
            Ok([endpoint]) => Ok(endpoint),
            Err(found) if found.is_empty() => {
                Err(Error::not_found(format!("there is no endpoint {text:?}: see `pontoon endpoint ls`")))
            }
            Err(found) => Err(Error::invalid(format!("{} endpoints fit {text:?}: name the network, too", found.len()))),
        }
    }
}

/// Where an endpoint's container is.
pub(super) fn place(endpoint: &Endpoint) -> Option<PathBuf> {
    endpoint.sandbox.as_ref().map(|sandbox| sandbox.path.clone()).or_else(|| endpoint.joined.clone())
}

fn reply(network: &Network, endpoint: Endpoint, info: Labels) -> endpoint::Endpoint {
    endpoint::Endpoint {
        namespace: place(&endpoint),
        id: endpoint.id,
        name: endpoint.name,
        network: network.name.clone(),
        origin: endpoint.origin,
        interface: endpoint.interface.map(|(_, name)| name.to_string()),
        mac_address: endpoint.mac,
        address: endpoint.address,
        address_ipv6: endpoint.address_ipv6,
        gateway: endpoint.gateway,
        gateway_ipv6: endpoint.gateway_ipv6,
        gateway_priority: endpoint.gateway_priority,
        ports: endpoint.ports,
        info,
    }
}
