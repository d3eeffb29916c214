//! How it stands with etcd, as the daemon sees it.

use crate::controller::Controller;
use operation::finding::Finding;

/// Looks at it; none: this host is no node of a cluster.
pub fn look(controller: &Controller) -> Option<Finding> {
    let health = controller.cluster_health()?;
    let stays = "networks of global scope stay as they are until then";
    Some(match health.fault {
        Some(fault) => Finding::problem("etcd", format!("{fault}; {stays}"), fault.advice()),
        None if !health.joined || !health.followed => {
            let found = format!("{} has not answered yet; {stays}", health.endpoint);
            Finding::warning("etcd", found, "look again in a moment")
        }
        None => {
            let (endpoint, revision) = (&health.endpoint, health.revision);
            Finding::ok("etcd", format!("{endpoint} answers, and all changes up to revision {revision} are known"))
        }
    })
}
