//! Networks of global scope in etcd: their names are unique there, and their pools never overlap. What a node has of them that is gone.

use super::Cluster;
use super::keys::{Key, owner};
use super::message::{Compare, Kv, Op};
use super::network::{SharedEndpoint, SharedNetwork};
use super::write::OPS;
use words::{Error, Name, Result, now};

/// What came of making a network.
#[derive(Debug)]
pub enum Created {
    /// It is there.
    Done,
    /// Its name is this one's.
    Exists(Box<SharedNetwork>),
    /// Others were made since the networks were read: read them again.
    Newer,
}

/// What came of removing one.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, with all that it had.
    Done,
    /// It has endpoints: node and name of each.
    Busy(Vec<(String, String)>),
}

impl Cluster {
    /// All networks, as etcd has them now, and of which revision that is.
    pub fn networks(&self) -> Result<(Vec<SharedNetwork>, i64)> {
        let mut found = Vec::new();
        let take = |kvs: Vec<Kv>| {
            found.extend(kvs);
            true
        };
        let (revision, _) = self.shared.etcd.read_all(&self.shared.keys.networks(), take)?;
        Ok((found.iter().filter_map(|kv| read(&kv.key, &kv.value)).collect(), revision))
    }

    /// The networks, as far as they are known here.
    pub fn known_networks(&self) -> Vec<SharedNetwork> {
        let (mirror, prefix) = (self.mirror(), self.shared.keys.networks());
        mirror.below(&prefix).filter_map(|(key, kept)| read(key, &kept.value)).collect()
    }

    /// Makes a network, if none was made since this revision. Asked again it comes to the same.
    pub fn create_network(&self, network: &SharedNetwork, since: i64) -> Result<Created> {
        self.has_joined()?;
        let keys = &self.shared.keys;
        let key = keys.of(&Key::Network(network.name.as_str()));
        let must = [Compare::Absent(key.clone()), Compare::NoneSince(keys.networks(), since)];
        let done = self.shared.etcd.transaction(&must, &self.puts(network)?, &[Op::Get(key)])?;
        if done.succeeded {
            return Ok(Created::Done);
        }
        match done.found()?.into_iter().next().flatten() {
            None => Ok(Created::Newer),
            Some(kv) => match read(&kv.key, &kv.value) {
                Some(there) if there.id == network.id => Ok(Created::Done),
                Some(there) => Ok(Created::Exists(Box::new(there))),
                None => Err(Error::exists(format!("etcd has something under {} that is no network", kv.key))),
            },
        }
    }

    /// Puts a network again that an older copy of etcd does not know. Answers whether its name is its own.
    pub fn put_back(&self, network: &SharedNetwork) -> Result<bool> {
        self.has_joined()?;
        let key = self.shared.keys.of(&Key::Network(network.name.as_str()));
        let done =
            self.shared.etcd.transaction(&[Compare::Absent(key.clone())], &self.puts(network)?, &[Op::Get(key)])?;
        let there = if done.succeeded { None } else { done.found()?.into_iter().next().flatten() };
        Ok(there.is_none_or(|kv| read(&kv.key, &kv.value).is_some_and(|there| there.id == network.id)))
    }

    /// Removes a network that no node has endpoints on. Ok if it is gone.
    pub fn remove_network(&self, network: &SharedNetwork) -> Result<Removal> {
        self.has_joined()?;
        let keys = &self.shared.keys;
        let (id, key) = (network.id.as_str(), keys.of(&Key::Network(network.name.as_str())));
        let must = [Compare::There(keys.of(&Key::Name(id))), Compare::NoneBelow(keys.endpoints(id))];
        let ops = [Op::Delete(key), Op::DeleteBelow(keys.of_network(id))];
        let done = self.shared.etcd.transaction(&must, &ops, &[])?;
        if done.succeeded {
            return Ok(Removal::Done);
        }
        let mut found = Vec::new();
        let take = |kvs: Vec<Kv>| {
            found.extend(kvs);
            true
        };
        self.shared.etcd.read_all(&keys.endpoints(id), take)?;
        let named = found.iter().filter_map(|kv| {
            let (node, bytes) = owner(&kv.value)?;
            let endpoint = serde_json::from_slice::<SharedEndpoint>(bytes).ok();
            Some((node.to_owned(), endpoint.map_or_else(|| kv.key.clone(), |endpoint| endpoint.name.to_string())))
        });
        let busy: Vec<_> = named.collect();
        Ok(if busy.is_empty() { Removal::Done } else { Removal::Busy(busy) })
    }

    /// Takes away what a node has of all networks. Answers how many keys these were; none: the node is there.
    pub fn forget_node(&self, node: &Name) -> Result<Option<usize>> {
        self.has_joined()?;
        let (keys, mut own) = (&self.shared.keys, Vec::new());
        let take = |kvs: Vec<Kv>| {
            let of_node = |kv: &Kv| owner(&kv.value).is_some_and(|(whose, _)| whose == node.as_str());
            own.extend(kvs.into_iter().filter(of_node).map(|kv| (kv.key, kv.modified)));
            true
        };
        self.shared.etcd.read_all(&keys.of_networks(), take)?;
        let gone = Compare::Absent(keys.of(&Key::Node(node.as_str())));
        if let Some(drained) = self.mirror().get(&keys.of(&Key::Drained(node.as_str()))) {
            own.push((keys.of(&Key::Drained(node.as_str())), drained.modified));
        }
        // Also where it has none: whether it is there has to be known.
        for some in own.chunks(OPS).chain(own.is_empty().then_some(&[][..])) {
            let must = some.iter().map(|(key, modified)| Compare::Modified(key.clone(), *modified));
            let must: Vec<_> = must.chain([gone.clone()]).collect();
            let ops: Vec<_> = some.iter().map(|(key, _)| Op::Delete(key.clone())).collect();
            if !self.shared.etcd.transaction(&must, &ops, &[])?.succeeded {
                return Ok(None);
            }
        }
        Ok(Some(own.len()))
    }

    /// Whether a key is not there, as etcd has it now.
    pub fn is_absent(&self, key: &str) -> Result<bool> {
        Ok(self.shared.etcd.get(key)?.is_none())
    }

    /// A node takes new endpoints, or none, from now on.
    pub fn drain(&self, node: &Name, drained: bool) -> Result<()> {
        self.has_joined()?;
        let key = self.shared.keys.of(&Key::Drained(node.as_str()));
        let op = if drained { Op::Put(key, now().to_string().into_bytes(), 0) } else { Op::Delete(key) };
        self.shared.etcd.transaction(&[], &[op], &[])?;
        Ok(())
    }

    /// Whether a node takes no new endpoints, as far as that is known here.
    pub fn is_drained(&self, node: &Name) -> bool {
        self.mirror().get(&self.shared.keys.of(&Key::Drained(node.as_str()))).is_some()
    }

    fn puts(&self, network: &SharedNetwork) -> Result<[Op; 2]> {
        let keys = &self.shared.keys;
        let value = serde_json::to_vec(network).map_err(|e| Error::internal(format!("a network as JSON: {e}")))?;
        let (key, name) = (keys.of(&Key::Network(network.name.as_str())), keys.of(&Key::Name(network.id.as_str())));
        Ok([Op::Put(key, value, 0), Op::Put(name, network.name.to_string().into_bytes(), 0)])
    }
}

/// A network, where it is one.
fn read(key: &str, value: &[u8]) -> Option<SharedNetwork> {
    let read = serde_json::from_slice(value);
    read.inspect_err(|error| tracing::warn!("{key} of etcd is no network that this version knows: {error}")).ok()
}
