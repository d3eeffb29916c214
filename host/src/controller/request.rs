//! A container engine's requests, each one step of the life cycle: it chooses ids and addresses, keeps the sandboxes and moves the links into
//! them.
//!
//! An engine forgets what it asked to have removed, and tells nobody what it lost when it was killed. So removals succeed for what is
//! not there, and remove what an earlier step left.

use super::global::joined::joins;
use super::global::joined_pool::pool_of;
use super::lifecycle::JoinSandbox;
use super::{Controller, Inner};
use crate::capability;
use crate::driver::Driver;
use ipnet::IpNet;
use operation::engine::{
    AllocateNetwork, CreateEndpoint, CreateNetwork, EndpointKey, ExternalConnectivity, Interface, Join, Joined,
    NetworkOptions, PoolData, Pools, Reply, Request, StaticRoute,
};
use operation::network::Pool;
use operation::origin::Origin;
use store::{Endpoint, Network, Write};
use words::{Error, Id, Kind, Name, Result};

/// Set by dockerd where another endpoint is the sandbox's IPv6 gateway (28.0).
const NO_PROXY_6TO4: &str = "com.docker.network.driver.private.no_proxy_6to4";

/// Digits of a name that is made of an id: as many as Docker shows.
const SHORT: usize = 12;

impl Controller {
    /// Does what a container engine asks of a driver. `origin`: which engine it is.
    pub async fn request(&self, origin: &Origin, driver: &Name, request: Request) -> Result<Reply> {
        self.without_dead(|| self.in_turn(origin, driver, request.clone())).await
    }

    async fn in_turn(&self, origin: &Origin, driver: &Name, request: Request) -> Result<Reply> {
        let (request, joined) = self.joined(request).await?;
        let network = match &request {
            _ if joined.is_some() => joined,
            Request::ReleaseAddress { pool, address } => self.holder_of(pool.clone(), *address).await?,
            request => network_of(request).cloned(),
        };
        let (origin, name) = (origin.clone(), driver.clone());
        let work = move |inner: &Inner| inner.request(&origin, &name, request);
        match network {
            Some(network) => self.on_network(network, driver.clone(), work).await,
            None => self.on_driver(driver.clone(), work).await,
        }
    }
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

/// What an engine asks of a driver is looked up in its own records: another engine's, and another driver's, are not there for it.
struct Asking<'a> {
    inner: &'a Inner,
    origin: &'a Origin,
    driver: &'a Name,
}

impl Inner {
    fn request(&self, origin: &Origin, driver: &Name, request: Request) -> Result<Reply> {
        let asking = Asking { inner: self, origin, driver };
        match request {
            Request::AllocateNetwork(allocate) => asking.allocate_network(allocate),
            Request::FreeNetwork(network) => asking.free_network(network),
            Request::CheckGateways(options) => asking.check_gateways(&options),
            Request::CreateNetwork(create) => asking.create_network(create),
            Request::DeleteNetwork(network) => asking.delete_network(&network),
            Request::CreateEndpoint(create) => asking.create_endpoint(create),
            Request::DeleteEndpoint(key) => asking.delete_endpoint(&key),
            Request::EndpointInfo(key) => asking.oper_info(&key),
            Request::Join(join) => asking.join(&join),
            Request::Leave(key) => asking.leave(&key),
            Request::ProgramExternalConnectivity(program) => asking.program_external_connectivity(program),
            Request::RevokeExternalConnectivity(key) => asking.revoke_external_connectivity(&key),
            Request::RequestPool(pool) if joins(&pool.options).is_some() => self.joined_pool(&pool),
            Request::RequestPool(pool) => self.take_pool(origin, driver, pool),
            Request::ReleasePool(pool) if pool_of(&pool).is_some() => Ok(Reply::Done),
            Request::ReleasePool(pool) => self.release_pool(&pool),
            Request::RequestAddress(address) if pool_of(&address.pool).is_some() => self.joined_address(&address),
            Request::RequestAddress(address) => self.take_address(address),
            Request::ReleaseAddress { pool, address } if pool_of(&pool).is_some() => {
                self.release_joined(&pool, address)
            }
            Request::ReleaseAddress { pool, address } => self.release_address(&pool, address),
        }
    }
}

impl Asking<'_> {
    fn allocate_network(&self, allocate: AllocateNetwork) -> Result<Reply> {
        let AllocateNetwork { network: id, generic, ipv4, ipv6 } = allocate;
        let mut steps = self.inner.steps(self.driver)?;
        let options = NetworkOptions { ipv4: true, ipv6: !ipv6.is_empty(), internal: false, generic, other: [].into() };
        let network = engine_network(&steps.driver, id, options, Pools { ipv4, ipv6 })?;
        Ok(Reply::Allocated(steps.allocate_network(&network)?))
    }

    /// What the network still has stays: in a swarm this comes before the last endpoints go.
    fn free_network(&self, id: Id) -> Result<Reply> {
        let mut steps = self.inner.steps(self.driver)?;
        let options = NetworkOptions { ipv4: true, ipv6: false, internal: false, generic: [].into(), other: [].into() };
        let network = engine_network(&steps.driver, id, options, Pools::default())?;
        steps.free_network(&network, false)?;
        Ok(Reply::Done)
    }

    fn check_gateways(&self, options: &NetworkOptions) -> Result<Reply> {
        let (ipv4, ipv6) = self.inner.steps(self.driver)?.check_gateways(options)?;
        Ok(Reply::GatewaysSkipped { ipv4, ipv6 })
    }

    fn create_network(&self, create: CreateNetwork) -> Result<Reply> {
        if joins(&create.options.generic).is_some() {
            return self.inner.join_network(self.origin, self.driver, &create);
        }
        let mut steps = self.inner.steps(self.driver)?;
        let CreateNetwork { network: id, options, ipv4, ipv6 } = create;
        let mut network = engine_network(&steps.driver, id, options, Pools { ipv4, ipv6 })?;
        network.origin = self.origin.clone();
        match self.inner.store.network(&network.id)? {
            // The answer to the same request was lost on its way.
            Some(there) if is_same(&there, &network) => return Ok(Reply::Done),
            Some(there) => return Err(Error::exists(format!("the network {} is there already", there.name))),
            None => {}
        }
        if self.inner.store.find_network(network.name.as_str())?.iter().any(|other| other.name == network.name) {
            network.name = long_name(&network.id)?;
        }
        // Pools that were taken from here are claimed already.
        let taken = self.inner.store.taken_pools()?;
        let is_taken = |subnet: &IpNet| {
            taken.iter().any(|t| t.pool.subnet == *subnet && t.origin.engine() == self.origin.engine())
        };
        let subnets: Vec<_> = network.pools.iter().map(|pool| pool.subnet).filter(|net| !is_taken(net)).collect();
        if !subnets.is_empty() {
            self.inner.store.claim_pools(&network.id, &subnets)?;
        }
        if let Err(error) = steps.create_network(&network) {
            self.inner.give_back(&mut steps, &network);
            return Err(error);
        }
        tracing::info!(network = %network.name, driver = %network.driver, "created for the container engine");
        Ok(Reply::Done)
    }

    fn delete_network(&self, id: &Id) -> Result<Reply> {
        if !self.inner.leave_network(id)?
            && let Some(network) = self.network(id)?
        {
            self.inner.forget_network(&network)?;
        }
        Ok(Reply::Done)
    }

    fn create_endpoint(&self, create: CreateEndpoint) -> Result<Reply> {
        let request = words::file::digest(format!("{create:?}").as_bytes());
        let CreateEndpoint { key: EndpointKey { network, endpoint: id }, interface, options } = create;
        let network = self.network(&network)?.ok_or_else(|| no_network(&network))?;
        if let Some(why) = &network.down {
            return Err(Error::new(Kind::Unavailable, format!("the network {} is down: {why}", network.name)));
        }
        match self.inner.store.endpoint(&network.id, &id)? {
            // The answer to the same request was lost on its way.
            Some(there) if there.request.as_ref() == Some(&request) && there.joined.is_none() => {
                return Ok(chosen(&there));
            }
            Some(there) => {
                let message = format!("the endpoint {} of the network {} is there already", there.name, network.name);
                return Err(Error::exists(message));
            }
            None => {}
        }
        let short = short_name(&id)?;
        let others = self.inner.store.find_endpoint(Some(&network.id), short.as_str())?;
        let name = if others.iter().any(|other| other.name == short) { long_name(&id)? } else { short };
        let Interface { mac, address, address_ipv6 } = interface;
        let endpoint = Endpoint {
            mac,
            address,
            address_ipv6,
            options: options.generic.clone(),
            request: Some(request),
            ..Endpoint::new(network.id.clone(), id, name, self.origin.clone())
        };
        let made = self.with_leases(&network, endpoint.clone()).and_then(|(endpoint, leases)| {
            self.inner.steps(self.driver)?.create_endpoint(&network, &endpoint, &options, &leases)
        });
        // What was taken for it in the cluster.
        made.inspect_err(|_| self.inner.unclaim(&network, &endpoint)).map(|made| chosen(&made))
    }

    /// An endpoint with its address, and what makes its addresses its. On a network of global scope they are its in the whole cluster.
    fn with_leases(&self, network: &Network, endpoint: Endpoint) -> Result<(Endpoint, Vec<Write>)> {
        match network.global {
            true => self.inner.claim_chosen(network, &endpoint).map(|leases| (endpoint, leases)),
            false => self.with_chosen_address(network, endpoint),
        }
    }

    /// The engine has no pool for a network whose driver chose one (`update-ipam-config`): its addresses are given out here. Answers what makes
    /// it the endpoint's, too.
    fn with_chosen_address(&self, network: &Network, endpoint: Endpoint) -> Result<(Endpoint, Vec<Write>)> {
        let engine_has_pools =
            network.asked.as_ref().is_none_or(|asked| asked.ipv4.iter().any(|data| data.pool.is_some()));
        if endpoint.address.is_some() || engine_has_pools {
            return Ok((endpoint, Vec::new()));
        }
        match self.inner.lease_one(network, &endpoint, None, true)? {
            Some((IpNet::V4(address), lease)) => Ok((Endpoint { address: Some(address), ..endpoint }, vec![lease])),
            _ => Ok((endpoint, Vec::new())),
        }
    }

    fn delete_endpoint(&self, key: &EndpointKey) -> Result<Reply> {
        if let Some((network, endpoint)) = self.endpoint(key)? {
            self.inner.forget_endpoint(&network, &endpoint)?;
        }
        Ok(Reply::Done)
    }

    fn oper_info(&self, key: &EndpointKey) -> Result<Reply> {
        let (network, endpoint) = self.endpoint(key)?.ok_or_else(|| no_endpoint(key))?;
        Ok(Reply::Info(self.inner.steps(self.driver)?.oper_info(&network, &endpoint.id)?))
    }

    fn join(&self, join: &Join) -> Result<Reply> {
        let (network, endpoint) = self.endpoint(&join.key)?.ok_or_else(|| no_endpoint(&join.key))?;
        let sandbox = JoinSandbox { path: &join.sandbox, options: &join.options, without_ipv6: false };
        let (_, answer, interface) = self.inner.steps(self.driver)?.join(&network, &endpoint, &sandbox)?;
        let route = |r: &capability::StaticRoute| StaticRoute { destination: r.destination, next_hop: r.next_hop };
        Ok(Reply::Joined(Joined {
            interface,
            gateway: answer.gateway,
            gateway_ipv6: answer.gateway_ipv6,
            routes: answer.routes.iter().map(route).collect(),
            disable_gateway_service: answer.disable_gateway_service,
        }))
    }

    /// With live-restore the revoke never comes. One that fails here is made again when the endpoint is deleted.
    fn leave(&self, key: &EndpointKey) -> Result<Reply> {
        let Some((network, endpoint)) = self.endpoint(key)? else { return Ok(Reply::Done) };
        let mut steps = self.inner.steps(self.driver)?;
        let endpoint = steps.disconnect(&network, endpoint);
        steps.leave(&network, &endpoint)?;
        Ok(Reply::Done)
    }

    fn program_external_connectivity(&self, program: ExternalConnectivity) -> Result<Reply> {
        let ExternalConnectivity { key, options } = program;
        let (network, endpoint) = self.endpoint(&key)?.ok_or_else(|| no_endpoint(&key))?;
        // The protocol does not say for which families the endpoint is the gateway: for those that it named one for, and no other of its sandbox
        // is. Of endpoints of other drivers nothing is known here.
        let others = self.inner.others_in_sandbox(&endpoint)?;
        let elsewhere = options.other.get(NO_PROXY_6TO4).is_some_and(|value| value == "true");
        let connected = Endpoint {
            is_gateway: endpoint.gateway.is_some() && !others.iter().any(|other| other.is_gateway),
            is_gateway_ipv6: endpoint.gateway_ipv6.is_some()
                && !others.iter().any(|other| other.is_gateway_ipv6)
                && !elsewhere,
            ports: options.port_bindings.clone(),
            ..endpoint
        };
        let mut steps = self.inner.steps(self.driver)?;
        steps.program_external_connectivity(&network, &connected, &others, &options)?;
        Ok(Reply::Done)
    }

    fn revoke_external_connectivity(&self, key: &EndpointKey) -> Result<Reply> {
        if let Some((network, endpoint)) = self.endpoint(key)? {
            self.inner.steps(self.driver)?.revoke_external_connectivity(&network, &endpoint)?;
        }
        Ok(Reply::Done)
    }

    /// The engine's network that this driver serves, or one of the cluster that it joined.
    fn network(&self, id: &Id) -> Result<Option<Network>> {
        let is_its = |network: &Network| {
            (network.origin.engine() == self.origin.engine() || network.global) && network.driver == *self.driver
        };
        Ok(self.inner.store.network(id)?.filter(is_its))
    }

    fn endpoint(&self, key: &EndpointKey) -> Result<Option<(Network, Endpoint)>> {
        let Some(network) = self.network(&key.network)? else { return Ok(None) };
        Ok(self.inner.store.endpoint(&key.network, &key.endpoint)?.map(|endpoint| (network, endpoint)))
    }
}

fn chosen(endpoint: &Endpoint) -> Reply {
    let Endpoint { mac, address, address_ipv6, .. } = *endpoint;
    Reply::Chosen(Interface { mac, address, address_ipv6 })
}

/// Whether a network is up and as one is asked for, whatever name it got.
fn is_same(there: &Network, asked: &Network) -> bool {
    let Network { serial, allocated, created, .. } = *there;
    // Its driver may have chosen its pools since.
    let pools = if asked.pools.is_empty() { there.pools.clone() } else { asked.pools.clone() };
    *there == Network { serial, allocated, created, pools, name: there.name.clone(), ..asked.clone() }
}

fn no_network(id: &Id) -> Error {
    Error::not_found(format!("there is no network {id}"))
}

fn no_endpoint(key: &EndpointKey) -> Error {
    Error::not_found(format!("the network {} has no endpoint {}", key.network, key.endpoint))
}

/// What is known of an engine's new network, but for which engine it is: this protocol is Docker's.
pub(super) fn engine_network(driver: &Driver, id: Id, options: NetworkOptions, asked: Pools) -> Result<Network> {
    let origin = Origin::Docker { api: None };
    let address_space = asked.all().next().map(|data| data.address_space.clone()).unwrap_or_default();
    let pools = asked.all().filter_map(pool).collect();
    Ok(Network {
        address_space,
        pools,
        asked: Some(asked),
        ..Network::new(id.clone(), short_name(&id)?, driver.record.name.clone(), origin, options)
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
