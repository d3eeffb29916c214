//! A controller in this process: for what the command line can't do, such as failing a driver's n-th host call.

use std::collections::BTreeMap;

use pontoon::controller::{Controller, Place};
use pontoon::operation::Name;
use pontoon::operation::driver::LoadDriver;
use pontoon::operation::endpoint::Attach;
use pontoon::operation::network::CreateNetwork;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{Namespace, driver, pontoon};

/// A controller with a host's namespace and folders of its own.
pub struct Bench {
    /// The host that it works in.
    pub host: Namespace,
    /// The controller.
    pub controller: Controller,
    runtime: Runtime,
    folder: TempDir,
}

impl Bench {
    /// A controller without drivers.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let host = Namespace::new("host");
        let place = Place {
            state: folder.path().join("state"),
            run: folder.path().join("run"),
            compiler: pontoon(),
            namespace: Some(host.path().to_owned()),
        };
        let runtime = Runtime::new().unwrap();
        let controller = Controller::start(&place).unwrap();
        Self { host, controller, runtime, folder }
    }

    /// Waits for an operation.
    pub fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        self.runtime.block_on(operation)
    }

    /// Loads a driver that was built.
    pub fn load(&self, name: &str, file: &str, configuration: &[(&str, &str)]) {
        let configuration: BTreeMap<_, _> = configuration.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let load = LoadDriver { name: Name::new(name).unwrap(), component: std::fs::read(driver(file)).unwrap(), configuration };
        self.wait(self.controller.load_driver(load)).unwrap();
    }

    /// A file in its state folder.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("state").join(name)
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.folder.path().join("run/netns")).into_iter().flatten().flatten() {
            let _ = rustix::mount::unmount(entry.path(), rustix::mount::UnmountFlags::DETACH);
        }
    }
}

/// A request to make a network, with what a test says of it.
pub fn create(name: &str, driver: &str, more: &Value) -> CreateNetwork {
    merged(json!({"name": name, "driver": driver}), more)
}

/// A request to attach a namespace.
pub fn attach(namespace: &Namespace, more: &Value) -> Attach {
    merged(json!({"namespace": namespace.text()}), more)
}

fn merged<T: serde::de::DeserializeOwned>(mut base: Value, more: &Value) -> T {
    for (key, value) in more.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
    serde_json::from_value(base).unwrap()
}
