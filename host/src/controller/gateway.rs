//! Gateway endpoints: of a namespace's endpoints, one is its way out for each family.

use std::cmp::Reverse;

use super::Inner;
use super::attach::Attaching;
use super::lifecycle::gateways_of;
use kernel::{Change, LinkKey, Namespace, NamespacePath, Route};
use operation::endpoint::Attach;
use store::{Endpoint, Network};
use words::{Id, Name, Result};

/// An endpoint: its network, whose driver, and its id.
pub(super) type Candidate = (Id, Name, Id);

/// See [`Inner::gateways_in_the_way`].
pub(super) struct InTheWay {
    pub sandbox: Option<NamespacePath>,
    pub gateways: Vec<Candidate>,
}

impl Inner {
    /// The endpoint of the sandbox with the highest priority that could be a gateway, where a family has none.
    pub(super) fn next_gateway(&self, sandbox: &NamespacePath) -> Result<Option<Candidate>> {
        let mut endpoints = self.store.endpoints_in_sandbox(sandbox.inode)?;
        let lacks = !endpoints.iter().any(|e| e.is_gateway);
        let lacks_ipv6 = !endpoints.iter().any(|e| e.is_gateway_ipv6);
        // Of equal ones, the first comes first.
        endpoints.sort_by_key(|e| Reverse(e.gateway_priority));
        let fits = |e: &&Endpoint| {
            let (can_be, can_be_ipv6) = e.can_be_gateway();
            lacks && can_be || lacks_ipv6 && can_be_ipv6
        };
        endpoints.iter().find(fits).map(|next| self.candidate(next)).transpose()
    }

    /// What has to resign before a namespace gets an endpoint with a higher priority and a way out. What is wrong with the namespace, the attach says.
    pub(super) fn gateways_in_the_way(&self, network: &Network, attach: &Attach) -> Result<InTheWay> {
        let sandbox = self.sandbox(&attach.namespace).ok().filter(|_| !network.internal);
        let gateways = match &sandbox {
            Some(sandbox) => self.gateways_below(sandbox, attach.gateway_priority.into())?,
            None => Vec::new(),
        };
        Ok(InTheWay { sandbox, gateways })
    }

    /// The gateway endpoints of the sandbox that have a lower priority than this.
    pub(super) fn gateways_below(&self, sandbox: &NamespacePath, priority: i64) -> Result<Vec<Candidate>> {
        let endpoints = self.store.endpoints_in_sandbox(sandbox.inode)?;
        let is_below = |e: &&Endpoint| (e.is_gateway || e.is_gateway_ipv6) && i64::from(e.gateway_priority) < priority;
        endpoints.iter().filter(is_below).map(|endpoint| self.candidate(endpoint)).collect()
    }

    /// The sandbox's gateway endpoints whose drivers were told of other gateways than there are now.
    pub(super) fn told_of_others(&self, sandbox: &NamespacePath) -> Result<Vec<Candidate>> {
        let endpoints = self.store.endpoints_in_sandbox(sandbox.inode)?;
        let now = gateways_of(endpoints.iter());
        let was_told = |e: &&Endpoint| (e.is_gateway || e.is_gateway_ipv6) && e.told_gateways != now;
        let mut found = Vec::new();
        for endpoint in endpoints.iter().filter(was_told) {
            let candidate = self.candidate(endpoint)?;
            if self.drivers.get(&candidate.1).is_ok_and(|driver| driver.connects_outside()) {
                found.push(candidate);
            }
        }
        Ok(found)
    }

    fn candidate(&self, endpoint: &Endpoint) -> Result<Candidate> {
        Ok((endpoint.network.clone(), self.driver_of(&endpoint.network)?, endpoint.id.clone()))
    }

    /// An endpoint is its sandbox's gateway no more: its default routes go, and its ports are published by the next one.
    pub(super) fn resign_gateway(&self, network: &Id, endpoint: &Id) -> Result<()> {
        let (Some(network), Some(endpoint)) = (self.store.network(network)?, self.store.endpoint(network, endpoint)?)
        else {
            return Ok(());
        };
        let (Some(sandbox), Some((index, _))) = (endpoint.sandbox.clone(), &endpoint.interface) else { return Ok(()) };
        let key = LinkKey { namespace: Namespace::At(sandbox), index: *index };
        let routes = self.default_routes(&key, &endpoint).into_iter().map(Change::RemoveRoute);
        self.kernel.apply(&routes.collect::<Vec<_>>())?;
        self.steps(&network.driver)?.resign(&network, endpoint)?;
        Ok(())
    }

    /// Makes an endpoint its sandbox's gateway for the families that have none, and tells its driver which the gateways are.
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
        let (can_be, can_be_ipv6) = endpoint.can_be_gateway();
        endpoint.is_gateway = can_be && !others.iter().any(|e| e.is_gateway);
        endpoint.is_gateway_ipv6 = can_be_ipv6 && !others.iter().any(|e| e.is_gateway_ipv6);
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
