//! A driver moves house: one file has its component, grant, history and state.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::archive;
use super::versions::Wanted;
use super::{Driver, Drivers};
use crate::transaction::Assumed;
use operation::driver::LoadDriver;
use store::{Earlier, Version};
use words::{Error, Name, Result, now};

impl Drivers {
    /// A driver as a file.
    pub fn export(&self, name: &Name) -> Result<Vec<u8>> {
        // Held, so that no other version comes between record and state.
        let loaded = self.read();
        let record = self.record(name)?;
        let state = self.store.all_state(name)?;
        drop(loaded);
        archive::write(&record, &state, &self.components.read(&record.digest)?)
    }

    /// Loads what a file has under a name that no driver has, with its record's history and its state.
    pub fn import(&self, load: LoadDriver, record: store::Driver, state: Arc<Assumed>) -> Result<Arc<Driver>> {
        let LoadDriver { name, component, configuration, grant, source, .. } = self.trust.check(load)?;
        let renamed = |driver: store::Driver| store::Driver { name: name.clone(), ..driver };
        let networks: BTreeSet<_> = state.values().map(|(network, _)| network).collect();
        for id in networks {
            if let Some(network) = self.store.network(id)? {
                let (name, driver) = (&network.name, &network.driver);
                let message = format!("the file has state of the network {name}, which is here the driver {driver}'s");
                return Err(Error::exists(message));
            }
        }
        let history = record.earlier.into_iter();
        let wanted = Wanted {
            name: name.clone(),
            component,
            configuration,
            grant,
            // The components of those before it stay where they are.
            version: Version { before: None, came: now(), source, ..record.version },
            earlier: history.map(|earlier| Earlier { driver: renamed(earlier.driver), ..earlier }).collect(),
            is_back: false,
            schema: record.schema,
            on_trial: false,
            as_it_was: false,
            state,
        };
        let candidate = self.candidate(wanted, None)?;
        if candidate.driver.record.schema != record.schema {
            self.give_up(&candidate);
            let (has, keeps) = (record.schema, candidate.driver.record.schema);
            return Err(Error::invalid(format!(
                "the file has state of the schema {has}, and its component keeps {keeps}"
            )));
        }
        self.switch(&candidate, None)
    }
}
