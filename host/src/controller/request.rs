//! A container engine's requests: it chooses ids and addresses, keeps the sandboxes and moves the links into them.
//!
//! An engine forgets what it asked to have removed, and tells nobody what it lost when it was killed. So removals succeed for what is
//! not there, and remove what an earlier step left.

use std::cell::RefCell;

use rustix::io::Errno;

use super::call::{Call, ipam_data};
use super::endpoint::sandbox_key;
use super::sandbox::check_gateways;
use super::{Controller, Inner};
use crate::driver::Driver;
use crate::engine::{self, CallState, Code};
use kernel::Namespace;
use operation::engine::{
    AllocateNetwork, CreateEndpoint, CreateNetwork, EndpointKey, ExternalConnectivity, Interface, InterfaceName, Join,
    Joined, Labels, NetworkOptions, PoolData, Reply, Request, StaticRoute,
};
use operation::network::Pool;
use store::{Endpoint, Network, Write};
use words::LinkName;
use words::{Error, Id, Kind, Name, Result, now};

/// Set by dockerd where another endpoint is the sandbox's IPv6 gateway (28.0).
const NO_PROXY_6TO4: &str = "com.docker.network.driver.private.no_proxy_6to4";

/// The address space of pools that engines took from here, as dockerd is told.
pub const ADDRESS_SPACE: &str = "PontoonLocal";

/// Digits of a name that is made of an id: as many as Docker shows.
const SHORT: usize = 12;

impl Controller {
    /// Does what a container engine asks of a driver.
    pub async fn request(&self, driver: &Name, request: Request) -> Result<Reply> {
        match self.in_turn(driver, request.clone()).await {
            // A dockerd that was killed never tells of the endpoints that it lost, and its next life wants their ports again.
            Err(error) if is_taken(&error) && self.remove_dead_endpoints().await? => {
                tracing::info!("{error}: tried again without dead endpoints");
                self.in_turn(driver, request).await
            }
            done => done,
        }
    }

    async fn in_turn(&self, driver: &Name, request: Request) -> Result<Reply> {
        let driver = driver.clone();
        match network_of(&request).cloned() {
            Some(network) => {
                self.on_network(network, driver.clone(), move |inner| inner.request(&driver, request)).await
            }
            None => self.on_driver(driver.clone(), move |inner| inner.request(&driver, request)).await,
        }
    }

    /// Removes the endpoints of container engines whose links the kernel has removed. Answers whether there were any.
    async fn remove_dead_endpoints(&self) -> Result<bool> {
        let dead = self.plain(Inner::dead_endpoints).await?;
        for (endpoint, driver) in dead.clone() {
            let network = endpoint.network.clone();
            self.on_network(network, driver, move |inner| inner.remove_if_dead(&endpoint)).await?;
        }
        Ok(!dead.is_empty())
    }
}

/// Somebody has it: a name, an address, or (of a range, where the driver can't say who) a port of the host.
fn is_taken(error: &Error) -> bool {
    error.kind == Kind::AlreadyExists || error.errno == Some(Errno::ADDRINUSE.raw_os_error())
}

/// The network whose turn a request waits for.
fn network_of(request: &Request) -> Option<&Id> {
    match request {
        Request::AllocateNetwork(allocate) => Some(&allocate.network),
        Request::CreateNetwork(create) => Some(&create.network),
        Request::FreeNetwork(network) | Request::DeleteNetwork(network) => Some(network),
        Request::CreateEndpoint(create) => Some(&create.key.network),
        Request::Join(join) => Some(&join.key.network),
        Request::ProgramExternalConnectivity(program) => Some(&program.key.network),
        Request::DeleteEndpoint(key)
        | Request::EndpointInfo(key)
        | Request::Leave(key)
        | Request::RevokeExternalConnectivity(key) => Some(&key.network),
        Request::CheckGateways(_) => None,
        Request::RequestPool(_) | Request::ReleasePool(_) => None,
        Request::RequestAddress(_) | Request::ReleaseAddress { .. } => None,
    }
}

impl Inner {
    fn request(&self, driver: &Name, request: Request) -> Result<Reply> {
        match request {
            Request::AllocateNetwork(allocate) => self.allocate_for_engine(driver, allocate),
            Request::FreeNetwork(network) => self.free_for_engine(driver, network),
            Request::CheckGateways(options) => self.check_gateways(driver, &options),
            Request::CreateNetwork(create) => self.create_engine_network(driver, create),
            Request::DeleteNetwork(network) => self.delete_engine_network(driver, &network),
            Request::CreateEndpoint(create) => self.create_engine_endpoint(driver, create),
            Request::DeleteEndpoint(key) => self.delete_engine_endpoint(driver, &key),
            Request::EndpointInfo(key) => self.engine_endpoint_info(driver, &key),
            Request::Join(join) => self.join_engine_sandbox(driver, join),
            Request::Leave(key) => self.leave_engine_sandbox(driver, &key),
            Request::ProgramExternalConnectivity(program) => self.program(driver, program),
            Request::RevokeExternalConnectivity(key) => self.revoke(driver, &key),
            Request::RequestPool(pool) => self.take_pool(pool),
            Request::ReleasePool(pool) => self.release_pool(&pool),
            Request::RequestAddress(address) => self.take_address(address),
            Request::ReleaseAddress { pool, address } => self.release_address(&pool, address),
        }
    }

    fn allocate_for_engine(&self, driver: &Name, allocate: AllocateNetwork) -> Result<Reply> {
        let driver = self.drivers.get(driver)?;
        if !driver.code.allocates() {
            return Ok(Reply::Allocated(allocate.generic));
        }
        let AllocateNetwork { network: id, generic, ipv4, ipv6 } = allocate;
        let options = NetworkOptions { ipv4: true, ipv6: !ipv6.is_empty(), internal: false, generic, other: [].into() };
        let network = engine_network(&driver, id, options, &[ipv4, ipv6].concat())?;
        let (ipv4, ipv6) = ipam_data(&network);
        let call = Call::network(&driver, "network-allocate", &network);
        let run = |code: &Code, state| code.network_allocate(state, &network.id, &network.options, &ipv4, &ipv6);
        Ok(Reply::Allocated(self.call(&call, &mut Vec::new(), run, |_, _| Ok(Vec::new()))?.value))
    }

    /// What the network still has stays: in a swarm this comes before the last endpoints go.
    fn free_for_engine(&self, driver: &Name, id: Id) -> Result<Reply> {
        let driver = self.drivers.get(driver)?;
        if driver.code.allocates() {
            let options =
                NetworkOptions { ipv4: true, ipv6: false, internal: false, generic: [].into(), other: [].into() };
            let network = engine_network(&driver, id, options, &[])?;
            let call = Call::network(&driver, "network-free", &network);
            let run = |code: &Code, state| code.network_free(state, &network.id);
            self.call(&call, &mut Vec::new(), run, |(), _| Ok(Vec::new()))?;
        }
        Ok(Reply::Done)
    }

    fn check_gateways(&self, driver: &Name, options: &NetworkOptions) -> Result<Reply> {
        let driver = self.drivers.get(driver)?;
        let (ipv4, ipv6) = self.gateways_to_skip(&driver, options, &mut Vec::new())?;
        Ok(Reply::GatewaysSkipped { ipv4, ipv6 })
    }

    fn create_engine_network(&self, driver: &Name, create: CreateNetwork) -> Result<Reply> {
        let driver = self.drivers.get(driver)?;
        let CreateNetwork { network: id, options, ipv4, ipv6 } = create;
        if self.store.network(&id)?.is_some() {
            return Err(Error::exists(format!("the network {id} is there already")));
        }
        let mut network = engine_network(&driver, id, options, &[ipv4, ipv6].concat())?;
        if self.store.find_network(network.name.as_str())?.iter().any(|other| other.name == network.name) {
            network.name = long_name(&network.id)?;
        }
        // Pools that were taken from here are claimed already.
        if network.address_space != ADDRESS_SPACE {
            let subnets: Vec<_> = network.pools.iter().map(|pool| pool.subnet).collect();
            self.store.claim_pools(&network.id, &subnets)?;
        }
        if let Err(error) = self.make_network(&driver, &mut network, &mut Vec::new()) {
            self.give_back(&driver, &network, &mut Vec::new());
            return Err(error);
        }
        tracing::info!(network = %network.name, driver = %network.driver, "created for the container engine");
        Ok(Reply::Done)
    }

    pub(super) fn delete_engine_network(&self, driver: &Name, id: &Id) -> Result<Reply> {
        let Some(network) = self.network_of_engine(driver, id)? else { return Ok(Reply::Done) };
        for endpoint in self.store.endpoints(Some(id))? {
            self.forget_endpoint(&network, &endpoint)?;
        }
        self.remove_network(id)?;
        Ok(Reply::Done)
    }

    fn create_engine_endpoint(&self, driver: &Name, create: CreateEndpoint) -> Result<Reply> {
        let CreateEndpoint { key: EndpointKey { network, endpoint: id }, interface, options } = create;
        let network = self.network_of_engine(driver, &network)?.ok_or_else(|| no_network(&network))?;
        if let Some(why) = &network.down {
            return Err(Error::new(Kind::Unavailable, format!("the network {} is down: {why}", network.name)));
        }
        if self.store.endpoint(&network.id, &id)?.is_some() {
            return Err(Error::exists(format!("the endpoint {id} is there already")));
        }
        let driver = self.drivers.get(driver)?;
        let short = short_name(&id)?;
        let others = self.store.find_endpoint(Some(&network.id), short.as_str())?;
        let name = if others.iter().any(|other| other.name == short) { long_name(&id)? } else { short };
        let completed = |state: &CallState| {
            let engine::Interface { mac, address, address_ipv6, .. } = state.interface;
            Interface { mac, address, address_ipv6 }
        };
        let Interface { mac, address, address_ipv6 } = interface;
        let interface = engine::Interface { mac, address, address_ipv6, sandbox: None };
        let call = Call { interface, ..Call::endpoint(&driver, "create-endpoint", &network, &id) };
        let done = self.call(
            &call,
            &mut Vec::new(),
            |code, state| code.create_endpoint(state, &network.id, &id, &options),
            |(), state| {
                let name = name.clone();
                Ok(vec![Write::PutEndpoint(engine_endpoint(&network, &id, name, &completed(state), &options.generic))])
            },
        )?;
        Ok(Reply::Chosen(completed(&done.state)))
    }

    fn delete_engine_endpoint(&self, driver: &Name, key: &EndpointKey) -> Result<Reply> {
        if let Some((network, endpoint)) = self.endpoint_of_engine(driver, key)? {
            self.forget_endpoint(&network, &endpoint)?;
        }
        Ok(Reply::Done)
    }

    fn engine_endpoint_info(&self, driver: &Name, key: &EndpointKey) -> Result<Reply> {
        let (network, endpoint) = self.endpoint_of_engine(driver, key)?.ok_or_else(|| no_endpoint(key))?;
        let driver = self.drivers.get(driver)?;
        let info = self.oper_info(&driver, &network, &endpoint.id, &mut Vec::new())?;
        Ok(Reply::Info(info.into_iter().collect()))
    }

    fn join_engine_sandbox(&self, driver: &Name, join: Join) -> Result<Reply> {
        let (network, endpoint) = self.endpoint_of_engine(driver, &join.key)?.ok_or_else(|| no_endpoint(&join.key))?;
        let driver = self.drivers.get(driver)?;
        let sandbox = sandbox_key(&join.sandbox.to_string_lossy());
        let call = Call::endpoint(&driver, "join", &network, &endpoint.id);
        let run = |code: &Code, state| code.join(state, &network.id, &endpoint.id, &sandbox, &join.options);
        let reply = RefCell::default();
        self.call(&call, &mut Vec::new(), run, |(), state| {
            reply.replace(self.joined(&endpoint, &state.join)?);
            Ok(vec![Write::PutEndpoint(Endpoint {
                gateway: state.join.gateway,
                gateway_ipv6: state.join.gateway_ipv6,
                joined: Some(join.sandbox.clone()),
                ..endpoint.clone()
            })])
        })?;
        Ok(Reply::Joined(reply.into_inner()))
    }

    /// A join's answer in the engine's words. The engine moves the link that is named: it is one that was made for this endpoint
    /// (`set-names` refuses any other), and it is where the engine looks.
    fn joined(&self, endpoint: &Endpoint, join: &engine::Join) -> Result<Joined> {
        check_gateways(endpoint, join)?;
        let interface = join.names.as_ref().map(|names| {
            if names.source.namespace != Namespace::Host {
                return Err(Error::invalid(
                    "the driver's link is not on the host, where the container engine takes it from",
                ));
            }
            let link = self.kernel.link(&names.source)?.ok_or_else(|| Error::not_found("the driver's link is gone"))?;
            let source = LinkName::new(&link.name)?;
            Ok(InterfaceName { source, prefix: names.prefix.to_string(), name: names.name.clone() })
        });
        let route = |r: &engine::StaticRoute| StaticRoute { destination: r.destination, next_hop: r.next_hop };
        Ok(Joined {
            interface: interface.transpose()?,
            gateway: join.gateway,
            gateway_ipv6: join.gateway_ipv6,
            routes: join.routes.iter().map(route).collect(),
            disable_gateway_service: join.disable_gateway_service,
        })
    }

    fn leave_engine_sandbox(&self, driver: &Name, key: &EndpointKey) -> Result<Reply> {
        let Some((network, endpoint)) = self.endpoint_of_engine(driver, key)? else { return Ok(Reply::Done) };
        let driver = self.drivers.get(driver)?;
        // With live-restore the revoke never comes. One that fails here is made again when the endpoint is deleted.
        if (endpoint.is_gateway || endpoint.is_gateway_ipv6)
            && let Err(error) = self.revoke_for_engine(&driver, &network, &endpoint)
        {
            tracing::warn!(network = %network.name, endpoint = %endpoint.name, "{error}");
        }
        let call = Call::endpoint(&driver, "leave", &network, &endpoint.id);
        let left = Endpoint { joined: None, ..unconnected(&endpoint) };
        let run = |code: &Code, state| code.leave(state, &network.id, &endpoint.id);
        self.call(&call, &mut Vec::new(), run, |(), _| Ok(vec![Write::PutEndpoint(left.clone())]))?;
        Ok(Reply::Done)
    }

    fn program(&self, driver: &Name, program: ExternalConnectivity) -> Result<Reply> {
        let ExternalConnectivity { key, options } = program;
        let (network, endpoint) = self.endpoint_of_engine(driver, &key)?.ok_or_else(|| no_endpoint(&key))?;
        let driver = self.drivers.get(driver)?;
        if !driver.code.connects_outside() {
            let why = format!("the driver {} does not export external-connectivity", driver.record.name);
            return Err(Error::new(Kind::NotImplemented, why));
        }
        // The protocol does not say for which families the endpoint is the gateway: for those that it has, and no other of its sandbox is.
        let others = self.others_of_sandbox(&endpoint)?;
        let other = others.iter().find(|other| other.is_gateway).map(|other| &other.id);
        let other_ipv6 = others.iter().find(|other| other.is_gateway_ipv6).map(|other| &other.id);
        let elsewhere = options.other.get(NO_PROXY_6TO4).is_some_and(|value| value == "true");
        let connected = Endpoint {
            is_gateway: endpoint.address.is_some() && other.is_none(),
            is_gateway_ipv6: endpoint.address_ipv6.is_some() && other_ipv6.is_none() && !elsewhere,
            ports: options.port_bindings.clone(),
            ..endpoint
        };
        let id = &connected.id;
        let gateways =
            [other.or(connected.is_gateway.then_some(id)), other_ipv6.or(connected.is_gateway_ipv6.then_some(id))];
        let call = Call::endpoint(&driver, "program-external-connectivity", &network, id);
        self.call(
            &call,
            &mut Vec::new(),
            |code, state| code.program_external_connectivity(state, &network.id, id, gateways, &options),
            |(), _| Ok(vec![Write::PutEndpoint(connected.clone())]),
        )?;
        Ok(Reply::Done)
    }

    fn revoke(&self, driver: &Name, key: &EndpointKey) -> Result<Reply> {
        if let Some((network, endpoint)) = self.endpoint_of_engine(driver, key)? {
            self.revoke_for_engine(&*self.drivers.get(driver)?, &network, &endpoint)?;
        }
        Ok(Reply::Done)
    }

    fn revoke_for_engine(&self, driver: &Driver, network: &Network, endpoint: &Endpoint) -> Result<()> {
        if !driver.code.connects_outside() {
            return Ok(());
        }
        let call = Call::endpoint(driver, "revoke-external-connectivity", network, &endpoint.id);
        let run = |code: &Code, state| code.revoke_external_connectivity(state, &network.id, &endpoint.id);
        self.call(&call, &mut Vec::new(), run, |(), _| Ok(vec![Write::PutEndpoint(unconnected(endpoint))]))?;
        Ok(())
    }

    /// The other endpoints of the sandbox that an endpoint has joined.
    fn others_of_sandbox(&self, endpoint: &Endpoint) -> Result<Vec<Endpoint>> {
        let Some(sandbox) = endpoint.joined.as_ref().and_then(|path| path.to_str()) else { return Ok(Vec::new()) };
        let mut found = self.store.find_endpoint(None, sandbox)?;
        found.retain(|other| other.joined == endpoint.joined && other.id != endpoint.id);
        Ok(found)
    }

    /// An engine's network that this driver serves.
    fn network_of_engine(&self, driver: &Name, id: &Id) -> Result<Option<Network>> {
        Ok(self.store.network(id)?.filter(|network| network.by_engine && network.driver == *driver))
    }

    fn endpoint_of_engine(&self, driver: &Name, key: &EndpointKey) -> Result<Option<(Network, Endpoint)>> {
        let Some(network) = self.network_of_engine(driver, &key.network)? else { return Ok(None) };
        Ok(self.store.endpoint(&key.network, &key.endpoint)?.map(|endpoint| (network, endpoint)))
    }
}

fn no_network(id: &Id) -> Error {
    Error::not_found(format!("there is no network {id}"))
}

fn no_endpoint(key: &EndpointKey) -> Error {
    Error::not_found(format!("the network {} has no endpoint {}", key.network, key.endpoint))
}

/// What is known of an engine's new network.
pub(super) fn engine_network(driver: &Driver, id: Id, options: NetworkOptions, pools: &[PoolData]) -> Result<Network> {
    Ok(Network {
        name: short_name(&id)?,
        id,
        serial: 0,
        driver: driver.record.name.clone(),
        address_space: pools.first().map(|data| data.address_space.clone()).unwrap_or_default(),
        pools: pools.iter().filter_map(pool).collect(),
        ipv4: options.ipv4,
        ipv6: options.ipv6,
        internal: options.internal,
        options: options.generic,
        other: options.other,
        by_engine: true,
        allocated: false,
        down: None,
        created: now(),
    })
}

/// A pool that is none, with the `null` address management, is left out: the driver chooses addresses.
fn pool(data: &PoolData) -> Option<Pool> {
    Some(Pool {
        subnet: data.pool?.trunc(),
        range: None,
        gateway: data.gateway.map(|gateway| gateway.addr()),
        aux_addresses: data.aux_addresses.iter().map(|(name, net)| (name.clone(), net.addr())).collect(),
    })
}

fn engine_endpoint(network: &Network, id: &Id, name: Name, interface: &Interface, options: &Labels) -> Endpoint {
    Endpoint {
        id: id.clone(),
        network: network.id.clone(),
        name,
        sandbox: None,
        joined: None,
        interface: None,
        mac: interface.mac,
        address: interface.address,
        address_ipv6: interface.address_ipv6,
        gateway: None,
        gateway_ipv6: None,
        is_gateway: false,
        is_gateway_ipv6: false,
        ports: Vec::new(),
        options: options.clone(),
        attached: true,
        created: now(),
    }
}

/// The endpoint without its ports.
fn unconnected(endpoint: &Endpoint) -> Endpoint {
    Endpoint { is_gateway: false, is_gateway_ipv6: false, ports: Vec::new(), ..endpoint.clone() }
}

/// A name for what has only an id: its first digits, as Docker shows them, or of another sort of id its digest's.
fn short_name(id: &Id) -> Result<Name> {
    Name::new(&digits(id)[..SHORT])
}

/// A name where another id begins alike.
fn long_name(id: &Id) -> Result<Name> {
    Name::new(&digits(id))
}

fn digits(id: &Id) -> String {
    let is_dockers = id.as_str().len() == 64 && id.as_str().bytes().all(|b| b.is_ascii_hexdigit());
    if is_dockers { id.to_string() } else { words::file::digest(id.as_str().as_bytes()) }
}
