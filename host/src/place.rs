//! Where a Pontoon is: its folders, its host, and what its calls may take.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cluster::Access;
use crate::launcher::Launcher;
use grant::Needed;
use kernel::{Fake, HostPort};
use words::limit::DEADLINE;

/// This program, from its file, also when an upgrade has replaced it on disk: what it starts or has compiled must fit what runs here.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Where a controller works.
#[derive(Clone, Debug)]
pub struct Place {
    /// The state folder.
    pub state: PathBuf,
    /// The run folder: namespaces that drivers make are bound there.
    pub run: PathBuf,
    /// The program whose hidden subcommand compiles components.
    pub compiler: PathBuf,
    /// A folder of the user's for compiled code, which all of their commands use; none: it is in the state folder.
    pub compiled: Option<PathBuf>,
    /// What starts processes for drivers' code; none: it runs in this one, as an author's tests do.
    pub launcher: Option<Arc<Launcher>>,
    /// The network namespace to work in.
    pub host: Host,
    /// How long a driver's call may take.
    pub deadline: Duration,
    /// Where it is noted what drivers need beyond their grants, and then they have it: for an author's tests.
    pub needed: Option<Needed>,
    /// The policy that says which keys may sign which drivers; none: drivers need no signature.
    pub signatures: Option<PathBuf>,
    /// The way to etcd; none: this host is no node of a cluster.
    pub cluster: Option<Arc<Access>>,
    /// What holds the ports of the daemon before this one, if they were handed over.
    pub ports: HeldPorts,
}

/// Ports of the host, each with the socket that holds it, until somebody takes them.
pub type HeldPorts = Arc<Mutex<Vec<(HostPort, OwnedFd)>>>;

impl Place {
    /// One whose components this program compiles.
    pub fn new(state: PathBuf, run: PathBuf, host: Host) -> Self {
        let (compiler, compiled, launcher, needed) = (THIS_PROGRAM.into(), None, None, None);
        let (signatures, cluster, ports) = (None, None, HeldPorts::default());
        Self { state, run, compiler, compiled, launcher, host, deadline: DEADLINE, needed, signatures, cluster, ports }
    }
}

/// Where a controller's host is, and of which kernel.
#[derive(Clone, Debug)]
pub enum Host {
    /// The process's own network namespace.
    Own,
    /// The one at a path.
    At(PathBuf),
    /// In memory: nothing is asked of this machine, and its sandboxes are named by the paths that were given to it.
    Fake(Fake),
}
