//! Another version takes a driver's place: made ready beside the one that serves, tried on what that one has, and then in one step. An earlier
//! one comes back the same way; and by itself, where a new one's first calls trap.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::call::Call;
use super::{Controller, Inner};
use crate::answers::ReadOnly;
use crate::driver::{Candidate, Driver};
use ask::{Arguments, Returned};
use engine::Failure;
use grant::{Grant, Policy};
use operation::driver::{DriverDetails, DriverVersion, LoadDriver};
use store::Network;
use words::{Id, Name, Result};

/// How long one call of a probe may take at most. It only reads.
const CALL: Duration = Duration::from_secs(2);

/// How long a network is probed at most: its own operations wait meanwhile.
const NETWORK: Duration = Duration::from_secs(10);

impl Controller {
    /// Puts another component in a driver's place.
    pub async fn upgrade_driver(&self, load: LoadDriver) -> Result<DriverDetails> {
        let candidate = self.plain(move |inner| inner.drivers.successor(load)).await?;
        self.put_in_place(candidate).await
    }

    /// Brings a driver's version before back. `keeps_state`: also if the driver has changed something since.
    pub async fn roll_back_driver(&self, name: &Name, keeps_state: bool, by: Option<u32>) -> Result<DriverDetails> {
        let name = name.clone();
        let candidate = self.plain(move |inner| inner.drivers.predecessor(&name, keeps_state, by)).await?;
        self.put_in_place(candidate).await
    }

    /// A driver's versions, the newest first.
    pub async fn driver_history(&self, name: &Name) -> Result<Vec<DriverVersion>> {
        let name = name.clone();
        self.plain(move |inner| inner.drivers.history(&name)).await
    }

    async fn put_in_place(&self, candidate: Candidate) -> Result<DriverDetails> {
        let candidate = Arc::new(candidate);
        let probed = self.probe(&candidate).await;
        let switch = move |inner: &Inner| match probed {
            Ok(()) => inner.switch(&candidate),
            Err(error) => {
                inner.drivers.give_up(&candidate);
                Err(error)
            }
        };
        self.plain(switch).await
    }

    /// Tries a version on each network that the driver serves, in that network's turn.
    async fn probe(&self, candidate: &Arc<Candidate>) -> Result<()> {
        let name = candidate.driver.record.name.clone();
        let of = name.clone();
        let networks = self.plain(move |inner| Ok(inner.store.networks_of_driver(&of)?)).await?;
        for network in networks {
            let (candidate, driver) = (candidate.clone(), name.clone());
            self.on_network(network.id.clone(), driver, move |inner| inner.probe(&network.id, &candidate.driver))
                .await?;
        }
        Ok(())
    }
}

impl Inner {
    fn switch(&self, candidate: &Candidate) -> Result<DriverDetails> {
        let driver = self.drivers.switch(candidate)?;
        let record = &driver.record;
        tracing::info!(driver = %record.name, digest = %record.digest, version = record.version.number, "another version");
        self.details(&driver)
    }

    /// Asks a version about each endpoint of a network, with a host that refuses whatever would change something. It must not trap, and it has to
    /// know what the one that serves knows. Of a network without endpoints it is asked about one that is not there.
    fn probe(&self, network: &Id, new: &Driver) -> Result<()> {
        let Some(network) = self.store.network(network)? else { return Ok(()) };
        let (end, serving) = (Instant::now() + NETWORK, self.drivers.get(&new.record.name).ok());
        let old_answers = |endpoint: &Id| {
            serving.as_ref().is_some_and(|old| self.ask((old, &old.policy.grant()), &network, endpoint, end).is_ok())
        };
        let endpoints = self.store.endpoints(Some(&network.id))?;
        let mut asked: Vec<_> =
            endpoints.into_iter().map(|endpoint| (endpoint.name.to_string(), endpoint.id)).collect();
        if asked.is_empty() {
            asked.push(("an endpoint that is not there".into(), Id::random()?));
        }
        for (name, endpoint) in asked {
            let Err(failure) = self.ask((new, &new.record.grant), &network, &endpoint, end) else { continue };
            if matches!(failure, Failure::Trapped(_)) || old_answers(&endpoint) {
                let place = format!("about {name} on the network {}", network.name);
                let context = format!("the new version of the driver {} fails its probe, {place}", new.record.name);
                return Err(failure.error().context(context));
            }
        }
        Ok(())
    }

    /// Has a driver with a grant tell of an endpoint, and keeps nothing of the call.
    fn ask(
        &self,
        (driver, grant): (&Driver, &Grant),
        network: &Network,
        endpoint: &Id,
        end: Instant,
    ) -> std::result::Result<Returned, Failure> {
        let arguments = Arguments::EndpointOperInfo { network: network.id.to_string(), endpoint: endpoint.to_string() };
        let call = Call::endpoint(driver, arguments.clone(), network, endpoint);
        let start = Instant::now();
        let mut state = self.state(&call, &Arc::default(), start);
        // What it is refused here is not for the driver's audit.
        state.gate = state.facts.gate(Arc::new(Policy::new(grant.clone(), None)));
        state.deadline = state.deadline.min(start + CALL).min(end);
        let (deadline, memory) = (state.deadline, state.gate.memory());
        let host = Arc::new(Mutex::new(ReadOnly(state)));
        driver.code.call(engine::Call { deadline, memory, host }, arguments)
    }

    /// The version before a driver's comes back: too many of its first calls trapped.
    pub(super) fn fall_back(&self, failed: &Driver, function: &str, (traps, calls): (u32, u32)) {
        let (name, number) = (&failed.record.name, failed.record.version.number);
        let why = format!("{traps} of its first {calls} calls trapped, {function} the last of them");
        match self.drivers.fall_back(failed, &why) {
            Ok(Some(driver)) => {
                let digest = &driver.record.digest;
                tracing::error!(driver = %name, digest, "version {number} is rolled back: {why}");
            }
            Ok(None) => {}
            Err(error) => {
                failed.probation.resume();
                tracing::error!(driver = %name, "version {number} can't be rolled back, although {why}: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// A client of dockerd's would give up before a network's turn comes.
    #[test]
    fn a_probe_holds_a_network_up_for_less_than_a_call_may_take() {
        assert!(super::CALL < super::NETWORK && super::NETWORK <= words::limit::DEADLINE);
    }
}
