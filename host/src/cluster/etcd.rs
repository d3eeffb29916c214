//! Requests to etcd, by its gateway for JSON: the client for HTTP is in the program already. It blocks: call it on a thread of one's own.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, BodyReader};

use super::access::Access;
use super::fault::Fault;
use super::message::{Compare, Done, Kv, Lease, Op, Range, Streamed, Watched, end_of, text, transaction};

/// How long a member may take to be reached, and how long for an answer.
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(4);

/// How long a watch may be silent before it is begun again at the member that answers now: one that is cut off says nothing.
pub const SILENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer, or of a watch's message.
const BYTES: u64 = 64 << 20;

/// Keys of an answer: each has a value of 64 KiB at most.
const PAGE: u32 = 250;

/// All members of one etcd.
#[derive(Debug)]
pub struct Etcd {
    access: Arc<Access>,
    asks: Agent,
    /// For what keeps the lease: another member is to be asked before it ends.
    keeps: Agent,
    watches: Agent,
    /// The member that answered last.
    member: AtomicUsize,
    token: Mutex<Option<String>>,
    /// How far the clock of the member that answered last is before this host's, in seconds; `i64::MIN`: it did not say.
    clock: AtomicI64,
}

/// A watch.
pub struct Stream {
    endpoint: String,
    lines: BufReader<BodyReader<'static>>,
}

/// Why a watch has no next message.
#[derive(Debug)]
pub enum Ended {
    /// It was silent.
    Silent,
    /// It is over.
    Fault(Fault),
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

impl Etcd {
    /// Nobody is asked yet.
    pub fn new(access: Arc<Access>) -> Self {
        let agent = |whole: Option<Duration>, read: Option<Duration>| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .max_redirects(0)
                .timeout_connect(Some(CONNECT))
                .timeout_recv_response(Some(ANSWER))
                .timeout_global(whole)
                .timeout_per_read(read)
                .user_agent(concat!("pontoon/", env!("CARGO_PKG_VERSION")));
            let config = match &access.tls {
                Some(tls) => config.tls_config(tls.clone()),
                None => config,
            };
            Agent::with_parts(config.build(), DefaultConnector::default(), access.names.clone())
        };
        let (asks, watches) = (agent(Some(ANSWER), None), agent(None, Some(SILENCE)));
        let third = Duration::from_secs(u64::from(access.settings.ttl)) / 3;
        let keeps = agent(Some(third.clamp(CONNECT, ANSWER)), None);
        Self {
            asks,
            keeps,
            watches,
            member: AtomicUsize::new(first_member(access.settings.node.as_str(), access.endpoints.len())),
            token: Mutex::default(),
            clock: AtomicI64::new(i64::MIN),
            access,
        }
    }

    /// The member that is asked now.
    pub fn endpoint(&self) -> &str {
        let all = &self.access.endpoints;
        &all[self.member.load(Ordering::Relaxed) % all.len()]
    }

    /// How far the clock of the member that answered last is before this host's, in seconds; none: it did not say.
    pub fn clock(&self) -> Option<i64> {
        Some(self.clock.load(Ordering::Relaxed)).filter(|seconds| *seconds != i64::MIN)
    }

    /// All keys that begin so, as they are at one revision: a page at a time is given to `take`, until it answers false.
    pub fn read_all(&self, prefix: &str, mut take: impl FnMut(Vec<Kv>) -> bool) -> Result<(i64, String), Fault> {
        let (mut from, end, mut at) = (prefix.as_bytes().to_vec(), end_of(prefix), None);
        loop {
            let mut body = json!({ "key": text(&from), "range_end": text(&end), "limit": PAGE.to_string() });
            if let Some((revision, _)) = &at {
                body["revision"] = Value::from(i64::to_string(revision));
            }
            let range: Range = self.ask("kv/range", &body)?;
            let at = at.get_or_insert((range.header.revision, range.header.cluster_id.clone()));
            let more = range.more;
            let kvs = range.kvs().map_err(|e| Fault::Other(e.message))?;
            if let Some(last) = kvs.last() {
                from = [last.key.as_bytes(), b"\0"].concat();
            }
            let empty = kvs.is_empty();
            if !take(kvs) || !more || empty {
                return Ok(at.clone());
            }
        }
    }

    /// A transaction. Asked again it must come to the same: an answer may be lost.
    pub fn transaction(&self, compare: &[Compare], success: &[Op], failure: &[Op]) -> Result<Done, Fault> {
        let (answer, was_lost) = self.any_member(&self.asks, "kv/txn", &transaction(compare, success, failure))?;
        let mut done: Done = self.parsed(answer)?;
        done.was_lost = was_lost;
        Ok(done)
    }

    /// A key; none: it is not there.
    pub fn get(&self, key: &str) -> Result<Option<Kv>, Fault> {
        let range: Range = self.ask("kv/range", &json!({ "key": text(key) }))?;
        Ok(range.kvs().map_err(|e| Fault::Other(e.message))?.into_iter().next())
    }

    /// The revision that is now, asked for with any key: of one member, because somebody waits for it.
    pub fn revision(&self, key: &str) -> Result<i64, Fault> {
        let asked = json!({ "key": text(key), "count_only": true });
        let range: Range = self.parsed(self.authenticated(&self.keeps, "kv/range", &asked)?)?;
        Ok(range.header.revision)
    }

    /// A lease of so many seconds.
    pub fn grant(&self, seconds: u32) -> Result<i64, Fault> {
        let lease: Lease = self.ask("lease/grant", &json!({ "TTL": seconds.to_string() }))?;
        Ok(lease.id)
    }

    /// Makes a lease begin anew. Answers the seconds that it lasts; 0: it has ended.
    pub fn keep_alive(&self, lease: i64) -> Result<i64, Fault> {
        let asked = json!({ "ID": lease.to_string() });
        let streamed: Streamed<Lease> = self.ask_by(&self.keeps, "lease/keepalive", &asked)?;
        match streamed {
            Streamed { result: Some(lease), .. } => Ok(lease.ttl),
            Streamed { error, .. } => Err(Fault::ended(self.endpoint(), &error.unwrap_or_default())),
        }
    }

    /// All changes of keys that begin so, from a revision on.
    pub fn watch(&self, prefix: &str, from: i64) -> Result<Stream, Fault> {
        let create = json!({ "key": text(prefix), "range_end": text(end_of(prefix)), "start_revision": from.to_string(), "progress_notify": true });
        let endpoint = self.endpoint().to_owned();
        let (answer, _) = self.any_member(&self.watches, "watch", &json!({ "create_request": create }))?;
        Ok(Stream { endpoint, lines: BufReader::new(answer.into_body().into_reader()) })
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Fault> {
        self.ask_by(&self.asks, path, body)
    }

    fn ask_by<T: DeserializeOwned>(&self, agent: &Agent, path: &str, body: &Value) -> Result<T, Fault> {
        self.parsed(self.any_member(agent, path, body)?.0)
    }

    fn parsed<T: DeserializeOwned>(&self, answer: Response<Body>) -> Result<T, Fault> {
        let bytes = read(answer.into_body()).map_err(|e| Fault::unreachable(self.endpoint(), &e))?;
        serde_json::from_slice(&bytes).map_err(|e| Fault::Other(super::message::unreadable(&e.to_string()).message))
    }

    /// Asks the members in turn until one answers, and says who asks where they want to know. Answers whether
    /// one was asked before that did not.
    fn any_member(&self, agent: &Agent, path: &str, body: &Value) -> Result<(Response<Body>, bool), Fault> {
        let mut fault = Fault::Away("no member was asked".into());
        // A single one is asked twice: it may have ended a connection that was kept.
        for turn in 0..self.access.endpoints.len().max(2) {
            let member = self.member.load(Ordering::Relaxed);
            fault = match self.authenticated(agent, path, body) {
                Err(fault) if fault.is_of_one_member() => fault,
                done => return Ok((done?, turn > 0)),
            };
            // Unless somebody else has gone on already.
            let next = member.wrapping_add(1);
            let _ = self.member.compare_exchange(member, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        Err(fault)
    }

    fn authenticated(&self, agent: &Agent, path: &str, body: &Value) -> Result<Response<Body>, Fault> {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (self.once(agent, path, body, known.as_deref()), &self.access.user) {
            (Err(Fault::Token | Fault::Credentials(_)), Some((name, password))) => {
                let asked = json!({ "name": name, "password": password });
                let answer = self.once(&self.asks, "auth/authenticate", &asked, None)?;
                let bytes = read(answer.into_body()).map_err(|e| Fault::unreachable(self.endpoint(), &e))?;
                let token: Token = serde_json::from_slice(&bytes).map_err(|e| Fault::Other(e.to_string()))?;
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.token.clone());
                self.once(agent, path, body, Some(&token.token))
            }
            (done, _) => done,
        }
    }

    fn once(&self, agent: &Agent, path: &str, body: &Value, token: Option<&str>) -> Result<Response<Body>, Fault> {
        let endpoint = self.endpoint();
        let mut request = agent.post(format!("{endpoint}/v3/{path}")).content_type("application/json");
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        let answer = request.send(body.to_string()).map_err(|e| Fault::unreachable(endpoint, &e))?;
        let said = answer.headers().get("date").and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        self.clock.store(said.map_or(i64::MIN, ahead), Ordering::Relaxed);
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => {
                let said = read(answer.into_body()).unwrap_or_default();
                Err(Fault::refused(endpoint, status, &said))
            }
        }
    }
}

/// The member that a node asks first: nodes of different names begin with different ones.
fn first_member(node: &str, members: usize) -> usize {
    node.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % members.max(1)
}

/// How far a clock that shows this is before this host's, in seconds.
fn ahead(shown: SystemTime) -> i64 {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    };
    seconds(shown).saturating_sub(seconds(SystemTime::now()))
}

impl Stream {
    /// The next message.
    pub fn next(&mut self) -> Result<Watched, Ended> {
        let mut line = Vec::new();
        match (&mut self.lines).take(BYTES).read_until(b'\n', &mut line) {
            Err(error) if is_silence(&error) => return Err(Ended::Silent),
            Err(error) => return Err(Ended::Fault(Fault::unreachable(&self.endpoint, &error))),
            Ok(_) if line.last() != Some(&b'\n') => {
                return Err(Ended::Fault(Fault::unreachable(&self.endpoint, &"the watch broke off")));
            }
            Ok(_) => {}
        }
        let streamed = serde_json::from_slice::<Streamed<Watched>>(&line);
        let streamed = streamed.map_err(|e| Ended::Fault(Fault::unreachable(&self.endpoint, &e)))?;
        match streamed {
            Streamed { result: Some(watched), .. } => Ok(watched),
            Streamed { error, .. } => Err(Ended::Fault(Fault::ended(&self.endpoint, &error.unwrap_or_default()))),
        }
    }
}

/// Nothing came for as long as a read may take.
fn is_silence(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
        || matches!(inner, Some(ureq::Error::Timeout(_)))
}

fn read(body: Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.into_reader().take(BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES {
        return Err(io::Error::other(format!("its answer has more than {BYTES} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_begin_with_different_members() {
        let names = (1..=30).map(|number| format!("host-{number}"));
        let mut begun = [0; 3];
        names.for_each(|name| begun[first_member(&name, 3)] += 1);
        assert!(begun.iter().all(|nodes| (5..=15).contains(nodes)), "{begun:?}");
        assert_eq!(first_member("a", 3), first_member("a", 3));
        assert_eq!(first_member("a", 1), 0);
    }
}
