//! dockerd's own API, asked by this daemon, never while dockerd waits for an answer itself; and which names it never asks for.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use serde::de::DeserializeOwned;

use super::{Unanswered, ask};
use words::{Error, Kind, Name, Result};

/// How long dockerd may take for one answer: it may be busy, but nobody waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names that dockerd keeps for itself (`moby/daemon/libnetwork/drivers_linux.go`, and `default` for address management): a
/// socket of such a name is never asked.
const RESERVED: [&str; 7] = ["bridge", "host", "null", "macvlan", "ipvlan", "overlay", "default"];

/// Why no plugin socket can have this name; none: it can.
pub fn reserved(name: &Name) -> Option<Error> {
    RESERVED.contains(&name.as_str()).then(|| {
        let why =
            format!("dockerd keeps the driver name {name} for itself: load it under another one, e.g. pontoon-{name}");
        Error::new(Kind::Forbidden, why)
    })
}

/// GET. The error has an errno where nobody could be reached.
pub async fn get<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T> {
    find(socket, path).await?.ok_or_else(|| failed(socket, &format_args!("there is no {path}")))
}

/// The same; none: there is no such thing.
pub async fn find<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<Option<T>> {
    let failed = |why: &dyn Display| failed(socket, why);
    let request = Request::get(path).header(HOST, "docker").body(Full::<Bytes>::default());
    let request = request.map_err(|e| failed(&e))?;
    let answer = tokio::time::timeout(PATIENCE, ask(socket, request)).await;
    let (status, body) = answer.map_err(|_| failed(&"no answer"))?.map_err(|e| match &e {
        Unanswered::Unreachable(why) => Error { errno: why.raw_os_error(), ..failed(&e) },
        Unanswered::Broken(_) => failed(&e),
    })?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        return Err(failed(&format_args!("{path} answered {status}")));
    }
    serde_json::from_slice(&body).map(Some).map_err(|e| failed(&format_args!("{path} can't be read: {e}")))
}

fn failed(socket: &Path, why: &dyn Display) -> Error {
    Error::new(Kind::Unavailable, format!("dockerd can't be asked at {}: {why}", socket.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerds_own_names_are_reserved() {
        for name in RESERVED {
            let error = reserved(&name.parse().unwrap()).unwrap();
            assert!(error.message.contains(name) && !error.message.contains('\n'), "{error}");
        }
        assert_eq!(reserved(&"pontoon-bridge".parse().unwrap()), None);
    }
}
