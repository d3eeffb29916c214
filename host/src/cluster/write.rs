//! Writes of this node's own keys: what is another node's is never touched.

use super::fault::Fault;
use super::keys::{Key, owner};
use super::message::{Compare, Kv, Op};
use super::{Cluster, Kept};
use words::{Error, Kind, Result};

/// What a transaction of etcd's may do: 128 by default, and one more is compared here.
pub const OPS: usize = 120;

/// How often a transaction is tried whose keys somebody changes meanwhile.
const TRIES: usize = 8;

/// A key of this node's as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub key: String,
    /// What it has, with the owner; none: it is gone.
    pub value: Option<Vec<u8>>,
    /// It ends with the node's lease.
    pub leased: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is as wanted.
    Done,
    /// Nothing was written: this key is another node's.
    Taken {
        /// Which.
        key: String,
        /// Whose.
        node: String,
    },
    /// Nothing was written: there is no such network any more.
    Gone,
}

impl Cluster {
    /// Brings keys of a network to what is wanted, all or none, in one transaction. Asked again it comes to the same. At most [`OPS`].
    pub fn write(&self, network: &str, wanted: &[Wanted]) -> Result<Outcome> {
        if wanted.len() > OPS {
            let why = format!("{} changes at once; etcd takes {OPS} in a transaction", wanted.len());
            return Err(Error::invalid(why));
        }
        let lease = self.has_joined()?;
        let name = self.shared.keys.of(&Key::Name(network));
        let mut todo: Vec<(&Wanted, Compare)> = {
            let mirror = self.mirror();
            wanted.iter().map(|one| (one, guess(self.node().as_str(), one, mirror.get(&one.key)))).collect()
        };
        let mut was_lost = false;
        for _ in 0..TRIES {
            if todo.is_empty() {
                return Ok(Outcome::Done);
            }
            let puts = todo.iter().any(|(one, _)| one.value.is_some());
            let must = todo.iter().map(|(_, must)| must.clone()).chain(puts.then(|| Compare::There(name.clone())));
            let must: Vec<_> = must.collect();
            let ops: Vec<_> = todo.iter().map(|(one, _)| op(one, lease)).collect();
            let reads = todo.iter().map(|(one, _)| Op::Get(one.key.clone())).chain([Op::Get(name.clone())]);
            let reads: Vec<_> = reads.collect();
            let done = self.shared.etcd.transaction(&must, &ops, &reads).map_err(|fault| self.failed(fault, lease))?;
            if done.succeeded {
                return Ok(Outcome::Done);
            }
            was_lost |= done.was_lost;
            let mut found = done.found()?;
            if found.len() != todo.len() + 1 {
                return Err(Fault::Other("a transaction was answered with something else".into()).into());
            }
            if found.pop().flatten().is_none() && puts {
                return Ok(Outcome::Gone);
            }
            let mut next = Vec::new();
            for ((one, _), there) in todo.into_iter().zip(found) {
                match seen(self.node().as_str(), one, there, lease) {
                    Seen::Differs(must) => next.push((one, must)),
                    Seen::AsWanted => {}
                    // It may have been written, and have ended with this node's lease.
                    Seen::Taken(node) if was_lost => {
                        let why =
                            format!("a member of etcd did not answer, and {} is {node}'s now: try again", one.key);
                        return Err(Error::new(Kind::Unavailable, why));
                    }
                    Seen::Taken(node) => return Ok(Outcome::Taken { key: one.key.clone(), node }),
                }
            }
            todo = next;
        }
        Err(Error::new(Kind::Unavailable, format!("etcd's keys changed {TRIES} times meanwhile: try again")))
    }
}

/// How a key stands to what is wanted.
enum Seen {
    Differs(Compare),
    AsWanted,
    Taken(String),
}

fn seen(node: &str, one: &Wanted, there: Option<Kv>, lease: i64) -> Seen {
    let Some(kv) = there else {
        return if one.value.is_some() { Seen::Differs(Compare::Absent(one.key.clone())) } else { Seen::AsWanted };
    };
    match owner(&kv.value) {
        Some((whose, _)) if whose == node => {
            let is_kept = !one.leased || kv.lease == lease;
            if one.value.as_ref() == Some(&kv.value) && is_kept {
                Seen::AsWanted
            } else {
                Seen::Differs(Compare::Modified(one.key.clone(), kv.modified))
            }
        }
        _ if one.value.is_none() => Seen::AsWanted,
        Some((whose, _)) => Seen::Taken(whose.to_owned()),
        None => Seen::Taken("(nobody)".to_owned()),
    }
}

/// What probably holds.
fn guess(node: &str, one: &Wanted, there: Option<&Kept>) -> Compare {
    match there {
        Some(kept) if owner(&kept.value).is_some_and(|(whose, _)| whose == node) => {
            Compare::Modified(one.key.clone(), kept.modified)
        }
        _ => Compare::Absent(one.key.clone()),
    }
}

fn op(one: &Wanted, lease: i64) -> Op {
    match &one.value {
        Some(value) => Op::Put(one.key.clone(), value.clone(), if one.leased { lease } else { 0 }),
        None => Op::Delete(one.key.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use serde_json::json;

    use super::*;
    use crate::cluster::message::text;
    use crate::cluster::{Access, owned};

    /// A member of an etcd in which b has all keys. Who writes `lost` first is not answered.
    fn answer(mut stream: TcpStream, loses: &AtomicBool) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let path = line.split(' ').nth(1)?.to_owned();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).ok()?;
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let asks = |what: &[u8]| String::from_utf8_lossy(&body).contains(&text(what));
            let kv = |key: &str, value: &[u8]| json!({ "response_range": { "kvs": [{ "key": text(key), "value": text(value), "mod_revision": "3" }] } });
            let told = match path.as_str() {
                "/v3/lease/grant" => json!({ "ID": "7", "TTL": "60" }),
                "/v3/kv/txn" if asks(b"/p/node/a") => json!({ "succeeded": true }),
                "/v3/kv/txn" if asks(b"lost") && loses.swap(false, Ordering::Relaxed) => return None,
                "/v3/kv/txn" => json!({ "responses": [kv("k", &owned("b", b"v")), kv("n", b"n")] }),
                _ => json!({}),
            };
            let told = told.to_string();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{told}", told.len()).ok()?;
        }
    }

    fn member(loses: &Arc<AtomicBool>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let loses = loses.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let loses = loses.clone();
                std::thread::spawn(move || answer(stream, &loses));
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn what_may_have_been_written_is_not_called_taken() {
        let loses = Arc::new(AtomicBool::new(true));
        let settings = json!({ "endpoints": [member(&loses), member(&loses)], "prefix": "/p", "node": "a", "address": "192.0.2.1" });
        let settings = serde_json::from_value(settings).unwrap();
        let cluster = Cluster::start(Arc::new(Access::read(&settings).unwrap()), "i".into(), None).unwrap();
        let write =
            |key: &str| cluster.write("n", &[Wanted { key: key.into(), value: Some(owned("a", b"w")), leased: true }]);
        let taken = |key: &str| Outcome::Taken { key: key.into(), node: "b".into() };
        assert_eq!(write("k").unwrap(), taken("k"));
        let error = write("lost").unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.message.contains("did not answer, and lost is b's now"), "{error}");
        assert_eq!(write("lost").unwrap(), taken("lost"), "the other member is asked at once");
    }
}
