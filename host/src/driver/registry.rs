//! The drivers that are loaded, by name. [`versions`]: how one comes, and takes the place of another; [`forgotten`]: how one goes; [`moving`]: from one
//! host to another.

mod forgotten;
mod moving;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::admit::{self, Admitted};
use super::aside::Aside;
use super::code::{Code, Engines};
use super::components::Components;
use super::probation::Probation;
use super::recorder::Recorder;
use super::trust::Trust;
use crate::capability::{CallState, Facts};
use crate::place::Place;
use ask::driver::Registration;
use ask::types::Scope as WitScope;
use ask::{Arguments, Returned};
use engine::Call;
use grant::{Grant, Needed, Policy};
use operation::driver::{AddressManagement, CallCount, CallTrace, Scope, Without};
use store::{self, Batch, Durability, Store, Version, Write};
pub use versions::{Candidate, EARLIER};
use words::{Error, Kind, Name, Result};

/// A loaded driver.
pub struct Driver {
    /// What the store holds of it.
    pub record: store::Driver,
    /// Its code.
    pub code: Code,
    /// What its component says of itself.
    pub admitted: Admitted,
    /// How long each of its calls may take at most.
    pub deadline: Duration,
    /// What it may do, and what it did.
    pub policy: Arc<Policy>,
    /// What `configuration` answers.
    pub configuration: Arc<BTreeMap<String, String>>,
    /// Which of its functions are put aside.
    pub aside: Aside,
    /// What this version of it has done.
    pub probation: Probation,
    /// Its recorded calls.
    pub recorder: Arc<Recorder>,
    /// Held for reading while a call is committed; for writing by a call that was overtaken, from its start to its commit.
    pub commits: Arc<RwLock<()>>,
    calls: Arc<Mutex<Counts>>,
}

/// The part with which a version changes the state that another one left.
const MIGRATION: &str = "migration";

/// Of each function: calls, those that failed, microseconds.
type Counts = BTreeMap<String, (u64, u64, u64)>;

/// A driver, or why it could not be loaded.
type Loaded = Result<Arc<Driver>>;

/// The right to change which drivers there are.
type Alone<'a> = RwLockWriteGuard<'a, BTreeMap<Name, Loaded>>;

/// All of them.
pub struct Drivers {
    engines: Engines,
    deadline: Duration,
    store: Arc<Store>,
    trust: Trust,
    components: Arc<Components>,
    loaded: RwLock<BTreeMap<Name, Loaded>>,
    /// See [`Policy::new`].
    needed: Option<Needed>,
}

impl Drivers {
    /// Loads every recorded driver. One that can't be loaded keeps its place, with
    /// the reason.
    pub fn start(store: Arc<Store>, place: &Place) -> Result<Self> {
        let (engines, deadline) = (Engines::new(place.launcher.clone())?, place.deadline);
        let components = Arc::new(Components::new(place)?);
        let (loaded, needed) = (RwLock::default(), place.needed.clone());
        let trust = Trust(place.signatures.clone());
        if let Err(error) = trust.look() {
            tracing::error!("no driver will be loaded or upgraded: {error}");
        }
        let drivers = Self { engines, deadline, store, trust, components, loaded, needed };
        let records = drivers.store.drivers()?;
        drivers.components.forget_others(&records.iter().flat_map(store::Driver::digests).collect());
        drivers.restore_all(records);
        Ok(drivers)
    }

    /// On as many threads as there are processors.
    fn restore_all(&self, records: Vec<store::Driver>) {
        let (records, threads) =
            (Mutex::new(records.into_iter()), thread::available_parallelism().map_or(1, usize::from));
        let restore = || {
            // Held for as long as it takes to take one.
            let next = || records.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(record) = next() {
                let name = record.name.clone();
                let driver = self.restore(record).map(Arc::new);
                if let Err(error) = &driver {
                    tracing::error!("the driver {name} can't be loaded: {error}");
                }
                self.write().insert(name, driver);
            }
        };
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(restore))));
    }

    /// Changes what a driver may do, from its next call on. It may lack what the driver asks for.
    pub fn set_grant(&self, name: &Name, grant: Grant) -> Result<Arc<Driver>> {
        grant.check()?;
        let driver = self.get(name)?;
        // Under the lock, so that what is stored is what counts.
        let _alone = self.write();
        let Some(record) = self.store.driver(name)? else {
            return Err(Error::not_found(format!("there is no driver {name}")));
        };
        let version = Version { granted_since: true, ..record.version };
        let writes = vec![Write::PutDriver(store::Driver { grant: grant.clone(), version, ..record })];
        self.store.commit(Batch { writes, durability: Durability::Power, ..Batch::default() })?;
        driver.policy.set_grant(grant);
        Ok(driver)
    }

    /// Removes the files of those components that no driver has, nor may go back to.
    fn forget_unused<'a>(&self, _alone: &Alone<'_>, digests: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let drivers = self.store.drivers()?;
        let kept: BTreeSet<_> = drivers.iter().flat_map(store::Driver::digests).collect();
        digests.into_iter().filter(|digest| !kept.contains(digest)).for_each(|digest| self.components.forget(digest));
        Ok(())
    }

    /// A loaded driver's component.
    pub fn component(&self, name: &Name) -> Result<Vec<u8>> {
        self.components.read(&self.get(name)?.record.digest)
    }

    /// The functions that a driver imports. Of one that was there at the daemon's start its component says them.
    pub fn imported_functions(&self, driver: &Driver) -> Result<Vec<String>> {
        match &driver.admitted.functions {
            Some(functions) => Ok(functions.clone()),
            None => admit::imported_functions(&self.components.read(&driver.record.digest)?, &driver.admitted.imports),
        }
    }

    /// A driver that can be called.
    pub fn get(&self, name: &Name) -> Result<Arc<Driver>> {
        let none = || Error::not_found(format!("there is no driver {name}: load one with `pontoon driver load`"));
        let found = self.find(name).ok_or_else(none)?;
        found.map_err(|error| error.context(format!("the driver {name} could not be loaded")))
    }

    /// All of them, with the reason where one could not be loaded.
    pub fn list(&self) -> Vec<(Name, Loaded)> {
        self.read().iter().map(|(name, driver)| (name.clone(), driver.clone())).collect()
    }

    /// One of them, be it with the reason why it could not be loaded.
    pub fn find(&self, name: &Name) -> Option<Loaded> {
        self.read().get(name).cloned()
    }

    /// Forgets a driver that serves no network.
    pub fn remove(&self, name: &Name) -> Result<()> {
        let mut loaded = self.write();
        let Some(record) = self.store.driver(name)? else {
            return Err(Error::not_found(format!("there is no driver {name}")));
        };
        if let Some(network) = self.store.networks_of_driver(name)?.first() {
            let message = format!("the driver {name} serves the network {}: remove its networks first", network.name);
            return Err(Error::forbidden(message));
        }
        if let Some(pool) = self.pool_of(name)? {
            let message =
                format!("the driver {name} gave the pool {pool}: remove the networks with addresses of it first");
            return Err(Error::forbidden(message));
        }
        let writes = vec![Write::RemoveDriver(name.clone())];
        self.store.commit(Batch { writes, durability: Durability::Power, ..Batch::default() })?;
        let removed = loaded.remove(name);
        let forgotten = self.forget_unused(&loaded, record.digests());
        drop(loaded);
        drop(removed);
        forgotten
    }

    /// A pool that a driver gave and that is not given back.
    fn pool_of(&self, name: &Name) -> Result<Option<ipnet::IpNet>> {
        let pools = self.store.taken_pools()?;
        Ok(pools.into_iter().find(|pool| pool.driver.as_ref() == Some(name)).map(|pool| pool.pool.subnet))
    }

    fn restore(&self, record: store::Driver) -> Result<Driver> {
        let component = self.components.read(&record.digest)?;
        let is_valid = self.components.is_compiled(&record.digest);
        let admitted = if is_valid { admit::readmit(&component) } else { admit::admit(&component) }?;
        // Its types were compared when it was loaded.
        let code = self.engines.code(&self.components, &record.digest, &admitted.parts)?;
        let configuration = Arc::new(record.configuration.clone());
        let policy = Policy::new(record.grant.clone(), self.needed.clone());
        Ok(self.driver(record, code, admitted, configuration, policy))
    }

    fn driver(
        &self,
        record: store::Driver,
        code: Code,
        admitted: Admitted,
        configuration: Arc<BTreeMap<String, String>>,
        policy: Policy,
    ) -> Driver {
        let (deadline, policy, recorder, calls) = (self.deadline, Arc::new(policy), Arc::default(), Arc::default());
        let (aside, probation, commits) = (Aside::default(), Probation::unknown(), Arc::default());
        Driver { record, code, admitted, deadline, policy, configuration, aside, probation, recorder, commits, calls }
    }

    /// A call that is for no network, with nothing in reach.
    fn call(&self, facts: &Facts) -> Call {
        let gate = facts.gate(Arc::new(Policy::new(Grant::default(), None)));
        let (deadline, memory) = (Instant::now() + self.deadline, gate.memory());
        let state = CallState::new(facts.clone(), gate, None, deadline);
        Call { deadline, memory, host: Arc::new(Mutex::new(state)) }
    }

    /// Starts the component without a call, to compare the types of all that it exports.
    fn check_types(&self, code: &Code, facts: &Facts) -> Result<()> {
        code.fits(self.call(facts)).map_err(|failure| unfit(failure.error()))
    }

    /// Asks the component who it is: its first call.
    fn register(&self, code: &Code, facts: &Facts) -> Result<Registration> {
        let answer = code.call(self.call(facts), Arguments::Register);
        let said = match answer.map_err(|f| unfit(f.error().context("the component's first call failed")))? {
            Returned::Register(said) => said,
            other => return Err(Error::internal(format!("the engine answered a registration with {other:?}"))),
        };
        if said.is_built_in {
            return Err(Error::invalid("the driver says that it is built in, which a component can't be"));
        }
        Name::new(&said.network_type).map_err(|e| e.context("the driver's network type"))?;
        Ok(said)
    }

    /// Asks the component in which form it keeps its state.
    fn schema(&self, code: &Code, facts: &Facts) -> Result<u32> {
        let answer = code.call(self.call(facts), Arguments::Schema);
        match answer.map_err(|f| unfit(f.error().context("the component's first call failed")))? {
            Returned::Schema(schema) => Ok(schema),
            other => Err(Error::internal(format!("the engine answered a schema with {other:?}"))),
        }
    }

    /// Asks the component how it manages addresses.
    fn register_ipam(&self, code: &Code, facts: &Facts) -> Result<AddressManagement> {
        let facts = Facts { function: "register-ipam".into(), ..facts.clone() };
        let answer = code.call(self.call(&facts), Arguments::RegisterIpam);
        let said = match answer.map_err(|f| unfit(f.error().context("the component's first call failed")))? {
            Returned::RegisterIpam(said) => said,
            other => return Err(Error::internal(format!("the engine answered a registration with {other:?}"))),
        };
        for space in [&said.local_address_space, &said.global_address_space] {
            Name::new(space).map_err(|e| e.context("the driver's address space"))?;
        }
        Ok(AddressManagement {
            local_address_space: said.local_address_space,
            global_address_space: said.global_address_space,
            requires_mac_address: said.requires_mac_address,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Name, Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Alone<'_> {
        self.loaded.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// It exports `network-allocator`.
    pub fn allocates(&self) -> bool {
        self.exports("network-allocator")
    }

    /// It exports `table-watcher`.
    pub fn watches_tables(&self) -> bool {
        self.exports("table-watcher")
    }

    /// It exports `external-connectivity`.
    pub fn connects_outside(&self) -> bool {
        self.exports("external-connectivity")
    }

    /// It exports `ipv6-releaser`.
    pub fn releases_ipv6(&self) -> bool {
        self.exports("ipv6-releaser")
    }

    /// It exports `gateway-allocation-checker`.
    pub fn checks_gateways(&self) -> bool {
        self.exports("gateway-allocation-checker")
    }

    /// It exports `migration`.
    pub fn migrates(&self) -> bool {
        self.exports(MIGRATION)
    }

    /// Its author says that it does not do this.
    pub fn does_without(&self, what: Without) -> bool {
        self.admitted.manifest.as_ref().is_some_and(|manifest| manifest.without.contains(&what))
    }

    fn exports(&self, part: &str) -> bool {
        self.admitted.parts.iter().any(|p| p == part)
    }

    /// Counts a call and the host calls that it made.
    pub fn count(&self, trace: &CallTrace, failed: bool) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut add = |function: &str, micros: u64, failed: bool| {
            let count = calls.entry(function.to_owned()).or_default();
            *count = (count.0 + 1, count.1 + u64::from(failed), count.2.saturating_add(micros));
        };
        add(&trace.function, trace.micros, failed);
        for host_call in &trace.host_calls {
            add(&host_call.function, host_call.micros, host_call.error.is_some());
        }
    }

    /// What was called since the start of the daemon.
    pub fn calls(&self) -> Vec<CallCount> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |(function, (count, failed, micros)): (&String, &(u64, u64, u64))| CallCount {
            function: function.clone(),
            count: *count,
            failed: *failed,
            micros: *micros,
        };
        calls.iter().map(one).collect()
    }
}

fn scope(scope: WitScope) -> Scope {
    match scope {
        WitScope::Local => Scope::Local,
        WitScope::Global => Scope::Global,
    }
}

/// Whatever a component does while it is loaded, it is the component that can't be used.
fn unfit(error: Error) -> Error {
    Error { kind: Kind::InvalidArgument, ..error }
}
