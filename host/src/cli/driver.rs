//! `pontoon driver`: load, upgrade, rollback, history, export, import, gc, ls, inspect, grant, explain, audit, rm; push, pull, outdated; and for authors: new, build, dev, pack, test, bench, trace, replay.

use std::path::PathBuf;

use super::bench::Bench;
use super::client::{encode, path};
use super::dev::Dev;
use super::driver_test::Test;
use super::driver_trace::Trace;
use super::exit::Failure;
use super::explain::Explain;
use super::moving::{Export, Import};
use super::outdated::Outdated;
use super::output::{Session, listing, table};
use super::remote::{Bring, Pull, Push};
use super::replay::Replay;
use super::upgrade::{Rollback, Upgrade, Upload};
use super::values::{lines, pair, short};
use super::{build, grant, new, pack, remote, upgrade};
use crate::serve::folder::grant_beside;
use ::grant::Grant;
use operation::driver::{Driver, DriverDetails, DriverVersion, Forgot, Manifest, Scope};
use words::Name;

/// Drivers.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Load a driver; it stays loaded over restarts
    Load(Load),
    /// Put another component in a driver's place while its networks carry packets; one that fails its checks changes nothing
    Upgrade(Upgrade),
    /// Bring a driver's version before back, by the same checks
    Rollback(Rollback),
    /// List a driver's versions: when they came, from where, by whom, and how they ended
    History {
        /// The driver
        name: Name,
    },
    /// Write a driver into one file for another host: its component, grant, history and state
    Export(Export),
    /// Take a driver from such a file; one of its name that is here already is upgraded, and keeps its own history and state
    Import(Import),
    /// Forget earlier versions with their components, and what was compiled of those that are kept
    Gc {
        /// The driver [default: all]
        name: Option<Name>,
        /// So many earlier versions stay, at most 8
        #[arg(long, value_name = "NUMBER", default_value_t = 8)]
        keep: usize,
    },
    /// List drivers
    Ls,
    /// Show a driver: its parts, imports, manifest, configuration and calls
    Inspect {
        /// The driver
        name: Name,
    },
    /// Show or change what a driver may do; or find out what a component needs
    Grant(grant::Command),
    /// Say in plain sentences what a grant lets a driver do; needs no daemon
    Explain(Explain),
    /// Show what a driver was allowed and refused since the start of the daemon
    Audit {
        /// The driver
        name: Name,
    },
    /// Remove drivers that serve no network
    Rm {
        /// The drivers
        #[arg(required = true, value_name = "NAME")]
        names: Vec<Name>,
    },
    /// Push a component to a registry
    Push(Push),
    /// Pull a component from a registry, and keep it
    Pull(Pull),
    /// List drivers of which their registries have newer versions, and what these ask for
    Outdated(Outdated),
    /// Begin a driver of your own: a project that builds and passes its tests
    New(new::New),
    /// Make a driver of what a compiler built: a component, with its manifest in it
    Build(build::Build),
    /// Put the manifest into a component: name, version, what the driver asks for
    Pack(pack::Pack),
    /// Run a component through the conformance suite, in network namespaces of its own; needs no daemon
    Test(Box<Test>),
    /// What each call of a component costs, beside the sample bridge; needs no daemon
    Bench(Bench),
    /// Build and load the driver in a folder, again whenever a file of it changes, and show its calls as they happen
    Dev(Dev),
    /// Record the calls of a driver that runs, with all that it asks of the host and is answered
    Trace(Trace),
    /// Make a recorded call again and compare; needs no daemon, no kernel and no root
    Replay(Replay),
}

/// Loads a driver.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The component: a file, or oci://HOST/REPOSITORY:TAG
    pub file: PathBuf,
    /// The name that networks say [default: the file's name without .wasm, or the repository's]
    #[arg(long)]
    pub name: Option<Name>,
    /// What the driver's configuration answers for KEY (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub configuration: Vec<(String, String)>,
    /// What it may do, in TOML [default: bridge.grant.toml beside bridge.wasm, or else nothing]
    #[arg(long, value_name = "FILE", conflicts_with = "grant_asked")]
    pub grant: Option<PathBuf>,
    /// Grant whatever it asks for
    #[arg(long)]
    pub grant_asked: bool,
    #[command(flatten)]
    pub bring: Bring,
}

impl Command {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Load(load) => load.run(session).await,
            Self::Upgrade(upgrade) => upgrade.run(session).await,
            Self::Rollback(rollback) => rollback.run(session).await,
            Self::History { name } => {
                let reply = session.client.get(&path(&["drivers", name.as_str(), "history"])).await?;
                session.answer(&reply, |versions: Vec<DriverVersion>| upgrade::rows(&versions))
            }
            Self::Export(export) => export.run(session).await,
            Self::Import(import) => import.run(session).await,
            Self::Gc { name, keep } => {
                let name = name.map_or_else(String::new, |name| format!("&name={}", encode(name.as_str())));
                let reply = session.client.post(&format!("/driver-versions/gc?keep={keep}{name}"), &()).await?;
                session.answer(&reply, |forgot: Vec<Forgot>| upgrade::forgotten(&forgot))
            }
            Self::Ls => {
                let reply = session.client.get("/drivers").await?;
                session.answer(&reply, |drivers: Vec<Driver>| rows(&drivers))
            }
            Self::Inspect { name } => {
                let reply = session.client.get(&path(&["drivers", name.as_str()])).await?;
                session.answer(&reply, |details| show(&details))
            }
            Self::Grant(command) => command.run(session).await,
            Self::Explain(explain) => explain.run(session),
            Self::Audit { name } => {
                let reply = session.client.get(&path(&["drivers", name.as_str(), "audit"])).await?;
                session.answer(&reply, |audited| grant::audit(&audited))
            }
            Self::Rm { names } => remove(&names, session).await,
            Self::Push(push) => push.run(session),
            Self::Pull(pull) => pull.run(session),
            Self::Outdated(outdated) => outdated.run(session).await,
            Self::New(new) => new.run(session),
            Self::Build(build) => build.run(session),
            Self::Pack(pack) => pack.run(session),
            Self::Test(test) => test.run(session).await,
            Self::Bench(bench) => bench.run(session).await,
            Self::Dev(dev) => dev.run(session).await,
            Self::Trace(trace) => trace.run(session).await,
            Self::Replay(replay) => replay.run(session),
        }
    }
}

impl Load {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let name = match self.name {
            Some(name) => name,
            None => {
                remote::name(&self.file).map_err(|e| e.context(format!("{} needs a --name", self.file.display())))?
            }
        };
        let is_said = self.grant_asked || self.grant.is_some();
        let is_remote = remote::reference(&self.file)?.is_some();
        let beside = if is_said || is_remote { None } else { grant_beside(&self.file)? };
        let mut upload =
            Upload::new(&self.file, self.bring, session, self.configuration, self.grant, self.grant_asked)?;
        upload.grant = upload.grant.or(beside);
        let route = format!("/drivers?name={}&", encode(name.as_str()));
        let (reply, _) = upload.send(&route, Grant::default(), session).await?;
        session.done(&reply, name.as_str())
    }
}

async fn remove(names: &[Name], session: &mut Session<'_>) -> Result<(), Failure> {
    for name in names {
        match session.client.delete(&path(&["drivers", name.as_str()])).await {
            Ok(reply) => session.done(&reply, name.as_str())?,
            Err(failure) => session.fail(&failure),
        }
    }
    Ok(())
}

fn rows(drivers: &[Driver]) -> String {
    let rows = drivers.iter().map(|d| {
        let scope = scope(d.data_scope).to_owned();
        let (networks, size) = (d.networks.to_string(), size(d.size));
        [d.name.to_string(), d.network_type.clone(), scope, networks, size, short(&d.digest), state(d)]
    });
    table(["NAME", "TYPE", "SCOPE", "NETWORKS", "SIZE", "DIGEST", "STATE"], rows)
}

fn show(details: &DriverDetails) -> String {
    let driver = &details.driver;
    let facts = listing([
        ("NAME", driver.name.to_string()),
        ("TYPE", driver.network_type.clone()),
        ("DATA SCOPE", scope(driver.data_scope).to_owned()),
        ("CONNECTIVITY SCOPE", scope(driver.connectivity_scope).to_owned()),
        ("STATE", state(driver)),
        ("NETWORKS", driver.networks.to_string()),
        ("SIZE", format!("{} bytes", driver.size)),
        ("DIGEST", driver.digest.clone()),
        ("DOCKER PLUGIN", plugin(details)),
        ("EXPORTS", details.exports.join("\n")),
        ("IMPORTS", details.imports.join("\n")),
        ("MANIFEST", details.manifest.as_ref().map_or_else(|| "none".to_owned(), said)),
        ("ASKS FOR", details.manifest.as_ref().map(|m| items(&m.asks)).unwrap_or_default()),
        ("MAY", items(&details.grant)),
        ("LACKS", details.lacks.join("\n")),
        ("CONFIGURATION", lines(&details.configuration)),
    ]);
    let calls = details
        .calls
        .iter()
        .map(|call| [call.function.clone(), call.count.to_string(), call.failed.to_string(), call.micros.to_string()]);
    format!("{facts}\n{}", table(["CALL", "COUNT", "FAILED", "MICROSECONDS"], calls))
}

/// Whether it can be called, and what of the drivers folder does not serve.
fn state(driver: &Driver) -> String {
    let not_loaded = driver.not_loaded.iter().map(|why| format!("; {why}"));
    [driver.state.clone()].into_iter().chain(not_loaded).collect()
}

/// What the author says, a line for each thing.
fn said(manifest: &Manifest) -> String {
    let Manifest { name, version, description, source, licence, without, samples: _, asks: _ } = manifest;
    let lines = [Some(&format!("{name} {version}")), description.as_ref(), source.as_ref(), licence.as_ref()];
    let without: Vec<_> = without.iter().map(|what| what.name()).collect();
    let without = (!without.is_empty()).then(|| format!("without {}", without.join(", ")));
    lines.into_iter().flatten().cloned().chain(without).collect::<Vec<_>>().join("\n")
}

/// What a grant names, a line for each thing.
fn items(grant: &Grant) -> String {
    grant.items().iter().map(|item| format!("{item}\n")).collect()
}

fn plugin(details: &DriverDetails) -> String {
    match (&details.plugin_socket, &details.unpublished) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(why)) => format!("none: {why}"),
        (None, None) => "none".to_owned(),
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Local => "local",
        Scope::Global => "global",
    }
}

/// Bytes, rounded, in the units that Docker uses (powers of 1000).
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes}B"),
        1_000..1_000_000 => format!("{}.{}kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{}MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let table = [(7, "7B"), (999, "999B"), (1_000, "1.0kB"), (123_456, "123.4kB"), (2_500_000, "2.5MB")];
        for (bytes, text) in table {
            assert_eq!(size(bytes), text);
        }
    }
}
