//! Versions of a driver: one is made ready beside the one that serves, compared with it, and takes its place in one step; an earlier one
//! comes back. Whatever is refused leaves all as it was.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::super::admit::{self, Admitted};
use super::super::code::Code;
use super::super::migrated::{self, Migrated};
use super::super::probation::Probation;
use super::{Alone, Driver, Drivers, Loaded, MIGRATION, scope};
use crate::capability::Facts;
use crate::transaction::Assumed;
use ask::driver::Registration;
use ask::types::{Capability, Scope as WitScope};
use grant::{Grant, Item, Policy};
use operation::driver::{DriverVersion, Ended, Granting, LoadDriver, Source};
use store::{self, Batch, Durability, Earlier, Version, Write};
use words::{Error, Name, Result, now};

/// Earlier versions that are kept of a driver, with their components. A rollback needs one; the others are for whoever looks back, and a
/// component can have 64 MiB.
pub const EARLIER: usize = 8;

/// A version that is compiled and compared, and does not serve yet.
pub struct Candidate {
    /// It.
    pub driver: Arc<Driver>,
    component: Vec<u8>,
    /// In whose place it comes, as that was when this one was made ready.
    before: Option<store::Driver>,
    /// Only if that one has written nothing.
    as_it_was: bool,
    /// The state that then comes back as it was before that one.
    pub state: Arc<Assumed>,
}

impl Candidate {
    /// The schema of the driver's state, if that is another one than this version's, which has to change it before it serves.
    pub fn migrates(&self) -> Option<u32> {
        let before =
            self.before.as_ref().filter(|before| !self.as_it_was && before.schema != self.driver.record.schema)?;
        self.driver.migrates().then_some(before.schema)
    }
}

/// What a version is made of.
pub(super) struct Wanted {
    pub name: Name,
    pub component: Vec<u8>,
    pub configuration: BTreeMap<String, String>,
    pub grant: Granting,
    pub version: Version,
    /// The versions before it.
    pub earlier: Vec<Earlier>,
    /// It is an earlier version that comes back.
    pub is_back: bool,
    /// The schema of the driver's state, where the version does not say one.
    pub schema: u32,
    /// Where its first calls trap it goes by itself.
    pub on_trial: bool,
    pub as_it_was: bool,
    pub state: Arc<Assumed>,
}

impl Drivers {
    /// Loads a component under a new name and records it; or again under the name of a driver that could not be loaded, if it is the same
    /// component.
    pub fn load(&self, load: LoadDriver) -> Result<Arc<Driver>> {
        let digest = words::file::digest(&load.component);
        self.check_name(&self.read(), &load.name, &digest)?;
        let before = self.store.driver(&load.name)?;
        let LoadDriver { name, component, configuration, grant, source, .. } = self.trust.check(load)?;
        let configuration = kept(configuration, before.as_ref());
        let first = Version { number: 1, before: None, came: now(), source, granted_since: false };
        let version = before.as_ref().map_or(first, |record| record.version.clone());
        let wanted = Wanted {
            name,
            component,
            configuration,
            grant,
            version,
            earlier: before.as_ref().map_or_else(Vec::new, |record| record.earlier.clone()),
            is_back: false,
            schema: before.as_ref().map_or(0, |record| record.schema),
            on_trial: false,
            as_it_was: false,
            state: Arc::default(),
        };
        self.switch(&self.candidate(wanted, before)?, None)
    }

    /// Makes another component ready to take a driver's place.
    pub fn successor(&self, load: LoadDriver) -> Result<Candidate> {
        let before = self.record(&load.name)?;
        let LoadDriver { name, component, configuration, grant, source, .. } = self.trust.check(load)?;
        let number = next_number(&before);
        let granted_since = false;
        let version = Version { number, before: Some(before.version.number), came: now(), source, granted_since };
        let configuration = kept(configuration, Some(&before));
        let earlier = with_end(&before, version.before, format!("replaced by version {number}"));
        let (is_back, schema, on_trial, as_it_was, state) = (false, 0, true, false, Arc::default());
        let wanted = Wanted {
            name,
            component,
            configuration,
            grant,
            version,
            earlier,
            is_back,
            schema,
            on_trial,
            as_it_was,
            state,
        };
        self.candidate(wanted, Some(before))
    }

    /// Makes the version before ready to come back. It keeps its configuration and its grant, unless the operator has given another grant since.
    /// Where the driver has written something since it migrates the state, if it can. `keeps_state`: it comes back also if it can't.
    pub fn predecessor(&self, name: &Name, keeps_state: bool, by: Option<u32>) -> Result<Candidate> {
        let before = self.record(name)?;
        let earlier = version_before(&before)?;
        let running = self.get(name).ok();
        let (schema_before, state) = running.as_deref().map_or_else(|| (before.schema, Arc::default()), came_to);
        let as_it_was =
            running.is_some_and(|running| !running.probation.has_written()) && schema_before == earlier.driver.schema;
        let migrates = earlier.driver.parts.iter().any(|part| part == MIGRATION);
        if !(as_it_was || migrates || keeps_state) {
            return Err(written(&before));
        }
        let version = back(&before, earlier, by);
        let how = format!("rolled back to version {}", earlier.driver.version.number);
        let wanted = Wanted {
            name: name.clone(),
            component: self.components.read(&earlier.driver.digest)?,
            configuration: earlier.driver.configuration.clone(),
            grant: Granting::Written(Box::new(grant_of(&before, earlier))),
            earlier: with_end(&before, version.before, how),
            version,
            is_back: true,
            schema: if as_it_was { earlier.driver.schema } else { before.schema },
            on_trial: false,
            as_it_was,
            state: if as_it_was { state } else { Arc::default() },
        };
        self.candidate(wanted, Some(before))
    }

    /// Brings the version before a failed one back at once: it has served before, and finds the state that it left. Answers it; none: another
    /// version serves already.
    pub fn fall_back(&self, failed: &Driver, why: &str) -> Result<Option<Arc<Driver>>> {
        let before = self.record(&failed.record.name)?;
        if before.version.number != failed.record.version.number {
            return Ok(None);
        }
        let earlier = version_before(&before)?;
        let version = back(&before, earlier, None);
        let record = store::Driver {
            grant: grant_of(&before, earlier),
            earlier: with_end(&before, version.before, format!("rolled back by itself: {why}")),
            version,
            ..earlier.driver.clone()
        };
        let component = self.components.read(&record.digest)?;
        let driver = Arc::new(Driver { probation: Probation::begins(false), ..self.restore(record)?.after(failed) });
        let (_, state) = came_to(failed);
        self.switch(&Candidate { driver, component, before: Some(before), as_it_was: true, state }, None).map(Some)
    }

    /// The versions of a driver, the newest first.
    pub fn history(&self, name: &Name) -> Result<Vec<DriverVersion>> {
        let record = self.record(name)?;
        let earlier = record.earlier.iter().rev();
        let ended = earlier.map(|e| told(&e.driver, Some(Ended { at: e.ended, how: e.how.clone() })));
        Ok([told(&record, None)].into_iter().chain(ended).collect())
    }

    /// Puts a version in the place of the one that it was compared with, if nothing has changed since. Calls that run end in the component in
    /// which they began. `migrated`: the state as it is from then on.
    pub fn switch(&self, candidate: &Candidate, migrated: Option<Migrated>) -> Result<Arc<Driver>> {
        let switched = self.put(candidate, migrated);
        if switched.is_err() {
            self.give_up(candidate);
        }
        switched
    }

    /// Forgets a version that is not to serve.
    pub fn give_up(&self, candidate: &Candidate) {
        self.forget_if_unused(&self.write(), [candidate.driver.record.digest.as_str()]);
    }

    /// Of what was done and of what was refused, this is no part that could fail: the components stay on the disk until the next start.
    fn forget_if_unused<'a>(&self, alone: &Alone<'_>, digests: impl IntoIterator<Item = &'a str>) {
        if let Err(error) = self.forget_unused(alone, digests) {
            tracing::warn!("components that nobody needs any more stay: {error}");
        }
    }

    fn put(&self, candidate: &Candidate, migrated: Option<Migrated>) -> Result<Arc<Driver>> {
        let Candidate { driver, component, before, as_it_was, state } = candidate;
        let record = &driver.record;
        // A call that still commits would bring back the state's form before.
        let _after_them = migrated.as_ref().map(|_| driver.commits.write().unwrap_or_else(PoisonError::into_inner));
        // Under the lock, so that nobody forgets the file before its record is there.
        let mut loaded = self.write();
        if self.store.driver(&record.name)? != *before {
            let message = format!("the driver {} was loaded, changed or removed meanwhile: try again", record.name);
            return Err(Error::exists(message));
        }
        // Somebody may have forgotten it who loaded the same component in vain. Seldom: all calls wait while it is written.
        if !self.components.has(&record.digest) {
            self.components.keep(&record.digest, component)?;
        }
        let running = loaded.get(&record.name).and_then(|driver| driver.as_ref().ok()).cloned();
        if *as_it_was && !running.as_ref().is_some_and(|running| running.probation.end()) {
            return Err(written(record));
        }
        let writes = vec![Write::PutDriver(record.clone())];
        let mut batch = Batch { writes, durability: Durability::Power, ..Batch::default() };
        let networks: HashSet<_> = self.store.networks()?.into_iter().map(|network| network.id).collect();
        // Of a network that went meanwhile nothing comes back.
        let is_gone = |write: &Write| matches!(write, Write::SetState { network, .. } if !networks.contains(network));
        batch.writes.extend(migrated::writes(&record.name, state).filter(|write| !(*as_it_was && is_gone(write))));
        if let Some(migrated) = migrated {
            driver.probation.changed(migrated.commit_with(&mut batch, &self.store, &record.name)?);
            running.iter().for_each(|running| running.probation.stop());
        }
        if let Err(error) = self.store.commit(batch) {
            running.iter().for_each(|running| running.probation.resume());
            return Err(error.into());
        }
        driver.policy.set_grant(record.grant.clone());
        loaded.insert(record.name.clone(), Ok(driver.clone()));
        self.forget_if_unused(&loaded, before.iter().flat_map(store::Driver::digests));
        // Its process ends with it, for which nobody else waits.
        drop(loaded);
        drop(running);
        Ok(driver.clone())
    }

    /// Compiles a component beside what serves, and compares.
    pub(super) fn candidate(&self, wanted: Wanted, before: Option<store::Driver>) -> Result<Candidate> {
        let digest = words::file::digest(&wanted.component);
        let admitted = admit::admit(&wanted.component)?;
        self.components.keep(&digest, &wanted.component)?;
        let code = self.engines.code(&self.components, &digest, &admitted.parts);
        let ready = code.and_then(|code| self.ready(wanted, before, &digest, code, admitted));
        if ready.is_err() {
            self.forget_if_unused(&self.write(), [digest.as_str()]);
        }
        ready
    }

    /// Makes the first call.
    fn ready(
        &self,
        wanted: Wanted,
        before: Option<store::Driver>,
        digest: &str,
        code: Code,
        admitted: Admitted,
    ) -> Result<Candidate> {
        let Wanted { name, component, configuration, grant, version, earlier, .. } = wanted;
        let Wanted { is_back, schema, on_trial, as_it_was, state, .. } = wanted;
        let configuration = Arc::new(configuration);
        let policy = self.policy(&name, &grant, before.as_ref(), &admitted)?;
        let facts = Facts::outside_networks(&name, configuration.clone());
        self.check_types(&code, &facts)?;
        let has = |part: &str| admitted.parts.iter().any(|p| p == part);
        let said = match has("driver") {
            true => self.register(&code, &facts)?,
            // It has no networks, and so no type of them: its name.
            false => without_networks(&name),
        };
        let ipam = has("ipam").then(|| self.register_ipam(&code, &facts)).transpose()?;
        let says_schema = has(MIGRATION);
        let record = store::Driver {
            name: name.clone(),
            digest: digest.to_owned(),
            size: component.len() as u64,
            network_type: said.network_type,
            data_scope: scope(said.capability.data_scope),
            connectivity_scope: scope(said.capability.connectivity_scope),
            parts: admitted.parts.clone(),
            ipam,
            configuration: (*configuration).clone(),
            schema: if says_schema { self.schema(&code, &facts)? } else { schema },
            grant: (*policy.grant()).clone(),
            version,
            earlier,
        };
        if let Some(before) = &before {
            self.check_successor(before, &record, is_back)?;
        }
        let driver = self.driver(record, code, admitted, configuration, policy);
        let driver = Driver { probation: Probation::begins(on_trial), ..driver };
        let driver = Arc::new(match self.get(&name) {
            Ok(running) => driver.after(&running),
            Err(_) => driver,
        });
        Ok(Candidate { driver, component, before, as_it_was, state })
    }

    /// Docker reads what a driver registers once, and networks have what its parts made: another version has to do at least as much.
    /// One that comes back need not read what it finds in other forms: whether it has to was looked at before.
    fn check_successor(&self, before: &store::Driver, after: &store::Driver, is_back: bool) -> Result<()> {
        let name = &before.name;
        let scopes = |record: &store::Driver| (record.data_scope, record.connectivity_scope);
        if scopes(before) != scopes(after) {
            return Err(Error::invalid(format!(
                "this component registers with another scope than the driver {name}, which Docker reads only once: load it under another name with --name, or remove the driver first"
            )));
        }
        if before.ipam.is_some() && before.ipam != after.ipam {
            return Err(Error::invalid(format!(
                "this component registers its address management otherwise than the driver {name}, which Docker reads only once: load it under another name with --name, or remove the driver first"
            )));
        }
        let gone = before.parts.iter().find(|part| !(after.parts.contains(part) || (is_back && *part == MIGRATION)));
        match (gone, self.store.networks_of_driver(name)?.first()) {
            (Some(part), Some(network)) => Err(Error::invalid(format!(
                "the driver {name} serves the network {}, and this component does not export {part}: load it under another name with --name, or remove the networks first",
                network.name
            ))),
            _ => Ok(()),
        }
    }

    /// The name is free, or its driver could not be loaded and this is its component.
    fn check_name(&self, loaded: &BTreeMap<Name, Loaded>, name: &Name, digest: &str) -> Result<()> {
        match loaded.get(name) {
            None => Ok(()),
            Some(Ok(_)) => Err(Error::exists(format!(
                "a driver {name} is loaded already: put this one in its place with `pontoon driver upgrade`, or load it under another name with --name"
            ))),
            Some(Err(_)) if self.store.driver(name)?.is_some_and(|record| record.digest == digest) => Ok(()),
            Some(Err(_)) => Err(Error::exists(format!(
                "the driver {name} could not be loaded, and this is another component: load its own again, put this one in its place with `pontoon driver upgrade`, or remove it first"
            ))),
        }
    }

    /// What the driver may do. One that has a record keeps what it had, if nothing is said.
    fn policy(
        &self,
        name: &Name,
        grant: &Granting,
        before: Option<&store::Driver>,
        admitted: &Admitted,
    ) -> Result<Policy> {
        let asks = admitted.manifest.as_ref().map(|manifest| manifest.asks.clone()).unwrap_or_default();
        let grant = match grant {
            Granting::Asked => asks.clone(),
            Granting::Written(grant) => (**grant).clone(),
            Granting::Unsaid => before.map(|record| record.grant.clone()).unwrap_or_default(),
        };
        let lacks: Vec<_> = grant.lacks(&asks).iter().map(Item::to_string).collect();
        if lacks.is_empty() || self.needed.is_some() {
            return Ok(Policy::new(grant, self.needed.clone()));
        }
        let lacks = lacks.join(", ");
        let message = if grant == Grant::default() {
            format!(
                "the driver {name} asks for what it is not granted: {lacks}: name a grant with --grant, or grant what it asks for with --grant-asked"
            )
        } else {
            format!(
                "the driver {name} asks for more than its grant has, which lacks {lacks}: add that to the grant, or do without the driver"
            )
        };
        Err(Error::forbidden(message))
    }

    pub(super) fn record(&self, name: &Name) -> Result<store::Driver> {
        let none = || Error::not_found(format!("there is no driver {name}: load one with `pontoon driver load`"));
        self.store.driver(name)?.ok_or_else(none)
    }
}

/// The registration of a component that only manages addresses.
fn without_networks(name: &Name) -> Registration {
    let capability = Capability { data_scope: WitScope::Local, connectivity_scope: WitScope::Local };
    Registration { network_type: name.to_string(), is_built_in: false, capability }
}

impl Driver {
    /// With what was counted, refused and recorded of the driver, whichever version it had.
    fn after(self, before: &Self) -> Self {
        let (policy, calls) = (before.policy.clone(), before.calls.clone());
        let (recorder, commits) = (before.recorder.clone(), before.commits.clone());
        Self { policy, calls, recorder, commits, ..self }
    }
}

/// What is given; a driver that has a record keeps what it had, if nothing is.
fn kept(given: BTreeMap<String, String>, before: Option<&store::Driver>) -> BTreeMap<String, String> {
    match before {
        Some(record) if given.is_empty() => record.configuration.clone(),
        _ => given,
    }
}

/// The schema that a driver's state had when its version came, and what that version has changed in it, as it was.
fn came_to(running: &Driver) -> (u32, Arc<Assumed>) {
    let before = running.probation.before();
    before.map_or_else(|| (running.record.schema, Arc::default()), |before| (before.schema, before.state))
}

fn next_number(record: &store::Driver) -> u64 {
    record.version.number + 1
}

/// Those before the next version, whose rollback brings back `next`: a record, as it is now, is the last of them. Those go first to which no
/// rollback leads.
fn with_end(record: &store::Driver, next: Option<u64>, how: String) -> Vec<Earlier> {
    let last = Earlier { driver: store::Driver { earlier: Vec::new(), ..record.clone() }, ended: now(), how };
    let earlier = record.earlier.iter().cloned().chain([last]).collect();
    within(earlier, next, EARLIER)
}

/// No more than so many of them.
pub(super) fn within(mut earlier: Vec<Earlier>, mut next: Option<u64>, most: usize) -> Vec<Earlier> {
    let mut needed = HashSet::new();
    // What is before a version has a smaller number: it ends.
    while let Some(one) = next.and_then(|number| earlier.iter().find(|one| one.driver.version.number == number)) {
        next = one.driver.version.before.filter(|before| *before < one.driver.version.number);
        needed.insert(one.driver.version.number);
    }
    while earlier.len() > most {
        let spare = earlier.iter().position(|one| !needed.contains(&one.driver.version.number));
        earlier.remove(spare.unwrap_or(0));
    }
    earlier
}

fn version_before(record: &store::Driver) -> Result<&Earlier> {
    let name = &record.name;
    let Some(number) = record.version.before else {
        return Err(Error::invalid(format!("the driver {name} has no version to go back to")));
    };
    let found = record.earlier.iter().find(|earlier| earlier.driver.version.number == number);
    found.ok_or_else(|| {
        let message = format!("the driver {name}: version {number} is not kept any more: {EARLIER} earlier ones are");
        Error::not_found(message)
    })
}

/// An earlier version as it comes back: the one before it stays the same.
fn back(record: &store::Driver, earlier: &Earlier, by: Option<u32>) -> Version {
    let Version { number, before, ref source, .. } = earlier.driver.version;
    let signed = source.signed.clone();
    Version {
        number: next_number(record),
        before,
        came: now(),
        source: Source { from: format!("version {number}"), by, signed },
        granted_since: record.version.granted_since,
    }
}

/// An earlier version's own, unless the operator has said something since, who may have taken something away.
fn grant_of(record: &store::Driver, earlier: &Earlier) -> Grant {
    if record.version.granted_since { record.grant.clone() } else { earlier.driver.grant.clone() }
}

fn written(record: &store::Driver) -> Error {
    Error::forbidden(format!(
        "the driver {} has changed something since this version came, or since the daemon started, and the version before may not understand it: --keep-state lets that one have it as it is",
        record.name
    ))
}

fn told(record: &store::Driver, ended: Option<Ended>) -> DriverVersion {
    let Version { number, came, ref source, .. } = record.version;
    DriverVersion {
        number,
        digest: record.digest.clone(),
        size: record.size,
        came,
        source: source.clone(),
        grant: record.grant.clone(),
        configuration: record.configuration.clone(),
        ended,
    }
}
