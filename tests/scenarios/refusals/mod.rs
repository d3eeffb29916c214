//! What must be refused is refused: in one clear line, with the exit code that the help promises, and nothing has changed.
//!
//! - `made`: components out of WIT that differs from the host's
//! - `components`, `commands`, `requests`, `start`: what is refused
//! - `files`: files of the state folder that somebody changed

mod commands;
mod components;
mod files;
mod made;
mod requests;
mod start;

use std::collections::BTreeMap;
use std::path::Path;

use pontoon_tests::Daemon;
use serde_json::Value;

/// All that a refused operation could have changed.
#[derive(Debug, PartialEq)]
struct Seen {
    drivers: Value,
    networks: Value,
    endpoints: Value,
    components: BTreeMap<String, Vec<u8>>,
    compiled: BTreeMap<String, Vec<u8>>,
    host: String,
}

fn seen(daemon: &Daemon) -> Seen {
    Seen {
        drivers: daemon.json("driver ls"),
        networks: daemon.json("network ls"),
        endpoints: daemon.json("endpoint ls"),
        components: files(&daemon.file("state/components")),
        compiled: files(&daemon.file("state/compiled")),
        host: daemon.host.dump(),
    }
}

/// The same once the kernel has come to rest: afterwards nothing changes by itself.
fn at_rest(daemon: &Daemon) -> Seen {
    daemon.host.settled();
    seen(daemon)
}

/// The files of a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    let files = entries.filter(|e| e.file_type().unwrap().is_file());
    files.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

/// A daemon with a driver, a network and something that must not change.
fn with_a_network() -> Daemon {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n");
    daemon
}

/// Has a command refused with this code, in a line that says each of these.
fn refused(daemon: &Daemon, code: i32, line: &str, says: &[&str]) -> String {
    let said = daemon.refused(code, line);
    for part in says {
        assert!(said.contains(part), "pontoon {line}: {part:?} is missing in: {said}");
    }
    assert!(said.starts_with("pontoon: ") && said.len() < 1500, "{said}");
    said
}
