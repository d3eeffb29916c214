//! `pontoon serve`: the daemon in the foreground, from its configuration to its last request.
//!
//! - [`main`]: the process: who runs it, configuration, log, what it gives up, runtime, signals
//! - [`run`]: start, serve, stop; the signal to stop is an argument
//! - [`folder`]: the components that are loaded at start

pub mod folder;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, Written};
use crate::controller::{Controller, Host, Place};
use crate::frontend::admin::{self, limits::SHUTDOWN_GRACE};
use crate::frontend::docker::Plugins;
use crate::frontend::socket::{Bound, Inherited, make_folder};
use words::file::make_private;
use words::{Error, Result};

/// How long operations whose clients went away may go on when those with a client have had the whole grace.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// Runs the daemon until SIGTERM or SIGINT.
pub fn main(flags: Written) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::forbidden("pontoon serve must be run by root: it makes network interfaces"));
    }
    let config = Config::load(flags)?;
    log(&config)?;
    // While there is one thread: this takes variables out of the environment.
    let inherited = Inherited::from_environment();
    raise_file_limit();
    // Before anything is made: two daemons never work in one place.
    let socket = inherited.take_or_bind(&config.socket)?;
    confine(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::internal(format!("can't start threads: {e}")))?;
    runtime.block_on(async { run(&config, socket, inherited, stop_signal()?).await })
}

/// Gives up what the daemon does not need. Its folders must be there: what it may reach is told to the kernel by file, not by name.
fn confine(config: &Config) -> Result<()> {
    make_private(&config.state)?;
    make_folder(&config.run)?;
    // Where it can't be made, publishing a driver says so.
    let _ = make_folder(&config.plugins);
    kernel::start_keyholder(Path::new("/proc/self/exe"), &config.run.join(kernel::NAMESPACES))?;
    crate::confine::daemon(config);
    Ok(())
}

/// Serves until `shutdown` is ready, then lets requests in flight finish. Networks stay.
///
/// The admin socket is bound already, so that clients that come early wait instead of failing, and two daemons never start side by side;
/// sockets are served only when the controller has put everything in order.
pub async fn run(
    config: &Config,
    socket: Bound,
    inherited: Inherited,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let controller = start(config).await?;
    let (listener, _file) = socket.listen()?;
    let plugins = Plugins::new(controller.clone(), config.plugins.clone(), config.docker.clone(), Arc::new(inherited));
    plugins.publish_all().await?;
    notify(&[NotifyState::Ready]);
    tracing::info!(socket = %config.socket.display(), "ready");
    let mut asked_to_stop = Instant::now();
    let stopping = async {
        shutdown.await;
        asked_to_stop = Instant::now();
        tracing::info!("stopping");
        notify(&[NotifyState::Stopping]);
    };
    let router = admin::router(controller.clone(), plugins.clone(), config.clone());
    admin::serve(listener, router, stopping).await;
    let left = SHUTDOWN_GRACE.saturating_sub(asked_to_stop.elapsed());
    if tokio::time::timeout(left, plugins.close()).await.is_err() {
        tracing::warn!("dockerd's requests in flight did not finish in time");
    }
    stop(&controller, SHUTDOWN_GRACE.saturating_sub(asked_to_stop.elapsed())).await;
    Ok(())
}

/// Puts store and kernel in order and loads the drivers.
async fn start(config: &Config) -> Result<Controller> {
    let place = Place::new(config.state.clone(), config.run.clone(), Host::Own);
    let started = tokio::task::spawn_blocking(move || Controller::start(&place)).await;
    let controller = started.map_err(|e| Error::internal(format!("can't start: {e}")))??;
    folder::load(&controller, &config.drivers).await;
    Ok(controller)
}

/// Waits for the operations that still run, whether their clients do or not.
async fn stop(controller: &Controller, within: Duration) {
    if tokio::time::timeout(within.max(LAST_PATIENCE), controller.close()).await.is_err() {
        tracing::warn!("operations did not end in time; the next start cleans up after them");
    }
}

/// Every published port is an open file, and the limit that a shell sets is low.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!("can't raise the limit on open files from {:?} to {:?}: {error}", limit.current, limit.maximum);
    }
}

/// Ready at the first SIGTERM or SIGINT. The handlers stand when this returns, so that no signal kills a daemon that is starting.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let failed = |e: io::Error| Error::internal(format!("can't handle signals: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Logs to standard error, without colours: it is a terminal only for developers.
fn log(config: &Config) -> Result<()> {
    let lines = tracing_subscriber::fmt::layer().compact().with_writer(io::stderr).with_ansi(false);
    let started = tracing_subscriber::registry().with(lines).with(config.filter()?).try_init();
    started.map_err(|e| Error::internal(format!("can't log: {e}")))
}

/// Tells systemd, if it asked to be told.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "can't notify the service manager");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_runs_and_cleans_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        let written =
            Written { state: path("state"), run: path("run"), plugins: path("plugins"), ..Written::default() };
        let config = Config::meaning(Written { drivers: path("drivers"), ..written }).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (serving, socket) = (config.clone(), Bound::bind(&config.socket).unwrap());
        let daemon =
            tokio::spawn(
                async move { run(&serving, socket, Inherited::default(), async { drop(stopped.await) }).await },
            );
        assert!(Bound::bind(&config.socket).is_err_and(|second| second.message.contains("listens on")));
        stop.send(()).unwrap();
        daemon.await.unwrap().unwrap();
        assert!(!config.socket.exists());
        let socket = Bound::bind(&config.socket).unwrap();
        run(&config, socket, Inherited::default(), std::future::ready(())).await.unwrap();
    }
}
