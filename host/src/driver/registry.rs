//! The drivers that are loaded, by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use super::admit::{self, Admitted};
use super::compile::{self, Cache};
use crate::engine::{CallState, Code, Engine, Facts, Registration, limit::DEADLINE};
use crate::grant::{Gate, Grant};
use crate::operation::driver::{CallCount, CallTrace, LoadDriver};
use crate::operation::{Error, Name, Result};
use crate::store::{self, Batch, Durability, Store, Write};

/// A loaded driver.
pub struct Driver {
    /// What the store holds of it.
    pub record: store::Driver,
    /// Its code.
    pub code: Code,
    /// What its component says of itself.
    pub admitted: Admitted,
    /// What it may do.
    pub grant: Arc<Grant>,
    /// What `configuration` answers.
    pub configuration: Arc<BTreeMap<String, String>>,
    calls: Mutex<BTreeMap<String, (u64, u64, u64)>>,
}

/// All of them.
pub struct Drivers {
    engine: Engine,
    store: Arc<Store>,
    cache: Cache,
    components: PathBuf,
    /// Loaded ones, and why a recorded one is not.
    loaded: RwLock<BTreeMap<Name, std::result::Result<Arc<Driver>, Error>>>,
}

impl Drivers {
    /// Loads every recorded driver. One that can't be loaded keeps its place, with the reason.
    pub fn start(store: Arc<Store>, state: &Path, compiler: PathBuf) -> Result<Self> {
        let engine = Engine::new().map_err(|e| Error::internal(format!("can't start wasmtime: {e:#}")))?;
        let components = state.join("components");
        compile::make_private(&components)?;
        let cache = Cache::new(state.join("compiled"), compiler)?;
        let drivers = Self { engine, store, cache, components, loaded: RwLock::default() };
        for record in drivers.store.drivers()? {
            let name = record.name.clone();
            let driver = drivers.restore(record).map(Arc::new);
            if let Err(error) = &driver {
                tracing::error!("the driver {name} can't be loaded: {error}");
            }
            drivers.write().insert(name, driver);
        }
        Ok(drivers)
    }

    /// Loads a component under a new name and records it.
    pub fn load(&self, load: LoadDriver) -> Result<Arc<Driver>> {
        let LoadDriver { name, component, configuration } = load;
        if self.read().contains_key(&name) {
            return Err(taken(&name));
        }
        let admitted = admit::admit(&component)?;
        let digest = compile::digest(&component);
        let code = self.code(&digest, &component, &admitted)?;
        let configuration = Arc::new(configuration);
        let said = register(&code, &name, &configuration)?;
        let record = store::Driver {
            name: name.clone(),
            digest,
            size: component.len() as u64,
            network_type: said.network_type,
            data_scope: said.data_scope,
            connectivity_scope: said.connectivity_scope,
            configuration: (*configuration).clone(),
        };
        compile::write_whole(&self.component_path(&record.digest), &component)?;
        let driver = Arc::new(Driver::new(record.clone(), code, admitted, configuration));
        let mut loaded = self.write();
        if loaded.contains_key(&name) {
            return Err(taken(&name));
        }
        let writes = vec![Write::PutDriver(record)];
        self.store.commit(Batch { checks: Vec::new(), writes, durability: Durability::Power })?;
        loaded.insert(name, Ok(driver.clone()));
        Ok(driver)
    }

    /// A driver that can be called.
    pub fn get(&self, name: &Name) -> Result<Arc<Driver>> {
        match self.read().get(name) {
            Some(Ok(driver)) => Ok(driver.clone()),
            Some(Err(error)) => Err(error.clone().context(format!("the driver {name} could not be loaded"))),
            None => Err(Error::not_found(format!("there is no driver {name}: load one with `pontoon driver load`"))),
        }
    }

    /// All of them, with the reason where one could not be loaded.
    pub fn list(&self) -> Vec<(Name, std::result::Result<Arc<Driver>, Error>)> {
        self.read().iter().map(|(name, driver)| (name.clone(), driver.clone())).collect()
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
        let writes = vec![Write::RemoveDriver(name.clone())];
        self.store.commit(Batch { checks: Vec::new(), writes, durability: Durability::Power })?;
        loaded.remove(name);
        if !self.store.drivers()?.iter().any(|d| d.digest == record.digest) {
            let _ = std::fs::remove_file(self.component_path(&record.digest));
            self.cache.remove(&record.digest);
        }
        Ok(())
    }

    fn restore(&self, record: store::Driver) -> Result<Driver> {
        let path = self.component_path(&record.digest);
        let component = std::fs::read(&path).map_err(|e| compile::io(&path, &e))?;
        if compile::digest(&component) != record.digest {
            return Err(Error::internal(format!("{}: the component was changed; load it again", path.display())));
        }
        let admitted = admit::admit(&component)?;
        let code = self.code(&record.digest, &component, &admitted)?;
        let configuration = Arc::new(record.configuration.clone());
        Ok(Driver::new(record, code, admitted, configuration))
    }

    /// The code of a component. Code of another wasmtime or another processor is compiled again.
    fn code(&self, digest: &str, component: &[u8], admitted: &Admitted) -> Result<Code> {
        let compiled = self.cache.compiled(&self.store, digest, component)?;
        if let Ok(code) = self.engine.load(&compiled, &admitted.parts) {
            return Ok(code);
        }
        let compiled = self.cache.compile(&self.store, digest, component)?;
        self.engine
            .load(&compiled, &admitted.parts)
            .map_err(|e| Error::invalid(format!("the component does not fit the interface: {}", one_line(&e))))
    }

    fn component_path(&self, digest: &str) -> PathBuf {
        self.components.join(format!("{digest}.wasm"))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Name, std::result::Result<Arc<Driver>, Error>>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Name, std::result::Result<Arc<Driver>, Error>>> {
        self.loaded.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    fn new(record: store::Driver, code: Code, admitted: Admitted, configuration: Arc<BTreeMap<String, String>>) -> Self {
        Self { record, code, admitted, grant: Arc::new(Grant::standard()), configuration, calls: Mutex::default() }
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

fn taken(name: &Name) -> Error {
    Error::exists(format!("a driver {name} is loaded already: remove it first, or load under another name with --name"))
}

/// Asks the component who it is: its first call, under a deadline and with nothing in reach.
fn register(code: &Code, name: &Name, configuration: &Arc<BTreeMap<String, String>>) -> Result<Registration> {
    let facts = Facts {
        driver: name.clone(),
        function: "register",
        network: None,
        endpoint: None,
        configuration: configuration.clone(),
        watches_tables: false,
    };
    let gate = Gate::new(Arc::new(Grant::default()), None);
    let state = CallState::new(facts, gate, None, Instant::now() + DEADLINE, None);
    let said = code.register(state).result.map_err(|f| f.error().context("the component's first call failed"))?;
    if said.is_built_in {
        return Err(Error::invalid("the driver says that it is built in, which a component can't be"));
    }
    Name::new(&said.network_type).map_err(|e| e.context("the driver's network type"))?;
    Ok(said)
}

fn one_line(error: &wasmtime::Error) -> String {
    crate::capability::convert::printable(&format!("{error:#}"), crate::capability::convert::MESSAGE_BYTES)
}
