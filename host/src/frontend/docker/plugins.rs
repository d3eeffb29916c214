//! The plugin sockets: one for each driver, from its loading to its removal; those that the service manager holds for as long as it does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as PlainMutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, oneshot};
use tokio::task::JoinHandle;

use super::known::known;
use super::{Capabilities, ForDocker, Plugin, router, serve};
use crate::client::dockerd::reserved;
use crate::controller::Controller;
use crate::frontend::http::After;
use crate::frontend::http::socket::{Inherited, Listening};
use operation::driver::{Driver, Scope};
use operation::engine::Known;
use operation::origin::Origin;
use operation::table::Collected;
use words::{Error, Name, Result};

/// The part of a driver that says itself whether its networks need gateway addresses.
const GATEWAY_CHECKER: &str = "gateway-allocation-checker";

/// How long after its first word a dockerd is asked what it still knows: by then its API answers, and what it does at its start is done.
const AFTER_ACTIVATION: Duration = Duration::from_secs(20);

/// How often one that does not answer is asked.
const TRIES: usize = 5;

/// What is said of a driver that is not there yet.
const NOTHING: Capabilities =
    Capabilities { connectivity_scope: Scope::Local, checks_gateways: false, has_networks: true, ipam: None };

/// All plugin sockets of a daemon.
#[derive(Clone)]
pub struct Plugins {
    controller: Controller,
    folder: PathBuf,
    docker: PathBuf,
    inherited: Arc<Inherited>,
    served: Arc<Mutex<BTreeMap<Name, Served>>>,
    activated: Arc<Notify>,
    collecting: Arc<PlainMutex<Option<JoinHandle<()>>>>,
}

/// One of them.
struct Served {
    capabilities: Arc<PlainMutex<Capabilities>>,
    /// Dropped: the socket is closed.
    stop: oneshot::Sender<After>,
    task: JoinHandle<Option<Listening>>,
}

impl Plugins {
    /// Sockets for the drivers of a controller, in this folder, beside a dockerd with this API socket.
    pub fn new(controller: Controller, folder: PathBuf, docker: PathBuf, inherited: Arc<Inherited>) -> Self {
        let (served, activated, collecting) = (Arc::default(), Arc::default(), Arc::default());
        Self { controller, folder, docker, inherited, served, activated, collecting }
    }

    /// The drivers that have their sockets.
    pub async fn published(&self) -> BTreeSet<Name> {
        self.served.lock().await.keys().cloned().collect()
    }

    /// Publishes every driver, also those that can't be called: a socket that answers with the reason costs dockerd nothing, a
    /// missing one 15 seconds a call, and one that nobody answers on hangs it for ever. So those that the service manager holds are
    /// served, too, whether there is a driver or not.
    pub async fn publish_all(&self) -> Result<()> {
        let held = self.inherited.paths().filter(|path| path.parent() == Some(&self.folder));
        let held = held.filter_map(|path| Name::new(path.file_stem()?.to_str()?).ok());
        let loaded = self.controller.drivers().await?.into_iter().map(|driver| driver.name);
        for name in held.chain(loaded).collect::<BTreeSet<_>>() {
            if let Err(error) = self.publish(&name).await {
                tracing::warn!(driver = %name, "dockerd can't find it: {error}");
            }
        }
        let collecting = tokio::spawn(self.clone().collect_after_activations());
        *self.collecting.lock().unwrap_or_else(PoisonError::into_inner) = Some(collecting);
        Ok(())
    }

    /// Publishes a driver, or says what is new of it where it is published.
    pub async fn publish(&self, name: &Name) -> Result<PathBuf> {
        if let Some(error) = reserved(name) {
            return Err(error);
        }
        let path = self.path(name);
        let mut served = self.served.lock().await;
        let driver = self.controller.listed_driver(name).await?;
        if driver.is_none() && !self.inherited.has(&path) {
            return Err(Error::not_found(format!("there is no driver {name}")));
        }
        let capabilities = driver.as_ref().map_or(NOTHING, capabilities);
        match served.get(name) {
            Some(served) => *served.capabilities.lock().unwrap_or_else(PoisonError::into_inner) = capabilities,
            None => drop(served.insert(name.clone(), self.serve(name, &path, capabilities).await?)),
        }
        Ok(path)
    }

    /// Where a driver is published, or why it is not.
    pub async fn find(&self, name: &Name) -> Result<PathBuf> {
        match reserved(name) {
            Some(error) => Err(error),
            None if self.served.lock().await.contains_key(name) => Ok(self.path(name)),
            None => Err(Error::not_found("its socket could not be made: the daemon's log says why")),
        }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(format!("{name}.sock"))
    }

    async fn serve(&self, name: &Name, path: &Path, capabilities: Capabilities) -> Result<Served> {
        let (inherited, at) = (self.inherited.clone(), path.to_owned());
        let bound = tokio::task::spawn_blocking(move || inherited.take_or_bind(&at)).await;
        let listening = bound.map_err(|e| Error::internal(format!("can't bind: {e}")))??.listen()?;
        let (stop, stopped) = oneshot::channel();
        let capabilities = Arc::new(PlainMutex::new(capabilities));
        let plugin =
            Plugin { name: name.clone(), capabilities: capabilities.clone(), activated: self.activated.clone() };
        let origin = Origin::Docker { api: Some(self.docker.clone()) };
        let router = router(plugin, ForDocker { controller: self.controller.clone(), origin });
        let task = tokio::spawn(serve(listening, router, async { stopped.await.unwrap_or(After::Close) }));
        tracing::info!(driver = %name, socket = %path.display(), "published for dockerd");
        Ok(Served { capabilities, stop, task })
    }

    /// Takes a driver's socket away, after the requests in flight. One that the service manager holds goes on answering.
    pub async fn withdraw(&self, name: &Name) {
        if self.inherited.has(&self.path(name)) {
            return;
        }
        // Under the lock, so that nobody publishes the name again while the file is still there.
        let mut served = self.served.lock().await;
        if let Some(Served { stop, task, .. }) = served.remove(name) {
            drop(stop);
            // A panic was reported by its thread.
            drop(task.await);
        }
    }

    /// Takes all sockets away.
    pub async fn close(&self) {
        drop(self.end(After::Close).await);
    }

    /// Serves none for now, and keeps them among those that are there already.
    pub async fn pause(&self) {
        for (name, listening) in self.end(After::Keep).await {
            match listening.pause() {
                Ok(bound) => self.inherited.keep(&self.path(&name), bound),
                Err(error) => tracing::error!(driver = %name, "{error}"),
            }
        }
    }

    /// Ends all at the same time; answers those that are kept.
    async fn end(&self, after: After) -> Vec<(Name, Listening)> {
        let collecting = self.collecting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(collecting) = collecting {
            collecting.abort();
            drop(collecting.await);
        }
        let served = std::mem::take(&mut *self.served.lock().await);
        let stop = |(name, Served { stop, task, .. })| {
            // One that has ended hears nothing.
            let _ = stop.send(after);
            (name, task)
        };
        let tasks: Vec<_> = served.into_iter().map(stop).collect();
        let mut kept = Vec::new();
        for (name, task) in tasks {
            kept.extend(task.await.ok().flatten().map(|listening| (name, listening)));
        }
        kept
    }

    /// Removes what nothing owns any more and what dockerd has forgotten.
    pub async fn collect_garbage(&self) -> Result<Collected> {
        match self.known().await {
            Ok(known) => self.controller.collect_garbage(Some(known)).await,
            Err(error) => {
                let collected = self.controller.collect_garbage(None).await?;
                Ok(Collected { unasked: Some(error.message), ..collected })
            }
        }
    }

    async fn known(&self) -> Result<Known> {
        let drivers = self.controller.drivers().await?.into_iter().map(|driver| driver.name).collect();
        known(&self.docker, &drivers).await
    }

    /// Each dockerd that starts may be the successor of one that was killed, or that gave up on us: the endpoints of which it never told
    /// are removed then. (Networks and pools only by an operator's `pontoon gc`: another dockerd may listen on the API's socket.)
    async fn collect_after_activations(self) {
        loop {
            self.activated.notified().await;
            for left in (0..TRIES).rev() {
                tokio::time::sleep(AFTER_ACTIVATION).await;
                let removed = match self.known().await {
                    Ok(known) => self.controller.remove_forgotten_endpoints(known).await,
                    Err(error) => Err(error),
                };
                match removed {
                    Ok(endpoints) if endpoints.is_empty() => break,
                    Ok(endpoints) => {
                        tracing::info!(?endpoints, "removed what dockerd has forgotten");
                        break;
                    }
                    Err(error) if left == 0 => {
                        tracing::warn!("what dockerd has forgotten stays until `pontoon gc`: {error}")
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

fn capabilities(driver: &Driver) -> Capabilities {
    Capabilities {
        connectivity_scope: driver.connectivity_scope,
        checks_gateways: driver.parts.iter().any(|part| part == GATEWAY_CHECKER),
        // A driver of an older record says nothing of its parts.
        has_networks: driver.ipam.is_none() || driver.parts.iter().any(|part| part == "driver"),
        ipam: driver.ipam.clone(),
    }
}
