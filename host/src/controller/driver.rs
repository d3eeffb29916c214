//! Operations on drivers.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::Inner;
use crate::driver;
use grant::Grant;
use operation::driver::{CurrentGrant, Driver, DriverDetails, LoadDriver, READY};
use words::{Error, Name, Result};

impl Inner {
    pub(super) fn load_driver(&self, load: LoadDriver) -> Result<DriverDetails> {
        let driver = self.drivers.load(load)?;
        tracing::info!(driver = %driver.record.name, digest = %driver.record.digest, "loaded");
        self.details(&driver)
    }

    pub(super) fn drivers(&self) -> Result<Vec<Driver>> {
        self.drivers.list().into_iter().map(|(name, driver)| self.listed(&name, driver)).collect()
    }

    pub(super) fn listed_driver(&self, name: &Name) -> Result<Option<Driver>> {
        self.drivers.find(name).map(|driver| self.listed(name, driver)).transpose()
    }

    fn listed(&self, name: &Name, driver: Result<Arc<driver::Driver>>) -> Result<Driver> {
        match driver {
            Ok(driver) => self.summary(&driver.record, state(&driver)),
            Err(error) => {
                let record = self.store.driver(name)?;
                let record = record.ok_or_else(|| Error::not_found(format!("there is no driver {name}")))?;
                self.summary(&record, error.message)
            }
        }
    }

    pub(super) fn driver(&self, name: &Name) -> Result<DriverDetails> {
        self.details(&*self.drivers.get(name)?)
    }

    /// Whatever became of the component: who takes a right from a driver is not to be kept from it.
    pub(super) fn set_grant(&self, name: &Name, grant: Grant) -> Result<CurrentGrant> {
        let driver = self.drivers.set_grant(name, grant)?;
        tracing::info!(driver = %name, "another grant");
        let grant = (*driver.policy.grant()).clone();
        Ok(CurrentGrant { lacks: lacks(&driver, &grant), grant })
    }

    pub(super) fn details(&self, driver: &driver::Driver) -> Result<DriverDetails> {
        let (mut exports, mut imports) = (driver.admitted.exports.clone(), self.drivers.imported_functions(driver)?);
        exports.sort();
        imports.sort();
        let grant = driver.policy.grant();
        Ok(DriverDetails {
            driver: self.summary(&driver.record, state(driver))?,
            exports,
            imports,
            lacks: lacks(driver, &grant),
            grant: (*grant).clone(),
            manifest: driver.admitted.manifest.clone(),
            configuration: (*driver.configuration).clone(),
            plugin_socket: None,
            unpublished: None,
            calls: driver.calls(),
        })
    }

    fn summary(&self, record: &store::Driver, state: String) -> Result<Driver> {
        Ok(Driver {
            name: record.name.clone(),
            network_type: record.network_type.clone(),
            data_scope: record.data_scope,
            connectivity_scope: record.connectivity_scope,
            digest: record.digest.clone(),
            size: record.size,
            parts: record.parts.clone(),
            ipam: record.ipam.clone(),
            networks: self.store.network_count(&record.name)?,
            state,
            not_loaded: self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&record.name).cloned(),
        })
    }
}

/// What a driver's author asks for and a grant does not have.
fn lacks(driver: &driver::Driver, grant: &Grant) -> Vec<String> {
    let asks = driver.admitted.manifest.as_ref().map(|manifest| &manifest.asks);
    asks.map(|asks| grant.lacks(asks)).unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The state of a driver that is loaded.
fn state(driver: &driver::Driver) -> String {
    driver.aside.any(Instant::now()).map_or_else(|| READY.into(), |aside| aside.to_string())
}
