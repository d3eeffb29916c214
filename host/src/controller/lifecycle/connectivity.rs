//! A sandbox's way out: one of its endpoints is its gateway for each family, and publishes its ports.

use super::Steps;
use crate::controller::Inner;
use crate::controller::arguments::endpoint_options;
use crate::controller::call::{Call, Said};
use ask::Arguments;
use operation::engine::EndpointOptions;
use store::{Endpoint, Network, Write};
use words::{Error, Id, Kind, Result};

impl Steps<'_> {
    /// Makes an endpoint the gateway of its sandbox for the families for which it says so, and publishes its ports. `others`: the other
    /// endpoints of the sandbox. Answers the endpoint as it is recorded then. `NotImplemented`: the driver has no such part.
    pub fn program_external_connectivity(
        &mut self,
        network: &Network,
        endpoint: &Endpoint,
        others: &[Endpoint],
        options: &EndpointOptions,
    ) -> Result<Endpoint> {
        if !self.driver.connects_outside() {
            let why = format!("the driver {} does not export external-connectivity", self.driver.record.name);
            return Err(Error::new(Kind::NotImplemented, why));
        }
        let told_gateways = gateways_of([endpoint].into_iter().chain(others));
        let [gateway_ipv4, gateway_ipv6] = told_gateways.each_ref().map(|id| id.as_ref().map(Id::to_string));
        let arguments = Arguments::ProgramExternalConnectivity {
            network: network.id.to_string(),
            endpoint: endpoint.id.to_string(),
            gateway_ipv4,
            gateway_ipv6,
            options: endpoint_options(options),
        };
        let call = Call::endpoint(&self.driver, arguments, network, &endpoint.id);
        let programmed = Endpoint { told_gateways, ..endpoint.clone() };
        let record = |_: &Said| Ok(vec![Write::PutEndpoint(programmed.clone())]);
        self.inner.call(&call, &mut self.calls, record)?;
        Ok(programmed)
    }

    /// The endpoint is no gateway any more. Answers it without its ports. Ok where the driver has no such part.
    pub fn revoke_external_connectivity(&mut self, network: &Network, endpoint: &Endpoint) -> Result<Endpoint> {
        self.resign(network, Endpoint { ports: Vec::new(), ..endpoint.clone() })
    }

    /// The same, but for the record: it keeps its ports, for the gateway that comes next, or until it is one again.
    pub fn resign(&mut self, network: &Network, endpoint: Endpoint) -> Result<Endpoint> {
        let revoked =
            Endpoint { is_gateway: false, is_gateway_ipv6: false, told_gateways: Default::default(), ..endpoint };
        if !self.driver.connects_outside() {
            return Ok(revoked);
        }
        let (of, id) = (network.id.to_string(), revoked.id.to_string());
        let arguments = Arguments::RevokeExternalConnectivity { network: of, endpoint: id };
        let call = Call::endpoint(&self.driver, arguments, network, &revoked.id);
        let record = |_: &Said| Ok(vec![Write::PutEndpoint(revoked.clone())]);
        self.inner.call(&call, &mut self.calls, record)?;
        Ok(revoked)
    }

    /// The same for an endpoint that is about to leave or go, if it is a gateway: as in libnetwork, the driver can't keep it.
    pub fn disconnect(&mut self, network: &Network, endpoint: Endpoint) -> Endpoint {
        if !endpoint.is_gateway && !endpoint.is_gateway_ipv6 {
            return endpoint;
        }
        self.revoke_external_connectivity(network, &endpoint).unwrap_or_else(|error| {
            tracing::warn!(network = %network.name, endpoint = %endpoint.name, "{error}");
            endpoint
        })
    }
}

/// The sandbox's gateways among its endpoints: IPv4, IPv6.
pub(in crate::controller) fn gateways_of<'a>(endpoints: impl Iterator<Item = &'a Endpoint> + Clone) -> [Option<Id>; 2] {
    let first = |is_gateway: fn(&Endpoint) -> bool| endpoints.clone().find(|e| is_gateway(e)).map(|e| e.id.clone());
    [first(|e| e.is_gateway), first(|e| e.is_gateway_ipv6)]
}

impl Inner {
    /// The other endpoints of the sandbox that an endpoint is attached to, or has joined.
    pub(in crate::controller) fn others_in_sandbox(&self, endpoint: &Endpoint) -> Result<Vec<Endpoint>> {
        let mut others = match (&endpoint.sandbox, endpoint.joined.as_ref().and_then(|path| path.to_str())) {
            (Some(sandbox), _) => self.store.endpoints_in_sandbox(sandbox.inode)?,
            (None, Some(path)) => self.store.find_endpoint(None, path)?,
            (None, None) => Vec::new(),
        };
        // An engine's sandbox is known by its path only, and a text can be found as something else.
        let is_here =
            |other: &Endpoint| endpoint.sandbox.is_some() || other.sandbox.is_none() && other.joined == endpoint.joined;
        others.retain(|other| other.id != endpoint.id && is_here(other));
        Ok(others)
    }
}
