//! Some keys of a network, brought together with what this host has.

use std::collections::BTreeSet;

use super::super::Inner;
use crate::capability::tables::check_key;
use crate::cluster::{Cluster, Kept, Key, OPS, Outcome, SharedEndpoint, Wanted, Which, owned, owner};
use grant::check_table;
use store::{Batch, Durability, ELSEWHERE, Network, OWN, Write};
use words::{Error, Id, Name, Result};

/// Changes of others that are taken in one turn: then whoever waits for the network has it, and the rest comes after.
const AT_ONCE: usize = 500;

/// Bytes of an entry's value.
const VALUE: usize = crate::capability::store::VALUE;

/// What is to be done for a key.
#[derive(Default)]
struct Difference {
    /// Here: another node's change.
    here: Vec<Write>,
    /// There: this node's.
    there: Vec<Wanted>,
}

impl Inner {
    /// Compares, in the network's turn. An error: etcd did not take what is this node's; all else is done.
    pub(super) fn compare(&self, network: &Id, which: Which) -> Result<()> {
        let cluster = self.cluster()?;
        let Some(network) = self.store.network(network)?.filter(|network| network.global) else { return Ok(()) };
        let keys = match which {
            Which::These(keys) => keys,
            Which::All => self.all_keys(cluster, &network)?,
        };
        if !cluster.mirror().is_known() {
            return Ok(());
        }
        let (mut difference, mut rest) = (Difference::default(), BTreeSet::new());
        for key in keys {
            if difference.here.len() < AT_ONCE {
                self.differs(cluster, &network, &key, &mut difference)?;
            } else {
                rest.insert(key);
            }
        }
        if !rest.is_empty() {
            cluster.mark(network.id.as_str(), Which::These(rest));
        }
        if !difference.here.is_empty() {
            let writes = difference.here;
            self.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
            self.tell(&network.id);
        }
        difference.there.chunks(OPS).try_for_each(|wanted| put(cluster, &network, wanted))
    }

    /// The keys that are there or here.
    fn all_keys(&self, cluster: &Cluster, network: &Network) -> Result<BTreeSet<String>> {
        let (keys, id) = (cluster.keys(), network.id.as_str());
        let mut all = BTreeSet::new();
        for entry in self.store.entries(&network.id, None)?.0 {
            all.insert(keys.of(&Key::Entry { network: id, table: &entry.table, key: &entry.key }));
        }
        for endpoint in self.store.endpoints(Some(&network.id))? {
            all.insert(keys.of(&Key::Endpoint { network: id, endpoint: endpoint.id.as_str() }));
        }
        for lease in self.store.leases(&network.id)? {
            all.insert(keys.of(&Key::Address { network: id, address: lease.address }));
        }
        let below = keys.of_network(id);
        all.extend(cluster.mirror().below(&below).map(|(key, _)| key.to_owned()));
        Ok(all)
    }

    /// What is to be done for one key.
    fn differs(&self, cluster: &Cluster, network: &Network, text: &str, found: &mut Difference) -> Result<()> {
        let Some(key) = cluster.keys().parse(text) else { return Ok(()) };
        let there = cluster.mirror().get(text).cloned();
        let lease = cluster.lease();
        let wanted = self.wanted_of(cluster, network, &key)?;
        let whose = there.as_ref().and_then(|kept| owner(&kept.value)).map(|(node, bytes)| (node, bytes.to_vec()));
        match (whose, wanted) {
            (Some((node, _)), Some(_)) if node != cluster.node().as_str() => {
                tracing::warn!(network = %network.name, "{text} is this node's and the node {node}'s: that one's stands in the cluster");
            }
            (Some((node, bytes)), None) if node != cluster.node().as_str() => {
                found.here.extend(self.of_other(network, &key, Some((node, bytes)))?);
            }
            (_, Some(wanted)) => {
                if !is_as(there.as_ref(), &wanted, lease) {
                    found.there.push(Wanted { key: text.to_owned(), ..wanted });
                }
            }
            (Some(_), None) => {
                found.there.push(Wanted { key: text.to_owned(), value: None, leased: false });
                found.here.extend(self.of_other(network, &key, None)?);
            }
            (None, None) => found.here.extend(self.of_other(network, &key, None)?),
        }
        Ok(())
    }

    /// What this host has for a key, as it is to be there.
    fn wanted_of(&self, cluster: &Cluster, network: &Network, key: &Key<'_>) -> Result<Option<Wanted>> {
        let (bytes, leased) = match key {
            Key::Entry { table, key, .. } => match self.store.entry(&network.id, table, key)? {
                Some((entry, _)) if entry.owner == OWN => (entry.value, true),
                _ => return Ok(None),
            },
            Key::Endpoint { endpoint, .. } => {
                let Ok(id) = Id::new(endpoint) else { return Ok(None) };
                match self.store.endpoint(&network.id, &id)? {
                    Some(endpoint) => (shared_endpoint(&endpoint.name)?, false),
                    None => return Ok(None),
                }
            }
            Key::Address { address, .. } => match self.store.owner_of_address(&network.id, *address)? {
                Some(owner) if !owner.starts_with(ELSEWHERE) => (owner.into_bytes(), false),
                _ => return Ok(None),
            },
            Key::Node(_) | Key::Drained(_) | Key::Network(_) | Key::Name(_) => return Ok(None),
        };
        let value = Some(owned(cluster.node().as_str(), &bytes));
        Ok(Some(Wanted { key: String::new(), value, leased }))
    }

    /// What another node's change is here.
    fn of_other(&self, network: &Network, key: &Key<'_>, there: Option<(&str, Vec<u8>)>) -> Result<Option<Write>> {
        let id = || network.id.clone();
        match *key {
            Key::Entry { table, key, .. } => {
                let here = self.store.entry(&network.id, table, key)?.map(|(entry, _)| (entry.owner, entry.value));
                let there = there.map(|(node, value)| (format!("{ELSEWHERE}{node}"), value));
                if here == there
                    || here.as_ref().is_some_and(|(owner, _)| there.is_none() && !owner.starts_with(ELSEWHERE))
                {
                    return Ok(None);
                }
                let (table, key) = (table.to_owned(), key.to_owned());
                match there {
                    None => Ok(Some(Write::RemoveEntry { network: id(), table, key })),
                    Some((owner, value)) => {
                        if let Err(why) = usable(&table, &key, &owner, &value) {
                            tracing::warn!(network = %network.name, "an entry of {owner} is left out: {why}");
                            return Ok(None);
                        }
                        Ok(Some(Write::PutEntry { network: id(), table, key, owner, endpoint: None, value }))
                    }
                }
            }
            Key::Address { address, .. } => {
                let here = self.store.owner_of_address(&network.id, address)?;
                let there = there.map(|(node, _)| node);
                let same = here.as_deref().and_then(|owner| owner.strip_prefix(ELSEWHERE)) == there;
                let node = there.map(Name::new).transpose().unwrap_or_default();
                Ok((!same).then(|| Write::SetElsewhere { network: id(), address, node }))
            }
            Key::Endpoint { .. } | Key::Node(_) | Key::Drained(_) | Key::Network(_) | Key::Name(_) => Ok(None),
        }
    }
}

/// An endpoint's value.
pub(super) fn shared_endpoint(name: &Name) -> Result<Vec<u8>> {
    let shared = SharedEndpoint { name: name.clone() };
    serde_json::to_vec(&shared).map_err(|e| Error::internal(format!("an endpoint as JSON: {e}")))
}

/// Whether a key is as this node wants it.
fn is_as(there: Option<&Kept>, wanted: &Wanted, lease: Option<i64>) -> bool {
    there.is_some_and(|kept| {
        wanted.value.as_deref() == Some(&kept.value) && (!wanted.leased || Some(kept.lease) == lease)
    })
}

/// Another node's word is checked as a driver's is.
fn usable(table: &str, key: &str, owner: &str, value: &[u8]) -> Result<()> {
    check_table(table)?;
    check_key(key).map_err(Error::from)?;
    Name::new(owner.strip_prefix(ELSEWHERE).unwrap_or_default())?;
    if value.len() > VALUE {
        return Err(Error::invalid(format!("its value has {} bytes, and {VALUE} are the most", value.len())));
    }
    Ok(())
}

/// All of them in one transaction; where another node has one of them, each by itself.
fn put(cluster: &Cluster, network: &Network, wanted: &[Wanted]) -> Result<()> {
    match cluster.write(network.id.as_str(), wanted)? {
        Outcome::Done => {}
        Outcome::Gone => cluster.mark_networks(),
        Outcome::Taken { .. } if wanted.len() > 1 => {
            return wanted.chunks(1).try_for_each(|one| put(cluster, network, one));
        }
        Outcome::Taken { key, node } => {
            tracing::warn!(network = %network.name, "{key} is the node {node}'s: this node's does not come into the cluster");
        }
    }
    Ok(())
}
