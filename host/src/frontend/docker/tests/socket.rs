//! Bytes on a real socket: what dockerds send that no other client does.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;

/// A plugin socket in a folder of its own.
pub struct Served {
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<Option<Listening>>,
}

impl Served {
    pub fn start(router: Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("p.sock")).unwrap();
        let server = tokio::spawn(serve(listener, router, std::future::pending()));
        Self { folder, server }
    }

    pub async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("p.sock")).await.unwrap()
    }

    /// Sends one request, and reads its answer.
    pub async fn ask(&self, request: &[u8]) -> String {
        exchange(&mut self.connect().await, request).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Sends a request and reads an answer, whose body is one line.
async fn exchange(stream: &mut UnixStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let line = async {
        while !(answer.ends_with(b"}\n")
            || answer.is_empty() && stream.read_u8().await.map(|b| answer.push(b)).is_err())
        {
            answer.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(5), line).await.expect("an answer");
    String::from_utf8(answer).unwrap()
}

/// 20.10's head, byte for byte.
fn request(method: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /{method} HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {length}\r\n\
        Accept: application/vnd.docker.plugins.v1.2+json\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn an_empty_host_and_no_content_type_will_do() {
    let served = Served::start(router(plugin(), obliging()));
    let mut stream = served.connect().await;
    let answer = exchange(&mut stream, request("Plugin.Activate", "").as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/vnd.docker.plugins.v1.2+json\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\n{\"Implements\":[\"NetworkDriver\",\"IpamDriver\"]}\n"), "{answer}");
    let answer =
        exchange(&mut stream, request("NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"n\"}\n").as_bytes()).await;
    assert!(answer.contains("200 OK") && answer.contains("\r\ncontent-length: 3\r\n"), "kept alive: {answer}");
}

#[tokio::test]
async fn a_retry_without_its_body_changes_nothing() {
    let engine = obliging();
    let served = Served::start(router(plugin(), engine.clone()));
    for method in ["NetworkDriver.CreateNetwork", "NetworkDriver.Leave", "IpamDriver.ReleasePool"] {
        for body in ["", "\n"] {
            let answer = served.ask(request(method, body).as_bytes()).await;
            assert!(
                answer.starts_with("HTTP/1.1 400 ") && answer.contains(r#""Err":"empty request body""#),
                "{answer}"
            );
        }
    }
    assert_eq!(engine.asked(), []);
}

#[tokio::test]
async fn a_length_that_is_too_large_is_refused_unread() {
    let served = Served::start(router(plugin(), obliging()));
    let head = format!("POST /NetworkDriver.Join HTTP/1.1\r\nHost: \r\nContent-Length: {}\r\n\r\n", MAX_JSON + 1);
    assert!(served.ask(head.as_bytes()).await.starts_with("HTTP/1.1 413 "));
}

#[test]
fn an_idle_connection_outlasts_dockerds_patience() {
    const DOCKERD_CLOSES: Duration = Duration::from_secs(30);
    assert!(limits::CONNECTIONS.idle >= 2 * DOCKERD_CLOSES, "dockerd must be the first to close");
}

#[tokio::test]
async fn a_crowded_socket_leaves_the_others_alone() {
    let (crowded, other) = (Served::start(router(plugin(), obliging())), Served::start(router(plugin(), obliging())));
    let mut crowd = Vec::new();
    for n in 0..limits::CONNECTIONS.connections + 50 {
        let mut stream = crowded.connect().await;
        let half: &[u8] = if n % 2 == 0 {
            b"POST /NetworkDriver.Jo"
        } else {
            b"POST /NetworkDriver.Join HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
        };
        stream.write_all(half).await.unwrap();
        crowd.push(stream);
    }
    assert!(other.ask(request("Plugin.Activate", "").as_bytes()).await.starts_with("HTTP/1.1 200 "));
    drop(crowd);
    assert!(
        crowded.ask(request("Plugin.Activate", "").as_bytes()).await.starts_with("HTTP/1.1 200 "),
        "once they are gone"
    );
}
