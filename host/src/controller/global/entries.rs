//! A call's entries, in the cluster before they are committed here.

use std::collections::BTreeSet;

use super::super::Inner;
use super::super::call::Call;
use crate::cluster::{Cluster, Key, Outcome, Wanted, Which, owned};
use crate::transaction::Transaction;
use store::Write;
use words::{Error, Result};

/// Keys that are compared when the call has ended, however it ends: what was put and not committed is taken back, what was removed goes there, too.
pub(in crate::controller) struct Published<'a> {
    cluster: &'a Cluster,
    network: String,
    keys: BTreeSet<String>,
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            self.cluster.mark(&self.network, Which::These(std::mem::take(&mut self.keys)));
        }
    }
}

impl Inner {
    /// Puts what a call adds into the cluster, in one transaction with what it removes; a call that only removes waits for nobody. An error:
    /// another node has one of the keys, or etcd does not answer; then the call is undone.
    pub(in crate::controller) fn publish(
        &self,
        call: &Call<'_>,
        transaction: &Transaction,
        writes: &[Write],
    ) -> Result<Option<Published<'_>>> {
        let Some((network, cluster)) = call.network.filter(|network| network.global).zip(self.cluster.as_deref())
        else {
            return Ok(None);
        };
        let (id, node) = (network.id.as_str(), cluster.node().as_str());
        let named = |table: &str, key: &str| cluster.keys().of(&Key::Entry { network: id, table, key });
        let changes = transaction.entries().iter().map(|((table, key), value)| Wanted {
            key: named(table, key),
            value: value.as_ref().map(|value| owned(node, value)),
            leased: true,
        });
        let changes: Vec<Wanted> = changes.collect();
        let mut keys: BTreeSet<String> = changes.iter().map(|wanted| wanted.key.clone()).collect();
        for write in writes {
            if let Write::RemoveEntries(of, endpoint) | Write::RemoveEndpoint(of, endpoint) = write {
                let gone = self.store.entries_of_endpoint(of, endpoint)?;
                keys.extend(gone.iter().map(|(table, key)| named(table, key)));
            }
        }
        let published = Published { cluster, network: id.to_owned(), keys };
        if changes.iter().any(|wanted| wanted.value.is_some()) {
            match cluster.write(id, &changes)? {
                Outcome::Done => {}
                Outcome::Taken { key, node } => {
                    let entry = match cluster.keys().parse(&key) {
                        Some(Key::Entry { table, key, .. }) => format!("the entry {key:?} of {table}"),
                        _ => key.clone(),
                    };
                    return Err(Error::exists(format!("{entry} belongs to the node {node}")));
                }
                Outcome::Gone => {
                    return Err(Error::not_found(format!("the network {} is gone from the cluster", network.name)));
                }
            }
        }
        Ok(Some(published))
    }
}
