//! The plugin sockets: one for each driver, from its loading to its removal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, oneshot};
use tokio::task::JoinHandle;

use super::known::known;
use super::{Plugin, reserved, router, serve};
use crate::controller::Controller;
use crate::frontend::socket::{Inherited, SocketFile};
use crate::operation::driver::{Driver, DriverDetails, Scope};
use crate::operation::table::Collected;
use crate::operation::{Error, Name, Result};

/// What a driver exports that says itself whether its networks need gateway addresses.
const GATEWAY_CHECKER: &str = "/gateway-allocation-checker@";

/// How long after its first word a dockerd is asked what it still knows: by then its API answers, and what it does at its start is done.
const AFTER_ACTIVATION: Duration = Duration::from_secs(20);

/// All plugin sockets of a daemon.
#[derive(Clone)]
pub struct Plugins {
    controller: Controller,
    folder: PathBuf,
    docker: PathBuf,
    inherited: Arc<Inherited>,
    served: Arc<Mutex<BTreeMap<Name, Served>>>,
    activated: Arc<Notify>,
}

/// One of them.
struct Served {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    _file: Option<SocketFile>,
}

impl Plugins {
    /// Sockets for the drivers of a controller, in this folder, beside a dockerd with this API socket.
    pub fn new(controller: Controller, folder: PathBuf, docker: PathBuf, inherited: Arc<Inherited>) -> Self {
        Self { controller, folder, docker, inherited, served: Arc::default(), activated: Arc::default() }
    }

    /// Removes what nothing owns any more and what dockerd has forgotten.
    pub async fn collect_garbage(&self) -> Result<Collected> {
        match known(&self.docker, &self.published().await).await {
            Ok(known) => self.controller.collect_garbage(Some(known)).await,
            Err(error) => {
                let collected = self.controller.collect_garbage(None).await?;
                Ok(Collected { unasked: Some(error.message), ..collected })
            }
        }
    }

    /// Each dockerd that starts may be the successor of one that was killed, or that gave up on us: what that one never told is
    /// removed then.
    async fn collect_after_activations(self) {
        loop {
            self.activated.notified().await;
            tokio::time::sleep(AFTER_ACTIVATION).await;
            match self.collect_garbage().await {
                Ok(Collected { endpoints, forgotten, .. }) if !endpoints.is_empty() || !forgotten.is_empty() => {
                    tracing::info!(?endpoints, ?forgotten, "removed what dockerd has forgotten");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!("no garbage collection after dockerd's start: {error}"),
            }
        }
    }

    /// The drivers that have their sockets.
    pub async fn published(&self) -> BTreeSet<Name> {
        self.served.lock().await.keys().cloned().collect()
    }

    /// Publishes every driver, also those that can't be called: a socket that answers with the reason costs dockerd nothing, and a
    /// missing one 15 seconds a call.
    pub async fn publish_all(&self) -> Result<()> {
        for driver in self.controller.drivers().await? {
            if let Err(error) = self.publish(&driver.name).await {
                tracing::warn!(driver = %driver.name, "dockerd can't find it: {error}");
            }
        }
        tokio::spawn(self.clone().collect_after_activations());
        Ok(())
    }

    /// Publishes a driver, if it is not yet.
    pub async fn publish(&self, name: &Name) -> Result<PathBuf> {
        if let Some(error) = reserved(name) {
            return Err(error);
        }
        let path = self.folder.join(format!("{name}.sock"));
        let mut served = self.served.lock().await;
        if !served.contains_key(name) {
            served.insert(name.clone(), self.serve(name, &path).await?);
        }
        Ok(path)
    }

    async fn serve(&self, name: &Name, path: &Path) -> Result<Served> {
        let plugin = self.plugin(name).await?;
        let (inherited, at) = (self.inherited.clone(), path.to_owned());
        let bound = tokio::task::spawn_blocking(move || inherited.take_or_bind(&at)).await;
        let (listener, file) = bound.map_err(|e| Error::internal(format!("can't bind: {e}")))??.listen()?;
        let (stop, stopped) = oneshot::channel();
        let router = router(plugin, self.controller.clone());
        let task = tokio::spawn(serve(listener, router, async { drop(stopped.await) }));
        tracing::info!(driver = %name, socket = %path.display(), "published for dockerd");
        Ok(Served { stop, task, _file: file })
    }

    async fn plugin(&self, name: &Name) -> Result<Plugin> {
        let checks = |details: &DriverDetails| details.exports.iter().any(|e| e.contains(GATEWAY_CHECKER));
        let (scope, checks_gateways) = match self.controller.driver(name).await {
            Ok(details) => (details.driver.connectivity_scope, checks(&details)),
            // One that can't be called now.
            Err(_) => (self.listed(name).await?.map_or(Scope::Local, |driver| driver.connectivity_scope), false),
        };
        let (name, activated) = (name.clone(), self.activated.clone());
        Ok(Plugin { name, connectivity_scope: scope, checks_gateways, activated })
    }

    async fn listed(&self, name: &Name) -> Result<Option<Driver>> {
        Ok(self.controller.drivers().await?.into_iter().find(|driver| driver.name == *name))
    }

    /// Takes a driver's socket away, after the requests in flight.
    pub async fn withdraw(&self, name: &Name) {
        let served = self.served.lock().await.remove(name);
        if let Some(Served { stop, task, _file }) = served {
            drop(stop);
            // A panic was reported by its thread.
            drop(task.await);
        }
    }

    /// Takes all sockets away.
    pub async fn close(&self) {
        let served = std::mem::take(&mut *self.served.lock().await);
        let (stops, tasks): (Vec<_>, Vec<_>) = served.into_values().map(|s| (s.stop, (s.task, s._file))).unzip();
        drop(stops);
        for (task, _file) in tasks {
            drop(task.await);
        }
    }
}
