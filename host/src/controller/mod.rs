//! libnetwork's role: which driver serves which network, pools, sandboxes, tables, and the order of calls.
//!
//! An operation is plain, blocking code: it runs on a thread of its own, because the kernel, the disk and a driver's code all
//! block. Operations of one network come one after another, those of different networks at the same time. An
//! operation that has begun ends, also when whoever asked for it has gone.
//!
//! - `call`: one call of a driver, as a transaction
//! - `lifecycle`: libnetwork's steps, each once
//! - `network`, `attach`, `endpoint`, `gateway`, `table`, `driver`: an operator's operations
//! - `upgrade`: another version takes a driver's place; `migrate`: what it makes of the state before
//! - `untold`: events that a driver did not take
//! - `sandbox`: libnetwork's own part of a join
//! - `request`: what a container engine asks for, by the plugin protocol; `taken_pool`: address pools for it
//! - `global`: networks of global scope, in the store of the cluster
//! - `direct`: a driver's functions, called past all that: for the conformance suite
//! - `pool`: address pools; `ipam`: those that a driver gives
//! - `restart`: what a start finds, and garbage; `forgotten`: what a container engine has forgotten

pub(crate) mod arguments;
mod attach;
mod call;
mod direct;
mod driver;
mod endpoint;
mod forgotten;
mod gateway;
mod global;
mod ipam;
mod lifecycle;
mod measured;
mod migrate;
mod network;
mod pool;
mod published;
mod request;
mod restart;
mod sandbox;
mod table;
mod taken_pool;
mod turns;
mod untold;
mod upgrade;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use crate::cluster::Health;
pub use crate::driver::EARLIER;
pub use crate::driver::archive::MOST as DRIVER_FILE;
pub(crate) use direct::{Called, Direct};
pub use global::Underlay;
pub use measured::{Measured, MeasuredCluster};
use tokio::sync::{RwLock, watch};
use turns::{Turn, Turns};

use crate::answers::Fault;
use crate::cluster::Cluster;
use crate::driver::Drivers;
use crate::driver::archive::{self, Archive};
use crate::firewall::{Exceptions, Firewall, Found};
use crate::place::{Host, Place};
use crate::reaper::Reaper;
use grant::{Audited, Grant};
use kernel::{self, HostPort, Kernel};
use operation::driver::{CurrentGrant, Driver, DriverDetails, Forgot, LoadDriver};
use operation::endpoint::{Attach, Attached, Endpoint};
use operation::engine::Known;
use operation::network::{CreateNetwork, CreatedNetwork, Network, NetworkDetails, Removed};
use operation::recording::Recording;
use operation::table::{Collected, Entry, PutEntry, Version};
use store::{self, Store};
use words::file::make_private;
use words::{Error, Id, Name, Result};

/// What front ends speak to.
#[derive(Clone)]
pub struct Controller {
    inner: Arc<Inner>,
    turns: Turns,
    /// Held for reading by each operation, for writing by what must be alone: garbage collection and the end.
    running: Arc<RwLock<()>>,
    /// See [`Self::may_be_waited_for`].
    waits: Arc<watch::Sender<bool>>,
}

/// What operations work with.
pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) reaper: Arc<Reaper>,
    pub(crate) firewall: Arc<Firewall>,
    pub(crate) drivers: Drivers,
    /// The function that it is for; none: every one.
    fault: Mutex<Option<(Option<&'static str>, Fault)>>,
    /// The calls that were made, if somebody counts them.
    calls: Mutex<Option<Vec<Called>>>,
    untold: untold::Untold,
    /// What this host shares with others; none: it is no node of a cluster.
    cluster: Option<Arc<Cluster>>,
    /// Why what the drivers folder has for a driver does not serve.
    files: Mutex<BTreeMap<Name, String>>,
}

/// What tells an older copy of the store from the newest; see [`Store::hear`].
const WITNESS: &str = "store-witness";

/// How long threads that do their last work are waited for. The reaper has the most to do: a thousand links take 10 seconds, and another
/// daemon that finds some of them deletes them as well.
const LAST_THREADS: Duration = Duration::from_secs(5);

impl Controller {
    /// Opens the state folder, loads its drivers, and brings kernel and store together. Blocks.
    pub fn start(place: &Place) -> Result<Self> {
        let store = Arc::new(Store::open(&place.state)?);
        make_private(&place.run)?;
        store.hear(&place.run.join(WITNESS))?;
        let host = match &place.host {
            Host::Own => Kernel::current_namespace()?.into(),
            Host::At(path) => {
                let file = std::fs::File::open(path).map_err(|e| words::file::io(path, &e))?;
                OwnedFd::from(file).into()
            }
            Host::Fake(fake) => fake.clone().into(),
        };
        let config = kernel::Config { host, instance: store.instance(), run_folder: place.run.clone() };
        let kernel = Arc::new(Kernel::new(config)?);
        kernel.receive_ports(std::mem::take(&mut *place.ports.lock().unwrap_or_else(PoisonError::into_inner)));
        let reaper =
            Reaper::start(kernel.clone()).map_err(|e| Error::internal(format!("can't start a thread: {e}")))?;
        let drivers = Drivers::start(store.clone(), place)?;
        let firewall = Arc::new(Firewall::start(kernel.clone(), store.clone()));
        let (reaper, fault, calls) = (Arc::new(reaper), Mutex::default(), Mutex::default());
        let untold = untold::Untold::default();
        let files = Mutex::default();
        let cluster = global::join(&store, place.cluster.clone())?;
        let inner = Inner { store, kernel, reaper, firewall, drivers, fault, calls, untold, cluster, files };
        let inner = Arc::new(inner);
        inner.restart()?;
        // Those that no record asks for.
        inner.kernel.receive_ports(Vec::new());
        let waits = Arc::new(watch::Sender::new(true));
        Ok(Self { inner, turns: Turns::new(), running: Arc::default(), waits })
    }

    /// Waits for the operations that run, and lets no more begin.
    pub async fn close(&self) {
        self.turns.close();
        let _alone = self.running.write().await;
    }

    /// Closes the store for another daemon, unless an operation still runs after this time: then all stays as it is. Answers what holds the
    /// host's ports. Nobody else has this controller any more.
    pub async fn give_up(self, within: Duration) -> std::result::Result<Vec<(HostPort, OwnedFd)>, Self> {
        let alone = tokio::time::timeout(within, self.running.clone().write_owned()).await;
        let Ok(_alone) = alone else { return Err(self) };
        self.turns.close();
        let ports = self.inner.kernel.give_up_ports();
        let (store, kernel) = (Arc::downgrade(&self.inner.store), Arc::downgrade(&self.inner.kernel));
        // Its threads are waited for; some that only look at the kernel end a little later.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
        let begin = Instant::now();
        while store.strong_count() + kernel.strong_count() > 0 && begin.elapsed() < LAST_THREADS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if store.strong_count() > 0 {
            tracing::error!("the store is still in use");
        }
        Ok(ports)
    }

    /// Lets every driver call from now on fail or trap at one of its host calls: for tests of what is left behind.
    pub fn inject(&self, fault: Option<Fault>) {
        *self.inner.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault.map(|fault| (None, fault));
    }

    /// The same, for calls of one exported function, e.g. `join`.
    pub fn inject_into(&self, function: &'static str, fault: Fault) {
        *self.inner.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some((Some(function), fault));
    }

    /// Loads a component.
    pub async fn load_driver(&self, load: LoadDriver) -> Result<DriverDetails> {
        self.plain(move |inner| inner.load_driver(load)).await
    }

    /// All drivers.
    pub async fn drivers(&self) -> Result<Vec<Driver>> {
        self.plain(Inner::drivers).await
    }

    /// One of them, if there is one of the name.
    pub async fn listed_driver(&self, name: &Name) -> Result<Option<Driver>> {
        let name = name.clone();
        self.plain(move |inner| inner.listed_driver(&name)).await
    }

    /// Why what the drivers folder has for a driver does not serve; none: it does. Shown with the driver.
    pub fn note_file(&self, name: &Name, why: Option<String>) {
        let mut files = self.inner.files.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => drop(files.insert(name.clone(), why)),
            None => drop(files.remove(name)),
        }
    }

    /// A driver, whole.
    pub async fn driver(&self, name: &Name) -> Result<DriverDetails> {
        let name = name.clone();
        self.plain(move |inner| inner.driver(&name)).await
    }

    /// A driver's component.
    pub async fn component(&self, name: &Name) -> Result<Vec<u8>> {
        let name = name.clone();
        self.plain(move |inner| inner.drivers.component(&name)).await
    }

    /// Forgets earlier versions but so many, of one driver or of all, and the code of those that are kept.
    pub async fn forget_versions(&self, name: Option<Name>, keep: usize) -> Result<Vec<Forgot>> {
        self.plain(move |inner| inner.drivers.forget_versions(name.as_ref(), keep)).await
    }

    /// A driver as a file for another host.
    pub async fn export_driver(&self, name: &Name) -> Result<Vec<u8>> {
        let name = name.clone();
        self.plain(move |inner| inner.drivers.export(&name)).await
    }

    /// Takes a driver from such a file, whose parts are put where `load` has them. Where there is one of the name, it is upgraded, and keeps its own
    /// history and state.
    pub async fn import_driver(&self, file: Vec<u8>, load: LoadDriver) -> Result<DriverDetails> {
        let import = move |inner: &Inner| {
            let Archive { record, state, component } = archive::read(&file)?;
            let (configuration, grant) = (record.configuration.clone(), Some(record.grant.clone()).into());
            let load = LoadDriver { component, configuration, grant, ..load };
            if inner.store.driver(&load.name)?.is_some() {
                return Ok(Err(load));
            }
            let driver = inner.drivers.import(load, record, state)?;
            tracing::info!(driver = %driver.record.name, digest = %driver.record.digest, "imported");
            inner.details(&driver).map(Ok)
        };
        match self.plain(import).await? {
            Ok(details) => Ok(details),
            Err(upgrade) => self.upgrade_driver(upgrade).await,
        }
    }

    /// Recorded calls of a driver after a number; waits for one, but no longer than this, nor than the daemon goes on.
    pub async fn recordings(&self, name: &Name, after: u64, wait: Duration) -> Result<Vec<Arc<Recording>>> {
        let recorder = self.inner.drivers.get(name)?.recorder.clone();
        let mut waits = self.waits.subscribe();
        let is_over = async { drop(waits.wait_for(|may_be| !may_be).await) };
        tokio::select! {
            recordings = recorder.after(after, wait) => Ok(recordings),
            () = is_over => Ok(recorder.after(after, Duration::ZERO).await),
        }
    }

    /// Whether somebody may wait for what is yet to happen: not while the daemon lets requests finish, for its end or its successor.
    pub fn may_be_waited_for(&self, may_be: bool) {
        self.waits.send_replace(may_be);
    }

    /// Forgets a driver that serves no network.
    pub async fn remove_driver(&self, name: &Name) -> Result<()> {
        let name = name.clone();
        self.plain(move |inner| inner.drivers.remove(&name)).await
    }

    /// Changes what a driver may do.
    pub async fn set_grant(&self, name: &Name, grant: Grant) -> Result<CurrentGrant> {
        let name = name.clone();
        self.plain(move |inner| inner.set_grant(&name, grant)).await
    }

    /// What a driver was allowed and refused.
    pub async fn audit(&self, name: &Name) -> Result<Audited> {
        let name = name.clone();
        self.plain(move |inner| Ok(inner.drivers.get(&name)?.policy.audit.tell())).await
    }

    /// Makes a network.
    pub async fn create_network(&self, create: CreateNetwork) -> Result<CreatedNetwork> {
        let id = Id::random()?;
        self.on_network(id.clone(), create.driver.clone(), move |inner| inner.create_network(id, create)).await
    }

    /// All networks.
    pub async fn networks(&self) -> Result<Vec<Network>> {
        self.plain(Inner::networks).await
    }

    /// A network, whole: by name, id, or the start of an id that only one has. Verbose: with its entries, explained by its driver.
    pub async fn network(&self, network: &str, verbose: bool) -> Result<NetworkDetails> {
        if let Some(elsewhere) = self.details_elsewhere(network, verbose).await? {
            return Ok(elsewhere);
        }
        if verbose {
            let (id, driver) = self.find_network(network).await?;
            return self.on_driver(driver, move |inner| inner.network_details(id.as_str(), true)).await;
        }
        let network = network.to_owned();
        self.plain(move |inner| inner.network_details(&network, false)).await
    }

    /// Removes a network without endpoints.
    pub async fn remove_network(&self, network: &str) -> Result<Removed> {
        if let Some(removed) = self.remove_elsewhere(network).await? {
            return Ok(removed);
        }
        let (id, driver) = self.find_network(network).await?;
        self.on_network(id.clone(), driver, move |inner| inner.remove_network(&id)).await
    }

    /// Attaches a namespace to a network.
    pub async fn attach(&self, network: &str, attach: Attach) -> Result<Attached> {
        self.make_here(network).await?;
        let (name, wanted) = (network.to_owned(), attach.clone());
        let look = move |inner: &Inner| {
            let network = inner.find_network(&name)?;
            Ok((inner.gateways_in_the_way(&network, &wanted)?, network.id, network.driver))
        };
        let (in_the_way, id, driver) = self.plain(look).await?;
        self.resign(&in_the_way.gateways).await?;
        let work = || {
            let (network, attach) = (id.clone(), attach.clone());
            self.on_network(id.clone(), driver.clone(), move |inner| inner.attach(&network, attach))
        };
        let attached = self.without_dead(work).await;
        if let Some(sandbox) = in_the_way.sandbox {
            // For a family that the new one has no way out for, or because it did not come to be.
            if !in_the_way.gateways.is_empty() {
                self.elect_gateways(sandbox.clone()).await;
            }
            self.tell_gateways(sandbox).await;
        }
        attached
    }

    /// Detaches an endpoint: by name, id, the start of an id, or namespace (path or name); `network` may be left out where
    /// only one fits.
    pub async fn detach(&self, network: Option<&str>, endpoint: &str) -> Result<Removed> {
        let (network, endpoint) = (network.map(str::to_owned), endpoint.to_owned());
        let find = move |inner: &Inner| {
            let found = inner.find_endpoint(network.as_deref(), &endpoint)?;
            let driver = inner.driver_of(&found.network)?;
            Ok((found, driver))
        };
        let (found, driver) = self.plain(find).await?;
        let (network, endpoint) = (found.network.clone(), found.id.clone());
        let removed = self.on_network(found.network, driver, move |inner| inner.detach(&network, &endpoint)).await?;
        if let Some(sandbox) = found.sandbox {
            // Its ports were published by another.
            if !found.ports.is_empty() && !found.is_gateway && !found.is_gateway_ipv6 {
                let place = sandbox.clone();
                let gateways = self.plain(move |inner| inner.gateways_below(&place, i64::MAX)).await?;
                self.resign(&gateways).await?;
            }
            self.elect_gateways(sandbox.clone()).await;
            self.tell_gateways(sandbox).await;
        }
        Ok(removed)
    }

    /// Endpoints of a network, or all.
    pub async fn endpoints(&self, network: Option<&str>) -> Result<Vec<Endpoint>> {
        let network = network.map(str::to_owned);
        self.plain(move |inner| inner.endpoints(network.as_deref())).await
    }

    /// Entries of a network's tables, explained by its driver.
    pub async fn entries(&self, network: &str, table: Option<&str>) -> Result<Vec<Entry>> {
        let (id, driver) = self.find_network(network).await?;
        let table = table.map(str::to_owned);
        self.on_driver(driver, move |inner| inner.entries(id.as_str(), table.as_deref())).await
    }

    /// Puts an entry of another owner, and tells the driver.
    pub async fn put_entry(&self, network: &str, table: &str, key: &str, put: PutEntry) -> Result<()> {
        let (id, driver) = self.find_network(network).await?;
        let (table, key) = (table.to_owned(), key.to_owned());
        self.on_network(id.clone(), driver, move |inner| inner.put_entry(&id, table, key, put)).await
    }

    /// Removes an entry of another owner, and tells the driver.
    pub async fn remove_entry(&self, network: &str, table: &str, key: &str) -> Result<()> {
        let (id, driver) = self.find_network(network).await?;
        let (table, key) = (table.to_owned(), key.to_owned());
        self.on_network(id.clone(), driver, move |inner| inner.remove_entry(&id, table, key)).await
    }

    /// Whether the store is an older copy than the one that this machine's networks were made with.
    pub fn is_behind(&self) -> Result<bool> {
        Ok(self.inner.store.is_behind()?)
    }

    /// Lets go of what the store, an older copy, does not know: the next collection of garbage removes it.
    pub async fn give_up_orphans(&self) -> Result<()> {
        self.alone(|inner| Ok(inner.store.catch_up()?)).await
    }

    /// Removes what nothing owns, and catches up with what was put off. Alone. `known`: what the container engine knew a moment ago.
    pub async fn collect_garbage(&self, known: Option<Known>) -> Result<Collected> {
        let work = move |inner: &Inner| {
            let known = known.map(|known| inner.with_joined(&known)).transpose()?;
            inner.collect_garbage(known.as_ref())
        };
        self.alone(work).await
    }

    /// Removes the endpoints of which the container engine does not know, where it knows their network. Alone. Answers what they were.
    pub async fn remove_forgotten_endpoints(&self, known: Known) -> Result<Vec<String>> {
        self.alone(move |inner| inner.remove_forgotten_endpoints(&inner.with_joined(&known)?)).await
    }

    /// What the host's firewall is for links that forward.
    pub async fn firewall(&self, family: kernel::IptablesFamily) -> Result<Found> {
        self.plain(move |inner| Ok(inner.firewall.found(family)?)).await
    }

    /// How the rules for links that forward stand there.
    pub async fn exceptions(&self, family: kernel::IptablesFamily) -> Result<Exceptions> {
        self.plain(move |inner| inner.firewall.exceptions(family)).await
    }

    /// The MTU of the way out, and the networks whose bridges have more; none: there is no way out.
    pub async fn wide_networks(&self) -> Result<Option<(u32, Vec<String>)>> {
        self.plain(Inner::wide_networks).await
    }

    /// The networks that are closed because their packet rules can't be put back, each with why.
    pub async fn closed_networks(&self) -> Result<Vec<(Name, String)>> {
        self.plain(Inner::closed_networks).await
    }

    /// How much there is, and how it stands with the cluster, in numbers.
    pub async fn measure(&self) -> Result<Measured> {
        self.plain(Inner::measure).await
    }

    /// Which Pontoon this is.
    pub fn version(&self) -> Version {
        version()
    }

    /// On whichever networks they are.
    async fn resign(&self, gateways: &[gateway::Candidate]) -> Result<()> {
        for (network, driver, endpoint) in gateways.iter().cloned() {
            self.on_network(network.clone(), driver, move |inner| inner.resign_gateway(&network, &endpoint)).await?;
        }
        Ok(())
    }

    /// The namespace lost a gateway: other ones of its endpoints become it, one for each family or one for both, on whichever networks they are.
    async fn elect_gateways(&self, sandbox: kernel::NamespacePath) {
        for _family in 0..2 {
            let place = sandbox.clone();
            let candidate = self.plain(move |inner| inner.next_gateway(&place)).await;
            let Ok(Some((network, driver, endpoint))) = candidate else { return };
            let elected =
                self.on_network(network.clone(), driver, move |inner| inner.become_gateway(&network, &endpoint)).await;
            if let Err(error) = elected {
                tracing::warn!("no new gateway endpoint: {error}");
            }
        }
    }

    /// A gateway endpoint that stays, for one family, hears which is the gateway for the other one now.
    async fn tell_gateways(&self, sandbox: kernel::NamespacePath) {
        let told_of_others = self.plain(move |inner| inner.told_of_others(&sandbox)).await;
        for (network, driver, endpoint) in told_of_others.unwrap_or_default() {
            let told =
                self.on_network(network.clone(), driver, move |inner| inner.become_gateway(&network, &endpoint)).await;
            if let Err(error) = told {
                tracing::warn!("a gateway endpoint does not know the other one: {error}");
            }
        }
    }

    /// A network's id and its driver.
    async fn find_network(&self, network: &str) -> Result<(Id, Name)> {
        let network = network.to_owned();
        let find = move |inner: &Inner| inner.find_network(&network).map(|network| (network.id, network.driver));
        self.plain(find).await
    }

    /// Runs an operation that is no one network's.
    async fn plain<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let turn = self.turns.next(None, None).await?;
        self.beside_others(turn, work).await
    }

    /// Runs an operation of a driver that is no one network's.
    async fn on_driver<T: Send + 'static>(
        &self,
        driver: Name,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.next(None, Some(driver)).await?;
        self.beside_others(turn, work).await
    }

    /// Runs an operation of a driver beside which none of its networks' runs.
    async fn on_driver_alone<T: Send + 'static>(
        &self,
        driver: Name,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.only(driver).await?;
        self.beside_others(turn, work).await
    }

    /// Runs an operation of a network, after the ones before it.
    async fn on_network<T: Send + 'static>(
        &self,
        id: Id,
        driver: Name,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.next(Some(id), Some(driver)).await?;
        self.beside_others(turn, work).await
    }

    async fn beside_others<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let running = self.running.clone().read_owned().await;
        self.run((turn, running), work).await
    }

    /// Runs an operation beside which no other runs.
    async fn alone<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let turn = self.turns.next(None, None).await?;
        let running = self.running.clone().write_owned().await;
        self.run((turn, running), work).await
    }

    /// Runs blocking work to its end, whoever waits for it, and holds what it needs until then.
    async fn run<T: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let ran = tokio::task::spawn_blocking(move || {
            let _held = held;
            work(&inner)
        });
        ran.await.unwrap_or_else(|e| Err(Error::internal(format!("the operation panicked: {e}"))))
    }
}

/// Which Pontoon this is.
pub fn version() -> Version {
    Version {
        version: env!("CARGO_PKG_VERSION").into(),
        interface: crate::driver::admit::interface(),
        wasmtime: WASMTIME.into(),
        schema: store::SCHEMA,
    }
}

/// The line of wasmtime that Cargo.toml asks for.
const WASMTIME: &str = "48";
