//! What a version of a driver makes of the state that another one left, before it serves: its part `migration`, called with a host that is read
//! and not changed. None of the driver's operations runs meanwhile.

use std::time::{Duration, Instant};

use super::Inner;
use super::call::Call;
use super::upgrade::Trial;
use crate::driver::{Driver, Migrated};
use ask::Arguments;
use grant::Limit;
use operation::driver::CallTrace;
use store::Network;
use words::{Error, Id, Kind, Result};

/// How long the driver's operations wait at most: for its migration, and for the probe after it.
const MIGRATION: Duration = Duration::from_secs(10);

impl Inner {
    /// Has a version change the driver's state, which has this schema, and tries it on what it has made of that. Nothing is committed.
    pub(super) fn migrate(&self, new: &Driver, schema: u32) -> Result<Migrated> {
        let end = Instant::now() + MIGRATION;
        let mut migrated = Migrated::begin(&self.store, schema);
        // One that is not up has no state.
        let networks = self.store.networks_of_driver(&new.record.name)?;
        for network in networks.iter().filter(|network| network.down.is_none()) {
            self.migrate_network(new, network, schema, end, &mut migrated)?;
        }
        networks.iter().try_for_each(|network| self.probe(&network.id, new, &migrated.state, end))?;
        Ok(migrated)
    }

    fn migrate_network(
        &self,
        new: &Driver,
        network: &Network,
        schema: u32,
        end: Instant,
        migrated: &mut Migrated,
    ) -> Result<()> {
        let id = network.id.to_string();
        let arguments = Arguments::MigrateNetwork { network: id.clone(), before: schema };
        let place = format!("of the network {}", network.name);
        self.migrate_one(&Call::network(new, arguments, network), &place, end, migrated)?;
        for endpoint in self.store.endpoints(Some(&network.id))? {
            let (network_id, endpoint_id): (String, Id) = (id.clone(), endpoint.id);
            let arguments =
                Arguments::MigrateEndpoint { network: network_id, endpoint: endpoint_id.to_string(), before: schema };
            let place = format!("of {} on the network {}", endpoint.name, network.name);
            self.migrate_one(&Call::endpoint(new, arguments, network, &endpoint_id), &place, end, migrated)?;
        }
        Ok(())
    }

    /// One call, which finds what those before it have written.
    fn migrate_one(&self, call: &Call<'_>, place: &str, end: Instant, migrated: &mut Migrated) -> Result<()> {
        let (driver, start) = (call.driver, Instant::now());
        let record = &driver.record;
        let context = || format!("the new version of the driver {} can't migrate its state, {place}", record.name);
        if start >= end {
            let late = format!("it takes longer than {} s in all", MIGRATION.as_secs());
            return Err(Error::new(Kind::Unavailable, late).context(context()));
        }
        let trial = Trial { state: migrated.state.clone(), writes_state: true };
        let (returned, transaction) = self.try_out(call, &record.grant, end, trial);
        let (function, micros) = (call.arguments.function().to_owned(), crate::answers::micros(start));
        let trace = CallTrace { function, micros, commit_micros: 0, host_calls: Vec::new() };
        driver.count(&trace, returned.is_err());
        returned.map_err(|failure| failure.error().context(context()))?;
        let most = record.grant.limit(Limit::StoreBytes);
        let written = transaction.map(|transaction| transaction.hand_over()).unwrap_or_default();
        migrated.add(written, most).map_err(|error| error.context(context()))
    }
}

#[cfg(test)]
mod tests {
    /// A client of dockerd's would give up before its request's turn comes.
    #[test]
    fn a_migration_holds_a_driver_up_for_no_longer_than_a_call_may_take() {
        assert!(super::MIGRATION <= words::limit::DEADLINE);
    }
}
