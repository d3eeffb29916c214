//! What is said with etcd, as its gateway has it in JSON: keys and values in base64, numbers of 64 bits as text
//! (etcd's documentation, "gRPC gateway"; the fields are those of its `rpc.proto`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use words::{Error, Result};

/// A key with what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kv {
    /// The key: those of others that are no text are never asked for.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// The revision that made it.
    pub created: i64,
    /// The revision that wrote it last.
    pub modified: i64,
    /// The lease with which it ends; 0: none.
    pub lease: i64,
}

/// What a watch tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It has this value now.
    Put(Kv),
    /// It is gone.
    Delete {
        /// Which.
        key: String,
        /// Since when.
        revision: i64,
    },
}

/// What must hold for a transaction.
#[derive(Clone, Debug)]
pub enum Compare {
    /// There is no such key.
    Absent(String),
    /// There is.
    There(String),
    /// It was written last by this revision.
    Modified(String, i64),
    /// No key begins so.
    NoneBelow(String),
    /// No key that begins so was written after this revision.
    NoneSince(String, i64),
}

/// What a transaction does.
#[derive(Clone, Debug)]
pub enum Op {
    /// Puts a key, with a lease if it is not 0.
    Put(String, Vec<u8>, i64),
    /// Deletes one, if it is there.
    Delete(String),
    /// Deletes all that begin so.
    DeleteBelow(String),
    /// Reads one.
    Get(String),
}

/// The answer to a range.
#[derive(Debug, Default, Deserialize)]
pub struct Range {
    /// Of when it is.
    #[serde(default)]
    pub header: Header,
    #[serde(default)]
    kvs: Vec<RawKv>,
    /// There are more keys than were asked for.
    #[serde(default)]
    pub more: bool,
}

/// Where an answer comes from, and of when it is.
#[derive(Debug, Default, Deserialize)]
pub struct Header {
    /// The etcd.
    #[serde(default)]
    pub cluster_id: String,
    /// Its revision.
    #[serde(default, deserialize_with = "number")]
    pub revision: i64,
}

/// The answer to a transaction.
#[derive(Debug, Default, Deserialize)]
pub struct Done {
    /// All that had to hold held.
    #[serde(default)]
    pub succeeded: bool,
    #[serde(default)]
    responses: Vec<Response>,
    /// It was asked for before, and the answer was lost: it may have been done then.
    #[serde(skip)]
    pub was_lost: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Response {
    response_range: Option<Range>,
}

/// A lease.
#[derive(Debug, Default, Deserialize)]
pub struct Lease {
    /// Its id.
    #[serde(rename = "ID", default, deserialize_with = "number")]
    pub id: i64,
    /// Seconds that it lasts; 0: it has ended.
    #[serde(rename = "TTL", default, deserialize_with = "number")]
    pub ttl: i64,
}

/// One message of a stream.
#[derive(Debug, Deserialize)]
pub struct Streamed<T> {
    /// It.
    pub result: Option<T>,
    /// Why there are no more.
    pub error: Option<StreamEnd>,
}

/// Why a stream ended.
#[derive(Debug, Default, Deserialize)]
pub struct StreamEnd {
    /// gRPC's number.
    #[serde(default, alias = "code")]
    pub grpc_code: i64,
    /// In words.
    #[serde(default)]
    pub message: String,
}

/// What a watch says.
#[derive(Debug, Default, Deserialize)]
pub struct Watched {
    /// Of when it is.
    #[serde(default)]
    pub header: Header,
    /// It begins.
    #[serde(default)]
    pub created: bool,
    /// It ends.
    #[serde(default)]
    pub canceled: bool,
    /// Not 0: older revisions than this are gone.
    #[serde(default, deserialize_with = "number")]
    pub compact_revision: i64,
    /// Why it ends.
    #[serde(default)]
    pub cancel_reason: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type", default)]
    kind: String,
    kv: RawKv,
}

#[derive(Debug, Deserialize)]
struct RawKv {
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default, deserialize_with = "number")]
    create_revision: i64,
    #[serde(default, deserialize_with = "number")]
    mod_revision: i64,
    #[serde(default, deserialize_with = "number")]
    lease: i64,
}

/// A number, or one as text.
fn number<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

impl RawKv {
    fn read(self) -> Result<Kv> {
        Ok(Kv {
            key: self.key()?,
            value: STANDARD.decode(&self.value).map_err(|e| unreadable(&e.to_string()))?,
            created: self.create_revision,
            modified: self.mod_revision,
            lease: self.lease,
        })
    }

    fn key(&self) -> Result<String> {
        let key = STANDARD.decode(&self.key).map_err(|e| unreadable(&e.to_string()))?;
        String::from_utf8(key).map_err(|_| unreadable("a key below the prefix is no text"))
    }
}

/// What came is nothing that etcd says.
pub fn unreadable(why: &str) -> Error {
    Error::internal(format!("etcd answers what can't be read: {why}"))
}

impl Range {
    /// What it found.
    pub fn kvs(self) -> Result<Vec<Kv>> {
        self.kvs.into_iter().map(RawKv::read).collect()
    }
}

impl Done {
    /// What its reads found, in their order.
    pub fn found(self) -> Result<Vec<Option<Kv>>> {
        let ranges = self.responses.into_iter().filter_map(|response| response.response_range);
        ranges.map(|range| Ok(range.kvs()?.into_iter().next())).collect()
    }
}

impl Watched {
    /// What changed, in its order.
    pub fn changes(self) -> Result<Vec<Change>> {
        let read = |event: Event| match event.kind.as_str() {
            "DELETE" => Ok(Change::Delete { key: event.kv.key()?, revision: event.kv.mod_revision }),
            _ => event.kv.read().map(Change::Put),
        };
        self.events.into_iter().map(read).collect()
    }
}

/// Bytes as the gateway has them.
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The first key that does not begin so. (A prefix ends with a slash.)
pub fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

impl Compare {
    fn json(&self) -> Value {
        let one = |key: &str, target: &str, result: &str, field: &str, value: i64| json!({ "key": text(key), "target": target, "result": result, field: value.to_string() });
        let below = |prefix: &str, mut compare: Value| {
            compare["range_end"] = text(end_of(prefix)).into();
            compare
        };
        match self {
            Self::Absent(key) => one(key, "CREATE", "EQUAL", "create_revision", 0),
            Self::There(key) => one(key, "CREATE", "GREATER", "create_revision", 0),
            Self::Modified(key, revision) => one(key, "MOD", "EQUAL", "mod_revision", *revision),
            Self::NoneBelow(prefix) => below(prefix, one(prefix, "CREATE", "EQUAL", "create_revision", 0)),
            Self::NoneSince(prefix, revision) => {
                below(prefix, one(prefix, "MOD", "LESS", "mod_revision", revision + 1))
            }
        }
    }
}

impl Op {
    fn json(&self) -> Value {
        match self {
            Self::Put(key, value, lease) => {
                json!({ "request_put": { "key": text(key), "value": text(value), "lease": lease.to_string() } })
            }
            Self::Delete(key) => json!({ "request_delete_range": { "key": text(key) } }),
            Self::DeleteBelow(prefix) => {
                json!({ "request_delete_range": { "key": text(prefix), "range_end": text(end_of(prefix)) } })
            }
            Self::Get(key) => json!({ "request_range": { "key": text(key) } }),
        }
    }
}

/// A transaction: what must hold, what is done then, and what is read otherwise.
pub fn transaction(compare: &[Compare], success: &[Op], failure: &[Op]) -> Value {
    let ops = |ops: &[Op]| ops.iter().map(Op::json).collect::<Vec<_>>();
    json!({
        "compare": compare.iter().map(Compare::json).collect::<Vec<_>>(),
        "success": ops(success),
        "failure": ops(failure),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of etcd 3.4.23, as `curl http://127.0.0.1:2379/v3/…` shows them.
    #[test]
    fn what_etcd_answers_is_read() {
        let range = r#"{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"3","raft_term":"2"},"kvs":[{"key":"L3AvYQ==","create_revision":"2","mod_revision":"3","version":"2","value":"YQox","lease":"7587890130853413892"}],"count":"1"}"#;
        let range: Range = serde_json::from_str(range).unwrap();
        assert_eq!((range.header.revision, range.more), (3, false));
        let lease = 7_587_890_130_853_413_892;
        let kv = Kv { key: "/p/a".into(), value: b"a\n1".to_vec(), created: 2, modified: 3, lease };
        assert_eq!(range.kvs().unwrap(), std::slice::from_ref(&kv));
        let watched = r#"{"result":{"header":{"cluster_id":"1","revision":"4"},"events":[{"kv":{"key":"L3AvYQ==","create_revision":"2","mod_revision":"3","version":"2","value":"YQox","lease":"7587890130853413892"}},{"type":"DELETE","kv":{"key":"L3AvYQ==","mod_revision":"4"}}]}}"#;
        let watched: Streamed<Watched> = serde_json::from_str(watched).unwrap();
        let changes = watched.result.unwrap().changes().unwrap();
        assert_eq!(changes, [Change::Put(kv), Change::Delete { key: "/p/a".into(), revision: 4 }]);
        let done: Done = serde_json::from_str(r#"{"header":{"revision":"4"},"responses":[{"response_range":{"header":{"revision":"4"}}},{"response_range":{"kvs":[{"key":"YQ=="}]}}]}"#).unwrap();
        let found: Vec<_> = done.found().unwrap().into_iter().map(|kv| kv.map(|kv| kv.key)).collect();
        assert_eq!(found, [None, Some("a".to_owned())]);
        let lease: Lease = serde_json::from_str(r#"{"ID":"7587890130853413892","TTL":"5"}"#).unwrap();
        assert_eq!((lease.id, lease.ttl), (7_587_890_130_853_413_892, 5));
        assert!(serde_json::from_str::<Range>(r#"{"kvs":[{"key":"%"}]}"#).unwrap().kvs().is_err());
    }

    #[test]
    fn a_prefix_ends_before_its_end() {
        assert_eq!(end_of("/p/"), b"/p0");
    }
}
