//! One HTTP request over a unix socket, for those that ask: the command line its daemon, the daemon a dockerd ([`dockerd`]).

pub mod dockerd;

use std::fmt;
use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Bytes of an answer: whatever listens there, it does not fill the memory.
const MAX_ANSWER: usize = 256 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody is there, or nobody for this user.
    Unreachable(io::Error),
    /// Somebody is, and broke off.
    Broken(String),
}

/// Sends a request and reads its answer, whole.
pub async fn ask(socket: &Path, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Unanswered> {
    let stream = UnixStream::connect(socket).await.map_err(Unanswered::Unreachable)?;
    let broken = |e: &dyn fmt::Display| Unanswered::Broken(e.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let running = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|e| broken(&e))?;
    running.abort();
    Ok((status, body.to_bytes()))
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => why.fmt(f),
            Self::Broken(why) => write!(f, "the connection was broken off: {why}"),
        }
    }
}
