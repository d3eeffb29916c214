//! Endpoints: detaching, listing, finding them.

use std::path::PathBuf;

use super::Inner;
use super::call::Call;
use crate::driver::Driver;
use crate::engine::{CallState, Code};
use operation::driver::CallTrace;
use operation::endpoint;
use operation::network::Removed;
use store::{Endpoint, Network, Write};
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
        let mut removed = Removed::default();
        removed.swept = match self.drivers.get(&network.driver) {
            Ok(driver) => self.leave_and_delete(&driver, network, endpoint, &mut removed.calls)?,
            Err(error) => self.remove_without_driver(network, Some(&endpoint.id), &error)?,
        };
        tracing::info!(network = %network.name, endpoint = %endpoint.name, swept = ?removed.swept, "detached");
        Ok(removed)
    }

    pub(super) fn leave_and_delete(
        &self,
        driver: &Driver,
        network: &Network,
        endpoint: &Endpoint,
        calls: &mut Vec<CallTrace>,
    ) -> Result<Vec<String>> {
        let id = &endpoint.id;
        // From the first commit on it goes, also when the daemon is killed between two of them.
        let going =
            |(): &(), _: &CallState| Ok(vec![Write::PutEndpoint(Endpoint { attached: false, ..endpoint.clone() })]);
        let warn = |error: &Error| tracing::warn!(network = %network.name, endpoint = %id, "{error}");
        // Of an engine's endpoint it is known how far it came, and most come here after a revoke and a leave.
        let came_to = |here: bool| here || !network.by_engine;
        if driver.code.connects_outside() && came_to(endpoint.is_gateway || endpoint.is_gateway_ipv6) {
            let call = Call::endpoint(driver, "revoke-external-connectivity", network, id);
            let revoke = |code: &Code, state| code.revoke_external_connectivity(state, &network.id, id);
            self.call(&call, calls, revoke, going).err().iter().for_each(warn);
        }
        if came_to(endpoint.joined.is_some()) {
            let call = Call::endpoint(driver, "leave", network, id);
            let leave = |code: &Code, state| code.leave(state, &network.id, id);
            self.call(&call, calls, leave, going).err().iter().for_each(warn);
        }
        let call = Call { sweep: true, ..Call::endpoint(driver, "delete-endpoint", network, id) };
        let forget = |(): &(), _: &CallState| Ok(vec![Write::RemoveEndpoint(network.id.clone(), id.clone())]);
        match self.call(&call, calls, |code, state| code.delete_endpoint(state, &network.id, id), forget) {
            Ok(done) => Ok(done.swept),
            Err(error) => self.remove_without_driver(network, Some(id), &error),
        }
    }

    pub(super) fn endpoints(&self, network: Option<&str>) -> Result<Vec<endpoint::Endpoint>> {
        let networks = match network {
            Some(network) => vec![self.find_network(network)?],
            None => self.store.networks()?,
        };
        let mut all = Vec::new();
        for network in networks {
            for endpoint in self.store.endpoints(Some(&network.id))? {
                all.push(reply(&network, endpoint, Vec::new()));
            }
        }
        Ok(all)
    }

    /// An endpoint with what its driver tells of it.
    pub(super) fn endpoint_reply(&self, network: &Network, endpoint: Endpoint) -> Result<endpoint::Endpoint> {
        let driver = self.drivers.get(&network.driver);
        let info = driver.and_then(|d| self.oper_info(&d, network, &endpoint.id, &mut Vec::new())).unwrap_or_default();
        Ok(reply(network, endpoint, info))
    }

    pub(super) fn oper_info(
        &self,
        driver: &Driver,
        network: &Network,
        id: &Id,
        calls: &mut Vec<CallTrace>,
    ) -> Result<Vec<(String, String)>> {
        let call = Call::endpoint(driver, "endpoint-oper-info", network, id);
        let run = |code: &Code, state| code.endpoint_oper_info(state, &network.id, id);
        Ok(self.call(&call, calls, run, |_, _| Ok(Vec::new()))?.value.into_iter().collect())
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

/// A sandbox's key for drivers: the same for all endpoints of a container, and it says nothing of its path.
pub(super) fn sandbox_key(sandbox: &str) -> String {
    words::file::digest(sandbox.as_bytes())[..16].to_owned()
}

/// Where an endpoint's container is.
pub(super) fn place(endpoint: &Endpoint) -> Option<PathBuf> {
    endpoint.sandbox.as_ref().map(|sandbox| sandbox.path.clone()).or_else(|| endpoint.joined.clone())
}

pub(super) fn reply(network: &Network, endpoint: Endpoint, info: Vec<(String, String)>) -> endpoint::Endpoint {
    endpoint::Endpoint {
        namespace: place(&endpoint),
        id: endpoint.id,
        name: endpoint.name,
        network: network.name.clone(),
        interface: endpoint.interface.map(|(_, name)| name.to_string()),
        mac_address: endpoint.mac,
        address: endpoint.address,
        address_ipv6: endpoint.address_ipv6,
        gateway: endpoint.gateway,
        gateway_ipv6: endpoint.gateway_ipv6,
        ports: endpoint.ports,
        info: info.into_iter().collect(),
    }
}
