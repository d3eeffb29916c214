//! An endpoint's steps into its sandbox and out of it.

use std::cell::Cell;
use std::net::IpAddr;
use std::path::Path;

use super::Steps;
use crate::capability::{Interface, Join};
use crate::controller::Inner;
use crate::controller::arguments::endpoint_options;
use crate::controller::call::{Call, Said};
use crate::controller::sandbox::check_gateways;
use ask::Arguments;
use kernel::{LinkInfo, LinkKey, Namespace};
use operation::driver::Without;
use operation::engine::{EndpointOptions, InterfaceName};
use store::{Endpoint, Network, Thing, Write};
use words::{Error, LinkName, Result};

/// A sandbox that an endpoint joins.
pub(in crate::controller) struct JoinSandbox<'a> {
    /// Where it is, or where its engine says that it is or will be.
    pub path: &'a Path,
    /// Its options: its ports.
    pub options: &'a EndpointOptions,
    /// It can't use IPv6: nothing of that is taken from the driver's answer.
    pub without_ipv6: bool,
}

impl Steps<'_> {
    /// Joins a sandbox. Answers the endpoint as it is recorded then, what the sandbox gets, and for an engine's the link that it is to move.
    pub fn join(
        &mut self,
        network: &Network,
        endpoint: &Endpoint,
        sandbox: &JoinSandbox<'_>,
    ) -> Result<(Endpoint, Join, Option<InterfaceName>)> {
        let interface = Interface { sandbox: endpoint.sandbox.clone().map(Namespace::At), ..Interface::default() };
        let arguments = Arguments::Join {
            network: network.id.to_string(),
            endpoint: endpoint.id.to_string(),
            sandbox: sandbox_key(endpoint, sandbox.path),
            options: endpoint_options(sandbox.options),
        };
        let call = Call { interface, ..Call::endpoint(&self.driver, arguments, network, &endpoint.id) };
        let link = Cell::new(None);
        let record = |said: &Said| {
            let join = usable(&said.join, sandbox.without_ipv6);
            check_gateways(endpoint, &join)?;
            if endpoint.sandbox.is_none() {
                link.set(self.inner.interface_name(&join)?);
            }
            Ok(vec![Write::PutEndpoint(joined(network, endpoint, sandbox.path, &join))])
        };
        let done = self.inner.call(&call, &mut self.calls, record)?;
        let join = usable(&done.said.join, sandbox.without_ipv6);
        let joined = joined(network, endpoint, sandbox.path, &join);
        self.check_interface(network, &joined, &join);
        // Where it is the host that sets the link up, it tells them then.
        if endpoint.sandbox.is_none() {
            self.inner.announce(&joined);
        }
        Ok((joined, join, link.take()))
    }

    /// A driver that names no link has forgotten it, unless its manifest says that it gives none.
    fn check_interface(&mut self, network: &Network, endpoint: &Endpoint, join: &Join) {
        if join.names.is_some() || self.driver.does_without(Without::Interface) {
            return;
        }
        let Endpoint { name, .. } = endpoint;
        let warning = format!(
            "{name} has no interface: the driver {} named no link in join (`set-names`); one that gives none says `without = [\"interface\"]` in its manifest",
            self.driver.record.name
        );
        tracing::warn!(network = %network.name, "{warning}");
        self.warnings.push(warning);
    }

    /// Leaves the sandbox. The endpoint's table entries go with it, as the interface says, so that it can join again.
    pub fn leave(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        let arguments = Arguments::Leave { network: network.id.to_string(), endpoint: endpoint.id.to_string() };
        let call = Call::endpoint(&self.driver, arguments, network, &endpoint.id);
        let record = |_: &Said| {
            let left = Write::PutEndpoint(Endpoint { joined: None, ..endpoint.clone() });
            Ok(vec![left, Write::RemoveEntries(network.id.clone(), endpoint.id.clone())])
        };
        self.inner.call(&call, &mut self.calls, record)?;
        Ok(())
    }
}

impl Inner {
    /// Tells the others on the endpoint's bridge that its addresses are its own now. Somebody else may have had them with another MAC. Its own
    /// link may not be up yet, and an engine moves it later and tells nobody: so the bridge speaks for it. Answers its link on the host as it is.
    pub(in crate::controller) fn announce(&self, endpoint: &Endpoint) -> Option<LinkInfo> {
        self.try_to_announce(endpoint).unwrap_or_else(|error| {
            tracing::warn!(network = %endpoint.network, endpoint = %endpoint.name, "its neighbours are not told: {error}");
            None
        })
    }

    fn try_to_announce(&self, endpoint: &Endpoint) -> Result<Option<LinkInfo>> {
        let Some(mac) = endpoint.mac else { return Ok(None) };
        let ipv4 = endpoint.address.map(|net| IpAddr::from(net.addr()));
        let addresses: Vec<IpAddr> =
            ipv4.into_iter().chain(endpoint.address_ipv6.map(|net| net.addr().into())).collect();
        let mut found = None;
        for object in self.store.objects(&endpoint.network, Some(Some(&endpoint.id)))? {
            let Thing::Link { namespace: Namespace::Host, index, again: Some(again), .. } = object.thing else {
                continue;
            };
            if let Some(bridge) = again.set.master.filter(|bridge| *bridge != 0 && !addresses.is_empty()) {
                let [bridge, link] = [bridge, index].map(|index| LinkKey { namespace: Namespace::Host, index });
                found = self.kernel.announce(&bridge, mac, &addresses, &link)?;
            }
        }
        Ok(found)
    }

    /// The link that an engine is to move, by its name: it is one that was made for this endpoint (`set-names` refuses any other), and it
    /// must be where an engine looks.
    fn interface_name(&self, join: &Join) -> Result<Option<InterfaceName>> {
        let Some(names) = &join.names else { return Ok(None) };
        if names.source.namespace != Namespace::Host {
            return Err(Error::invalid(
                "the driver's link is not on the host, where the container engine takes it from",
            ));
        }
        let link = self.kernel.link(&names.source)?.ok_or_else(|| Error::not_found("the driver's link is gone"))?;
        let source = LinkName::new(&link.name)?;
        Ok(Some(InterfaceName { source, prefix: names.prefix.to_string(), name: names.name.clone() }))
    }
}

/// A sandbox's key for drivers: the same for all endpoints of a container, and it says nothing of its path.
fn sandbox_key(endpoint: &Endpoint, path: &Path) -> String {
    let sandbox = match &endpoint.sandbox {
        Some(sandbox) => format!("{}:{}", sandbox.inode, path.display()),
        None => path.to_string_lossy().into_owned(),
    };
    words::file::digest(sandbox.as_bytes())[..16].to_owned()
}

/// What a sandbox can use of the driver's answer.
fn usable(join: &Join, without_ipv6: bool) -> Join {
    let mut join = join.clone();
    if without_ipv6 {
        join.gateway_ipv6 = None;
        join.routes.retain(|route| route.destination.addr().is_ipv4());
    }
    join
}

/// The endpoint in its sandbox. What was to be its gateway is it only if the driver names one, or needs none.
fn joined(network: &Network, endpoint: &Endpoint, path: &Path, join: &Join) -> Endpoint {
    let Join { gateway, gateway_ipv6, force_gateway_ipv4, force_gateway_ipv6, .. } = *join;
    let joined = Endpoint {
        joined: Some(path.to_owned()),
        gateway,
        gateway_ipv6,
        needs_no_gateway: force_gateway_ipv4 && !network.internal,
        needs_no_gateway_ipv6: force_gateway_ipv6 && !network.internal,
        ..endpoint.clone()
    };
    let (can_be, can_be_ipv6) = joined.can_be_gateway();
    Endpoint {
        is_gateway: endpoint.is_gateway && can_be,
        is_gateway_ipv6: endpoint.is_gateway_ipv6 && can_be_ipv6,
        ..joined
    }
}
