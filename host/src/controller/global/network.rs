//! Networks of global scope: made in the cluster and here, found there, made here too, removed.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::Inner;
use super::super::arguments::chosen;
use super::super::lifecycle::Steps;
use super::super::pool::overlap;
use super::unique::{clash, with_taken, without_taken};
use crate::cluster::{Cluster, Created, Key, Removal, SharedNetwork, Which};
use operation::driver::Scope;
use operation::engine::{Labels, NetworkOptions};
use operation::network::{self, CreateNetwork, CreatedNetwork, NetworkDetails, Removed};
use operation::origin::Origin;
use store::Network;
use words::{Error, Id, Kind, Name, Result};

/// The address space of pools of the whole cluster, as drivers are told: libnetwork's word for it.
const ADDRESS_SPACE: &str = "GlobalDefault";

/// How often a network is tried to be made while others are made.
const TRIES: usize = 32;

/// Endpoints that are named where they keep a network from going.
const NAMED: usize = 5;

impl Inner {
    /// Makes a network in the cluster, and here. Its name is nobody else's there, and its pools overlap with none.
    pub(in crate::controller) fn create_global(&self, id: &Id, create: &CreateNetwork) -> Result<CreatedNetwork> {
        let cluster = self.cluster()?;
        if create.ipam.is_some() {
            let why = "a network of global scope takes its addresses in the cluster, and from no driver (--ipam)";
            return Err(Error::invalid(why));
        }
        let mut steps = self.steps(&create.driver)?;
        self.check_name_is_free(create)?;
        let options = NetworkOptions {
            ipv4: create.ipv4,
            ipv6: create.ipv6,
            internal: create.internal,
            generic: create.options.clone(),
            other: Labels::new(),
        };
        let skip = steps.check_gateways(&options)?;
        let mut taken_options = BTreeSet::new();
        for _ in 0..TRIES {
            let (others, since) = cluster.networks()?;
            if let Some(there) = others.iter().find(|other| other.name == create.name) {
                return Err(taken(there));
            }
            let mut network =
                Network::new(id.clone(), create.name.clone(), create.driver.clone(), Origin::Native, options.clone());
            (network.global, network.address_space) = (true, ADDRESS_SPACE.into());
            check_pools(create, &others)?;
            network.pools = self.choose_pools(id, create, skip, &subnets(&others))?;
            network.asked = Some(chosen(&network.pools, &network.address_space));
            match self.share(cluster, &mut steps, &mut network, (others, since), &mut taken_options) {
                Ok(true) => {
                    tracing::info!(network = %network.name, driver = %network.driver, "created in the cluster");
                    return Ok(CreatedNetwork { network: self.network_reply(&network)?, calls: steps.calls.traces });
                }
                Ok(false) => self.give_back(&mut steps, &network),
                Err(error) => {
                    self.give_back(&mut steps, &network);
                    return Err(error);
                }
            }
        }
        Err(Error::new(Kind::Unavailable, "other nodes made networks all the time meanwhile: try again"))
    }

    /// Reserves what its driver needs, puts it into the cluster, makes it here. Answers false if others have its pools, or what its driver chose
    /// for it alone.
    fn share(
        &self,
        cluster: &Cluster,
        steps: &mut Steps<'_>,
        network: &mut Network,
        (mut others, mut since): (Vec<SharedNetwork>, i64),
        taken_options: &mut BTreeSet<String>,
    ) -> Result<bool> {
        let asked = network.options.clone();
        if steps.driver.allocates() {
            network.options = with_taken(&asked, taken_options);
            network.options = without_taken(steps.allocate_network(network)?);
            network.allocated = true;
        }
        let shared = SharedNetwork::of(network, cluster.node());
        loop {
            if let Some(clash) = clash(network, &others) {
                clash.note(&asked, taken_options)?;
                return Ok(false);
            }
            match cluster.create_network(&shared, since)? {
                Created::Done => break,
                Created::Exists(there) => return Err(taken(&there)),
                Created::Newer => {
                    (others, since) = cluster.networks()?;
                    let theirs = subnets(&others);
                    if network.pools.iter().any(|own| theirs.iter().any(|other| overlap(&own.subnet, other))) {
                        return Ok(false);
                    }
                }
            }
        }
        let made = match steps.create_network(network) {
            Ok(made) if made.pools == network.pools => return Ok(true),
            Ok(_) => Err(Error::invalid("a driver can't choose the pools of a network of global scope: name a subnet")),
            Err(error) => Err(error),
        };
        if let Err(error) = cluster.remove_network(&shared) {
            tracing::error!(network = %network.name, "stays in the cluster, though it can't be made: {error}");
        }
        made
    }

    /// The subnets that networks of the cluster have, as far as that is known here.
    pub(in crate::controller) fn subnets_of_cluster(&self) -> Vec<IpNet> {
        self.cluster.as_ref().map(|cluster| subnets(&cluster.known_networks())).unwrap_or_default()
    }

    /// A network of the cluster that is not made here, by name, id, or the start of an id that only one has; none: there is none, or it is.
    pub(super) fn elsewhere(&self, text: &str) -> Result<Option<SharedNetwork>> {
        let Some(cluster) = self.cluster.as_deref() else { return Ok(None) };
        if !self.store.find_network(text)?.is_empty() {
            return Ok(None);
        }
        let all = match cluster.networks() {
            Ok((all, _)) => all,
            Err(error) => match cluster.known_networks() {
                known if known.iter().any(|one| one.name.as_str() == text) => known,
                _ => return Err(error.context(format!("there is no network {text:?} on this host"))),
            },
        };
        let exact = all.iter().find(|one| one.name.as_str() == text || one.id.as_str() == text);
        let mut begun = all.iter().filter(|one| one.id.as_str().starts_with(text));
        let found = exact.or_else(|| begun.next().filter(|_| begun.next().is_none())).cloned();
        match found {
            Some(found) => Ok(self.store.network(&found.id)?.is_none().then_some(found)),
            None => Ok(None),
        }
    }

    /// The networks that are known and not made here.
    pub(in crate::controller) fn networks_elsewhere(&self) -> Result<Vec<network::Network>> {
        let known = self.cluster.as_ref().map(|cluster| cluster.known_networks()).unwrap_or_default();
        let mut all = Vec::new();
        for shared in known {
            if self.store.network(&shared.id)?.is_none() {
                all.push(shown(shared));
            }
        }
        Ok(all)
    }

    /// One that is not made here, whole.
    pub(in crate::controller) fn details_elsewhere(&self, text: &str, verbose: bool) -> Result<Option<NetworkDetails>> {
        let shared = self.elsewhere(text)?;
        Ok(shared.map(|shared| NetworkDetails {
            peers: verbose.then(|| self.peers(&shared.id, &[])).flatten(),
            network: shown(shared),
            attached: Vec::new(),
            usage: Vec::new(),
            entries: None,
            objects: None,
        }))
    }

    /// Makes a network of the cluster here, with what it was made with there.
    pub(super) fn make_here(&self, shared: SharedNetwork) -> Result<()> {
        if self.store.network(&shared.id)?.is_some() {
            return Ok(());
        }
        let (cluster, network) = (self.cluster()?, shared.record());
        let context = |error: Error| error.context(format!("the network {} can't be made on this host", network.name));
        let mut steps = self.steps(&network.driver).map_err(context)?;
        let pools: Vec<IpNet> = network.pools.iter().map(|pool| pool.subnet).collect();
        self.store.claim_pools(&network.id, &pools).map_err(Error::from).map_err(context)?;
        if let Err(error) = steps.create_network(&network) {
            self.give_back(&mut steps, &network);
            return Err(context(error));
        }
        tracing::info!(network = %network.name, "of the cluster, made here");
        cluster.mark(network.id.as_str(), Which::All);
        Ok(())
    }

    /// Removes a network from the cluster, before it goes here. An error: it has endpoints, or etcd does not answer.
    pub(in crate::controller) fn unshare(&self, network: &Network) -> Result<()> {
        // What was detached a moment ago.
        self.compare(&network.id, Which::All)?;
        let cluster = self.cluster()?;
        self.take_out(cluster, &SharedNetwork::of(network, cluster.node()))
    }

    /// Removes one that is not made here. Answers none if there is no such one.
    pub(in crate::controller) fn remove_elsewhere(&self, text: &str) -> Result<Option<Removed>> {
        let Some(shared) = self.elsewhere(text)? else { return Ok(None) };
        self.take_out(self.cluster()?, &shared)?;
        Ok(Some(Removed::default()))
    }

    fn take_out(&self, cluster: &Cluster, shared: &SharedNetwork) -> Result<()> {
        let Removal::Busy(endpoints) = cluster.remove_network(shared)? else { return Ok(()) };
        let named: Vec<_> = endpoints.iter().take(NAMED).map(|(node, name)| format!("{name} on {node}")).collect();
        let more = if endpoints.len() > NAMED { ", …" } else { "" };
        Err(Error::forbidden(format!(
            "the network {} has {} endpoints ({}{more}): detach them first; what a node has that never comes back goes with `pontoon node rm`",
            shared.name,
            endpoints.len(),
            named.join(", ")
        )))
    }

    /// The networks that are made here and are not as in the cluster, or down.
    pub(super) fn odd_networks(&self, restored: bool) -> Result<Vec<(Id, Name)>> {
        let cluster = self.cluster()?;
        let mut all = self.store.networks()?;
        let mirror = cluster.mirror();
        let is_there = |id: &Id| mirror.get(&cluster.keys().of(&Key::Name(id.as_str()))).is_some();
        all.retain(|network| network.global && (restored || network.down.is_some() || !is_there(&network.id)));
        Ok(all.into_iter().map(|network| (network.id, network.driver)).collect())
    }

    /// One of these, in its turn. One that is gone in the cluster goes here, unless it is in use, or etcd has forgotten it.
    pub(super) fn compare_network(&self, id: &Id, restored: bool) -> Result<()> {
        let Some(mut network) = self.store.network(id)?.filter(|network| network.global) else { return Ok(()) };
        let cluster = self.cluster()?;
        let (all, _) = cluster.networks()?;
        if all.iter().any(|one| one.id == *id) {
            if network.down.is_some() {
                self.make_again(&mut network)?;
            }
            return Ok(());
        }
        if restored || self.store.endpoint_count(id)? > 0 {
            if cluster.put_back(&SharedNetwork::of(&network, cluster.node()))? {
                tracing::warn!(network = %network.name, "etcd did not know it any more: put there again");
                cluster.mark(id.as_str(), Which::All);
            } else {
                tracing::error!(network = %network.name, "another network has its name in the cluster: detach its endpoints");
            }
            return Ok(());
        }
        self.delete_network(&network, false)?;
        Ok(())
    }
}

fn subnets(networks: &[SharedNetwork]) -> Vec<IpNet> {
    networks.iter().flat_map(|network| network.pools.iter().map(|pool| pool.subnet)).collect()
}

fn taken(there: &SharedNetwork) -> Error {
    Error::exists(format!("there is a network {} in the cluster already: the node {} made it", there.name, there.node))
}

/// A subnet that is asked for is no other network's.
fn check_pools(create: &CreateNetwork, others: &[SharedNetwork]) -> Result<()> {
    for asked in &create.pools {
        for other in others {
            if let Some(pool) = other.pools.iter().find(|pool| overlap(&pool.subnet, &asked.subnet)) {
                let (subnet, name) = (asked.subnet, &other.name);
                return Err(Error::exists(format!("{subnet} overlaps {} of the network {name}", pool.subnet)));
            }
        }
    }
    Ok(())
}

/// A network that is not made here, as it is told of.
fn shown(shared: SharedNetwork) -> network::Network {
    network::Network {
        id: shared.id,
        name: shared.name,
        driver: shared.driver,
        pools: shared.pools,
        ipam: None,
        ipv4: shared.ipv4,
        ipv6: shared.ipv6,
        internal: shared.internal,
        options: shared.options,
        scope: Scope::Global,
        origin: Origin::Native,
        state: "elsewhere: it is made here when something is attached to it".into(),
        created: shared.created,
        endpoints: 0,
    }
}
