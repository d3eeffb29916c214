//! Networks of global scope: what this host shares with the nodes of its cluster.
//!
//! What adds something goes to etcd first, in one transaction, and is committed here only if that came through. What removes something is
//! committed here first, and etcd follows. So at any instant etcd has at least what this host has, and what it has beyond that is taken back:
//! at once, or after a crash by the first comparison of the next start.
//!
//! - `entries`: a call's entries, before its commit
//! - `endpoint`: an endpoint's addresses, before it is made
//! - `network`: networks made, found, made here too, removed
//! - `unique`: options of networks that no two of a driver have
//! - `joined`, `joined_pool`: networks that a container engine's network is one of, and their addresses
//! - `compare`: some keys of a network, brought together: others' changes become events here, what is this host's is put or taken back there
//! - `node`: which nodes there are, and what each has; `peers`: what each has on one network
//! - `underlay`: what carries the packets between them
//!
//! [`Controller::follow_cluster`] waits for news, and has each network compared in its turn.

mod compare;
mod endpoint;
mod entries;
pub(super) mod joined;
pub(super) mod joined_pool;
mod network;
mod node;
mod peers;
mod underlay;
mod unique;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Controller, Inner};
use crate::cluster::{Access, Cluster, Health, News, Which};
use operation::network::{NetworkDetails, Removed};
use operation::node::{Availability, Node, NodeDetails};
use store::Store;
pub use underlay::Underlay;
use words::{Error, Id, Kind, Name, Result};

/// Where the store keeps what tells this host from another of the same name, and the lease that it has.
const INSTANCE: &str = "cluster-instance";
const LEASE: &str = "cluster-lease";

/// How long a comparison that failed waits for the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Joins the cluster, if there is one.
pub(super) fn join(store: &Store, access: Option<Arc<Access>>) -> Result<Option<Arc<Cluster>>> {
    let Some(access) = access else { return Ok(None) };
    let instance = match store.meta(INSTANCE)? {
        Some(instance) => instance,
        None => {
            let instance = Id::random()?.to_string();
            store.set_meta(INSTANCE, &instance)?;
            instance
        }
    };
    let lease = store.meta(LEASE)?.and_then(|lease| lease.parse().ok());
    Cluster::start(access, instance, lease).map(|cluster| Some(Arc::new(cluster)))
}

impl Inner {
    /// The cluster, where this host is a node of one.
    fn cluster(&self) -> Result<&Cluster> {
        self.cluster.as_deref().ok_or_else(|| {
            let why = "this host is no node of a cluster: [cluster] in its configuration says where etcd is";
            Error::new(Kind::Unavailable, why)
        })
    }

    /// Takes note of a lease: the daemon that comes next goes on with it.
    fn note_lease(&self) -> Result<()> {
        match self.cluster()?.lease() {
            Some(lease) => Ok(self.store.set_meta(LEASE, &lease.to_string())?),
            None => Ok(()),
        }
    }

    /// The networks of global scope that this host has made, each with its driver.
    fn global_networks(&self) -> Result<Vec<(Id, Name)>> {
        let global = self.store.networks()?.into_iter().filter(|network| network.global);
        Ok(global.map(|network| (network.id, network.driver)).collect())
    }
}

impl Controller {
    /// Follows the cluster, for ever.
    pub async fn follow_cluster(&self) {
        let Some(cluster) = self.inner.cluster.clone() else { return std::future::pending().await };
        let (mut todo, mut busy, mut running) = (BTreeMap::new(), BTreeSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                news = cluster.news() => todo = self.sort(news, todo).await,
                Some(done) = running.join_next(), if !running.is_empty() => match done {
                    Ok(network) => drop(busy.remove(&network)),
                    // It panicked, and its thread said so.
                    Err(_) => busy.clear(),
                },
            }
            let idle: Vec<String> = todo.keys().filter(|network| !busy.contains(*network)).cloned().collect();
            for network in idle {
                if let Some(which) = todo.remove(&network) {
                    busy.insert(network.clone());
                    let controller = self.clone();
                    running.spawn(async move { controller.compare_in_turn(network, which).await });
                }
            }
        }
    }

    /// What is to be compared after some news.
    async fn sort(&self, news: News, mut todo: BTreeMap<String, Which>) -> BTreeMap<String, Which> {
        let (all, restored) = (news.all, news.restored);
        if all && let Err(error) = self.plain(Inner::note_lease).await {
            tracing::warn!("the lease is not noted: {error}");
        }
        if (all || news.networks)
            && let Err(error) = self.compare_networks(restored).await
        {
            tracing::warn!("networks of global scope are not compared: {error}");
            if let Some(cluster) = self.inner.cluster.clone() {
                tokio::spawn(async move {
                    tokio::time::sleep(PAUSE).await;
                    cluster.mark_networks();
                });
            }
        }
        let of_all = if all { self.plain(Inner::global_networks).await.unwrap_or_default() } else { Vec::new() };
        let keys = news.keys.into_iter().chain(of_all.into_iter().map(|(id, _)| (id.to_string(), Which::All)));
        for (network, which) in keys {
            match (todo.get_mut(&network), which) {
                (Some(Which::All), _) => {}
                (Some(Which::These(keys)), Which::These(more)) => keys.extend(more),
                (_, which) => drop(todo.insert(network, which)),
            }
        }
        todo
    }

    /// Compares some keys of a network, after its operations before. Answers its id.
    async fn compare_in_turn(&self, network: String, which: Which) -> String {
        let Ok(id) = Id::new(&network) else { return network };
        let (found, again) = (id.clone(), which.clone());
        // One that is not made here is nobody's here.
        let Ok(driver) = self.plain(move |inner| inner.driver_of(&found)).await else { return network };
        let compared = self.on_network(id.clone(), driver, move |inner| inner.compare(&id, which)).await;
        if let Err(error) = compared {
            tracing::debug!(network, "is compared again: {error}");
            tokio::time::sleep(PAUSE).await;
            if let Some(cluster) = &self.inner.cluster {
                cluster.mark(&network, again);
            }
        }
        network
    }

    /// Removes networks here that are gone in the cluster, puts those back that it should have, and makes those again that are down.
    async fn compare_networks(&self, restored: bool) -> Result<()> {
        for (id, driver) in self.plain(move |inner| inner.odd_networks(restored)).await? {
            let network = id.clone();
            self.on_network(id, driver, move |inner| inner.compare_network(&network, restored)).await?;
        }
        Ok(())
    }

    /// The nodes of the cluster.
    pub async fn nodes(&self) -> Result<Vec<Node>> {
        self.plain(|inner| inner.nodes(inner.lag())).await
    }

    /// All of one node.
    pub async fn node(&self, name: &Name) -> Result<NodeDetails> {
        let name = name.clone();
        self.plain(move |inner| inner.node(&name)).await
    }

    /// Has a node take new endpoints, or none.
    pub async fn update_node(&self, name: &Name, availability: Availability) -> Result<()> {
        let name = name.clone();
        self.plain(move |inner| inner.update_node(&name, availability)).await
    }

    /// Forgets what a node has that never comes back.
    pub async fn remove_node(&self, name: &Name) -> Result<()> {
        let name = name.clone();
        self.plain(move |inner| inner.remove_node(&name)).await
    }

    /// How it stands with etcd; none: this host is no node of a cluster.
    pub fn cluster_health(&self) -> Option<Health> {
        self.inner.cluster.as_ref().map(|cluster| cluster.health())
    }

    /// What carries packets to the other nodes; none: this host is no node of a cluster.
    pub async fn underlay(&self) -> Result<Option<Underlay>> {
        self.plain(Inner::underlay).await
    }

    /// A network of the cluster that is not made here, whole; none: it is, or there is none.
    pub(super) async fn details_elsewhere(&self, network: &str, verbose: bool) -> Result<Option<NetworkDetails>> {
        if self.inner.cluster.is_none() {
            return Ok(None);
        }
        let network = network.to_owned();
        self.plain(move |inner| inner.details_elsewhere(&network, verbose)).await
    }

    /// Removes one; none: it is made here, or there is none.
    pub(super) async fn remove_elsewhere(&self, network: &str) -> Result<Option<Removed>> {
        if self.inner.cluster.is_none() {
            return Ok(None);
        }
        let network = network.to_owned();
        self.plain(move |inner| inner.remove_elsewhere(&network)).await
    }

    /// Makes a network of global scope here, if this host has not made it yet.
    pub(super) async fn make_here(&self, network: &str) -> Result<()> {
        if self.inner.cluster.is_none() {
            return Ok(());
        }
        let network = network.to_owned();
        let Some(shared) = self.plain(move |inner| inner.elsewhere(&network)).await? else { return Ok(()) };
        let (id, driver) = (shared.id.clone(), shared.driver.clone());
        self.on_network(id, driver, move |inner| inner.make_here(shared)).await
    }
}
