//! A controller in this process on a kernel in memory: it enters no namespace, needs no root, and can be killed and started again.

use pontoon::controller::{Controller, Host};
use pontoon::kernel::Fake;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench::{load, place};

/// A controller, the machine that it works on, and its folders, which outlive it.
pub struct FakeBench {
    /// The machine.
    pub fake: Fake,
    controller: Option<Controller>,
    runtime: Runtime,
    folder: TempDir,
}

impl FakeBench {
    /// A controller without drivers on a machine that has just booted.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let mut bench = Self { fake: Fake::new(), controller: None, runtime: Runtime::new().unwrap(), folder };
        bench.restart();
        bench
    }

    /// Ends the controller where it stands, and starts another one in its folders and on the same machine.
    pub fn restart(&mut self) {
        self.controller = None;
        let place = place(self.folder.path(), Host::Fake(self.fake.clone()));
        self.controller = Some(Controller::start(&place).unwrap());
    }

    /// The controller.
    pub fn controller(&self) -> &Controller {
        self.controller.as_ref().unwrap()
    }

    /// Waits for an operation.
    pub fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        self.runtime.block_on(operation)
    }

    /// Loads a driver that was built.
    pub fn load(&self, name: &str, file: &str) {
        self.wait(self.controller().load_driver(load(name, file, &[]))).unwrap();
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
