//! What is wrong with etcd, each in one line that says what to do.

use std::fmt;

use serde::Deserialize;

use super::message::StreamEnd;
use words::foreign::{MESSAGE_BYTES, printable};
use words::{Error, Kind};

/// gRPC's numbers.
const OUT_OF_RANGE: i64 = 11;
const UNAUTHENTICATED: i64 = 16;
const UNAVAILABLE: i64 = 14;
const DEADLINE: i64 = 4;
const PERMISSION: i64 = 7;

/// A request that was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody answers.
    Away(String),
    /// Whoever answers has no majority behind it, or is overloaded.
    NoMajority(String),
    /// The user or the password is wrong, or there has to be one.
    Credentials(String),
    /// What was said who asks is out of date: ask again.
    Token,
    /// The user may not do that.
    Denied(String),
    /// No space is left for writes.
    Full,
    /// The revision that was asked for is gone.
    Compacted,
    /// The lease has ended.
    NoLease,
    /// Another node has this one's name.
    Name(String),
    /// Anything else.
    Other(String),
}

/// What the gateway answers beside 200.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: i64,
}

impl Fault {
    /// No answer came.
    pub fn unreachable(endpoint: &str, error: &dyn fmt::Display) -> Self {
        Self::Away(clean(&format!("{endpoint}: {error}")))
    }

    /// An answer that is not 200.
    pub fn refused(endpoint: &str, status: u16, body: &[u8]) -> Self {
        let said: Said = serde_json::from_slice(body).unwrap_or_default();
        let text = if said.message.is_empty() { said.error } else { said.message };
        let text = if text.is_empty() { format!("it answers {status}") } else { text };
        Self::said(endpoint, said.code, &text)
    }

    /// The end of a stream.
    pub fn ended(endpoint: &str, end: &StreamEnd) -> Self {
        Self::said(endpoint, end.grpc_code, &end.message)
    }

    fn said(endpoint: &str, code: i64, text: &str) -> Self {
        let line = clean(&format!("{endpoint}: {text}"));
        let says = |part: &str| text.contains(part);
        match code {
            _ if says("invalid auth token") => Self::Token,
            _ if says("authentication failed") || says("user name is empty") || says("user name not found") => {
                Self::Credentials(line)
            }
            _ if says("database space exceeded") => Self::Full,
            _ if says("requested lease not found") => Self::NoLease,
            OUT_OF_RANGE if says("compacted") => Self::Compacted,
            UNAUTHENTICATED => Self::Credentials(line),
            PERMISSION => Self::Denied(line),
            UNAVAILABLE | DEADLINE => Self::NoMajority(line),
            _ => Self::Other(line),
        }
    }

    /// Whether another member may answer.
    pub fn is_of_one_member(&self) -> bool {
        matches!(self, Self::Away(_) | Self::NoMajority(_))
    }

    /// What to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Away(_) => "see that etcd runs, and that its port is open to this host",
            Self::NoMajority(_) => "start the members of etcd that are missing: more than half of them have to run",
            Self::Credentials(_) | Self::Token => {
                "set user and password-file in [cluster] to a user of etcd's, and start the daemon again"
            }
            Self::Denied(_) => "give the user of [cluster] the role to read and write below its prefix",
            Self::Full => "compact and defragment etcd, disarm its alarm (etcdctl alarm disarm), or raise its quota",
            Self::Name(_) => "give one of the two another name (node in [cluster])",
            Self::Compacted | Self::NoLease | Self::Other(_) => "look at etcd's log",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(line) => write!(f, "etcd can't be reached ({line})"),
            Self::NoMajority(line) => write!(f, "etcd has no majority of its members, or is too slow ({line})"),
            Self::Credentials(line) => write!(f, "etcd does not know this user ({line})"),
            Self::Token => write!(f, "etcd does not know this user any more"),
            Self::Denied(line) => write!(f, "etcd does not let this user do that ({line})"),
            Self::Full => write!(f, "etcd is full"),
            Self::Compacted => write!(f, "etcd has no such old revision any more"),
            Self::NoLease => write!(f, "this node was silent for too long, and is about to join again"),
            Self::Name(line) => f.write_str(line),
            Self::Other(line) => write!(f, "etcd refuses ({line})"),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::Other(_) => Kind::Internal,
            Fault::Denied(_) => Kind::Forbidden,
            _ => Kind::Unavailable,
        };
        Self::new(kind, format!("{fault}: {}", fault.advice()))
    }
}

/// Whether a fault was told already: another member's is no other one.
pub fn is_like(before: Option<&Fault>, now: &Fault) -> bool {
    before.is_some_and(|before| std::mem::discriminant(before) == std::mem::discriminant(now))
}

fn clean(text: &str) -> String {
    printable(text, MESSAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies as etcd 3.4.23 answers them.
    #[test]
    fn what_etcd_says_is_known() {
        let fault = |body: &str| Fault::refused("http://e:1", 503, body.as_bytes());
        let body = |text: &str, code: i64| format!(r#"{{"error":"{text}","message":"{text}","code":{code}}}"#);
        let known = [
            ("etcdserver: request timed out", 14, "no majority"),
            ("etcdserver: no leader", 14, "no majority"),
            ("etcdserver: mvcc: database space exceeded", 8, "is full"),
            ("etcdserver: requested lease not found", 5, "silent for too long"),
            ("etcdserver: authentication failed, invalid user ID or password", 3, "does not know this user"),
            ("etcdserver: user name is empty", 3, "does not know this user"),
            ("etcdserver: invalid auth token", 16, "any more"),
            ("etcdserver: permission denied", 7, "does not let this user"),
            ("etcdserver: mvcc: required revision has been compacted", 11, "no such old revision"),
            ("etcdserver: duplicate key given in txn request", 3, "refuses (http://e:1: etcdserver: duplicate"),
        ];
        for (text, code, expected) in known {
            let error = Error::from(fault(&body(text, code)));
            assert!(error.message.contains(expected) && !error.message.contains('\n'), "{text}: {error}");
        }
        assert_eq!(fault("<html>"), Fault::Other("http://e:1: it answers 503".into()));
        assert!(fault(&body("etcdserver: no leader", 14)).is_of_one_member());
    }
}
