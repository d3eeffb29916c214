//! Networks of global scope that a container engine joined (`docker network create -o pontoon.network=NAME`): the engine's network has an id of
//! its own, and all else is the cluster's. Addresses: see `joined_pool`.
//!
//! The store's `meta` has a [`Joined`] for each, under `joined/ENGINE'S ID`.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::super::{Controller, Inner};
use super::joined_pool::pool_of;
use crate::cluster::Which;
use operation::engine::{CreateNetwork, Known, Labels, Reply, Request};
use operation::network::Pool;
use operation::origin::Origin;
use operation::table::Collected;
use store::{Batch, Durability, Network, Write};
use words::{Error, Id, Kind, Name, Result, now};

/// The option of a network, and of its address management, that names the network of the cluster.
const JOIN: &str = "pontoon.network";

/// What its keys in `meta` begin with.
const KEYS: &str = "joined/";

/// Seconds in which a network may be on its way: joined here, and not written down by the engine yet.
const ON_ITS_WAY: u64 = 10;

/// What an engine's network is.
#[derive(Debug, Serialize, Deserialize)]
struct Joined {
    /// The network of the cluster.
    network: Id,
    /// Whose network it is.
    origin: Origin,
    /// Seconds since 1970-01-01T00:00:00Z.
    since: u64,
}

/// The name that a user gave the network of the cluster by; none: there is no such option.
pub(in crate::controller) fn joins(options: &Labels) -> Option<&String> {
    options.get(JOIN)
}

impl Controller {
    /// A request with the id of the cluster's network in the place of the engine's, where the engine joined one, and the network in whose turn
    /// it is done, where the request does not name it. A network that is asked for is made here first.
    pub(in crate::controller) async fn joined(&self, request: Request) -> Result<(Request, Option<Id>)> {
        let asked = match &request {
            Request::CreateNetwork(create) => joins(&create.options.generic),
            Request::RequestPool(pool) => joins(&pool.options),
            _ => None,
        };
        if let Some(name) = asked.cloned() {
            self.inner.cluster()?;
            self.make_here(&name).await?;
            let network = self.plain(move |inner| inner.joinable(&name)).await?;
            return Ok((request, Some(network.id)));
        }
        if self.inner.cluster.is_none() {
            return Ok((request, None));
        }
        self.plain(move |inner| inner.as_joined(request)).await
    }
}

impl Inner {
    /// A network that can be joined, by what the user named it.
    pub(super) fn joinable(&self, name: &str) -> Result<Network> {
        let network = self.find_network(name).map_err(|error| match error.kind {
            Kind::NotFound => {
                let create = format!("pontoon network create --scope global -d DRIVER {name}");
                Error::not_found(format!(
                    "the cluster has no network {name:?}: make it first, on any node (`{create}`)"
                ))
            }
            _ => error,
        })?;
        match network.global {
            true => Ok(network),
            false => {
                Err(Error::invalid(format!("{JOIN}: the network {name} is of this host alone, not of global scope")))
            }
        }
    }

    fn as_joined(&self, mut request: Request) -> Result<(Request, Option<Id>)> {
        match &request {
            Request::RequestAddress(address) => {
                let turn = pool_of(&address.pool).map(|(network, _)| network);
                return Ok((request, turn));
            }
            Request::ReleaseAddress { pool, .. } => {
                let turn = pool_of(pool).map(|(network, _)| network);
                return Ok((request, turn));
            }
            Request::DeleteNetwork(id) => {
                let turn = self.join_of(id)?.map(|joined| joined.network);
                return Ok((request, turn));
            }
            _ => {}
        }
        let is_new = matches!(&request, Request::CreateEndpoint(_));
        let Some(id) = network_mut(&mut request) else { return Ok((request, None)) };
        let Some(Joined { network, .. }) = self.join_of(id)? else { return Ok((request, None)) };
        if self.store.network(&network)?.is_some() {
            *id = network;
        } else if is_new {
            let why = "the network of the cluster that it joined is gone: remove it here, too (`docker network rm`)";
            return Err(Error::not_found(format!("the network {id}: {why}")));
        }
        Ok((request, None))
    }

    /// The engine's network is one of the cluster from now on. What else the engine asked of it has to be so there.
    pub(in crate::controller) fn join_network(
        &self,
        origin: &Origin,
        driver: &Name,
        create: &CreateNetwork,
    ) -> Result<Reply> {
        let network = self.joinable(joins(&create.options.generic).map_or("", String::as_str))?;
        check(&network, driver, create)?;
        if let Some((there, _)) = self.all_joined()?.into_iter().find(|(_, joined)| joined.network == network.id) {
            if there == create.network {
                return Ok(Reply::Done);
            }
            let why = format!("a container engine joined the network {} as its {there}: use that one", network.name);
            return Err(Error::exists(why));
        }
        let joined = Joined { network: network.id.clone(), origin: origin.clone(), since: now() };
        let value = serde_json::to_string(&joined).map_err(|e| Error::internal(e.to_string()))?;
        let writes = vec![Write::SetMeta { key: key(&create.network), value }];
        self.store.commit(Batch { writes, durability: Durability::Power, ..Batch::default() })?;
        tracing::info!(network = %network.name, joined = %create.network, "a container engine joined it");
        Ok(Reply::Done)
    }

    /// The engine's network is gone, and so are its endpoints; the cluster's stays. Answers false if the engine's is none that joined one.
    pub(in crate::controller) fn leave_network(&self, id: &Id) -> Result<bool> {
        let Some(joined) = self.join_of(id)? else { return Ok(false) };
        if let Some(network) = self.store.network(&joined.network)? {
            for endpoint in self.store.endpoints(Some(&network.id))? {
                if endpoint.origin.engine() == joined.origin.engine() {
                    self.forget_endpoint(&network, &endpoint)?;
                }
            }
            tracing::info!(network = %network.name, "the container engine left it");
        }
        self.store.remove_meta(&key(id))?;
        Ok(true)
    }

    fn join_of(&self, id: &Id) -> Result<Option<Joined>> {
        Ok(self.store.meta(&key(id))?.as_deref().and_then(read))
    }

    /// Engines' networks, by their ids.
    fn all_joined(&self) -> Result<Vec<(Id, Joined)>> {
        let all = self.store.metas(KEYS)?.into_iter();
        Ok(all.filter_map(|(key, value)| Some((Id::new(key.strip_prefix(KEYS)?).ok()?, read(&value)?))).collect())
    }

    /// What an engine knows, with the networks of the cluster that it joined.
    pub(in crate::controller) fn with_joined(&self, known: &Known) -> Result<Known> {
        let mut known = known.clone();
        for (id, joined) in self.all_joined()? {
            if known.networks.contains(&id) {
                known.networks.insert(joined.network);
            }
        }
        Ok(known)
    }

    /// Leaves what an engine joined and has forgotten. Addresses that it asked for and nobody has are free in the cluster, too.
    pub(in crate::controller) fn leave_forgotten(&self, known: &Known, collected: &mut Collected) -> Result<()> {
        for (id, joined) in self.all_joined()? {
            if let Some(cluster) = &self.cluster {
                cluster.mark(joined.network.as_str(), Which::All);
            }
            let is_its = known.origin.knows_of(&joined.origin) && joined.since + ON_ITS_WAY <= known.asked;
            if is_its && !known.networks.contains(&id) {
                collected.forgotten.push(format!("network {id}, which was {} of the cluster", joined.network));
                self.leave_network(&id)?;
            }
        }
        Ok(())
    }
}

fn key(engines: &Id) -> String {
    format!("{KEYS}{engines}")
}

fn read(value: &str) -> Option<Joined> {
    serde_json::from_str(value).ok()
}

/// The network that a request names, where an engine may have joined it.
fn network_mut(request: &mut Request) -> Option<&mut Id> {
    match request {
        Request::CreateEndpoint(create) => Some(&mut create.key.network),
        Request::Join(join) => Some(&mut join.key.network),
        Request::ProgramExternalConnectivity(program) => Some(&mut program.key.network),
        Request::DeleteEndpoint(key)
        | Request::EndpointInfo(key)
        | Request::Leave(key)
        | Request::RevokeExternalConnectivity(key) => Some(&mut key.network),
        _ => None,
    }
}

/// What an engine's user asked for is as in the cluster, or refused with what to say instead.
fn check(network: &Network, driver: &Name, create: &CreateNetwork) -> Result<()> {
    let differs = |why: &str| Err(Error::invalid(format!("the network {} of the cluster {why}", network.name)));
    if network.driver != *driver {
        return differs(&format!("has the driver {0}: say -d {0}", network.driver));
    }
    if let Some(other) = create.options.generic.keys().find(|key| *key != JOIN) {
        return differs(&format!("has its own options: leave out -o {other}"));
    }
    match (network.internal, create.options.internal) {
        (true, false) => return differs("is internal: add --internal"),
        (false, true) => return differs("is not internal: leave out --internal"),
        _ => {}
    }
    let asked = create.ipv4.iter().chain(&create.ipv6);
    for data in asked.clone() {
        let Some(subnet) = data.pool.map(|pool| pool.trunc()) else { continue };
        let Some(pool) = network.pools.iter().find(|pool| pool.subnet == subnet) else {
            return Err(not_its(network, &format!("subnet {subnet}"), &format!("say {}", subnets(network))));
        };
        if let (Some(other), Some(own)) = (data.gateway, pool.gateway)
            && other.addr() != own
        {
            return Err(not_its(network, &format!("gateway {}", other.addr()), &format!("say --gateway {own}")));
        }
        let own = |net: &&IpNet| pool.aux_addresses.values().any(|own| *own == net.addr());
        if let Some(other) = data.aux_addresses.values().find(|net| !own(net)) {
            return Err(not_its(network, &format!("reserved address {}", other.addr()), "leave out --aux-address"));
        }
    }
    for (is_ipv6, how) in [(false, "leave out --ipv4=false and --ipam-driver null"), (true, "add --ipv6")] {
        let is_of = |net: &IpNet| net.addr().is_ipv6() == is_ipv6;
        let has = network.pools.iter().any(|pool| is_of(&pool.subnet));
        if has && !asked.clone().any(|data| data.pool.as_ref().is_some_and(is_of)) {
            return differs(&format!("has IPv{} addresses: {how}", if is_ipv6 { 6 } else { 4 }));
        }
    }
    Ok(())
}

/// What an engine's user asked for and the network does not have.
pub(super) fn not_its(network: &Network, asked: &str, instead: &str) -> Error {
    let own: Vec<_> = network.pools.iter().map(shown).collect();
    let (name, own) = (&network.name, own.join(", "));
    Error::invalid(format!("the network {name} of the cluster has {own}, and no {asked}: {instead}"))
}

/// How its subnets are named to an engine.
pub(super) fn subnets(network: &Network) -> String {
    let all: Vec<_> = network.pools.iter().map(|pool| format!("--subnet {}", pool.subnet)).collect();
    all.join(" ")
}

fn shown(pool: &Pool) -> String {
    let gateway = pool.gateway.map(|gateway| format!(" with the gateway {gateway}")).unwrap_or_default();
    format!("{}{gateway}", pool.subnet)
}
