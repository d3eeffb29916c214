//! How much there is, and how it stands with the cluster, in numbers: for whoever draws curves of it.

use super::Inner;
use words::Result;

/// Numbers of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its drivers.
    pub drivers: usize,
    /// Its networks.
    pub networks: usize,
    /// Its endpoints.
    pub endpoints: usize,
    /// Of the cluster; none: it is no node of one.
    pub cluster: Option<MeasuredCluster>,
}

/// Numbers of the cluster, as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredCluster {
    /// Nothing is wrong with etcd.
    pub healthy: bool,
    /// How often something began to be wrong, since the daemon started.
    pub faults: u64,
    /// The revision of etcd up to which all changes are known.
    pub revision: i64,
    /// Revisions of etcd behind which this node is; none: etcd does not answer.
    pub lag: Option<u64>,
    /// The nodes that are there.
    pub nodes: usize,
    /// All nodes' endpoints.
    pub endpoints: usize,
    /// All nodes' entries in tables.
    pub entries: usize,
}

impl Inner {
    /// Counts.
    pub(super) fn measure(&self) -> Result<Measured> {
        let cluster = self.cluster.as_deref().map(|cluster| {
            let (lag, health) = (cluster.lag(), cluster.health());
            let nodes = self.nodes(lag).unwrap_or_default();
            MeasuredCluster {
                healthy: health.fault.is_none() && health.joined && health.followed,
                faults: health.faults,
                revision: health.revision,
                lag,
                nodes: nodes.iter().filter(|node| node.address.is_some()).count(),
                endpoints: nodes.iter().map(|node| node.endpoints).sum(),
                entries: nodes.iter().map(|node| node.entries).sum(),
            }
        });
        Ok(Measured {
            drivers: self.drivers()?.len(),
            networks: self.store.networks()?.len(),
            endpoints: self.store.endpoints(None)?.len(),
            cluster,
        })
    }
}
