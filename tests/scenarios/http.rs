//! The admin API by hand: what the command line would never send.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pontoon_tests::Daemon;
use serde_json::Value;

/// Sends a request's text as it is; answers the status and the body.
pub fn raw(daemon: &Daemon, request: &[u8]) -> (u16, String) {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    // A daemon that refuses may close before all is sent; what counts is its answer.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split_whitespace().nth(1).and_then(|s| s.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status.unwrap_or_else(|| panic!("no status: {answer:?}")), body)
}

/// Sends a request with a body.
pub fn send(daemon: &Daemon, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: pontoon\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    raw(daemon, &[head.as_bytes(), body].concat())
}

/// The JSON document at a path.
pub fn get(daemon: &Daemon, path: &str) -> Value {
    let (status, body) = send(daemon, "GET", path, b"");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}
