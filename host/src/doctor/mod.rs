//! `pontoon doctor`: what stands between this machine and a working driver, a [`Finding`] each, with what to do about it.
//!
//! The daemon looks with its own rights, from its own namespaces; where none runs, the command line looks with what it has. Nothing is changed.
//!
//! - `drivers`: what is loaded; `plugins`: its sockets, as dockerd finds them
//! - `docker`: dockerd itself
//! - `network`: the host's firewall, bridge-nf, forwarding
//! - `kernel`: what the kernel can do, tried
//! - `cluster`: etcd, the way to the other nodes
//! - `state`: the state folder and the admin socket
//! - `process`: what the daemon and its helpers have given up
//! - `access`: who else can write to a path

mod access;
mod cluster;
mod docker;
mod drivers;
mod kernel;
mod network;
mod plugins;
mod process;
mod state;

use std::collections::BTreeSet;

use crate::config::Config;
use crate::controller::Controller;
use operation::finding::Finding;
use words::Name;

/// What helps against EACCES and EPERM.
pub const AS_ROOT: &str = "run `pontoon doctor` as root";

/// A daemon that looks at itself.
pub struct Daemon<'a> {
    /// What it works with.
    pub controller: &'a Controller,
    /// The drivers for which it serves a socket.
    pub published: BTreeSet<Name>,
}

/// Looks at everything. Without a daemon, what only that knows is left out.
pub async fn examine(config: &Config, daemon: Option<Daemon<'_>>) -> Vec<Finding> {
    let docker = docker::look(&config.docker, &config.plugins).await;
    let mut findings = Vec::new();
    let mut published = None;
    if let Some(daemon) = &daemon {
        let (found, expected) = drivers::look(daemon.controller, docker.present).await;
        findings.extend(found);
        published = Some(plugins::Published { expected, served: daemon.published.clone() });
    }
    findings.extend(plugins::look(&config.plugins, &published.unwrap_or_default(), &docker.managed).await);
    findings.extend(docker.findings);
    let (place, runs) = (config.clone(), daemon.is_some());
    let machine = tokio::task::spawn_blocking(move || {
        [network::look(), kernel::look(), state::look(&place, runs)].into_iter().flatten().collect::<Vec<_>>()
    });
    // A panic was reported by its thread.
    findings.extend(machine.await.unwrap_or_default());
    if let Some(daemon) = daemon {
        findings.extend(network::exceptions(daemon.controller).await);
        findings.extend(network::closed(daemon.controller).await);
        findings.extend(network::mtu(daemon.controller).await);
        findings.extend(cluster::look(daemon.controller).await);
        findings.extend(process::look());
        if daemon.controller.is_behind().unwrap_or_default() {
            let found = "its store is an older copy than the one that this machine's networks were made with, or another: what it does not know of stays";
            let advice =
                "stop the daemon and put the right copy back; or remove what nobody needs by `pontoon gc --orphans`";
            findings.push(Finding::warning("state folder", found, advice));
        }
    }
    findings
}

/// Whether an errno says that another user would be told more.
fn is_refused(errno: Option<i32>) -> bool {
    use rustix::io::Errno;
    errno.is_some_and(|errno| [Errno::ACCESS, Errno::PERM].iter().any(|refused| refused.raw_os_error() == errno))
}

/// What could not be looked at, and why.
fn unknown(check: impl Into<String>, why: impl std::fmt::Display, errno: Option<i32>) -> Finding {
    let advice = if is_refused(errno) { AS_ROOT } else { "find out why that can't be read" };
    Finding::unknown(check, why.to_string(), advice)
}
