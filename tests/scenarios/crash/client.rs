//! Requests to a daemon that may be killed meanwhile.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use pontoon_tests::Daemon;
use serde_json::Value;

/// Where the daemon is asked.
pub struct Sockets {
    admin: PathBuf,
    docker: PathBuf,
}

impl Sockets {
    pub fn of(daemon: &Daemon) -> Self {
        Self { admin: daemon.socket(), docker: daemon.file("plugins/docker.sock") }
    }

    /// Asks the admin API. None: the daemon was killed before it had answered, so nobody knows.
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Option<(u16, String)> {
        ask(&self.admin, method, path, body)
    }

    /// Asks as dockerd does.
    pub fn docker(&self, method: &str, body: &Value) -> Option<(u16, String)> {
        ask(&self.docker, "POST", &format!("/{method}"), body)
    }
}

/// What became of a request.
pub enum Outcome {
    Done,
    /// A process of the daemon's ended meanwhile. What was to be made is not there.
    Cut,
    /// The daemon ended before it had answered.
    Unknown,
}

/// What an answer says of a process that has ended; in any other way no request fails.
const CUT: [&str; 2] = ["the driver's process broke off", "start the daemon again"];

impl Outcome {
    pub fn of(answer: Option<(u16, String)>, what: &str) -> Self {
        match answer {
            None => Self::Unknown,
            Some((200..300, _)) => Self::Done,
            Some((_, text)) if CUT.iter().any(|cut| text.contains(cut)) => Self::Cut,
            Some((status, text)) => panic!("{what}: {status} {text}"),
        }
    }
}

fn ask(socket: &Path, method: &str, path: &str, body: &Value) -> Option<(u16, String)> {
    let body = body.to_string();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split_whitespace().nth(1)?.parse().ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    // Cut off in its middle it is no answer.
    let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let whole = length.is_none_or(|length| length.trim().parse() == Ok(body.len()));
    whole.then(|| (status, body.to_owned()))
}
