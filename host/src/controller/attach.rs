//! Attaching a namespace: an endpoint is made, joins its sandbox, and is connected with the outside, or nothing of it stays.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use rustix::io::Errno;

use super::Inner;
use super::arguments::attached_options;
use super::endpoint::place;
use super::lifecycle::{JoinSandbox, Steps};
use crate::driver::Driver;
use kernel::{Namespace, NamespacePath, Sysctl};
use operation::driver::CallTrace;
use operation::endpoint::{Attach, Attached};
use operation::engine::Labels;
use operation::origin::Origin;
use store::{Batch, Durability, Endpoint, Network, Write};
use words::{Error, Id, Kind, Name, Result};

/// An endpoint on its way, and the steps that it takes.
pub(super) struct Attaching<'a> {
    inner: &'a Inner,
    steps: Steps<'a>,
    network: &'a Network,
    endpoint: Endpoint,
    sandbox: NamespacePath,
}

impl Inner {
    pub(super) fn attach(&self, network: &Id, attach: Attach) -> Result<Attached> {
        let network =
            self.store.network(network)?.ok_or_else(|| Error::not_found(format!("there is no network {network}")))?;
        if let Some(why) = &network.down {
            return Err(Error::new(Kind::Unavailable, format!("the network {} is down: {why}", network.name)));
        }
        if network.origin != Origin::Native {
            return Err(Error::forbidden(format!(
                "the network {} is a container engine's, which attaches its containers itself: {}",
                network.name, network.origin
            )));
        }
        let steps = self.steps(&network.driver)?;
        let sandbox = self.sandbox(&attach.namespace)?;
        let _until_it_is_attached = self.kernel.keep(&sandbox);
        let mut endpoint = self.new_endpoint(&network, &steps.driver, &attach, &sandbox)?;
        let (leases, mut asked) = match network.global && self.cluster.is_some() {
            false => self.leases(&network, &mut endpoint, &attach)?,
            true => match self.claim(&network, &mut endpoint, &attach) {
                Ok(leases) => (leases, Vec::new()),
                Err(error) => {
                    self.unclaim(&network, &endpoint);
                    return Err(error);
                }
            },
        };
        let mut attaching = Attaching::new(self, steps, &network, endpoint, sandbox);
        match attaching.run(&attach, &leases) {
            Ok(info) => {
                let Attaching { endpoint, steps: Steps { calls, warnings, .. }, .. } = attaching;
                tracing::info!(network = %network.name, endpoint = %endpoint.name, "attached");
                asked.extend(calls.traces);
                Ok(Attached { endpoint: self.told(&network, endpoint, info)?, calls: asked, warnings })
            }
            Err(error) => {
                attaching.roll_back();
                Err(error)
            }
        }
    }

    fn new_endpoint(
        &self,
        network: &Network,
        driver: &Driver,
        attach: &Attach,
        sandbox: &NamespacePath,
    ) -> Result<Endpoint> {
        let name = match &attach.name {
            Some(name) => name.clone(),
            None => name_of(&sandbox.path)?,
        };
        if let Some(taken) = self.store.find_endpoint(Some(&network.id), name.as_str())?.iter().find(|e| e.name == name)
        {
            return Err(Error::exists(format!(
                "the network {} has an endpoint {name} already (of {}): choose another with --name",
                network.name,
                place(taken).unwrap_or_default().display()
            )));
        }
        let others = self.store.endpoints_in_sandbox(sandbox.inode)?;
        let outside = !network.internal;
        let is_gateway = outside && !others.iter().any(|e| e.is_gateway);
        let is_gateway_ipv6 = outside && !others.iter().any(|e| e.is_gateway_ipv6);
        check_ports(network, driver, attach, is_gateway || is_gateway_ipv6)?;
        Ok(Endpoint {
            sandbox: Some(sandbox.clone()),
            mac: attach.mac_address,
            is_gateway,
            is_gateway_ipv6,
            gateway_priority: attach.gateway_priority,
            ports: attach.ports.clone(),
            options: attach.options.clone(),
            attached: false,
            ..Endpoint::new(network.id.clone(), Id::random()?, name, Origin::Native)
        })
    }

    /// An address of each family that the network has pools for: they are the endpoint's once what is answered is committed. No other
    /// operation of the network looks for one meanwhile. Answers the calls of a driver that manages addresses, too: its are the endpoint's already.
    pub(super) fn leases(
        &self,
        network: &Network,
        endpoint: &mut Endpoint,
        attach: &Attach,
    ) -> Result<(Vec<Write>, Vec<CallTrace>)> {
        if network.ipam.is_some() {
            return Ok((Vec::new(), self.take_addresses(network, endpoint, attach)?));
        }
        let mut leases = Vec::new();
        for (wanted, ipv4) in [(attach.address.map(IpAddr::from), true), (attach.address_ipv6.map(IpAddr::from), false)]
        {
            let Some((net, lease)) = self.lease_one(network, endpoint, wanted, ipv4)? else { continue };
            match net {
                IpNet::V4(net) => endpoint.address = Some(net),
                IpNet::V6(net) => endpoint.address_ipv6 = Some(net),
            }
            leases.push(lease);
        }
        Ok((leases, Vec::new()))
    }

    /// An address of the first pool of a family, or the wanted one; none where there is no pool.
    pub(super) fn lease_one(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        wanted: Option<IpAddr>,
        ipv4: bool,
    ) -> Result<Option<(IpNet, Write)>> {
        let mut pools = network.pools.iter().filter(|p| p.subnet.addr().is_ipv4() == ipv4);
        let pool = match wanted {
            Some(address) => pools.find(|p| p.subnet.contains(&address)),
            None => pools.next(),
        };
        let Some(pool) = pool else {
            let outside =
                |address| Error::invalid(format!("{address} lies in no subnet of the network {}", network.name));
            return wanted.map_or(Ok(None), |address| Err(outside(address)));
        };
        let owner = endpoint.id.to_string();
        let address = self.store.find_address(&network.id, pool, wanted, &owner)?;
        let net =
            IpNet::new(address, pool.subnet.prefix_len()).map_err(|e| Error::internal(format!("{address}: {e}")))?;
        let (network, pool) = (network.id.clone(), pool.clone());
        Ok(Some((net, Write::Lease { network, pool, address, owner, next: wanted.is_none() })))
    }

    /// A namespace by path, or by name under /run/netns.
    pub(super) fn sandbox(&self, namespace: &str) -> Result<NamespacePath> {
        if namespace.is_empty() || namespace.len() > 4096 || namespace.contains('\0') {
            return Err(Error::invalid("a namespace is a path, or a name under /run/netns"));
        }
        let path = if namespace.contains('/') { namespace.into() } else { Path::new("/run/netns").join(namespace) };
        self.kernel.sandbox(&path).map_err(|e| match Error::from(e) {
            error @ Error { kind: Kind::NotFound | Kind::Unavailable, .. } => error,
            error => Error { kind: Kind::InvalidArgument, ..error },
        })
    }

    /// Whether a namespace can use IPv6: it is there, and not switched off for all of its links.
    fn uses_ipv6(&self, sandbox: &NamespacePath) -> Result<bool> {
        let all = Sysctl::Namespace("ipv6/conf/all/disable_ipv6");
        match self.kernel.sysctl(&Namespace::At(sandbox.clone()), &all).map_err(Error::from) {
            Ok(disabled) => Ok(disabled == 0),
            Err(error)
                if error.errno == Some(Errno::NOENT.raw_os_error())
                    && self.kernel.exists(&Namespace::At(sandbox.clone())) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl<'a> Attaching<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        steps: Steps<'a>,
        network: &'a Network,
        endpoint: Endpoint,
        sandbox: NamespacePath,
    ) -> Self {
        Self { inner, steps, network, endpoint, sandbox }
    }

    /// All steps. Answers what the driver tells of the endpoint.
    fn run(&mut self, attach: &Attach, leases: &[Write]) -> Result<Labels> {
        let options = attached_options(&self.endpoint, attach.mac_address);
        // Asked on the first way into the sandbox. A driver may yet choose an address.
        let uses_ipv6 = self.endpoint.address_ipv6.map(|_| self.inner.uses_ipv6(&self.sandbox)).transpose()?;
        self.endpoint = self.steps.create_endpoint(self.network, &self.endpoint, &options, leases)?;
        let without_ipv6 = self.release_ipv6(uses_ipv6)?;
        let options = attached_options(&self.endpoint, None);
        let sandbox = JoinSandbox { path: &self.sandbox.path, options: &options, without_ipv6 };
        let (endpoint, join, _) = self.steps.join(self.network, &self.endpoint, &sandbox)?;
        self.endpoint = endpoint;
        self.endpoint.interface = self.inner.configure(
            &self.endpoint,
            &self.at(),
            &join,
            attach.interface.as_ref(),
            &self.steps.calls.known,
        )?;
        self.connect_outside()?;
        let info = self.steps.oper_info(self.network, &self.endpoint.id)?;
        self.endpoint.attached = true;
        self.record()?;
        Ok(info)
    }

    /// As libnetwork does: a container that can't use IPv6 gets no IPv6 address, and the driver hears of it before the join. Answers whether it
    /// was so.
    fn release_ipv6(&mut self, uses_ipv6: Option<bool>) -> Result<bool> {
        if self.endpoint.address_ipv6.is_none() || uses_ipv6.map_or_else(|| self.inner.uses_ipv6(&self.sandbox), Ok)? {
            return Ok(false);
        }
        let before = self.endpoint.clone();
        self.endpoint = self.steps.release_ipv6(self.network, &self.endpoint)?;
        self.inner.unclaim(self.network, &before);
        self.inner.release_addresses(self.network, &self.endpoint.id, IpAddr::is_ipv6);
        Ok(true)
    }

    /// For gateway endpoints of networks with a way out.
    pub(super) fn connect_outside(&mut self) -> Result<()> {
        let endpoint = &self.endpoint;
        let is_gateway = endpoint.is_gateway || endpoint.is_gateway_ipv6;
        if !is_gateway && !endpoint.ports.is_empty() {
            return Err(Error::invalid("ports can't be published: the driver named no gateway for this endpoint"));
        }
        if self.network.internal || !is_gateway || !self.steps.driver.connects_outside() {
            return Ok(());
        }
        let others = self.inner.others_in_sandbox(endpoint)?;
        // Those of the sandbox: an endpoint that is no gateway has them published by the one that is.
        let idle = others.iter().filter(|other| !other.is_gateway && !other.is_gateway_ipv6);
        let ports = endpoint.ports.iter().chain(idle.flat_map(|other| &other.ports)).cloned().collect();
        let options = attached_options(&Endpoint { ports, ..endpoint.clone() }, None);
        self.endpoint = self.steps.program_external_connectivity(self.network, endpoint, &others, &options)?;
        Ok(())
    }

    fn at(&self) -> Namespace {
        Namespace::At(self.sandbox.clone())
    }

    pub(super) fn record(&self) -> Result<()> {
        let writes = vec![Write::PutEndpoint(self.endpoint.clone())];
        self.inner.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
        Ok(())
    }

    /// Takes back what an attach did before it failed.
    fn roll_back(&mut self) {
        let Self { inner, network, endpoint, .. } = self;
        let undone = match inner.store.endpoint(&endpoint.network, &endpoint.id) {
            Ok(None) => {
                inner.release_addresses(network, &endpoint.id, |_| true);
                inner.unclaim(network, endpoint);
                Ok(())
            }
            _ => inner.forget_endpoint(network, endpoint).map(drop),
        };
        if let Err(error) = undone {
            tracing::error!(network = %network.name, endpoint = %endpoint.id, "can't take back a failed attach: {error}");
        }
    }
}

/// Ports are published or refused, never ignored.
fn check_ports(network: &Network, driver: &Driver, attach: &Attach, is_gateway: bool) -> Result<()> {
    if attach.ports.is_empty() {
        return Ok(());
    }
    let refusal =
        |why: &str| Err(Error::invalid(format!("ports can't be published on the network {}: {why}", network.name)));
    if network.internal {
        return refusal("it is internal");
    }
    if !driver.connects_outside() {
        return refusal("its driver does not export external-connectivity");
    }
    if !is_gateway {
        return refusal(
            "another endpoint is the namespace's gateway; attach the network with the ports first, or with a higher --gateway-priority",
        );
    }
    attach.ports.iter().try_for_each(|port| port.check())
}

/// The name for an endpoint whose user gave none: the last part of the namespace's path.
fn name_of(path: &Path) -> Result<Name> {
    let last = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Name::new(&last).map_err(|_| {
        Error::invalid(format!(
            "the namespace {} gives no name for the endpoint: choose one with --name",
            path.display()
        ))
    })
}
