//! A world of a check's own: a host's namespace, and a controller with the driver under test. What is asked of it is in `ask` and `direct`.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::ground::{Ground, copy};
use super::seen::Seen;
use super::stop::{Checked, Stop};
use super::suite::Suite;
use crate::answers::Fault;
use crate::controller::{Called, Controller};
use crate::place::{Host, Place};
use kernel::{Namespace, NamespacePath};
use operation::driver::CallTrace;
use words::{Error, Result};

/// How long the kernel may take to be as it was.
const PATIENCE: Duration = Duration::from_secs(3);

/// A host, and the driver in it.
pub struct World<'a> {
    /// What all worlds share.
    pub suite: &'a Suite,
    ground: Ground,
    host: Host,
    /// None while it starts again.
    controller: Option<Controller>,
    sandboxes: RefCell<Vec<Namespace>>,
    warnings: RefCell<Vec<String>>,
    /// The calls that were expected to work.
    traces: RefCell<Vec<CallTrace>>,
}

impl<'a> World<'a> {
    /// A new one, with the driver loaded.
    pub fn new(suite: &'a Suite) -> Result<Self> {
        let ground = Ground::new(suite.fake, &suite.parents)?;
        copy(&suite.loaded_state(), &ground.path("state"))?;
        let host = ground.host("host")?;
        let (sandboxes, warnings, traces) = (RefCell::default(), RefCell::default(), RefCell::default());
        let mut world = Self { suite, ground, host, controller: None, sandboxes, warnings, traces };
        world.start()?;
        Ok(world)
    }

    fn start(&mut self) -> Result<()> {
        let place = Place::new(self.ground.path("state"), self.ground.path("run"), self.host.clone());
        let place = Place { needed: self.suite.needed.clone(), compiled: self.suite.compiled.clone(), ..place };
        let controller = Controller::start(&place)?;
        controller.take_calls();
        self.controller = Some(controller);
        Ok(())
    }

    /// The machine starts again: a new host's namespace, and the state folder that there was.
    pub fn reboot(&mut self) -> Result<()> {
        self.controller = None;
        self.host = self.ground.host("host-again")?;
        self.sandboxes.borrow_mut().clear();
        self.start()
    }

    /// What the driver is asked through.
    pub fn controller(&self) -> Checked<&Controller> {
        self.controller.as_ref().ok_or_else(|| Stop::Broken(Error::internal("the controller did not start again")))
    }

    /// A sandbox.
    pub fn sandbox(&self, name: &str) -> Checked<NamespacePath> {
        let made = self.ground.namespace(name)?;
        self.sandboxes.borrow_mut().push(Namespace::At(made.clone()));
        Ok(made)
    }

    /// A sandbox that can't use IPv6.
    pub fn sandbox_without_ipv6(&self, name: &str) -> Checked<NamespacePath> {
        let made = self.sandbox(name)?;
        self.ground.without_ipv6(&made)?;
        Ok(made)
    }

    /// Whether one sandbox can connect to an address of another.
    pub fn reaches(&self, from: &NamespacePath, to: &NamespacePath, address: IpAddr) -> Checked<bool> {
        self.ground.reaches(from, to, address)?.ok_or_else(|| Stop::skipped("the fake kernel has no packets"))
    }

    /// Waits for an operation.
    pub fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        self.suite.runtime.block_on(operation)
    }

    /// Notes calls that were expected to work, and what they left for the host to sweep.
    pub fn note(&self, calls: &[Called]) {
        self.traces.borrow_mut().extend(calls.iter().map(|called| called.trace.clone()));
        for called in calls.iter().filter(|called| !called.swept.is_empty()) {
            self.warn(format!("{} left for the host to sweep: {}", called.trace.function, called.swept.join(", ")));
        }
    }

    /// Notes something that is no failure yet.
    pub fn warn(&self, warning: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// What was noted, and is no more.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// The calls that were noted, and are no more.
    pub fn take_traces(&self) -> Vec<CallTrace> {
        self.traces.take()
    }

    /// The calls of a function that nobody has taken yet.
    pub fn take_own(&self, function: &str) -> Checked<Vec<CallTrace>> {
        let calls = self.controller()?.take_calls();
        Ok(calls.into_iter().map(|called| called.trace).filter(|trace| trace.function == function).collect())
    }

    /// What there is now.
    pub fn look(&self) -> Checked<Seen> {
        Ok(Seen::look(self.controller()?, &self.suite.driver, &self.sandboxes.borrow())?)
    }

    /// What there is must be as it was: the kernel takes some things away a little later. What the driver remembers counts as well.
    pub fn same(&self, before: &Seen, call: &str, when: &str) -> Checked<()> {
        self.settle(before, Seen::clone, call, when)
    }

    /// The same of the host alone.
    pub fn same_host(&self, before: &Seen, call: &str, when: &str) -> Checked<()> {
        let of_host = |seen: &Seen| {
            let kernel = seen.kernel.iter().filter(|line| line.starts_with("host: ")).cloned().collect();
            Seen { kernel, ..seen.clone() }
        };
        self.settle(before, of_host, call, when)
    }

    /// The same, but for what the driver remembers: of an endpoint it may remember something as long as its network is there.
    pub fn same_kernel(&self, before: &Seen, call: &str, when: &str) -> Checked<()> {
        let forgetful = |seen: &Seen| Seen { state: Default::default(), ..seen.clone() };
        self.settle(before, forgetful, call, when)
    }

    fn settle(&self, before: &Seen, part: impl Fn(&Seen) -> Seen, call: &str, when: &str) -> Checked<()> {
        let begin = Instant::now();
        let before = part(before);
        loop {
            let now = part(&self.look()?);
            if now == before {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let difference = now.since(&before);
                let got = format!("{} lines that differ", difference.len());
                return Err(Stop::different(call, format!("kernel and store as {when}"), got, difference));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lets a function fail at one of its host calls while something is asked for.
    pub fn failing<T>(&self, function: &'static str, fault: Fault, ask: impl FnOnce() -> Checked<T>) -> Checked<T> {
        self.controller()?.inject_into(function, fault);
        let answer = ask();
        self.controller()?.inject(None);
        answer
    }
}
