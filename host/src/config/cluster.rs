//! `[cluster]`: the etcd that hosts share, and which of its nodes this host is.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use words::{Error, Name, Result};

/// Members of one etcd.
const ENDPOINTS: usize = 16;

/// Bytes of a prefix.
const PREFIX: usize = 100;

/// Seconds of a lease: etcd renews none that is shorter in time, and none that is longer is of use.
const TTL: std::ops::RangeInclusive<u32> = 2..=3600;

/// What is written. Endpoints are resolved, and files read, when the daemon starts: what changes after that holds from the next start on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cluster {
    /// The members of etcd: `http://HOST:PORT` or `https://HOST:PORT`. They are asked in turn.
    pub endpoints: Vec<String>,
    /// What the keys begin with; clusters of different prefixes know nothing of each other.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The name of this host in the cluster: no other host has it.
    pub node: Name,
    /// The address by which other nodes reach this host.
    pub address: IpAddr,
    /// How many seconds a node is silent before the others take it for dead.
    #[serde(default = "ttl")]
    pub ttl: u32,
    /// A user of etcd's.
    pub user: Option<String>,
    /// The file with the user's password.
    pub password_file: Option<PathBuf>,
    /// Certificates, in PEM, of those who may sign etcd's.
    pub ca: Option<PathBuf>,
    /// This host's certificate, in PEM, with those that sign it.
    pub certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<PathBuf>,
}

fn prefix() -> String {
    "/pontoon".to_owned()
}

fn ttl() -> u32 {
    60
}

impl Cluster {
    /// Checks it.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::invalid(format!("cluster: {what}")));
        if !(1..=ENDPOINTS).contains(&self.endpoints.len()) {
            return wrong(format!("endpoints: 1 to {ENDPOINTS}, e.g. [\"http://192.0.2.1:2379\"]"));
        }
        for endpoint in &self.endpoints {
            if parts(endpoint).is_none() {
                return wrong(format!("the endpoint {endpoint:?} is no http://HOST:PORT or https://HOST:PORT"));
            }
        }
        let is_prefix = self.prefix.starts_with('/') && !self.prefix.ends_with('/') && self.prefix.len() <= PREFIX;
        if !is_prefix || !self.prefix.bytes().all(|b| b.is_ascii_graphic()) {
            return wrong(format!("prefix: {:?} is none: it begins with '/' and does not end with one", self.prefix));
        }
        if !TTL.contains(&self.ttl) {
            return wrong(format!("ttl: {} seconds; it is {} to {}", self.ttl, TTL.start(), TTL.end()));
        }
        if self.user.is_some() != self.password_file.is_some() {
            return wrong("user and password-file come together".to_owned());
        }
        if self.certificate.is_some() != self.key.is_some() {
            return wrong("certificate and key come together".to_owned());
        }
        let secure = self.endpoints.iter().filter(|endpoint| endpoint.starts_with("https://")).count();
        match (&self.ca, secure) {
            (None, 0) if self.certificate.is_some() => wrong("a certificate is for endpoints with https".to_owned()),
            (None, 0) => Ok(()),
            (None, _) => wrong("ca: endpoints with https need the certificates of who signs etcd's".to_owned()),
            (Some(_), secure) if secure == self.endpoints.len() => Ok(()),
            (Some(_), _) => wrong("with ca, every endpoint is one with https".to_owned()),
        }
    }

    /// The TCP ports of etcd.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.endpoints.iter().filter_map(|endpoint| parts(endpoint)).map(|(_, port)| port)
    }
}

/// Host and port of an endpoint.
pub fn parts(endpoint: &str) -> Option<(&str, u16)> {
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"))?;
    let (host, port) = rest.rsplit_once(':')?;
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let fits = !bare.is_empty() && host.len() <= 255 && host.bytes().all(is_host);
    (fits && (!bare.contains(':') || host.starts_with('['))).then_some((bare, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::file::from_toml;

    fn checked(more: &str) -> Result<Cluster> {
        let own = if more.contains("endpoints") { "" } else { "endpoints = ['http://192.0.2.1:2379']\n" };
        let cluster: Cluster = from_toml("f", &format!("node = 'a'\naddress = '192.0.2.9'\n{own}{more}"))?;
        cluster.check().map(|()| cluster)
    }

    #[test]
    fn what_is_not_written_has_a_default() {
        let cluster = checked("").unwrap();
        assert_eq!((cluster.prefix.as_str(), cluster.ttl), ("/pontoon", 60));
        assert_eq!(cluster.ports().collect::<Vec<_>>(), [2379]);
        let many = checked("endpoints = ['http://a.example:1', 'http://[2001:db8::1]:2']").unwrap();
        assert_eq!(many.ports().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(parts("http://[2001:db8::1]:2"), Some(("2001:db8::1", 2)));
    }

    #[test]
    fn mistakes_are_named() {
        let table = [
            ("endpoints = []", "endpoints: 1 to 16"),
            ("endpoints = ['192.0.2.1:2379']", "\"192.0.2.1:2379\" is no http"),
            ("endpoints = ['http://a']", "is no http"),
            ("endpoints = ['http://a:0']", "is no http"),
            ("endpoints = ['http://2001:db8::1:2']", "is no http"),
            ("endpoints = ['http://a:1/x']", "is no http"),
            ("endpoints = ['https://a:1']", "ca: endpoints with https need"),
            ("endpoints = ['https://a:1', 'http://a:2']\nca = '/c'", "every endpoint is one with https"),
            ("prefix = 'p'", "begins with '/'"),
            ("prefix = '/p/'", "does not end with one"),
            ("ttl = 1", "ttl: 1 seconds"),
            ("user = 'u'", "user and password-file come together"),
            ("certificate = '/c'", "certificate and key come together"),
            ("certificate = '/c'\nkey = '/k'", "for endpoints with https"),
            ("node = 'a/b'", "duplicate key"),
            ("nodes = 1", "unknown field `nodes`"),
        ];
        for (text, part) in table {
            let error = checked(text).unwrap_err();
            assert!(error.message.contains(part) && !error.message.contains('\n'), "{text}: {error}");
        }
    }
}
