//! Another version takes a driver's place: made ready beside the one that serves, tried on what that one has, and then in one step. An earlier
//! one comes back the same way; and by itself, where a new one's first calls trap.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::call::Call;
use super::{Controller, Inner};
use crate::answers::ReadOnly;
use crate::driver::{Candidate, Driver, Migrated};
use crate::transaction::{Assumed, Transaction};
use ask::{Arguments, Returned};
use engine::Failure;
use grant::{Grant, Policy};
use operation::driver::{DriverDetails, DriverVersion, LoadDriver};
use words::{Id, Name, Result};

/// How long one call of a probe may take at most. It only reads.
const CALL: Duration = Duration::from_secs(2);

/// How long a network is probed at most: its own operations wait meanwhile.
const NETWORK: Duration = Duration::from_secs(10);

/// What a call that is tried out finds and may do.
pub(super) struct Trial {
    /// State that others have written before it, and nobody has committed.
    pub state: Arc<Assumed>,
    /// It may write the driver's state.
    pub writes_state: bool,
}

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
        if let Some(schema) = candidate.migrates() {
            let name = candidate.driver.record.name.clone();
            let migrate = move |inner: &Inner| {
                let migrated = inner.migrate(&candidate.driver, schema);
                inner.switch_or_give_up(&candidate, migrated.map(Some))
            };
            return self.on_driver_alone(name, migrate).await;
        }
        let candidate = Arc::new(candidate);
        let probed = self.probe(&candidate).await;
        self.plain(move |inner| inner.switch_or_give_up(&candidate, probed.map(|()| None))).await
    }

    /// Tries a version on each network that the driver serves, in that network's turn.
    async fn probe(&self, candidate: &Arc<Candidate>) -> Result<()> {
        let name = candidate.driver.record.name.clone();
        let of = name.clone();
        let networks = self.plain(move |inner| Ok(inner.store.networks_of_driver(&of)?)).await?;
        for network in networks {
            let (candidate, driver) = (candidate.clone(), name.clone());
            self.on_network(network.id.clone(), driver, move |inner| {
                let end = Instant::now() + NETWORK;
                inner.probe(&network.id, &candidate.driver, &candidate.state, end)
            })
            .await?;
        }
        Ok(())
    }
}

impl Inner {
    /// `ready`: what it has made of the state, if it had to; or why it is not to serve.
    fn switch_or_give_up(&self, candidate: &Candidate, ready: Result<Option<Migrated>>) -> Result<DriverDetails> {
        let migrated = match ready {
            Ok(migrated) => migrated,
            Err(error) => {
                self.drivers.give_up(candidate);
                return Err(error);
            }
        };
        let driver = self.drivers.switch(candidate, migrated)?;
        let record = &driver.record;
        tracing::info!(driver = %record.name, digest = %record.digest, version = record.version.number, "another version");
        self.details(&driver)
    }

    /// Asks a version about each endpoint of a network, with a host that refuses whatever would change something. It must not trap, and it has to
    /// know what the one that serves knows. Of a network without endpoints it is asked about one that is not there.
    /// `state`: what the version has made of the driver's.
    pub(super) fn probe(&self, network: &Id, new: &Driver, state: &Arc<Assumed>, end: Instant) -> Result<()> {
        let Some(network) = self.store.network(network)? else { return Ok(()) };
        let serving = self.drivers.get(&new.record.name).ok();
        let ask = |driver: &Driver, grant: &Grant, endpoint: &Id, state: &Arc<Assumed>| {
            let (network_id, endpoint_id) = (network.id.to_string(), endpoint.to_string());
            let arguments = Arguments::EndpointOperInfo { network: network_id, endpoint: endpoint_id };
            let call = Call::endpoint(driver, arguments, &network, endpoint);
            self.try_out(&call, grant, end, Trial { state: state.clone(), writes_state: false })
        };
        let old_answers = |endpoint: &Id| {
            serving.as_ref().is_some_and(|old| ask(old, &old.policy.grant(), endpoint, &Arc::default()).0.is_ok())
        };
        let endpoints = self.store.endpoints(Some(&network.id))?;
        let mut asked: Vec<_> =
            endpoints.into_iter().map(|endpoint| (endpoint.name.to_string(), endpoint.id)).collect();
        if asked.is_empty() {
            asked.push(("an endpoint that is not there".into(), Id::random()?));
        }
        for (name, endpoint) in asked {
            let Err(failure) = ask(new, &new.record.grant, &endpoint, state).0 else { continue };
            if matches!(failure, Failure::Trapped(_)) || old_answers(&endpoint) {
                let place = format!("about {name} on the network {}", network.name);
                let context = format!("the new version of the driver {} fails its probe, {place}", new.record.name);
                return Err(failure.error().context(context));
            }
        }
        Ok(())
    }

    /// Makes a call with a grant, of which nothing is kept here. Answers its transaction, too.
    pub(super) fn try_out(
        &self,
        call: &Call<'_>,
        grant: &Grant,
        end: Instant,
        trial: Trial,
    ) -> (std::result::Result<Returned, Failure>, Option<Transaction>) {
        let start = Instant::now();
        let mut state = self.state(call, &Arc::default(), start);
        // What it is refused here is not for the driver's audit.
        state.gate = state.facts.gate(Arc::new(Policy::new(grant.clone(), None)));
        state.deadline = state.deadline.min(start + CALL).min(end);
        state.transaction.iter_mut().for_each(|transaction| transaction.assume(trial.state.clone()));
        let (deadline, memory) = (state.deadline, state.gate.memory());
        let host = Arc::new(Mutex::new(ReadOnly { host: state, writes_state: trial.writes_state }));
        let call_of_engine = engine::Call { deadline, memory, host: host.clone() };
        let returned = call.driver.code.call(call_of_engine, call.arguments.clone());
        let transaction = host.lock().unwrap_or_else(PoisonError::into_inner).host.transaction.take();
        (returned, transaction)
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
