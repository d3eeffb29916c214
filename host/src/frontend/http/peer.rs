//! Who may speak to the daemon: root, the user that it runs as, and the group of the socket's file. The file's mode says the same; this holds,
//! too, where somebody has changed that, or where a socket was handed on.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use tokio::net::UnixStream;

use words::{Error, Result};

/// The user at the other end of a connection, by number. It is among the extensions of each of the connection's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub u32);

/// Whether the process at the other end may speak to the daemon through the socket at this path; if so, whose it is.
pub fn check(stream: &UnixStream, socket: Option<&Path>) -> Result<Caller> {
    let peer = stream.peer_cred().map_err(|e| Error::internal(format!("can't tell who connected: {e}")))?;
    if [0, rustix::process::geteuid().as_raw()].contains(&peer.uid()) {
        return Ok(Caller(peer.uid()));
    }
    // Looked at each time: an operator may give the socket to another group.
    let group = socket.and_then(|path| path.metadata().ok()).map(|file| file.gid());
    if group.is_some_and(|group| group == peer.gid() || peer.pid().is_some_and(|pid| has(&status(pid), group))) {
        return Ok(Caller(peer.uid()));
    }
    let who = format!("the user {} is neither root nor in the group of the socket", peer.uid());
    Err(Error::forbidden(format!("{who}: chgrp the socket to one of its groups, which makes it as good as root")))
}

fn status(process: i32) -> String {
    std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}

/// Whether a process's status names this among its supplementary groups, which a socket does not tell.
fn has(status: &str, group: u32) -> bool {
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    groups.split_whitespace().any(|word| word.parse() == Ok(group))
}

/// Answers everything with a refusal, as both the admin API and dockerd read one.
pub fn refusing(error: &Error) -> Router {
    let body = json!({"kind": error.kind, "message": error.message, "Err": error.message}).to_string();
    Router::new().fallback(|| async move { (StatusCode::FORBIDDEN, [("content-type", "application/json")], body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_from_a_status() {
        let status = "Name:\tx\nGid:\t5\t5\t5\t5\nGroups:\t4 24 1000 \nVmPeak:\t7 kB\n";
        assert_eq!([4, 24, 1000].map(|group| has(status, group)), [true; 3]);
        assert_eq!([5, 7, 100, 0].map(|group| has(status, group)), [false; 4]);
        assert!(!has("", 0) && !has("Groups:\t", 0));
    }

    #[tokio::test]
    async fn this_user_may() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert_eq!(check(&ours, None).unwrap(), Caller(rustix::process::geteuid().as_raw()));
    }
}
