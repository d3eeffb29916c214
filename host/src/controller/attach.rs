//! Attaching a namespace: an endpoint is made, joins its sandbox, and is connected with the outside, or nothing of it stays.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use rustix::io::Errno;

use super::Inner;
use super::call::{Call, endpoint_options};
use super::endpoint::{place, reply, sandbox_key};
use crate::driver::Driver;
use crate::engine::{CallState, Code, Interface, Join, Outcome};
use kernel::{Namespace, NamespacePath, Sysctl};
use operation::driver::CallTrace;
use operation::endpoint::{Attach, Attached};
use store::{Batch, Durability, Endpoint, Network, Write};
use words::{Error, Id, Kind, Name, Result, now};

/// An endpoint on its way: what it is, and the calls so far.
pub(super) struct Attaching<'a> {
    inner: &'a Inner,
    driver: &'a Driver,
    network: &'a Network,
    endpoint: Endpoint,
    sandbox: NamespacePath,
    /// Its IPv6 address was given back: its namespace can't use it.
    without_ipv6: bool,
    calls: Vec<CallTrace>,
}

impl Inner {
    pub(super) fn attach(&self, network: &Id, attach: Attach) -> Result<Attached> {
        let network =
            self.store.network(network)?.ok_or_else(|| Error::not_found(format!("there is no network {network}")))?;
        if let Some(why) = &network.down {
            return Err(Error::new(Kind::Unavailable, format!("the network {} is down: {why}", network.name)));
        }
        if network.by_engine {
            return Err(Error::forbidden(format!(
                "the network {} is a container engine's, which attaches its containers itself",
                network.name
            )));
        }
        let driver = self.drivers.get(&network.driver)?;
        let sandbox = self.sandbox(&attach.namespace)?;
        let endpoint = self.new_endpoint(&network, &driver, &attach, &sandbox)?;
        let mut attaching = Attaching::new(self, &driver, &network, endpoint, sandbox);
        match attaching.run(&attach) {
            Ok(info) => {
                let Attaching { endpoint, calls, .. } = attaching;
                tracing::info!(network = %network.name, endpoint = %endpoint.name, "attached");
                Ok(Attached { endpoint: reply(&network, endpoint, info), calls })
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
        let id = Id::random()?;
        let mut endpoint = Endpoint {
            id,
            network: network.id.clone(),
            name,
            sandbox: Some(sandbox.clone()),
            joined: None,
            interface: None,
            mac: attach.mac_address,
            address: None,
            address_ipv6: None,
            gateway: None,
            gateway_ipv6: None,
            is_gateway,
            is_gateway_ipv6,
            ports: attach.ports.clone(),
            options: attach.options.clone(),
            attached: false,
            created: now(),
        };
        let leased = self.lease(network, &mut endpoint, attach);
        if let Err(error) = leased {
            self.store.release_owner(&network.id, endpoint.id.as_str())?;
            return Err(error);
        }
        Ok(endpoint)
    }

    /// An address of each family that the network has pools for.
    fn lease(&self, network: &Network, endpoint: &mut Endpoint, attach: &Attach) -> Result<()> {
        endpoint.address = match self.lease_one(network, endpoint, attach.address.map(IpAddr::from), true)? {
            Some(IpNet::V4(net)) => Some(net),
            _ => None,
        };
        endpoint.address_ipv6 = match self.lease_one(network, endpoint, attach.address_ipv6.map(IpAddr::from), false)? {
            Some(IpNet::V6(net)) => Some(net),
            _ => None,
        };
        Ok(())
    }

    fn lease_one(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        wanted: Option<IpAddr>,
        ipv4: bool,
    ) -> Result<Option<IpNet>> {
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
        let address = self.store.lease_address(&network.id, pool, wanted, endpoint.id.as_str())?;
        let net =
            IpNet::new(address, pool.subnet.prefix_len()).map_err(|e| Error::internal(format!("{address}: {e}")))?;
        Ok(Some(net))
    }

    /// A namespace by path, or by name under /run/netns.
    fn sandbox(&self, namespace: &str) -> Result<NamespacePath> {
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
        driver: &'a Driver,
        network: &'a Network,
        endpoint: Endpoint,
        sandbox: NamespacePath,
    ) -> Self {
        Self { inner, driver, network, endpoint, sandbox, without_ipv6: false, calls: Vec::new() }
    }

    /// All steps. Answers what the driver tells of the endpoint.
    fn run(&mut self, attach: &Attach) -> Result<Vec<(String, String)>> {
        self.create(attach)?;
        self.release_ipv6()?;
        let join = self.join()?;
        self.endpoint.interface = self.inner.configure(&self.endpoint, &self.at(), &join, attach.interface.as_ref())?;
        self.connect_outside()?;
        let info = self.inner.oper_info(self.driver, self.network, &self.endpoint.id, &mut self.calls)?;
        self.endpoint.attached = true;
        self.record()?;
        Ok(info)
    }

    fn create(&mut self, attach: &Attach) -> Result<()> {
        let endpoint = &self.endpoint;
        let interface = Interface {
            mac: endpoint.mac,
            address: endpoint.address,
            address_ipv6: endpoint.address_ipv6,
            sandbox: Some(self.at()),
        };
        let call = Call { interface, ..Call::endpoint(self.driver, "create-endpoint", self.network, &endpoint.id) };
        let options = endpoint_options(endpoint, attach.mac_address);
        let completed = |state: &CallState| {
            let Interface { mac, address, address_ipv6, .. } = state.interface;
            Endpoint { mac, address, address_ipv6, ..endpoint.clone() }
        };
        let done = self.inner.call(
            &call,
            &mut self.calls,
            |code, state| code.create_endpoint(state, &endpoint.network, &endpoint.id, &options),
            |(), state| Ok(vec![Write::PutEndpoint(completed(state))]),
        )?;
        self.endpoint = completed(&done.state);
        Ok(())
    }

    /// As libnetwork does: a container that can't use IPv6 gets no IPv6 address, and the driver hears of it before the join.
    fn release_ipv6(&mut self) -> Result<()> {
        let Some(address) = self.endpoint.address_ipv6 else { return Ok(()) };
        if self.inner.uses_ipv6(&self.sandbox)? {
            return Ok(());
        }
        let endpoint = Endpoint { address_ipv6: None, is_gateway_ipv6: false, ..self.endpoint.clone() };
        let (network, id) = (&endpoint.network, &endpoint.id);
        let release = || {
            let freed = Write::ReleaseAddress { network: network.clone(), address: address.addr().into() };
            vec![Write::PutEndpoint(endpoint.clone()), freed]
        };
        if self.driver.code.releases_ipv6() {
            let call = Call::endpoint(self.driver, "release-ipv6", self.network, id);
            self.inner.call(
                &call,
                &mut self.calls,
                |code, state| code.release_ipv6(state, network, id),
                |(), _| Ok(release()),
            )?;
        } else {
            let (writes, durability) = (release(), Durability::Process);
            self.inner.store.commit(Batch { writes, durability, ..Batch::default() })?;
        }
        self.without_ipv6 = true;
        self.endpoint = endpoint;
        Ok(())
    }

    fn join(&mut self) -> Result<Join> {
        let (endpoint, without_ipv6) = (&self.endpoint, self.without_ipv6);
        let options = endpoint_options(endpoint, None);
        let key = sandbox_key(&format!("{}:{}", self.sandbox.inode, self.sandbox.path.display()));
        let joined = |state: &CallState| {
            let Join { gateway, gateway_ipv6, force_gateway_ipv4, force_gateway_ipv6, .. } = state.join;
            let gateway_ipv6 = gateway_ipv6.filter(|_| !without_ipv6);
            Endpoint {
                gateway,
                gateway_ipv6,
                is_gateway: endpoint.is_gateway && (gateway.is_some() || force_gateway_ipv4),
                is_gateway_ipv6: endpoint.is_gateway_ipv6 && (gateway_ipv6.is_some() || force_gateway_ipv6),
                ..endpoint.clone()
            }
        };
        let interface = Interface { sandbox: Some(self.at()), ..Interface::default() };
        let call = Call { interface, ..Call::endpoint(self.driver, "join", self.network, &endpoint.id) };
        let run = |code: &Code, state| code.join(state, &endpoint.network, &endpoint.id, &key, &options);
        let done =
            self.inner.call(&call, &mut self.calls, run, |(), state| Ok(vec![Write::PutEndpoint(joined(state))]))?;
        self.endpoint = joined(&done.state);
        let mut join = done.state.join;
        if without_ipv6 {
            join.gateway_ipv6 = None;
            join.routes.retain(|route| route.destination.addr().is_ipv4());
        }
        Ok(join)
    }

    /// Called for gateway endpoints of networks with a way out.
    pub(super) fn connect_outside(&mut self) -> Result<()> {
        let endpoint = &self.endpoint;
        let is_gateway = endpoint.is_gateway || endpoint.is_gateway_ipv6;
        if !is_gateway && !endpoint.ports.is_empty() {
            return Err(Error::invalid("ports can't be published: the driver named no gateway for this endpoint"));
        }
        if self.network.internal || !is_gateway || !self.driver.code.connects_outside() {
            return Ok(());
        }
        let others = self.inner.store.endpoints_in_sandbox(self.sandbox.inode)?;
        let of = |own: bool, is_it: fn(&Endpoint) -> bool| match own {
            true => Some(endpoint.id.clone()),
            false => others.iter().find(|e| is_it(e)).map(|e| e.id.clone()),
        };
        let (ipv4, ipv6) =
            (of(endpoint.is_gateway, |e| e.is_gateway), of(endpoint.is_gateway_ipv6, |e| e.is_gateway_ipv6));
        let options = endpoint_options(endpoint, None);
        let call = Call::endpoint(self.driver, "program-external-connectivity", self.network, &endpoint.id);
        let run = |code: &Code, state| -> Outcome<()> {
            code.program_external_connectivity(
                state,
                &endpoint.network,
                &endpoint.id,
                [ipv4.as_ref(), ipv6.as_ref()],
                &options,
            )
        };
        self.inner.call(&call, &mut self.calls, run, |(), _| Ok(vec![Write::PutEndpoint(endpoint.clone())]))?;
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
        let Self { inner, driver, network, endpoint, calls, .. } = self;
        let created = inner.store.endpoint(&endpoint.network, &endpoint.id);
        let undone = match created {
            Ok(None) => inner.store.release_owner(&endpoint.network, endpoint.id.as_str()).map_err(Error::from),
            _ => match inner.drivers.get(&driver.record.name) {
                Ok(driver) => inner.leave_and_delete(&driver, network, endpoint, calls).map(drop),
                Err(error) => Err(error),
            },
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
    if !driver.code.connects_outside() {
        return refusal("its driver does not export external-connectivity");
    }
    if !is_gateway {
        return refusal("another endpoint is the namespace's gateway; attach the network with the ports first");
    }
    for port in &attach.ports {
        if port.container_port == 0 || (port.host_port_end != 0 && port.host_port_end < port.host_port) {
            return Err(Error::invalid(format!(
                "{}-{}:{} is no port mapping",
                port.host_port, port.host_port_end, port.container_port
            )));
        }
    }
    Ok(())
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
