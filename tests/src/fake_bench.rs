//! A controller in this process on a kernel in memory: it enters no namespace, needs no root, and can be killed and started again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::Fake;
use pontoon::controller::Controller;
use pontoon::launcher::Launcher;
use pontoon::place::{Host, Place};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use words::Kind;
use words::limit::DEADLINE;

use crate::bench::{launcher, load, objects, place, stored};
use crate::left::{Left, Watched};
use crate::machine::until;
use crate::pontoon;

/// A controller, the machine that it works on, and its folders, which outlive it.
pub struct FakeBench {
    /// The machine.
    pub fake: Fake,
    controller: Option<Controller>,
    deadline: Duration,
    launcher: Option<Arc<Launcher>>,
    runtime: Runtime,
    folder: TempDir,
}

impl FakeBench {
    /// A controller without drivers on a machine that has just booted.
    pub fn new() -> Self {
        Self::with_deadline(DEADLINE)
    }

    /// One whose drivers' calls may take this long.
    pub fn with_deadline(deadline: Duration) -> Self {
        Self::with(deadline, None)
    }

    /// One whose drivers' calls run in processes of their own.
    pub fn apart() -> Self {
        Self::with(DEADLINE, Some(launcher(&pontoon())))
    }

    fn with(deadline: Duration, launcher: Option<Arc<Launcher>>) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let mut bench = Self { fake: Fake::new(), controller: None, deadline, launcher, runtime, folder };
        bench.restart();
        bench
    }

    /// Ends the controller where it stands, and starts another one in its folders and on the same machine.
    pub fn restart(&mut self) {
        self.controller = None;
        // A process lets go of all at once; here the last one's threads may have its ports for a moment longer.
        until("the ports", || !self.fake.state().lines().any(|line| line.starts_with("port ")));
        let place = place(self.folder.path(), Host::Fake(self.fake.clone()));
        let place = Place { deadline: self.deadline, launcher: self.launcher.clone(), ..place };
        // What still runs of the last one holds the folder for a moment.
        let mut started = Controller::start(&place);
        until("the state folder", || {
            if started.as_ref().is_err_and(|error| error.kind == Kind::Unavailable) {
                started = Controller::start(&place);
            }
            !started.as_ref().is_err_and(|error| error.kind == Kind::Unavailable)
        });
        self.controller = Some(started.unwrap());
    }

    /// Does something, and answers with it what a kill would have left: before each change of the kernel, and after each commit.
    pub fn watch<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<Left>) {
        let watched = Watched::begin(&self.fake, self.folder.path().join("state"));
        let done = work();
        (done, watched.end())
    }

    /// Ends the controller, and starts another one on what a kill has left.
    pub fn restart_on(&mut self, left: &Left) {
        self.controller = None;
        left.write(&self.folder.path().join("state"));
        // What a kill leaves of it is not ahead of the store.
        let _ = std::fs::remove_file(self.folder.path().join("run/store-witness"));
        self.fake = left.fake.copy();
        self.restart();
    }

    /// See [`Bench::stored`](crate::Bench::stored).
    pub fn stored(&self) -> String {
        stored(&self.folder.path().join("state/pontoon.db"))
    }

    /// The objects that its store has.
    pub fn objects(&self) -> Vec<Value> {
        objects(&self.folder.path().join("state/pontoon.db"))
    }

    /// Waits until the reaper has done its work. It is quick here, and waited for often.
    pub fn reaped(&self) {
        let begin = Instant::now();
        while self.fake.state().contains(" pc") {
            assert!(begin.elapsed() < Duration::from_secs(30), "the reaper reaps nothing: {}", self.fake.state());
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// The controller.
    pub fn controller(&self) -> &Controller {
        self.controller.as_ref().unwrap()
    }

    /// Waits for an operation.
    pub fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        self.runtime.block_on(operation)
    }

    /// Begins an operation beside others.
    pub fn spawn<T: Send + 'static>(&self, operation: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(operation)
    }

    /// Loads a driver that was built.
    pub fn load(&self, name: &str, file: &str) {
        self.load_with(name, file, &[]);
    }

    /// The same, with a configuration.
    pub fn load_with(&self, name: &str, file: &str, configuration: &[(&str, &str)]) {
        self.wait(self.controller().load_driver(load(name, file, configuration))).unwrap();
    }

    /// A new sandbox, by its path.
    pub fn sandbox(&self, name: &str) -> String {
        let path = format!("/fake/{name}");
        self.fake.add_namespace(path.as_ref()).unwrap();
        path
    }

    /// Kills a sandbox.
    pub fn kill(&self, path: &str) {
        assert!(self.fake.remove_namespace(path.as_ref()), "there is no {path}");
    }
}

impl Default for FakeBench {
    fn default() -> Self {
        Self::new()
    }
}
