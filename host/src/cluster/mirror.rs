//! What etcd holds below the prefix, in memory: as it was at one revision, and as the watch changes it since.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::message::{Change, Kv};

/// Keys that are kept; 100,000 endpoints have a few hundred thousand.
pub const KEYS: usize = 2_000_000;

/// Bytes of keys and values that are kept.
pub const BYTES: usize = 1 << 30;

/// All keys.
#[derive(Debug, Default)]
pub struct Mirror {
    kept: BTreeMap<String, Kept>,
    bytes: usize,
    /// The newest revision that it has all changes of.
    pub revision: i64,
    /// The etcd that it is of.
    pub cluster: String,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// It.
    pub value: Arc<[u8]>,
    /// The revision that wrote it.
    pub modified: i64,
    /// The lease with which it ends; 0: none.
    pub lease: i64,
}

impl Mirror {
    /// What a key has.
    pub fn get(&self, key: &str) -> Option<&Kept> {
        self.kept.get(key)
    }

    /// The keys that begin with a prefix, in order.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Kept)> {
        let from = (Bound::Included(prefix.to_owned()), Bound::Unbounded);
        let all = self.kept.range(from).map(|(key, kept)| (key.as_str(), kept));
        all.take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// The key that was written last of those that are there, and when.
    pub fn newest(&self) -> Option<(String, i64)> {
        self.kept.iter().max_by_key(|(_, kept)| kept.modified).map(|(key, kept)| (key.clone(), kept.modified))
    }

    /// Whether there is more than is kept.
    pub fn is_full(&self) -> bool {
        self.kept.len() > KEYS || self.bytes > BYTES
    }

    /// Takes what was read whole. Answers the keys that changed meanwhile.
    pub fn replace(&mut self, all: Vec<Kv>, revision: i64, cluster: String) -> BTreeSet<String> {
        let before = std::mem::take(&mut self.kept);
        self.bytes = 0;
        for kv in all {
            self.put(kv);
        }
        (self.revision, self.cluster) = (revision, cluster);
        let differs = |key: &&String| before.get(*key) != self.kept.get(*key);
        before.keys().chain(self.kept.keys()).filter(differs).cloned().collect()
    }

    /// Takes one change. Answers whether it is one: what was known already is none.
    pub fn change(&mut self, change: Change) -> bool {
        match change {
            Change::Put(kv) => {
                if self.kept.get(&kv.key).is_some_and(|kept| kept.modified >= kv.modified) {
                    return false;
                }
                self.put(kv);
                true
            }
            Change::Delete { key, revision } => {
                if self.kept.get(&key).is_none_or(|kept| kept.modified > revision) {
                    return false;
                }
                self.remove(&key);
                true
            }
        }
    }

    fn put(&mut self, kv: Kv) {
        self.remove(&kv.key);
        self.bytes += kv.key.len() + kv.value.len();
        let kept = Kept { value: kv.value.into(), modified: kv.modified, lease: kv.lease };
        self.kept.insert(kv.key, kept);
    }

    fn remove(&mut self, key: &str) {
        if let Some(kept) = self.kept.remove(key) {
            self.bytes -= key.len() + kept.value.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(key: &str, value: &str, modified: i64) -> Kv {
        Kv { key: key.into(), value: value.into(), created: 1, modified, lease: 0 }
    }

    fn names(changed: &BTreeSet<String>) -> Vec<&str> {
        changed.iter().map(String::as_str).collect()
    }

    #[test]
    fn a_full_read_tells_what_differs() {
        let mut mirror = Mirror::default();
        let first = mirror.replace(vec![kv("a", "1", 1), kv("b", "1", 2), kv("c", "1", 3)], 3, "x".into());
        assert_eq!(names(&first), ["a", "b", "c"]);
        let second = mirror.replace(vec![kv("a", "1", 1), kv("b", "2", 5), kv("d", "1", 6)], 6, "x".into());
        assert_eq!(names(&second), ["b", "c", "d"]);
        assert_eq!((mirror.revision, mirror.bytes), (6, 6));
        assert_eq!(mirror.newest(), Some(("d".to_owned(), 6)));
        assert_eq!(mirror.below("b").map(|(key, _)| key).collect::<Vec<_>>(), ["b"]);
        assert_eq!(mirror.below("").count(), 3);
    }

    #[test]
    fn what_is_known_is_no_change() {
        let mut mirror = Mirror::default();
        mirror.replace(vec![kv("a", "1", 4)], 4, "x".into());
        assert!(!mirror.change(Change::Put(kv("a", "0", 3))), "older");
        assert!(!mirror.change(Change::Put(kv("a", "1", 4))), "the same");
        assert!(!mirror.change(Change::Delete { key: "a".into(), revision: 3 }));
        assert!(mirror.change(Change::Put(kv("a", "2", 5))));
        assert!(mirror.change(Change::Delete { key: "a".into(), revision: 6 }));
        assert!(!mirror.change(Change::Delete { key: "a".into(), revision: 6 }), "again");
        assert_eq!((mirror.bytes, mirror.is_full()), (0, false));
    }
}
