//! `pontoon serve`: the daemon in the foreground, from its configuration to its last request.
//!
//! - [`main`]: the process: who runs it, configuration, log, what it gives up, runtime, signals
//! - [`run`]: start, serve, stop; the signal to stop is an argument
//! - `log`: lines of a bounded length
//! - `replace`: another daemon takes this one's place
//! - [`folder`]: the components that are loaded at a start, and when they change there (`watch`)

pub mod folder;
mod log;
mod replace;
mod watch;

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::log::Bounded;
pub use self::replace::Predecessor;
use self::replace::{Door, Given, Successor, hand_over};
use self::watch::Watcher;
use crate::cluster::Access;
use crate::config::{Config, Written};
use crate::controller::Controller;
use crate::frontend::admin;
use crate::frontend::docker::Plugins;
use crate::frontend::http::socket::{Inherited, make_folder};
use crate::frontend::http::{self, After, limits::SHUTDOWN_GRACE};
use crate::launcher::Launcher;
use crate::place::{HeldPorts, Host, Place, THIS_PROGRAM};
use words::file::make_private;
use words::{Error, Kind, Result};

/// How long operations whose clients went away may go on when those with a client have had the whole grace.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// Runs the daemon until SIGTERM or SIGINT. `replace`: in the place of the one that runs.
pub fn main(flags: Written, replace: bool) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::forbidden("pontoon serve must be run by root: it makes network interfaces"));
    }
    let config = Config::load(flags)?;
    start_log(&config)?;
    // While there is one thread: this takes variables out of the environment.
    let mut sockets = Inherited::from_environment();
    raise_file_limit();
    let predecessor = if replace { Some(Predecessor::find(&config)?) } else { None };
    // Before anything is made: two daemons never work in one place.
    if predecessor.is_none() {
        sockets.keep(&config.socket, sockets.take_or_bind(&config.socket)?);
    }
    // Names and files that it can't reach any more when it is confined.
    let cluster = config.cluster.as_ref().map(Access::read).transpose()?.map(Arc::new);
    let (launcher, helpers) = confine(&config)?;
    let (launcher, ports) = (Arc::new(launcher), HeldPorts::default());
    if let Some(predecessor) = &predecessor {
        predecessor.prepare(&config, &launcher)?;
        predecessor.take(&mut sockets, &ports)?;
    }
    let beginning = Beginning { launcher: Some(launcher), cluster, sockets, ports, predecessor };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::internal(format!("can't start threads: {e}")))?;
    let served = runtime.block_on(async { until_lost(helpers, |stop| run(&config, beginning, stop)).await });
    // Whatever still runs was waited for as long as it may: it ends with the process, as if that were killed.
    runtime.shutdown_background();
    served
}

/// A process that the daemon can't do without, and what it is for.
type Helper = (&'static str, Child);

/// Serves until a signal, or until a helper has ended: without it no sandbox can be entered, or no driver called, and this process has given
/// up the rights to start another. Whoever started it can, so that end is a failure.
async fn until_lost<Serving: Future<Output = Result<()>>>(
    helpers: [Helper; 2],
    serve: impl FnOnce(Pin<Box<dyn Future<Output = ()>>>) -> Serving,
) -> Result<()> {
    let (ended, mut has_ended) = mpsc::unbounded_channel();
    for (purpose, mut helper) in helpers {
        let ended = ended.clone();
        let wait = move || drop(ended.send((purpose, helper.wait())));
        let waiting = std::thread::Builder::new().name("helper".into()).spawn(wait);
        waiting.map_err(|e| Error::internal(format!("can't start a thread: {e}")))?;
    }
    let (signal, (lost, is_lost)) = (stop_signal()?, oneshot::channel());
    let stop = async move {
        tokio::select! {
            () = signal => {}
            Some((purpose, status)) = has_ended.recv() => {
                let how = status.map_or_else(|e| e.to_string(), |status| status.to_string());
                let message = format!("the process for {purpose} has ended ({how}): start the daemon again");
                let error = Error::new(Kind::Unavailable, message);
                tracing::error!("{error}");
                drop(lost.send(error));
            }
        }
    };
    serve(Box::pin(stop)).await?;
    is_lost.await.map_or(Ok(()), Err)
}

/// Gives up what the daemon does not need. Its folders must be there: what it may reach is told to the kernel by file, not by name.
fn confine(config: &Config) -> Result<(Launcher, [Helper; 2])> {
    make_private(&config.state)?;
    make_folder(&config.run)?;
    // Where it can't be made, publishing a driver says so.
    let _ = make_folder(&config.plugins);
    // So that it can be watched, and read, whenever an operator puts the first component there. Where it can't be made, the log says that.
    let _ = make_folder(&config.drivers);
    let program = Path::new(THIS_PROGRAM);
    let keyholder = kernel::start_keyholder(program, &config.run.join(kernel::NAMESPACES))?;
    let (launcher, launching) = Launcher::start(program, &config.run)?;
    if let Err(error) = kernel::open_announcer() {
        tracing::warn!("neighbours of a container that gets another's address are not told: {error}");
    }
    crate::confine::daemon(config);
    Ok((launcher, [("namespaces", keyholder), ("engines", launching)]))
}

/// What a daemon begins with.
#[derive(Default)]
pub struct Beginning {
    /// What starts processes for drivers' code.
    pub launcher: Option<Arc<Launcher>>,
    /// The way to etcd.
    pub cluster: Option<Arc<Access>>,
    /// Sockets that are there already, the admin socket among them: clients that come early wait instead of failing, and two daemons never
    /// start side by side.
    pub sockets: Inherited,
    /// What holds the host's ports.
    pub ports: HeldPorts,
    /// The daemon that this one replaces.
    pub predecessor: Option<Predecessor>,
}

/// Serves until `shutdown` is ready, then lets requests in flight finish; or until another daemon has taken over. Networks stay.
///
/// Sockets are served only when the controller has put everything in order.
pub async fn run(config: &Config, beginning: Beginning, shutdown: impl Future<Output = ()>) -> Result<()> {
    let Beginning { launcher, cluster, sockets, ports, mut predecessor } = beginning;
    let sockets = Arc::new(sockets);
    tokio::pin!(shutdown);
    loop {
        // Before the folder is read: what changes after that is told.
        let mut watcher = folder::watch(&config.drivers);
        let started = tokio::select! {
            started = start(config, launcher.clone(), cluster.clone(), &ports) => started?,
            // What was begun is as after a kill: the next start puts it in order.
            () = &mut shutdown => return Ok(()),
        };
        let mut controller = Some(started);
        while let Some(serving) = controller.take() {
            let replaces = predecessor.take();
            let Some(successor) = serve(config, &serving, &sockets, replaces, &mut watcher, &mut shutdown).await?
            else {
                return Ok(());
            };
            let given = tokio::select! {
                given = hand_over(serving, successor, &config.state, &sockets, &ports) => given,
                // A successor that has all by now goes on with it.
                () = &mut shutdown => {
                    sockets.disown();
                    return Ok(());
                }
            };
            controller = match given {
                Given::All(process) => {
                    notify_of_successor(process);
                    return Ok(());
                }
                Given::Nothing(controller) => Some(controller),
                Given::Back => None,
            };
        }
    }
}

/// Serves until `shutdown` is ready; or until somebody is ready to take over: then all sockets are kept, and nobody is served.
async fn serve(
    config: &Config,
    controller: &Controller,
    sockets: &Arc<Inherited>,
    predecessor: Option<Predecessor>,
    watcher: &mut Option<Watcher>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<Successor>> {
    controller.may_be_waited_for(true);
    let (listening, door) = (sockets.take_or_bind(&config.socket)?.listen()?, Door::open(sockets, &config.run)?);
    let plugins = Plugins::new(controller.clone(), config.plugins.clone(), config.docker.clone(), sockets.clone());
    plugins.publish_all().await?;
    if let Some(predecessor) = predecessor {
        predecessor.leave(sockets);
    }
    notify(&[NotifyState::Ready]);
    tracing::info!(socket = %config.socket.display(), "ready");
    let (mut asked_to_stop, mut successor) = (Instant::now(), None);
    let stopping = async {
        let after = tokio::select! {
            () = shutdown => {
                tracing::info!("stopping");
                notify(&[NotifyState::Stopping]);
                After::Close
            }
            ready = door.successor(controller, &config.state) => {
                successor = Some(ready);
                After::Keep
            }
        };
        controller.may_be_waited_for(false);
        asked_to_stop = Instant::now();
        after
    };
    let router = admin::router(controller.clone(), plugins.clone(), config.clone());
    let kept = tokio::select! {
        kept = http::serve(listening, router, stopping) => kept,
        // For ever.
        () = controller.tell_again() => None,
        () = controller.follow_cluster() => None,
        () = folder::follow(controller, &plugins, &config.drivers, watcher) => None,
    };
    if let Some(kept) = kept {
        sockets.keep(&config.socket, kept.pause()?);
        door.keep(sockets)?;
        plugins.pause().await;
        return Ok(successor);
    }
    let left = SHUTDOWN_GRACE.saturating_sub(asked_to_stop.elapsed());
    if tokio::time::timeout(left, plugins.close()).await.is_err() {
        tracing::warn!("dockerd's requests in flight did not finish in time");
    }
    stop(controller, SHUTDOWN_GRACE.saturating_sub(asked_to_stop.elapsed())).await;
    Ok(None)
}

/// Puts store and kernel in order and loads the drivers.
async fn start(
    config: &Config,
    launcher: Option<Arc<Launcher>>,
    cluster: Option<Arc<Access>>,
    ports: &HeldPorts,
) -> Result<Controller> {
    let place = Place::new(config.state.clone(), config.run.clone(), Host::Own);
    let place = Place { launcher, cluster, signatures: config.signatures.clone(), ports: ports.clone(), ..place };
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
fn start_log(config: &Config) -> Result<()> {
    let lines = tracing_subscriber::fmt::layer().compact().with_writer(|| Bounded(io::stderr())).with_ansi(false);
    let started = tracing_subscriber::registry().with(lines).with(config.filter()?).try_init();
    started.map_err(|e| Error::internal(format!("can't log: {e}")))
}

/// Tells systemd that another process is the service from now on. It hears that from this one, which is the service until then, and whose end
/// would be the service's otherwise.
fn notify_of_successor(process: Option<u32>) {
    if let Some(process) = process {
        notify(&[NotifyState::MainPid(process)]);
    }
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
    use crate::frontend::http::socket::Bound;

    #[tokio::test]
    async fn a_daemon_runs_and_cleans_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        let written =
            Written { state: path("state"), run: path("run"), plugins: path("plugins"), ..Written::default() };
        let config = Config::meaning(Written { drivers: path("drivers"), ..written }).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (serving, beginning) = (config.clone(), Beginning::default());
        beginning.sockets.keep(&config.socket, Bound::bind(&config.socket).unwrap());
        let daemon = tokio::spawn(async move { run(&serving, beginning, async { drop(stopped.await) }).await });
        assert!(Bound::bind(&config.socket).is_err_and(|second| second.message.contains("listens on")));
        stop.send(()).unwrap();
        daemon.await.unwrap().unwrap();
        assert!(!config.socket.exists());
        run(&config, Beginning::default(), std::future::ready(())).await.unwrap();
    }
}
