//! Gateway endpoints: of a namespace's endpoints, one is its way out for each family.

use super::Inner;
use super::attach::Attaching;
use kernel::{Change, LinkKey, Namespace, NamespacePath, Route};
use store::Endpoint;
use words::{Id, Name, Result};

impl Inner {
    /// An endpoint of the sandbox that could be a gateway, where a family has none.
    pub(super) fn next_gateway(&self, sandbox: &NamespacePath) -> Result<Option<(Id, Name, Id)>> {
        let endpoints = self.store.endpoints_in_sandbox(sandbox.inode)?;
        let lacks = !endpoints.iter().any(|e| e.is_gateway);
        let lacks_ipv6 = !endpoints.iter().any(|e| e.is_gateway_ipv6);
        let fits = |e: &&Endpoint| lacks && e.gateway.is_some() || lacks_ipv6 && e.gateway_ipv6.is_some();
        let Some(next) = endpoints.iter().find(fits) else { return Ok(None) };
        Ok(Some((next.network.clone(), self.driver_of(&next.network)?, next.id.clone())))
    }

    /// Makes an endpoint its sandbox's gateway for the families that have none.
    pub(super) fn become_gateway(&self, network: &Id, endpoint: &Id) -> Result<()> {
        let (Some(network), Some(mut endpoint)) =
            (self.store.network(network)?, self.store.endpoint(network, endpoint)?)
        else {
            return Ok(());
        };
        let Some(sandbox) = endpoint.sandbox.clone() else { return Ok(()) };
        let steps = self.steps(&network.driver)?;
        let others = self.others_in_sandbox(&endpoint)?;
        let was = (endpoint.is_gateway, endpoint.is_gateway_ipv6);
        endpoint.is_gateway = endpoint.gateway.is_some() && !others.iter().any(|e| e.is_gateway);
        endpoint.is_gateway_ipv6 = endpoint.gateway_ipv6.is_some() && !others.iter().any(|e| e.is_gateway_ipv6);
        let Some((index, _)) = endpoint.interface else { return Ok(()) };
        let key = LinkKey { namespace: Namespace::At(sandbox.clone()), index };
        // For a family whose gateway it was, it has the route.
        let (is_gateway, is_gateway_ipv6) = (endpoint.is_gateway && !was.0, endpoint.is_gateway_ipv6 && !was.1);
        let newly = Endpoint { is_gateway, is_gateway_ipv6, ..endpoint.clone() };
        // An election that a kill cut off has made them already.
        let there = self.kernel.routes(&key)?;
        let has =
            |route: &Route| there.iter().any(|t| (t.destination, t.gateway) == (route.destination, route.gateway));
        let routes = self.default_routes(&key, &newly).into_iter().filter(|route| !has(route));
        let routes: Vec<Change> = routes.map(Change::AddRoute).collect();
        self.kernel.apply(&routes)?;
        let mut electing = Attaching::new(self, steps, &network, endpoint, sandbox);
        electing.connect_outside()?;
        electing.record()
    }
}
