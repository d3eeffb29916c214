//! A controller in this process: for what the command line can't do, such as failing a driver's n-th host call.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use ask::{Answer, Answers, Arguments, Ask, Refusal};
use engine::{Call, Code, Engine};
use operation::driver::{LoadDriver, Signed, Source};
use operation::endpoint::Attach;
use operation::network::CreateNetwork;
use pontoon::controller::Controller;
use pontoon::launcher::Launcher;
use pontoon::place::{Host, Place};
use pontoon::serve::folder::grant_beside;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use words::Name;

use crate::{Namespace, driver, pontoon, until};

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
        Self::with_deadline(words::limit::DEADLINE)
    }

    /// One whose drivers' calls may take this long.
    pub fn with_deadline(deadline: Duration) -> Self {
        Self::with(deadline, None)
    }

    /// One whose drivers' calls run in processes that a program's hidden subcommand starts.
    pub fn apart(program: &Path) -> Self {
        Self::with(words::limit::DEADLINE, Some(launcher(program)))
    }

    fn with(deadline: Duration, launcher: Option<Arc<Launcher>>) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let host = Namespace::new("host");
        let place = Place { deadline, launcher, ..place(folder.path(), Host::At(host.path().to_owned())) };
        let runtime = Runtime::new().unwrap();
        pontoon::serve::raise_file_limit();
        let controller = Controller::start(&place).unwrap();
        Self { host, controller, runtime, folder }
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
    pub fn load(&self, name: &str, file: &str, configuration: &[(&str, &str)]) {
        self.wait(self.controller.load_driver(load(name, file, configuration))).unwrap();
    }

    /// See [`stored`].
    pub fn stored(&self) -> String {
        stored(&self.file("pontoon.db"))
    }

    /// A file in its state folder.
    pub fn file(&self, name: &str) -> PathBuf {
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

/// The bridge, of what was compiled.
pub fn bridge_code(engine: &Engine, compiled: &[u8]) -> Code {
    let parts = ["driver", "external-connectivity", "gateway-allocation-checker", "ipv6-releaser"];
    engine.load(compiled, &parts.map(str::to_owned)).unwrap()
}

/// A host that answers what a language's runtime asks when it begins, and has nothing for a driver.
pub struct ForRuntimes;

impl Answers for ForRuntimes {
    fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        match ask {
            Ask::RandomBytes { count } => Ok(Answer::RandomBytes(vec![7; count as usize].into())),
            Ask::ClockNow {} => Ok(Answer::ClockNow(0)),
            ask => Err(Refusal::trap(format!("no answer to {}", ask.call().name()))),
        }
    }

    fn dropped(&mut self, _: u32) {}
}

/// The least that a call can be: an instance is made, asked for its registration, and dropped. Answers whether so many bytes of memory were
/// enough for it.
pub fn registers(code: &Code, memory: usize) -> bool {
    let (deadline, host) = (Instant::now() + words::limit::DEADLINE, Arc::new(Mutex::new(ForRuntimes)));
    code.call(Call { deadline, memory, host }, Arguments::Register).is_ok()
}

/// Everything that a store holds, row by row. What only grows (the counters, and where the next address is looked for) is left out.
pub(crate) fn stored(file: &Path) -> String {
    let copy = copy(file);
    let store = Connection::open(copy.path().join("copy.db")).unwrap();
    let mut all = String::new();
    for table in
        ["drivers", "networks", "endpoints", "objects", "notes", "state", "entries", "watches", "pools", "leases"]
    {
        let mut statement = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let value = |i| match row.get_ref(i).unwrap() {
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
                other => format!("{other:?}"),
            };
            lines.push((0..columns).map(value).collect::<Vec<_>>().join(" | "));
        }
        lines.sort();
        all += &lines.iter().map(|line| format!("{table}: {line}\n")).collect::<String>();
    }
    all
}

/// The objects that a store has.
pub(crate) fn objects(file: &Path) -> Vec<Value> {
    let copy = copy(file);
    let store = Connection::open(copy.path().join("copy.db")).unwrap();
    let mut statement = store.prepare("SELECT record FROM objects").unwrap();
    let records = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    records.map(|record| serde_json::from_str(&record.unwrap()).unwrap()).collect()
}

/// A copy of a store, which its daemon has to itself.
fn copy(file: &Path) -> TempDir {
    let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
    let log = || std::fs::read(file.with_extension("db-wal")).unwrap_or_default();
    until("the store's log stays as it is", || {
        let before = log();
        std::fs::copy(file, folder.path().join("copy.db")).unwrap();
        std::fs::write(folder.path().join("copy.db-wal"), &before).unwrap();
        before == log()
    });
    folder
}

/// A program's launcher, which ends with what is answered here.
pub fn launcher(program: &Path) -> Arc<Launcher> {
    let (launcher, mut child) = Launcher::start(program, Path::new("/tmp")).unwrap();
    std::thread::spawn(move || child.wait());
    Arc::new(launcher)
}

/// Where a controller works that has its folders below this one.
pub(crate) fn place(folder: &Path, host: Host) -> Place {
    Place { compiler: compiler(folder), ..Place::new(folder.join("state"), folder.join("run"), host) }
}

/// A request to load a driver that was built.
pub(crate) fn load(name: &str, file: &str, configuration: &[(&str, &str)]) -> LoadDriver {
    let configuration = configuration.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (name, file) = (Name::new(name).unwrap(), driver(file));
    let grant = grant_beside(&file).unwrap().into();
    let (component, source) = (std::fs::read(file).unwrap(), Source::default());
    LoadDriver { name, component, configuration, grant, source, signed: Signed::default(), allow_unsigned: false }
}

/// Stands in for `pontoon compile`: what that program has once made of a component is kept beside the drivers.
fn compiler(folder: &Path) -> PathBuf {
    let program = pontoon();
    let made = program.metadata().and_then(|m| m.modified()).unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let kept = program.with_file_name(format!("../drivers/compiled/{made}"));
    std::fs::create_dir_all(&kept).unwrap();
    let (program, kept, path) = (program.display(), kept.display(), folder.join("compiler"));
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = compile ] || exit 2\ncomponent=$(mktemp -p {kept}) && cat >$component || exit\n\
         of={kept}/$(sha256sum <$component | cut -c1-64)\n\
         [ -e $of ] || {{ {program} compile <$component >$component.new && mv $component.new $of; }}\n\
         status=$?\nrm -f $component $component.new\n[ $status = 0 ] && cat $of\nexit $status\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// A request to make a network, with what a test says of it.
pub fn create(name: &str, driver: &str, more: &Value) -> CreateNetwork {
    merged(json!({"name": name, "driver": driver}), more)
}

/// A request to attach a namespace.
pub fn attach(namespace: &Namespace, more: &Value) -> Attach {
    attach_path(namespace.text(), more)
}

/// The same by its path.
pub fn attach_path(namespace: &str, more: &Value) -> Attach {
    merged(json!({"namespace": namespace}), more)
}

fn merged<T: serde::de::DeserializeOwned>(mut base: Value, more: &Value) -> T {
    for (key, value) in more.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
    serde_json::from_value(base).unwrap()
}
