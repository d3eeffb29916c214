//! A run: the driver is loaded once, and each check starts with a copy of what that left.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::runtime::Runtime;

use super::cases::Case;
use super::cast::Families;
use super::ground::Ground;
use super::report::{Outcome, Report, Verdict};
use super::stop::{Checked, Failure, Stop};
use super::tried::Trial;
use super::world::World;
use super::{CHECKS, Check, Part, UPGRADE};
use crate::controller::Controller;
use crate::place::Place;
use grant::{Grant, Needed};
use operation::driver::{LoadDriver, Manifest, Sample, Signed, Source, Without};
use operation::engine::Labels;
use words::{Error, LinkName, Name, Result};

/// Checks at once: most of their time is the kernel's, which waits when links are deleted.
const AT_ONCE: usize = 6;

/// What to run.
pub struct Plan {
    /// The driver's name.
    pub name: Name,
    /// The component.
    pub component: Vec<u8>,
    /// An earlier build of it, whose networks and endpoints it takes over.
    pub upgrade_from: Option<Vec<u8>>,
    /// Where compiled code is kept for the next run; none: nowhere.
    pub compiled: Option<PathBuf>,
    /// What its `configuration` answers.
    pub configuration: BTreeMap<String, String>,
    /// Labels of every network.
    pub labels: Labels,
    /// The names of the checks; empty: all.
    pub checks: Vec<String>,
    /// Warnings are failures.
    pub strict: bool,
    /// On the kernel in memory, which needs no root.
    pub fake: bool,
    /// Links of the host, made for the driver's links to lie on.
    pub parents: Vec<LinkName>,
    /// The author's cases.
    pub cases: Vec<Case>,
    /// What the driver may do; none: whatever it needs, and the report says what that was.
    pub grant: Option<Grant>,
}

/// What all worlds of a run share.
pub struct Suite {
    /// The driver's name.
    pub driver: Name,
    /// What operations run on.
    pub runtime: Runtime,
    /// Labels of every network.
    pub labels: Labels,
    /// The families that the driver takes.
    pub families: Families,
    /// On the kernel in memory.
    pub fake: bool,
    /// Where compiled code is kept.
    pub compiled: Option<PathBuf>,
    /// Links of each host, as parents.
    pub parents: Vec<LinkName>,
    /// The component.
    pub component: Vec<u8>,
    /// An earlier build of it.
    pub earlier: Option<Vec<u8>>,
    /// What the driver needs, where it may do whatever it needs.
    pub needed: Option<Needed>,
    /// What the driver says of itself.
    manifest: Option<Manifest>,
    parts: Vec<String>,
    /// A state folder with the driver in it.
    loaded: Ground,
}

impl Suite {
    /// Loads the driver.
    pub fn load(plan: &Plan) -> Result<Self> {
        let loaded = Ground::new(plan.fake, &plan.parents)?;
        let runtime = Runtime::new().map_err(|e| Error::internal(format!("can't start threads: {e}")))?;
        let needed = plan.grant.is_none().then(Needed::default);
        let place = Place::new(loaded.path("state"), loaded.path("run"), loaded.host("host")?);
        let place = Place { needed: needed.clone(), compiled: plan.compiled.clone(), ..place };
        let controller = Controller::start(&place)?;
        let (name, component, configuration) = (plan.name.clone(), plan.component.clone(), plan.configuration.clone());
        let grant = plan.grant.clone().into();
        let (source, signed, allow_unsigned) = (Source::default(), Signed::default(), false);
        let load = LoadDriver { name, component, configuration, grant, source, signed, allow_unsigned };
        runtime.block_on(controller.load_driver(load))?;
        let found = controller.loaded(&plan.name)?;
        let (parts, manifest) = (found.admitted.parts.clone(), found.admitted.manifest.clone());
        let families = match [Without::Ipv4, Without::Ipv6].map(|family| found.does_without(family)) {
            [false, false] => Families::Dual,
            [false, true] => Families::Ipv4,
            [true, false] => Families::Ipv6,
            [true, true] => Families::None,
        };
        drop((found, controller));
        let (driver, labels) = (plan.name.clone(), plan.labels.clone());
        Ok(Self {
            driver,
            runtime,
            labels,
            families,
            fake: plan.fake,
            compiled: plan.compiled.clone(),
            parents: plan.parents.clone(),
            component: plan.component.clone(),
            earlier: plan.upgrade_from.clone(),
            needed,
            manifest,
            parts,
            loaded,
        })
    }

    /// The author says that the driver does not do this.
    pub fn does_without(&self, what: Without) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.without.contains(&what))
    }

    /// The author's entries of a table.
    pub fn samples(&self, table: &str) -> Vec<Sample> {
        let all = self.manifest.iter().flat_map(|manifest| &manifest.samples);
        all.filter(|sample| sample.table == table).cloned().collect()
    }

    /// The state folder that worlds begin with.
    pub fn loaded_state(&self) -> PathBuf {
        self.loaded.path("state")
    }

    /// Whether the driver has this part.
    pub(super) fn exports(&self, part: Part) -> bool {
        self.parts.iter().any(|name| name == part.name())
    }

    fn check(&self, check: &Check, strict: bool) -> Outcome {
        let begin = Instant::now();
        let (ended, warnings) = match self.exports(check.part) {
            true => self.run(check),
            false => (Err(Stop::skipped(format!("the driver does not export {}", check.part.name()))), Vec::new()),
        };
        outcome(check.name.into(), ended, warnings, strict, begin)
    }

    /// The author's cases, one after the other, in one world.
    fn cases(&self, plan: &Plan, stop: &AtomicBool, tell: &(impl Fn(&Outcome) + Sync)) -> Result<Vec<Outcome>> {
        if plan.cases.is_empty() {
            return Ok(Vec::new());
        }
        let (world, mut trial) = (World::new(self)?, Trial::default());
        let mut outcomes = Vec::new();
        for case in plan.cases.iter().take_while(|_| !stop.load(Ordering::Relaxed)) {
            let begin = Instant::now();
            let ended = trial.case(&world, case);
            let outcome =
                outcome(format!("case: {}", case.name).into(), ended, world.take_warnings(), plan.strict, begin);
            tell(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn run(&self, check: &Check) -> (std::result::Result<(), Stop>, Vec<String>) {
        match World::new(self) {
            Err(error) => (Err(error.into()), Vec::new()),
            Ok(mut world) => {
                let ended = (check.run)(&mut world);
                (ended, world.take_warnings())
            }
        }
    }
}

/// How a check or a case ended.
fn outcome(
    check: Cow<'static, str>,
    ended: Checked<()>,
    warnings: Vec<String>,
    strict: bool,
    begin: Instant,
) -> Outcome {
    let (result, seconds) = (Verdict::Passed, begin.elapsed().as_secs_f64());
    let mut outcome = Outcome { check, result, failure: None, reason: None, warnings, seconds };
    match ended {
        Ok(()) if strict && !outcome.warnings.is_empty() => outcome.failure = Some(intolerable(&outcome.warnings)),
        Ok(()) => {}
        Err(Stop::Failed(failure)) => outcome.failure = Some(*failure),
        Err(Stop::Skipped(why)) => (outcome.result, outcome.reason) = (Verdict::Skipped, Some(why)),
        Err(Stop::Broken(error)) => outcome.failure = Some(broken(error)),
    }
    if outcome.failure.is_some() {
        outcome.result = Verdict::Failed;
    }
    outcome
}

/// With `--strict`.
fn intolerable(warnings: &[String]) -> Failure {
    Failure {
        call: "all calls of this check".into(),
        expected: "the driver itself removes what it made (--strict)".into(),
        got: warnings.join("; "),
        difference: Vec::new(),
    }
}

fn broken(error: Error) -> Failure {
    Failure {
        call: "the suite itself".into(),
        expected: "a world for the check".into(),
        got: error.message,
        difference: Vec::new(),
    }
}

/// Runs checks, several at once, and tells of each as it ends. `stop` ends the run after those that have begun.
pub fn run(plan: &Plan, stop: &AtomicBool, tell: impl Fn(&Outcome) + Sync) -> Result<Report> {
    let begin = Instant::now();
    let checks = chosen(plan)?;
    let suite = Suite::load(plan)?;
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(check) = checks.get(number) else { return };
            let outcome = suite.check(check, plan.strict);
            tell(&outcome);
            ended.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_by_key(|(number, _)| *number);
    let mut outcomes: Vec<_> = ended.into_iter().map(|(_, outcome)| outcome).collect();
    outcomes.extend(suite.cases(plan, stop, &tell)?);
    let needed = suite.needed.map(|needed| needed.lock().unwrap_or_else(PoisonError::into_inner).clone());
    Ok(Report { needed, ..Report::new(plan.name.as_str(), outcomes, begin.elapsed().as_secs_f64()) })
}

fn chosen(plan: &Plan) -> Result<Vec<&'static Check>> {
    let (names, has_earlier) = (&plan.checks, plan.upgrade_from.is_some());
    if let Some(unknown) = names.iter().find(|name| !CHECKS.iter().any(|check| check.name == **name)) {
        let all: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        return Err(Error::invalid(format!("there is no check {unknown:?}: {}", all.join(", "))));
    }
    let is_named = |check: &Check| names.iter().any(|name| check.name == *name);
    if !has_earlier && CHECKS.iter().any(|check| check.name == UPGRADE && is_named(check)) {
        return Err(Error::invalid(format!("the check {UPGRADE} needs an earlier build: name it with --upgrade-from")));
    }
    let all = CHECKS.iter().filter(|check| has_earlier || check.name != UPGRADE);
    Ok(all.filter(|check| names.is_empty() || is_named(check)).collect())
}
