//! The admin API's client: one connection a request, over the unix socket.

use std::io;
use std::path::PathBuf;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exit::Failure;
use crate::client::{Unanswered, ask};
use words::Error;

/// Where the daemon listens if nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/pontoon/pontoon.sock";

/// What the daemon is asked through.
pub struct Client {
    socket: PathBuf,
}

/// What the daemon answered: JSON text, or nothing.
#[derive(Debug)]
pub struct Reply(Bytes);

impl Client {
    /// A client of the daemon at a socket. It connects when it is used.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.call(Method::GET, path, "application/json", Bytes::new()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Reply, Failure> {
        self.call(Method::DELETE, path, "application/json", Bytes::new()).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Reply, Failure> {
        self.call(Method::POST, path, "application/json", json(body)?).await
    }

    /// PUT of a JSON body.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Reply, Failure> {
        self.call(Method::PUT, path, "application/json", json(body)?).await
    }

    /// POST of a component.
    pub async fn upload(&self, path: &str, component: Vec<u8>) -> Result<Reply, Failure> {
        self.call(Method::POST, path, "application/wasm", component.into()).await
    }

    async fn call(&self, method: Method, path: &str, content_type: &str, body: Bytes) -> Result<Reply, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "pontoon")
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .map_err(|e| Error::internal(format!("can't make the request {path:?}: {e}")))?;
        match ask(&self.socket, request).await {
            Ok((status, body)) => reply(status, body),
            Err(Unanswered::Unreachable(why)) => Err(self.unreachable(&why)),
            Err(Unanswered::Broken(why)) => Err(self.broken(&why)),
        }
    }

    fn unreachable(&self, why: &io::Error) -> Failure {
        let socket = self.socket.display();
        let message = format!("can't reach the daemon at {socket}: {why}: is `pontoon serve` running?");
        let mut failure = Failure::unreachable(message);
        failure.error.errno = why.raw_os_error();
        failure
    }

    fn broken(&self, why: &str) -> Failure {
        let socket = self.socket.display();
        Failure::unreachable(format!("the daemon at {socket} broke the connection off: {why}"))
    }
}

impl Reply {
    /// The JSON text as it came; `{}` where there was none.
    pub fn text(&self) -> String {
        match self.0.is_empty() {
            true => "{}".to_owned(),
            false => String::from_utf8_lossy(&self.0).into_owned(),
        }
    }

    /// What came, whatever it is.
    pub fn bytes(self) -> Bytes {
        self.0
    }

    /// The JSON text as a value.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.0)
            .map_err(|e| Error::internal(format!("can't read the daemon's answer (is it of another version?): {e}")))
    }
}

/// A path out of segments, each percent-encoded.
pub fn path(segments: &[&str]) -> String {
    segments.iter().map(|segment| format!("/{}", encode(segment))).collect()
}

/// All but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a path's segment or a query's value.
pub fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ENCODED)
}

fn json(body: &impl Serialize) -> Result<Bytes, Error> {
    let text = serde_json::to_vec(body).map_err(|e| Error::internal(format!("can't write the request: {e}")))?;
    Ok(text.into())
}

fn reply(status: StatusCode, body: Bytes) -> Result<Reply, Failure> {
    if status.is_success() {
        return Ok(Reply(body));
    }
    match serde_json::from_slice::<Error>(&body) {
        Ok(error) => Err(error.into()),
        Err(_) => Err(Error::internal(format!("the daemon answered {status} without saying why")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::Kind;

    #[test]
    fn segments_are_encoded() {
        assert_eq!(path(&["endpoints", "/run/netns/a b"]), "/endpoints/%2Frun%2Fnetns%2Fa%20b");
        assert_eq!(path(&["networks", "a?b#c", "tables", "ä%~"]), "/networks/a%3Fb%23c/tables/%C3%A4%25~");
    }

    #[test]
    fn an_error_keeps_its_kind() {
        let failure = reply(StatusCode::CONFLICT, r#"{"kind":"already-exists","message":"a"}"#.into()).unwrap_err();
        assert_eq!((failure.code, failure.error.kind), (5, Kind::AlreadyExists));
        assert_eq!(reply(StatusCode::BAD_GATEWAY, "<html>".into()).unwrap_err().code, 1);
        assert_eq!(reply(StatusCode::NO_CONTENT, Bytes::new()).unwrap().text(), "{}");
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_there_is_named() {
        let failure = Client::new("/nonexistent/p.sock".into()).get("/version").await.unwrap_err();
        assert_eq!(failure.code, 3);
        assert!(failure.error.message.contains("/nonexistent/p.sock"), "{failure:?}");
        assert!(failure.error.message.contains("is `pontoon serve` running?"), "{failure:?}");
    }
}
